"""Trains the judge of openings on practice panels, exports it, and tells how it does on held-out cards.

    python -m training.opening --batches 1000 [--out out/opening] [--workers 1]    train, or go on
    python -m training.opening --export resources/models/opening.onnx
    python -m training.opening --measure                                  missed and alarmed, held-out cards

Each batch comes from a stream of its own, so that a stopped run goes on with the next one; it is learned together with
one of the batches before it, mirrored.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from app.rehearsal.dice import stream
from app.vision.panel.finder import PanelFinder
from app.vision.panel.opening import HEIGHT, WIDTH
from training import course
from training.course import Lessons, Plan
from training.openings import PracticeOpening, draw_openings

SEED = 20_262
CARDS, STATES, PICTURES = 2, 3, 4
"""A batch: cards, states of each one's panel, and pictures of each state."""

LEARNING_RATE = 3e-3
KEEP_EVERY = 20
REMEMBERED = 160
"""Batches that are kept to be learned once more."""

HELD_OUT = 20_000_000
"""Cards from this seed on are never trained on."""

Batch = tuple[Tensor, Tensor, Tensor]


class OpeningNet(nn.Module):
    """(batch, 5, HEIGHT, WIDTH) 0..255 to logits: of a hidden character along the panel (batch, WIDTH / 4), and of any
    in it (batch). 91,000 weights."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(_conv(5, 16, (3, 3), 2), _conv(16, 24, (3, 3), 2))
        self.near = nn.Sequential(_Path2d(24), _Path2d(24))
        self.fold = nn.Sequential(_conv(24, 32, (3, 3), (2, 1)), nn.Conv2d(32, 48, (7, 1), bias=False))
        self.norm = nn.BatchNorm1d(48)
        self.along = nn.Sequential(*(_Path1d(48, dilation) for dilation in (1, 2, 4, 8, 1)))
        self.each = nn.Conv1d(48, 1, 1)
        self.whole = nn.Sequential(nn.Dropout(0.1), nn.Linear(96, 1))

    def forward(self, panel: Tensor) -> tuple[Tensor, Tensor]:
        y = self.fold(self.near(self.stem(panel / 64 - 2)))[:, :, 0]
        y = self.along(torch.relu(self.norm(y)))
        pooled = torch.cat([y.amax(dim=2), y.mean(dim=2)], dim=1)
        return self.each(y)[:, 0], self.whole(pooled)[:, 0]


def _conv(ins: int, outs: int, kernel: tuple[int, int], stride: int | tuple[int, int]) -> nn.Sequential:
    pad = (kernel[0] // 2, kernel[1] // 2)
    return nn.Sequential(
        nn.Conv2d(ins, outs, kernel, stride, pad, bias=False), nn.BatchNorm2d(outs), nn.ReLU(inplace=True)
    )


class _Path2d(nn.Module):
    """A convolution beside a straight path."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.norm(self.conv(x)))


