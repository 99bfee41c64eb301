"""Network cameras that send MJPEG over HTTP (`http://HOST[:PORT]/PATH`), by an own small client.

None of the usual libraries comes back from a broken stream; this one says LOST after two seconds without a byte, and
whoever reads opens it again. Name and password in the address become HTTP basic authentication.
"""

from __future__ import annotations

import base64
import re
import socket
import time
from collections import deque
from email.message import Message
from email.parser import BytesParser
from urllib.parse import SplitResult, unquote, urlsplit

from hardware.camera.address import without_password
from hardware.camera.jpeg import JpegDecoder
from hardware.errors import DeviceError, DeviceReason
from hardware.ports import CameraFrame, DeviceInfo, Pace

SILENCE_S = 2.0
"""A stream that sends nothing for so long is broken; also the time-out of connecting."""

_CHUNK = 1 << 16
_MOST_HEAD = 1 << 16
_MOST_BYTES = 16 << 20  # no picture is larger
_BAD_IN_A_ROW = 15
_STATUS = {401: DeviceReason.DENIED, 403: DeviceReason.DENIED, 404: DeviceReason.MISSING, 503: DeviceReason.BUSY}


class MultipartPictures:
    """Takes the body of a multipart/x-mixed-replace answer in pieces of any size and gives whole pictures. Pure."""

    def __init__(self, boundary: bytes) -> None:
        """`boundary` with or without its leading dashes: cameras write both."""
        self._mark = b"--" + boundary.strip(b'"').lstrip(b"-")
        self._waiting = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The pictures that became whole. Raises ValueError for a part that never ends."""
        self._waiting += data
        pictures = []
        while (picture := self._next()) is not None:
            if picture:
                pictures.append(picture)
        if len(self._waiting) > _MOST_BYTES:
            raise ValueError("a part without end")
        return pictures

    def _next(self) -> bytes | None:
        start = self._waiting.find(self._mark)
        end = self._waiting.find(b"\r\n\r\n", start) if start >= 0 else -1
        if end < 0:
            return None
        length = re.search(rb"(?i)\r\ncontent-length:\s*(\d+)", bytes(self._waiting[start:end]))
        body = end + 4
        stop = body + int(length[1]) if length else self._waiting.find(b"\r\n" + self._mark, body)
        if stop < body or stop > len(self._waiting):
            return None
        picture = bytes(self._waiting[body:stop])
        del self._waiting[:stop]
        return picture


class HttpCamera:
    """One connection to one camera. `skipped` counts what came and was no picture."""

    def __init__(self, address: str) -> None:
        """Connect. Raises DeviceError: MISSING (nobody there), DENIED, BUSY, TIMEOUT, GARBLED (no MJPEG)."""
        self._address = without_password(address)
        self._line, head, body = _ask(address, self._address)
        try:
            self._pictures = MultipartPictures(_boundary(head, self._address))
        except DeviceError:
            self._line.close()
            raise
        self._ready = deque(self._pictures.feed(body))
        self._decoder = JpegDecoder()
        self._heard_s = time.monotonic()
        self._bad = 0
        self._pace = Pace()
        self.least_apart_us = self.skipped = 0

    @property
    def info(self) -> DeviceInfo:
        return DeviceInfo(self._address, "network camera (MJPEG)")

    def read(self, timeout_s: float) -> CameraFrame:
        """The next picture, its time that of its arrival. Raises DeviceError: TIMEOUT, LOST, GARBLED."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            while self._ready:
                picture, now_us = self._ready.popleft(), time.monotonic_ns() // 1000
                if not self._pace.is_due(now_us, self.least_apart_us):
                    continue
                frame = self._decoder.frame(picture, now_us)
                if frame is not None:
                    self._bad = 0
                    return frame
                self._count_bad()
            self._receive(deadline_s)

    def close(self) -> None:
        self._line.close()

    def _receive(self, deadline_s: float) -> None:
        now_s = time.monotonic()
        if now_s - self._heard_s > SILENCE_S:
            raise DeviceError(DeviceReason.LOST, self._address, f"nothing for {SILENCE_S:.0f} s")
        if now_s >= deadline_s:
            raise DeviceError(DeviceReason.TIMEOUT, self._address)
        try:
            self._line.settimeout(max(0.001, deadline_s - now_s))
            data = self._line.recv(_CHUNK)
        except TimeoutError:
            return
        except OSError as trouble:
            raise DeviceError(DeviceReason.LOST, self._address, trouble.strerror or "") from trouble
        if not data:
            raise DeviceError(DeviceReason.LOST, self._address, "the camera ended the stream")
        self._heard_s = time.monotonic()
        try:
            self._ready.extend(self._pictures.feed(data))
        except ValueError as wrong:
            raise DeviceError(DeviceReason.GARBLED, self._address, str(wrong)) from wrong

    def _count_bad(self) -> None:
        self.skipped, self._bad = self.skipped + 1, self._bad + 1
        if self._bad >= _BAD_IN_A_ROW:
            raise DeviceError(DeviceReason.GARBLED, self._address, "no pictures in the stream")


