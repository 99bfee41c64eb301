"""Scanned sheets through the same eyes as the camera: each card on a sheet is looked at once, and alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.core.products import Catalogue
from app.vision.card.locate import Located
from app.vision.card.sheet import alone, cut_sheet
from app.vision.conclude import Conclusion, conclude
from app.vision.look import Looker
from app.vision.picture.files import open_pages
from app.vision.picture.pixels import Colour


@dataclass(frozen=True, slots=True, repr=False)
class SheetReading:
    """What is on one sheet, or all pages of a scan: its cards in reading order, their corners in pixels of their page;
    `unclear` things that may be cards and could not be cut.
    """

    cards: tuple[Conclusion, ...]
    unclear: int


def read_sheet(data: bytes, name: str, dpi: float, looker: Looker, catalogue: Catalogue) -> SheetReading:
    """Read the cards of one scan. Raises BadInput as `app.vision.picture.files.open_pages`."""
    cards: list[Conclusion] = []
    unclear = 0
    for page in open_pages(data, name):
        found = cut_sheet(page.pixels, dpi / page.scale)
        read = [_read(page.pixels, card, dpi / page.scale, looker, catalogue) for card in found.cards]
        cards += [replace(card, corners=card.corners * page.scale) for card in read if not card.blank]
        unclear += found.unclear
    return SheetReading(tuple(cards), unclear)


def _read(picture: Colour, card: Located, dpi: float, looker: Looker, catalogue: Catalogue) -> Conclusion:
    """One card of the sheet; its corners in pixels of the sheet."""
    cut, there, offset = alone(picture, card, dpi)
    found = conclude([looker.look(cut, there)], catalogue)
    return replace(found, corners=found.corners + offset, zones=())
