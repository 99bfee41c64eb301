"""The leak check's program: one recording on stdin, what was seen on stdout; run while the station has nothing to do.

    cardintake leaks        stdin: one line, a `Job` as JSON (it holds the recording's key, so it is no argument)
                            stdout: {"at_us", "sights"} for each picture that was read, then {"done": frames, "engines"}

It ends when its stdin does: whoever asked is gone, or has better things to do. Nothing of a picture reaches the disk.
Every frame is looked at: small and grey, against the picture that was read last and the frame before. Read are one each
half second, both sides of every mask's beginning and end, and each frame in which something new stands still, however
short; one that shows what the one before it showed is passed over. What moves is blurred, and read when it stops.
A finding is told at most six pictures later: it may be half a card number that is read by then.
"""

from __future__ import annotations

import argparse
import json
import sys
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import av
import av.error
import cv2
import numpy as np

from app.catalog.shelf import Sources, read_sources
from app.core.errors import EvidenceTrouble
from app.core.products import Catalogue
from app.evidence.ledger import Part
from app.evidence.reader import DecryptedRecording
from app.evidence.stretch import Stretch, parts_in
from app.evidence.timeline import read_timeline
from app.eye.oneshot import make_looker
from app.eye.thief import Held, Sight, Thief, believable
from app.living import end_with_stdin
from app.platform import lower_priority
from app.vision.picture.pixels import Colour, Gray

NICE = 15
_STEP_US = 500_000
_FRAME_US = 40_000
_SMALL = (240, 136)
_CHANGED = 9  # of 255: more than noise, less than a character, in a picture made small
_CALM = 4  # of 255 between two frames: it does not move
_LEAST_NEW = 6  # points of the small picture; eight characters that can be read make some thirty
_NEIGHBOURS = np.ones((3, 3), np.uint8)
_REMEMBERED = 6  # pictures in which the same characters make two slips a finding, a number explains half of it
_FOUND_ENOUGH = 20
_AGAIN = 1  # pictures more where one engine alone saw something


@dataclass(frozen=True, slots=True)
class Job:
    """What to read: a recording's folder and key, from where on and up to where (µs; the fragments that it takes to
    show that), texts that may be seen, by which catalogue.
    """

    folder: str
    key: str = field(repr=False)
    from_us: int = 0
    to_us: int = 2**62
    harmless: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    bound: tuple[tuple[str, str], ...] = ()
    catalogue: str = ""
    rehearsal: bool = False
    own: tuple[str, ...] = ()
    compiled: str = ""


def as_job(line: str) -> Job:
    """A job as it came. Raises ValueError, TypeError."""
    told: dict[str, Any] = json.loads(line)
    told["bound"] = tuple((str(a), str(b)) for a, b in told.get("bound", ()))
    for name in ("harmless", "templates", "own"):
        told[name] = tuple(str(one) for one in told.get(name, ()))
    return Job(**told)


def look_through(job: Job, thief: Thief, out: TextIO) -> None:
    """Read the recording to its end, telling each picture. Raises EvidenceTrouble when it cannot be decoded."""
    before: deque[list[Sight]] = deque(maxlen=_REMEMBERED)
    held, told, curious = Held(thief, _REMEMBERED), 0, Curious()
    wanted = Stretch(job.from_us, job.to_us)
    for at_us, picture in pictures(Path(job.folder), bytes.fromhex(job.key), wanted, curious):
        seen = thief.read(picture, job.harmless)
        found = believable(seen, [sight for sights in before for sight in sights])
        before.append(seen)
        curious.saw(bool(seen) and not found)
        told += _tell_pictures(out, held.put(at_us, found))
        if told >= _FOUND_ENOUGH:  # more of it changes nothing
            break
    _tell_pictures(out, held.rest())
    _tell(out, {"done": True, "engines": list(thief.engines)})


def _tell_pictures(out: TextIO, pictures: Sequence[tuple[int, list[Sight]]]) -> int:
    """In how many of them something was seen."""
    for at_us, found in pictures:
        sights = [
            {"engine": one.engine, "how": one.how, "length": one.length}
            for one in {sight.mark: sight for sight in found}.values()
        ]
        _tell(out, {"at_us": at_us, "sights": sights})
    return sum(bool(found) for _, found in pictures)


