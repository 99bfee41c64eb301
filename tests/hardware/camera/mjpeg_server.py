"""A network camera on the loopback that drops, stalls, changes its picture's size and talks nonsense.

script steps: ("frames", count) · ("size", w, h) · ("junk", bytes) · ("bare", count) without lengths ·
("stall",) until released · ("drop",) closes the connection · ("end",) ends the answer properly
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import av
import numpy as np

from tests.hardware.camera.loopback import listening

Step = tuple


def jpeg(width: int, height: int, n: int) -> bytes:
    """A picture with some noise in it, different for each n."""
    codec = av.CodecContext.create("mjpeg", "w")
    codec.width, codec.height, codec.pix_fmt = width, height, "yuvj422p"
    codec.time_base = 1
    noise = np.random.default_rng(n).integers(40, 220, (height // 8, width // 8), np.uint8).repeat(8, 0).repeat(8, 1)
    frame = av.VideoFrame.from_ndarray(noise, format="gray").reformat(format="yuvj422p")
    return b"".join(bytes(packet) for packet in codec.encode(frame))


@dataclass
class Server:
    script: list[Step]
    status: str = "200 OK"
    kind: str = "multipart/x-mixed-replace; boundary=frame"
    fps: float = 60.0
    heard: list[str] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    connections: int = 0

    def answer(self, line: socket.socket) -> None:
        self.heard.append(line.recv(4096).decode())
        line.sendall(f"HTTP/1.0 {self.status}\r\nContent-Type: {self.kind}\r\n\r\n".encode())
        self._play(line)

    def _play(self, line: socket.socket) -> None:
        size, n = (320, 240), 0
        while self.script:
            step = self.script.pop(0)
            match step:
                case ("size", width, height):
                    size = width, height
                case ("frames", count) | ("bare", count):
                    for _ in range(count):
                        n += 1
                        self._send(line, jpeg(*size, n), step[0] == "frames")
                        time.sleep(1 / self.fps)
                case ("junk", data):
                    self._send(line, data, True)
                case ("stall",):
                    self.release.wait(10)
                case ("drop",):
                    line.shutdown(socket.SHUT_RDWR)
                    return
                case ("end",):
                    return

    @staticmethod
    def _send(line: socket.socket, data: bytes, counted: bool) -> None:
        head = b"--frame\r\nContent-Type: image/jpeg\r\n" + (b"Content-Length: %d\r\n" % len(data) if counted else b"")
        line.sendall(head + b"\r\n" + data + b"\r\n")


@contextmanager
def served(server: Server) -> Iterator[str]:
    """The camera's address."""
    with listening(server) as port:
        yield f"http://127.0.0.1:{port}/video?cam=1"
