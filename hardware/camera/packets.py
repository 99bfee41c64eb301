"""Cameras that FFmpeg reads: `uvc:` (V4L2, DirectShow) and `rtsp:`. A thread of their own waits for the driver.

`uvc:by-id/NAME[?size=1920x1080&fps=30]`   Linux: the name under /dev/v4l/by-id (it stays the same after replugging)
    `&hertz=50&exposure=200&focus=30&white=4600`   what it is held at (`locking`); left out: where the automatics stood
`uvc:PATH…`                                Windows: the DirectShow device path (`@device_pnp_\\\\?\\usb#…`)
`rtsp://[NAME:PASSWORD@]HOST/PATH`          over TCP

A UVC camera is asked for MJPEG and its packets are kept as they come. RTSP gives H.264 or H.265, decoded and with its
packets beside it; a stream that shows its pictures in another order than it sends them gives planes only. *Unproved*:
no UVC camera and no Windows machine has run this yet.
"""

from __future__ import annotations

import errno
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import av.codec.context
import av.error
import av.video.reformatter

from hardware.camera.address import CameraAddress, parse_address, without_password
from hardware.camera.jpeg import JpegDecoder, planes_of
from hardware.camera.locking import NAMES, Wanted, lock, look, wanted_of
from hardware.camera.v4l2 import V4l2Device
from hardware.errors import DeviceError, DeviceReason
from hardware.ports import CameraFrame, Control, ControlState, DeviceInfo, Pace, Packet

SILENCE_S = 2.0

_BY_ID = Path("/dev/v4l/by-id")
_UVC_OPTIONS = frozenset({"size", "fps", "hertz", "exposure", "focus", "white"})
_SETTLE_S = 2.0  # for the automatics to find their values
_OPEN_S = 5.0
_KEPT = ("h264", "hevc")
_START_CODES = (b"\x00\x00\x00\x01", b"\x00\x00\x01")
_WAITING = 8  # decoded frames; who reads slower loses the oldest, counted
_WAITING_RAW = (
    90  # likewise, of JPEGs, which whoever reads decodes: the driver's own few buffers must never wait for that
)


@dataclass(frozen=True, slots=True)
class _Jpeg:
    """A picture as it came, and when."""

    data: bytes
    mono_us: int


