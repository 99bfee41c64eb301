"""Trains the network that tells zero from O and one from I on practice lines, exports it, and fits what is made of it.

    python -m training.twins --batches 3800 [--out out/twins] [--workers 1]       train, or go on
    python -m training.twins --export resources/models/twins.onnx
    python -m training.twins --measure 1500                                       twins told in held-out faces
    python -m training.twins --weigh 1600                                         fit what twins are weighed by

The lines hold letters and digits mixed, a third of them twins, so that nothing but the print tells a zero from an O.
Characters are cut out where our recogniser, told the text, places them. Each batch comes from a stream of its own, so
that a stopped run goes on with the next one; it is learned together with one of the batches before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from app.core.products import DIGITS, LATIN, UNKNOWN_PIN
from app.rehearsal.dice import between, chance, pick, stream
from app.rehearsal.lines import LineStudio, PracticeLine
from app.rehearsal.typefaces import load_faces
from app.vision.decoding.decode import decode_views, places_of
from app.vision.decoding.fuse import fuse
from app.vision.decoding.twinjudge import HEIGHT, KINDS, SIGNS, WIDTH, TwinJudge, sign_of, windows
from app.vision.decoding.twins import PAIRS, TOLD, WEIGHTS, Sight, features, line_of, on_cards
from app.vision.text.closeup import close_up, even_out, widen
from app.vision.text.codes import CodeReader
from training import course
from training.course import Lessons, Plan

SEED = 20_264
HELD_OUT_SEED, WEIGH_SEED = 30_263, 40_263
LINES = 24
"""Lines of a batch."""

LEARNING_RATE = 2e-3
KEEP_EVERY = 100
REMEMBERED = 300
"""Batches that are kept to be learned once more."""

TWIN_SHARE = 0.3
PLAIN = 0.15
"""What a glyph that looks like none of the twins counts against one that does."""

ALIKE = "DQCGU8LJ7T"
"""Glyphs that look like twins; the network has to know what is none of them."""

CHANNELS, EMBEDDED, FACE = (16, 32, 48, 64), 64, 96
MOST_FACES = 128
FACE_SHARE = 0.1
"""Of the loss: which face a line is printed in. In some a zero without a mark is an O, in others it is none."""

MISREAD = 0.03
"""Share of characters that are told of as a sign of chance: readers err."""

SHARP = 48
"""Height of a practice line, pixels: PINs of sharp pictures are that high, and a face is told by its details."""

KINDS_OF_FAMILY = {
    "mono": ("mono", "light", "thermal", "emboss"),
    "sans": ("sans", "light", "thermal", "emboss"),
    "serif": ("serif",),
    "ocr": ("ocr", "emboss"),
    "dot": ("dot",),
}
"""The kinds of print that a face of each family is drawn in."""

Pixels = NDArray[Any]


class TwinNet(nn.Module):
    """Characters (n, 1, HEIGHT, WIDTH) standardised grey, what each was read as (n, `sign_of`) and the line each is of
    (n) to logits of KINDS and "another" (n, 5). A line's characters are of one face: each is judged beside the mean and
    the most of what its line tells, where a four tells by how a four looks."""

    def __init__(self) -> None:
        super().__init__()
        first, second, third, last = CHANNELS
        self.each = nn.Sequential(
            _conv(1, first, (2, 2)),
            _conv(first, second, (2, 2)),
            _conv(second, third, (2, 1)),
            nn.Conv2d(third, last, (HEIGHT // 8, 3), 1, (0, 1), bias=False),
            nn.BatchNorm2d(last),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Dropout(0.1),
            nn.Linear(last * (WIDTH // 4), EMBEDDED),
            nn.ReLU(inplace=True),
        )
        self.sign = nn.Embedding(SIGNS, EMBEDDED)
        self.face = nn.Sequential(
            nn.Linear(2 * EMBEDDED, FACE), nn.ReLU(inplace=True), nn.Linear(FACE, FACE), nn.ReLU(inplace=True)
        )
        self.named = nn.Linear(2 * FACE, MOST_FACES)  # asked in training only: who knows the face knows its zero
        self.told = nn.Sequential(
            nn.Linear(EMBEDDED + 2 * FACE, FACE), nn.ReLU(inplace=True), nn.Linear(FACE, len(KINDS) + 1)
        )

    def forward(self, characters: Tensor, signs: Tensor, lines: Tensor) -> tuple[Tensor, Tensor]:
        """The logits of each character, and for each those of the face of its line."""
        seen = self.each(characters)
        told = self.of_face(seen, signs)
        face = torch.cat([_over_line(told, lines, "mean"), _over_line(told, lines, "amax")], dim=1)
        return self.judged(seen, face), self.named(face)

    def of_face(self, seen: Tensor, signs: Tensor) -> Tensor:
        """What each character tells of the face, as the sign it was read as."""
        sign = self.sign(signs)
        return self.face(torch.cat([seen * (1 + sign), sign], dim=1))  # type: ignore[no-any-return]

    def judged(self, seen: Tensor, face: Tensor) -> Tensor:
        """The logits of characters beside what tells the face of their line."""
        return self.told(torch.cat([seen, face], dim=1))  # type: ignore[no-any-return]


def _over_line(told: Tensor, lines: Tensor, how: str) -> Tensor:
    """For each character the mean or the most (`amax`) of what all characters of its line tell."""
    at = lines[:, None].expand_as(told)
    start = torch.zeros(int(lines.max()) + 1, told.shape[1], dtype=told.dtype)
    return start.scatter_reduce(0, at, told, how, include_self=False)[lines]


def _conv(ins: int, outs: int, stride: tuple[int, int]) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(ins, outs, 3, stride, 1, bias=False), nn.BatchNorm2d(outs), nn.ReLU(inplace=True))


class Exported(nn.Module):
    """What the product runs: the characters of one line (n, 1, HEIGHT, WIDTH) 0..255 and what each was read as (n) in,
    their chances (n, 5) out."""

    def __init__(self, net: TwinNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, characters: Tensor, signs: Tensor) -> Tensor:
        seen = self.net.each(standardised(characters))
        told = self.net.of_face(seen, signs)
        mean, most = told.mean(dim=0, keepdim=True), told.amax(dim=0, keepdim=True)
        face = torch.cat([mean.expand_as(told), most.expand_as(told)], dim=1)
        return torch.softmax(self.net.judged(seen, face), dim=1)


def standardised(characters: Tensor) -> Tensor:
    """Windows 0..255 to mean 0 and deviation about 1."""
    mean = characters.mean(dim=(2, 3), keepdim=True)
    spread = (characters - mean).pow(2).mean(dim=(2, 3), keepdim=True).sqrt()
    return (characters - mean) / (spread + 4.0)


@dataclass(frozen=True)
class Drawn:
    """Characters cut from lines: `windows` uint8 (n, HEIGHT, WIDTH), `kinds` their place in KINDS, 4 for another,
    `weights` what each counts, `lines` which of the lines it is of, `signs` what it was read as,
    `faces` the number of the face it is printed in."""

    windows: Tensor
    kinds: Tensor
    weights: Tensor
    lines: Tensor
    signs: Tensor
    faces: Tensor


def mixed_text(rng: np.random.Generator) -> str:
    """6 to 18 letters and digits as printed, a third of them twins."""
    length = int(rng.integers(6, 19))
    signs = [pick(rng, KINDS) if chance(rng, TWIN_SHARE) else pick(rng, DIGITS + LATIN) for _ in range(length)]
    size, mark = (4 if chance(rng, 0.8) else 5), ("-" if chance(rng, 0.3) else " ")
    groups = ["".join(signs[at : at + size]) for at in range(0, length, size)]
    return mark.join(groups) if chance(rng, 0.6) else "".join(signs)


def draw(studio: LineStudio, codes: CodeReader, seed: int, numbers: Sequence[int], names: Sequence[str]) -> Drawn:
    """The characters of so many lines, each from a stream of its own; `names` of the studio's faces."""
    cut: list[Pixels] = []
    glyphs: list[str] = []
    lines: list[int] = []
    faces: list[int] = []
    for at, number in enumerate(numbers):
        line, shown = _characters(studio, codes, stream(seed, "line", number))
        text = line.text
        faces += [names.index(line.face)] * len(text)
        cut += [np.clip(window, 0, 255).astype(np.uint8) for window in shown]
        glyphs += text
        lines += [at] * len(text)
    kinds = [KINDS.index(glyph) if glyph in KINDS else len(KINDS) for glyph in glyphs]
    weights = [1.0 if glyph in KINDS or glyph in ALIKE else PLAIN for glyph in glyphs]
    rng = stream(seed, "misread", numbers[0])
    signs = [int(rng.integers(SIGNS)) if chance(rng, MISREAD) else sign_of(glyph) for glyph in glyphs]
    return Drawn(*(torch.tensor(given) for given in (np.stack(cut), kinds, weights, lines, signs, faces)))