@dataclass(slots=True)
class Curious:
    """Whether the next picture is to be read too, whatever it shows: one engine alone saw something."""

    left: int = 0

    def saw(self, doubtful: bool) -> None:
        """What came of the picture that was read last."""
        self.left = self.left - 1 if self.left > 0 else _AGAIN if doubtful else 0


def pictures(folder: Path, key: bytes, stretch: Stretch, curious: Curious) -> Iterator[tuple[int, Colour]]:
    """The pictures of a stretch of a recording that are worth reading, with their times (µs).

    Raises EvidenceTrouble("evidence.not_decryptable", "evidence.no_recording").
    """
    timeline = read_timeline(folder)
    edges = sorted({at for mask in timeline.masks for at in (mask.from_us, mask.to_us)})
    last: Gray | None = None
    before: Gray | None = None
    next_us = stretch.from_pts
    for part in parts_in(folder, key, timeline.ledger, stretch):
        for at_us, frame in _frames(folder, key, part):
            if at_us < stretch.from_pts:
                continue
            small = _small(frame)
            beside = _is_beside(edges, at_us)
            wanted = curious.left > 0
            due = at_us >= next_us or beside
            next_us = at_us + _STEP_US if at_us >= next_us else next_us
            if wanted or last is None or (due and _differs(last, small)) or _stands_new(last, before, small):
                last = small
                yield at_us, np.ascontiguousarray(frame.to_ndarray(format="bgr24"), np.uint8)
            before = small


def _small(frame: av.VideoFrame) -> Gray:
    """The frame's luma, made small: each point is the mean of some 8 x 8 pixels at 1080p."""
    plane = frame.planes[0]
    luma = np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
    return np.ascontiguousarray(cv2.resize(luma, _SMALL, interpolation=cv2.INTER_AREA), np.uint8)


def _is_beside(edges: Sequence[int], at_us: int) -> bool:
    near = bisect_left(edges, at_us - _FRAME_US)
    return near < len(edges) and edges[near] <= at_us + _FRAME_US


def _differs(last: Gray, small: Gray) -> bool:
    return int(cv2.absdiff(last, small).max()) > _CHANGED


def _stands_new(last: Gray, before: Gray | None, small: Gray) -> bool:
    """Whether something with edges that the picture read last did not show stands still between two frames."""
    if before is None:
        return False
    new = cv2.absdiff(last, small) > _CHANGED
    if np.count_nonzero(new) < _LEAST_NEW:
        return False
    calm = cv2.dilate(cv2.absdiff(before, small), _NEIGHBOURS) <= _CALM  # all around it, else it is chance
    edged = cv2.morphologyEx(small, cv2.MORPH_GRADIENT, _NEIGHBOURS) > _CHANGED
    return int(np.count_nonzero(new & calm & edged)) >= _LEAST_NEW


def _frames(folder: Path, key: bytes, part: Part) -> Iterator[tuple[int, av.VideoFrame]]:
    """The frames of a part, or of what was cut out of it, with their times in the recording."""
    if len(part.pieces) < 2:
        return  # a crash left its header only
    first_s: float | None = None
    try:
        with DecryptedRecording(folder, key, part) as film, av.open(film, "r", format="mp4") as container:
            for frame in container.decode(video=0):
                time_s = frame.time or 0.0
                first_s = time_s if first_s is None else first_s
                yield part.pieces[1].first_pts + round((time_s - first_s) * 1e6), frame
    except av.error.FFmpegError as trouble:
        raise EvidenceTrouble("evidence.not_decryptable", str(trouble)) from trouble


def _tell(out: TextIO, message: dict[str, Any]) -> None:
    out.write(json.dumps(message) + "\n")
    out.flush()


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """No options: the job comes on stdin."""


def run(_args: argparse.Namespace) -> int:
    """Run the program. 2: no job on stdin; 5: a recording that cannot be read."""
    lower_priority(NICE)
    cv2.setNumThreads(1)
    try:
        job = as_job(sys.stdin.readline())
    except (ValueError, TypeError):
        return 2
    end_with_stdin()
    known = read_sources(Sources(job.templates, job.bound, job.catalogue, job.own, job.compiled))
    products = tuple(p for p in known.products if job.rehearsal or not p.rehearsal)
    catalogue = Catalogue(products, known.version)
    look_through(job, Thief(make_looker(catalogue), catalogue), sys.stdout)
    return 0
