"""Trains the judge of twins (zero and O, one and I) on single characters of practice lines, and exports it.

    python -m training.twins --lines 26000 [--fonts FOLDER] [--out out/twins]     draw, train, tell how it does
    python -m training.twins --again 26000 --lines 20000                          go on with lines from this number on
    python -m training.twins --export resources/models/twins.onnx
    python -m training.twins --weigh 4000                                         fit the weights of app/vision/twins.py

The lines hold letters and digits mixed, a third of them twins, so that nothing but the print tells a zero from an O.
Characters are cut out where our recogniser, told the text, places them.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterable, Iterator
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
from app.rehearsal.lines import LineStudio
from app.rehearsal.typefaces import load_faces
from app.vision.closeup import close_up, even_out, widen
from app.vision.codes import CodeReader
from app.vision.decode import decode_views, places_of
from app.vision.fuse import fuse
from app.vision.twinjudge import HEIGHT, KINDS, WIDTH, TwinJudge, windows
from app.vision.twins import PAIRS, Sight, features, line_of

SEED = 20_263
HELD_OUT_SEED, WEIGH_SEED = 30_263, 40_263
BATCH = 128
EPOCHS = 4
LEARNING_RATE = 2e-3
TWIN_SHARE = 0.35
OTHERS = 0.12
"""Share of the other glyphs that are shown too, so that the network knows what is none of the twins."""

ALIKE = "DQCGU8LJ7T"
"""Of these, which look like twins, all are shown."""

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
    """(batch, 1, HEIGHT, WIDTH) standardised grey to logits of KINDS and "another" (batch, 5). About 80,000 weights."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _conv(1, 12, 3, (2, 2)),
            _conv(12, 24, 3, (2, 2)),
            _conv(24, 40, 3, (2, 1)),
            nn.Conv2d(40, 48, (4, 3), 1, (0, 1), bias=False),
            nn.BatchNorm2d(48),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Dropout(0.15),
            nn.Linear(48 * (WIDTH // 4), 48),
            nn.ReLU(inplace=True),
            nn.Linear(48, len(KINDS) + 1),
        )

    def forward(self, window: Tensor) -> Tensor:
        return self.body(window)  # type: ignore[no-any-return]


def _conv(ins: int, outs: int, side: int, stride: tuple[int, int]) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(ins, outs, side, stride, side // 2, bias=False), nn.BatchNorm2d(outs), nn.ReLU(inplace=True)
    )


class Exported(nn.Module):
    """What the product runs: a window (1, 1, HEIGHT, WIDTH) 0..255 in, the probabilities (1, 5) out."""

    def __init__(self, net: TwinNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, window: Tensor) -> Tensor:
        return torch.softmax(self.net(standardised(window)), dim=1)


def standardised(window: Tensor) -> Tensor:
    """Windows 0..255 to mean 0 and deviation about 1."""
    mean = window.mean(dim=(2, 3), keepdim=True)
    spread = (window - mean).pow(2).mean(dim=(2, 3), keepdim=True).sqrt()
    return (window - mean) / (spread + 4.0)


@dataclass(frozen=True)
class Drawn:
    """Characters cut from lines: `windows` uint8 (n, HEIGHT, WIDTH), `kinds` their place in KINDS, 4 for another."""

    windows: Pixels
    kinds: Pixels


def mixed_text(rng: np.random.Generator) -> str:
    """6 to 18 letters and digits as printed, a third of them twins."""
    length = int(rng.integers(6, 19))
    signs = [pick(rng, KINDS) if chance(rng, TWIN_SHARE) else pick(rng, DIGITS + LATIN) for _ in range(length)]
    size, mark = (4 if chance(rng, 0.8) else 5), ("-" if chance(rng, 0.3) else " ")
    groups = ["".join(signs[at : at + size]) for at in range(0, length, size)]
    return mark.join(groups) if chance(rng, 0.6) else "".join(signs)


def draw(studio: LineStudio, codes: CodeReader, seed: int, lines: Iterable[int]) -> Drawn:
    """The characters of so many lines, each from a stream of its own."""
    cut: list[Pixels] = []
    kinds: list[int] = []
    for number in lines:
        for window, kind in _characters(studio, codes, stream(seed, "line", number)):
            cut.append(np.clip(window, 0, 255).astype(np.uint8))
            kinds.append(kind)
    return Drawn(np.stack(cut), np.array(kinds))


def _characters(studio: LineStudio, codes: CodeReader, rng: np.random.Generator) -> Iterator[tuple[Pixels, int]]:
    line = studio.draw(rng, between(rng, 0.1, 1.0), text=mixed_text(rng))
    picture = np.repeat(line.picture[..., None], 3, 2)
    view = codes.read([close_up(picture, 0.82)])[0]
    places = places_of(view, line.text)
    chosen = [(at, glyph) for at, glyph in zip(places, line.text, strict=True) if _is_shown(rng, glyph)]
    for window, (_, glyph) in zip(windows(picture, [at for at, _ in chosen]), chosen, strict=True):
        yield window, KINDS.index(glyph) if glyph in KINDS else len(KINDS)


def _is_shown(rng: np.random.Generator, glyph: str) -> bool:
    return glyph in KINDS or glyph in ALIKE or chance(rng, OTHERS)


def train(net: TwinNet, drawn: Drawn, seconds: float) -> TwinNet:
    """Learns for EPOCHS rounds, or until the processor seconds are spent; windows shifted and mirrored in lightness."""
    torch.manual_seed(SEED)
    net = net.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=0.02)
    pictures, kinds = torch.from_numpy(drawn.windows), torch.from_numpy(drawn.kinds)
    rng = stream(SEED, "order")
    steps, step, began = EPOCHS * (len(kinds) // BATCH), 0, time.process_time()
    loss_mean = 1.0
    for _ in range(EPOCHS):
        order = rng.permutation(len(kinds))
        for at in range(0, len(order) - BATCH + 1, BATCH):
            done = max(step / steps, (time.process_time() - began) / seconds)
            if done >= 1:
                return net.eval()
            for group in optimiser.param_groups:
                group["lr"] = LEARNING_RATE * min(1.0, step / 100 + 0.01) * (0.5 + 0.5 * math.cos(math.pi * done))
            chosen = torch.from_numpy(order[at : at + BATCH])
            loss = _learn(net, optimiser, rng, pictures[chosen], kinds[chosen])
            loss_mean += (loss - loss_mean) / 100
            step += 1
            if step % 300 == 0:
                print(f"{step} of {steps}, {time.process_time() - began:.0f} s, loss {loss_mean:.4f}", flush=True)
    return net.eval()


def _learn(
    net: TwinNet, optimiser: torch.optim.Optimizer, rng: np.random.Generator, pictures: Tensor, kinds: Tensor
) -> float:
    shifted = torch.roll(pictures.float()[:, None], (int(rng.integers(-1, 2)), int(rng.integers(-2, 3))), (2, 3))
    if chance(rng, 0.3):
        shifted = 255 - shifted
    net.train()
    with torch.autocast("cpu", torch.bfloat16):
        told = net(standardised(shifted).contiguous(memory_format=torch.channels_last))
    loss = nn.functional.cross_entropy(told.float(), kinds, label_smoothing=0.005)
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(net.parameters(), 2.0)
    optimiser.step()
    return loss.item()


@torch.no_grad()
def tell(net: TwinNet, drawn: Drawn) -> None:
    """Print how well the twins are told in characters of held-out faces."""
    chances = [
        torch.softmax(net(standardised(torch.from_numpy(part).float()[:, None])), 1)
        for part in np.array_split(drawn.windows, max(1, len(drawn.windows) // 500))
    ]
    told = torch.cat(chances).numpy()
    for pair in (0, 2):
        of_pair = (drawn.kinds // 2 == pair // 2) & (drawn.kinds < len(KINDS))
        odds = np.log((told[of_pair, pair] + 1e-5) / (told[of_pair, pair + 1] + 1e-5))
        right = (odds > 0) == (drawn.kinds[of_pair] == pair)
        for least in (0, 2, 3, 4, 5):
            sure = np.abs(odds) >= least
            print(f"{KINDS[pair : pair + 2]} from {least}: {sure.sum()} of {len(odds)}, wrong {(sure & ~right).sum()}")


def export(net: TwinNet, path: Path) -> None:
    """The network as ONNX."""
    window = torch.zeros(1, 1, HEIGHT, WIDTH)
    torch.onnx.export(Exported(net.eval()), (window,), str(path), dynamo=False, input_names=["window"])


def weigh(lines: int, fonts: list[Path]) -> None:
    """Fit on lines in held-out faces what `app.vision.twins` weighs, and print it with what it gets wrong."""
    held_out = tuple(f for f in load_faces(SEED, fonts) if f.held_out)
    codes, judge = CodeReader(), TwinJudge()
    rows: dict[str, list[tuple[tuple[float, ...], bool, str]]] = {pair: [] for pair in PAIRS}
    for number in range(lines):
        face = held_out[number % len(held_out)]
        studio = LineStudio((face,), WEIGH_SEED)
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
        for least in (2.5, 3.0, 3.25, 3.5, 4.0, 4.5, 5.0):
            sure, wrong = np.abs(unseen) >= least, (unseen > 0) != truth
            print(f"  from {least}: {sure.sum()} sure, {(sure & wrong).sum()} wrong", sorted(set(faces[sure & wrong])))


def _weighed(
    studio: LineStudio, family: str, codes: CodeReader, judge: TwinJudge, number: int
) -> Iterator[tuple[str, tuple[float, ...], bool]]:
    """Per twin of a line its pair, its features and whether it is the first of the pair; none where it is misread."""
    rng = stream(WEIGH_SEED, "line", number)
    kind = pick(rng, KINDS_OF_FAMILY[family])
    line = studio.draw(rng, between(rng, 0.1, 1.0), kind, text=mixed_text(rng))
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
    parser = argparse.ArgumentParser(prog="training.twins", description=__doc__)
    parser.add_argument("--lines", type=int, default=26_000)
    parser.add_argument("--again", type=int, default=0, help="go on with the kept network and lines from this number")
    parser.add_argument("--minutes", type=float, default=15.0, help="processor minutes of learning at most")
    parser.add_argument("--out", type=Path, default=Path("out/twins"))
    parser.add_argument("--fonts", type=Path, action="append", default=[], help="a folder of further fonts")
    parser.add_argument("--weigh", type=int, default=0, help="fit the weights on so many lines instead of training")
    parser.add_argument("--export", type=Path, help="write the network as ONNX instead of training")
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    kept = given.out / "network.pt"
    if given.weigh:
        weigh(given.weigh, given.fonts)
        return
    if given.export is not None:
        net = TwinNet()
        net.load_state_dict(torch.load(kept, weights_only=True))
        export(net, given.export)
        return
    given.out.mkdir(parents=True, exist_ok=True)
    faces, codes = load_faces(SEED, given.fonts), CodeReader()
    numbers = range(given.again, given.again + given.lines)
    drawn = draw(LineStudio(tuple(f for f in faces if not f.held_out), SEED), codes, SEED, numbers)
    print(f"{len(drawn.kinds)} characters of {given.lines} lines", flush=True)
    net = TwinNet()
    if given.again:
        net.load_state_dict(torch.load(kept, weights_only=True))
    net = train(net, drawn, given.minutes * 60)
    torch.save(net.state_dict(), kept)
    held_out = LineStudio(tuple(f for f in faces if f.held_out), HELD_OUT_SEED)
    tell(net, draw(held_out, codes, HELD_OUT_SEED, range(1500)))


if __name__ == "__main__":
    main()
