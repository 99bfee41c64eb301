"""Whether print that everybody may read, an amount or a date, goes on where nobody sees it: under what lies over the
card, or in a reflection, towards which its last character pales.

One digit less makes another amount, and a day less another date, both as clear as can be.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.vision.ends.beside import goes_under
from app.vision.ends.covering import covered_ends
from app.vision.ends.fading import contrasts
from app.vision.ends.lit import light_behind, lit_along
from app.vision.picture.area import Area
from app.vision.picture.pixels import Colour
from app.vision.text.lines import Line
from app.vision.text.textlines import LineBox, cut

_PALE, _BRIGHTER = 0.8, 10.0
"""Contrast of the last character, in that of the line, and levels by which paper behind it is lighter than elsewhere
along the line. Of 345 values at a line's end read rightly on hard cards with glare none has both; of four that lacked
zeros three have."""

_OTHER_LIGHT = 0.1
"""Share of the line's lightness by which paper behind a month is lighter or darker where a day may not be seen."""

_STEPS = 1000  # of a line's width


def is_cut_short(
    card: Colour, line: Line, end: int, area: Area, reach: float = 0.0, part_missing: bool = False
) -> bool:
    """Whether the print of an area, which ends with character `end` of a line's text, may go on unseen, `reach` heights
    further. `part_missing`: a whole part of it may be, and not only its last characters. Where more of the line was
    read behind it, light has taken nothing.
    """
    if lies_under(card, area, reach):
        return True
    return not line.read.text[end:].strip() and _ends_in_other_light(card, line, end, part_missing)


def lies_under(card: Colour, area: Area, reach: float = 0.0) -> bool:
    """Whether something lies over the card where the print of an area ends, or up to `reach` heights behind."""
    return goes_under(card, area, reach) or covered_ends(card, area, card.shape[1])[1]


def _ends_in_other_light(card: Colour, line: Line, end: int, part_missing: bool) -> bool:
    spans = _spans(line, end)
    if len(spans) < 2:
        return False
    whole = line.area
    picture = cut(card, LineBox(whole.x, whole.y, whole.w, whole.h, 0.0, 1.0))
    usual, behind = light_behind(lit_along(card, whole), picture.shape[1], spans, _STEPS)
    clear = contrasts(picture, spans, _STEPS)
    pales = clear[-1] < _PALE * np.median(clear) and max(behind, default=0.0) > usual + _BRIGHTER
    return bool(pales) or (part_missing and any(abs(level - usual) > _OTHER_LIGHT * usual for level in behind))


def _spans(line: Line, end: int) -> Sequence[tuple[int, int]]:
    """The steps of the signs before character `end`, without spaces and Chinese words, which are wider."""
    at, spans = 0, []
    for sign in line.read.signs:
        if at < end and sign.text.strip() and sign.text.isascii():
            spans.append((round(sign.start * _STEPS), round(sign.end * _STEPS)))
        at += len(sign.text)
    return spans
