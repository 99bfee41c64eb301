"""The product screen's samples: a barcode to be bound, what was added here. All fictional."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QBuffer, QByteArray, QIODevice
from PySide6.QtGui import QImageWriter

from app.catalog.search import Finder
from app.catalog.shelf import shipped
from app.core.cards import FieldState
from app.core.lessons import Pattern, StudiedCard, Taught, Tried, TriedField
from app.core.products import Box, Product
from app.core.shelving import Standing, UnknownGtin
from ui.present_lesson import Learning
from ui.present_products import MOST_FOUND, Choosing, Task
from ui.sample_pictures import picture
from ui.samples import CARD_QUAD, GIFT, NOW_US
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


def learning() -> Choosing:
    """Three cards were learned from, a fourth was tried, the barcode's place was drawn by hand."""
    cards = tuple(StudiedCard(_jpeg("upright"), _jpeg("card"), _QUAD, _REGIONS) for _ in range(3))
    number = Pattern((16,), "digits", (4, 4, 4, 4), "luhn", 3, (("check digit luhn", 8000),))
    taught = Taught(cards, _REGIONS, number, Pattern((8,), "digits", (), "", 3), ("06901234099997",), (), "")
    tried = Tried(
        (
            TriedField("number", FieldState.DOUBTFUL, FieldState.READ, 2, 0, fits=True),
            TriedField("pin", FieldState.UNREADABLE, FieldState.DOUBTFUL, 0, 1, fits=False),
        )
    )
    names = tuple(f"card-{n}.jpg" for n in range(1, 5))
    lesson = Learning(
        names,
        cards,
        _REGIONS,
        (_REGIONS[2],),
        taught,
        tried,
        1,
        "barcode",
        zh="夜市礼品卡",
        en="Night Market gift card",
    )
    return Choosing(REVIEWER, Task.NEW, STANDING, reason_there=True, learning=lesson)


_QUAD = tuple((x / 1920, y / 1080) for x, y in CARD_QUAD)
_REGIONS = (
    ("number", Box(4.7, 21.6, 74.2, 7.4)),
    ("panel", Box(47.6, 39.9, 33.4, 8.4)),
    ("barcode", Box(3.6, 37.6, 40.6, 13.2)),
)


def _jpeg(name: str) -> bytes:
    image, buffer = picture(name), QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    assert image is not None
    QImageWriter(buffer, QByteArray(b"jpg")).write(image)
    return bytes(buffer.data().data())
