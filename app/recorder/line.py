"""Between capture and encoding: one queue that keeps the order of frames, camera changes and commands.

Frames have a budget of memory; one that finds it used up is dropped and counted, so capture never waits. Commands
are never dropped. The encode thread empties the queue and owns the recording.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from app import __version__
from app.core.errors import EvidenceTrouble
from app.evidence.journal import NO_HASH
from app.evidence.ledger import Ledger, load
from app.evidence.writer import Origin, RecordingKeys, RecordingWriter, create_recording, resume_recording
from app.frames import Plane
from app.recorder.protocol import CameraState, FromRecorder, RecordingClosed, RecordingState, Start, Trouble
from app.recorder.sink import Take, Tell, disk_word

_BUDGET_BYTES = 64 * 1024 * 1024
_GRACE_US = 2_000_000
_CUT_US = 1_200_000  # a fragment becomes durable each 0.5 s; more than twice that is no jitter

log = logging.getLogger("cardintake.recorder")

Work = Callable[[], None]


class Line:
    """Takes frames from the capture thread (it is a `capture.FrameTaker`) and commands from the main thread."""

    def __init__(self, tell: Tell, tell_camera: Callable[[CameraState], None]) -> None:
        """`tell` sends a message to the station and never blocks; `tell_camera` likewise, for a camera's new state."""
        self._tell, self._tell_camera = tell, tell_camera
        self._queue: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._waiting_bytes = 0
        self._camera = CameraState("off", "", "", 0.0, 0, 0)
        self._wanted: Start | None = None  # the recording that frames are queued for
        self._began_us = 0
        self._take: Take | None = None
        self._thread = threading.Thread(target=self._run, name="encode", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Work off what is queued, then end."""
        self._queue.put(None)
        self._thread.join(timeout=2.5)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def recording_id(self) -> str:
        """The recording that was asked for and is not closed yet, "" when none."""
        wanted = self._wanted
        return wanted.recording_id if wanted is not None else ""

    def begin(self, start: Start) -> None:
        """Record from the next frame on."""
        self._wanted, self._began_us = start, time.monotonic_ns() // 1000
        self._queue.put(lambda: self._begin(start))

    def end(self, reason: str) -> None:
        """Close the recording when all frames that came before are in it."""
        self._wanted = None
        self._queue.put(lambda: self._end(reason))

    def note(self, event: str, body: dict[str, Any]) -> None:
        """Put an event into the recording's chain; without a recording it is lost."""
        self._queue.put(lambda: self._with_take(lambda take: take.event(event, body)))

    def take_frame(self, planes: Plane, mono_us: int, width: int, height: int) -> None:
        """Queue a frame for the recording; drop and count it when the encoder is too far behind."""
        if self._wanted is None:
            return
        with self._guard:
            full = self._waiting_bytes + planes.nbytes > _BUDGET_BYTES
            self._waiting_bytes += 0 if full else planes.nbytes
        if full:
            self.missed_frames(1)
        else:
            self._queue.put(lambda: self._encode(planes, mono_us, width, height))

    def missed_frames(self, count: int) -> None:
        if self._wanted is not None:
            self._queue.put(lambda: self._with_take(lambda take: take.missed(count)))

    def camera_changed(self, state: CameraState) -> None:
        self._tell_camera(state)
        self._queue.put(lambda: self._see_camera(state))

    def state(self) -> RecordingState:
        """How far the recording is durable now; "cut" when nothing has become so for too long, or nothing will."""
        wanted, take = self._wanted, self._take
        if wanted is None:
            return RecordingState("off")
        if take is None or take.progress.recording_id != wanted.recording_id:
            return self._judged(RecordingState("starting", wanted.recording_id))
        return self._judged(take.progress)

    def _judged(self, progress: RecordingState) -> RecordingState:
        synced_us, patience_us = progress.last_sync_mono_us, _CUT_US
        if progress.state == "starting":
            synced_us, patience_us = self._began_us, _GRACE_US
        late = time.monotonic_ns() // 1000 - synced_us > patience_us
        blind = progress.state == "on" and self._camera.state in ("stalled", "lost", "ended")
        return replace(progress, state="cut") if progress.state != "off" and (late or blind) else progress

    def _report(self, message: FromRecorder) -> None:
        self._tell(self._judged(message) if isinstance(message, RecordingState) else message)

    def _run(self) -> None:
        try:
            while (work := self._queue.get()) is not None:
                work()
        except Exception:
            log.exception("encoding ended by a bug")
            self._tell(Trouble("recorder.encoder", "bug"))

    def _with_take(self, work: Callable[[Take], None]) -> None:
        if self._take is not None:
            work(self._take)
            if self._take.ended:
                self._take = self._wanted = None

    def _encode(self, planes: Plane, mono_us: int, width: int, height: int) -> None:
        with self._guard:
            self._waiting_bytes -= planes.nbytes
        self._with_take(lambda take: take.frame(planes, mono_us, width, height))

    def _see_camera(self, state: CameraState) -> None:
        self._camera = state
        self._with_take(lambda take: take.camera(state))

    def _begin(self, start: Start) -> None:
        try:
            self._take = open_take(start, self._report)
        except (EvidenceTrouble, OSError) as trouble:
            code = trouble.code if isinstance(trouble, EvidenceTrouble) else f"recorder.{disk_word(trouble)}"
            self._tell(Trouble(code, str(trouble)))
            self._take = None
        if self._take is None:
            self._wanted = None
        elif self._camera.state == "live":
            self._take.camera(self._camera)

    def _end(self, reason: str) -> None:
        if self._take is not None:
            self._take.close(reason)
            self._take = None


def open_take(start: Start, tell: Tell) -> Take | None:
    """Begin the recording, go on with it after a crash, or tell that it is closed (then None).

    Raises EvidenceTrouble (evidence.other_key) and OSError.
    """
    folder = Path(start.folder) / start.recording_id
    keys = RecordingKeys(bytes.fromhex(start.recording_key), bytes.fromhex(start.signing_key) or None)
    if keys.signing is None:
        tell(Trouble("recorder.unsigned"))
    ledger = _ledger_of(folder)
    if ledger is None:
        return Take(start.recording_id, _create(folder, keys, start), tell)
    if ledger.close is not None:
        tell(_closed(start.recording_id, ledger))
        return None
    return Take(start.recording_id, resume_recording(folder, keys), tell, gap="recorder_restarted")


def _ledger_of(folder: Path) -> Ledger | None:
    try:
        return load(folder)
    except EvidenceTrouble:
        return None  # nothing there, or killed before the first record was whole


def _create(folder: Path, keys: RecordingKeys, start: Start) -> RecordingWriter:
    torn = folder / "journal.jsonl"
    if torn.exists():
        torn.rename(torn.with_suffix(f".{time.time_ns()}.torn"))
    origin = Origin(
        recording=start.recording_id,
        camera=start.camera,
        simulated=True,  # other cameras are refused until footage can be masked
        rehearsal=start.rehearsal,
        app_version=__version__,
        previous=start.previous_hash or NO_HASH,
        meta=start.meta,
    )
    return create_recording(folder, keys, origin)


def _closed(recording_id: str, ledger: Ledger) -> RecordingClosed:
    close = ledger.close or {}
    counts = ledger.frames, ledger.dropped, int(close["duration_us"])
    return RecordingClosed(recording_id, str(close["root"]), ledger.head, *counts, str(close["reason"]))
