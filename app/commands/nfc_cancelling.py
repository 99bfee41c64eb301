"""Ctrl-C and SIGTERM while a chip is switched off: the run is called off, so that it ends with its record and words.

Killed in the middle nobody would be told what the chip holds now. Before a run begins they end the command as ever.
"""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any

from hardware.ports import NfcReader

_ENDS = (signal.SIGINT, signal.SIGTERM)


class Cancelling:
    """While it is entered, both signals raise KeyboardInterrupt, and from `ends` on cancel that reader. Main thread."""

    def __init__(self) -> None:
        self._reader: NfcReader | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Cancelling:
        self._before = {number: signal.signal(number, self._asked) for number in _ENDS}
        return self

    def __exit__(self, _kind: type[BaseException] | None, _it: BaseException | None, _at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def ends(self, reader: NfcReader) -> None:
        """A run on this reader begins."""
        self._reader = reader

    def _asked(self, _number: int, _frame: FrameType | None) -> None:
        if self._reader is None:
            raise KeyboardInterrupt
        self._reader.cancel()