def _characters(studio: LineStudio, codes: CodeReader, rng: np.random.Generator) -> tuple[PracticeLine, list[Pixels]]:
    line = studio.draw(rng, between(rng, 0.0, 1.0), text=mixed_text(rng))
    picture = np.repeat(line.picture[..., None], 3, 2)
    view = codes.read([close_up(picture, 0.82)])[0]
    return line, list(windows(picture, places_of(view, line.text)))


class Batches(torch.utils.data.Dataset[Drawn]):
    """Batch `number`, from a stream of its own."""

    def __init__(self, first: int, fonts: list[Path]) -> None:
        self._first, self._fonts = first, fonts
        self._drawer: tuple[LineStudio, CodeReader, list[str]] | None = None

    def __len__(self) -> int:
        return 1_000_000

    def __getitem__(self, at: int) -> Drawn:
        if self._drawer is None:  # in the worker: a compiled network cannot be handed over
            cv2.setNumThreads(1)
            faces = tuple(face for face in load_faces(SEED, self._fonts) if not face.held_out)
            self._drawer = LineStudio(faces, SEED, SHARP), CodeReader(), [face.name for face in faces]
        first = (self._first + at) * LINES
        studio, codes, names = self._drawer
        return draw(studio, codes, SEED, range(first, first + LINES), names)


