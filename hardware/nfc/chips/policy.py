"""Which chip may be written, and how: everything that is not named here is not."""

from __future__ import annotations

from hardware.nfc.chips import Family
from hardware.nfc.chips.outcome import Method, Refusal, Why

METHODS = {
    Family.NTAG213: Method.LOCK,
    Family.NTAG215: Method.LOCK,
    Family.NTAG216: Method.LOCK,
    Family.ULTRALIGHT: Method.LOCK,
    Family.ULTRALIGHT_EV1_11: Method.LOCK,
    Family.ULTRALIGHT_EV1_21: Method.LOCK,
    Family.CLASSIC_1K: Method.KEYS,
    Family.CLASSIC_4K: Method.KEYS,
}
"""Families that can be switched off and proved to be."""

_NEVER = {
    Family.PHONE: Why.PHONE,
    Family.BANK_CARD: Why.BANK_CARD,
    Family.ISO_DEP: Why.PROCESSOR_CARD,
}
"""What is somebody's own: neither written nor destroyed."""


def judge(family: str) -> Refusal | None:
    """None when chips of this family may be switched off; else why not, and what is left to do."""
    try:
        known = Family(family)
    except ValueError:
        known = Family.UNKNOWN
    if known in METHODS:
        return None
    if known in _NEVER:
        return Refusal(_NEVER[known])
    return Refusal(Why.NOT_WRITABLE_KIND, Method.PHYSICAL)
