"""Tells the recorder what may not be seen: the eye's places, narrowed to the secret ones by the card's product."""

from __future__ import annotations

from collections.abc import Callable

from app.core.cards import CardRead, Guidance, Quad, Sighting
from app.core.hiding import secret_zones
from app.core.products import Catalogue, Product
from app.recorder.protocol import Zones

_EXACT = frozenset({Guidance.NONE, Guidance.GLARE, Guidance.BLURRED})
"""While the eye says one of these, nothing moves and the one whole card lies where it says."""

_ELSEWHERE = frozenset({Guidance.TWO_CARDS, Guidance.CUT_OFF})
"""What it has one place for, and more lies elsewhere: another card, or what the picture's edge cuts off."""


class Shield:
    """Follows the eye's messages in their order; `send` gets a word for the recorder for each sighting."""

    def __init__(self, catalogue: Catalogue, send: Callable[[Zones], None]) -> None:
        self._catalogue = catalogue
        self._send = send
        self._product: Product | None = None

    def know(self, catalogue: Catalogue) -> None:
        """Know these products from the next card on."""
        self._catalogue = catalogue

    def read(self, card: CardRead) -> None:
        """A card was read: until its fields are out of sight they are those of this product."""
        self._product = self._catalogue.by_id(card.product_id)

    def saw(self, sighting: Sighting) -> None:
        if not sighting.zones:
            self._product = None  # this card went, or is a new one: all may be secret
        hide = secret_zones(sighting.zones, self._product)
        placed = sighting.quad is not None and sighting.guidance not in _ELSEWHERE
        self._send(
            Zones(
                frame_us=sighting.frame_us,
                card=_numbers(sighting.quad) if placed and sighting.quad else [],
                empty=sighting.guidance is Guidance.EMPTY,
                calm=sighting.guidance in _EXACT,
                hide=[_numbers(quad) for quad in hide],
            )
        )


def _numbers(quad: Quad) -> list[float]:
    return [number for point in quad for number in point]
