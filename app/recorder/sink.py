"""The encode thread's work: frames and events in their order become fragments and records of one recording.

A part ends when the camera fails, changes or gives another size, and after 10 minutes; a gap in the pictures is a
record. Frames come masked; their originals go into the sealed side stream. What the disk refuses breaks the part off:
its last fragment is dropped whole, and frames wait in the ring until they are given again (`mend`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from app.core.errors import EvidenceTrouble
from app.evidence.mask import CLEAR, Cover
from app.evidence.ring import Picture
from app.evidence.writer import RecordingWriter
from app.frames import Plane
from app.platform import has_no_room
from app.recorder.encoder import Fragment, Header, PartEncoder
from app.recorder.masking import MaskLog
from app.recorder.missing import UNREADABLE, Missing
from app.recorder.protocol import CameraState, FromRecorder, Noted, RecordingClosed, RecordingState, Trouble
from hardware.catalog import shown_address

_PART_US = 600_000_000
_ASIDE_US = 500_000
_HOLE_US = 700_000
"""Two frames further apart than this are a gap, whatever was said: a process that was stopped hears of nothing."""

_PICTURE_ALARMS = ("frozen", "black")

log = logging.getLogger("cardintake.recorder")

Durable = Callable[[int | None], None]
Tell = Callable[[FromRecorder], None]


class Take:
    """One recording from Start to Stop, whether begun anew or after a crash. One thread; never raises OSError.

    `refused`: what the disk said when it refused something first. `broken`: nothing is taken in, neither frames nor
    the close, until `mend`; events wait. `ended` without `sealed`: given up, to be gone on with by the next recorder.
    """

    def __init__(
        self,
        recording_id: str,
        writer: RecordingWriter,
        tell: Tell,
        gap: str = "",
        durable: Durable = lambda _mono_us: None,
    ) -> None:
        """`gap`: why the pictures begin late ("" when they begin the recording). `durable` is told the monotonic time
        up to which all pictures are on the disk as fragments; None: all there are.
        """
        self._id = recording_id
        self._writer = writer
        self._tell = tell
        self._durable = durable
        self._masks = MaskLog(self._note_mask)
        self._seen: tuple[object, ...] = ()  # the camera as the chain has it
        self._lead: list[tuple[Picture, int]] = []  # originals since the last key that are in no side part
        self._encoder: PartEncoder | None = None
        self._part_began_us = 0
        self._gap = gap
        self._last_pts = writer.last_pts
        self._missing = Missing(writer.dropped, writer.missed_to)
        self._last_sync_us = 0
        self._kept_pts = writer.last_pts
        self._later: list[Callable[[], None]] = []
        self.refused: OSError | None = None
        self.broken = False
        self.ended = self.sealed = False
        self.progress = self._look()

    @property
    def recording_id(self) -> str:
        return self._id

    @property
    def last_pts(self) -> int:
        """The newest picture's time; -1 before any."""
        return self._last_pts

    @property
    def writer(self) -> RecordingWriter:
        return self._writer

    def frame(
        self,
        planes: Plane,
        mono_us: int,
        width: int,
        height: int,
        done: Cover = CLEAR,
        original: Picture | None = None,
    ) -> None:
        """Encode a frame that was covered as `done` says; what becomes whole by it goes to the disk.

        `original`: what it was before, for the side stream.
        """
        pts = self._writer.pts(mono_us)
        if self.ended or self.broken:
            return
        if original is not None:
            self.missed(original.missed, original.why)
        if pts <= self._last_pts:
            self.missed(1, UNREADABLE)
            return
        self._guarded(lambda: self._frame(planes, pts, width, height, done, original))

    def aside(self, original: Picture) -> None:
        """A frame that must not be reviewed at all: only its original is kept."""
        pts = self._writer.pts(original.mono_us)
        if self.ended or self.broken or pts <= self._last_pts:
            return
        self.missed(original.missed, original.why)
        self._guarded(lambda: self._aside(original, pts))

    def leads(self, original: Picture) -> None:
        """An original whose frame is in a fragment already: in a new side part those after it cannot do without it."""
        self._put_aside(original, self._writer.pts(original.mono_us), wanted=False)

    def interrupted(self, gap: str) -> None:
        """The pictures break off here for this reason."""
        self._guarded(lambda: self._interrupted(gap))

    def refuse(self, trouble: OSError) -> None:
        """The disk refused something else of the recording: it should end here. What is being encoded goes on."""
        if self.refused is None:
            self.refused = trouble
            self._writer.spend_reserve()
            self._tell(Trouble(f"recorder.{disk_word(trouble)}", trouble.strerror or ""))

    def break_off(self, trouble: OSError) -> None:
        """The disk refused a part, a record or the side stream: nothing of the recording is taken in until `mend`."""
        log.error("the disk refuses the recording: %s", trouble.strerror)
        self.broken = True
        self._encoder = None  # its muxer is never asked again
        self._missing.broke_off()
        self._masks = MaskLog(self._note_mask)
        self._last_pts = self._kept_pts  # what came behind it is in the ring and will be given again
        with suppress(OSError):
            self._writer.disk_failed()
        self.refuse(trouble)

    def mend(self) -> None:
        """Take in again what comes after the last frame that is durable."""
        self.broken = False

    def catch_up(self) -> None:
        """Write the events that waited."""
        later, self._later = self._later, []
        for work in later:
            self._guarded(work, again=True)

    def give_up(self) -> None:
        """The disk takes no more: leave the recording as it is, without its end."""
        if not self.ended:
            self._writer.abandon()
            self._is_over("", disk_word(self.refused or OSError()))

    def missed(self, count: int, why: str, for_good: bool = False) -> None:
        """Frames that are not in the recording and came just before the next one that is. `for_good`: the ring has no
        word of them, and will not tell it again.
        """
        if for_good and self.broken:  # what is given again comes before them
            self._later.append(lambda: self.missed(count, why, for_good))
            return
        self._missing.lost(count, why, for_good)
        self.progress = replace(self.progress, dropped=self._missing.total)

    def camera(self, state: CameraState) -> None:
        """Record what became of the camera; when it fails, the pictures so far become durable at once."""
        self._guarded(lambda: self._camera(state), again=True)

    def event(self, kind: str, body: dict[str, Any]) -> None:
        """Put an event into the chain, once if it has an id; one that cannot be a record (floats) is refused, the
        recording goes on.
        """
        note_id = str(body.get("id", ""))

        def write() -> None:
            if note_id not in self._writer.noted:
                self._writer.note("event", event=kind, body=body)
            if note_id:
                self._writer.noted.add(note_id)
                self._tell(Noted(note_id))

        try:
            self._guarded(write, again=True)
        except (ValueError, EvidenceTrouble) as trouble:
            self._tell(Trouble("recorder.event_refused", str(trouble)))
            self._tell(Noted(note_id))

    def close(self, reason: str) -> None:
        """Finish, seal, and tell; `broken` after it when the disk would not have it."""
        self._guarded(lambda: self._close(reason))

    def _frame(self, planes: Plane, pts: int, width: int, height: int, done: Cover, original: Picture | None) -> None:
        self._find_hole(pts)
        full = self._encoder is not None and pts - self._part_began_us >= _PART_US
        if self._encoder is None or full or self._encoder.size != (width, height):
            self._end_part()
            self._begin_part(pts, width, height)
        assert self._encoder is not None
        self._masks.saw(pts, done)
        self._missing.taken(self._last_pts, pts)
        if original is not None:
            self._put_aside(original, pts, wanted=bool(done.reason))
        self._keep(self._encoder.encode(planes, pts))
        self._last_pts = pts

    def _find_hole(self, pts: int) -> None:
        """Nobody said that pictures would be missing here, and none came for long: a gap all the same."""
        if 0 <= self._last_pts < pts - _HOLE_US and not self._missing.waits:
            self._interrupted("no_pictures")

    def _put_aside(self, original: Picture, pts: int, wanted: bool) -> None:
        """A wanted original goes into the side stream with those before it that it cannot be decoded without."""
        if original.key:
            self._lead.clear()
        self._lead.append((original, pts))
        if wanted:
            for picture, at in self._lead:
                self._writer.add_side(picture, at)
            self._lead.clear()

    def _aside(self, original: Picture, pts: int) -> None:
        self._find_hole(pts)
        self._note_gap(pts)
        before, self._last_pts = self._last_pts, pts
        self._missing.taken(before, pts)
        self._put_aside(original, pts, wanted=True)
        if pts // _ASIDE_US != before // _ASIDE_US:
            self._tell_missing()
            self._writer.keep_side()
            self._kept_pts = pts
            self._missing.kept(pts)
            self._durable(self._writer.first_mono_us + pts)
            self._last_sync_us = time.monotonic_ns() // 1000
            self.progress = replace(self._look(), last_pts_us=pts)
            self._tell(self.progress)

    def _interrupted(self, gap: str) -> None:
        self._end_part()
        self._gap = self._gap or gap

    def _note_mask(self, reason: str, from_pts: int, to_pts: int, zones: list[dict[str, Any]]) -> None:
        self._writer.note("mask", reason=reason, from_pts=from_pts, to_pts=to_pts, zones=zones)

    def _note_gap(self, pts: int) -> None:
        if self._gap and self._last_pts >= 0:
            self._writer.note("gap", reason=self._gap, from_pts=self._last_pts, to_pts=pts)
        self._gap = ""

    def _begin_part(self, pts: int, width: int, height: int) -> None:
        self._note_gap(pts)
        self._writer.begin_part(width, height, pts)
        self._encoder, self._part_began_us = PartEncoder(width, height), pts

    def _end_part(self) -> None:
        encoder, self._encoder = self._encoder, None
        if encoder is not None:
            self._keep(encoder.finish())
        self._masks.flush(self._last_pts)
        self._writer.end_part()

    def _keep(self, pieces: list[Header | Fragment]) -> None:
        for piece in pieces:
            if isinstance(piece, Header):
                self._writer.add_init(piece.data)
                continue
            self._masks.flush(piece.last_pts)
            self._tell_missing()
            self._writer.add_fragment(piece.data, piece.first_pts, piece.last_pts, piece.frames, self._missing.total)
            self._kept_pts = piece.last_pts
            self._missing.kept(piece.last_pts)
            self._durable(self._writer.first_mono_us + piece.last_pts)
            self._last_sync_us = time.monotonic_ns() // 1000
            self.progress = self._look()
            self._tell(self.progress)

    def _tell_missing(self) -> None:
        told = self._missing.told()
        if told is not None:
            self._writer.note("missed", **told)

    def _camera(self, state: CameraState) -> None:
        looks = (state.state, state.reason, state.address, state.width, state.height)
        if looks != self._seen:
            self._camera_changed(state)
            self._seen = looks
        if state.controls:
            self._writer.note("event", event="camera.controls", body=dict(state.controls))

    def _camera_changed(self, state: CameraState) -> None:
        if state.state != "live":
            self._end_part()
            word: str = "changed" if state.state == "starting" else state.state
            word = state.reason if state.reason in _PICTURE_ALARMS else word
            self._gap = self._gap or f"camera_{word}"  # the first cause; what follows it comes of it
        size = {"width": state.width, "height": state.height}
        address = shown_address(state.address)
        self._writer.note("camera", state=state.state, reason=state.reason, address=address, **size)

    def _close(self, reason: str) -> None:
        self._end_part()
        self._missing.taken(self._last_pts, max(0, self._last_pts))
        self._tell_missing()
        self._writer.sync_side()
        self._durable(None)
        root = self._writer.close(reason)
        self.sealed = True
        self._is_over(root, reason)

    def _is_over(self, root: str, reason: str) -> None:
        self.ended = True
        self.progress = RecordingState("off")
        counts = self._writer.frames, self._missing.total, max(0, self._last_pts)
        self._tell(RecordingClosed(self._id, root, self._writer.head, *counts, reason))

    def _guarded(self, work: Callable[[], None], again: bool = False) -> None:
        """Do it unless the part is broken; `again`: then it waits until that is mended."""
        if self.ended:
            return
        if not self.broken:
            try:
                work()
            except OSError as trouble:
                self.break_off(trouble)
            else:
                return
        if again:
            self._later.append(work)

    def _look(self) -> RecordingState:
        writer = self._writer
        return RecordingState(
            "on" if self._last_sync_us else "starting",
            self._id,
            writer.bytes_on_disk,
            writer.fragments,
            writer.frames,
            self._missing.total,
            0,
            max(0, writer.last_pts),
            writer.first_mono_us,
            writer.head,
            self._last_sync_us,
        )


def disk_word(trouble: OSError) -> str:
    """disk_full or disk_failed."""
    return "disk_full" if has_no_room(trouble) else "disk_failed"
