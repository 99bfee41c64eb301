"""How many cards a second pair of eyes looks at although nothing was wrong: more where a person had a hand in it.

Which cards those are must not be known at the station, so the draw is made with a secret of the centre.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection

from app.core.parcels import Reason

PER_MILLE = 1000
PLAIN, CONFIRMED, TYPED = 20, 100, 333
"""Of a thousand cards: read by the machine alone; with a character picked by a person; with something typed."""

_TYPED = frozenset({Reason.NUMBER_BY_HAND, Reason.PIN_BY_HAND})
_CONFIRMED = frozenset({Reason.NUMBER_CONFIRMED, Reason.PIN_CONFIRMED})


def share_of(reasons: Collection[Reason]) -> int:
    """How many of a thousand such cards are looked at again."""
    if _TYPED & set(reasons):
        return TYPED
    return CONFIRMED if _CONFIRMED & set(reasons) else PLAIN


def is_sampled(secret: bytes, card_id: str, reasons: Collection[Reason]) -> bool:
    """Whether this card is one of them; the same card always answers the same. `secret`: 32 bytes of the centre."""
    drawn = int.from_bytes(hmac.digest(secret, card_id.encode(), hashlib.sha256)[:8])
    return drawn % PER_MILLE < share_of(reasons)