class PacketCamera:
    """Reads a container in a thread. `skipped` counts frames that nobody fetched in time, and what was no picture."""

    def __init__(self, address: str, name: str, url: str, form: str | None, options: dict[str, str]) -> None:
        """Raises DeviceError."""
        self._address, self._name = address, name
        self._frames_ready: deque[CameraFrame | _Jpeg] = deque()
        self._jpeg = JpegDecoder()  # of whoever reads
        self._ended: DeviceError | None = None
        self._news = threading.Condition()
        self._broken = False  # a frame is missing: up to the next key no packet is of use
        self._closing = threading.Event()
        self._opened = threading.Event()
        self._failed: DeviceError | None = None
        self._heard_s = time.monotonic()
        self._pace = Pace()
        self.least_apart_us = self.skipped = 0
        self._thread = threading.Thread(target=self._run, args=(url, form, options), name="camera", daemon=True)
        self._thread.start()
        if not self._opened.wait(_OPEN_S):
            self._closing.set()
            raise DeviceError(DeviceReason.TIMEOUT, address, "does not open")
        if self._failed is not None:
            raise self._failed

    @property
    def info(self) -> DeviceInfo:
        return DeviceInfo(self._address, self._name)

    def read(self, timeout_s: float) -> CameraFrame:
        """The next frame. Raises DeviceError: TIMEOUT, LOST, ENDED."""
        deadline_s = time.monotonic() + timeout_s
        while (ready := self._next(max(0.0, deadline_s - time.monotonic()))) is not None:
            frame = self._jpeg.frame(ready.data, ready.mono_us) if isinstance(ready, _Jpeg) else ready
            if frame is not None:
                self._heard_s = time.monotonic()  # a picture: what cannot be decoded is as good as silence
                return frame
            with self._news:
                self.skipped += 1
        late = time.monotonic() - self._heard_s > SILENCE_S
        raise DeviceError(DeviceReason.LOST if late else DeviceReason.TIMEOUT, self._address)

    def _next(self, timeout_s: float) -> CameraFrame | _Jpeg | None:
        """What waits longest; None when nothing comes in time. Raises DeviceError: what ended the stream."""
        with self._news:
            self._news.wait_for(lambda: self._frames_ready or self._ended, timeout_s)
            if self._frames_ready:
                return self._frames_ready.popleft()
            if self._ended is not None:
                raise self._ended
        return None

    def close(self) -> None:
        """The thread lets the device go as soon as the driver gives it back."""
        self._closing.set()
        self._thread.join(timeout=0.5)

    def _run(self, url: str, form: str | None, options: dict[str, str]) -> None:
        began_s = time.monotonic()
        try:
            with av.open(url, format=form, options=options, timeout=(_OPEN_S, SILENCE_S)) as container:
                if not container.streams.video:
                    raise DeviceError(DeviceReason.GARBLED, self._address, "no picture in it")
                container.streams.video[0].thread_count = 1
                self._opened.set()
                for frame in self._frames(container):
                    if self._closing.is_set():
                        return
                    self._give(frame)
            self._end(DeviceError(DeviceReason.LOST, self._address, "the stream ended"))
        except DeviceError as trouble:
            self._end(trouble)
        except (OSError, ValueError, av.error.FFmpegError) as trouble:
            said = str(getattr(trouble, "strerror", "") or type(trouble).__name__)  # not its text: a password is in it
            reason = _reason(trouble, self._opened.is_set(), time.monotonic() - began_s)
            self._end(DeviceError(reason, self._address, said))

    def _frames(self, container: av.container.InputContainer) -> Iterator[CameraFrame | _Jpeg]:
        stream = container.streams.video[0]
        if stream.codec_context.name != "mjpeg":
            yield from _chained(container, stream)
            return
        for packet in container.demux(stream):
            now_us = time.monotonic_ns() // 1000
            if packet.size and self._pace.is_due(now_us, self.least_apart_us):
                yield _Jpeg(bytes(packet), now_us)

    def _give(self, frame: CameraFrame | _Jpeg) -> None:
        with self._news:
            if len(self._frames_ready) >= (_WAITING_RAW if isinstance(frame, _Jpeg) else _WAITING):
                self._drop_oldest()
            if isinstance(frame, _Jpeg):
                self._frames_ready.append(frame)
                self._news.notify()
                return
            if frame.packet is not None and frame.packet.key:
                self._broken = False
            self._frames_ready.append(replace(frame, packet=None) if self._broken else frame)
            self._news.notify()

    def _drop_oldest(self) -> None:
        """Those that lean on it keep their planes only."""
        self._frames_ready.popleft()
        self.skipped += 1
        self._broken = True
        for n, frame in enumerate(self._frames_ready):
            if isinstance(frame, _Jpeg):
                return  # each stands alone
            if frame.packet is not None and frame.packet.key:
                self._broken = False
                return
            self._frames_ready[n] = replace(frame, packet=None)

    def _end(self, trouble: DeviceError) -> None:
        if not self._opened.is_set():
            self._failed = trouble
            self._opened.set()
        with self._news:
            self._ended = trouble
            self._news.notify()


