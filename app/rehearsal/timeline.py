"""When things happen in an unboxing, and how things move: the deck's timing as moments on one clock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.rehearsal.deck import Deck

FPS = 30


@dataclass(frozen=True)
class CardTimes:
    """Moments of one card in seconds of the footage: it lies still from `still_start_s` to `still_end_s`."""

    move_in_s: float
    still_start_s: float
    still_end_s: float
    out_end_s: float


@dataclass(frozen=True)
class ParcelTimes:
    """Moments of the parcel in seconds: arrives, shows its label, is cut, is opened, leaves; comes back empty."""

    in_s: float
    label_s: float
    cut_s: float
    open_s: float
    away_s: float
    gone_s: float
    back_s: float
    rest_s: float


@dataclass(frozen=True)
class Timeline:
    """All moments of one unboxing; `frames` pictures at FPS."""

    parcel: ParcelTimes
    cards: tuple[CardTimes, ...]
    frames: int

    @property
    def seconds(self) -> float:
        """Length of the footage."""
        return self.frames / FPS


def _on_frame(seconds: float) -> float:
    """The moment of the nearest frame."""
    return round(seconds * FPS) / FPS


def make_timeline(deck: Deck) -> Timeline:
    """The deck's acts one after another, all on whole frames."""
    t = deck.timing
    marks = np.cumsum([0.1, t.parcel_in_s, t.label_s, t.cut_s, t.open_s, t.parcel_out_s]).tolist()
    clock = marks[-1] + t.gap_s
    cards = []
    for _ in deck.cards:
        start = clock
        still = start + t.card_in_s
        leave = still + t.still_s
        clock = leave + t.card_out_s
        cards.append(CardTimes(*(round(_on_frame(m), 4) for m in (start, still, leave, clock))))
        clock += t.gap_s
    rest = clock + min(0.8, t.end_s / 2)
    frames = round((clock + t.end_s) * FPS)
    return Timeline(ParcelTimes(*map(_on_frame, (*marks, clock, rest))), tuple(cards), frames)


def eased(now: float, start: float, end: float) -> float:
    """0 before `start`, 1 after `end`, and in between the way a hand moves: slow, fast, slow (minimum jerk)."""
    if end <= start:
        return 1.0 if now >= end else 0.0
    x = min(max((now - start) / (end - start), 0.0), 1.0)
    return x * x * x * (10 - 15 * x + 6 * x * x)
