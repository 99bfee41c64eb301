"""The reader of whole profiles: small, blurred, turned symbols in both directions; nothing where there is none."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import ean

from app.core.codes import GS
from app.vision.symbols import bars, retail
from app.vision.symbols.barcode import gtin, read_zbar, read_zxing
from app.vision.symbols.barprofile import Decoded
from app.vision.symbols.bars import read_bars
from app.vision.symbols.code128 import as_text, decode_code128
from app.vision.symbols.retail import EAN8, EAN13, decode_retail
from app.vision.symbols.search import search_codes
from app.vision.symbols.stripes import find_strips

KINDS = {
    "EAN13": zxingcpp.BarcodeFormat.EAN13,
    "EAN8": zxingcpp.BarcodeFormat.EAN8,
    "CODE128": zxingcpp.BarcodeFormat.Code128,
}


def modules(text: str, kind: str) -> np.ndarray:
    """One row of the symbol, 255 = space, a module a sample, with ten modules of quiet zone."""
    image = np.array(zxingcpp.write_barcode_to_image(zxingcpp.create_barcode(text, KINDS[kind]), scale=1))
    image = image if image.ndim == 2 else image[..., 0]
    row = image[image.shape[0] // 3]
    bars = np.nonzero(row < 128)[0]
    return np.pad(row[bars[0] : bars[-1] + 1], 10, constant_values=255)


def profile(text: str, kind: str, module_px: float, blur_px: float, noise: float, seed: int = 1) -> np.ndarray:
    row = modules(text, kind)
    fine = np.repeat(row, 40).astype(np.float32)[None]
    line = cv2.resize(fine, (round(len(row) * module_px), 1), interpolation=cv2.INTER_AREA)
    line = cv2.GaussianBlur(line, (0, 0), blur_px) if blur_px else line
    rng = np.random.default_rng(seed)
    return (40 + 0.7 * line[0] + rng.normal(0, noise, line.shape[1])).astype(np.float32)


def picture(text: str, kind: str, module_px: float, turn: float, blur_px: float) -> np.ndarray:
    """The symbol on grey card, turned, blurred and noisy, as a camera sees it."""
    line = profile(text, kind, module_px * 4, 0, 0)
    plate = np.repeat(line[None], round(35 * module_px * 4), 0)
    size = int(1.3 * max(plate.shape)), int(1.3 * max(plate.shape))
    table = np.full(size, 150, np.float32)
    y, x = (size[0] - plate.shape[0]) // 2, (size[1] - plate.shape[1]) // 2
    table[y : y + plate.shape[0], x : x + plate.shape[1]] = plate
    warp = cv2.getRotationMatrix2D((size[1] / 2, size[0] / 2), turn, 1.0)
    table = cv2.warpAffine(table, warp, size, borderValue=150)
    small = cv2.resize(table, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), blur_px)
    noisy = small + np.random.default_rng(3).normal(0, 3, small.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


bodies = st.text("0123456789", min_size=12, max_size=12)


@settings(max_examples=25, deadline=None)
@given(bodies, st.floats(1.3, 5.0), st.booleans())
def test_every_ean13_is_read_in_either_direction(body: str, module_px: float, turned: bool) -> None:
    text = body + ean.calc_check_digit(body)
    line = profile(text, "EAN13", module_px, 0.4 * module_px, 4.0)
    found = decode_retail(line[::-1] if turned else line, 95 * module_px * 1.03, EAN13)
    assert found is not None
    assert found.text == text
    assert found.lead > 10


@settings(max_examples=15, deadline=None)
@given(st.text("0123456789", min_size=7, max_size=7))
def test_every_ean8_is_read(body: str) -> None:
    text = body + ean.calc_check_digit(body)
    found = decode_retail(profile(text, "EAN8", 2.0, 0.8, 4.0), 67 * 2.0, EAN8)
    assert found is not None
    assert found.text == text


@settings(max_examples=25, deadline=None)
@given(
    st.one_of(st.text("0123456789", min_size=12, max_size=24), st.from_regex(r"\A[A-Za-z0-9 /+.-]{4,14}\Z")),
    st.floats(1.4, 5.0),
    st.booleans(),
)
def test_every_code_128_is_read_in_either_direction(text: str, module_px: float, turned: bool) -> None:
    line = profile(text, "CODE128", module_px, 0.35 * module_px, 4.0)
    width = (len(modules(text, "CODE128")) - 20) * module_px
    found = decode_code128(line[::-1] if turned else line, width * 1.03)
    assert found is not None
    assert found.text == text


def test_code_128_changes_sets_and_marks_fnc1() -> None:
    assert as_text(2, [12, 34, 100, 33]) == "1234A"
    assert as_text(1, [33, 99, 56, 78]) == "A5678"
    assert as_text(1, [98, 65, 65]) == "\x01a"
    assert as_text(2, [102, 1, 6]) == f"{GS}0106"
    assert as_text(0, [97]) is None


@pytest.mark.parametrize("turn", [0, 17, 90, 200])
@pytest.mark.parametrize(("text", "kind"), [("6924985861422", "EAN13"), ("7001234567890123", "CODE128")])
def test_a_turned_symbol_is_found_and_read_twice(text: str, kind: str, turn: int) -> None:
    hits = read_bars(picture(text, kind, 2.2, turn, 0.8), "raw")
    assert {(h.format, h.text) for h in hits} == {(kind, text)}
    assert {h.source for h in hits} == {"bars raw", "bars-again raw"}


def test_what_edges_cannot_give_the_whole_profile_does() -> None:
    """1.6 pixels a module, blurred by one pixel: the reason this reader is there."""
    shade = picture("6924985861422", "EAN13", 1.6, 8, 1.0)
    assert gtin(read_zxing(shade, "raw") + read_zbar(shade, "raw")) is None
    assert gtin(search_codes(shade)) == "06924985861422"


def test_a_upca_has_twelve_digits() -> None:
    hits = read_bars(picture("0029431286845", "EAN13", 2.5, 3, 0.6), "raw")
    assert {(h.format, h.text) for h in hits} == {("UPCA", "029431286845")}


def test_the_long_rim_of_a_card_is_no_strip() -> None:
    shade = np.full((700, 500), 200, np.uint8)
    shade[:, 200:206] = shade[:, 214:220] = shade[:, 228:236] = 30
    shade[:, 244:250] = 30
    assert find_strips(shade) == ()


@pytest.mark.parametrize("seed", range(4))
def test_print_that_is_no_symbol_is_given_up_early(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[float] = []
    monkeypatch.setattr(retail, "_finer", lambda rough, kind: drawn.append(rough.cost) or rough)
    noise = np.random.default_rng(seed).normal(128, 60, 500).astype(np.float32)
    assert decode_retail(noise, 400.0, EAN13) is None
    assert not drawn


def test_symbols_that_are_known_are_not_read_again() -> None:
    shade = picture("6924985861422", "EAN13", 3, 5, 0.5)
    known = read_zxing(shade, "raw")
    assert known
    assert read_bars(shade, "raw", known) == []


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1 << 30), st.floats(1.0, 6.0))
def test_random_bars_are_no_symbol(seed: int, module_px: float) -> None:
    rng = np.random.default_rng(seed)
    row = np.repeat((rng.random(115) > 0.5) * 200.0, 40).astype(np.float32)[None]
    line = cv2.resize(row, (round(115 * module_px), 1), interpolation=cv2.INTER_AREA)
    plate = np.repeat(line, 60, 0) + rng.normal(0, 3, (60, line.shape[1]))
    shade = np.pad(np.clip(plate + 30, 0, 255).astype(np.uint8), 40, constant_values=230)
    assert read_bars(shade, "raw") == []


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_nothing_stands_on_an_even_picture(shade: int) -> None:
    assert find_strips(np.full((300, 400), shade, np.uint8)) == ()
    assert search_codes(np.full((300, 400), shade, np.uint8)) == []


@pytest.mark.parametrize("size", [(16, 16), (16, 4000), (4000, 16), (17, 300)])
def test_odd_sizes_are_borne(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(2).integers(0, 255, size, np.uint8)
    assert gtin(search_codes(noise)) is None


@pytest.mark.parametrize("module_px", [1.3, 1.5, 2.0])
@pytest.mark.parametrize("text", ["6982608961867", "6925253147767", "0029431286845"])
def test_blurred_narrow_bars_do_not_pass_for_black_ones(text: str, module_px: float) -> None:
    """Evened over two characters only, grey stretches of narrow bars became as black as wide ones."""
    found = decode_retail(profile(text, "EAN13", module_px, 0.8 * module_px, 2.0), 95 * module_px * 1.02, EAN13)
    assert found is not None
    assert found.text == text
    assert found.lead > 10


def test_a_fall_of_light_across_a_symbol_is_evened_out() -> None:
    line = profile("6982608961867", "EAN13", 2.0, 1.0, 2.0)
    dimmed = line * np.linspace(1.0, 0.45, len(line), dtype=np.float32)
    found = decode_retail(dimmed, 95 * 2.0 * 1.02, EAN13)
    assert found is not None
    assert (found.text, found.lead > 10) == ("6982608961867", True)


@pytest.mark.parametrize(
    ("kind", "one", "other", "decoder", "count"),
    [
        ("EAN13", "6901234567892", "4006381333931", decode_retail, 95),
        ("CODE128", "31075625584645", "20864197532086", decode_code128, 112),
    ],
)
def test_a_second_reading_says_what_stands_in_its_own_part_of_the_bars(
    kind: str, one: str, other: str, decoder: Callable[..., Decoded | None], count: int
) -> None:
    """The drawing is that of the first reading, the text is not: a part that shows another code contradicts it."""
    found = decoder(profile(one, kind, 3.0, 1.0, 2.0), count * 3.0)
    assert found is not None
    assert found.is_plain
    assert found.text == one
    same = found.again(profile(one, kind, 3.0, 1.0, 4.0, seed=7))
    assert same is not None
    assert same.text == one
    assert same.free
    another = found.again(profile(other, kind, 3.0, 1.0, 4.0, seed=7))
    assert another is not None
    assert another.text == other
    assert found.again(np.full(400, 90, np.float32)) is None


def test_a_plain_code_128_is_read_before_a_doubtful_ean_13_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []

    def doubtful(shown: np.ndarray, width: float, *_: object, **__: object) -> Decoded:
        looks.append(width)
        return Decoded("6900000000007", 0.13, 3.0, False, lambda _: None)

    monkeypatch.setattr(bars, "decode_retail", doubtful)
    hits = read_bars(picture("1698269140655", "CODE128", 2.2, 0.0, 0.8), "t")
    assert {(h.format, h.text, h.source) for h in hits} == {
        ("CODE128", "1698269140655", "bars t"),
        ("CODE128", "1698269140655", "bars-again t"),
    }
    assert len(looks) == 1, "neither its halves nor in other light"
