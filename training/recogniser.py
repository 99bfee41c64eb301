"""Trains the recogniser for card codes on practice lines, and exports it.

    python -m training.recogniser --minutes 60 [--out out/recogniser] [--fonts FOLDER]   train, or go on
    python -m training.recogniser --export resources/models/codes.onnx                write the network as ONNX

One thread, its time counted, not the clock's. Lines are drawn while training, each batch from a stream of its own, so
that no line is seen twice and a stopped run goes on with the next batch. The checkpoint is replaced every few minutes.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from app.core.products import DIGITS, LATIN
from app.rehearsal.dice import between, chance, stream
from app.rehearsal.lines import LineStudio, PracticeLine
from app.rehearsal.typefaces import load_faces
from training.course import keep, step
from training.network import HEIGHT, STRIDE, Exported, Reader, standardised, to_onnx

SEED = 20_260
BATCH = 48
BATCHES_A_SHEET = 4
LEARNING_RATE = 2e-3
WIDEST = 704
KEEP_EVERY_S = 120.0
GLYPHS = DIGITS + LATIN

Pixels = NDArray[Any]


@dataclass(frozen=True)
class Sheet:
    """A batch ready to learn from: (n, 1, 32, width) grey 0..255, targets end to end, their lengths, used steps."""

    pictures: Tensor
    targets: Tensor
    lengths: Tensor
    steps: Tensor


def hardness(rng: np.random.Generator, done: float) -> float:
    """Easy lines first; from a tenth of the way on mostly the hardest."""
    most = min(1.0, 0.25 + 7.5 * done)
    return most if chance(rng, 0.6) else between(rng, 0.2, most)


def draw_sheets(studio: LineStudio, seed: int, number: int, done: float) -> Iterator[Sheet]:
    """Some batches of lines of like width."""
    rng = stream(seed, "sheet", number)
    lines = [studio.draw(rng, hardness(rng, done)) for _ in range(BATCH * BATCHES_A_SHEET)]
    lines.sort(key=lambda line: line.picture.shape[1])
    for at in rng.permutation(BATCHES_A_SHEET):
        yield to_sheet(lines[at * BATCH : (at + 1) * BATCH])


def to_sheet(lines: list[PracticeLine]) -> Sheet:
    """Lines side by side, and what they say."""
    pictures = side_by_side([line.picture for line in lines])
    return Sheet(
        pictures,
        torch.tensor([GLYPHS.index(sign) + 1 for line in lines for sign in line.text]),
        torch.tensor([len(line.text) for line in lines]),
        torch.tensor([pictures.shape[3] // STRIDE for _ in lines]),
    )


def side_by_side(lines: list[Pixels], widest: int = WIDEST) -> Tensor:
    """Lines of one height as (n, 1, height, width), the shorter ones prolonged by their last column."""
    pictures = [_bounded(line, widest) for line in lines]
    width = -(-max(p.shape[1] for p in pictures) // 16) * 16
    stacked = np.stack([np.pad(p, ((0, 0), (0, width - p.shape[1])), "edge") for p in pictures])
    return torch.from_numpy(stacked.astype(np.float32))[:, None]


def _bounded(picture: Pixels, widest: int) -> Pixels:
    if picture.shape[1] <= widest:
        return picture
    return np.asarray(cv2.resize(picture, (widest, picture.shape[0]), interpolation=cv2.INTER_AREA))


def greedy(logits: Tensor) -> list[str]:
    """The likeliest path of each line as text."""
    best = logits.argmax(dim=2).tolist()
    return ["".join(GLYPHS[c - 1] for at, c in enumerate(row) if c and (at == 0 or row[at - 1] != c)) for row in best]


class Course:
    """A training run that can be stopped and taken up again."""

    def __init__(self, out: Path, minutes: float, fonts: list[Path]) -> None:
        torch.manual_seed(SEED)
        faces = load_faces(SEED, fonts)
        self._studio = LineStudio(tuple(f for f in faces if not f.held_out), SEED)
        self._exam = _exam(LineStudio(tuple(f for f in faces if f.held_out), SEED + 1))
        self.reader = Reader().to(memory_format=torch.channels_last)
        decayed = [p for p in self.reader.parameters() if p.ndim > 1]
        plain = [p for p in self.reader.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0.0}]
        self._optimiser = torch.optim.AdamW(groups, LEARNING_RATE)
        self._path, self._limit_s = out / "checkpoint.pt", minutes * 60
        self._sheet, self._spent_s = 0, 0.0
        if self._path.is_file():
            self._take_up()

    def _take_up(self) -> None:
        kept = torch.load(self._path)
        self.reader.load_state_dict(kept["reader"])
        self._optimiser.load_state_dict(kept["optimiser"])
        self._sheet, self._spent_s = kept["sheet"], kept["spent_s"]

    def _keep(self) -> None:
        kept = {
            "reader": self.reader.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "sheet": self._sheet,
            "spent_s": self._spent_s,
        }
        keep(self._path, kept)

    def run(self) -> None:
        """Learns until the minutes of processor time are spent (earlier runs counted)."""
        last_kept = self._spent_s
        losses: list[float] = []
        while self._spent_s < self._limit_s:
            began = time.process_time()
            done = self._spent_s / self._limit_s
            self._set_rate(done)
            losses += [self._learn(sheet) for sheet in draw_sheets(self._studio, SEED, self._sheet, done)]
            self._sheet += 1
            self._spent_s += time.process_time() - began
            if self._spent_s - last_kept > KEEP_EVERY_S or self._spent_s >= self._limit_s:
                last_kept = self._spent_s
                self._keep()
                self._report(losses)
                losses = []

    def _set_rate(self, done: float) -> None:
        rate = LEARNING_RATE * min(1.0, (self._sheet + 1) / 40) * (0.5 + 0.5 * math.cos(math.pi * done)) + 2e-6
        for group in self._optimiser.param_groups:
            group["lr"] = rate

    def _learn(self, sheet: Sheet) -> float:
        self.reader.train()
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.reader(standardised(sheet.pictures).contiguous(memory_format=torch.channels_last))
        chances = logits.float().log_softmax(2).transpose(0, 1)
        loss = nn.functional.ctc_loss(chances, sheet.targets, sheet.steps, sheet.lengths, zero_infinity=True)
        return step(self.reader, self._optimiser, loss)

    @torch.no_grad()
    def _report(self, losses: list[float]) -> None:
        self.reader.eval()
        right: dict[str, list[bool]] = {}
        for line in self._exam:
            text = greedy(self.reader(standardised(to_sheet([line]).pictures)))[0]
            right.setdefault(line.kind, []).append(text == line.text)
        shares = " ".join(f"{kind} {np.mean(found):.2f}" for kind, found in sorted(right.items()))
        lines = self._sheet * BATCH * BATCHES_A_SHEET
        print(f"{self._spent_s / 60:5.1f} min {lines} lines loss {np.mean(losses):.4f} | {shares}", flush=True)


def _exam(studio: LineStudio) -> list[PracticeLine]:
    """Lines in faces that training never shows."""
    rng = stream(SEED, "exam")
    return [studio.draw(rng, 0.6) for _ in range(240)]


def export(reader: Reader, path: Path) -> None:
    """The network as ONNX: input `grey` (1, 1, 32, width), output `chances` (1, width / 2, 37)."""
    to_onnx(Exported(reader.eval()), path, HEIGHT, {"chances": {0: "lines", 1: "steps"}})


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="training.recogniser", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="minutes of processor time to train in all")
    parser.add_argument("--out", type=Path, default=Path("out/recogniser"), help="where the checkpoint lies")
    parser.add_argument("--fonts", type=Path, action="append", default=[], help="a folder of further fonts (OCRA.ttf)")
    parser.add_argument("--export", type=Path, help="write the checkpoint's network as ONNX instead of training")
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    course = Course(given.out, given.minutes, given.fonts)
    if given.export is not None:
        export(course.reader, given.export)
    else:
        course.run()


if __name__ == "__main__":
    main()