def _ask(address: str, shown: str) -> tuple[socket.socket, Message, bytes]:
    """The open connection, the answer's header, and what of its body came along."""
    parts = urlsplit(address)
    try:
        place = parts.hostname or "", parts.port or 80
        line = socket.create_connection(place, timeout=SILENCE_S)
    except ValueError as wrong:
        raise DeviceError(DeviceReason.GARBLED, shown, "no such port") from wrong
    except OSError as trouble:
        raise DeviceError(DeviceReason.MISSING, shown, trouble.strerror or type(trouble).__name__) from trouble
    try:
        line.sendall(_request(parts))
        status, head, body = _answer(line)
        if status != 200:
            raise DeviceError(_STATUS.get(status, DeviceReason.GARBLED), shown, f"HTTP {status}")
    except TimeoutError as trouble:
        line.close()
        raise DeviceError(DeviceReason.TIMEOUT, shown, "no answer") from trouble
    except (OSError, ValueError) as trouble:
        line.close()
        raise DeviceError(DeviceReason.GARBLED, shown, str(trouble)) from trouble
    except DeviceError:
        line.close()
        raise
    return line, head, body


def _request(parts: SplitResult) -> bytes:
    """HTTP/1.0, so that no camera cuts its answer into chunks."""
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"GET {path} HTTP/1.0", f"Host: {parts.netloc.rpartition('@')[2]}", "Accept: multipart/x-mixed-replace"]
    if parts.username is not None:
        both = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        lines.append("Authorization: Basic " + base64.b64encode(both).decode())
    return "\r\n".join([*lines, "", ""]).encode()


def _answer(line: socket.socket) -> tuple[int, Message, bytes]:
    """Status, header fields and the beginning of the body. Raises ValueError for what is no HTTP, OSError."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = line.recv(_CHUNK)
        data += more
        if not more or len(data) > _MOST_HEAD:
            raise ValueError("no HTTP answer")
    head, _, body = data.partition(b"\r\n\r\n")
    first, _, fields = head.partition(b"\r\n")
    found = re.match(rb"HTTP/1\.\d (\d{3})", first)
    if found is None:
        raise ValueError("no HTTP answer")
    return int(found[1]), BytesParser().parsebytes(fields), body


def _boundary(head: Message, shown: str) -> bytes:
    kind = str(head.get("Content-Type", ""))
    found = re.search(r"(?i)^multipart/x-mixed-replace.*boundary=\s*([^;]+)", kind)
    if not found:
        raise DeviceError(DeviceReason.GARBLED, shown, f"no MJPEG stream but {kind.partition(';')[0] or 'nothing'}")
    return found[1].strip().encode("latin-1")
