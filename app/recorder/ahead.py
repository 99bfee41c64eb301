"""The ring thread: makes compressed frames durable before anything else is done with them, and hands them on in order.

Capture never waits for it: frames queue up to a budget of memory (several seconds of a disk that does nothing), and
only beyond that a frame is dropped, counted and told. What the encoder is too slow for stays on the disk and is read
back from there.
"""

from __future__ import annotations

import logging
import queue
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from app.evidence.crypt import KEY_BYTES
from app.evidence.ring import Entry, Note, Picture, RingSegment, Spot, leftovers
from app.frames import Plane
from app.platform import private_folder
from app.recorder.missing import DISK
from app.recorder.protocol import CameraState, Start
from app.reserve import Reserve

_QUEUE_BYTES = 64 << 20  # frames that are not durable yet
_HELD_BYTES = 64 << 20  # compressed frames kept in memory until they are encoded; beyond it they are read back
_PLANES_BYTES = 150 << 20  # planes kept until they are encoded (1.5 s at 1080p): saves decompressing them again
_PLANES_WAITING = 8  # so many frames that wait for the disk keep theirs; a disk that hangs must not fill the memory
_SYNC_S = 0.2
_SEGMENT_BYTES = 8 << 20
_SEGMENT_S = 2.0

log = logging.getLogger("cardintake.recorder")


def ring_key_of(start: Start) -> bytes:
    """What a ring's segments are wrapped by. Of pictures that nobody may review a key that is nowhere but in memory:
    they are in the side stream half a second later, and what a crash leaves here must be readable to nobody.
    """
    return secrets.token_bytes(KEY_BYTES) if start.aside else bytes.fromhex(start.recording_key)


class Ring:
    """The segments of one recording. The ring thread appends; the encode thread reads, releases and ends.

    Whoever appends or ends it has it for himself meanwhile; once it has ended it takes nothing more.
    """

    def __init__(self, folder: Path, recording_key: bytes) -> None:
        """Begin a new segment behind those that a crash left. Raises OSError."""
        self._folder, self.key = private_folder(folder), recording_key
        self.old = leftovers(folder)
        self._number = 1 + max((int(path.name[5:11]) for path in self.old if path.name[5:11].isdigit()), default=0)
        self._guard = threading.Lock()
        self._writing = threading.Lock()
        self._ended = False
        self._full: list[RingSegment] = []
        self._began_s = time.monotonic()
        self._now = RingSegment(folder, recording_key, self._number)

    def append(self, entry: Entry) -> Stored | None:
        """Write an entry; None when the ring has ended.

        A segment that is full or old ends before a key picture, so each can be decoded alone.
        """
        with self._writing:
            if self._ended:
                return None
            is_full = self._now.size > _SEGMENT_BYTES or time.monotonic() - self._began_s > _SEGMENT_S
            if is_full and isinstance(entry, Picture) and entry.key:
                self._begin_another()
            return Stored(self._now, self._now.append(entry))

    def sync(self) -> None:
        """Make everything durable; a ring that has ended needs no more of it."""
        with self._writing:
            if not self._ended:
                self._now.sync()

    def _begin_another(self) -> None:
        self._now.sync()
        self._number += 1
        full, self._now = self._now, RingSegment(self._folder, self.key, self._number)
        self._began_s = time.monotonic()
        with self._guard:
            self._full.append(full)

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        with self._guard:
            return self._now.size + sum(segment.size for segment in self._full)

    def paths(self) -> list[Path]:
        """The segments that are there, oldest first, those of an earlier recorder too."""
        return leftovers(self._folder)

    def release(self, mono_us: int) -> None:
        """Wipe the segments that hold nothing younger than this."""
        with self._guard:
            done = [segment for segment in self._full if segment.last_mono_us <= mono_us]
            self._full = [segment for segment in self._full if segment not in done]
        for segment in done:
            segment.shred()

    def end(self, keep: bool) -> None:
        """No more frames and no more readers: wipe all, or (`keep`) leave all to the next recorder."""
        with self._writing, self._guard:
            self._ended = True
            segments, self._full = [*self._full, self._now], []
        for segment in segments:
            if keep:
                segment.leave()
            else:
                segment.shred()


@dataclass(frozen=True, slots=True)
class Stored:
    """Where an entry lies in the ring."""

    segment: RingSegment
    spot: Spot

    def read(self) -> Entry:
        return self.segment.read(self.spot)


@dataclass(slots=True)
class Shot:
    """A frame on its way. `picture` may be let go of once it is `stored`; `planes` any time."""

    mono_us: int
    picture: Picture | None = field(repr=False)
    planes: Plane | None = field(default=None, repr=False)
    stored: Stored | None = None
    missed: int = 0  # as `picture` has it, which may be let go of

    @property
    def held(self) -> int:
        return 0 if self.picture is None else len(self.picture.data)


@dataclass(frozen=True, slots=True)
class Begin:
    """A recording begins; `ring` None when the disk would not have it (`trouble`)."""

    start: Start
    ring: Ring | None
    reserve: Reserve | None = None
    trouble: OSError | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """The camera's state changed."""

    camera: CameraState


@dataclass(frozen=True, slots=True)
class Missed:
    """Frames that could not be kept, and that no later frame tells of."""

    count: int
    why: str


@dataclass(frozen=True, slots=True)
class End:
    """The recording is to be closed behind the frames that came before."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The disk refused the ring."""

    trouble: OSError


Item = Begin | Shot | Seen | Missed | End | Failed


