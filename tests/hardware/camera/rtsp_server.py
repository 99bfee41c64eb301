"""A network camera on the loopback that speaks RTSP (RFC 2326) and sends real H.264 by RTP inside it (RFC 6184).

script steps: ("frames", count) · ("size", w, h) · ("stall",) until released · ("drop",) closes the connection
"""

from __future__ import annotations

import base64
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np

from tests.hardware.camera.loopback import listening

Step = tuple

_MTU = 1400
_SPS, _PPS, _FU_A = 7, 8, 28
_START = b"\x00\x00\x01"


def nal_units(data: bytes) -> list[bytes]:
    """The units of an Annex B access unit, without start codes."""
    return [unit.rstrip(b"\x00") for unit in data.split(_START)[1:]]


def rtp_payloads(unit: bytes) -> list[bytes]:
    """A unit in packets that fit a network: itself, or fragments (FU-A)."""
    if len(unit) <= _MTU:
        return [unit]
    head, body = unit[0], unit[1:]
    pieces = [body[at : at + _MTU] for at in range(0, len(body), _MTU)]
    marks = [0x80 if n == 0 else 0x40 if n == len(pieces) - 1 else 0 for n in range(len(pieces))]
    return [bytes([head & 0xE0 | _FU_A, mark | head & 0x1F]) + piece for mark, piece in zip(marks, pieces, strict=True)]


class Scene:
    """Pictures of moving noise as H.264: a key frame each `gop`; `b_frames` makes them come in another order."""

    def __init__(self, width: int, height: int, gop: int = 15, b_frames: int = 0) -> None:
        self.size, self._n = (width, height), 0
        codec = av.CodecContext.create("libx264", "w")
        codec.width, codec.height, codec.pix_fmt, codec.time_base = width, height, "yuv420p", Fraction(1, 30)
        codec.gop_size, codec.thread_count = gop, 1
        late = {"bf": str(b_frames), "b-adapt": "0"} if b_frames else {"tune": "zerolatency"}
        codec.options = {"preset": "ultrafast", **late}
        self._codec = codec
        self._rng = np.random.default_rng(9)
        self._noise = self._rng.integers(40, 220, (height // 8, width // 8), np.uint8).repeat(8, 0).repeat(8, 1)

    def next(self) -> list[tuple[bytes, int]]:
        """Access units (with presentation number) that the next picture makes."""
        luma = np.roll(self._noise, 4 * self._n, axis=1) + self._rng.integers(0, 3, self._noise.shape, np.uint8)
        frame = av.VideoFrame.from_ndarray(luma, format="gray").reformat(format="yuv420p")
        frame.pts, frame.time_base = self._n, Fraction(1, 30)
        self._n += 1
        return [(bytes(packet), int(packet.pts or 0)) for packet in self._codec.encode(frame)]

    def parameter_sets(self) -> list[bytes]:
        """SPS and PPS, from a twin's first picture."""
        width, height = self.size
        first = Scene(width, height).next()[0][0]
        return [unit for unit in nal_units(first) if unit[0] & 31 in (_SPS, _PPS)]


@dataclass
class Server:
    """`in_band` False: the parameter sets stand in the description only. `password`: basic authentication."""

    script: list[Step]
    fps: float = 60.0
    size: tuple[int, int] = (320, 240)
    gop: int = 15
    b_frames: int = 0
    in_band: bool = True
    password: str = ""
    heard: list[str] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    connections: int = 0

    def answer(self, line: socket.socket) -> None:
        scene = Scene(*self.size, gop=self.gop, b_frames=self.b_frames)
        while request := _request(line):
            self.heard.append(request)
            if self._reply(line, request, scene):
                self._play(line, scene)
                return

    def _reply(self, line: socket.socket, request: str, scene: Scene) -> bool:
        """Answer one request; True when pictures are to follow."""
        method, number = request.split(" ", 1)[0], re.search(r"(?i)cseq:\s*(\d+)", request)
        fields, body, status = {"CSeq": number[1] if number else "0", "Session": "42"}, "", "200 OK"
        wanted = base64.b64encode(f"user:{self.password}".encode()).decode()
        if self.password and f"Basic {wanted}" not in request:
            status, fields["WWW-Authenticate"] = "401 Unauthorized", 'Basic realm="camera"'
        elif method == "OPTIONS":
            fields["Public"] = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"
        elif method == "DESCRIBE":
            sets = ",".join(base64.b64encode(unit).decode() for unit in scene.parameter_sets())
            body = (
                "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=control:video\r\n"
                f"a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets}\r\n"
            )
            fields |= {"Content-Type": "application/sdp", "Content-Length": str(len(body))}
        elif method == "SETUP":
            if "interleaved" not in request:
                status = "461 Unsupported Transport"
            fields["Transport"] = "RTP/AVP/TCP;unicast;interleaved=0-1"
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        line.sendall(f"RTSP/1.0 {status}\r\n{head}\r\n{body}".encode())
        return method == "PLAY" and status == "200 OK"

    def _play(self, line: socket.socket, scene: Scene) -> None:
        rtp = _Rtp(line)
        while self.script:
            step = self.script.pop(0)
            match step:
                case ("size", width, height):
                    scene = Scene(width, height, gop=self.gop)
                case ("frames", count):
                    for _ in range(count):
                        for unit, number in scene.next():
                            self._send(rtp, unit, number)
                        time.sleep(1 / self.fps)
                case ("stall",):
                    self.release.wait(10)
                case ("drop",):
                    line.shutdown(socket.SHUT_RDWR)
                    return

    def _send(self, rtp: _Rtp, access_unit: bytes, number: int) -> None:
        self.sent.append(access_unit)
        units = nal_units(access_unit)
        if not self.in_band:
            units = [unit for unit in units if unit[0] & 31 not in (_SPS, _PPS)]
        rtp.send(units, number * 3000)


class _Rtp:
    """Packets of one stream, interleaved into the connection (RFC 2326, 10.12)."""

    def __init__(self, line: socket.socket) -> None:
        self._line, self._number = line, 0

    def send(self, units: list[bytes], stamp: int) -> None:
        payloads = [payload for unit in units for payload in rtp_payloads(unit)]
        for n, payload in enumerate(payloads):
            self._number += 1
            mark = 0x80 if n == len(payloads) - 1 else 0
            head = struct.pack(">BBHII", 0x80, mark | 96, self._number & 0xFFFF, stamp & 0xFFFFFFFF, 7)
            self._line.sendall(struct.pack(">cBH", b"$", 0, len(head) + len(payload)) + head + payload)


def _request(line: socket.socket) -> str:
    """The next request's head, "" at the end."""
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        more = line.recv(1)
        if not more:
            return ""
        data += more
    return data.decode()


@contextmanager
def served(server: Server) -> Iterator[str]:
    """The camera's address."""
    with listening(server) as port:
        yield f"rtsp://127.0.0.1:{port}/live"
