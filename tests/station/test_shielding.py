"""What the recorder is told of places: sure ones only, for more is covered where a place is not the whole of it."""

from __future__ import annotations

import pytest

from app.core.cards import Guidance, Sighting
from app.core.products import Catalogue
from app.evidence.mask import cover
from app.recorder.masking import as_word
from app.recorder.protocol import Zones
from app.station.shielding import Shield
from tests.core.making import QUAD

WHOLE = ((0, 0), (1280, 0), (1280, 720), (0, 720))


def words_of(guidance: Guidance) -> list[Zones]:
    """What is told of a card that lies there for a second while the eye says this."""
    said: list[Zones] = []
    shield = Shield(Catalogue(()), said.append)
    for at_us in range(0, 1_000_000, 66_000):
        shield.saw(Sighting(at_us, guidance, QUAD))
    return said


@pytest.mark.parametrize("guidance", [Guidance.TWO_CARDS, Guidance.CUT_OFF])
def test_one_place_is_not_all_where_another_card_lies_or_the_edge_cuts_one_off(guidance: Guidance) -> None:
    """The eye gives the place of the better seen card only: the PIN of the other one stayed in the picture."""
    said = words_of(guidance)
    assert {(*one.card, one.empty) for one in said} == {(False,)}
    done = cover([as_word(one) for one in said], 500_000, 1280, 720)
    assert (done.reason, done.outlines) == ("unclear", (WHOLE,))


@pytest.mark.parametrize("guidance", [Guidance.NONE, Guidance.HOLD_STILL, Guidance.TOO_FAR, Guidance.NOT_A_CARD])
def test_one_whole_card_is_covered_where_it_lies(guidance: Guidance) -> None:
    done = cover([as_word(one) for one in words_of(guidance)], 500_000, 1280, 720)
    assert done.reason in ("card", "moving")
    assert done.outlines != (WHOLE,)
