"""Cameras that FFmpeg reads: `uvc:` (V4L2, DirectShow) and `rtsp:`. A thread of their own waits for the driver.

`uvc:by-id/NAME[?size=1920x1080&fps=30]`   Linux: the name under /dev/v4l/by-id (it stays the same after replugging)
`uvc:PATH…`                                Windows: the DirectShow device path (`@device_pnp_\\\\?\\usb#…`)
`rtsp://[NAME:PASSWORD@]HOST/PATH`          over TCP

A UVC camera is asked for MJPEG and its packets are kept as they come. RTSP is decoded; its packets depend on each
other, so they are not kept one by one. *Unproved*: no UVC camera and no Windows machine has run this yet.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import av.error

from hardware.camera.address import CameraAddress, parse_address, without_password
from hardware.camera.jpeg import JpegDecoder, planes_of
from hardware.errors import DeviceError, DeviceReason
from hardware.ports import CameraFrame, DeviceInfo

SILENCE_S = 2.0

_BY_ID = Path("/dev/v4l/by-id")
_UVC_OPTIONS = frozenset({"size", "fps"})
_OPEN_S = 5.0
_WAITING = 8  # frames; who reads slower loses the oldest, counted


class PacketCamera:
    """Reads a container in a thread. `skipped` counts frames that nobody fetched in time."""

    def __init__(
        self, address: str, name: str, url: str, form: str | None, options: dict[str, str], keep: bool
    ) -> None:
        """`keep`: packets are whole JPEG pictures, give them along. Raises DeviceError."""
        self._address, self._name, self._keep = address, name, keep
        self._queue: queue.Queue[CameraFrame | DeviceError] = queue.Queue(_WAITING)
        self._closing = threading.Event()
        self._opened = threading.Event()
        self._failed: DeviceError | None = None
        self._heard_s = time.monotonic()
        self.skipped = 0
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
        try:
            got = self._queue.get(timeout=timeout_s)
        except queue.Empty:
            late = time.monotonic() - self._heard_s > SILENCE_S
            reason = DeviceReason.LOST if late else DeviceReason.TIMEOUT
            raise DeviceError(reason, self._address) from None
        if isinstance(got, DeviceError):
            raise got
        self._heard_s = time.monotonic()
        return got

    def close(self) -> None:
        """The thread lets the device go as soon as the driver gives it back."""
        self._closing.set()
        self._thread.join(timeout=0.5)

    def _run(self, url: str, form: str | None, options: dict[str, str]) -> None:
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
        except OSError as trouble:  # PyAV's errors are kinds of it
            self._end(DeviceError(_reason(trouble, self._opened.is_set()), self._address, trouble.strerror or ""))
        except ValueError as trouble:
            self._end(DeviceError(DeviceReason.GARBLED, self._address, str(trouble)))

    def _frames(self, container: av.container.InputContainer) -> Iterator[CameraFrame]:
        stream, jpeg = container.streams.video[0], JpegDecoder()
        if self._keep and stream.codec_context.name == "mjpeg":
            for packet in container.demux(stream):
                frame = jpeg.frame(bytes(packet), time.monotonic_ns() // 1000) if packet.size else None
                if frame is not None:
                    yield frame
            return
        for picture in container.decode(stream):
            yield planes_of(picture, time.monotonic_ns() // 1000)

    def _give(self, frame: CameraFrame) -> None:
        while True:
            try:
                self._queue.put_nowait(frame)
            except queue.Full:
                self._queue.get()
                self.skipped += 1
            else:
                return

    def _end(self, trouble: DeviceError) -> None:
        if not self._opened.is_set():
            self._failed = trouble
            self._opened.set()
            return
        if self._queue.full():
            self._queue.get()
        self._queue.put(trouble)


def open_uvc(address: str) -> PacketCamera:
    """A camera on USB by its stable name. Raises DeviceError: MISSING, BUSY, DENIED, GARBLED, TIMEOUT."""
    parsed = parse_address(address, _UVC_OPTIONS)
    form, url = _uvc_place(parsed)
    pixel = {"input_format": "mjpeg"} if form == "v4l2" else {"vcodec": "mjpeg", "rtbufsize": "64M"}
    size, fps = parsed.options.get("size", "1920x1080"), parsed.options.get("fps", "30")
    return PacketCamera(address, parsed.path, url, form, {**pixel, "video_size": size, "framerate": fps}, keep=True)


def open_rtsp(address: str) -> PacketCamera:
    """A network camera by RTSP over TCP. Raises DeviceError."""
    shown = without_password(address)
    options = {"rtsp_transport": "tcp", "timeout": str(int(SILENCE_S * 1e6)), "fflags": "nobuffer"}
    return PacketCamera(shown, "network camera (RTSP)", address, None, options, keep=False)


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


def _reason(trouble: OSError, was_open: bool) -> DeviceReason:
    if isinstance(trouble, PermissionError | av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return DeviceReason.DENIED
    if trouble.errno == 16:  # EBUSY
        return DeviceReason.BUSY
    if trouble.errno == 28:  # V4L2 says ENOSPC when the USB bus has no bandwidth left
        return DeviceReason.BUSY
    return DeviceReason.LOST if was_open else DeviceReason.MISSING