def _chained(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[CameraFrame]:
    """The pictures of a codec whose packets need each other, from the first key on."""
    stream.codec_context.flags |= av.codec.context.Flags.low_delay
    begun, in_order = False, stream.codec_context.name in _KEPT
    for packet in container.demux(stream):
        begun = begun or packet.is_keyframe
        if not begun or not packet.size:
            continue
        now_us, pictures = time.monotonic_ns() // 1000, packet.decode()
        in_order = in_order and len(pictures) == 1 and pictures[0].pts == packet.pts
        for picture in pictures:
            full_range = picture.color_range == av.video.reformatter.ColorRange.JPEG
            kept = _kept(packet, stream.codec_context) if in_order else None
            yield planes_of(picture, now_us, kept, full_range)


def _kept(packet: av.Packet[av.VideoStream], codec: av.VideoCodecContext) -> Packet:
    """The packet as it came; a key that does not carry its parameter sets gets those of the description."""
    data, extra = bytes(packet), codec.extradata or b""
    if packet.is_keyframe and extra.startswith(_START_CODES) and not _has_parameters(data, codec.name):
        data = extra + data
    return Packet(data, codec.name, packet.is_keyframe)


def _has_parameters(data: bytes, codec: str) -> bool:
    """Whether an Annex B access unit has a sequence parameter set (H.264 type 7, H.265 type 33) before its picture."""
    at = data.find(_START_CODES[1])
    while 0 <= at < len(data) - 3:
        kind = data[at + 3] & 31 if codec == "h264" else data[at + 3] >> 1 & 63
        if kind == (7 if codec == "h264" else 33):
            return True
        if kind in (1, 5) if codec == "h264" else kind < 32:
            return False
        at = data.find(_START_CODES[1], at + 3)
    return False


class UvcCamera(PacketCamera):
    """A camera on USB; a thread of its own takes its automatics away when they had time to find their values."""

    def __init__(self, parsed: CameraAddress, url: str, form: str, options: dict[str, str], wanted: Wanted) -> None:
        """Raises DeviceError."""
        super().__init__(parsed.text, parsed.path, url, form, options)
        self._controls: tuple[Control, ...] = ()
        if form == "v4l2":
            threading.Thread(target=self._lock, args=(url, wanted), name="camera-controls", daemon=True).start()

    @property
    def controls(self) -> tuple[Control, ...]:
        """What was fixed, and what refused; empty until then, and always where the system has no V4L2."""
        return self._controls

    def _lock(self, path: str, wanted: Wanted) -> None:
        if self._closing.wait(_SETTLE_S):
            return
        try:
            device = V4l2Device(path)
        except OSError:
            self._controls = tuple(Control(name, ControlState.REFUSED) for name in NAMES)
            return
        try:
            self._controls = lock(device, wanted)
        finally:
            device.close()


def open_uvc(address: str) -> PacketCamera:
    """A camera on USB by its stable name. Raises DeviceError: MISSING, BUSY, DENIED, GARBLED, TIMEOUT."""
    parsed = parse_address(address, _UVC_OPTIONS)
    form, url = _uvc_place(parsed)
    wanted = wanted_of({name: parsed.number(name) for name in _UVC_OPTIONS - {"size"}})
    if wanted.hertz not in (50, 60):
        raise DeviceError(DeviceReason.GARBLED, address, "hertz is 50 or 60")
    pixel = {"input_format": "mjpeg"} if form == "v4l2" else {"vcodec": "mjpeg", "rtbufsize": "64M"}
    size, fps = parsed.options.get("size", "1920x1080"), parsed.options.get("fps", "30")
    return UvcCamera(parsed, url, form, {**pixel, "video_size": size, "framerate": fps}, wanted)


def look_at_uvc(address: str) -> tuple[Control, ...]:
    """What a camera on USB offers to be held at; changes nothing. Empty where the system has no V4L2.

    Raises DeviceError.
    """
    form, path = _uvc_place(parse_address(address, _UVC_OPTIONS))
    if form != "v4l2":
        return ()
    try:
        device = V4l2Device(path)
    except OSError as trouble:
        raise DeviceError(_reason(trouble, was_open=False, after_s=0.0), address, trouble.strerror or "") from trouble
    try:
        return look(device)
    finally:
        device.close()


def open_rtsp(address: str) -> PacketCamera:
    """A network camera by RTSP over TCP. Raises DeviceError."""
    shown = without_password(address)
    options = {"rtsp_transport": "tcp", "timeout": str(int(SILENCE_S * 1e6))}
    options |= {"fflags": "nobuffer", "fpsprobesize": "0", "analyzeduration": "500000"}  # old frames have no time
    return PacketCamera(shown, "network camera (RTSP)", address, None, options)


def list_uvc() -> list[DeviceInfo]:
    """The cameras on USB that this machine knows by a stable name. Windows: none are listed (unproved)."""
    if not _BY_ID.is_dir():
        return []
    names = sorted(path.name for path in _BY_ID.iterdir() if path.name.endswith("-video-index0"))
    return [DeviceInfo(f"uvc:by-id/{name}", name.removesuffix("-video-index0").removeprefix("usb-")) for name in names]


def _uvc_place(address: CameraAddress) -> tuple[str, str]:
    if sys.platform == "win32":
        return "dshow", f"video={address.path}"
    folder, _, name = address.path.partition("/")
    if folder != "by-id" or not name or "/" in name:
        raise DeviceError(DeviceReason.GARBLED, address.text, "the form is uvc:by-id/NAME: an index is no stable name")
    if not (_BY_ID / name).exists():
        raise DeviceError(DeviceReason.MISSING, address.text)
    return "v4l2", str(_BY_ID / name)


def _reason(trouble: Exception, was_open: bool, after_s: float) -> DeviceReason:
    if isinstance(trouble, PermissionError | av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return DeviceReason.DENIED
    if not was_open and after_s >= SILENCE_S:  # whatever FFmpeg calls it then
        return DeviceReason.TIMEOUT
    if isinstance(trouble, OSError) and trouble.errno in (errno.EBUSY, errno.ENOSPC):
        return DeviceReason.BUSY  # V4L2 says "no space" when the USB bus has no bandwidth left
    if isinstance(trouble, ValueError):
        return DeviceReason.GARBLED
    return DeviceReason.LOST if was_open else DeviceReason.MISSING
