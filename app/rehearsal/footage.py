"""Unboxing footage: renders a deck as an overhead camera films it, to H.264 in MP4 with a label file beside it.

While nothing moves, the composed picture is kept and only noise, focus and exposure change from frame to frame.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

from app.rehearsal.camera import Camera, Layer, compose
from app.rehearsal.cards import CardPlan, PrintedCard, print_back, print_front
from app.rehearsal.casting import plan_card
from app.rehearsal.deck import Deck
from app.rehearsal.dice import between, stream
from app.rehearsal.director import Stage, card_sprite, cast_card
from app.rehearsal.labels import card_labels
from app.rehearsal.optics import NoiseTiles, defocused, exposed, gloss_map
from app.rehearsal.parcel import make_parcel
from app.rehearsal.products import StudioProduct
from app.rehearsal.smudge import smudge_digit
from app.rehearsal.table import hand, table_top
from app.rehearsal.timeline import FPS, Timeline, make_timeline

Pixels = npt.NDArray[Any]
Progress = Callable[[int, int], None]

STUDIO_VERSION = 6
"""Part of the cache key: raise it when the same deck would give other pixels."""

SIZES: dict[str, tuple[int, int]] = {"1080p": (1920, 1080), "720p": (1280, 720), "360p": (640, 360)}

_DEFOCUS_PX = {"easy": 0.45, "typical": 0.62, "hard": 1.1}
_GLOSS = {"easy": 26.0, "typical": 60.0, "hard": 150.0}
_NOISE = 2.0
_VIEW_MM = 158.0
"""Width of the table that the camera sees."""

_LABEL_SCALE = 0.62
_LABEL_FPS = 5
"""As the label camera's recorder takes them."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A deck ready to be filmed."""

    deck: Deck
    stage: Stage
    table: Pixels
    plans: tuple[CardPlan, ...]
    prints: tuple[PrintedCard, ...]


def ignore_progress(_done: int, _total: int) -> None:
    """For callers who do not want to know."""


def unboxing_path(deck: Deck, cache_dir: Path, size: tuple[int, int]) -> Path:
    """Where the footage of this deck at this size lies in the cache: same deck, size and studio, same name."""
    what = {"deck": deck.as_data(), "size": size, "studio": STUDIO_VERSION}
    key = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]
    return cache_dir / f"{deck.name}-{size[0]}x{size[1]}-{key}.mp4"


def labels_path(footage: Path) -> Path:
    """The label file that belongs to a footage file."""
    return footage.with_suffix(".labels.json")


def cached_unboxing(
    deck: Deck,
    products: Mapping[str, StudioProduct],
    cache_dir: Path,
    size: tuple[int, int] = SIZES["720p"],
    progress: Progress = ignore_progress,
) -> Path:
    """The footage of a deck, rendered only if the cache does not hold it yet. Raises OSError, FontMissing."""
    path = unboxing_path(deck, cache_dir, size)
    if not (path.is_file() and labels_path(path).is_file()):
        cache_dir.mkdir(parents=True, exist_ok=True)
        render_unboxing(deck, products, path, size, progress)
    return path


def label_film_path(footage: Path) -> Path:
    """What the label camera filmed of the same unboxing."""
    return footage.with_suffix(".label.mp4")


