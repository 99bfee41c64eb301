"""What is covered for every way the eye can speak or be silent, and that painting leaves nothing of what lay below."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.cards import Quad, Zone
from app.core.hiding import secret_zones
from app.core.products import FieldPattern, Product
from app.evidence.mask import CLEAR, Word, cover, paint, rounded
from app.frames import split_planes

W, H = 640, 480
CARD: Quad = ((100, 100), (400, 100), (400, 290), (100, 290))
PIN: Quad = ((150, 200), (300, 200), (300, 230), (150, 230))
WHOLE = ((0, 0), (W, 0), (W, H), (0, H))


def shifted(quad: Quad, by: float) -> Quad:
    a, b, c, d = ((x + by, y) for x, y in quad)
    return a, b, c, d


def words(*made: tuple[int, Quad | None], hide: tuple[Quad, ...] = (PIN,), calm: bool = True) -> list[Word]:
    return [Word(at * 1000, card, card is None, calm, hide if card else ()) for at, card in made]


def test_a_card_that_lies_still_shows_all_but_its_fields() -> None:
    done = cover(words((0, CARD), (100, CARD), (2000, None)), 50_000, W, H)
    assert done.reason == "fields"
    assert len(done.outlines) == 1
    left, top, *_ = rounded(done.outlines[0])
    assert left < 150
    assert top < 200


def test_fields_that_become_known_later_hold_for_the_frames_before() -> None:
    said = [*words((0, CARD), hide=()), *words((900, CARD))]
    assert cover(said, 450_000, W, H).reason == "fields"
    assert cover(words((0, CARD), (900, CARD), hide=()), 450_000, W, H).reason == "card"


@pytest.mark.parametrize(
    ("said", "at_ms", "reason"),
    [
        (words((0, CARD), (100, shifted(CARD, 60))), 50, "moving"),
        (words((0, CARD), (100, CARD), calm=False), 50, "moving"),
        ([*words((0, CARD), (100, CARD), calm=False), *words((400, None))], 50, "passing"),  # on its way out
        (words((0, None), (100, CARD)), 50, "passing"),
        (words((0, CARD), (100, None)), 50, "passing"),
        (words((0, CARD), (100, None), (200, None), (300, None)), 250, "passing"),  # it left a moment ago
        (words((0, None), (100, None), (300, CARD)), 50, "passing"),  # it will be there in a moment
        ([Word(0, None, False, False), Word(100_000, None, False, False)], 50, "unclear"),
        (words((0, CARD)), 900, "silent"),
        (words((0, CARD), (3000, CARD)), 1500, "silent"),
        (words((0, None)), 900, "silent"),
        (words((0, None), (501, None)), 10, "silent"),  # time enough to bring a card and take it away
        (words((0, None), (1200, None)), 600, "silent"),
        ([], 0, "silent"),
    ],
)
def test_unsure_is_larger(said: list[Word], at_ms: int, reason: str) -> None:
    done = cover(said, at_ms * 1000, W, H)
    assert done.reason == reason
    planes = np.zeros(W * H * 3 // 2, np.uint8)
    paint(planes, W, H, done.outlines)
    y = split_planes(planes, W, H)[0]
    assert (y[100:290, 100:400] > 0).all()  # at least where the card was


@pytest.mark.parametrize("calm", [True, False])
def test_where_nobody_has_looked_since_nothing_is_shown(calm: bool) -> None:
    """The last card's place was covered, and beside it lay in full view the one that had come meanwhile."""
    for at_us in (*([] if calm else [100_000]), 200_000, 400_000, 1_200_000):
        done = cover(words((0, CARD), calm=calm), at_us, W, H)
        assert (done.reason, done.outlines) == ("silent", (((0, 0), (W, 0), (W, H), (0, H)),))


def test_an_empty_table_is_shown() -> None:
    assert cover(words(*((at, None) for at in range(0, 3000, 66))), 1_500_000, W, H) is CLEAR


def test_the_mat_may_be_smaller_than_the_picture() -> None:
    mat: Quad = ((50, 50), (600, 50), (600, 450), (50, 450))
    assert cover([], 0, W, H, mat).outlines == (mat,)


corner = st.tuples(st.floats(-50, W + 50), st.floats(-50, H + 50))


@given(x=st.floats(-20, 500), y=st.floats(-20, 400), w=st.floats(4, 200), h=st.floats(4, 150), turn=st.floats(0, 6.3))
def test_painting_covers_every_pixel_inside(x: float, y: float, w: float, h: float, turn: float) -> None:
    cos, sin = np.cos(turn), np.sin(turn)
    corners = [(x + cos * a - sin * b, y + sin * a + cos * b) for a, b in ((0, 0), (w, 0), (w, h), (0, h))]
    planes = np.full(W * H * 3 // 2, 255, np.uint8)
    paint(planes, W, H, [tuple(corners)])
    luma, u, _ = split_planes(planes, W, H)
    rows, columns = np.mgrid[0:H, 0:W] + 0.5
    inside = np.ones((H, W), bool)
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        inside &= (x1 - x0) * (rows - y0) - (y1 - y0) * (columns - x0) >= 0
    assert (luma[inside] == 40).all()
    assert (u[inside[::2, ::2] & inside[1::2, 1::2]] == 118).all()
    far = np.ones((H, W), bool)
    xs, ys = [c[0] for c in corners], [c[1] for c in corners]
    far[max(0, int(min(ys)) - 2) : max(0, int(max(ys)) + 3), max(0, int(min(xs)) - 2) : max(0, int(max(xs)) + 3)] = (
        False
    )
    assert (luma[far] == 255).all()


@given(
    st.lists(st.tuples(st.integers(0, 4000), st.none() | st.just(CARD) | st.just(shifted(CARD, 90)))),
    st.integers(0, 4_000_000),
)
def test_whatever_was_said_a_seen_card_is_never_shown_bare(said: list[tuple[int, Quad | None]], at_us: int) -> None:
    told = words(*sorted(said, key=lambda one: one[0]), hide=())
    done = cover(told, at_us, W, H)
    near = [word for word in told if abs(word.frame_us - at_us) <= 300_000 and word.card]
    assert not near or done.outlines


def zone(kind: str, at: float) -> Zone:
    return Zone(kind, shifted(PIN, at), True)


def product(pin: bool) -> Product:
    pattern = FieldPattern("0123456789", (16,))
    return Product("p", "某卡", "some card", "", frozenset(), pattern, pattern if pin else None)


def test_what_is_secret_depends_on_the_product() -> None:
    number, bar, pin, panel, expiry = (
        zone(k, n) for n, k in enumerate(("number", "barcode", "pin", "panel", "expiry"))
    )
    found = (number, bar, pin, panel, expiry)
    assert secret_zones(found, product(pin=True)) == (pin.quad, panel.quad)
    assert secret_zones(found, product(pin=False)) == (number.quad, bar.quad)
    assert secret_zones(found, None) == (number.quad, bar.quad, pin.quad, panel.quad)
    assert secret_zones((number, bar), product(pin=True)) == ()  # the PIN is somewhere: cover the whole card
    assert secret_zones((pin, panel), None) == ()
    assert secret_zones((bar,), product(pin=False)) == ()
