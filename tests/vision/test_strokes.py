"""Glyphs that are another one without a stroke that scraping has taken: they are asked about."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.core.products import DIGITS, LATIN, FieldPattern
from app.vision.decoding.decode import decode_views
from app.vision.decoding.fuse import SURE, fuse
from app.vision.text.recognise import Engine, View
from tests.vision.test_decode import lattice


@pytest.mark.parametrize(
    ("ours", "theirs", "sure"),
    [
        ({"J": 0.98, "U": 0.015}, {"J": 0.89, "U": 0.09}, False),  # a trace of the U in both
        ({"J": 0.98, "U": 0.015}, {"J": 0.99, "U": 0.001}, True),  # in ours only
        ({"J": 0.89, "U": 0.1}, {"J": 0.99, "U": 0.001}, False),  # but clear in ours
        ({"J": 0.98, "7": 0.015}, {"J": 0.89, "7": 0.09}, True),  # no J is a seven that lost a stroke
    ],
)
def test_a_glyph_that_may_lack_a_stroke_is_not_sure(
    ours: dict[str, float], theirs: dict[str, float], sure: bool
) -> None:
    """HRTM D5NI JR9U was stated as HRTM D5NI JR9J: scraping had taken the left stroke of the U."""
    pattern = FieldPattern(DIGITS + LATIN, tuple(range(4, 21)))
    rows = lattice("HRTM9J")
    (read,) = decode_views([View(Engine.OWN, rows, len(rows))], pattern)
    views = [replace(read, engine=e, chars=(*read.chars[:5], c)) for e, c in zip(Engine, (theirs, ours), strict=True)]
    reading = fuse(views * 3, pattern).reading
    assert reading.chars[5].best.glyph == "J"
    assert reading.chars[5].sure is sure


@pytest.mark.parametrize("left", "69")
@pytest.mark.parametrize(("zero", "sure"), [((0.21, 0.02, 0.19, 0.06), False), ((0.06, 0.01, 0.06, 0.02), True)])
def test_what_may_be_left_of_a_zero_is_not_sure_where_a_layer_was(
    left: str, zero: tuple[float, ...], sure: bool
) -> None:
    """… 1127 03 was stated as … 1127 63, and … 4067 6413 as … 4967 6413: scraping had taken the upper right side of a
    dotted zero (910410t), and its lower left one (3000067h). A number was never scraped.
    """
    pattern = FieldPattern(DIGITS, tuple(range(4, 21)))
    rows = lattice(f"1127{left}3")
    (read,) = decode_views([View(Engine.OWN, rows, len(rows))], pattern)
    ours = [replace(read, chars=(*read.chars[:4], {left: 1 - p, "0": p}, *read.chars[5:])) for p in zero]
    views = [*ours, *[replace(read, engine=Engine.PPOCR)] * 4]
    reading = fuse(views, pattern).reading
    assert reading.chars[4].best.glyph == left
    assert reading.chars[4].sure is sure
    assert fuse(views, pattern, scraped=False).reading.chars[4].sure
    assert fuse(views, pattern, torn=False).reading.chars[4].sure, "an open panel whose print nobody has scraped"


@pytest.mark.parametrize(("ours", "sure"), [(0.85, False), (0.88, True)])
def test_what_pp_ocr_alone_believes_in_is_not_sure_where_both_together_hardly_do(ours: float, sure: bool) -> None:
    """VKM1 J6M1 6USZ W0MS was stated as … WGMS at 0.989: over-scratched, the zero was a G to PP-OCR (3000241t)."""
    pattern = FieldPattern(DIGITS + LATIN, tuple(range(4, 21)))
    rows = lattice("WGMSK")
    (read,) = decode_views([View(Engine.OWN, rows, len(rows))], pattern)
    own, theirs = ({"G": p, "6": 0.8 * (1 - p), "0": 0.2 * (1 - p)} for p in (ours, 0.987))
    views = [
        replace(read, engine=e, chars=(read.chars[0], c, *read.chars[2:]))
        for e, c in zip((Engine.OWN, Engine.PPOCR), (own, theirs), strict=True)
    ]
    char = fuse(views * 4, pattern).reading.chars[1]
    assert (char.best.glyph, char.best.p > SURE, char.sure) == ("G", True, sure)


@pytest.mark.parametrize(("nine", "sure"), [((0.25, 0.2, 0.1, 0.2), False), ((0.08, 0.02, 0.05, 0.003), True)])
def test_a_seven_that_may_be_what_is_left_of_a_nine_is_not_sure(nine: tuple[float, ...], sure: bool) -> None:
    """… 3565 1987 was stated as … 3565 1787 at 0.9999: PP-OCR saw a 7 throughout, ours a trace of the 9 (6000014h)."""
    pattern = FieldPattern(DIGITS, tuple(range(4, 21)))
    rows = lattice("35651787")
    (read,) = decode_views([View(Engine.OWN, rows, len(rows))], pattern)
    ours = [replace(read, chars=(*read.chars[:5], {"7": 1 - p, "9": p}, *read.chars[6:])) for p in nine]
    reading = fuse([*ours, *[replace(read, engine=Engine.PPOCR)] * 4], pattern).reading
    assert reading.chars[5].best.glyph == "7"
    assert reading.chars[5].sure is sure


@pytest.mark.parametrize(("eight", "sure"), [((0.2, 0.06, 0.12, 0.006), False), ((0.08, 0.02, 0.05, 0.003), True)])
def test_a_two_that_may_be_what_is_left_of_an_eight_is_not_sure(eight: tuple[float, ...], sure: bool) -> None:
    """2726 9818 was stated as 2726 9218 at 0.9999: blur and scraping had taken two strokes of the eight (2020033h)."""
    pattern = FieldPattern(DIGITS, tuple(range(4, 21)))
    rows = lattice("27269218")
    (read,) = decode_views([View(Engine.OWN, rows, len(rows))], pattern)
    ours = [replace(read, chars=(*read.chars[:5], {"2": 1 - p, "8": p}, *read.chars[6:])) for p in eight]
    reading = fuse([*ours, *[replace(read, engine=Engine.PPOCR)] * 4], pattern).reading
    assert reading.chars[5].best.glyph == "2"
    assert reading.chars[5].sure is sure
    others = [candidate.glyph for candidate in reading.chars[5].candidates[1:]]
    assert others[:1] == (
        [] if sure else ["8"]
    )  # what is asked about offers what it may be, however unlikely it seemed


@pytest.mark.parametrize(("torn", "whole"), [("C", "O"), ("F", "E"), ("G", "0")])
def test_what_is_asked_about_offers_what_scraping_may_have_made_it_of(torn: str, whole: str) -> None:
    """Of OCGB A093 … the O was offered as C, G and E only, its right side scraped off (5000392h)."""
    pattern = FieldPattern(DIGITS + LATIN, (8,))
    rows = lattice(f"K7M3{torn}4XA", {4: {torn: 0.6, "Y": 0.4}})
    reading = fuse(decode_views([View(engine, rows, len(rows)) for engine in Engine], pattern), pattern).reading
    assert not reading.chars[4].sure
    assert whole in [candidate.glyph for candidate in reading.chars[4].candidates[:3]]
