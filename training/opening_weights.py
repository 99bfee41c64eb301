"""Fits the weights of `app.vision.panel.opening`: of the network's word and what is measured along the row of the PIN.

    python -m training.opening_weights --cards 800 [--first 981000]

Cards of chance under the camera, straightened with the errors of the card finder, their lines found and read as the
reader does: text stands where the reader believes it to stand, not where it was printed. None of them trained the
network. Prints the weights, and how often each threshold errs, each card judged by weights fitted without it.

The weight of layer between characters is not fitted: open panels show some only where the map is misled.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from app.rehearsal.camera import Camera, Pose
from app.rehearsal.cards import PrintedCard, print_back
from app.rehearsal.dice import between, chance, stream
from app.rehearsal.improvise import improvise_card
from app.rehearsal.optics import gloss_map
from app.rehearsal.pictures import TIERS, through_lens
from app.vision.fields.places import pick_pin
from app.vision.fields.sorting import Value, row_label, sort_lines
from app.vision.fields.wording import Wording
from app.vision.panel.finder import Panel, PanelFinder, panel_of
from app.vision.panel.opening import OpeningJudge, features, measure_cover
from app.vision.picture.pixels import Colour, Corners
from app.vision.picture.rectify import rectify
from app.vision.text.codes import CodeReader
from app.vision.text.recognise import Recogniser
from app.vision.text.textlines import LineFinder
from training.openings import CLOSED

STATES = (
    "partial",
    "clean",
    "patchy",
    "residue",
    "partial",
    "over",
    "partial",
    "clean",
    "patchy",
    "residue",
    "cleared",
)
FOLDS = 10
BETWEEN, GIVEN = 5, 0.7
"""Which feature is the layer between characters, and its weight."""

TIMID = 0.3  # how strongly weights are held to zero
_PPM = 12.0
_TABLE_PX = 60  # of table around the card
_ASTRAY_PX = 1.2  # by which the card finder's corners are off

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Example:
    """A panel with text: what the weights weigh, and whether characters are hidden."""

    features: tuple[float, ...]
    hidden: bool


class Examples:
    """Draws cards and looks at their panels as the reader does."""

    def __init__(self) -> None:
        self._finder, self._panels, self._judge = LineFinder(), PanelFinder(), OpeningJudge()
        self._wording = Wording(self._finder, Recogniser(), CodeReader())

    def draw(self, seed: int) -> Example | None:
        """The example of a seed; None where no PIN is seen in a panel."""
        tier = tuple(TIERS)[seed % len(TIERS)]
        state = STATES[seed // len(TIERS) % len(STATES)]
        rng = stream(seed, "opening-weights")
        wide = bool(seed // len(TIERS) // len(STATES) % 2)
        plan = improvise_card(int(rng.integers(2**53)), state, any_panel=wide).plan
        card = rectify(*_photograph(rng, print_back(plan, _PPM), tier))
        seen = self._panels.see(card)
        found = self._pin(card, seen.panels())
        if found is None:
            return None
        pin, panel = found
        cover = measure_cover(card, seen, panel.area, pin.ink, pin.pitch)
        return Example(features(cover, self._judge.hidden(card, seen, panel.area)), state in CLOSED)

    def _pin(self, card: Colour, panels: tuple[Panel, ...]) -> tuple[Value, Panel] | None:
        boxes = [b for b in self._finder.find(card) if any(p.area.y < b.mid_y < p.area.bottom for p in panels)]
        found = sort_lines(self._wording.read(card, boxes, {}, ()), ())
        kinds = {id(v): v.label or row_label(v, found.labels) for v in found.values}
        around = {id(v): panel_of(v.area, panels) for v in found.values}
        pin = pick_pin(found.values, kinds, around, None)
        panel = None if pin is None else around[id(pin)]
        return None if pin is None or panel is None else (pin, panel)


def _photograph(rng: np.random.Generator, printed: PrintedCard, tier: str) -> tuple[Colour, Corners]:
    """The card on a plain table under the tier's camera, and its corners as the card finder may see them."""
    rules = TIERS[tier]
    width = 1920 if chance(rng, rules.full_hd) else 1280
    ppm = width * between(rng, *rules.card_share) / 85.6
    size = tuple(round(mm * ppm) + 2 * _TABLE_PX for mm in printed.size_mm)
    camera = Camera(*size, ppm, between(rng, -rules.lean, rules.lean), between(rng, -rules.lean, rules.lean))
    half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float64) * np.array(printed.size_mm) / 2
    corners = camera.project(Pose(0, 0, between(rng, -0.06, 0.06)).place(half)).astype(np.float32)
    height, wide = printed.image.shape[:2]
    source = np.array([[0, 0], [wide, 0], [wide, height], [0, height]], np.float32)
    move = cv2.getPerspectiveTransform(source - 0.5, corners - 0.5)
    tone = between(rng, 20, 220)
    picture = cv2.warpPerspective(printed.image, move, size, flags=cv2.INTER_AREA, borderValue=(tone, tone, tone))
    if chance(rng, rules.glare):
        gloss = gloss_map(rng, size, between(rng, *rules.glare_peak), (between(rng, 0.1, 0.9), between(rng, 0.1, 0.9)))
        picture = cv2.add(picture, cv2.merge([gloss] * 3))
    seen, _ = through_lens(rng, rules, np.asarray(picture))
    return np.ascontiguousarray(seen), corners + rng.normal(0, _ASTRAY_PX, (4, 2)).astype(np.float32)


def fit(features: Floats, hidden: Floats) -> Floats:
    """Logistic regression by Newton's method, lightly held to zero, the weight of BETWEEN given."""
    weights = np.zeros(features.shape[1])
    weights[BETWEEN] = GIVEN
    free = np.arange(len(weights)) != BETWEEN
    for _ in range(40):
        p = 1 / (1 + np.exp(-np.clip(features @ weights, -30, 30)))
        part = features[:, free]
        curve = (part * (p * (1 - p))[:, None]).T @ part + TIMID * np.eye(part.shape[1])
        weights[free] -= np.linalg.solve(curve, part.T @ (p - hidden) + TIMID * weights[free])
    return np.asarray(weights)


def judged_apart(features: Floats, hidden: Floats) -> Floats:
    """For each example the probability by weights fitted without its fold."""
    out = np.zeros(len(hidden))
    for fold in range(FOLDS):
        apart = np.arange(len(hidden)) % FOLDS == fold
        out[apart] = 1 / (1 + np.exp(-features[apart] @ fit(features[~apart], hidden[~apart])))
    return out


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="fit what tells an open panel from a partly covered one")
    parser.add_argument("--cards", type=int, default=800)
    parser.add_argument("--first", type=int, default=981_000)
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    examples = Examples()
    drawn = [e for seed in range(chosen.first, chosen.first + chosen.cards) if (e := examples.draw(seed)) is not None]
    features_of = np.array([e.features for e in drawn])
    hidden = np.array([float(e.hidden) for e in drawn])
    print(len(drawn), "examples; weights", fit(features_of, hidden).round(3).tolist())
    chances = judged_apart(features_of, hidden)
    for doubt in (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.5):
        alarms, missed = chances[hidden == 0] > doubt, chances[hidden == 1] <= doubt
        print(f"{doubt}: {alarms.sum()} of {len(alarms)} open called partial, {missed.sum()} of {len(missed)} missed")


if __name__ == "__main__":
    main()
