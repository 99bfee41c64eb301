"""Fits what tells an open panel from one that hides characters: six weights over the network's map of practice cards.

    python -m training.opening --cards 600

Cards of chance are drawn flat, lit and blurred as in practice pictures; the text is where the legible characters are
printed. Prints the weights for `app.vision.panel`, and how often each threshold errs, each card judged by weights
fitted without it.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.products import Box
from app.rehearsal.cards import PrintedCard, print_back
from app.rehearsal.content import grouped
from app.rehearsal.dice import between, stream
from app.rehearsal.improvise import improvise_card
from app.rehearsal.panels import HEIGHT, WIDTH, lit
from app.vision.panel import Area, Cover, PanelFinder, measure_cover
from app.vision.rectify import CARD_H, CARD_W, PX_PER_MM

STATES = ("", "", "clean", "residue", "over", "partial", "partial", "patchy", "cleared")
LEGIBLE = 0.55
FOLDS = 5
_PPM = 7.5

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Example:
    """One panel with text: what the map shows of it, its state, and how many characters are hidden."""

    cover: Cover
    state: str
    hidden: int


def draw_examples(cards: int, first: int) -> list[Example]:
    """Examples from as many cards; those whose panel is not found or shows nothing legible fall out."""
    finder = PanelFinder()
    found = (_example(finder, seed, STATES[seed % len(STATES)]) for seed in range(first, first + cards))
    return [e for e in found if e is not None]


def _example(finder: PanelFinder, seed: int, state: str) -> Example | None:
    rng = stream(seed, "opening")
    plan = improvise_card(int(rng.integers(2**53)), state, any_panel=seed % 3 != 0).plan
    printed = print_back(plan, _PPM)
    flat = cv2.resize(printed.image, (WIDTH * 3 // 2, HEIGHT * 3 // 2), interpolation=cv2.INTER_AREA)
    small = cv2.resize(lit(rng, flat), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    small = small + rng.standard_normal(small.shape, dtype=np.float32) * between(rng, 0.3, 4.0)
    card = cv2.resize(np.clip(small, 0, 255).astype(np.uint8), (CARD_W, CARD_H), interpolation=cv2.INTER_NEAREST)
    text = grouped(plan.content.pin, plan.content.pin_groups, plan.style.group_mark)
    seen = _legible_part(printed, text)
    if seen is None:
        return None
    area, pitch = seen
    told = finder.see(np.asarray(card, np.uint8))
    panel = next((p.area for p in told.panels() if p.area.share_of(area) > 0.6), None)
    hidden = sum(share <= LEGIBLE for share in printed.pin_ink)
    return None if panel is None else Example(measure_cover(told, panel, area, pitch), plan.pin_state, hidden)


def _legible_part(printed: PrintedCard, text: str) -> tuple[Area, float] | None:
    """From the first to the last legible character, and the pixels a character takes."""
    box: Box | None = printed.pin
    places = [i for i, sign in enumerate(text) if sign.isalnum()]
    legible = [i for i, share in zip(places, printed.pin_ink, strict=True) if share > LEGIBLE]
    if box is None or not legible:
        return None
    pitch = box.w * PX_PER_MM / len(text)
    left = box.x * PX_PER_MM + legible[0] * pitch
    width = (legible[-1] - legible[0] + 1) * pitch
    return Area(left, (box.y + 0.15 * box.h) * PX_PER_MM, width, 0.7 * box.h * PX_PER_MM), pitch


def fit(features: Floats, hidden: Floats) -> Floats:
    """Logistic regression by Newton's method, lightly held to zero."""
    weights = np.zeros(features.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-features @ weights))
        curve = (features * (p * (1 - p))[:, None]).T @ features + np.eye(len(weights))
        weights = weights - np.linalg.solve(curve, features.T @ (p - hidden) + weights)
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
    parser.add_argument("--cards", type=int, default=600)
    parser.add_argument("--first", type=int, default=1000)
    chosen = parser.parse_args()
    examples = draw_examples(chosen.cards, chosen.first)
    features = np.array([e.cover.features for e in examples])
    hidden = np.array([float(e.hidden > 0) for e in examples])
    print(len(examples), "examples; weights", fit(features, hidden).round(3).tolist())
    chances = judged_apart(features, hidden)
    for doubt in (0.1, 0.15, 0.2, 0.25, 0.35, 0.5):
        alarms, missed = chances[hidden == 0] > doubt, chances[hidden == 1] <= doubt
        print(f"{doubt}: {alarms.sum()} of {len(alarms)} open called partial, {missed.sum()} of {len(missed)} missed")


if __name__ == "__main__":
    main()
