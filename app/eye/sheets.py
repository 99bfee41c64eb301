"""Scanned sheets through the same eyes as the camera: each card on a sheet is looked at once, and alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.core.products import Catalogue
from app.vision.conclude import Conclusion, conclude
from app.vision.locate import Located
from app.vision.look import Looker
from app.vision.pixels import Colour
from app.vision.sheet import alone, cut_sheet, sheet_picture


@dataclass(frozen=True, slots=True, repr=False)
class SheetReading:
    """What is on one sheet: its cards in reading order; `unclear` things that may be cards and could not be cut."""

    cards: tuple[Conclusion, ...]
    unclear: int


def read_sheet(data: bytes, name: str, dpi: float, looker: Looker, catalogue: Catalogue) -> SheetReading:
    """Read the cards of one scan. Raises BadInput("input.empty" | "input.not_an_image")."""
    picture = sheet_picture(data, name)
    found = cut_sheet(picture, dpi)
    cards = [_read(picture, card, dpi, looker, catalogue) for card in found.cards]
    return SheetReading(tuple(card for card in cards if not card.blank), found.unclear)


def _read(picture: Colour, card: Located, dpi: float, looker: Looker, catalogue: Catalogue) -> Conclusion:
    """One card of the sheet; its corners in pixels of the sheet."""
    cut, there, offset = alone(picture, card, dpi)
    found = conclude([looker.look(cut, there)], catalogue)
    return replace(found, corners=found.corners + offset, zones=())
