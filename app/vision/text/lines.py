"""A line of text on a card: where it stands and what it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.vision.picture.area import Area
from app.vision.text.recognise import LineText, View
from app.vision.text.textlines import LineBox


@dataclass(frozen=True, slots=True, repr=False)
class Line:
    """A line where it stands and what it says."""

    box: LineBox
    read: LineText

    @property
    def area(self) -> Area:
        return Area(self.box.x, self.box.y, self.box.w, self.box.h)


def said_in(area: Area, lines: Sequence[Line]) -> View | None:
    """What PP-OCR read in an area that is the end of a line; None where it is not, or was not read in whole."""
    for line in lines:
        whole = line.area
        same_row = whole.y == area.y and whole.h == area.h
        if same_row and whole.x <= area.x and abs(whole.right - area.right) < 1 and len(line.read.lattice):
            return line.read.part((area.x - whole.x) / whole.w)
    return None
