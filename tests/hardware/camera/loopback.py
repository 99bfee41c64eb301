"""What network cameras on the loopback have in common: they take any number of connections, each in a thread."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Answering(Protocol):
    """A camera without its socket. `release` ends what it waits for; `connections` is counted up."""

    release: threading.Event
    connections: int

    def answer(self, line: socket.socket) -> None:
        """Speak with one caller until either has enough; raises OSError when the caller has gone."""


@contextmanager
def listening(camera: Answering) -> Iterator[int]:
    """The port at which it answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_accept, args=[listener, camera], daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        camera.release.set()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _accept(listener: socket.socket, camera: Answering) -> None:
    while True:
        try:
            line, _ = listener.accept()
        except OSError:
            return
        camera.connections += 1
        threading.Thread(target=_converse, args=[line, camera], daemon=True).start()


def _converse(line: socket.socket, camera: Answering) -> None:
    with line:
        try:
            camera.answer(line)
        except OSError:
            return
