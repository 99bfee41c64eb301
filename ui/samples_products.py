"""The product screen's samples: a barcode to be bound, what was added here. All fictional."""

from __future__ import annotations

from dataclasses import replace

from app.catalog.search import Finder
from app.catalog.shelf import shipped
from app.core.products import Product
from app.core.shelving import Standing, UnknownGtin
from ui.present_products import MOST_FOUND, Choosing, Task
from ui.samples import GIFT, NOW_US
from ui.samples_review import REVIEWER

_S = 1_000_000
QUERY = "Y"

STANDING = Standing(
    "5e0c7f21a9d4" + "0" * 52,
    "31c2f0d977ab" + "0" * 52,
    418,
    (
        UnknownGtin("06901234077711", 4, NOW_US - 11 * 60 * _S, "SF14207731877"),
        UnknownGtin("06921168500017", 1, NOW_US - 64 * 60 * _S, "SF14207731859"),
        UnknownGtin("00012345678905", 2, NOW_US - 26 * 3600 * _S, "SF14207731802"),
    ),
    (("06901234099997", GIFT),),
    (GIFT,),
)


def found() -> tuple[Product, ...]:
    """What a search of the shipped catalogue finds."""
    return Finder(shipped().products).find(QUERY, MOST_FOUND)


def binding() -> Choosing:
    """The first barcode, a product chosen, a reason written."""
    products = found()
    return Choosing(
        REVIEWER, standing=STANDING, chosen=0, query=QUERY, found=products, at=1, picked=products[1], reason_there=True
    )


def searching() -> Choosing:
    """The same before a product was taken."""
    return replace(binding(), picked=None, reason_there=False, at=0)


def changing() -> Choosing:
    """What was added here, the barcode is to be taken back."""
    return Choosing(REVIEWER, Task.CHANGES, STANDING, chosen=1, reason_there=True)
