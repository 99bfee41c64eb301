"""How well single lines are read: PP-OCRv6's recogniser, our own, and both fused, on the same crops.

    python -m tests.bench.bench_codes [LINES A KIND] [PICTURES A TIER] [SAMPLE FOLDER]

Practice lines come in faces that training never saw; pictures have seeds of their own and are cut at their true place,
with the margins that a line finder leaves. Every text is decoded under its field's alphabet, its length unknown.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from app.core.cards import FieldState
from app.core.products import DIGITS, LATIN, FieldPattern
from app.rehearsal.content import ALPHABETS
from app.rehearsal.dice import between, stream
from app.rehearsal.lines import KINDS, STATES, LineStudio
from app.rehearsal.pictures import TIERS, render_card_picture
from app.rehearsal.typefaces import load_faces
from app.vision.decoding.decode import decode_views
from app.vision.decoding.fuse import fuse
from app.vision.fields.spots import SpotReader
from app.vision.picture.pixels import Colour, Floats
from app.vision.picture.rectify import CARD_H, CARD_W, rectify
from app.vision.text.closeup import close_up, widen
from app.vision.text.codes import CodeReader
from app.vision.text.recognise import Recogniser, View

SEED = 77_000
BINS = (0.0, 0.5, 0.8, 0.9, 0.97, 0.99, 0.999, 1.001)


@dataclass(frozen=True)
class Crop:
    """A line, what it says, the signs it may hold, and the groups it counts in."""

    picture: Colour
    text: str
    pattern: FieldPattern
    groups: tuple[str, ...]


def practice_crops(count: int) -> Iterator[Crop]:
    """Lines in held-out faces, `count` of each kind, the states by turns."""
    studio = LineStudio(tuple(f for f in load_faces(SEED) if f.held_out), SEED)
    for kind in KINDS:
        for index in range(count):
            state = STATES[index % len(STATES)]
            line = studio.draw(stream(SEED, kind, index), 0.8, kind, state)
            pattern = FieldPattern(DIGITS if line.text.isdigit() else DIGITS + LATIN, tuple(range(4, 21)))
            yield Crop(np.repeat(line.picture[..., None], 3, 2), line.text, pattern, (f"line {kind}", f"line {state}"))


def picture_crops(count: int) -> Iterator[Crop]:
    """Numbers and open PINs of freshly rendered cards, `count` pictures of each tier."""
    for tier in TIERS:
        for index in range(count):
            picture, labels = render_card_picture(SEED + index, tier)
            yield from true_crops(picture, labels, "card")


def sample_crops(folder: Path) -> Iterator[Crop]:
    """The same of a folder of labelled pictures."""
    for line in (folder / "labels.jsonl").read_text("utf-8").splitlines():
        labels = json.loads(line)
        yield from true_crops(np.asarray(cv2.imread(str(folder / labels["file"]))), labels, "sample")


def true_crops(picture: Colour, labels: Mapping[str, Any], source: str) -> Iterator[Crop]:
    """Each readable field cut from the straightened card, with 8 to 30 % of its height around it."""
    corners = np.array(labels["card_quad"], np.float32)
    card = rectify(picture, corners)
    target = np.array([[0, 0], [CARD_W, 0], [CARD_W, CARD_H], [0, CARD_H]], np.float32)
    flatten = cv2.getPerspectiveTransform(corners, target)
    for field in ("number", "pin"):
        text, quad = labels.get(field), labels.get(f"{field}_quad")
        if not text or not quad:
            continue
        points = cv2.perspectiveTransform(np.array(quad, np.float32)[None], flatten)[0]
        alphabet = ALPHABETS["digits" if field == "number" else labels["pin_alphabet"]]
        groups = [f"{source} {labels['tier']} {field}", f"{source} {labels[f'{field}_style']}"]
        groups += [f"{source} {labels['pin_state']}"] if field == "pin" else []
        pattern = FieldPattern(alphabet, tuple(range(4, 21)))
        yield Crop(_margin(card, points, text), text, pattern, tuple(groups))


def _margin(card: Colour, points: Floats, text: str) -> Colour:
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    rng = stream(SEED, "margin", text)
    left, top, right, bottom = (between(rng, 0.08, 0.3) * float(y1 - y0) for _ in range(4))
    rows = slice(max(0, int(y0 - top)), int(y1 + bottom))
    return np.ascontiguousarray(card[rows, max(0, int(x0 - left)) : int(x1 + right)])


@dataclass
class Told:
    """What one engine said of one line: text, probability per character, given as sure or not, milliseconds."""

    text: str
    chances: tuple[float, ...]
    sure: bool
    ms: float


def ask(read: Callable[[Colour], Sequence[View]], crop: Crop) -> Told:
    """One line decoded and fused as the product does it."""
    began = time.process_time()
    views = read(crop.picture)
    ms = (time.process_time() - began) * 1000
    reading = fuse(decode_views(views, crop.pattern), crop.pattern).reading
    chances = tuple(c.best.p for c in reading.chars)
    return Told("".join(c.best.glyph for c in reading.chars), chances, reading.state is FieldState.READ, ms)


def engines() -> dict[str, Callable[[Colour], Sequence[View]]]:
    """PP-OCR and ours with one view each, and the views the product takes, without and with ours."""
    codes, alone = CodeReader(), Recogniser()
    codes.warm_up()
    alone.warm_up()
    spots = SpotReader(alone, codes)

    def plain(wide: Colour) -> Colour:
        rim = int(wide.shape[0] * 0.07)
        return np.ascontiguousarray(wide[rim : wide.shape[0] - rim, rim : wide.shape[1] - rim])

    def four(wide: Colour) -> list[View]:
        level, loose = close_up(plain(wide), 0.8), close_up(plain(wide), 0.7)
        read = alone.read([level, loose, widen(level, 1.1), wide])
        return [text.view for text in read]

    return {
        "ppocr": lambda picture: [alone.read([picture])[0].view],
        "own": lambda picture: codes.read([picture]),
        "ppocr views": four,
        "both": lambda picture: spots.views(plain(picture), picture),
    }


def figures(crops: Sequence[Crop], told: Sequence[Told]) -> dict[str, Any]:
    """Exact, given as sure, sure and wrong in percent per group; reliability of characters; milliseconds."""
    groups: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for crop, answer in zip(crops, told, strict=True):
        for group in (*crop.groups, f"all {crop.groups[0].split()[0]}s"):
            groups[group].append((answer.text == crop.text, answer.sure))
    ms = [answer.ms for answer in told]
    return {
        "groups": {name: _shares(found) for name, found in sorted(groups.items())},
        "reliability": reliability(crops, told),
        "ms_p50": round(float(np.median(ms)), 1),
        "ms_p95": round(float(np.percentile(ms, 95)), 1),
    }


def _shares(found: Sequence[tuple[bool, bool]]) -> dict[str, float]:
    def percent(hits: Iterable[bool]) -> float:
        return round(100 * sum(hits) / len(found), 1)

    return {
        "n": len(found),
        "exact": percent(right for right, _ in found),
        "sure": percent(sure for _, sure in found),
        "sure_wrong": percent(sure and not right for right, sure in found),
    }


def reliability(crops: Sequence[Crop], told: Sequence[Told]) -> list[dict[str, float]]:
    """Stated against found probability of characters, over the lines whose length was read rightly."""
    pairs = [
        (p, glyph == truth)
        for crop, answer in zip(crops, told, strict=True)
        if len(answer.text) == len(crop.text)
        for p, glyph, truth in zip(answer.chances, answer.text, crop.text, strict=True)
    ]
    rows = []
    for low, high in pairwise(BINS):
        inside = [(p, right) for p, right in pairs if low <= p < high]
        if inside:
            stated, found = (float(np.mean(side)) for side in zip(*inside, strict=True))
            rows.append({"n": len(inside), "stated": round(stated, 4), "found": round(found, 4)})
    return rows


def main(lines: int = 16, pictures: int = 6, samples: Path | None = None) -> dict[str, Any]:
    """The figures of all engines on the same crops."""
    cv2.setNumThreads(1)
    crops = [*practice_crops(lines), *picture_crops(pictures)]
    if samples is not None:
        crops += sample_crops(samples)
    return {name: figures(crops, [ask(read, crop) for crop in crops]) for name, read in engines().items()}


if __name__ == "__main__":
    given = sys.argv[1:]
    sizes = [int(word) for word in given[:2]]
    print(json.dumps(main(*sizes, samples=Path(given[2]) if len(given) > 2 else None), indent=1))
