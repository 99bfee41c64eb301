"""Practice lines for the recogniser: single lines of numbers and PINs as a camera and a line finder hand them over.

Several hundred a second on one core, against a few whole pictures: masks come from `typefaces`, noise from tiles drawn
once. The order is that of the world: print or relief, wear, coating and scratches, lens, sensor, JPEG, the crop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from app.rehearsal.content import ALPHABETS
from app.rehearsal.dice import between, chance, pick, stream
from app.rehearsal.errors import FontMissing
from app.rehearsal.lettering import plain_text
from app.rehearsal.typefaces import ABOVE, BELOW, CAP, Face, heavier, set_text

Pixels = npt.NDArray[Any]

HEIGHT = 32
"""Height of a finished line, pixels."""

KINDS = ("mono", "sans", "serif", "light", "ocr", "dot", "thermal", "emboss")
STATES = ("plain", "residue", "over", "worn")

_KIND_ODDS = (0.18, 0.12, 0.03, 0.1, 0.15, 0.23, 0.06, 0.13)
_FAMILY = {"light": ("mono", "sans"), "thermal": ("mono", "sans"), "emboss": ("ocr", "mono", "sans")}
_LABELS = (
    *("卡号:", "卡号", "NO.", "No.", "Card No.", "序列号:", "账号:", "SN:"),
    *("密码:", "密 码", "卡密", "兑换码:", "充值密码", "PIN:", "Code:", "激活码:"),
)
_TILE = 1400
_EDGE = CAP  # bare card around a line, from which crooked crops are cut


@dataclass(frozen=True, slots=True, repr=False)
class PracticeLine:
    """`picture` uint8 grey; `text` letters and digits only; `kind` one of KINDS, `state` one of STATES; `face`: its
    name.
    """

    picture: Pixels
    text: str
    kind: str
    state: str
    face: str


class LineStudio:
    """Draws practice lines `height` pixels high, of kinds that the faces (at least one) can draw; FontMissing where
    another is asked for. `hardness` 0..1 scales everything that makes a line hard to read.
    """

    def __init__(self, faces: tuple[Face, ...], seed: int, height: int = HEIGHT) -> None:
        self._height = height
        self._families: dict[str, list[Face]] = {}
        for face in faces:
            variants = [face] if face.family == "dot" else [face, heavier(face, 1)]
            self._families.setdefault(face.family, []).extend(variants)
        able = [any(family in self._families for family in _FAMILY.get(kind, (kind,))) for kind in KINDS]
        odds = np.array(_KIND_ODDS) * able
        self._odds = odds / odds.sum()  # a system without some fonts draws the other kinds more often
        self._labels = _label_masks()
        rng = stream(seed, "tiles")
        self._clouds = {grain: _cloud_tile(rng, grain) for grain in (1.0, 3.0, 7.0, 16.0)}
        self._streaks = _standard(cv2.GaussianBlur(self._clouds[1.0], (0, 0), sigmaX=18, sigmaY=1.0))
        self._motions = [_motion(between(rng, 0, np.pi), length) for length in (2, 2.5, 3, 3.5, 4, 5) for _ in range(8)]

    def draw(
        self, rng: np.random.Generator, hardness: float = 1.0, kind: str = "", state: str = "", text: str = ""
    ) -> PracticeLine:
        """One line; `kind`, `state` and `text` as it is printed are left to chance when empty."""
        kind = kind or str(rng.choice(KINDS, p=self._odds))
        state = state or str(rng.choice(STATES, p=(0.52, 0.22, 0.12, 0.14)))
        printed = text or draw_text(rng)
        families = [f for f in _FAMILY.get(kind, (kind,)) if f in self._families]
        if not families:
            raise FontMissing("font.missing", f"{kind} (Debian package fonts-dejavu-core)")
        face = pick(rng, self._families[pick(rng, families)])
        mask, label = self._mask(rng, face, printed, kind)
        panel = state in ("residue", "over")  # below a panel cards are light
        card = self._card(rng, mask.shape, kind, 0.92 if panel else 0.7)
        card = self._print(rng, card, mask, kind, state, hardness)
        if label is not None:
            card += ((20.0 if card[:4].mean() > 110 else 235.0) - card) * (label * between(rng, 0.5, 0.95))
        card = self._covered(rng, card, mask, state, hardness)
        picture = self._seen(rng, card, mask.shape, hardness)
        return PracticeLine(picture, "".join(s for s in printed if s.isalnum()), kind, state, face.name)

    def _mask(self, rng: np.random.Generator, face: Face, printed: str, kind: str) -> tuple[Pixels, Pixels | None]:
        """Ink 0..1 with bare card around it, and that of a caption left of it, if any; neighbours may reach in."""
        line = set_text(face, printed, between(rng, 0.92, 1.12), between(rng, 0.5, 1.1))
        if kind == "thermal":
            line = _thermal(rng, line)
        caption = self._caption(rng) if self._labels and chance(rng, 0.3) else None
        start = _EDGE + (0 if caption is None else caption.shape[1])
        mask = np.zeros((line.shape[0] + 2 * _EDGE, line.shape[1] + start + _EDGE), np.float32)
        mask[_EDGE:-_EDGE, start:-_EDGE] = line
        label = None
        if caption is not None:
            label = np.zeros_like(mask)
            label[_EDGE:-_EDGE, _EDGE:start] = caption
        if chance(rng, 0.18):
            _add_neighbour(rng, mask, set_text(face, draw_text(rng)))
        return mask / 255, None if label is None else label / 255

    def _caption(self, rng: np.random.Generator) -> Pixels:
        """A label as high as a line, level with its middle, cut off at a place of chance, with a gap after it."""
        words = pick(rng, self._labels)
        words = words[:, int(rng.integers(words.shape[1])) if chance(rng, 0.4) else 0 :]
        height, high = ABOVE + CAP + BELOW, words.shape[0]
        gap = round(CAP * between(rng, 0.25, 1.1))
        out = np.zeros((height, words.shape[1] + gap), np.float32)
        top = ABOVE + (CAP - high) // 2 + int(rng.integers(-3, 4))
        low, first = max(top, 0), max(-top, 0)
        rows = words[first : first + height - low]
        out[low : low + rows.shape[0], : words.shape[1]] = rows
        return out

    def _card(self, rng: np.random.Generator, shape: tuple[int, ...], kind: str, light: float) -> Pixels:
        """The ground: light or dark, sloping, slightly rough, sometimes with the edge of a motif through it."""
        height, width = shape
        tone = between(rng, 120, 252) if chance(rng, light) else between(rng, 30, 130)
        slope = np.linspace(0, between(rng, -18, 18), width, dtype=np.float32)[None, :]
        card = tone + slope + self._tile(rng, shape, 1.0) * between(rng, 0, 2.5) + self._tile(rng, shape, 16.0) * 1.5
        if chance(rng, 0.12 if kind != "emboss" else 0.3):
            x, lean = rng.uniform(0, width), between(rng, -1.2, 1.2)
            columns = np.arange(width, dtype=np.float32)[None, :]
            rows = np.arange(height, dtype=np.float32)[:, None]
            card = card + between(rng, -28, 28) * np.clip(columns - x - lean * rows, 0, 1)
        return np.asarray(card, np.float32)

    def _print(
        self, rng: np.random.Generator, card: Pixels, mask: Pixels, kind: str, state: str, hardness: float
    ) -> Pixels:
        """Ink or relief; worn print has lost flakes and whole strokes grow pale."""
        if state == "worn":
            flakes = np.clip((self._tile(rng, mask.shape, pick(rng, (3.0, 7.0))) - between(rng, 0.7, 1.6)) * 2, 0, 1)
            pale = np.clip(self._tile(rng, mask.shape, 16.0) * 0.25, 0, 0.5)
            mask = mask * (1 - flakes * between(rng, 0.5, 0.95) * max(hardness, 0.3)) * (1 - pale)
        if kind == "emboss":
            return _relief(rng, card, mask)
        ground = float(card[:4].mean())
        light = kind == "light" or chance(rng, 0.12)
        gap = between(rng, 32, 80) if light else between(rng, 90, 220)
        ink = ground - gap if ground > 125 else ground + gap
        card += (float(np.clip(ink, 8, 250)) - card) * (mask * between(rng, 0.85, 1.0))
        return card

    def _covered(self, rng: np.random.Generator, card: Pixels, mask: Pixels, state: str, hardness: float) -> Pixels:
        """What a panel and its scratching leave: film and crumbs, gouges, the ragged edge of the coating."""
        shape, tone = mask.shape, between(rng, 118, 185)
        if state == "residue":
            coat = self._film(rng, shape, hardness)
            card += (tone + self._tile(rng, shape, 3.0) * 6 - card) * coat
        if state == "over":
            card += (between(rng, 205, 252) - card) * self._gouges(rng, shape, hardness)
        if state in ("residue", "over") or chance(rng, 0.2):
            card += (tone + self._tile(rng, shape, 3.0) * 6 - card) * self._rim(rng, shape)
        if chance(rng, 0.12):
            self._hairlines(rng, card)
        return card

    def _film(self, rng: np.random.Generator, shape: tuple[int, ...], hardness: float) -> Pixels:
        most = 0.3 + 0.36 * hardness
        grain = pick(rng, (3.0, 7.0, 7.0, 16.0))
        blots = np.clip(self._tile(rng, shape, grain) - between(rng, 0.5, 1.2), 0, 1) * between(rng, 0.5, 1.0)
        lines = np.clip(self._patch(rng, self._streaks, shape) - between(rng, 0.9, 1.6), 0, 1) * between(rng, 0.2, 0.6)
        return np.asarray(np.clip(blots + lines, 0, most), np.float32)

    def _gouges(self, rng: np.random.Generator, shape: tuple[int, ...], hardness: float) -> Pixels:
        canvas = np.zeros(shape, np.uint8)
        for _ in range(int(shape[1] / CAP * between(rng, 0.4, 0.9 + 0.9 * hardness))):
            x, slant = rng.uniform(0, shape[1]), rng.normal(0, CAP * 0.6)
            ends = (round(x), _EDGE - 8), (round(x + slant), shape[0] - _EDGE + 8)
            cv2.line(canvas, *ends, int(rng.integers(80, 215)), int(rng.integers(1, 3)), cv2.LINE_AA)
        spots = np.clip((self._tile(rng, shape, 7.0) - between(rng, 1.3, 1.9)) * 2, 0, 0.8) * hardness
        return np.asarray(np.clip(canvas.astype(np.float32) / 255 + spots, 0, 1), np.float32)

    def _rim(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Pixels:
        """Coating that was not rubbed off, beyond the line on each side: 1 = coated."""
        height, width = shape
        top, bottom = between(rng, -6, _EDGE), height - between(rng, -6, _EDGE)
        left, right = between(rng, -6, _EDGE - 4), width - between(rng, -6, _EDGE - 4)
        rows = np.arange(height, dtype=np.float32)[:, None]
        columns = np.arange(width, dtype=np.float32)[None, :]
        inside = np.minimum(np.minimum(rows - top, bottom - rows), np.minimum(columns - left, right - columns))
        ragged = inside + self._tile(rng, shape, 7.0) * 2.5
        return np.asarray(np.clip(0.5 - ragged * 0.25, 0, 1), np.float32)

    def _hairlines(self, rng: np.random.Generator, card: Pixels) -> None:
        tone = between(rng, 20, 250)
        for _ in range(int(rng.integers(1, 4))):
            y = rng.uniform(0, card.shape[0])
            x0, x1 = sorted(rng.uniform(0, card.shape[1], 2))
            cv2.line(card, (round(x0), round(y)), (round(x1), round(y + rng.normal(0, 12))), tone, 1, cv2.LINE_AA)

    def _seen(self, rng: np.random.Generator, card: Pixels, shape: tuple[int, ...], hardness: float) -> Pixels:
        """The card through lens, sensor and JPEG, cut out as crookedly as our line finder does, HEIGHT high."""
        cap_px = float(np.exp(between(rng, np.log(24 - 12 * hardness), np.log(40))))
        scale = cap_px / CAP
        defocus = between(rng, 0.25, 0.55 + 0.95 * hardness) * min(1.0, 0.45 + cap_px / 40)
        card = cv2.GaussianBlur(card, (0, 0), float(np.hypot(defocus / scale, 0.3 / scale)))
        seen = _cut(rng, card, shape, scale)
        if chance(rng, 0.55 * hardness):
            seen = cv2.filter2D(seen, -1, pick(rng, self._motions[: 16 + round(32 * min(1.0, cap_px / 28))]))
        if chance(rng, 0.12):
            seen = seen + gloss(rng, seen.shape)
        seen = seen * between(rng, 0.55, 1.15) + self._tile(rng, seen.shape, 1.0) * between(rng, 0.8, 2 + 7 * hardness)
        picture = np.clip(seen, 0, 255).astype(np.uint8)
        if chance(rng, 0.85):
            quality = int(between(rng, 92 - 40 * hardness, 96))
            picture = _packed(picture, quality)
        return to_height(picture, self._height)

    def _tile(self, rng: np.random.Generator, shape: tuple[int, ...], grain: float) -> Pixels:
        return self._patch(rng, self._clouds[grain], shape)

    def _patch(self, rng: np.random.Generator, tile: Pixels, shape: tuple[int, ...]) -> Pixels:
        """A piece of a tile from a place of chance; lines longer than the tile get it twice."""
        if shape[1] > tile.shape[1]:
            return np.tile(self._patch(rng, tile, (shape[0], shape[1] // 2 + 1)), (1, 2))[:, : shape[1]]
        y = int(rng.integers(tile.shape[0] - shape[0] + 1))
        x = int(rng.integers(tile.shape[1] - shape[1] + 1))
        return tile[y : y + shape[0], x : x + shape[1]]


def _packed(picture: Pixels, quality: int) -> Pixels:
    """The picture with the traces that JPEG of that quality leaves."""
    packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE))


def _label_masks() -> list[Pixels]:
    """Captions 0..255 in three sizes, cut to their ink; none where the system has no Chinese font."""
    masks = []
    try:
        for size in (0.72, 0.9, 1.12):
            masks += [plain_text(words, "sans", CAP * size).mask * 255 for words in _LABELS]
    except FontMissing:
        return []
    return masks


def _add_neighbour(rng: np.random.Generator, mask: Pixels, other: Pixels) -> None:
    """Part of another line at the upper or lower edge of the mask, in place."""
    y = 0 if chance(rng, 0.5) else mask.shape[0] - _EDGE + int(rng.integers(2, 10))
    rows = other[BELOW + 6 :][-(_EDGE - 6) :] if y == 0 else other[: mask.shape[0] - y]
    width = min(rows.shape[1], mask.shape[1])
    mask[y : y + rows.shape[0], :width] = rows[:, :width]


def to_height(picture: Pixels, height: int = HEIGHT) -> Pixels:
    """A grey line scaled to a height, its width in proportion (at least 8 pixels)."""
    width = max(8, round(picture.shape[1] * height / picture.shape[0]))
    way = cv2.INTER_AREA if picture.shape[0] > height else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width, height), interpolation=way))


def draw_text(rng: np.random.Generator) -> str:
    """A number or PIN of chance as printed: digits (55 %), mixed or letters, 4 to 20 long, grouped or in one piece."""
    draw = rng.random()
    alphabet = ALPHABETS["digits" if draw < 0.5 else "unambiguous" if draw < 0.74 else "full"]
    length = int(rng.integers(4, 21)) if chance(rng, 0.5) else pick(rng, (8, 12, 16, 16, 19))
    signs = [alphabet[int(i)] for i in rng.integers(len(alphabet), size=length)]
    if chance(rng, 0.35):
        return "".join(signs)
    size = 4 if chance(rng, 0.7) else int(rng.integers(2, 7))
    mark = "-" if chance(rng, 0.25) else " "
    return mark.join("".join(signs[at : at + size]) for at in range(0, length, size))


def _thermal(rng: np.random.Generator, line: Pixels) -> Pixels:
    """Coarse square dots and uneven heat, as a thermal head leaves them."""
    share = between(rng, 0.45, 0.75)
    coarse = cv2.resize(line, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    coarse = np.where(coarse > 115, np.uint8(255), np.uint8(0))
    rows = np.arange(coarse.shape[0], dtype=np.float32)[:, None]
    heat = 0.84 + 0.14 * np.sin(rows * between(rng, 1.2, 2.2) + np.arange(coarse.shape[1])[None, :] * 0.05)
    printed = (coarse * heat).astype(np.uint8)
    return np.asarray(cv2.resize(printed, (line.shape[1], line.shape[0]), interpolation=cv2.INTER_LINEAR))


def _relief(rng: np.random.Generator, card: Pixels, mask: Pixels) -> Pixels:
    """Raised or sunken characters lit from any side, with or without foil on their tops."""
    angle = between(rng, 0, 2 * np.pi)
    height = cv2.GaussianBlur(mask, (0, 0), between(rng, 0.7, 1.8))
    across, down = cv2.Sobel(height, cv2.CV_32F, 1, 0), cv2.Sobel(height, cv2.CV_32F, 0, 1)
    shade = across * np.float32(np.cos(angle)) + down * np.float32(np.sin(angle))
    foil = between(rng, 0, 0.85) if chance(rng, 0.7) else 0.0
    card += (between(rng, 170, 235) - card) * (np.clip(height * 1.5 - 0.45, 0, 1) * foil)
    card -= shade * between(rng, 35, 95)
    return np.asarray(np.clip(card, 0, 255), np.float32)


def _cut(rng: np.random.Generator, card: Pixels, shape: tuple[int, ...], scale: float) -> Pixels:
    """A slightly turned, sheared and leaning crop around the line, `scale` times the size of the card's pixels."""
    tall = CAP * (between(rng, 1.12, 1.7) if chance(rng, 0.7) else between(rng, 1.7, 2.3))
    slack = tall - CAP
    top = _EDGE + ABOVE - slack * between(rng, 0.25, 0.75)
    left, right = _EDGE - CAP * between(rng, -0.02, 0.9), shape[1] - _EDGE - 8 + CAP * between(rng, -0.02, 0.9)
    turn = float(np.clip(rng.normal(0, 0.006), -0.02, 0.02)) * min(1.0, 500 / (right - left))
    lean, stretch = rng.normal(0, 0.03), between(rng, 0.85, 1.15)
    rise = turn * (right - left) / 2
    squeeze = rng.normal(0, 0.012) * tall
    source = np.array(
        [
            [left + lean * tall, top - rise - squeeze],
            [right + lean * tall, top + rise + squeeze],
            [right, top + tall + rise - squeeze],
            [left, top + tall - rise + squeeze],
        ],
        np.float32,
    )
    width, height = max(12, round((right - left) * scale * stretch)), max(9, round(tall * scale))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32) - 0.5
    matrix = cv2.getPerspectiveTransform(source, target)
    return np.asarray(cv2.warpPerspective(card, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE))


