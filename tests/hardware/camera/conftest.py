"""Small films for the camera tests, rendered once."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest


def _render(
    path: Path, frames: int, *, width: int = 64, height: int = 48, codec: str = "libx264", pix: str = "yuv420p"
) -> Path:
    """A film at 30 fps whose frame n is grey of level 16 + 3 n."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(
            codec, rate=30, options={"crf": "10", "bf": "2", "g": "10"} if codec == "libx264" else {}
        )
        stream.width, stream.height, stream.pix_fmt = width, height, pix
        for n in range(frames):
            grey = np.full((height, width), 16 + 3 * n % 200, np.uint8)
            picture = av.VideoFrame.from_ndarray(grey, format="gray").reformat(format=pix)
            picture.pts, picture.time_base = n, Fraction(1, 30)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds, 60 frames."""
    return _render(tmp_path_factory.mktemp("film") / "film.mp4", 60)


@pytest.fixture(scope="session")
def render() -> Callable[..., Path]:
    """`_render`, for films that are not the usual one."""
    return _render
