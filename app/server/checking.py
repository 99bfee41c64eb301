"""Signatures checked by a process beside the server, which knows public keys and events and nothing else.

A check takes longer than all else that is done with an event, and keeps the interpreter to itself meanwhile: requests
waited for it. The process is started when there is much to check, goes second where the processor is short, and ends
with its stdin, so it cannot outlive the server. Where it cannot be had, the server checks itself.

    stdin    how many (4 bytes, the highest first); each: key (32), signature (64), length of the data (4), the data
    stdout   a byte for each: 1 it holds, 0 it does not
"""

from __future__ import annotations

import logging
import struct
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from threading import Lock
from typing import BinaryIO

from app.keys import verifier
from app.platform import lower_priority

_PROGRAM = (sys.executable, "-m", "app.server.checking")
_NICE = 5
_COUNT, _ONE = struct.Struct(">I"), struct.Struct(">32s64sI")
_SIG = 64
_log = logging.getLogger(__name__)

Wanted = tuple[bytes, bytes, bytes]
"""Public key (32 bytes), signature, and the data that it should be of."""


class Checker:
    """The process, for one thread at a time; `close` may come from another one."""

    def __init__(self, program: Sequence[str] = _PROGRAM) -> None:
        self._program = program
        self._child: subprocess.Popen[bytes] | None = None
        self._guard = Lock()
        self._closed = False

    def holds(self, wanted: Sequence[Wanted]) -> list[bool] | None:
        """Of each whether the signature is the key's; None when the process gave no answer, then it is asked anew."""
        try:
            child = self._running()
            if child is None or child.stdin is None or child.stdout is None:
                return None
            child.stdin.writelines(_packed(wanted))
            child.stdin.flush()
            told = child.stdout.read(len(wanted))
        except (OSError, ValueError) as trouble:  # ValueError: it was closed meanwhile
            _log.warning("signatures are checked here: %s", type(trouble).__name__)
            self._end()
            return None
        if len(told) < len(wanted):
            self._end()
            return None
        return [one == 1 and len(sig) == _SIG for one, (_, sig, _) in zip(told, wanted, strict=True)]

    def close(self) -> None:
        """End the process; who waits for its answer gets None."""
        with self._guard:
            self._closed = True
        self._end()

    def _running(self) -> subprocess.Popen[bytes] | None:
        with self._guard:
            if self._child is None and not self._closed:
                self._child = subprocess.Popen(self._program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            return self._child

    def _end(self) -> None:
        with self._guard:
            child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with suppress(OSError, ValueError):
                    pipe.close()


def _packed(wanted: Sequence[Wanted]) -> list[bytes]:
    """In parts: all of it at once would be a second copy of what may be large."""
    parts = [_COUNT.pack(len(wanted))]
    for key, sig, data in wanted:
        # One of another length does not hold, whatever is said of what is packed in its place.
        parts += [_ONE.pack(key, sig if len(sig) == _SIG else bytes(_SIG), len(data)), data]
    return parts


def answer(asked: BinaryIO, told: BinaryIO) -> None:
    """Be the process: answer until nothing more is asked."""
    while count := _COUNT.unpack(asked.read(_COUNT.size) or bytes(_COUNT.size))[0]:
        good = bytearray()
        for _ in range(count):
            key, sig, length = _ONE.unpack(asked.read(_ONE.size))
            good.append(verifier(key)(sig, asked.read(length)))
        told.write(good)
        told.flush()


if __name__ == "__main__":
    lower_priority(_NICE)
    with suppress(struct.error, BrokenPipeError, KeyboardInterrupt):  # whoever asked is gone
        answer(sys.stdin.buffer, sys.stdout.buffer)