def gloss(rng: np.random.Generator, shape: tuple[int, ...]) -> Pixels:
    """The halo of a lamp, brightest at a place of chance, never so bright everywhere that the print is gone."""
    height, width = shape
    x = (np.arange(width, dtype=np.float32)[None, :] - rng.uniform(0, width)) / between(rng, 40, 220)
    y = (np.arange(height, dtype=np.float32)[:, None] - rng.uniform(-20, height + 20)) / between(rng, 20, 60)
    return np.asarray(np.exp(-x * x - y * y) * between(rng, 30, 120), np.float32)


def _cloud_tile(rng: np.random.Generator, grain: float) -> Pixels:
    small = rng.standard_normal((round(256 / grain) + 2, round(_TILE / grain) + 2)).astype(np.float32)
    return _standard(cv2.resize(small, (_TILE, 256), interpolation=cv2.INTER_CUBIC) if grain > 1 else small)


def _standard(tile: Pixels) -> Pixels:
    return np.asarray((tile - tile.mean()) / tile.std(), np.float32)


def _motion(angle: float, length: float) -> Pixels:
    """A line of `length` pixels through the middle of a 7x7 kernel, summing to one."""
    canvas, zoom = np.zeros((56, 56), np.uint8), 8
    dx, dy = np.cos(angle) * length * zoom / 2, np.sin(angle) * length * zoom / 2
    cv2.line(canvas, (round(28 - dx), round(28 - dy)), (round(28 + dx), round(28 + dy)), 255, zoom)
    kernel = cv2.resize(canvas, (7, 7), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(kernel / kernel.sum(), np.float32)
