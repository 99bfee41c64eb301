"""A TCP line between station and centre that a seed makes bad: cuts, lost answers, bent bytes, refusals, delays.

Each connection draws one fate and keeps it:

    good       carried as it is
    refused    closed at once
    cut        the request ends in the middle
    lost       the request arrives whole, its answer does not
    bent       one bit of the request changes on the way
    slow       everything arrives, in small pieces
    twice      everything arrives, and once more when the connection is over: late, and out of order
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

BAD = ("refused", "cut", "lost", "bent", "slow", "twice")
FATES = ("good", "good", "good", *BAD)
_AGAIN_MOST = 1 << 20


class FaultyLine:
    """Listens on a free port of this machine and carries to `target` (port). `heal()` makes every fate good."""

    def __init__(self, target: int, seed: int, fates: Sequence[str] = FATES) -> None:
        self._target, self._drawn_from = target, fates
        self._chance = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.fates: dict[str, int] = {}
        self._healed = False
        threading.Thread(target=self._accept, name="faulty-line", daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def heal(self) -> None:
        self._healed = True

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                fate = "good" if self._healed else self._chance.choice(self._drawn_from)
                self.fates[fate] = self.fates.get(fate, 0) + 1
                threading.Thread(target=self._carry, args=(near, fate, self._chance.random()), daemon=True).start()

    def _carry(self, near: socket.socket, fate: str, where: float) -> None:
        carried = bytearray()
        with near, suppress(OSError):
            if fate == "refused":
                return
            with socket.create_connection(("127.0.0.1", self._target), 5) as far:
                up = threading.Thread(target=self._up, args=(near, far, fate, where, carried), daemon=True)
                up.start()
                self._down(near, far, fate)
                with suppress(OSError):
                    near.shutdown(socket.SHUT_RDWR)
                up.join(5)
        if fate == "twice":
            self._once_more(bytes(carried))

    def _up(self, near: socket.socket, far: socket.socket, fate: str, where: float, carried: bytearray) -> None:
        limit = int(where * 12_000)
        count = 0
        with suppress(OSError):
            while data := near.recv(1 << 16):
                if fate == "bent" and count <= limit < count + len(data):
                    bent = bytearray(data)
                    bent[limit - count] ^= 1
                    data = bytes(bent)
                if fate == "cut" and count + len(data) > limit:
                    far.sendall(data[: limit - count])
                    break
                self._send(far, data, fate)
                count += len(data)
                if fate == "twice" and count <= _AGAIN_MOST:
                    carried += data
        with suppress(OSError):
            far.shutdown(socket.SHUT_WR if fate != "cut" else socket.SHUT_RDWR)

    def _once_more(self, data: bytes) -> None:
        """What a bad network or a thief keeps and delivers again; nobody waits for the answers."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._target), 5) as far:
            far.sendall(data)
            far.shutdown(socket.SHUT_WR)
            while far.recv(1 << 16):
                pass

    def _down(self, near: socket.socket, far: socket.socket, fate: str) -> None:
        while data := far.recv(1 << 16):
            if fate == "lost":
                return
            self._send(near, data, fate)

    @staticmethod
    def _send(to: socket.socket, data: bytes, fate: str) -> None:
        if fate != "slow":
            to.sendall(data)
            return
        for at in range(0, len(data), 4096):
            to.sendall(data[at : at + 4096])
            time.sleep(0.002)
