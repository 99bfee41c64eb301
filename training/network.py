"""The recogniser's network: a small convolutional CTC reader of grey lines 32 pixels high, any width.

Height is folded away by strides, time keeps a quarter of the width; each step then answers for its left and its right
half, so that narrow glyphs and doubled ones have steps enough (8 steps for 16 pixels).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

CLASSES = 37
"""CTC's blank first, then 0-9 and A-Z."""

HEIGHT = 32
STRIDE = 2


def conv(ins: int, outs: int, kernel: tuple[int, int], stride: tuple[int, int] = (1, 1)) -> nn.Sequential:
    """A convolution with its norm; pictures keep their size but for the stride and an even kernel's height."""
    pad = (kernel[0] // 2 if kernel[0] % 2 else 0, kernel[1] // 2)
    return nn.Sequential(
        nn.Conv2d(ins, outs, kernel, stride, pad, bias=False), nn.BatchNorm2d(outs), nn.ReLU(inplace=True)
    )


class Residual(nn.Module):
    """Two convolutions beside a straight path."""

    def __init__(self, channels: int, kernel: tuple[int, int], dilation: int = 1) -> None:
        super().__init__()
        pad = (kernel[0] // 2, kernel[1] // 2 * dilation)
        self.first = nn.Conv2d(channels, channels, kernel, 1, pad, (1, dilation), bias=False)
        self.second = nn.Conv2d(channels, channels, kernel, 1, (kernel[0] // 2, kernel[1] // 2), bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)])
        nn.init.zeros_(self.norms[1].weight)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norms[0](self.first(x)))
        return torch.relu(x + self.norms[1](self.second(y)))


class Reader(nn.Module):
    """(batch, 1, 32, width) of standardised grey to (batch, width / 2, CLASSES) logits; width a multiple of 4."""

    def __init__(self, base: int = 32) -> None:
        super().__init__()
        wide = base * 6
        self.body = nn.Sequential(
            conv(1, base, (3, 3), (2, 2)),
            conv(base, base * 2, (3, 3), (2, 2)),
            Residual(base * 2, (3, 3)),
            conv(base * 2, base * 3, (3, 3), (2, 1)),
            Residual(base * 3, (3, 3)),
            conv(base * 3, wide, (4, 3)),
            Residual(wide, (1, 5)),
            Residual(wide, (1, 5), 2),
            nn.Dropout(0.1),
        )
        self.head = nn.Conv2d(wide, CLASSES * 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.head(self.body(x))[:, :, 0]
        batch, _, steps = y.shape
        return y.reshape(batch, 2, CLASSES, steps).permute(0, 3, 1, 2).reshape(batch, steps * 2, CLASSES)


class Exported(nn.Module):
    """What the product runs: grey lines 0..255 in, probabilities out; each line is standardised inside."""

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self.reader = reader

    def forward(self, grey: Tensor) -> Tensor:
        return torch.softmax(self.reader(standardised(grey)), dim=2)


def standardised(grey: Tensor) -> Tensor:
    """(batch, 1, 32, width) grey 0..255 to mean 0 and deviation about 1 for each line."""
    mean = grey.mean(dim=(2, 3), keepdim=True)
    spread = (grey - mean).pow(2).mean(dim=(2, 3), keepdim=True).sqrt()
    return (grey - mean) / (spread + 4.0)


def to_onnx(net: nn.Module, path: Path, height: int, answers: dict[str, dict[int, str]]) -> None:
    """A network of lines as ONNX: input `grey` (lines, 1, height, width), its outputs and their axes as named."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        net,
        (torch.zeros(1, 1, height, 320),),
        str(path),
        input_names=["grey"],
        output_names=list(answers),
        dynamic_axes={"grey": {0: "lines", 3: "width"}, **answers},
        opset_version=17,
        dynamo=False,
    )
