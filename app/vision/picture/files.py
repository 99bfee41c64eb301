"""A picture file as pixels: whatever its kind, depth or orientation, or a clear word why not. Memory is bounded.

Pillow decodes, from a short list of formats (none of which starts another program). Nothing is fetched from anywhere.
"""

from __future__ import annotations

import io
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from app.core.errors import BadInput

_KINDS = (
    JpegImagePlugin.JpegImageFile,
    PngImagePlugin.PngImageFile,
    WebPImagePlugin.WebPImageFile,
    BmpImagePlugin.BmpImageFile,
    GifImagePlugin.GifImageFile,
    TiffImagePlugin.TiffImageFile,
)
FORMATS = tuple(kind.format for kind in _KINDS if kind.format)
"""Importing a plug-in makes Pillow know its format; it knows no others than these unless somebody asks it to."""

MOST_BYTES = 400_000_000
MOST_PIXELS = 110_000_000
"""Above this a picture is refused: beside the models it would take more than a gigabyte."""

PLENTY_PIXELS = 16_000_000
"""Above this a picture is made smaller by a whole number: a card's print is long resolved."""

LEAST_SIDE = 16
LONGEST_SIDE = 12
"""Times the shorter side: what is longer and thinner shows no card, and takes gigabytes where it is made larger."""

_STRIP_ROWS = 256
_BROKEN = (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, OverflowError, EOFError, AttributeError)
_BROKEN_PARTS = (struct.error, zlib.error, ZeroDivisionError, MemoryError, Image.DecompressionBombError)
"""What Pillow is known to raise over damaged files, beside OSError."""


@dataclass(frozen=True, slots=True, repr=False)
class PictureFile:
    """`pixels` (height, width, 3) blue green red; one of them is `scale` pixels of the upright picture in the file."""

    pixels: NDArray[np.uint8]
    scale: int


def open_picture(path: Path) -> PictureFile:
    """A picture file, upright as its EXIF data say, its first frame if it is animated, on white if it is transparent.

    Raises BadInput("input.missing" | "input.denied" | "input.is_folder" | "input.not_a_file" | "input.empty" |
    "input.too_large" | "input.too_long" | "input.not_an_image" | "input.truncated").
    """
    size = refuse_unreadable(path)
    if size > MOST_BYTES:
        raise BadInput("input.too_large", f"{path.name}, {size // 1_000_000} MB")
    with _judged(path.name):
        return _decoded(path, path.name)


def open_pages(data: bytes, name: str) -> Iterator[PictureFile]:
    """Every page of a scan that is in memory: a TIFF may hold a whole pile of sheets; one page of any other kind.

    Raises BadInput as `open_picture` does, a later page's when it is asked for.
    """
    if not data:
        raise BadInput("input.empty", name)
    if len(data) > MOST_BYTES:
        raise BadInput("input.too_large", f"{name}, {len(data) // 1_000_000} MB")
    with _judged(name), Image.open(io.BytesIO(data), formats=FORMATS) as image:
        pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
    for page in range(pages):
        with _judged(name):
            found = _decoded(io.BytesIO(data), name, page)
        yield found


