"""A field whose views do not agree how many characters it has: which lengths are offered, and what each reads as."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from app.core.cards import FieldState
from app.core.products import DIGITS, Catalogue, FieldPattern
from app.eye.watcher import as_card_read
from app.vision import crops as drawing
from app.vision.conclude import conclude
from app.vision.crops import crops_of
from app.vision.decoding.decode import decode_views
from app.vision.decoding.fuse import Fused, fuse
from app.vision.fields.spots import Spot
from app.vision.lengths import InLength, given_length, in_lengths
from app.vision.look import Look
from app.vision.picture.area import Area
from app.vision.text.recognise import Engine, View
from tests.vision.test_decode import lattice

OPEN = FieldPattern(DIGITS, tuple(range(4, 21)))


def spot(*lattices: np.ndarray) -> Spot:
    views = [View(engine, rows, len(rows)) for rows in lattices for engine in Engine]
    return Spot(Area(0, 0, 160, 20), (0, 160), tuple(views), np.full((20, 160, 3), 200, np.uint8))


def read(spots: Sequence[Spot], pattern: FieldPattern) -> Fused:
    return fuse(given_length(decode_views([v for one in spots for v in one.views], pattern)), pattern)


def lengths_of(one: Spot, pattern: FieldPattern = OPEN) -> tuple[Fused, tuple[InLength, ...]]:
    fused = fuse(decode_views(one.views, pattern), pattern)
    return fused, in_lengths(fused, [one], pattern, read)


def texts(lengths: Sequence[InLength]) -> list[str]:
    return ["".join(c.best.glyph for c in one.whole.chars) for one in lengths]


def half_there(share: float) -> Spot:
    """68531947 with its third character there with this probability."""
    return spot(*[lattice("68531947", {2: {"5": share, " ": 1 - share}})] * 2)


def test_a_character_that_may_be_none_makes_two_readings() -> None:
    fused, lengths = lengths_of(half_there(0.6))
    assert fused.reading.state is FieldState.DOUBTFUL
    assert texts(lengths) == ["68531947", "6831947"]
    assert lengths[0].p > 0.5 > lengths[1].p > 0.3


def test_what_is_clear_once_the_length_is_known_is_sure_in_it() -> None:
    _, (longer, shorter) = lengths_of(half_there(0.6))
    assert all(char.sure for char in shorter.whole.chars)
    assert [i for i, char in enumerate(longer.whole.chars) if not char.sure] in ([], [2])


@pytest.mark.parametrize("share", [1.0, 0.95])
def test_a_length_that_hardly_any_view_sees_is_no_question(share: float) -> None:
    assert lengths_of(half_there(share))[1] == ()


def test_a_product_of_one_length_has_no_other() -> None:
    assert lengths_of(half_there(0.6), FieldPattern(DIGITS, (8,)))[1] == ()


def test_views_of_other_lengths_are_offered_up_to_three() -> None:
    four = spot(*(lattice("68531947"[:n]) for n in (8, 7, 6, 5)))
    _, lengths = lengths_of(four)
    assert len(lengths) == 3
    assert all("68531947".startswith(text) for text in texts(lengths))
    assert [one.p for one in lengths] == sorted((one.p for one in lengths), reverse=True), "the likeliest first"


def test_what_is_sure_is_offered_in_no_other_length() -> None:
    sure = fuse(decode_views(spot(lattice("68531947")).views, OPEN), OPEN)
    assert sure.reading.state is FieldState.READ
    assert in_lengths(sure, [half_there(0.6)], OPEN, read) == ()


def test_the_pictures_show_each_length_s_own_characters_and_the_line() -> None:
    one = spot(*[lattice("68531947", {2: {"5": 0.55, " ": 0.45}, 6: {"4": 0.6, "9": 0.4}})] * 2)
    fused, lengths = lengths_of(one)
    (other,) = [whole for whole in lengths if len(whole.whole.chars) != len(fused.reading.chars)]
    shown = {(crop.position, crop.length) for crop in crops_of("pin", fused, lengths, [one], 0)}
    length = len(fused.reading.chars)
    assert (-1, 0) in shown
    assert {at for at, of in shown if of == length} == set(fused.reading.doubts)
    assert {at for at, of in shown if of not in (0, length)} == set(other.fused.reading.doubts)
    assert (-1, 0) not in {(crop.position, crop.length) for crop in crops_of("pin", fused, (), [one], 0)}


def test_crops_are_drawn_for_who_is_asked_and_for_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []

    def png(picture: np.ndarray) -> bytes:
        drawn.append(picture.shape)
        return b"png"

    monkeypatch.setattr(drawing, "png", png)
    corners = np.array([[0, 0], [160, 0], [160, 100], [0, 100]], np.float32)
    number = spot(*[lattice("6853194768531947", {2: {"5": 0.75, " ": 0.25}})] * 2)
    found = conclude([Look(corners, 1.0, 0.0, (), number=number)], Catalogue())
    assert found.number.state is FieldState.DOUBTFUL
    assert not drawn
    assert [crop.field for crop in as_card_read(found, 0, 0).crops] == ["number"] * len(drawn)
    assert drawn
