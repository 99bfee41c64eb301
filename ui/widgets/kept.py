"""A line to type secrets and codes into: what stands in it goes nowhere else."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QLineEdit, QWidget

_TAKES_OUT = (
    QKeySequence.StandardKey.Copy,
    QKeySequence.StandardKey.Cut,
    QKeySequence.StandardKey.DeleteEndOfLine,  # these two copy what they delete
    QKeySequence.StandardKey.DeleteCompleteLine,
    QKeySequence.StandardKey.Undo,
    QKeySequence.StandardKey.Redo,
)


class KeptLine(QLineEdit):
    """No input method, no suggestions, no learning; nothing is copied, dragged or selected (X11 hands out what is), and
    what left it does not come back by undoing.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        hints = Qt.InputMethodHint.ImhLatinOnly | Qt.InputMethodHint.ImhNoPredictiveText
        self.setInputMethodHints(hints | Qt.InputMethodHint.ImhSensitiveData)
        self.setAttribute(Qt.WidgetAttribute.WA_InputMethodEnabled, False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.setDragEnabled(False)
        self.selectionChanged.connect(self.deselect)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if any(event.matches(key) for key in _TAKES_OUT):
            event.ignore()
        else:
            super().keyPressEvent(event)

    def forget(self) -> None:
        """Empty it, its history too: `clear` can be undone by whoever types here next."""
        self.setText("")