def cached_label_film(
    deck: Deck, products: Mapping[str, StudioProduct], cache_dir: Path, size: tuple[int, int], progress: Progress
) -> Path:
    """The label camera's film of a deck: seen from higher up, five pictures a second; rendered only if it is not there.
    Raises OSError, FontMissing.
    """
    path = label_film_path(unboxing_path(deck, cache_dir, size))
    if not path.is_file():
        scene = _from_higher_up(build_scene(deck, products, size))
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            _encode(scene, part, size, progress, every=FPS // _LABEL_FPS)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    return path


def _from_higher_up(scene: Scene) -> Scene:
    """The same happening before a camera that sees the whole parcel."""
    camera = replace(scene.stage.camera, px_per_mm=scene.stage.camera.px_per_mm * _LABEL_SCALE)
    size = camera.width, camera.height
    table = table_top(stream(scene.deck.seed, "table"), size, camera.px_per_mm, "desk")
    return replace(scene, stage=replace(scene.stage, camera=camera), table=table)


def render_unboxing(
    deck: Deck,
    products: Mapping[str, StudioProduct],
    out: Path,
    size: tuple[int, int] = SIZES["720p"],
    progress: Progress = ignore_progress,
) -> Path:
    """Films `deck` at `size` (even width and height, 16:9) and FPS into `out`, and its labels into `labels_path(out)`.

    Both files appear whole or not at all, the footage last. `progress(done, total)` counts frames.
    Raises OSError when the disk cannot take it, FontMissing, KeyError for a product that is not in `products`.
    """
    scene = build_scene(deck, products, size)
    labels = scene_labels(scene, out.name, size)
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        _encode(scene, part, size, progress)
        _write_whole(labels_path(out), json.dumps(labels, ensure_ascii=False, indent=1).encode())
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)
    return out


