"""The window's process: makes the Qt application, shows the window, and tells of a crash in words.

bridge = Bridge(post)
station thread: bridge.show(state, surroundings) … bridge.close()
main thread:    code = run_window(bridge, catalogue, …)
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from types import TracebackType

from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication, QMessageBox

from app.core.footage import ReviewDesk
from app.core.products import Catalogue
from app.core.reveals import RevealDesk
from app.core.shelving import CatalogueDesk
from app.paths import RESOURCES
from ui.bridge import Bridge
from ui.player import OpenRecording
from ui.texts import say
from ui.window import FrameSource, Window, WindowSettings, no_frame, no_recording

_log = logging.getLogger(__name__)

OnCrash = Callable[[BaseException], None]
"""Called first when a bug is met in the window's thread: closes and seals the recording."""


def application(*, headless: bool = False) -> QApplication:
    """The running QApplication, or a new one. `headless` takes the offscreen platform unless one was chosen."""
    if headless:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    running = QApplication.instance()
    made = running if isinstance(running, QApplication) else QApplication(["cardintake"])
    made.setStyle("Fusion")
    return made


def _ignore(_error: BaseException) -> None:
    pass


def run_window(
    bridge: Bridge,
    catalogue: Catalogue,
    *,
    settings: WindowSettings | None = None,
    frame_source: FrameSource = no_frame,
    open_recording: OpenRecording = no_recording,
    on_crash: OnCrash = _ignore,
    review_desk: ReviewDesk | None = None,
    catalogue_desk: CatalogueDesk | None = None,
    reveal_desk: RevealDesk | None = None,
) -> int:
    """Show the window until it is closed; gives the exit status. Call from the main thread."""
    made = application()
    window = Window(
        bridge,
        catalogue,
        RESOURCES,
        settings or WindowSettings(),
        frame_source,
        open_recording,
        review_desk,
        catalogue_desk,
        reveal_desk,
    )
    window.setWindowIcon(QIcon(window.look.icons.pixmap("scan-barcode", 64, window.look.tokens["primary"])))
    hook = CrashHook(window, on_crash)
    before, sys.excepthook = sys.excepthook, hook
    try:
        _show(window, settings or WindowSettings())
        bridge.changed.emit()  # a state that came before the window was there
        return made.exec() or hook.exit_code
    finally:
        sys.excepthook = before


def _show(window: Window, settings: WindowSettings) -> None:
    """Full screen where a task bar would leave too little room."""
    screen = window.screen().size()
    window.resize(min(1440, screen.width()), min(900, screen.height()))
    if settings.full_screen or screen.width() < 1440 or screen.height() < 900:
        window.showFullScreen()
    else:
        window.showMaximized()


class CrashHook:
    """Takes a bug that reached the top of the window's thread: seal first, tell once, then leave."""

    def __init__(self, window: Window, on_crash: OnCrash) -> None:
        self._window, self._on_crash = window, on_crash
        self.exit_code = 0

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        _log.critical("a bug in the window", exc_info=(kind, error, trace))
        if self.exit_code:
            return
        self.exit_code = 1
        self._on_crash(error)
        self.dialog(kind.__name__).exec()
        self._window.close()

    def dialog(self, detail: str) -> QMessageBox:
        """What the clerk is told; `detail` is the name of the fault and holds no data."""
        language = self._window.language
        box = QMessageBox(self._window)
        box.setIcon(QMessageBox.Icon.NoIcon)
        box.setWindowTitle(say("product", language))
        box.setText(say("crash.title", language))
        support = say("crash.support", language, detail=detail)
        box.setInformativeText(f"{say('crash.text', language)}\n\n{support}")
        box.addButton(say("crash.close", language), QMessageBox.ButtonRole.AcceptRole)
        return box
