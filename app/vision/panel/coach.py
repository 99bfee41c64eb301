"""The scratch coach: how many characters of the PIN can be read by now, of how many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.cards import FieldReading, FieldState, PanelState
from app.core.products import UNKNOWN_PIN, FieldPattern, Product
from app.vision.decoding.decode import Decoded

_LEGIBLE = 0.9


@dataclass(frozen=True, slots=True)
class Legible:
    """`seen` characters can be read of `total`; `total` is an estimate unless the product says how long its PIN is."""

    seen: int
    total: int


def free_pattern(product: Product | None) -> FieldPattern:
    """What a part of a PIN looks like: the product's alphabet, any length."""
    known = product.pin if product is not None else None
    alphabet, longest = (UNKNOWN_PIN if known is None else known).alphabet, max((known or UNKNOWN_PIN).lengths)
    return FieldPattern(alphabet, tuple(range(1, longest + 1)))


def count_legible(
    panel: PanelState, pin: FieldReading, said: Sequence[Decoded], hidden: int, product: Product | None
) -> Legible | None:
    """What to tell the clerk; None where there is nothing to count. `said`: the PIN's readings under `free_pattern`."""
    lengths = product.pin.lengths if product is not None and product.pin is not None else ()
    if panel is PanelState.NONE or pin.state is FieldState.ABSENT:
        return None
    if panel is PanelState.OPEN:
        return Legible(sum(c.sure for c in pin.chars), len(pin.chars)) if pin.chars else None
    counts = sorted(sum(max(c.values()) >= _LEGIBLE for c in reading.chars) for reading in said)
    seen = counts[len(counts) // 2] if counts else 0
    if lengths:
        return Legible(min(seen, max(lengths)), max(lengths))
    return Legible(seen, seen + hidden) if seen + hidden else None