def train(out: Path, batches: int, workers: int, fonts: list[Path]) -> None:
    """Train up to `batches` in all; goes on where the checkpoint in `out` stands."""
    torch.manual_seed(SEED)
    net = TwinNet()
    optimiser = torch.optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=0.02)
    remembered: list[Drawn] = []

    def drawn(first: int) -> torch.utils.data.DataLoader[Drawn]:
        ahead = 8 if workers else None
        return torch.utils.data.DataLoader(
            Batches(first, fonts), batch_size=None, num_workers=workers, prefetch_factor=ahead
        )

    def learn(batch: Drawn, number: int) -> float:
        rng = stream(SEED, "again", number)
        again = [remembered[int(rng.integers(len(remembered)))]] if remembered else []
        remembered[:] = [*remembered[-REMEMBERED:], batch]
        return _learn(net, optimiser, rng, joined([batch, *again]))

    course.train(out, net, optimiser, Plan(batches, LEARNING_RATE, KEEP_EVERY), Lessons(drawn, learn))


def joined(batches: list[Drawn]) -> Drawn:
    """Batches as one, their lines numbered on."""
    firsts = np.cumsum([0, *(int(batch.lines.max()) + 1 for batch in batches[:-1])]).tolist()
    return Drawn(
        torch.cat([batch.windows for batch in batches]),
        torch.cat([batch.kinds for batch in batches]),
        torch.cat([batch.weights for batch in batches]),
        torch.cat([batch.lines + first for first, batch in zip(firsts, batches, strict=True)]),
        torch.cat([batch.signs for batch in batches]),
        torch.cat([batch.faces for batch in batches]),
    )


def _learn(net: TwinNet, optimiser: torch.optim.Optimizer, rng: np.random.Generator, drawn: Drawn) -> float:
    """One step, the windows shifted and sometimes mirrored in lightness; gives the loss."""
    shift = int(rng.integers(-1, 2)), int(rng.integers(-2, 3))
    pictures = torch.roll(drawn.windows.float()[:, None], shift, (2, 3))
    if chance(rng, 0.3):
        pictures = 255 - pictures
    net.train()
    with torch.autocast("cpu", torch.bfloat16):
        pictures = standardised(pictures).contiguous(memory_format=torch.channels_last)
        told, face = net(pictures, drawn.signs, drawn.lines)
    losses = nn.functional.cross_entropy(told.float(), drawn.kinds, label_smoothing=0.005, reduction="none")
    named = nn.functional.cross_entropy(face.float(), drawn.faces)
    return course.step(net, optimiser, (losses * drawn.weights).sum() / drawn.weights.sum() + FACE_SHARE * named)


@torch.no_grad()
def measure(net: TwinNet, drawn: Drawn) -> None:
    """Print how well the twins are told in characters of held-out faces."""
    chances = torch.softmax(net(standardised(drawn.windows.float()[:, None]), drawn.signs, drawn.lines)[0], 1).numpy()
    kinds = drawn.kinds.numpy()
    for pair in PAIRS:
        first = KINDS.index(pair[0])
        of_pair = (kinds == first) | (kinds == first + 1)
        odds = np.log((chances[of_pair, first] + 1e-5) / (chances[of_pair, first + 1] + 1e-5))
        right = (odds > 0) == (kinds[of_pair] == first)
        for least in (0, 2, 3, 4, 5):
            sure = np.abs(odds) >= least
            print(f"{pair} from {least}: {sure.sum()} of {len(odds)}, wrong {(sure & ~right).sum()}")


def export(net: TwinNet, path: Path) -> None:
    """The network as ONNX."""
    characters = torch.zeros(3, 1, HEIGHT, WIDTH), torch.zeros(3, dtype=torch.int64)
    axes = {"characters": {0: "n"}, "signs": {0: "n"}, "chances": {0: "n"}}
    torch.onnx.export(
        Exported(net.eval()),
        characters,
        str(path),
        dynamo=False,
        input_names=["characters", "signs"],
        output_names=["chances"],
        dynamic_axes=axes,
    )


