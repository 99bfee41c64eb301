"""A recorded unboxing as a camera: frames come when they were filmed, and who is late misses some.

`file:PATH?epoch_us=N&loop=0&pace=1`

`epoch_us`  the monotonic microsecond at which the film began. Who opens the address later joins where the picture
            now is, like a camera that went on filming. Without it the film begins when it is opened.
`loop`      1: begin again at the end.       `pace`  0: as fast as it is read (replay); nothing is skipped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import av
import av.error

from hardware.camera.address import CameraAddress, parse_address
from hardware.camera.jpeg import planes_of
from hardware.errors import DeviceError, DeviceReason
from hardware.ports import CameraFrame, DeviceInfo

OPTIONS = frozenset({"epoch_us", "loop", "pace"})

_BUFFERED_FRAMES = 4  # what a V4L2 driver keeps for a slow reader before it drops
_JUMP_US = 2_000_000  # further behind than this, seeking costs less than decoding what nobody will see
_CUT_SHORT_US = 1_000_000  # a film that ends this much before its stated end was truncated


@dataclass(frozen=True, slots=True)
class Clock:
    """Where the camera gets its time from; tests put their own here. Monotonic microseconds; seconds."""

    now_us: Callable[[], int] = lambda: time.monotonic_ns() // 1000
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class _Picture:
    at_us: int  # since the film's first frame, over all its rounds
    frame: av.VideoFrame


class FileCamera:
    """Plays a video file (anything FFmpeg decodes) as YUV 4:2:0 frames; decoding is single-threaded.

    `skipped` counts the frames that came too late to be given out. A frame's `mono_us` is when it was due.
    """

    def __init__(self, address: str, clock: Clock | None = None) -> None:
        """Open the film. Raises DeviceError: MISSING, DENIED, GARBLED (empty, not a video, bad option)."""
        parsed = parse_address(address, OPTIONS)
        self._address = address
        self._clock = clock or Clock()
        self._paced = parsed.flag("pace", True)
        self._loop = parsed.flag("loop", False)
        self._container, self._stream = _open(parsed)
        self._period_us = _period_us(self._stream)
        self._length_us = int(self._container.duration or 0)
        self._start_pts = self._stream.start_time or 0
        self._round_us = 0  # film time at which the present round of a loop began
        self._last_us = -self._period_us
        self._pending: _Picture | None = None
        self._pictures = self._decode()
        self.skipped = 0
        self._begin(parsed.number("epoch_us"))

    @property
    def info(self) -> DeviceInfo:
        return DeviceInfo(self._address, "recorded film", simulated=True)

    def read(self, timeout_s: float) -> CameraFrame:
        """The next frame, when it is due. Raises DeviceError: TIMEOUT, GARBLED (broken on the way), ENDED."""
        deadline_us = self._clock.now_us() + int(timeout_s * 1e6)
        while True:
            picture = self._pending or self._next()
            self._pending = None
            due_us = self._epoch_us + picture.at_us
            now_us = self._clock.now_us()
            if self._paced and now_us - due_us > _BUFFERED_FRAMES * self._period_us:
                self._fall_behind(now_us - self._epoch_us)
                continue
            if self._paced and due_us > deadline_us:
                self._pending = picture
                self._clock.sleep(max(0, deadline_us - now_us) / 1e6)
                raise DeviceError(DeviceReason.TIMEOUT, self._address)
            if self._paced and due_us > now_us:
                self._clock.sleep((due_us - now_us) / 1e6)
            return _to_frame(picture.frame, due_us)

    def close(self) -> None:
        self._pictures.close()
        self._container.close()

    def _begin(self, epoch_us: float | None) -> None:
        now_us = self._clock.now_us()
        self._epoch_us = now_us if epoch_us is None else int(epoch_us)
        if self._paced and now_us - self._epoch_us > self._period_us:
            self._join(now_us - self._epoch_us)

    def _fall_behind(self, position_us: int) -> None:
        self.skipped += 1
        if position_us - self._last_us > _JUMP_US:
            before_us = self._last_us
            self._join(position_us)
            missed_us = (self._pending.at_us if self._pending else position_us) - before_us
            self.skipped += max(0, round(missed_us / self._period_us) - 1)

    def _join(self, position_us: int) -> None:
        """Go on at the first frame at or after `position_us`. The end of the film is met by the next `read`."""
        if self._loop and self._length_us:
            self._round_us = position_us // self._length_us * self._length_us
        self._seek(position_us - self._round_us)
        try:
            while (picture := self._next()).at_us < position_us:
                continue
        except DeviceError as error:
            if error.reason is not DeviceReason.ENDED:
                raise
            return
        self._pending = picture

    def _seek(self, position_us: int) -> None:
        self._pictures.close()
        time_base = self._stream.time_base
        assert time_base is not None
        try:
            self._container.seek(self._start_pts + int(position_us / 1e6 / time_base), stream=self._stream)
        except av.error.FFmpegError as trouble:
            raise DeviceError(DeviceReason.GARBLED, self._address, str(trouble)) from trouble
        self._pictures = self._decode()

    def _next(self) -> _Picture:
        try:
            picture = next(self._pictures, None)
        except av.error.FFmpegError as trouble:
            raise DeviceError(DeviceReason.GARBLED, self._address, str(trouble)) from trouble
        if picture is None:
            return self._at_the_end()
        self._last_us = picture.at_us
        return picture

    def _at_the_end(self) -> _Picture:
        ended_us = self._last_us + self._period_us - self._round_us
        if ended_us < self._length_us - _CUT_SHORT_US:
            told = f"ends at {ended_us / 1e6:.1f} s of {self._length_us / 1e6:.1f} s"
            raise DeviceError(DeviceReason.GARBLED, self._address, told)
        if not self._loop or ended_us <= 0:
            raise DeviceError(DeviceReason.ENDED, self._address)
        self._round_us += self._length_us or ended_us
        self._seek(0)
        return self._next()

    def _decode(self) -> Generator[_Picture, None, None]:
        time_base = self._stream.time_base
        assert time_base is not None
        for frame in self._container.decode(self._stream):
            if frame.pts is not None:
                at_us = int((frame.pts - self._start_pts) * time_base * 1_000_000)
                yield _Picture(self._round_us + at_us, frame)


def _open(address: CameraAddress) -> tuple[av.container.InputContainer, av.VideoStream]:
    try:
        if Path(address.path).is_file() and Path(address.path).stat().st_size == 0:
            raise DeviceError(DeviceReason.GARBLED, address.text, "the file is empty")
        container = av.open(address.path, "r")
    except (FileNotFoundError, NotADirectoryError) as trouble:
        raise DeviceError(DeviceReason.MISSING, address.text, "no such file") from trouble
    except PermissionError as trouble:
        raise DeviceError(DeviceReason.DENIED, address.text, str(trouble)) from trouble
    except (OSError, ValueError) as trouble:  # PyAV's own errors are kinds of these
        raise DeviceError(DeviceReason.GARBLED, address.text, str(trouble)) from trouble
    if not container.streams.video:
        container.close()
        raise DeviceError(DeviceReason.GARBLED, address.text, "no picture in this file")
    stream = container.streams.video[0]
    stream.thread_count = 1
    return container, stream


def _period_us(stream: av.VideoStream) -> int:
    rate = stream.average_rate or stream.guessed_rate
    return round(1_000_000 / rate) if rate else 33_333


def _to_frame(frame: av.VideoFrame, mono_us: int) -> CameraFrame:
    full_range = frame.color_range == av.video.reformatter.ColorRange.JPEG
    return planes_of(frame, mono_us, full_range=full_range)
