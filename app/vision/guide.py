"""What the clerk should do with the card now, from what one frame shows."""

from __future__ import annotations

from app.core.cards import Guidance
from app.vision.card.locate import Found, Located
from app.vision.look import Look

GLARE = 0.035
"""Share of the card burnt out above which a lamp is in the way."""

BLURRED = 0.12
"""Sharpness below which nothing small can be read."""

_FOUND = {
    Found.NONE: Guidance.EMPTY,
    Found.TWO: Guidance.TWO_CARDS,
    Found.CUT_OFF: Guidance.CUT_OFF,
    Found.TOO_FAR: Guidance.TOO_FAR,
}


def guidance(located: Located, moving: bool, look: Look | None) -> Guidance:
    """The one thing that matters most: whether there is one whole card, then motion, then light and focus."""
    if located.found in _FOUND:
        return _FOUND[located.found]
    if moving:
        return Guidance.HOLD_STILL
    if look is None:
        return Guidance.NONE
    if look.sharpness < BLURRED:
        return Guidance.BLURRED
    return Guidance.GLARE if look.glare > GLARE else Guidance.NONE