def weigh(lines: int, fonts: list[Path]) -> None:
    """Fit on lines in held-out faces what `app.vision.decoding.twins` weighs, and print it with what it gets wrong."""
    held_out = tuple(f for f in load_faces(SEED, fonts) if f.held_out)
    codes, judge = CodeReader(), TwinJudge()
    rows: dict[str, list[tuple[tuple[float, ...], bool, str]]] = {pair: [] for pair in PAIRS}
    for number in range(lines):
        face = held_out[number % len(held_out)]
        studio = LineStudio((face,), WEIGH_SEED, SHARP)
        for pair, told, first in _weighed(studio, face.family, codes, judge, number):
            rows[pair].append((told, first, face.name))
    for pair, found in rows.items():
        signs = np.array([row for row, _, _ in found])
        truth = np.array([one for _, one, _ in found])
        faces = np.array([name for _, _, name in found])
        unseen = np.zeros(len(found))
        for name in set(faces.tolist()):
            here = faces == name
            unseen[here] = signs[here] @ _fit(signs[~here], truth[~here])
        print(pair, len(found), "weights", np.round(_fit(signs, truth), 3).tolist())
        in_use = on_cards(pair, signs @ np.array(WEIGHTS[pair]))
        for name, odds, limits in (("unseen", unseen, (3.0, 3.5, 4.0, 4.5, 5.0)), ("in use", in_use, (TOLD,))):
            for least in limits:
                sure, wrong = np.abs(odds) >= least, (odds > 0) != truth
                print(
                    f"  {name}, from {least}: {sure.sum()} sure, {(sure & wrong).sum()} wrong",
                    *set(faces[sure & wrong]),
                )


def _weighed(
    studio: LineStudio, family: str, codes: CodeReader, judge: TwinJudge, number: int
) -> Iterator[tuple[str, tuple[float, ...], bool]]:
    """Per twin of a line its pair, its features and whether it is the first of the pair; none where it is misread."""
    rng = stream(WEIGH_SEED, "line", number)
    kind = pick(rng, KINDS_OF_FAMILY[family])
    line = studio.draw(rng, between(rng, 0.0, 1.0), kind, text=mixed_text(rng))
    picture = np.repeat(line.picture[..., None], 3, 2)
    close, loose = close_up(picture, 0.82), close_up(picture, 0.7)
    views = codes.read([close, loose, even_out(close), widen(close, 0.9)])
    said = [d for d in decode_views(views, UNKNOWN_PIN) if len(d.text) == len(line.text)]
    if len(said) < len(views):
        return
    glyphs = "".join(c.best.glyph for c in fuse(said, UNKNOWN_PIN).reading.chars)
    if len(glyphs) != len(line.text):
        return
    row = line_of(glyphs, Sight(picture, said, judge.look(picture, views[0])))
    for at, (glyph, truth) in enumerate(zip(glyphs, line.text, strict=True)):
        pair = next((pair for pair in PAIRS if glyph in pair and truth in pair), None)
        if pair is not None:
            yield pair, features(row, at), truth == pair[0]


def _fit(signs: Pixels, first: Pixels) -> Pixels:
    """Weights of a logistic model by Newton's method, slightly drawn to zero."""
    weights = np.zeros(signs.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-np.clip(signs @ weights, -30, 30)))
        slope = signs.T @ (first - p) - 0.5 * weights
        bend = (signs * (p * (1 - p))[:, None]).T @ signs + 0.5 * np.eye(len(weights))
        weights = weights + np.linalg.solve(bend, slope)
    return weights


def main() -> None:
    """Command line."""
    parser = course.options("train the judge of twin glyphs", Path("out/twins"), batches=3800, workers=1)
    parser.add_argument("--fonts", type=Path, action="append", default=[], help="a folder of further fonts")
    parser.add_argument("--measure", type=int, default=0)
    parser.add_argument("--weigh", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if given.weigh:
        weigh(given.weigh, given.fonts)
    elif given.export is not None:
        export(course.trained(given.out, TwinNet()), given.export)
    elif given.measure:
        held_out = tuple(face for face in load_faces(SEED, given.fonts) if face.held_out)
        studio = LineStudio(held_out, HELD_OUT_SEED, SHARP)
        drawn = draw(studio, CodeReader(), HELD_OUT_SEED, range(given.measure), [face.name for face in held_out])
        measure(course.trained(given.out, TwinNet()), drawn)
    else:
        train(given.out, given.batches, given.workers, given.fonts)


if __name__ == "__main__":
    main()
