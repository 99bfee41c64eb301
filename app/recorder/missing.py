"""Which frames are not in a recording, and between which two that are: counted once, told in the chain once.

A frame that came and could not be kept is known by the next one that was (`Picture.missed`), in the ring too, so that
a crash does not hide it. Records tell of them before the fragment with the frame behind them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CAMERA = "camera"
"""The camera had it, and nobody fetched it in time; or what came was no picture."""
MEMORY = "memory"
"""The disk took nothing for so long that there was no memory left for it."""
DISK = "disk"
"""The ring had failed, or did not give it back."""
UNREADABLE = "unreadable"
"""It was kept and cannot be decoded, or its time was no later than that of the one before."""


@dataclass(slots=True)
class _Hole:
    """What one record will tell: so many between these two frames, some of them `for_good`."""

    reason: str
    from_pts: int
    to_pts: int
    frames: int = 0
    for_good: int = 0


class Missing:
    """The count of one recording. Frames after the last durable fragment may be given once more (`broke_off`)."""

    def __init__(self, total: int, told_to: int) -> None:
        """What was missing when it was taken up: how many, and up to which time records tell of them."""
        self.total = total
        self._told_to = told_to
        self._ahead: list[tuple[str, int]] = []  # lost since the last frame, never to be given again
        self._again: list[tuple[str, int]] = []  # likewise, but they come up again if the part breaks off
        self._since: list[tuple[int, int]] = []  # times and counts that are in no durable fragment
        self._hole: _Hole | None = None

    def lost(self, count: int, reason: str, for_good: bool) -> None:
        """So many came since the last frame that was taken, and are not kept."""
        if count:
            self.total += count
            (self._ahead if for_good else self._again).append((reason, count))

    @property
    def waits(self) -> bool:
        """Whether something was lost since the last frame that was taken."""
        return bool(self._ahead or self._again)

    def taken(self, last_pts: int, pts: int) -> None:
        """A frame of this time is taken; what was lost since `last_pts` (-1: before any) lies between them."""
        for_good, again = (sum(count for _, count in lost) for lost in (self._ahead, self._again))
        lost, self._ahead, self._again = [*self._ahead, *self._again], [], []
        if again:
            self._since.append((pts, again))
        if pts <= self._told_to:
            again = 0  # it was told before the part broke off
        if for_good or again:
            hole = self._hole = self._hole or _Hole(lost[0][0], max(0, last_pts), pts)
            hole.to_pts = max(hole.to_pts, pts)
            hole.frames, hole.for_good = hole.frames + for_good + again, hole.for_good + for_good

    def told(self) -> dict[str, Any] | None:
        """The fields of a record that must be in the chain before the next fragment; None when there is none."""
        hole, self._hole = self._hole, None
        if hole is None:
            return None
        self._told_to = max(self._told_to, hole.to_pts)
        return {"reason": hole.reason, "from_pts": hole.from_pts, "to_pts": hole.to_pts, "frames": hole.frames}

    def kept(self, last_pts: int) -> None:
        """Frames up to this time are durable: none of them is given again."""
        self._since = [one for one in self._since if one[0] > last_pts]

    def broke_off(self) -> None:
        """What is not durable is given again, with what is missing between."""
        self.total -= sum(count for _, count in (*self._since, *self._again))
        self._since, self._again = [], []
        hole, self._hole = self._hole, None
        if hole is not None and hole.for_good:
            self._ahead.append((hole.reason, hole.for_good))
