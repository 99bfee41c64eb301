"""What the learner tells of a photograph."""

from __future__ import annotations

import numpy as np
import pytest

from app.core.lessons import CARD_MM, StudiedCard
from app.eye import codec
from app.eye.lessons import _studied


@pytest.mark.parametrize(("width", "height"), [(856, 540), (540, 856)])
def test_a_card_is_told_with_its_size(width: int, height: int) -> None:
    picture = np.full((1000, 1000, 3), 90, np.uint8)
    corners = np.array([[50, 50], [50 + width, 50], [50 + width, 50 + height], [50, 50 + height]], np.float32)
    card = _studied(picture, corners, ())
    assert card.size_mm == (CARD_MM if width > height else (CARD_MM[1], CARD_MM[0]))
    assert codec.as_typed(StudiedCard, codec.as_plain(card)) == card
