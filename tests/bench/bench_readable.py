"""Does a card number that can be read before the encoder stay readable behind it? x264 as the recorder sets it.

    CARDINTAKE_BENCH_PART=1 python -m tests.bench readable       fifteen cards, each bright, pale and dim

Rendered cards under the camera, once as they are, once with a third of their contrast, once dim with a dim camera's
noise. `before`: numbers that are read right from the planes that go into the encoder; `after`: of those, how many are
read right from the last frame of a second in which nothing but the noise changes. Another crf (26) beside it shows what
the setting is worth.
"""

from __future__ import annotations

import io
import json
from typing import Any

import av
import cv2
import numpy as np

from app.core.products import Catalogue
from app.eye.oneshot import conclude_picture, make_looker
from app.frames import Plane
from app.recorder import encoder as encoding
from app.rehearsal.pictures import render_card_picture
from app.vision.look import Looker
from app.vision.picture.pixels import Colour
from tests.bench.sizes import share

_FRAMES = 30
_SEEDS = 7100  # no cards that anything was trained on
_SCENES = {"bright": (1.0, 0.0, 1.5), "pale": (0.33, 110.0, 1.5), "dim": (0.35, 8.0, 3.0)}
"""Of the luma: how much of it, how much more, and the noise."""


def planes_of(picture: Colour, scene: str, n: int) -> Plane:
    """One frame of the scene as YUV 4:2:0 planes."""
    gain, lift, noise = _SCENES[scene]
    frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format="yuv420p")
    planes = frame.to_ndarray().reshape(-1).copy()
    luma = planes[: picture.shape[0] * picture.shape[1]]
    grain = np.random.default_rng(n).normal(0, noise, luma.size)
    luma[:] = np.clip(luma * gain + lift + grain, 16, 235).astype(np.uint8)
    return planes


def shown(planes: Plane, width: int, height: int) -> Colour:
    """Planes as the picture that the eye, or a reviewer's player, gets."""
    return np.asarray(cv2.cvtColor(planes.reshape(height * 3 // 2, width), cv2.COLOR_YUV2BGR_I420), np.uint8)


def encoded(frames: list[Plane], width: int, height: int, crf: str) -> Plane:
    """The last frame as it comes out of the recorder's encoder with this crf."""
    before = dict(encoding._X264)
    encoding._X264["crf"] = crf
    try:
        made = encoding.PartEncoder(width, height)
        pieces = [piece for n, one in enumerate(frames) for piece in made.encode(one.copy(), n * 33_333)]
        pieces += made.finish()
    finally:
        encoding._X264.update(before)
    with av.open(io.BytesIO(b"".join(piece.data for piece in pieces))) as film:
        last = list(film.decode(video=0))[-1]
        return np.asarray(last.to_ndarray(format="yuv420p").reshape(-1))


def number_in(picture: Colour, looker: Looker, catalogue: Catalogue) -> str:
    """The number as it was read, "" where it was not."""
    found = conclude_picture(picture, looker, catalogue)
    return "" if found is None else "".join(char.best.glyph for char in found.number.chars)


def scene_figures(name: str, count: int, looker: Looker, catalogue: Catalogue) -> dict[str, int]:
    """How many numbers are read before the encoder, and of these behind it."""
    told = {"cards": count, "before": 0, "after_crf_23": 0, "after_crf_26": 0}
    for seed in range(_SEEDS, _SEEDS + count):
        picture, labels = render_card_picture(seed, "easy")
        height, width = picture.shape[:2]
        frames = [planes_of(picture, name, n) for n in range(_FRAMES)]
        true = str(labels["number"])
        if number_in(shown(frames[-1], width, height), looker, catalogue) != true:
            continue
        told["before"] += 1
        for crf in ("23", "26"):
            after = shown(encoded(frames, width, height, crf), width, height)
            told[f"after_crf_{crf}"] += number_in(after, looker, catalogue) == true
    return told


def main() -> dict[str, Any]:
    """Measure, print, give the figures."""
    catalogue = Catalogue()
    looker = make_looker(catalogue)
    figures = {name: scene_figures(name, share(15, 2), looker, catalogue) for name in _SCENES}
    print(json.dumps(figures, indent=1))
    return {"readable": figures}


if __name__ == "__main__":
    main()
