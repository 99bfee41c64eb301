"""A line of text on a card: where it stands and what it says."""

from __future__ import annotations

from dataclasses import dataclass

from app.vision.panel import Area
from app.vision.recognise import LineText
from app.vision.textlines import LineBox


@dataclass(frozen=True, slots=True, repr=False)
class Line:
    """A line where it stands and what it says."""

    box: LineBox
    read: LineText

    @property
    def area(self) -> Area:
        return Area(self.box.x, self.box.y, self.box.w, self.box.h)