class _Path1d(nn.Module):
    """A dilated convolution along the panel beside a straight path."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 5, 1, 2 * dilation, dilation, bias=False)
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.norm(self.conv(x)))


class Exported(nn.Module):
    """What the product runs: a panel (1, HEIGHT, WIDTH, 5) 0..255 in; the probability of any hidden character (1), and
    of one at each stretch (1, WIDTH / 4), out."""

    def __init__(self, net: OpeningNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, panel: Tensor) -> tuple[Tensor, Tensor]:
        each, whole = self.net(panel.permute(0, 3, 1, 2))
        return torch.sigmoid(whole), torch.sigmoid(each)


class Batches(torch.utils.data.Dataset[Batch]):
    """Batch `number`, from a stream of its own."""

    def __init__(self, first: int) -> None:
        self._first = first
        self._finder: PanelFinder | None = None

    def __len__(self) -> int:
        return 1_000_000

    def __getitem__(self, at: int) -> Batch:
        cv2.setNumThreads(1)
        self._finder = self._finder or PanelFinder()  # in the worker: a compiled network cannot be handed over
        number = self._first + at
        drawn: list[PracticeOpening] = []
        for card in range(CARDS):
            drawn += draw_openings(number * CARDS + card, self._finder, STATES, PICTURES)
        return stacked(drawn)


def stacked(drawn: list[PracticeOpening]) -> Batch:
    """Pictures (n, 5, HEIGHT, WIDTH) uint8, hidden stretches, and whether any is hidden."""
    if not drawn:
        return torch.zeros(0, 5, HEIGHT, WIDTH, dtype=torch.uint8), torch.zeros(0, WIDTH // 4), torch.zeros(0)
    pictures = np.stack([one.picture for one in drawn]).transpose(0, 3, 1, 2)
    hidden = np.stack([one.hidden for one in drawn])
    closed = np.array([one.closed for one in drawn], np.float32)
    return torch.from_numpy(np.ascontiguousarray(pictures)), torch.from_numpy(hidden), torch.from_numpy(closed)


def train(out: Path, batches: int, workers: int) -> None:
    """Train up to `batches` in all; goes on where the checkpoint in `out` stands."""
    net = OpeningNet()
    optimiser = torch.optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=1e-3)
    remembered: list[Batch] = []

    def drawn(first: int) -> torch.utils.data.DataLoader[Batch]:
        return torch.utils.data.DataLoader(Batches(first), batch_size=None, num_workers=workers, prefetch_factor=8)

    def learn(batch: Batch, number: int) -> float | None:
        rng = stream(SEED, "again", number)
        again = [remembered[int(rng.integers(len(remembered)))]] if remembered else []
        if not len(batch[0]):
            return None
        loss = _learn(net, optimiser, rng, [batch, *again])
        remembered[:] = [*remembered[-REMEMBERED:], batch]
        return loss

    course.train(out, net, optimiser, Plan(batches, LEARNING_RATE, KEEP_EVERY), Lessons(drawn, learn))


def _learn(net: OpeningNet, optimiser: torch.optim.Optimizer, rng: np.random.Generator, batches: list[Batch]) -> float:
    """One step over a new batch and an old one, the old one mirrored; gives the loss."""
    net.train()
    mirrored = [(p.flip(3), h.flip(1), c) for p, h, c in batches[1:]]
    pictures, hidden, closed = (torch.cat(part) for part in zip(batches[0], *mirrored, strict=True))
    tint = torch.ones(len(pictures), 5, 1, 1)
    tint[:, :3] = torch.from_numpy(rng.normal(1.0, 0.08, (len(pictures), 3, 1, 1)).astype(np.float32))
    each, whole = net((pictures.float() * tint).contiguous(memory_format=torch.channels_last))
    loss = nn.functional.binary_cross_entropy_with_logits(whole, closed)
    loss = loss + nn.functional.binary_cross_entropy_with_logits(each, hidden)
    return course.step(net, optimiser, loss)


def export(out: Path, path: Path) -> None:
    """Write the network as ONNX."""
    panel = torch.zeros(1, HEIGHT, WIDTH, 5)
    torch.onnx.export(
        Exported(course.trained(out, OpeningNet())), (panel,), str(path), dynamo=False, input_names=["panel"]
    )


def measure(out: Path, cards: int) -> None:
    """For some thresholds how many open panels are called closed, and how many with something hidden open."""
    net, finder = course.trained(out, OpeningNet()), PanelFinder()
    chances: list[float] = []
    truth: list[bool] = []
    for card in range(cards):
        drawn = draw_openings(HELD_OUT + card, finder, 3, 1)
        pictures, _, closed = stacked(drawn)
        with torch.no_grad():
            chances += torch.sigmoid(net(pictures.float())[1]).tolist()
        truth += [bool(c) for c in closed]
    chance, hidden = np.array(chances), np.array(truth)
    for doubt in (0.03, 0.05, 0.1, 0.2, 0.3, 0.5):
        alarms, missed = chance[~hidden] > doubt, chance[hidden] <= doubt
        print(f"{doubt}: {alarms.sum()} of {len(alarms)} open called closed, {missed.sum()} of {len(missed)} missed")


def main() -> None:
    """Command line."""
    parser = course.options("train the judge of openings", Path("out/opening"), batches=1000, workers=1)
    parser.add_argument("--measure", type=int, default=0)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if chosen.export is not None:
        export(chosen.out, chosen.export)
    elif chosen.measure:
        measure(chosen.out, chosen.measure)
    else:
        train(chosen.out, chosen.batches, chosen.workers)


if __name__ == "__main__":
    main()
