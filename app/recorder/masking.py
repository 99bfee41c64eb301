"""The recorder's side of masking: keeps what the eye said, covers frames, and tells the chain what was covered."""

from __future__ import annotations

import math
import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable
from itertools import groupby
from operator import attrgetter
from typing import Any

from app.core.cards import Quad
from app.evidence.mask import Cover, Outline, Word, cover, covered_whole, rounded
from app.recorder.protocol import Zones

DELAY_US = 1_500_000
"""How long a frame waits for what the eye has to say of it."""

VIEW = "view"
"""The note in the ring of another view, {"from_us"}: see `Words.another_view`."""

_KEPT_US = 20_000_000
_MOST_WORDS = 100_000  # an hour and a half; whoever is further behind covers more than need be
_FRAME_US = attrgetter("frame_us")
_MOST_ZONES = 16

_SETTLING_US = 300_000
"""So long after another view began the eye may still tell places of the old one, until it has looked."""

NoteMask = Callable[[str, int, int, list[dict[str, Any]]], None]


class Words:
    """What the eye said lately, in order of time. Any thread may add; the encode thread asks.

    While frames wait (`keep_from`) no word of their time is forgotten, however late they are encoded.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._words: list[Word] = []
        self._waiting_us: int | None = None
        self._views: list[int] = []  # when another view began of which nothing sure was said yet

    def another_view(self, from_us: int) -> None:
        """Frames from this time on show another view (another camera, another size): what was said of places before
        is nothing to them, and until something sure is said they are covered whole.
        """
        with self._guard:
            self._views.append(from_us)

    def keep_from(self, mono_us: int) -> None:
        """Frames from this time on will be asked about, in their order."""
        with self._guard:
            self._waiting_us = mono_us if self._waiting_us is None else min(self._waiting_us, mono_us)

    def release(self) -> None:
        """No frame waits any more."""
        with self._guard:
            self._waiting_us = None

    def add(self, zones: Zones) -> None:
        word = as_word(zones)
        with self._guard:
            insort(self._words, word, key=_FRAME_US)
            oldest_us = self._words[-1].frame_us - _KEPT_US
            if self._waiting_us is not None:
                oldest_us = min(oldest_us, self._waiting_us - 2 * DELAY_US)
            stale = min(bisect_left(self._words, oldest_us, key=_FRAME_US), len(self._words) - 1)
            del self._words[: max(stale, len(self._words) - _MOST_WORDS)]

    def cover(self, at_us: int, width: int, height: int) -> Cover:
        """What must be covered in the frame of this time by what is known now."""
        with self._guard:
            if self._waiting_us is not None:
                self._waiting_us = max(self._waiting_us, at_us)
            first = bisect_left(self._words, at_us - 2 * DELAY_US, key=_FRAME_US)
            near = self._words[first : bisect_right(self._words, at_us + 2 * DELAY_US, key=_FRAME_US)]
            settled = self._is_settled(at_us)
        return cover(near, at_us, width, height) if settled else covered_whole(width, height)

    def _is_settled(self, at_us: int) -> bool:
        """Whether what was said holds for the view that a frame shows; views that are settled by then are forgotten."""
        self._views = [began_us for began_us in self._views if at_us < self._sure_from(began_us)]
        return all(at_us < began_us - _SETTLING_US for began_us in self._views)

    def _sure_from(self, began_us: int) -> float:
        """When the eye first said something of a view that it cannot have from the one before."""
        told = self._words[bisect_left(self._words, began_us + _SETTLING_US, key=_FRAME_US) :]
        return next((word.frame_us for word in told if word.empty or (word.card and word.calm)), math.inf)


def as_word(zones: Zones) -> Word:
    """The message as what `app.evidence.mask` reckons with."""
    card = None if not zones.card else _quad(zones.card)
    return Word(zones.frame_us, card, zones.empty, zones.calm, tuple(_quad(quad) for quad in zones.hide))


def _quad(numbers: list[float]) -> Quad:
    x0, y0, x1, y1, x2, y2, x3, y3 = numbers
    return (x0, y0), (x1, y1), (x2, y2), (x3, y3)


class MaskLog:
    """Joins the covers of many frames into few records, written before the frames themselves: whatever ends the
    recording, no covered frame is in it without its record.
    """

    def __init__(self, note: NoteMask) -> None:
        self._note = note
        self._seen: list[tuple[int, Cover]] = []
        self._zones: dict[tuple[int, ...], str] = {}
        self._reason = ""

    def saw(self, pts: int, done: Cover) -> None:
        """A frame was covered so (or not at all)."""
        if done.reason:
            self._seen.append((pts, done))

    def flush(self, up_to_pts: int) -> None:
        """Write down what was covered up to this time: one record a reason. Frames up to it may be written then."""
        due = [(pts, done) for pts, done in self._seen if pts <= up_to_pts]
        self._seen = self._seen[len(due) :]
        for reason, run in groupby(due, key=lambda one: one[1].reason):
            self._record(reason, list(run))

    def _record(self, reason: str, run: list[tuple[int, Cover]]) -> None:
        self._reason, self._zones = reason, {}
        for _, done in run:
            for outline in done.outlines:
                self._add(outline)
        zones = [{"kind": kind, "quad": list(quad)} for quad, kind in self._zones.items()]
        self._note(reason, run[0][0], run[-1][0], zones)

    def _add(self, outline: Outline) -> None:
        """To whole dozens of pixels outwards, so that a corner's jitter makes no new zone; too many become one box."""
        quad = rounded(outline)
        left, top, right, bottom = (
            quad[0] // 12 * 12,
            quad[1] // 12 * 12,
            -(-quad[4] // 12) * 12,
            -(-quad[5] // 12) * 12,
        )
        self._zones[left, top, right, top, right, bottom, left, bottom] = self._reason
        if len(self._zones) > _MOST_ZONES:
            xs = [q[n] for q in self._zones for n in (0, 2)]
            ys = [q[n] for q in self._zones for n in (1, 5)]
            box = (min(xs), min(ys), max(xs), min(ys), max(xs), max(ys), min(xs), max(ys))
            self._zones = {box: self._reason}