def _write_whole(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def card_seed(deck: Deck, index: int) -> int:
    """The seed of the deck's card number `index`."""
    return int(stream(deck.seed, "card", index).integers(2**53))


def build_scene(deck: Deck, products: Mapping[str, StudioProduct], size: tuple[int, int]) -> Scene:
    """Draws all that will be filmed. Raises FontMissing, KeyError for an unknown product."""
    px_per_mm = size[0] / _VIEW_MM
    rng = stream(deck.seed, "camera")
    camera = Camera(*size, px_per_mm, between(rng, -2.5e-4, 2.5e-4), between(rng, 1e-4, 4e-4))
    plans = tuple(plan_card(products[c.product], c, card_seed(deck, i)) for i, c in enumerate(deck.cards))
    prints = tuple(
        smudge_digit(print_back(plan), plan) if card.doubtful_digit else print_back(plan)
        for plan, card in zip(plans, deck.cards, strict=True)
    )
    stage = _stage(deck, camera, make_timeline(deck), plans, prints)
    table = table_top(stream(deck.seed, "table"), size, px_per_mm, "desk")
    return Scene(deck, stage, table, plans, prints)


def _stage(
    deck: Deck, camera: Camera, timeline: Timeline, plans: tuple[CardPlan, ...], prints: tuple[PrintedCard, ...]
) -> Stage:
    size, ppm = (camera.width, camera.height), camera.px_per_mm * 1.2
    fronts = [print_front(plan, ppm).image for plan in plans[:6]]
    # Skin has no fine print: hands are drawn coarser, which saves seconds.
    hand_ppm = min(ppm, 6.0)
    right = hand(stream(deck.seed, "hand"), hand_ppm)
    actors = []
    for index, (card, printed) in enumerate(zip(deck.cards, prints, strict=True)):
        rng = stream(deck.seed, "gloss", index)
        at = (between(rng, 0.2, 0.8), between(rng, 0.72, 0.95) if card.difficulty == "easy" else between(rng, 0.2, 0.8))
        gloss = gloss_map(rng, size, _GLOSS[card.difficulty], at)
        actors.append(cast_card(deck.seed, index, card_sprite(printed, ppm), timeline.cards[index], gloss))
    return Stage(
        camera=camera,
        timeline=timeline,
        parcel=make_parcel(deck.seed, deck.waybill, deck.order_number, fronts, ppm),
        cards=tuple(actors),
        right_hand=right,
        left_hand=right.flipped(),
        knife_hand=hand(stream(deck.seed, "hand"), hand_ppm, knife=True),
    )


def scene_labels(scene: Scene, file_name: str, size: tuple[int, int]) -> dict[str, Any]:
    """What is true in the footage, as plain data."""
    timeline = scene.stage.timeline
    cards = [
        {
            "order": index,
            "product": card.product,
            "difficulty": card.difficulty,
            "doubtful_digit": card.doubtful_digit,
            "chip_family": card.chip_family,
            "chip_uid": card.chip_uid,
            "move_in_s": actor.times.move_in_s,
            "still_start_s": actor.times.still_start_s,
            "still_end_s": actor.times.still_end_s,
            "out_end_s": actor.times.out_end_s,
            **card_labels(plan, printed, scene.stage.camera, actor.lies),
        }
        for index, (card, actor, plan, printed) in enumerate(
            zip(scene.deck.cards, scene.stage.cards, scene.plans, scene.prints, strict=True)
        )
    ]
    return {
        "file": file_name,
        "fps": FPS,
        "frames": timeline.frames,
        "width": size[0],
        "height": size[1],
        "seconds": round(timeline.seconds, 4),
        "deck": scene.deck.name,
        "seed": scene.deck.seed,
        "waybill": scene.deck.waybill,
        "order_number": scene.deck.order_number,
        "declared_count": scene.deck.declared_count,
        "cards": cards,
    }


class Film:
    """Makes the frames of a scene one after another, as I420 planes (uint8, 1.5 x height rows, width columns)."""

    def __init__(self, scene: Scene) -> None:
        height, width = scene.table.shape[:2]
        seed = scene.deck.seed
        self._scene = scene
        self._height = height
        self._luma = NoiseTiles.make(stream(seed, "noise"), (width, height), _NOISE)
        self._chroma = NoiseTiles.make(stream(seed, "chroma-noise"), (width // 2, height), _NOISE * 0.6)
        self._drawn: list[Layer] | None = None
        self._planes: Pixels = np.empty(0, np.uint8)

    def frame(self, index: int) -> Pixels:
        """Frame number `index`."""
        now = index / FPS
        rng = stream(self._scene.deck.seed, "frame", index)
        planes = self._composed(self._scene.stage.layers(now))
        luma, chroma = planes[: self._height], planes[self._height :]
        luma = exposed(defocused(luma, self._defocus(now)), self._gain(now))
        half = chroma.reshape(self._height, -1)
        shaken = self._chroma.shake(rng, half).reshape(chroma.shape)
        return np.vstack([self._luma.shake(rng, luma), shaken])

    def _composed(self, layers: list[Layer]) -> Pixels:
        """The clean picture, kept while nothing moves."""
        if self._drawn is None or not _same(self._drawn, layers):
            picture = self._scene.table.copy()
            compose(picture, layers)
            self._planes = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)
            self._drawn = layers
        return self._planes

    def _defocus(self, now: float) -> float:
        """Blur in pixels: the card's difficulty, and the autofocus breathing a little."""
        deck, cards = self._scene.deck, self._scene.stage.cards
        shown = next((i for i, c in enumerate(cards) if now < c.times.out_end_s), None)
        base = _DEFOCUS_PX["easy" if shown is None else deck.cards[shown].difficulty]
        hunting = 0.0
        if shown is not None:
            since = now - cards[shown].times.still_start_s
            hunting = 0.5 * float(np.exp(-since / 0.22)) if since >= 0 else 0.0
        return base + 0.09 * float(np.sin(now * 1.9)) + hunting

    def _gain(self, now: float) -> float:
        """Auto exposure: a slow drift of about two percent."""
        return 1.0 + 0.016 * float(np.sin(now * 0.55 + 0.8)) + 0.007 * float(np.sin(now * 2.3))


def _same(a: list[Layer], b: list[Layer]) -> bool:
    return len(a) == len(b) and all(x.same_as(y) for x, y in zip(a, b, strict=True))


def _encode(scene: Scene, path: Path, size: tuple[int, int], progress: Progress, every: int = 1) -> None:
    """Encodes all frames (or one of `every`) with x264; time stamps are the frame numbers in a 1/FPS time base."""
    film, total = Film(scene), scene.stage.timeline.frames
    with av.open(str(path), "w", format="mp4") as container:
        stream_out = container.add_stream("libx264", rate=FPS // every, options={"preset": "ultrafast", "crf": "20"})
        stream_out.width, stream_out.height = size
        stream_out.pix_fmt = "yuv420p"
        stream_out.codec_context.time_base = Fraction(1, FPS)
        stream_out.codec_context.thread_count = 2
        for index in range(0, total, every):
            frame = av.VideoFrame.from_ndarray(film.frame(index), format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream_out.encode(frame))
            progress(min(index + every, total), total)
        container.mux(stream_out.encode(None))
