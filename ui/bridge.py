"""Between the station's hallway and the window: states come in from any thread, events go out.

States may come faster than a screen can be painted; only the newest is kept, and one signal is on its way at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Signal

from app.core.effects import Sound
from app.core.events import Event
from app.core.products import Catalogue
from app.core.readiness import Surroundings
from app.core.states import State

Shown = tuple[State, Surroundings]


def _nothing(*_args: object) -> None:
    pass


class Bridge(QObject):
    """`post` puts an event into the station's inbox and may be called from any thread.

    `take_over` is called for any key while the rehearsal plays by itself; `secret_shown` with "pin" when a clerk
    uncovers it (F8), so that it can be recorded; `touched` at any key or click: somebody is there.
    """

    changed = Signal()
    sounded = Signal(object)
    learned = Signal(object)
    closing = Signal()

    def __init__(
        self,
        post: Callable[[Event], None],
        *,
        take_over: Callable[[], None] = _nothing,
        secret_shown: Callable[[str], None] = _nothing,
        touched: Callable[[], None] = _nothing,
    ) -> None:
        super().__init__()
        self.post = post
        self.take_over = take_over
        self.secret_shown = secret_shown
        self.touched = touched
        self._lock = threading.Lock()
        self._newest: Shown | None = None
        self._on_its_way = False
        self._closed = False

    def connect_window(
        self,
        changed: Callable[[], None],
        sounded: Callable[[Sound], None],
        closing: Callable[[], None],
        learned: Callable[[Catalogue], None],
    ) -> None:
        """Join the window's side; its slots are called in its own thread."""
        queued = Qt.ConnectionType.QueuedConnection
        self.changed.connect(changed, queued)
        self.sounded.connect(sounded, queued)
        self.closing.connect(closing, queued)
        self.learned.connect(learned, queued)
        if self._closed:
            self.closing.emit()  # it was closed before the window was there

    def show(self, state: State, around: Surroundings) -> None:
        """Show this from now on. Any thread; never waits for the screen."""
        with self._lock:
            self._newest = (state, around)
            if self._on_its_way:
                return
            self._on_its_way = True
        self.changed.emit()

    def take(self) -> Shown | None:
        """The newest state, or None before the first. Called by the window."""
        with self._lock:
            self._on_its_way = False
            return self._newest

    def play(self, sound: Sound) -> None:
        """Let the clerk hear something. Any thread."""
        self.sounded.emit(sound)

    def learn(self, catalogue: Catalogue) -> None:
        """Name products by this catalogue from now on. Any thread."""
        self.learned.emit(catalogue)

    def close(self) -> None:
        """Ask the window to close (a demo has ended). Any thread."""
        self._closed = True
        self.closing.emit()
