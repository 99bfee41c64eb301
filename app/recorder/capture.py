"""The capture thread: reads the camera, shares its newest frame, hands frames on; never waits for anybody but it.

A camera that fails is opened again with growing pauses, by the same address only. States: starting (2 s grace),
live, stalled (no frame for 0.5 s, or a picture that is frozen or black), lost, ended (a film's end).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from app.frames import FrameWriter, Plane, join_planes
from app.recorder.protocol import CameraState, CameraWord
from hardware.errors import DeviceError, DeviceReason
from hardware.ports import Camera, CameraFrame, Control, LocksControls, Pace, Packet, Thinned

_READ_S = 0.1
_STALLED_S = 0.5
_GRACE_S = 2.0
_PAUSES_S = (0.2, 0.4, 0.8, 1.6, 3.2, 5.0)
_FPS_OVER = 30  # frames
_FROZEN_US = 550_000
_MOVED = 32  # lightness; what a poor encoder makes better behind its key picture is less
_ALIKE = 0.03  # of the points of two key pictures that differ: frozen; noise of 0.1 of 255 behind crf 34 makes 0.10
_ALIKE_STILL = 0.08  # of a frozen picture so few do not show that it lives again
_CLIPPED = 20, 230  # lightness; beyond them a sensor shows no noise
_BLACK_US = 600_000
_BLACK = 36  # lightness (16 is black; 30 where a camera's JPEGs have 16 for it) of all but one in a hundred pixels

log = logging.getLogger("cardintake.recorder")

OpenCamera = Callable[[str], Camera]


class FrameTaker(Protocol):
    """Who gets what the camera gives. Both calls come from the capture thread and must return at once."""

    def take_frame(self, planes: Plane, mono_us: int, width: int, height: int, packet: Packet | None = None) -> None:
        """`packet`: the frame as the camera compressed it, where it did."""
        ...

    def missed_frames(self, count: int) -> None:
        """The camera had frames that we were too late for."""
        ...

    def camera_changed(self, state: CameraState) -> None: ...


@runtime_checkable
class CountsSkipped(Protocol):
    """A camera that knows how many frames it had to drop because nobody read them in time."""

    @property
    def skipped(self) -> int: ...


@dataclass(slots=True)
class _Rate:
    """Frames a second over the newest `_FPS_OVER` frames."""

    first_us: int = 0
    count: int = 0
    fps: float = 0.0

    def tick(self, mono_us: int) -> None:
        if self.count == 0:
            self.first_us = mono_us
        self.count += 1
        if self.count > _FPS_OVER and mono_us > self.first_us:
            self.fps = round((self.count - 1) * 1e6 / (mono_us - self.first_us), 2)
            self.first_us, self.count = mono_us, 1


class Capture:
    """Owns the camera and the shared frames. `open_camera` makes a camera of an address."""

    def __init__(
        self,
        frames_path: Path,
        taker: FrameTaker,
        open_camera: OpenCamera,
        share: bool = True,
        most_fps: float = 0.0,
    ) -> None:
        """`share` False: nobody else looks, so no frames are put into memory for others. `most_fps`: of more frames
        some are left out, evenly; 0 takes all.
        """
        self._apart_us = int(1e6 / most_fps) if most_fps else 0
        self._pace = Pace()
        self._frames_path = frames_path
        self._taker = taker
        self._open_camera = open_camera
        self._sharing = share
        self._wanted = ""
        self._changed = threading.Event()  # another address is wanted, or the end
        self._stopping = False
        self._state = CameraState("off", "", "", 0.0, 0, 0)
        self._shared: FrameWriter | None = None
        self._cannot_share = (0, 0)
        self._rate = _Rate()
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    @property
    def state(self) -> CameraState:
        return self._state

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def use(self, address: str) -> None:
        """Film with this camera from now on; "" with none. One that is open under this address stays open."""
        if address != self._wanted or self._state.state == "ended":
            self._wanted = address
            self._changed.set()

    def stop(self) -> None:
        """Close the camera, wipe the shared frames."""
        self._stopping = True
        self._changed.set()
        self._thread.join(timeout=2.0)

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._changed.clear()
                if self._wanted:
                    self._film(self._wanted)
                else:
                    self._become("off")
                self._changed.wait()
        except Exception:
            log.exception("capture ended by a bug")
            self._become("lost", "bug")
        finally:
            if self._shared is not None:
                self._shared.close()

    def _film(self, address: str) -> None:
        """Until another camera is wanted or the film has ended; reopens as often as need be."""
        failed = 0
        self._become("starting", address=address)
        while not self._changed.is_set():
            try:
                camera = self._open_camera(address)
            except DeviceError as error:
                self._fail(error)
            else:
                failed = 0 if self._read_until_it_fails(camera) else failed
            if self._state.state == "ended":
                return
            self._changed.wait(_PAUSES_S[min(failed, len(_PAUSES_S) - 1)])
            failed += 1

    def _read_until_it_fails(self, camera: Camera) -> bool:
        """Whether any frame came."""
        watch, picture = _Watch(time.monotonic()), PictureWatch()
        if isinstance(camera, Thinned):
            camera.least_apart_us = self._apart_us
        try:
            while not self._changed.is_set():
                try:
                    frame = camera.read(_READ_S)
                except DeviceError as error:
                    if error.reason is not DeviceReason.TIMEOUT:
                        raise
                    if watch.is_overdue(time.monotonic()) and self._state.state != "stalled":
                        self._become("stalled", error.reason.value)
                    continue
                watch.saw_frame(time.monotonic())
                watch.skipped = self._count_skipped(camera, watch.skipped)  # they came before it
                if not self._pace.is_due(frame.mono_us, self._apart_us):
                    continue
                self._judge(frame, picture.look(frame))
                self._tell_controls(camera)
        except DeviceError as error:
            self._fail(error)
        finally:
            self._count_skipped(camera, watch.skipped)
            camera.close()
        return watch.frames > 0

    def _judge(self, frame: CameraFrame, alarm: str) -> None:
        """A picture that is frozen or black shows nothing: it counts as none, and the gap says why."""
        if not alarm:
            self._give(frame)
        elif (self._state.state, self._state.reason) != ("stalled", alarm):
            self._become("stalled", alarm)

    def _tell_controls(self, camera: Camera) -> None:
        """Once they are fixed, and again whenever the camera is live anew."""
        found = camera.controls if isinstance(camera, LocksControls) else ()
        if found and self._state.state == "live" and not self._state.controls:
            self._state = replace(self._state, controls=_controls(found))
            self._taker.camera_changed(self._state)

    def _give(self, frame: CameraFrame) -> None:
        self._rate.tick(frame.mono_us)
        same_size = (self._state.width, self._state.height) == (frame.width, frame.height)
        if self._state.state != "live" or not same_size:
            self._become("live", size=(frame.width, frame.height))
        planes = join_planes(frame.y, frame.u, frame.v)
        if self._sharing:
            self._share(planes, frame)
        packet = frame.packet
        if self._apart_us and packet is not None and packet.codec != "mjpeg":
            packet = None  # it needs those that were left out
        self._taker.take_frame(planes, frame.mono_us, frame.width, frame.height, packet)

    def _share(self, planes: Plane, frame: CameraFrame) -> None:
        if self._shared is None or self._shared.size != (frame.width, frame.height):
            self._share_anew(frame.width, frame.height)
        if self._shared is not None:
            self._shared.put(frame.mono_us, planes)

    def _share_anew(self, width: int, height: int) -> None:
        """Without memory for it there is no preview, but a recording."""
        if self._shared is not None:
            self._shared.close()
            self._shared = None
        if self._cannot_share == (width, height):
            return
        try:
            self._shared = FrameWriter(self._frames_path, width, height)
        except OSError as trouble:
            log.error("no memory to share frames: %s", trouble.strerror)
            self._cannot_share = width, height

    def _count_skipped(self, camera: Camera, before: int) -> int:
        now = camera.skipped if isinstance(camera, CountsSkipped) else 0
        if now > before:
            self._taker.missed_frames(now - before)
        return now

    def _fail(self, error: DeviceError) -> None:
        log.warning("camera: %s", error.reason.value)
        ended = error.reason is DeviceReason.ENDED
        self._become("ended" if ended else "lost", error.reason.value)

    def _become(self, word: CameraWord, reason: str = "", address: str = "", size: tuple[int, int] = (0, 0)) -> None:
        old = self._state
        width, height = size if size != (0, 0) else (old.width, old.height)
        address = address or (old.address if word != "off" else "")
        fps = self._rate.fps if word == "live" else 0.0
        self._state = CameraState(word, reason, address, fps, width, height)
        if (old.state, old.reason, old.address, old.width) != (word, reason, address, width):
            self._taker.camera_changed(self._state)

    def refreshed_state(self) -> CameraState:
        """The state with the present frame rate."""
        state = self._state
        fps = self._rate.fps if state.state == "live" else 0.0
        return replace(state, fps=fps)


def _controls(found: tuple[Control, ...]) -> dict[str, dict[str, Any]]:
    return {one.name: {"state": one.state.value, "value": one.value} for one in found}


class PictureWatch:
    """Notices a picture that stands still to the last bit (a sensor always has noise) or is black all over.

    H.264 and H.265 leave noise out: from one key picture to the next of a scene in which nothing moves all may be the
    same. So only key pictures are held against each other there; what is between them counts where something moved.
    Those of a frozen picture differ too for a while, for the encoder goes on refining it, but ever less.
    """

    def __init__(self) -> None:
        self._before: Plane | None = None  # the newest that stands alone
        self._again = False  # whether one that stands alone has shown it again
        self._changed_us = 0
        self._lit_us = 0

    def look(self, frame: CameraFrame) -> str:
        """ "frozen", "black" or "" for a frame, by what came before it."""
        sample = frame.y[::8, ::8].copy()
        self._compare(sample, frame.mono_us, frame.packet)
        if float(np.percentile(sample, 99)) > _BLACK or not self._lit_us:
            self._lit_us = frame.mono_us
        if frame.mono_us - self._lit_us >= _BLACK_US:
            return "black"
        return "frozen" if self._again and frame.mono_us - self._changed_us >= _FROZEN_US else ""

    def _compare(self, sample: Plane, mono_us: int, packet: Packet | None) -> None:
        before, alone = self._before, packet is None or packet.key
        chained = packet is not None and packet.codec != "mjpeg"
        most = 0.0 if not chained else _ALIKE_STILL if self._again else _ALIKE
        if before is None or before.shape != sample.shape or (alone and not _is_again(before, sample, most)):
            self._before, self._again, self._changed_us = sample, False, mono_us
        elif alone:
            self._before, self._again = sample, True
        elif int(np.abs(sample.astype(np.int16) - before).max()) > _MOVED:
            self._again, self._changed_us = False, mono_us


def _is_again(before: Plane, sample: Plane, most: float) -> bool:
    """Whether two pictures differ in no larger share of the points at which noise would show; 0: in none at all."""
    differs = before != sample
    noisy = (before > _CLIPPED[0]) & (before < _CLIPPED[1])
    return not differs.any() or (most > 0 and bool(noisy.any()) and float(differs[noisy].mean()) <= most)


@dataclass(slots=True)
class _Watch:
    """Since when no frame has come."""

    since_s: float
    frames: int = 0
    skipped: int = 0

    def saw_frame(self, now_s: float) -> None:
        self.since_s, self.frames = now_s, self.frames + 1

    def is_overdue(self, now_s: float) -> bool:
        return now_s - self.since_s > (_STALLED_S if self.frames else _GRACE_S)
