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
    """Keeps one device in use; `start()` and `stop()` (within 3 s). `crashed` is told of a bug in what is done."""

    def __init__(self, name: str, use: Use[D], crashed: Callable[[Exception], None]) -> None:
        self._use, self._crashed = use, crashed
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, patience_s: float = 3.0, hurry: Callable[[], None] | None = None) -> None:
        """End it. What still goes on after `patience_s` is hurried, if there is a way to."""
        self._stopping.set()
        self._thread.join(timeout=patience_s)
        if hurry is not None and self._thread.is_alive():
            hurry()
            self._thread.join(timeout=3.0 - patience_s)

    def _run(self) -> None:
        try:
            self._keep()
        except Exception as bug:  # noqa: BLE001  the top of this thread
            self._crashed(bug)

    def _keep(self) -> None:
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
