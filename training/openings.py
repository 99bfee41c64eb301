"""Practice panels for the judge of openings: cards of chance whose panels are scratched in all ways, seen up close.

The panel is found by the network that finds it in the product, so that its errors are part of the practice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from app.core.products import Box
from app.rehearsal.cards import CARD_H_MM, CARD_W_MM, CardPlan, PrintedCard, print_back
from app.rehearsal.content import grouped
from app.rehearsal.dice import between, chance, pick, stream
from app.rehearsal.improvise import improvise_card
from app.rehearsal.panels import lit
from app.vision.panel.finder import PanelFinder
from app.vision.panel.opening import STRIDE, WIDTH, strip_of
from app.vision.picture.area import Area
from app.vision.picture.rectify import CARD_H, CARD_W, PX_PER_MM

Pixels = npt.NDArray[Any]

STATES = (
    "clean",
    "clean",
    "residue",
    "residue",
    "over",
    "cleared",
    "partial",
    "partial",
    "partial",
    "patchy",
    "patchy",
)
CLOSED = ("partial", "patchy")
"""States in which ink that cannot be seen lies below the layer; in the others film or a torn place takes it."""

LEGIBLE = 0.6
"""Share of a character's ink that must be seen for it to count as open."""

_PPM = 8.0
_SHRUNK = 2.5  # pixels of the product's rectified card to one of the practice picture
_BAND = 180  # rows of the practice picture around the panel that are lit and blurred; the rest only fills the card


@dataclass(frozen=True, slots=True, repr=False)
class PracticeOpening:
    """`picture` as `strip_of` cuts it, rounded; `hidden` float32, the share of each stretch of STRIDE pixels that a
    hidden character takes; `closed` whether any is hidden."""

    picture: Pixels
    hidden: Pixels
    closed: bool
    state: str


def draw_openings(seed: int, finder: PanelFinder, states: int, pictures: int) -> list[PracticeOpening]:
    """A card of chance with its panel in several states, each seen in several pictures. Raises FontMissing."""
    rng = stream(seed, "openings")
    plan = improvise_card(int(rng.integers(2**53)), "clean", any_panel=chance(rng, 0.6)).plan
    plan = _elsewhere(rng, plan)
    found = []
    for _ in range(states):
        share = between(rng, 0.06, 0.94)
        margins = (_margin(rng), _margin(rng)) if chance(rng, 0.6) else None
        other = replace(plan, pin_state=pick(rng, STATES), open_share=share, beyond_mm=margins, seed=plan.seed + 1)
        plan = other
        printed = print_back(other, _PPM)
        found += [_seen(rng, other, printed, finder) for _ in range(pictures)]
    return [one for one in found if one is not None]


def _margin(rng: np.random.Generator) -> float:
    """How far somebody goes on rubbing beyond the last character: mostly little."""
    return float(np.clip(rng.gamma(2.2, 0.75), 0.35, 6.0))


def _elsewhere(rng: np.random.Generator, plan: CardPlan) -> CardPlan:
    """The PIN off the middle of its panel, or in a panel wider than it needs (one card in two)."""
    panel, pin = plan.layout.panel, plan.layout.pin
    if panel is None or pin is None or chance(rng, 0.5):
        return plan
    wider = Box(panel.x, panel.y, min(panel.w + between(rng, 0, 12), 84 - panel.x), panel.h)
    room = wider.w - pin.w
    moved = Box(wider.x + min(room, max(1.2, room * between(rng, 0, 1))), pin.y, pin.w, pin.h)
    return replace(plan, layout=replace(plan.layout, panel=wider, pin=moved))


def _seen(
    rng: np.random.Generator, plan: CardPlan, printed: PrintedCard, finder: PanelFinder
) -> PracticeOpening | None:
    """One picture of the card as the product straightens it, only smaller; None where its panel is not found."""
    pin = printed.pin
    if pin is None:
        return None
    size = (round(CARD_W / _SHRUNK), round(CARD_H / _SHRUNK))
    scaled = np.diag([size[0] / (CARD_W_MM * _PPM), size[1] / (CARD_H_MM * _PPM), 1.0])
    corners = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], np.float32)
    shaken = corners + rng.normal(0, 1.0, (4, 2)).astype(np.float32)
    move = cv2.getPerspectiveTransform(corners, shaken) @ scaled
    card = cv2.warpPerspective(printed.image, move, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    middle = (pin.y + pin.h / 2) * PX_PER_MM / _SHRUNK
    rows = slice(max(0, round(middle - _BAND / 2)), round(middle + _BAND / 2))
    card[rows] = _photographed(rng, card[rows])
    seen = finder.see(np.asarray(card, np.uint8))
    core = Area((pin.x + pin.w / 2 - 1) * PX_PER_MM, (pin.y + pin.h / 2 - 0.5) * PX_PER_MM, 2 * PX_PER_MM, PX_PER_MM)
    panel = next((p.area for p in seen.panels() if p.area.share_of(core) > 0.5), None)
    if panel is None:
        return None
    strip = strip_of(np.asarray(card, np.uint8), seen, panel, CARD_W / size[0])
    hidden = _hidden(plan, printed, strip.zoom, strip.left)
    closed = plan.pin_state in CLOSED and min(printed.pin_ink) < LEGIBLE
    return PracticeOpening(np.clip(strip.picture, 0, 255).astype(np.uint8), hidden, closed, plan.pin_state)


def _photographed(rng: np.random.Generator, flat: Pixels) -> Pixels:
    """Light, lens, sensor and JPEG."""
    picture = lit(rng, flat)
    grain = rng.standard_normal(picture.shape, dtype=np.float32)
    if chance(rng, 0.6):
        grain = cv2.GaussianBlur(grain, (0, 0), between(rng, 0.5, 1.1)) * 1.6
    seen = np.clip(picture + grain * between(rng, 0.5, 8.0), 0, 255).astype(np.uint8)
    if chance(rng, 0.8):
        quality = int(between(rng, 55, 95))
        seen = np.asarray(cv2.imdecode(cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1))
    return np.asarray(seen)


def _hidden(plan: CardPlan, printed: PrintedCard, zoom: float, left: float) -> Pixels:
    """Where along the strip characters are hidden, 0..1 for each stretch."""
    out = np.zeros(WIDTH, np.float32)
    box = printed.pin
    if box is None or plan.pin_state not in CLOSED:
        return out[::STRIDE]
    text = grouped(plan.content.pin, plan.content.pin_groups, plan.style.group_mark)
    pitch = box.w / len(text)
    places = [i for i, sign in enumerate(text) if sign.isalnum()]
    for place, share in zip(places, printed.pin_ink, strict=True):
        if share < LEGIBLE:
            low, high = (((box.x + (place + edge) * pitch) * PX_PER_MM - left) * zoom for edge in (0, 1))
            out[max(0, round(low)) : max(0, round(high))] = 1.0
    return np.asarray(out.reshape(-1, STRIDE).mean(axis=1))