@contextmanager
def _judged(name: str) -> Iterator[None]:
    """While a file called `name` is decoded: what Pillow raises over it, as BadInput."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on metadata and size: judged here
        try:
            yield
        except UnidentifiedImageError as error:
            raise BadInput("input.not_an_image", name) from error
        except (*_BROKEN, *_BROKEN_PARTS) as error:
            raise BadInput(_why(error), name) from error


def refuse_unreadable(path: Path) -> int:
    """The bytes of a plain file that may be read. Raises BadInput: input.missing, input.denied, input.is_folder,
    input.not_a_file, input.empty.
    """
    try:
        facts = path.stat()
        if stat.S_ISDIR(facts.st_mode):
            raise BadInput("input.is_folder", path.name)
        if not stat.S_ISREG(facts.st_mode):
            raise BadInput("input.not_a_file", path.name)  # a pipe or device would be waited for
        with path.open("rb"):
            pass
    except PermissionError as error:
        raise BadInput("input.denied", path.name) from error
    except FileNotFoundError as error:
        raise BadInput("input.missing", path.name) from error
    except (OSError, ValueError) as error:  # a loop of links, a name that is none
        raise BadInput("input.not_a_file", path.name) from error
    if facts.st_size == 0:
        raise BadInput("input.empty", path.name)
    return facts.st_size


def _why(error: BaseException) -> str:
    words = str(error).lower()
    if isinstance(error, Image.DecompressionBombError | MemoryError):
        return "input.too_large"
    return "input.truncated" if "truncated" in words or "incomplete" in words else "input.not_an_image"


def _decoded(source: Path | io.BytesIO, name: str, page: int = 0) -> PictureFile:
    longest, image = _loaded(source, name, page)
    scale = max(1, round(longest / max(image.size)))
    ImageOps.exif_transpose(image, in_place=True)
    return PictureFile(_bgr(image), scale)


def _loaded(source: Path | io.BytesIO, name: str, page: int) -> tuple[int, Image.Image]:
    """The longer side in the file, and the picture at a bearable size; what it was made from is let go."""
    with Image.open(source, formats=FORMATS) as image:
        if page:
            image.seek(page)
        width, height = image.size
        if width * height > MOST_PIXELS:
            raise BadInput("input.too_large", f"{name}, {width} x {height} pixels")
        if min(width, height) < LEAST_SIDE:
            raise BadInput("input.not_an_image", f"{name}, {width} x {height} pixels")
        if max(width, height) > LONGEST_SIDE * min(width, height):
            raise BadInput("input.too_long", f"{name}, {width} x {height} pixels, at most {LONGEST_SIDE}:1")
        return max(width, height), _small(image)


def _small(image: Image.Image) -> Image.Image:
    """The decoded first frame, made smaller by a whole number where it is larger than anybody needs."""
    times = 1
    while image.width * image.height > PLENTY_PIXELS * times * times:
        times += 1
    if times == 1:
        image.load()
        return image
    if image.format == "JPEG":
        image.draft(None, (image.width // times, image.height // times))  # decodes at a half, quarter or eighth
        image.load()
        return image if image.width * image.height <= PLENTY_PIXELS else _reduced(image, 2)
    return _reduced(image, times)


def _reduced(image: Image.Image, times: int) -> Image.Image:
    """Made smaller strip by strip: the whole picture is never held twice."""
    exif = image.getexif()
    size = (image.width // times, image.height // times)
    if image.mode in ("P", "PA", "1", "I", "I;16", "I;16B", "I;16L", "F"):
        small = image.resize(size, Image.Resampling.NEAREST)
    else:
        small = Image.new(image.mode, size)
        for top in range(0, size[1], _STRIP_ROWS):
            rows = min(_STRIP_ROWS, size[1] - top)
            strip = image.crop((0, top * times, size[0] * times, (top + rows) * times))
            small.paste(strip.reduce(times), (0, top))
    small.getexif().update(exif)
    small.info = {**image.info}
    return small


def _bgr(image: Image.Image) -> NDArray[np.uint8]:
    """Eight bits a channel, blue green red."""
    if image.mode.startswith(("I", "F")):
        grey = _eight_bits(np.asarray(image))
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode in ("LA", "PA", "RGBA", "RGBa", "La") or "transparency" in image.info:
        clear = image.convert("RGBA")
        image = Image.new("RGBA", clear.size, "white")
        image.alpha_composite(clear)
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])


def _eight_bits(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Deep grey values over the range they use: a 16-bit file may hold 10, 12 or 16 bits."""
    plain = np.nan_to_num(values.astype(np.float32), posinf=0.0, neginf=0.0)
    low, high = min(0.0, float(plain.min())), float(plain.max())
    return np.asarray((plain - low) * (255.0 / max(high - low, 1e-6)), np.uint8)
