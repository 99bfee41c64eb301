"""PINs of whole rendered cards that were left open, or read short, for a reason of their own each."""

from __future__ import annotations

import numpy as np
import pytest

from app.core.cards import FieldState
from app.core.products import Catalogue
from app.eye.oneshot import conclude_picture
from app.rehearsal.pictures import render_card_picture
from app.vision.look import Looker


@pytest.mark.parametrize(
    ("seed", "tier", "was"),
    [
        (970000, "easy", "taken for partly covered: a motif touches the panel's edge"),
        (970017, "easy", "two characters short: the finder saw the second of its groups first"),
        (970056, "typical", "not proved: the card prints its number below bars only, and no label"),
        (6200008, "hard", "in doubt, as others are: an O alone among letters and digits"),
        (970074, "easy", "not seen: pieces of needle print of which nothing was read"),
        (970082, "typical", "pale at its beginning, where the layer leaves no room for more"),
        (3000466, "easy", "not seen: PP-OCR makes ?TY? VW of it, which is no value"),
        (910114, "easy", "not seen: of its line the label was read only, as of small print"),
        (3000190, "easy", "in doubt: an O alone in needle print"),
        (3000388, "easy", "in doubt: three twins, each told, counted as three doubts"),
        (3000228, "typical", "pale at its end, behind which a reflection is over"),
    ],
)
def test_rendered_pins_are_read(looker: Looker, seed: int, tier: str, was: str) -> None:
    picture, labels = render_card_picture(seed, tier)
    found = conclude_picture(np.ascontiguousarray(picture), looker, Catalogue())
    assert found is not None
    assert found.pin.state is FieldState.READ, f"was {was}"
    assert found.pin.secret().reveal() == labels["pin"], f"was {was}"
