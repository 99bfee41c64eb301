"""How a program lives: its options, what ends it, its exit code. The station's side is `app.programs`."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Protocol

from app.programs import ProgramError

EXIT_OK = 0
EXIT_ALREADY_RUNNING = 3

_log = logging.getLogger(__name__)


class Living(Protocol):
    """A program without its process."""

    def run(self) -> None:
        """Work until it is ended. Raises ProgramError where one lives already."""

    def end(self, why: str) -> None:
        """Have `run` return soon; from any thread, and from a signal."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of a program of a station folder."""
    parser.add_argument("--folder", type=Path, required=True, help="the station folder")
    parser.add_argument("--orphan-s", type=float, default=60.0, help="seconds to go on without a station")


def live(program: Living) -> int:
    """Be this program until it ends or a signal ends it. 0: ended as asked; 3: one is already running."""

    def on_signal(number: int, _frame: FrameType | None) -> None:
        program.end(signal.Signals(number).name)

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    try:
        program.run()
    except ProgramError as trouble:
        _log.info("%s", trouble)
        return EXIT_ALREADY_RUNNING
    return EXIT_OK


def when_stdin_closes(end: Callable[[], object]) -> None:
    """Have `end` called, in a thread, when whoever started this program and holds its stdin is gone or has enough."""

    def watch() -> None:
        while sys.stdin.buffer.read(4096):
            pass
        end()

    threading.Thread(target=watch, name="stdin-watch", daemon=True).start()


def end_with_stdin() -> None:
    """As `when_stdin_closes`, for a program that may end at any time: it takes no farewell."""
    when_stdin_closes(lambda: os._exit(0))
