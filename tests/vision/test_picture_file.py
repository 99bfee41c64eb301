"""Picture files of every make: read right, or refused with a word that says why; never a crash, never the network."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from app.core.errors import BadInput
from app.vision.picture.files import MOST_PIXELS, PLENTY_PIXELS, open_pages, open_picture
from tests.memory import forget_peak_kib, peak_kib

W, H = 60, 40
RED, BLUE = (220, 30, 20), (20, 30, 220)


def halves(mode: str = "RGB") -> Image.Image:
    """Red on the left, blue on the right."""
    picture = Image.new("RGB", (W, H), RED)
    picture.paste(BLUE, (W // 2, 0, W, H))
    return picture.convert(mode)


def saved(folder: Path, picture: Image.Image, name: str, **how: object) -> Path:
    path = folder / name
    picture.save(path, **how)
    return path


def looks_like_halves(pixels: np.ndarray) -> bool:
    left, right = pixels[H // 2, 5].astype(int), pixels[H // 2, W - 5].astype(int)
    return pixels.shape == (H, W, 3) and left[2] > 150 > 100 > left[0] and right[0] > 150 > 100 > right[2]


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("RGB", "a.png"),
        ("RGBA", "a.png"),
        ("P", "a.png"),
        ("RGB", "a.jpg"),
        ("CMYK", "a.jpg"),
        ("RGB", "a.bmp"),
        ("RGB", "a.tiff"),
        ("CMYK", "a.tiff"),
        ("P", "a.gif"),
        ("RGB", "a.webp"),
        ("RGBA", "a.webp"),
    ],
)
def test_colour_survives_every_kind_of_file(tmp_path: Path, mode: str, name: str) -> None:
    file = open_picture(saved(tmp_path, halves(mode), name))
    assert file.pixels.dtype == np.uint8
    assert file.scale == 1
    assert looks_like_halves(file.pixels)


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_of_an_animation_the_first_frame_is_read(tmp_path: Path, name: str) -> None:
    other = Image.new("RGB", (W, H), (0, 255, 0))
    path = saved(tmp_path, halves(), name, save_all=True, append_images=[other, other], duration=50)
    assert looks_like_halves(open_picture(path).pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_stands_upright(tmp_path: Path, orientation: int) -> None:
    stored = {
        1: lambda p: p,
        2: lambda p: p.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: lambda p: p.transpose(Image.Transpose.ROTATE_180),
        4: lambda p: p.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: lambda p: p.transpose(Image.Transpose.TRANSPOSE),
        6: lambda p: p.transpose(Image.Transpose.ROTATE_90),
        7: lambda p: p.transpose(Image.Transpose.TRANSVERSE),
        8: lambda p: p.transpose(Image.Transpose.ROTATE_270),
    }[orientation](halves())
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, stored, "a.jpg", exif=exif, quality=95)
    assert looks_like_halves(open_picture(path).pixels)


def test_grey_pictures_and_what_is_transparent(tmp_path: Path) -> None:
    grey = open_picture(saved(tmp_path, Image.new("L", (W, H), 90), "l.png")).pixels
    assert grey.shape == (H, W, 3)
    assert np.unique(grey).tolist() == [90]
    clear = open_picture(saved(tmp_path, Image.new("LA", (W, H), (0, 0)), "la.png")).pixels
    assert np.unique(clear).tolist() == [255]
    assert np.unique(open_picture(saved(tmp_path, Image.new("1", (W, H), 1), "1.png")).pixels).tolist() == [255]


@pytest.mark.parametrize("top", [1023, 4095, 65535])
def test_deep_grey_is_read_over_the_range_it_uses(tmp_path: Path, top: int) -> None:
    ramp = np.linspace(0, top, W).astype(np.uint16)[None].repeat(H, 0)
    pixels = open_picture(saved(tmp_path, Image.fromarray(ramp), "deep.png")).pixels
    assert pixels[0, 0, 0] == 0
    assert pixels[0, -1, 0] == 255
    assert np.all(np.diff(pixels[0, :, 0].astype(int)) >= 0)


def test_all_black_is_a_picture(tmp_path: Path) -> None:
    assert open_picture(saved(tmp_path, Image.new("RGB", (W, H)), "black.png")).pixels.max() == 0
    black = Image.fromarray(np.zeros((H, W), np.uint16))
    assert open_picture(saved(tmp_path, black, "black16.png")).pixels.max() == 0


def code_of(path: Path) -> str:
    with pytest.raises(BadInput) as caught:
        open_picture(path)
    assert path.name in caught.value.detail
    return caught.value.code


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "words.jpg").write_text("roses are red\n" * 40)
    (tmp_path / "page.svg").write_text("<svg/>")
    (tmp_path / "drawing.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 90 90\n")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.png")
    saved(tmp_path, Image.new("RGB", (8, 200)), "sliver.png")
    expected = {
        "empty.png": "input.empty",
        "words.jpg": "input.not_an_image",
        "page.svg": "input.not_an_image",
        "drawing.eps": "input.not_an_image",
        "loop.png": "input.not_a_file",
        "dangling.png": "input.missing",
        "gone.png": "input.missing",
        "pipe.png": "input.not_a_file",
        "sliver.png": "input.not_an_image",
    }
    assert {name: code_of(tmp_path / name) for name in expected} == expected
    assert code_of(tmp_path) == "input.is_folder"


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = saved(tmp_path, halves(), "locked.png")
    path.chmod(0)
    if os.geteuid() != 0:
        assert code_of(path) == "input.denied"
        return
    os.seteuid(65534)  # to the superuser nothing is closed
    try:
        assert code_of(path) == "input.denied"
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.gif", "a.webp", "a.bmp", "a.tiff"])
def test_half_a_file_is_not_read_as_a_picture(tmp_path: Path, name: str) -> None:
    noise = Image.fromarray(np.random.default_rng(5).integers(0, 255, (200, 200, 3), np.uint8))
    path = saved(tmp_path, noise, name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert code_of(path) in ("input.truncated", "input.not_an_image")


def test_too_many_pixels_are_refused_by_the_header_alone(tmp_path: Path) -> None:
    side = int(MOST_PIXELS**0.5) + 50
    path = saved(tmp_path, Image.new("1", (side, side)), "vast.png")
    assert code_of(path) == "input.too_large"


@pytest.mark.parametrize("size", [(17, 60_000), (60_000, 17), (20, 4000), (8000, 100), (20, 241)])
def test_what_is_too_long_and_thin_for_a_card_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    """A file of 3 KB took all memory when it was made as wide as others."""
    path = saved(tmp_path, Image.new("L", size), "thin.png")
    assert code_of(path) == "input.too_long"
    with pytest.raises(BadInput, match="too_long"):
        list(open_pages(path.read_bytes(), path.name))
    assert open_picture(saved(tmp_path, Image.new("L", (20, 240)), "long.png")).pixels.shape[:2] == (240, 20)


def test_a_large_picture_is_made_smaller(tmp_path: Path) -> None:
    width, height = 6000, 4000
    assert width * height > PLENTY_PIXELS
    picture = Image.new("RGB", (width, height), RED)
    picture.paste(BLUE, (width // 2, 0, width, height))
    for name in ("a.png", "a.jpg"):
        file = open_picture(saved(tmp_path, picture, name))
        assert file.pixels.shape == (height // 2, width // 2, 3)
        assert file.scale == 2
        assert file.pixels[5, 5].argmax() == 2


_HUNDRED_MEGAPIXELS = """
import sys
from pathlib import Path
from app.vision.picture.files import open_picture
from tests.memory import forget_peak_kib, peak_kib
from tests.memory import peak_kib
file = open_picture(Path(sys.argv[1]))
print(file.pixels.shape[0] * file.scale, peak_kib())
"""


def test_a_hundred_megapixels_take_little_more_than_a_gigabyte_with_all_models(tmp_path: Path) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    path = saved(tmp_path, Image.new("RGBA", (11600, 8700), (9, 9, 9, 255)), "huge.png", compress_level=1)
    done = subprocess.run(
        [sys.executable, "-c", _HUNDRED_MEGAPIXELS, str(path)], capture_output=True, text=True, check=True
    )
    rows, peak_kib = map(int, done.stdout.split())
    assert rows == 8700
    assert peak_kib < 1_300_000  # 0.53 GB for the picture, the rest for libraries and models
    assert limit == Image.MAX_IMAGE_PIXELS


# Fuzz: real files, damaged


def specimens() -> list[bytes]:
    found = []
    for mode, kind in (
        ("RGB", "JPEG"),
        ("RGBA", "PNG"),
        ("P", "GIF"),
        ("RGB", "WEBP"),
        ("RGB", "BMP"),
        ("CMYK", "TIFF"),
    ):
        data = io.BytesIO()
        exif = Image.Exif()
        exif[0x0112] = 6
        halves(mode).save(data, kind, **({"exif": exif} if kind in ("JPEG", "WEBP", "PNG") else {}))
        found.append(data.getvalue())
    return found


SPECIMENS = specimens()
edits = st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=12)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(SPECIMENS), edits, st.integers(0, 3), st.integers(1, 1 << 16))
def test_damaged_files_give_a_picture_or_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, changes: list[tuple[int, int]], how: int, at: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a network look-up")

    monkeypatch.setattr(socket, "socket", refuse)
    damaged = bytearray(data)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    cut = at % len(damaged)
    damaged = {0: damaged, 1: damaged[:cut], 2: damaged[cut:], 3: damaged + damaged[cut:]}[how]
    path = tmp_path / "damaged.bin"
    path.write_bytes(damaged)
    before = forget_peak_kib()
    assert opened_or_refused(path)
    assert peak_kib() - before < 1_000_000


def opened_or_refused(path: Path) -> bool:
    """Whether a file gives a picture of bearable size, or a code of its own."""
    try:
        pixels = open_picture(path).pixels
    except BadInput as word:
        return word.code.startswith("input.")
    return pixels.ndim == 3 and pixels.shape[0] * pixels.shape[1] <= 2 * PLENTY_PIXELS


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"BM"]),
)
def test_noise_is_no_picture(tmp_path: Path, noise: bytes, head: bytes) -> None:
    path = tmp_path / "noise.bin"
    path.write_bytes(head + noise)
    assert opened_or_refused(path)


def packed(first: Image.Image, *others: Image.Image, kind: str) -> bytes:
    out = io.BytesIO()
    first.save(out, kind, **({"save_all": True, "append_images": list(others)} if others else {}))
    return out.getvalue()


def test_every_page_of_a_scan_is_read() -> None:
    pages = list(open_pages(packed(halves(), halves("L"), halves().rotate(180), kind="TIFF"), "pile.tif"))
    assert looks_like_halves(pages[0].pixels)
    assert len({tuple(page.pixels[H // 2, 5]) for page in pages}) == 3


@pytest.mark.parametrize("kind", ["PNG", "GIF", "JPEG"])
def test_only_a_tiff_holds_more_than_one_page(kind: str) -> None:
    others = [] if kind == "JPEG" else [halves().rotate(180)]
    assert len(list(open_pages(packed(halves(), *others, kind=kind), "one"))) == 1


def test_a_page_that_is_cut_short_is_told_when_it_is_reached() -> None:
    noise = [Image.fromarray(np.random.default_rng(n).integers(0, 255, (H, W, 3), np.uint8)) for n in range(2)]
    whole = packed(*noise, kind="TIFF")
    with pytest.raises(BadInput, match="input"):
        list(open_pages(whole[: len(whole) * 3 // 4], "pile.tif"))


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_scan(data: bytes) -> None:
    with pytest.raises(BadInput, match="input"):
        list(open_pages(data, "x.png"))


def test_a_scan_of_too_many_pixels_is_refused_by_its_header() -> None:
    side = 1 + int(MOST_PIXELS**0.5)
    data = packed(Image.new("1", (side, side)), kind="PNG")
    before = forget_peak_kib()
    with pytest.raises(BadInput, match=r"input\.too_large"):
        list(open_pages(data, "x.png"))
    assert peak_kib() - before < 50_000
