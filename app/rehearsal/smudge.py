"""A smudge over one digit of a number, so that an honest reader finds it doubtful and asks."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from app.rehearsal.cards import CardPlan, PrintedCard
from app.rehearsal.content import grouped
from app.rehearsal.dice import stream


def smudge_digit(card: PrintedCard, plan: CardPlan) -> PrintedCard:
    """The card with one digit of its number (a 3, 6, 8 or 9 if there is one) run and pale."""
    if card.number is None:
        return card
    text = grouped(plan.content.number, plan.content.number_groups)
    rng = stream(plan.seed, "smudge")
    choices = [i for i, glyph in enumerate(text) if glyph in "3689"] or [i for i, g in enumerate(text) if g.isdigit()]
    index = choices[int(rng.integers(len(choices)))]
    box, image = card.number, card.image.copy()
    x0 = (box.x + box.w * index / len(text)) * card.ppm
    x1 = (box.x + box.w * (index + 1) / len(text)) * card.ppm
    y0, y1 = box.y * card.ppm, (box.y + box.h) * card.ppm
    zone = np.zeros(image.shape[:2], np.float32)
    cv2.rectangle(zone, (round(x0 - 1), round(y0 - 2)), (round(x1 + 1), round(y1 + 2)), 1.0, -1)
    soft = np.asarray(cv2.GaussianBlur(zone, (0, 0), card.ppm * 0.1))[..., None]
    ground = np.median(image[round(y0) : round(y1), round(box.x * card.ppm) : round(x1)].reshape(-1, 3), axis=0)
    # Wetted ink: the strokes run into each other and pale, so that 3, 6, 8 and 9 look alike; none is invented.
    blurred = cv2.GaussianBlur(image, (0, 0), sigmaX=card.ppm * 0.24, sigmaY=card.ppm * 0.3)
    run = blurred * np.float32(0.8) + ground.astype(np.float32) * np.float32(0.2)
    worn = image + (run - image) * soft
    return replace(card, image=np.clip(worn, 0, 255).astype(np.uint8))
