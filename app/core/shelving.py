"""What a supervisor sees of the station's catalogue and may do to it: plain data, and the desk that is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from app.core.errors import Trouble
from app.core.lessons import LessonJob, LessonNews
from app.core.parcels import Operator


@dataclass(frozen=True, slots=True)
class UnknownGtin:
    """A GTIN (14 digits) that no product has, on `cards` cards that wait for review; where the newest of them is."""

    gtin: str
    cards: int
    wall_us: int
    waybill: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What the station reads by. `published`: the centre's version, "" for what was shipped; `bound`: GTIN and product
    id of what was bound here; `own`: ids of the products added here, in order.
    """

    version: str
    published: str
    products: int
    unknown: tuple[UnknownGtin, ...] = ()
    bound: tuple[tuple[str, str], ...] = ()
    own: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Names:
    """What a new product is called: its id (small letters, digits, dashes) and its names."""

    id: str
    zh: str
    en: str


class CatalogueDesk(Protocol):
    """What the catalogue screen may ask for. `tell` is called once from any thread, with a value or a Trouble.

    Who is no supervisor gets BadInput("catalog.not_supervisor"). Whatever changes needs a reason, is signed by the
    station's key and is an event of its chain; the eye, the session and the screen go on by the new catalogue when
    `tell` is called.
    """

    def standing(self, who: Operator, tell: Callable[[Standing | Trouble], None]) -> None:
        """What is read by now, and which barcodes nobody knows."""

    def bind(
        self, who: Operator, gtin: str, product_id: str, reason: str, tell: Callable[[Standing | Trouble], None]
    ) -> None:
        """A barcode that no product has belongs to this product."""

    def release(self, who: Operator, gtin: str, reason: str, tell: Callable[[Standing | Trouble], None]) -> None:
        """Take a binding back."""

    def study(self, who: Operator, job: LessonJob, tell: Callable[[LessonNews], None]) -> None:
        """Learn a product from photographs; `tell` is called for each news, LessonFailed is the last. A second call
        drops the first.
        """

    def drop_study(self) -> None:
        """Whatever is being learned is not wanted any more."""

    def add(
        self, who: Operator, template: str, names: Names, reason: str, tell: Callable[[Standing | Trouble], None]
    ) -> None:
        """Read by a learned template under these names, at this station, until the centre publishes the product."""

    def withdraw(self, who: Operator, product_id: str, reason: str, tell: Callable[[Standing | Trouble], None]) -> None:
        """Take a product back that was added here."""