class Ahead:
    """The thread. `forward` gets every item in its order, frames only when they are durable; it must not block."""

    def __init__(self, forward: Callable[[Item], None]) -> None:
        self._forward = forward
        self._queue: queue.SimpleQueue[Item | Start | Note | None] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._queued = self._held = self._planes = self._waiting = 0
        self._ring: Ring | None = None
        self._reserve: Reserve | None = None
        self._pending: list[Item] = []
        self._dirty_since_s: float | None = None
        self.first_mono_us = self.last_mono_us = self.synced_us = 0
        self.spilled = 0
        self.crashed = False
        self._thread = threading.Thread(target=self._run, name="ring", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Work off what is queued, then end."""
        self._queue.put(None)
        self._thread.join(timeout=2.0)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def ring_bytes(self) -> int:
        ring = self._ring
        return 0 if ring is None else ring.size

    @property
    def waits(self) -> bool:
        """Whether frames wait that the disk has not taken yet."""
        with self._guard:
            return self._waiting > 0

    def put(self, item: Start | Seen | Missed | End | Note) -> None:
        """Queue what is no frame; never refused. A Start begins the ring of its recording."""
        self._queue.put(item)

    def offer(self, shot: Shot) -> bool:
        """Queue a frame; False when the disk is so far behind that there is no memory left for it."""
        planes = 0 if shot.planes is None else shot.planes.nbytes
        with self._guard:
            if self._queued + shot.held > _QUEUE_BYTES:
                return False
            if self._planes + planes > _PLANES_BYTES or self._waiting >= _PLANES_WAITING:
                shot.planes, planes = None, 0
            self._queued, self._planes = self._queued + shot.held, self._planes + planes
            self._waiting += 1
        self._queue.put(shot)
        return True

    def done(self, shot: Shot) -> None:
        """The encoder is finished with this frame: its memory counts no more. Call it before its parts are let go."""
        with self._guard:
            self._held -= shot.held
            self._planes -= 0 if shot.planes is None else shot.planes.nbytes

    def _run(self) -> None:
        try:
            while True:
                item = self._next()
                if item is None:
                    self._sync()
                    return
                if item != "late":
                    self._take(item)
                if self._dirty_since_s is not None and time.monotonic() - self._dirty_since_s >= _SYNC_S:
                    self._sync()
        except Exception:
            log.exception("the ring ended by a bug")
            self.crashed = True

    def _next(self) -> Item | Start | Note | str | None:
        wait_s = None
        if self._dirty_since_s is not None:
            wait_s = max(0.0, self._dirty_since_s + _SYNC_S - time.monotonic())
        try:
            return self._queue.get(timeout=wait_s)
        except queue.Empty:
            return "late"

    def _take(self, item: Item | Start | Note | str) -> None:
        match item:
            case Start():
                self._begin(item)
            case Shot():
                self._shot(item)
            case Note():
                self._append(item)
            case Seen(camera):
                self._append(Note("camera", {"state": camera.state, "reason": camera.reason}))
                self._send(item)
            case End():
                self._sync()
                self._ring = None
                self._send(item)
            case Begin() | Missed() | Failed():
                self._send(item)

    def _begin(self, start: Start) -> None:
        self._sync()
        self.first_mono_us = self.last_mono_us = self.synced_us = 0
        self._reserve = Reserve(Path(start.reserve), start.reserve_bytes) if start.reserve else None
        try:
            if self._reserve is not None:
                private_folder(Path(start.reserve).parent)
                self._reserve.fill()
            self._ring = Ring(Path(start.folder) / start.recording_id, ring_key_of(start))
            self._send(Begin(start, self._ring, self._reserve))
        except OSError as trouble:
            self._ring = None
            self._send(Begin(start, None, self._reserve, trouble))

    def _shot(self, shot: Shot) -> None:
        assert shot.picture is not None
        size, shot.missed = shot.held, shot.picture.missed
        stored = self._append(shot.picture)
        with self._guard:
            self._queued -= size
            self._waiting -= 1
            keep = self._held + size <= _HELD_BYTES
            self._held += size if keep else 0
            self.spilled += 0 if keep else 1
        if not keep:
            shot.picture = None
        shot.stored = stored
        if stored is None:  # no ring any more: it is in no recording, and that must be known
            self.done(shot)
            self._send(Missed(1 + shot.missed, DISK))
        else:
            self._send(shot)

    def _append(self, entry: Entry) -> Stored | None:
        if self._ring is None:
            return None
        try:
            stored = self._ring.append(entry)
        except OSError as trouble:
            self._fail(trouble)
            return None
        if stored is None:
            self._ring = None
        elif self._dirty_since_s is None:
            self._dirty_since_s = time.monotonic()
        return stored

    def _send(self, item: Item) -> None:
        """In order: behind frames that are not durable yet, it waits with them."""
        if self._dirty_since_s is None:
            self._forward(item)
        else:
            self._pending.append(item)

    def _sync(self) -> None:
        if self._dirty_since_s is None:
            return
        if self._ring is not None:
            try:
                self._ring.sync()
            except OSError as trouble:
                self._fail(trouble)
        self._flush()
        self.synced_us = time.monotonic_ns() // 1000 if self._ring is not None else self.synced_us

    def _flush(self) -> None:
        self._dirty_since_s = None
        pending, self._pending = self._pending, []
        for item in pending:
            if isinstance(item, Shot):
                self.first_mono_us = self.first_mono_us or item.mono_us
                self.last_mono_us = item.mono_us
            self._forward(item)

    def _fail(self, trouble: OSError) -> None:
        """The ring takes nothing more, but what is in it stays until it is encoded: what was spilled is nowhere else.
        The fragments of it need room now, the reserve's, before anybody is told.
        """
        log.error("the ring cannot go on: %s", trouble.strerror)
        self._ring = None
        if self._reserve is not None:
            self._reserve.spend()
        self._flush()
        self._forward(Failed(trouble))
