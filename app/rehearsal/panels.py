"""Practice cards for the panel finder: whole cards as the straightened picture shows them, each pixel told apart.

Cards of chance with panels of all kinds are drawn flat; a practice picture is one of them turned over, shifted, lit and
blurred by chance. Flat cards are drawn once and seen in many ways.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from app.rehearsal.cards import CARD_H_MM, CARD_W_MM, PrintedCard, print_back
from app.rehearsal.dice import between, chance, pick, stream
from app.rehearsal.improvise import improvise_card
from app.rehearsal.optics import gloss_map
from app.rehearsal.panel import cloud

Pixels = npt.NDArray[Any]

WIDTH, HEIGHT = 320, 200
"""Size of a practice picture: 3.7 pixels a millimetre."""

ELSEWHERE, COAT, OPEN = 0, 1, 2
"""What a pixel shows: anything else, the scratch layer, or the paper (and print) below it."""

_PPM = 7.5
_LARGE = (WIDTH * 3 // 2, HEIGHT * 3 // 2)  # the size at which lens and light act
_OPEN_BELOW = 0.5  # share of coat under which a pixel counts as open


@dataclass(frozen=True, slots=True, repr=False)
class FlatCard:
    """A drawn card and its pixels told apart, both HxW at 7.5 pixels a millimetre; `state` of its panel."""

    image: Pixels
    kinds: Pixels
    state: str


def draw_flat(seed: int) -> FlatCard:
    """The back of a card of chance, flat and evenly lit. One in five has a usual grey panel. Raises FontMissing."""
    rng = stream(seed, "flat")
    plan = improvise_card(int(rng.integers(2**53)), any_panel=chance(rng, 0.8)).plan
    if chance(rng, 0.06):
        plan = replace(plan, layout=replace(plan.layout, panel=None, pin=None))
    printed = print_back(plan, _PPM)
    if chance(rng, 0.25):
        _signature_strip(rng, printed)
    kinds = np.zeros(printed.image.shape[:2], np.uint8)
    if printed.panel is not None and printed.coat is not None:
        x, y = round(printed.panel.x * _PPM), round(printed.panel.y * _PPM)
        height, width = printed.coat.shape
        kinds[y : y + height, x : x + width] = np.where(printed.coat > _OPEN_BELOW, COAT, OPEN)
    return FlatCard(printed.image, kinds, plan.pin_state)


def _signature_strip(rng: np.random.Generator, printed: PrintedCard) -> None:
    """A light strip to sign on, clear of the panel: as wide as one, and none."""
    x, y, w, h = between(rng, 3, 50), between(rng, 3, 45), between(rng, 16, 50), between(rng, 5, 10)
    panel = printed.panel
    if panel is not None and y < panel.y + panel.h + 1 and y + h > panel.y - 1:
        return
    tone = (round(between(rng, 215, 250)), round(between(rng, 220, 250)), round(between(rng, 225, 252)))
    ends = (round(x * _PPM), round(y * _PPM)), (round((x + w) * _PPM), round((y + h) * _PPM))
    cv2.rectangle(printed.image, *ends, tone, -1)


def photograph(rng: np.random.Generator, flat: FlatCard) -> tuple[Pixels, Pixels]:
    """A practice picture (uint8 HEIGHTxWIDTHx3 BGR) of a flat card and its kinds at half that size."""
    image, kinds = flat.image, flat.kinds
    if chance(rng, 0.35):
        image, kinds = image[::-1, ::-1], kinds[::-1, ::-1]
    if chance(rng, 0.25):
        image, kinds = image[:, ::-1], kinds[:, ::-1]
    if chance(rng, 0.25):
        image, kinds = image[::-1], kinds[::-1]
    shaky = _shaken(rng)
    seen = cv2.warpPerspective(image, shaky, _LARGE, flags=cv2.INTER_LINEAR, borderValue=_mat(rng))
    told = cv2.warpPerspective(kinds, shaky, _LARGE, flags=cv2.INTER_NEAREST)
    if chance(rng, 0.3):
        _cover_by_hand(rng, seen, told)
    picture = cv2.resize(lit(rng, seen), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    grain = rng.standard_normal(picture.shape, dtype=np.float32) * between(rng, 0.3, 4.0)
    return np.clip(picture + grain, 0, 255).astype(np.uint8), _halved(told)


def _halved(told: Pixels) -> Pixels:
    """Kinds at half the size of the picture: what fills most of each pixel."""
    size = (WIDTH // 2, HEIGHT // 2)
    shares = [cv2.resize((told == k).astype(np.float32), size, interpolation=cv2.INTER_AREA) for k in (0, 1, 2)]
    return np.asarray(np.argmax(shares, axis=0), np.uint8)


def _shaken(rng: np.random.Generator) -> Pixels:
    """The flat card onto the picture: nearly filling it, or (one in four) zoomed and shifted."""
    width, height = CARD_W_MM * _PPM, CARD_H_MM * _PPM
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    target: Pixels = source * np.array([_LARGE[0] / width, _LARGE[1] / height], np.float32)
    target += rng.normal(0, 2.2, (4, 2)).astype(np.float32)
    if chance(rng, 0.25):
        zoom, middle = between(rng, 0.8, 1.35), np.array(_LARGE, np.float32) / 2
        target = (target - middle) * zoom + middle + rng.normal(0, 34, (1, 2)).astype(np.float32)
    return cv2.getPerspectiveTransform(source, target.astype(np.float32))


def _mat(rng: np.random.Generator) -> tuple[float, float, float]:
    return between(rng, 10, 220), between(rng, 10, 220), between(rng, 10, 220)


def _cover_by_hand(rng: np.random.Generator, seen: Pixels, told: Pixels) -> None:
    """A fingertip over an edge of the card."""
    height, width = told.shape
    side = int(rng.integers(3))
    low, right, left = between(rng, 0.1, 0.9) * width, between(rng, 0.2, 1) * height, between(rng, 0.2, 1) * height
    centre = ((round(low), height), (width, round(right)), (0, round(left)))[side]
    axes = (round(between(rng, 18, 52)), round(between(rng, 18, 45)))
    skin = (round(between(rng, 90, 170)), round(between(rng, 120, 190)), round(between(rng, 170, 240)))
    cv2.ellipse(seen, centre, axes, between(rng, 0, 180), 0, 360, skin, -1, cv2.LINE_AA)
    cv2.ellipse(told, centre, axes, 0, 0, 360, ELSEWHERE, -1)


def lit(rng: np.random.Generator, seen: Pixels) -> Pixels:
    """A flat card under a lamp and through a lens: gloss, blur, exposure, white balance (float32, unclipped)."""
    size = (seen.shape[1], seen.shape[0])
    light: Pixels = seen.astype(np.float32)
    if chance(rng, 0.45):
        at = (between(rng, 0.1, 0.9), between(rng, 0.1, 0.9))
        light += gloss_map(rng, size, between(rng, 30, 230), at)[..., None].astype(np.float32)
    light = cv2.GaussianBlur(light, (0, 0), between(rng, 0.3, 2.4))
    balance = np.array([between(rng, 0.93, 1.07) for _ in range(3)], np.float32)
    slope = 1 + between(rng, -0.12, 0.12) * np.linspace(-1, 1, size[0], dtype=np.float32)[None, :, None]
    light = light * balance * slope * pick(rng, (1.0, between(rng, 0.5, 1.2)))
    return np.asarray(light + cloud(rng, (size[1], size[0]), 3.0)[..., None] * between(rng, 0, 2.5), np.float32)
