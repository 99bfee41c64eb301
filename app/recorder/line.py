"""Between capture and encoding: frames, camera changes and commands keep their order on the way to the disk.

    capture ──offer──> ring thread (Ahead): durable, encrypted ──> encode thread (Work): mask, encode, fragment, record

While nothing is recorded the newest five seconds stay in memory and become the beginning of the next recording.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from app.evidence.ring import Note, Picture
from app.frames import Plane
from app.recorder.ahead import Ahead, End, Missed, Seen, Shot
from app.recorder.masking import VIEW, Words
from app.recorder.missing import CAMERA, MEMORY
from app.recorder.protocol import CameraState, FromRecorder, RecordingClosed, RecordingState, Start, Trouble, Zones
from app.recorder.sink import Take, Tell
from app.recorder.squeeze import PLANES, Squeezer
from app.recorder.work import Work
from hardware.ports import Packet

_GRACE_US = 2_000_000
_CUT_US = 700_000  # the ring becomes durable each 0.2 s
_BEFORE_US = 5_000_000
_BEFORE_BYTES = 80 << 20


class Line:
    """Takes frames from the capture thread (it is a `capture.FrameTaker`) and commands from the main thread."""

    def __init__(self, tell: Tell, tell_camera: Callable[[CameraState], None]) -> None:
        """`tell` sends a message to the station and never blocks; `tell_camera` likewise, for a camera's new state."""
        self._tell, self._tell_camera = tell, tell_camera
        self._words = Words()
        self._work = Work(self._report, self._words)
        self._ahead = Ahead(self._work.put)
        self._squeezer = Squeezer()  # used by the capture thread only
        self._foreign = False  # the camera that is open is not yet the one that the recording is to begin with
        self._ending = False  # the disk refused the recording that is wanted: it takes no more frames
        self._chained = False  # whether the next picture may lean on those before it
        self._guard = threading.Lock()  # between the capture thread and the commands
        self._before: deque[Shot] = deque()
        self._said: deque[Zones] = deque(maxlen=400)
        self._camera = CameraState("off", "", "", 0.0, 0, 0)
        self._gone = False  # whether the camera went away and none has shown a picture since
        self._view = ("", 0, 0)  # whose pictures came last, and their size
        self._view_us = 0  # since when another view than before is shown
        self._lost, self._why = 0, ""  # frames that came since the last one that was taken, and why they were not
        self._wanted: Start | None = None  # the recording that frames are queued for
        self._began_us = 0

    def start(self) -> None:
        self._work.start(self._ahead)
        self._ahead.start()

    def stop(self) -> None:
        """Work off what is queued, then end."""
        self._ahead.stop()
        self._work.stop()

    @property
    def alive(self) -> bool:
        return self._work.alive and self._ahead.alive

    @property
    def recording_id(self) -> str:
        """The recording that was asked for and is not closed yet, "" when none."""
        wanted = self._wanted
        return wanted.recording_id if wanted is not None else ""

    @property
    def began_with(self) -> str:
        """The camera that this recording was begun with."""
        wanted = self._wanted
        return wanted.camera if wanted is not None else ""

    @property
    def waybill(self) -> str:
        """The number of the parcel that is recorded, "" for none."""
        wanted = self._wanted
        return str(wanted.meta.get("waybill", "")) if wanted is not None else ""

    def begin(self, start: Start) -> None:
        """Record from five seconds ago on; what another camera filmed until now does not belong to it."""
        with self._guard:
            before, self._before = self._before, deque()
            self._foreign = self._camera.address not in ("", start.camera)
            if self._foreign:
                before.clear()
            self._lost = 0
            if before and before[0].picture is not None:
                before[0].picture = replace(before[0].picture, missed=0)  # before the recording
            self._wanted, self._ending, self._began_us = start, False, time.monotonic_ns() // 1000
            if start.masked:  # else no frame asks what the eye said, and it would be kept for ever
                self._words.keep_from(before[0].mono_us if before else self._began_us - _BEFORE_US)
            self._ahead.put(start)
            if self._began_us - self._view_us <= 2 * _BEFORE_US:
                self._ahead.put(_view_note(self._view_us))
            for zones in self._said:
                self._ahead.put(Note("zones", asdict(zones)))
            for shot in before:
                self._offer(shot)

    def end(self, reason: str) -> None:
        """Close the recording when all frames that came before are in it."""
        with self._guard:
            self._wanted = None
            self._chained = False
            if not self._ending:
                self._put_end(reason)

    def note(self, event: str, body: dict[str, Any]) -> None:
        """Put an event into the recording's chain; without a recording it is lost."""
        self._note(lambda take: take.event(event, body))

    def note_at(self, event: str, body: dict[str, Any], mono_us: int) -> None:
        """Likewise, of something that is seen in the frame of this time."""
        self._note(lambda take: take.event(event, {**body, "t_video_us": max(0, take.writer.pts(mono_us))}))

    def _note(self, work: Callable[[Take], None]) -> None:
        wanted, take = self._wanted, self._work.take
        name = wanted.recording_id if wanted is not None else take.recording_id if take is not None else ""
        if name:
            self._work.note(name, work)

    def zones(self, zones: Zones) -> None:
        """Take in what the eye saw."""
        self._words.add(zones)
        with self._guard:
            self._said.append(zones)
            if self._wanted is not None:
                self._ahead.put(Note("zones", asdict(zones)))

    def take_frame(self, planes: Plane, mono_us: int, width: int, height: int, packet: Packet | None = None) -> None:
        """Queue a frame for the recording, or keep it for the next one. Who calls gives the planes away."""
        with self._guard:
            packet = self._usable(packet)
        if packet is None:
            picture = Picture(mono_us, width, height, PLANES, self._squeezer.squeeze(planes, width, height))
        else:
            picture = Picture(mono_us, width, height, packet.codec, packet.data, packet.key)
        with self._guard:
            if self._foreign:
                return
            self._look_at_view(mono_us, width, height)
            picture = self._with_lost(picture)
            if self._wanted is not None and not self._ending:
                self._offer(Shot(mono_us, picture, planes))
            else:
                self._keep_before(Shot(mono_us, picture))

    def _look_at_view(self, mono_us: int, width: int, height: int) -> None:
        """Another camera, or another size of its pictures: places that the eye told before are elsewhere now."""
        before, self._view = self._view, (self._camera.address, width, height)
        if before not in (("", 0, 0), self._view):
            self._view_us = mono_us
            self._words.another_view(mono_us)
            if self._wanted is not None:
                self._ahead.put(_view_note(mono_us))

    def _usable(self, packet: Packet | None) -> Packet | None:
        """None for one that needs what the present ring or pre-roll has not got; the next key frame mends that."""
        if packet is None:
            self._chained = False
        elif packet.key:
            self._chained = True
        return packet if self._chained else None

    def missed_frames(self, count: int) -> None:
        """They are told with the next frame that is taken, at the latest with the end."""
        with self._guard:
            self._lose(count, CAMERA)

    def _lose(self, count: int, why: str) -> None:
        self._why = self._why if self._lost else why
        self._lost += count

    def _put_end(self, reason: str) -> None:
        lost, self._lost = self._lost, 0
        if lost:
            self._ahead.put(Missed(lost, self._why))
        self._ahead.put(End(reason))

    def _with_lost(self, picture: Picture) -> Picture:
        lost, self._lost = self._lost, 0
        return replace(picture, missed=lost, why=self._why) if lost else picture

    def camera_changed(self, state: CameraState) -> None:
        self._tell_camera(state)
        with self._guard:
            self._chained = False
            if state.address != self._camera.address:
                self._before.clear()
                self._foreign = False
            self._camera = state
            if state.state != "starting":  # one that takes its place is none before it shows something
                self._gone = state.state in ("stalled", "lost", "ended")
            self._ahead.put(Seen(state))
        if self._wanted is not None:  # a picture that is gone stops the hands now, not when the state is next told
            self._tell(self.state())

    def state(self) -> RecordingState:
        """How far the recording is durable now; "cut" when nothing has become so for too long, or nothing will."""
        wanted = self._wanted
        if wanted is None:
            return RecordingState("off")
        progress = self._work.progress()
        if progress is None or progress.recording_id != wanted.recording_id:
            progress = RecordingState("starting", wanted.recording_id)
        return self._judged(progress)

    def _keep_before(self, shot: Shot) -> None:
        """The oldest go as far as the newest picture that stands alone allows; never a piece of a chain."""
        self._before.append(shot)
        held = sum(kept.held for kept in self._before)
        while (count := _first_chain(self._before)) < len(self._before):
            if shot.mono_us - self._before[count].mono_us < _BEFORE_US and held <= _BEFORE_BYTES:
                return
            held -= sum(self._before.popleft().held for _ in range(count))
        if held > _BEFORE_BYTES:
            self._before.clear()
            self._chained = False

    def _offer(self, shot: Shot) -> None:
        picture = shot.picture
        if picture is not None and not self._ahead.offer(shot):
            self._chained = False
            self._lose(1 + picture.missed, MEMORY)

    def _judged(self, progress: RecordingState) -> RecordingState:
        """What the encoder has done, seen from the ring: REC follows the ring's fdatasync."""
        if progress.state == "off":
            return progress
        ahead = self._ahead
        synced_us, patience_us = ahead.synced_us, _CUT_US
        if ahead.last_mono_us == 0:
            synced_us, patience_us = self._began_us, _GRACE_US
            if progress.state == "on":  # by what a recorder that was killed had written: none of this one's frames yet
                return replace(progress, state="cut")
        else:
            first_us = progress.first_mono_us or ahead.first_mono_us
            last_pts = max(progress.last_pts_us, ahead.last_mono_us - first_us)
            size = progress.bytes_on_disk + ahead.ring_bytes
            progress = replace(
                progress, state="on", first_mono_us=first_us, last_pts_us=last_pts, bytes_on_disk=size,
                last_sync_mono_us=synced_us,
            )  # fmt: skip
        late = time.monotonic_ns() // 1000 - synced_us > patience_us
        blind = progress.state == "on" and self._gone
        if not (late or blind or self._ending):
            return progress
        return replace(progress, state="cut", cause="disk.slow" if late and not blind and ahead.waits else "")

    def _report(self, message: FromRecorder) -> None:
        match message:
            case RecordingState() if self._wanted is None or message.recording_id != self._wanted.recording_id:
                return  # of a recording that is being finished: nobody waits for more than its end
            case RecordingState():
                self._tell(self._judged(message))
            case RecordingClosed():
                self._is_over(message.recording_id)
                self._tell(message)
            case Trouble(code, _) if code.startswith(("evidence.", "recorder.disk_")):
                self._tell(message)
                take = self._work.take
                if take is None:
                    self._is_over(self.recording_id)
                elif take.refused is not None:
                    self._end_refused(take.recording_id)
            case _:
                self._tell(message)

    def _end_refused(self, recording_id: str) -> None:
        """The disk refused something: what came so far goes into the recording, what comes now may begin the next."""
        with self._guard:
            if self._wanted is not None and self._wanted.recording_id == recording_id and not self._ending:
                self._ending, self._chained = True, False
                self._put_end("disk_failed")

    def _is_over(self, recording_id: str) -> None:
        wanted = self._wanted
        if wanted is not None and wanted.recording_id == recording_id:
            self._wanted = None
        if self._wanted is None:
            self._words.release()


def _view_note(from_us: int) -> Note:
    """For who masks what a crash leaves in the ring."""
    return Note(VIEW, {"from_us": from_us})


def _first_chain(shots: deque[Shot]) -> int:
    """How many pictures the first one draws with it, itself included."""
    rest = (n for n, shot in enumerate(shots) if n and (shot.picture is None or shot.picture.key))
    return next(rest, len(shots))
