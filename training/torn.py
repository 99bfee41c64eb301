"""Trains the judge of scraped print, and exports it.

    python -m training.torn --batches 2500 --fonts FOLDER          train, or go on
    python -m training.torn --export resources/models/torn.onnx   write the network as ONNX

Practice lines as PINs are printed, two in five of them scraped, the others clean or below residue, some below a lamp.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from app.rehearsal.dice import chance, stream
from app.rehearsal.lines import LineStudio, PracticeLine, gloss
from app.rehearsal.typefaces import load_faces
from training import recogniser
from training.course import Lessons, Plan, options, step, train, trained
from training.network import Residual, conv, standardised, to_onnx
from training.recogniser import BATCH, BATCHES_A_SHEET, LEARNING_RATE, hardness, side_by_side

SEED = 20_267
HEIGHT = 40
WIDEST = 880
KEEP_EVERY = 250
KINDS = {"mono": 0.20, "sans": 0.16, "serif": 0.02, "light": 0.07, "ocr": 0.17, "dot": 0.30, "thermal": 0.08}
STATES = {"plain": 0.28, "residue": 0.30, "over": 0.42}
GLOSS = 0.2
"""How often a lamp's halo is laid over a line, beside those that the studio lights."""


@dataclass(frozen=True)
class Sheet:
    """A batch: (n, 1, HEIGHT, width) grey 0..255, and 1 for each line that was scraped."""

    pictures: Tensor
    torn: Tensor


class Judge(nn.Module):
    """(batch, 1, HEIGHT, width) of standardised grey to (batch,) log odds that the print was scraped."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(1, 24, (3, 3), (2, 2)),
            Residual(24, (3, 3)),
            conv(24, 48, (3, 3), (2, 2)),
            Residual(48, (3, 3)),
            Residual(48, (3, 3)),
            conv(48, 64, (3, 3), (2, 2)),
            Residual(64, (3, 3)),
        )
        self.head = nn.Linear(128, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        said: Tensor = self.head(torch.cat([y.mean((2, 3)), y.amax((2, 3))], 1))
        return said[:, 0]


class Exported(nn.Module):
    """What the product runs: grey lines 0..255 in, probabilities out."""

    def __init__(self, judge: Judge) -> None:
        super().__init__()
        self.judge = judge

    def forward(self, grey: Tensor) -> Tensor:
        return torch.sigmoid(self.judge(standardised(grey)))


def draw(studio: LineStudio, rng: np.random.Generator, hard: float) -> PracticeLine:
    """One line as PINs are."""
    kind, state = (str(rng.choice(list(odds), p=list(odds.values()))) for odds in (KINDS, STATES))
    line = studio.draw(rng, hard, kind, state)
    if not chance(rng, GLOSS):
        return line
    lit = np.clip(line.picture.astype(np.float32) + gloss(rng, line.picture.shape), 0, 255).astype(np.uint8)
    return replace(line, picture=lit)


class Batches(torch.utils.data.IterableDataset[Sheet]):
    """The batches from a number on, some of lines of like width drawn at once."""

    def __init__(self, first: int, batches: int, fonts: list[Path]) -> None:
        self._first, self._batches, self._fonts = first, batches, fonts

    def __iter__(self) -> Iterator[Sheet]:
        cv2.setNumThreads(1)
        faces = tuple(face for face in load_faces(recogniser.SEED, self._fonts) if not face.held_out)
        studio = LineStudio(faces, SEED, HEIGHT)
        for number in range(self._first // BATCHES_A_SHEET, self._batches // BATCHES_A_SHEET + 1):
            done, rng = number * BATCHES_A_SHEET / self._batches, stream(SEED, "torn", number)
            lines = [draw(studio, rng, hardness(rng, done)) for _ in range(BATCH * BATCHES_A_SHEET)]
            lines.sort(key=lambda line: line.picture.shape[1])
            for at in rng.permutation(BATCHES_A_SHEET):
                part = lines[at * BATCH : (at + 1) * BATCH]
                torn = torch.tensor([float(line.state == "over") for line in part])
                yield Sheet(side_by_side([line.picture for line in part], WIDEST), torn)


def export(judge: Judge, path: Path) -> None:
    """The network as ONNX: input `grey` (1, 1, HEIGHT, width), output `torn` (1,)."""
    to_onnx(Exported(judge.eval()), path, HEIGHT, {"torn": {0: "lines"}})


def main() -> None:
    """The command."""
    parser = options(__doc__ or "", Path("out/torn"), 2500, 1)
    parser.add_argument("--fonts", type=Path, action="append", default=[], help="a folder of further fonts (OCRA.ttf)")
    given = parser.parse_args()
    torch.manual_seed(SEED)
    judge = Judge().to(memory_format=torch.channels_last)
    if given.export is not None:
        export(trained(given.out, judge), given.export)
        return
    optimiser = torch.optim.AdamW(judge.parameters(), LEARNING_RATE, weight_decay=0.02)

    def learn(sheet: Sheet, _: int) -> float:
        judge.train()
        with torch.autocast("cpu", torch.bfloat16):
            said = judge(standardised(sheet.pictures).contiguous(memory_format=torch.channels_last))
        return step(judge, optimiser, nn.functional.binary_cross_entropy_with_logits(said.float(), sheet.torn))

    def drawn(first: int) -> torch.utils.data.DataLoader[Sheet]:
        drawing = Batches(first, given.batches, given.fonts)
        ahead = 2 * BATCHES_A_SHEET if given.workers else None
        return torch.utils.data.DataLoader(drawing, batch_size=None, num_workers=given.workers, prefetch_factor=ahead)

    train(given.out, judge, optimiser, Plan(given.batches, LEARNING_RATE, KEEP_EVERY), Lessons(drawn, learn))


if __name__ == "__main__":
    main()
