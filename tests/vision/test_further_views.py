"""Doubtful characters of a PIN looked at once more: what further views may settle, and what they may not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from app.core.cards import FieldState
from app.core.products import DIGITS, LATIN, Catalogue, FieldPattern
from app.eye.oneshot import conclude_picture
from app.rehearsal.pictures import render_card_picture
from app.vision.decoding.decode import Decoded, decode_views
from app.vision.decoding.fuse import fuse
from app.vision.look import Looker
from app.vision.text.recognise import Engine, View
from tests.vision.test_decode import lattice

PATTERN = FieldPattern(DIGITS + LATIN, tuple(range(4, 21)))
LOW = {"K": 0.85, "M": 0.14}
CLEAR = {"K": 0.99, "M": 0.001}


def view(text: str, at: dict[int, dict[str, float]] | None = None, engine: Engine = Engine.OWN) -> Decoded:
    """A reading of `text`, the chances at some positions given."""
    rows = lattice(text)
    (read,) = decode_views([View(engine, rows, len(rows))], PATTERN)
    return replace(read, chars=tuple((at or {}).get(i, chances) for i, chances in enumerate(read.chars)))


def both(at: dict[int, dict[str, float]]) -> list[Decoded]:
    return [view("84KCCYPD", at, engine) for engine in Engine] * 4


@pytest.mark.parametrize(
    ("further", "state"),
    [
        ([], FieldState.DOUBTFUL),
        ([view("84KCCYPD", {2: CLEAR})] * 5, FieldState.READ),
        ([view("84KCCYPD", {2: CLEAR})] * 4 + [view("84KCCYPD", {2: {"M": 0.6, "K": 0.4}})], FieldState.DOUBTFUL),
        ([view("84KCCYPD", {2: {"K": 0.75, "M": 0.24}})] * 5, FieldState.DOUBTFUL),
        ([view("84KCCYPD", {2: CLEAR})] * 4 + [view("84KCCYP", {2: CLEAR})], FieldState.DOUBTFUL),
    ],
)
def test_an_unlikely_character_is_sure_where_every_further_view_reads_it(
    further: Sequence[Decoded], state: FieldState
) -> None:
    assert fuse(both({2: LOW}), PATTERN, further=further).reading.state is state


@pytest.mark.parametrize(("doubt", "state"), [(0.14, FieldState.READ), (0.38, FieldState.DOUBTFUL)])
def test_what_is_too_unlikely_at_first_stays_doubtful(doubt: float, state: FieldState) -> None:
    """61085992 was stated as 61083992: of the torn 5 all further views read a 3 of 0.85 (8000431h)."""
    views = both({2: {"K": 0.99 - doubt, "M": doubt}})
    assert fuse(views, PATTERN, further=[view("84KCCYPD", {2: CLEAR})] * 5).reading.state is state


def test_what_the_views_dispute_is_settled_by_no_further_view() -> None:
    """283315515692988873 was read with a six for its second five by all views; only a one they disputed left it open
    (5000322h).
    """
    views = [view("84KCCYPD", {2: {"K": 0.97, "M": 0.02}})] * 4 + [view("84KCCYPD", engine=Engine.PPOCR)]
    views += [view("84KCCYPD", {2: {"M": 0.7, "K": 0.29}}, Engine.PPOCR)] * 3
    first = fuse(views, PATTERN).reading
    assert first.chars[2].best.p >= 0.98
    assert not first.chars[2].sure
    further = [view("84KCCYPD", {2: CLEAR})] * 5
    assert fuse(views, PATTERN, further=further).reading.state is FieldState.DOUBTFUL


@pytest.mark.parametrize(
    ("trace", "torn", "state"),
    [(0.1, True, FieldState.DOUBTFUL), (0.1, False, FieldState.READ), (0.0, True, FieldState.READ)],
)
def test_nor_is_what_may_lack_a_stroke_where_the_print_was_scraped(trace: float, torn: bool, state: FieldState) -> None:
    """HRTM D5NI JR9U XBK3 6K: of the U that scraping made a J all further views read the J (997016h)."""
    views = both({2: {"J": 0.85, "U": trace, "X": 0.14 - trace}})
    further = [view("84KCCYPD", {2: {"J": 0.99}})] * 5
    assert fuse(views, PATTERN, further=further, torn=torn).reading.state is state


def test_glyphs_that_print_alike_are_left_to_their_judge() -> None:
    views = [view("84K0CYPD", engine=engine) for engine in Engine] * 4
    reading = fuse(views, PATTERN, further=[view("84K0CYPD")] * 5).reading
    assert [at for at, char in enumerate(reading.chars) if not char.sure] == [3]


@pytest.mark.parametrize("seed", [12000032, 12000604])
def test_blurred_pins_are_read_by_further_views(looker: Looker, seed: int) -> None:
    picture, labels = render_card_picture(seed, "hard")
    found = conclude_picture(np.ascontiguousarray(picture), looker, Catalogue())
    assert found is not None
    assert found.pin.state is FieldState.READ
    assert found.pin.secret().reveal() == labels["pin"]
