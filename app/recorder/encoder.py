"""Pictures in, pieces of fragmented MP4 out: x264 through PyAV into a sink that cannot be sought in.

Settings as measured at 1080p30 on one thread: ultrafast, crf 23 (card numbers stay readable), zerolatency, a key
frame each 30 frames, fragments of 0.5 s. The encoder adds no delay; the muxer holds the open fragment only.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.video.frame import PictureType

from app.evidence.entries import KEY_FRAME_EVERY, NOMINAL_US, frames_in, is_key_due
from app.frames import Plane

_TIME_BASE = Fraction(1, 1_000_000)
_FRAGMENT_US = 500_000
_MOVFLAGS = "frag_keyframe+empty_moov+default_base_moof+skip_trailer"
_X264 = {"preset": "ultrafast", "crf": "23", "tune": "zerolatency"}


@dataclass(frozen=True, slots=True)
class Header:
    """The part's MP4 header (ftyp + moov)."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Fragment:
    """A whole fragment (moof + mdat). Times in microseconds since the recording's first frame."""

    data: bytes
    first_pts: int
    last_pts: int
    frames: int


class PartEncoder:
    """Encodes one part. Times inside the part begin at 0 with its first picture."""

    def __init__(self, width: int, height: int) -> None:
        """Even sizes in pixels."""
        self.size = width, height
        self._boxes = _Boxes()
        self._pts: deque[int] = deque()
        self._since_key = (0, 0)  # when the last key frame was, and how many frames ago
        self._first_pts: int | None = None
        options = {"movflags": _MOVFLAGS, "frag_duration": str(_FRAGMENT_US)}
        self._container = av.open(self._boxes, "w", format="mp4", options=options)
        self._stream = self._container.add_stream("libx264", rate=30, options=_X264)
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        codec = self._stream.codec_context
        codec.time_base, codec.gop_size, codec.thread_count = _TIME_BASE, KEY_FRAME_EVERY, 1

    def encode(self, planes: Plane, pts: int) -> list[Header | Fragment]:
        """One picture, flat planes Y, U, V; `pts` rises. Gives the pieces that became whole by it."""
        width, height = self.size
        if self._first_pts is None:
            self._first_pts = pts
        frame = av.VideoFrame.from_numpy_buffer(planes.reshape(height * 3 // 2, width), format="yuv420p")
        frame.pts, frame.time_base = pts - self._first_pts, _TIME_BASE
        if self._is_key(pts - self._first_pts):
            frame.pict_type = PictureType.I
        self._mux(self._stream.encode(frame))
        self._pts.append(pts)  # after muxing: what came out by it holds only the pictures before
        return self._pieces()

    def _is_key(self, at: int) -> bool:
        """Whether this picture shall stand alone: slow cameras need more of those than x264 makes by itself."""
        key_at, count = self._since_key
        count = count + 1 if at else 0  # the first one is one anyway
        key = is_key_due(count, at - key_at)
        self._since_key = (at, 0) if key else (key_at, count)
        return key

    def finish(self) -> list[Header | Fragment]:
        """The rest. Nothing may be encoded after it."""
        self._mux(self._stream.encode(None))
        self._container.close()
        return self._pieces()

    def _mux(self, packets: list[av.Packet[Any]]) -> None:
        for packet in packets:
            packet.duration = packet.duration or NOMINAL_US
            self._container.mux(packet)

    def _pieces(self) -> list[Header | Fragment]:
        pieces: list[Header | Fragment] = []
        for kind, data, frames in self._boxes.take():
            if kind == b"moov":
                pieces.append(Header(data))
            else:
                times = [self._pts.popleft() for _ in range(frames)]
                pieces.append(Fragment(data, times[0], times[-1], frames))
        return pieces


class _Boxes:
    """The muxer's sink: gathers its writes and cuts them at whole headers and fragments (ISO/IEC 14496-12)."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        self._waiting += data
        return len(data)

    def take(self) -> list[tuple[bytes, bytes, int]]:
        """(kind, bytes, frames) of each piece that is whole: kind `moov` (with what stood before it) or `moof`."""
        pieces = []
        while (piece := self._next()) is not None:
            pieces.append(piece)
        return pieces

    def _next(self) -> tuple[bytes, bytes, int] | None:
        at, frames, kind = 0, 0, b""
        while at + 8 <= len(self._waiting):
            size, box = struct.unpack_from(">I4s", self._waiting, at)
            if at + size > len(self._waiting):
                return None
            if box == b"moof":
                frames, kind = frames_in(bytes(self._waiting[at : at + size])), box
            at += size
            if box in (b"moov", b"mdat"):
                data = bytes(self._waiting[:at])
                del self._waiting[:at]
                return kind or box, data, frames
        return None
