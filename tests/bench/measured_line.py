"""A TCP line to the centre for measurements: so many bytes a second, away for a while, or cut in the middle."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

_PIECE = 1 << 16


class MeasuredLine:
    """Carries connections to `target` (a port of this machine). `rate`: bytes a second upwards, 0 for no limit.

    `cut_after`: so many bytes into a connection it is cut, `cuts` times in all. While `away` nothing is carried.
    """

    def __init__(self, target: int, rate: int = 0, cut_after: int = 0, cuts: int = 0) -> None:
        self._target, self._rate, self._cut_after = target, rate, cut_after
        self.cuts_left, self.sent, self.away = cuts, 0, False
        self._lock, self._free_s = threading.Lock(), time.monotonic()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, name="measured-line", daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self.away:
                    near.close()
                    continue
                threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with near, suppress(OSError), socket.create_connection(("127.0.0.1", self._target), 5) as far:
            up = threading.Thread(target=self._up, args=(near, far), daemon=True)
            up.start()
            while data := far.recv(_PIECE):
                near.sendall(data)
            with suppress(OSError):
                near.shutdown(socket.SHUT_RDWR)
            up.join(5)

    def _up(self, near: socket.socket, far: socket.socket) -> None:
        carried = 0
        with suppress(OSError):
            while data := near.recv(_PIECE):
                self._wait_for(len(data))
                far.sendall(data)
                carried += len(data)
                self.sent += len(data)
                if self._cut_after and carried >= self._cut_after and self._take_cut():
                    break
        with suppress(OSError):
            far.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            near.shutdown(socket.SHUT_RDWR)

    def _take_cut(self) -> bool:
        with self._lock:
            self.cuts_left -= 1
            return self.cuts_left >= 0

    def _wait_for(self, count: int) -> None:
        """One line for all connections: each byte takes its time after the one before."""
        if not self._rate:
            return
        with self._lock:
            start_s = max(self._free_s, time.monotonic())
            self._free_s = start_s + count / self._rate
            wait_s = self._free_s - time.monotonic()
        if wait_s > 0:
            time.sleep(wait_s)
