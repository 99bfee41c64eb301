"""The station's side of the recorder: what it was told, what it says, what that means to a session."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from app.core.events import Device, DeviceLost, RecordingBegan, RecordingCut, RecordingResumed, SaveFailed
from app.core.footage import OVERHEAD
from app.core.readiness import CameraFacts, Level, RecFacts, RecMode, Surroundings
from app.programs import Message
from app.recorder import protocol as told
from app.station.clock import Clock
from app.station.link import ProgramLink, ProgramPlan
from app.station.station import Adjust, Post

_log = logging.getLogger(__name__)

Closed = Callable[[told.RecordingClosed], None]

_START_AGAIN_US = 2_000_000
"""A recording that could not begin (a full disk) is tried again this often."""

_CLOSE_US = 10_000_000
"""A recording that is not closed so long after it was asked for: the clerk is told, and may ask again."""

_NOTE_AGAIN_US = 2_000_000
"""An event that is not answered is said again this often."""

_GOES_ON = frozenset({"recorder.unsigned", "recorder.event_refused"})
"""Troubles of a recording that goes on: they stand in the strip, and the hands need not stop for them."""

_LEVELS = {"live": Level.OK, "starting": Level.BUSY, "off": Level.NONE}


@dataclass(slots=True)
class _Tape:
    """What the recorder shall be doing."""

    camera: str = ""
    start: told.Start | None = None
    said_at_us: int = 0  # when `start` was sent last
    stop_at_us: int | None = None  # when its end was asked for
    began: bool = False
    cut_at_us: int | None = None
    saved_mono_us: int = 0
    code: str = ""  # what is wrong with it, though it goes on


@dataclass(slots=True)
class _Waiting:
    """An event that the recorder has not said to be in the chain; `earlier`: it may well have been for long."""

    recording_id: str
    note: told.NoteEvent
    said_at_us: int
    earlier: bool


class Filming:
    """Drives the recorder program and turns its words into events and facts.

    After a restart of the recorder everything it must know is said again: the camera, the running recording, a stop
    that it may not have heard.
    """

    def __init__(
        self,
        plan: ProgramPlan,
        post: Post,
        adjust: Adjust,
        clock: Clock,
        role: str = OVERHEAD,
        first: Callable[[], Sequence[told.ToRecorder]] = tuple,
    ) -> None:
        """`role`: of which camera. `first`: what the program is told each time that it is reached."""
        self._post, self._adjust, self._clock = post, adjust, clock
        self._role, self._first = role, first
        self._on_closed: Closed = lambda _closed: None
        self._last_closed: told.RecordingClosed | None = None
        self._tape = _Tape()
        self._guard = threading.Lock()  # notes are made in the station's thread and answered in the link's
        self._notes: dict[str, _Waiting] = {}
        self._link = ProgramLink(plan, self._say_all_again, self._hear, self._gone)

    def on_closed(self, tell: Closed) -> None:
        """Call `tell` (in the link's thread) when a recording is sealed. Set it before `start`."""
        self._on_closed = tell

    def start(self) -> None:
        self._link.start()

    def stop(self, end_program: bool) -> None:
        self._link.stop(end_program)

    def open_camera(self, address: str) -> None:
        """Show this camera from now on, without recording."""
        self._tape.camera = address
        self._send(told.OpenCamera(address))

    def begin(self, start: told.Start) -> None:
        """Record, or go on with a recording that was begun before a restart."""
        self._tape = _Tape(camera=start.camera, start=start)
        self._say_start(start)

    def change_camera(self, address: str) -> bool:
        """Go on with another camera; a running recording goes on with it in the same chain. False when it may not: a
        film in a recording of a camera would pass for real.
        """
        if self._tape.start is None:
            self.open_camera(address)
            return True
        if told.is_film(address) and not told.is_film(self._tape.start.camera):
            return False
        self._tape.camera = address
        self._tape.start = replace(self._tape.start, camera=address)
        self._say_start(self._tape.start)
        return True

    def end(self, recording_id: str, reason: str) -> None:
        """Close the recording; who set `on_closed` is told when it is sealed, of one that is sealed already at once.

        SaveFailed("recorder.not_closed") is posted when that takes too long; then ask again.
        """
        last = self._last_closed
        if last is not None and last.recording_id == recording_id != self.recording_id:
            self._on_closed(last)
            return
        self._tape.stop_at_us = self._clock.mono_us()
        self._send(told.Stop(reason))

    def note(self, event: str, body: dict[str, Any], note_id: str = "") -> None:
        """Write an event into the recording's chain, with the time it is now; a recorder that is away or dies hears it
        again, and writes it once. `note_id`: a UUID by which this event is known for ever, "" for a fresh one.
        """
        times = {"at_mono_us": self._clock.mono_us(), "at_wall_us": self._clock.wall_us()}
        self._note(event, {**body, **times, "id": note_id or str(uuid4())}, earlier=False)

    def note_again(self, event: str, body: dict[str, Any], note_id: str) -> None:
        """Write an event of earlier into the chain, if it is not there (a window may die before it says so)."""
        self._note(event, {**body, "id": note_id}, earlier=True)

    def _note(self, event: str, body: dict[str, Any], earlier: bool) -> None:
        if self.recording_id:
            note = told.NoteEvent(event, body)
            with self._guard:
                self._notes[body["id"]] = _Waiting(self.recording_id, note, self._clock.mono_us(), earlier)
            self._send(note)

    def tell(self, message: told.Zones | told.CardsOut) -> None:
        """Tell the recorder what was seen; one that is away masks by the rule for no word."""
        self._send(message)

    @property
    def recording_id(self) -> str:
        return self._tape.start.recording_id if self._tape.start else ""

    def _send(self, message: told.ToRecorder) -> None:
        self._link.send(told.to_wire(message))

    def _say_start(self, start: told.Start) -> None:
        self._tape.said_at_us = self._clock.mono_us()
        self._send(start)

    def _say_all_again(self) -> None:
        for message in self._first():
            self._send(message)
        if self._tape.start is not None:
            self._say_start(self._tape.start)
            self._note_again(0)
            if self._tape.stop_at_us is not None:
                self._send(told.Stop("sealed"))
        elif self._tape.camera:
            self._send(told.OpenCamera(self._tape.camera))

    def _note_again(self, older_than_us: int) -> None:
        """Say what is not in the chain yet once more."""
        now_us = self._clock.mono_us()
        with self._guard:
            due = [one for one in self._notes.values() if now_us - one.said_at_us >= older_than_us]
            for one in due:
                one.said_at_us = now_us
        for one in due:
            if one.recording_id == self.recording_id:
                self._send(one.note)

    def _hear(self, message: Message) -> None:
        self._look_at_the_clock()
        match told.from_wire(message):
            case told.CameraState() as camera:
                self._camera_is(camera)
            case told.RecordingState() as state:
                self._recording_is(state)
            case told.RecordingClosed() as closed:
                self._closed(closed)
            case told.Noted(note_id):
                with self._guard:
                    self._notes.pop(note_id, None)
            case told.Trouble(code, detail):
                self._trouble(code, detail)

    def _camera_is(self, camera: told.CameraState) -> None:
        level = _LEVELS.get(camera.state, Level.DOWN)
        simulated = told.is_film(camera.address)
        code = f"camera.{camera.reason}" if camera.reason else ""

        def change(around: Surroundings) -> Surroundings:
            now = CameraFacts(
                level, self._role, camera.width, camera.height, round(camera.fps), code, simulated,
                around.camera.sharpness, around.camera.glare,
            )  # fmt: skip
            return replace(around, camera=now)

        self._adjust(change)

    def _recording_is(self, state: told.RecordingState) -> None:
        if self._tape.start is None:
            return
        if state.recording_id != self._tape.start.recording_id:
            self._start_again(self._tape.start)
            return
        if state.last_sync_mono_us:
            self._tape.saved_mono_us = state.last_sync_mono_us
        self._note_again(_NOTE_AGAIN_US)
        if state.state == "on":
            self._running(state)
        elif state.state == "cut":
            self._cut(state.cause or "camera.lost")
        self._show(state)

    def _start_again(self, start: told.Start) -> None:
        """The recorder does not record what it was told to: it could not begin. What stopped it may be over by now."""
        waited_us = self._clock.mono_us() - self._tape.said_at_us
        if waited_us >= _START_AGAIN_US:
            self._say_start(start)
            if self._tape.stop_at_us is not None:
                self._send(told.Stop("sealed"))

    def _look_at_the_clock(self) -> None:
        asked_us = self._tape.stop_at_us
        if asked_us is not None and self._clock.mono_us() - asked_us >= _CLOSE_US:
            self._tape.stop_at_us = None
            self._post(SaveFailed("recorder.not_closed", self.recording_id))

    def _running(self, state: told.RecordingState) -> None:
        tape = self._tape
        if not tape.began:
            tape.began = True
            self._post(RecordingBegan(state.recording_id, state.first_mono_us))
        if tape.cut_at_us is not None:
            gap_us = self._clock.mono_us() - tape.cut_at_us
            tape.cut_at_us = None
            self._post(RecordingResumed(gap_us))

    def _cut(self, code: str) -> None:
        tape = self._tape
        if not tape.began or tape.stop_at_us is not None or tape.cut_at_us is not None:
            return
        tape.cut_at_us = tape.saved_mono_us or self._clock.mono_us()
        self._post(RecordingCut(code, self._saved_wall_us()))

    def _saved_wall_us(self) -> int:
        ago_us = self._clock.mono_us() - (self._tape.saved_mono_us or self._clock.mono_us())
        return self._clock.wall_us() - ago_us

    def _show(self, state: told.RecordingState) -> None:
        mode = {"on": RecMode.ON, "cut": RecMode.CUT}.get(state.state, RecMode.OFF)
        facts = RecFacts(
            mode, state.recording_id, state.last_pts_us - state.first_pts_us, state.bytes_on_disk,
            state.frames, state.dropped, self._saved_wall_us(), self._tape.code,
        )  # fmt: skip
        self._adjust(lambda around: replace(around, rec=facts))

    def _closed(self, closed: told.RecordingClosed) -> None:
        if not closed.root and closed.recording_id == self.recording_id:
            self._cut("recorder.disk_failed")  # not sealed: it is begun again until the disk takes it
            return
        self._last_closed = closed
        with self._guard:
            lost = [note_id for note_id, one in self._notes.items() if one.recording_id == closed.recording_id]
            for note_id in lost:
                late = self._notes.pop(note_id)
                if not late.earlier:
                    _log.error("an event came too late for its recording", extra={"detail": late.note.event})
        if closed.recording_id == self.recording_id:
            camera = self._tape.camera
            self._tape = _Tape(camera=camera)
        self._adjust(lambda around: replace(around, rec=RecFacts()))
        self._on_closed(closed)

    def _trouble(self, code: str, detail: str) -> None:
        _log.error("recorder: %s", code, extra={"detail": detail})
        if code in _GOES_ON:
            self._tape.code = code
        elif code.endswith("disk_full"):
            self._post(DeviceLost(Device.DISK, "store.disk_full"))
        else:
            self._post(DeviceLost(Device.RECORDER, code))

    def _gone(self, code: str) -> None:
        _log.error("recorder: %s", code)
        self._adjust(_without_recorder)
        self._cut("recorder.gone")
        self._look_at_the_clock()


def _without_recorder(around: Surroundings) -> Surroundings:
    """No recorder, no picture: a running recording is cut, and no parcel can be begun."""
    mode = RecMode.CUT if around.rec.mode is RecMode.ON else around.rec.mode
    camera = replace(around.camera, level=Level.DOWN, code="recorder.gone")
    return replace(around, rec=replace(around.rec, mode=mode), camera=camera)
