"""A program of ours that is given one job on its stdin and answers in lines on its stdout, until it is not wanted."""

from __future__ import annotations

import json
import logging
import subprocess
from collections.abc import Iterator
from typing import IO, Any

from app.platform import kill_session

_log = logging.getLogger(__name__)


class Child:
    """The running program. It leads a session of its own, so that what it starts is ended with it."""

    def __init__(self, argv: tuple[str, ...]) -> None:
        """Start it. Raises OSError."""
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            encoding="utf-8", start_new_session=True,
        )  # fmt: skip

    def give(self, job: dict[str, Any]) -> None:
        """Tell it what to do. Raises BrokenPipeError when it is gone."""
        pipe = self._process.stdin
        assert pipe is not None
        pipe.write(json.dumps(job) + "\n")
        pipe.flush()

    def lines(self) -> Iterator[str]:
        """What it says, until it ends."""
        assert self._process.stdout is not None
        yield from self._process.stdout

    def kill(self) -> None:
        """End it at once. From any thread; nothing happens if it has ended."""
        if self._process.returncode is None:  # else its number may be another's; what it left behind is ended too
            kill_session(self._process.pid)

    def close(self) -> None:
        """End it and give back what it held."""
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            _close(pipe)


def _close(pipe: IO[str] | None) -> None:
    try:
        if pipe is not None:
            pipe.close()
    except BrokenPipeError:
        _log.debug("its pipe was broken already")
