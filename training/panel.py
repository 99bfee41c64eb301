"""Trains the panel finder on practice cards, exports it, and tells how well it sees held-out ones.

    python -m training.panel --batches 1500 [--out out/panel] [--workers 2]    train, or go on
    python -m training.panel --export resources/models/panel.onnx
    python -m training.panel --measure                           share of pixels told right, held-out cards

Each batch comes from a stream of its own, so that a stopped run goes on with the next one and no picture is seen twice.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from app.rehearsal.dice import stream
from app.rehearsal.panels import HEIGHT, WIDTH, draw_flat, photograph
from training import course
from training.course import Lessons, Plan
from training.network import Residual

SEED = 20_261
CARDS, PICTURES = 4, 4
"""A batch: cards, and pictures of each."""
LEARNING_RATE = 3e-3
KEEP_EVERY = 25
HELD_OUT = 10_000_000
"""Flat cards from this seed on are never trained on."""

Pixels = NDArray[Any]
Batch = tuple[Tensor, Tensor]


def _down(ins: int, outs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(ins, outs, 3, stride, 1, bias=False), nn.BatchNorm2d(outs), nn.ReLU(inplace=True))


class PanelNet(nn.Module):
    """(batch, 3, HEIGHT, WIDTH) BGR 0..255 to logits of elsewhere, coat, open at half that size. 31,000 weights."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.second, self.third = _down(3, 12, 2), _down(12, 16, 2), _down(16, 24, 2)
        self.middle = Residual(16, (3, 3))
        self.wide = nn.Sequential(_Wide(24, 1), _Wide(24, 3), _Wide(24, 5))
        self.narrow, self.blend = nn.Conv2d(24, 16, 1), _down(16, 16, 1)
        self.across, self.last = nn.Conv2d(12, 16, 1), _down(16, 12, 1)
        self.head = nn.Conv2d(12, 3, 1)

    def forward(self, picture: Tensor) -> Tensor:
        fine = self.stem(picture / 64 - 2)
        mid = self.middle(self.second(fine))
        deep = self.narrow(self.wide(self.third(mid)))
        mid = self.blend(mid + nn.functional.interpolate(deep, size=mid.shape[2:], mode="nearest"))
        fine = self.across(fine) + nn.functional.interpolate(mid, size=fine.shape[2:], mode="nearest")
        out: Tensor = self.head(self.last(fine))
        return out


class _Wide(nn.Module):
    """A dilated convolution beside a straight path."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, 1, dilation, dilation, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.norm(self.conv(x)))


class Exported(nn.Module):
    """What the product runs: a picture (1, HEIGHT, WIDTH, 3) BGR 0..255 in, probabilities (1, 3, …) out."""

    def __init__(self, net: PanelNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, picture: Tensor) -> Tensor:
        return torch.softmax(self.net(picture.permute(0, 3, 1, 2)), dim=1)


class Batches(torch.utils.data.Dataset[Batch]):
    """Batch `number`, from a stream of its own: some flat cards never drawn before, each seen in several pictures."""

    def __init__(self, first: int) -> None:
        self._first = first

    def __len__(self) -> int:
        return 1_000_000

    def __getitem__(self, at: int) -> Batch:
        cv2.setNumThreads(1)
        number = self._first + at
        rng = stream(SEED, "panel-batch", number)
        flats = [draw_flat(number * CARDS + i) for i in range(CARDS)]
        return _stacked([photograph(rng, flat) for flat in flats for _ in range(PICTURES)])


def _stacked(pictures: list[tuple[Pixels, Pixels]]) -> Batch:
    seen = np.stack([p for p, _ in pictures]).transpose(0, 3, 1, 2).astype(np.float32)
    return torch.from_numpy(seen), torch.from_numpy(np.stack([k for _, k in pictures]).astype(np.int64))


def train(out: Path, batches: int, workers: int) -> None:
    """Train up to `batches` in all; goes on where the checkpoint in `out` stands."""
    net = PanelNet()
    optimiser = torch.optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=1e-4)

    def drawn(first: int) -> torch.utils.data.DataLoader[Batch]:
        return torch.utils.data.DataLoader(Batches(first), batch_size=None, num_workers=workers)

    def learn(batch: Batch, _number: int) -> float:
        pictures, kinds = batch
        net.train()
        told = net(pictures.contiguous(memory_format=torch.channels_last))
        return course.step(net, optimiser, nn.functional.cross_entropy(told, kinds, torch.tensor([1.0, 2.0, 2.0])))

    course.train(out, net, optimiser, Plan(batches, LEARNING_RATE, KEEP_EVERY), Lessons(drawn, learn))


def export(out: Path, path: Path) -> None:
    """Write the network as ONNX."""
    picture = torch.zeros(1, HEIGHT, WIDTH, 3)
    torch.onnx.export(
        Exported(course.trained(out, PanelNet())), (picture,), str(path), dynamo=False, input_names=["picture"]
    )


def measure(out: Path, cards: int = 150) -> Pixels:
    """Confusion of pixels (truth by row, told by column) on held-out cards."""
    net, counts = course.trained(out, PanelNet()), np.zeros((3, 3), np.int64)
    for at in range(cards):
        pictures, kinds = _stacked([photograph(stream(SEED, "held-out", at), draw_flat(HELD_OUT + at))])
        with torch.no_grad():
            told = net(pictures).argmax(dim=1)
        np.add.at(counts, (kinds.numpy().ravel(), told.numpy().ravel()), 1)
    return counts


def main() -> None:
    """Command line."""
    parser = course.options("train the panel finder", Path("out/panel"), batches=1500, workers=2)
    parser.add_argument("--measure", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if chosen.export is not None:
        export(chosen.out, chosen.export)
    elif chosen.measure:
        counts = measure(chosen.out)
        print(counts, (counts / counts.sum(axis=1, keepdims=True)).round(3), sep="\n")
    else:
        train(chosen.out, chosen.batches, chosen.workers)


if __name__ == "__main__":
    main()
