"""The encode thread: takes durable frames in their order, waits for the eye's word, masks, encodes; owns the recording.

It may fall behind as far as it likes: what waits is in the ring on the disk.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from app.core.errors import EvidenceTrouble
from app.evidence.mask import CLEAR, paint
from app.evidence.ring import Picture, leftovers
from app.frames import Plane
from app.platform import has_no_room
from app.recorder.ahead import Ahead, Begin, End, Failed, Item, Missed, Ring, Seen, Shot, ring_key_of
from app.recorder.masking import DELAY_US, Words
from app.recorder.missing import DISK, UNREADABLE
from app.recorder.opening import encode_leftovers, is_begun, open_take
from app.recorder.protocol import CameraState, RecordingState, Start, Trouble
from app.recorder.sink import Take, Tell, disk_word
from app.recorder.squeeze import Unsqueezer
from app.reserve import Reserve

log = logging.getLogger("cardintake.recorder")

Note = Callable[[Take], None]


class Work:
    """The thread. `put` items in order; `note` gets past frames that wait."""

    def __init__(self, tell: Tell, words: Words) -> None:
        self._tell, self._words = tell, words
        self._wake = threading.Condition()
        self._items: deque[Item] = deque()
        self._notes: deque[tuple[str, Note]] = deque()
        self._hurry = self._stopping = self._failing = False
        self._start: Start | None = None
        self._take: Take | None = None
        self._ring: Ring | None = None
        self._camera = CameraState("off", "", "", 0.0, 0, 0)
        self._jpeg = Unsqueezer()
        self._ahead: Ahead | None = None
        self._thread = threading.Thread(target=self._run, name="encode", daemon=True)

    def start(self, ahead: Ahead) -> None:
        """Begin; `ahead` is told of frames that are done."""
        self._ahead = ahead
        self._thread.start()

    def stop(self) -> None:
        """Work off what waits, without waiting for the eye any more; what takes too long stays in the ring."""
        with self._wake:
            self._hurry = self._stopping = True
            self._wake.notify()
        self._thread.join(timeout=2.5)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def take(self) -> Take | None:
        """The recording that is being encoded."""
        return self._take

    @property
    def camera(self) -> CameraState:
        return self._camera

    @property
    def behind_us(self) -> int:
        """How old the frame is that is next to be encoded."""
        with self._wake:
            first = next((item for item in self._items if isinstance(item, Shot)), None)
        return 0 if first is None else max(0, time.monotonic_ns() // 1000 - first.mono_us)

    def put(self, item: Item) -> None:
        with self._wake:
            self._items.append(item)
            self._failing = self._failing or isinstance(item, Failed)
            self._wake.notify()

    def note(self, recording_id: str, work: Note) -> None:
        """Do something to this recording at once, between two frames, or when it has begun."""
        with self._wake:
            self._notes.append((recording_id, work))
            self._wake.notify()

    def _run(self) -> None:
        try:
            while (todo := self._next()) is not None:
                todo()
        except Exception:
            log.exception("encoding ended by a bug")
            self._tell(Trouble("recorder.encoder", "bug"))

    def _next(self) -> Callable[[], None] | None:
        with self._wake:
            while True:
                note = next((one for one in self._notes if self._take and one[0] == self._take.recording_id), None)
                if note is not None:
                    self._notes.remove(note)
                    return partial(self._with_take, note[1])
                wait_s = self._wait_s()
                if wait_s is not None and wait_s <= 0:
                    item = self._items.popleft()
                    return lambda: self._do(item)
                if self._stopping and not self._items:
                    return None
                self._wake.wait(wait_s)

    def _wait_s(self) -> float | None:
        """Until the next item is due; None when there is none."""
        if not self._items:
            return None
        item = self._items[0]
        if self._hurry or self._failing or not isinstance(item, Shot) or self._start is None or not self._start.masked:
            return 0.0
        return (item.mono_us + DELAY_US - time.monotonic_ns() // 1000) / 1e6

    def _do(self, item: Item) -> None:
        match item:
            case Begin():
                self._begin(item)
            case Shot():
                self._shot(item)
            case Seen(camera):
                self._camera = camera
                self._with_take(lambda take: take.camera(camera))
            case Missed(count, why):
                self._with_take(lambda take: take.missed(count, why, for_good=True))
            case Failed(trouble):
                self._failing = False
                self._with_take(lambda take: take.refuse(trouble))
            case End(reason):
                self._end(reason)

    def _with_take(self, work: Note) -> None:
        if self._take is not None:
            work(self._take)

    def _end(self, reason: str) -> None:
        """Close the recording. What a refused part did not take is given once more, from the ring, in another part."""
        take, start, ring = self._take, self._start, self._ring
        if take is not None and start is not None and ring is not None:
            for _ in range(2):
                if take.broken:
                    self._give_again(take, start, ring)
                take.catch_up()
                take.close(reason if take.refused is None else disk_word(take.refused))
            take.give_up()
        self._forget()

    def _give_again(self, take: Take, start: Start, ring: Ring) -> None:
        take.mend()
        try:
            saved = encode_leftovers(take, ring.paths(), start, ring.key)
        except OSError as trouble:
            take.break_off(trouble)
        else:
            log.info("%d frames that the disk had refused are kept", saved)

    def _forget(self) -> None:
        """The recording is over: what the ring still holds is in it, or stays for who goes on with it."""
        ring, self._ring = self._ring, None
        take, self._take, self._start = self._take, None, None
        if take is not None:
            with self._wake:
                self._notes = deque(one for one in self._notes if one[0] != take.recording_id)
        if ring is not None:
            try:
                ring.end(keep=take is not None and not take.sealed)
            except OSError as trouble:
                log.error("ring not removed: %s", trouble.strerror)

    def _begin(self, begin: Begin) -> None:
        self._forget()
        self._ring, start = begin.ring, begin.start
        try:
            if begin.trouble is not None:
                if begin.reserve is not None and has_no_room(begin.trouble) and is_begun(start):
                    self._seal_from(begin.reserve, start)
                raise begin.trouble
            self._take = open_take(start, self._tell, self._release, begin.reserve)
            if self._take is not None and self._ring is not None:
                saved = encode_leftovers(self._take, self._ring.old, start, self._ring.key)
                log.info("%d frames were left in the ring", saved)
        except (EvidenceTrouble, OSError) as trouble:
            code = trouble.code if isinstance(trouble, EvidenceTrouble) else f"recorder.{disk_word(trouble)}"
            self._tell(Trouble(code, str(trouble)))
            self._take = None
        if self._take is None:
            self._forget()
            return
        self._start = start
        if self._camera.state == "live" and self._camera.address == start.camera:
            camera = self._camera
            self._with_take(lambda take: take.camera(camera))

    def _seal_from(self, reserve: Reserve, start: Start) -> None:
        """The disk was full when the recorder was killed: what the ring holds, and the end, have room in the reserve.
        Raises as `open_take`.
        """
        reserve.spend()
        take = open_take(start, self._tell, reserve=reserve)
        if take is not None:
            saved = encode_leftovers(
                take, leftovers(Path(start.folder) / start.recording_id), start, ring_key_of(start)
            )
            log.info("%d frames were left in the ring", saved)
            take.close("disk_full")
            take.give_up()

    def _release(self, mono_us: int | None) -> None:
        if self._ring is not None and mono_us is not None:
            self._ring.release(mono_us)
        elif self._ring is not None:
            self._ring.end(keep=False)

    def _shot(self, shot: Shot) -> None:
        take, start = self._take, self._start
        assert self._ahead is not None
        if take is not None and start is not None:
            self._encode(take, start, shot)
        self._ahead.done(shot)

    def _encode(self, take: Take, start: Start, shot: Shot) -> None:
        if take.broken:
            return  # the ring keeps it until the end
        picture = shot.picture or self._read_back(shot)
        if picture is None:
            self._jpeg.lost()
            take.missed(1 + shot.missed, DISK)
        elif start.aside:
            take.aside(picture)
        else:
            self._review(take, start, picture, shot.planes)

    def _review(self, take: Take, start: Start, picture: Picture, planes: Plane | None) -> None:
        if planes is None:
            planes = self._jpeg.planes(picture)
        else:
            self._jpeg.follow(picture)
        if planes is None:
            take.missed(1 + picture.missed, UNREADABLE)
            return
        width, height = picture.width, picture.height
        done = self._words.cover(picture.mono_us, width, height) if start.masked else CLEAR
        paint(planes, width, height, done.outlines)
        take.frame(planes, picture.mono_us, width, height, done, picture)

    def _read_back(self, shot: Shot) -> Picture | None:
        if shot.stored is None:
            return None
        try:
            entry = shot.stored.read()
        except OSError:
            return None  # the disk is full and the ring was given up
        return entry if isinstance(entry, Picture) else None

    def progress(self) -> RecordingState | None:
        """How far the present recording is encoded."""
        take = self._take
        return None if take is None else replace(take.progress, behind_us=self.behind_us)
