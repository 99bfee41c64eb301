"""Network cameras that send MJPEG over HTTP (`http://HOST[:PORT]/PATH`), by an own small client.

None of the usual libraries comes back from a broken stream; this one says LOST after two seconds without a byte, and
whoever reads opens it again. Name and password in the address become HTTP basic authentication.
"""

from __future__ import annotations

import base64
import re
import socket
import threading
import time
from collections import deque
from contextlib import suppress
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
_WAITING = 90  # pictures, as they came; who reads slower loses the oldest, counted
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
    """One connection to one camera, drained by a thread of its own: a camera whose line is full leaves pictures out,
    and nobody would know. `skipped` counts what nobody fetched in time, and what came and was no picture.
    """

    def __init__(self, address: str) -> None:
        """Connect. Raises DeviceError: MISSING (nobody there), DENIED, BUSY, TIMEOUT, GARBLED (no MJPEG)."""
        self._address = without_password(address)
        self._line, head, body = _ask(address, self._address)
        try:
            self._pictures = MultipartPictures(_boundary(head, self._address))
        except DeviceError:
            self._line.close()
            raise
        self._ready: deque[tuple[bytes, int]] = deque()
        self._ended: DeviceError | None = None
        self._news = threading.Condition()
        self._decoder = JpegDecoder()
        self._bad = self._came_us = 0
        self._pace = Pace()
        self.least_apart_us = self.skipped = 0
        self._take(body)
        self._thread = threading.Thread(target=self._drain, name="camera", daemon=True)
        self._thread.start()

    @property
    def info(self) -> DeviceInfo:
        return DeviceInfo(self._address, "network camera (MJPEG)")

    def read(self, timeout_s: float) -> CameraFrame:
        """The next picture, its time that of its arrival. Raises DeviceError: TIMEOUT, LOST, GARBLED."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            picture, came_us = self._next(max(0.0, deadline_s - time.monotonic()))
            if not self._pace.is_due(came_us, self.least_apart_us):
                continue
            frame = self._decoder.frame(picture, came_us)
            if frame is not None:
                self._bad = 0
                return frame
            self._count_bad()

    def close(self) -> None:
        """The thread ends with the line."""
        with suppress(OSError):  # it may be broken already
            self._line.shutdown(socket.SHUT_RDWR)
        self._line.close()
        self._thread.join(timeout=0.5)

    def _next(self, timeout_s: float) -> tuple[bytes, int]:
        with self._news:
            self._news.wait_for(lambda: self._ready or self._ended, timeout_s)
            if self._ready:
                return self._ready.popleft()
            raise self._ended or DeviceError(DeviceReason.TIMEOUT, self._address)

    def _drain(self) -> None:
        try:
            self._line.settimeout(SILENCE_S)
            while data := self._line.recv(_CHUNK):
                self._take(data)
            self._end(DeviceError(DeviceReason.LOST, self._address, "the camera ended the stream"))
        except TimeoutError:
            self._end(DeviceError(DeviceReason.LOST, self._address, f"nothing for {SILENCE_S:.0f} s"))
        except OSError as trouble:
            self._end(DeviceError(DeviceReason.LOST, self._address, trouble.strerror or ""))
        except ValueError as wrong:
            self._end(DeviceError(DeviceReason.GARBLED, self._address, str(wrong)))

    def _take(self, data: bytes) -> None:
        """What came; raises ValueError for a part that never ends."""
        came = self._pictures.feed(data)
        with self._news:
            for picture in came:
                self._came_us = max(self._came_us + 1, time.monotonic_ns() // 1000)  # no two at the same time
                if len(self._ready) >= _WAITING:
                    self._ready.popleft()
                    self.skipped += 1
                self._ready.append((picture, self._came_us))
            self._news.notify()

    def _end(self, trouble: DeviceError) -> None:
        with self._news:
            self._ended = trouble
            self._news.notify()

    def _count_bad(self) -> None:
        with self._news:
            self.skipped += 1
        self._bad += 1
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
