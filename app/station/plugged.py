"""A device on a thread of its own: opened, used until it fails, opened again with growing pauses, same address only."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from hardware.errors import DeviceError

_PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0)


class _Closes(Protocol):
    def close(self) -> None: ...


D = TypeVar("D", bound=_Closes)


@dataclass(frozen=True, slots=True)
class Use(Generic[D]):
    """What is done with a device, each in its thread.

    `work` uses it until `stopping` is set or it raises DeviceError; `ready(device, was_lost)` after each opening,
    `lost(trouble)` after each failure.
    """

    open: Callable[[], D]
    ready: Callable[[D, bool], None]
    work: Callable[[D, threading.Event], None]
    lost: Callable[[DeviceError], None]


class Plugged(Generic[D]):
    """Keeps one device in use; `start()` and `stop()` (within 3 s)."""

    def __init__(self, name: str, use: Use[D]) -> None:
        self._use = use
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=3.0)

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                device = self._use.open()
                try:
                    self._use.ready(device, failures > 0)
                    failures = 0
                    self._use.work(device, self._stopping)
                finally:
                    device.close()
            except DeviceError as trouble:
                self._use.lost(trouble)
                self._stopping.wait(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)])
                failures += 1
