"""Whether the places of a layout can all be those of one card."""

from __future__ import annotations

from itertools import combinations

from app.core.products import SHORT_MM, Box, Layout

_TEXTS = ("number", "pin", "expiry", "face_value")
"""Fields of which each has its own print. A symbol is none: the number may stand in or under its bars."""

_HALF = 0.5
"""Share of a place. Learned places are as wide as the widest of what was seen, and a panel that is scratched off in
part is seen smaller than it is: less than half of one is play, more is another place than was meant.
"""


def wrong_with(layout: Layout) -> str:
    """Why this is the layout of no card; "" where nothing speaks against it."""
    boxes = layout.boxes
    wide = [name for name, box in boxes.items() if box.x + box.w > SHORT_MM]
    if layout.upright and wide:
        return f"{', '.join(wide)}: the box leaves the card, which other boxes have printed upright (54 x 85.6 mm)"
    for one, other in combinations([name for name in _TEXTS if name in boxes], 2):
        smaller = min(boxes[one], boxes[other], key=_size)
        if _common(boxes[one], boxes[other]) > _HALF * _size(smaller):
            return f"{one} and {other} have the same place"
    if layout.pin and layout.panel and _common(layout.pin, layout.panel) < _HALF * _size(layout.pin):
        return "pin lies outside of panel, which covers it"
    return ""


def _size(box: Box) -> float:
    return box.w * box.h


def _common(one: Box, other: Box) -> float:
    """The size of what two boxes share."""
    width = min(one.x + one.w, other.x + other.w) - max(one.x, other.x)
    height = min(one.y + one.h, other.y + other.h) - max(one.y, other.y)
    return max(0.0, width) * max(0.0, height)
