"""Which printed fields of a card nobody may see in a recording. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.cards import Quad, Zone
from app.core.products import Product

_PIN = frozenset({"pin", "panel"})
_WORTH = frozenset({"number", "barcode"})


def secret_zones(zones: Sequence[Zone], product: Product | None) -> tuple[Quad, ...]:
    """The places to cover: the PIN always; number and barcode too where no PIN protects them or nobody knows.

    () when a field that must be covered was not found: then only covering the whole card is sure.
    """
    guarded = product is not None and product.pin is not None
    bare = product is not None and product.pin is None
    kinds = _PIN if guarded else _WORTH if bare else _PIN | _WORTH
    found = {zone.kind for zone in zones}
    if (not bare and not found & _PIN) or (not guarded and "number" not in found):
        return ()
    return tuple(zone.quad for zone in zones if zone.kind in kinds)
