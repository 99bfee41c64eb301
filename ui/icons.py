"""Lucide icons as pixmaps: the SVG is tinted before it is rendered, and kept by name, size, colour and ratio."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray, Qt
from PySide6.QtGui import QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer


class Icons:
    """The icons of one folder. A missing file raises FileNotFoundError: a screen without its icon is a bug."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sources: dict[str, str] = {}
        self._pixmaps: dict[tuple[str, int, str, float, float], QPixmap] = {}

    def pixmap(self, name: str, size: int, colour: str, ratio: float = 1.0, stroke: float | None = None) -> QPixmap:
        """`size` in logical pixels, `colour` "#rrggbb", `ratio` of the screen, `stroke` on the 24 px grid."""
        width = stroke if stroke is not None else 2.3 if size <= 18 else 1.75 if size >= 44 else 2.0
        key = (name, size, colour, ratio, width)
        if key not in self._pixmaps:
            self._pixmaps[key] = self._render(name, size, colour, ratio, width)
        return self._pixmaps[key]

    def _render(self, name: str, size: int, colour: str, ratio: float, stroke: float) -> QPixmap:
        if name not in self._sources:
            self._sources[name] = (self._folder / f"{name}.svg").read_text("utf-8")
        source = self._sources[name].replace("currentColor", colour)
        source = source.replace('stroke-width="2"', f'stroke-width="{stroke}"')
        pixmap = QPixmap(round(size * ratio), round(size * ratio))
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        QSvgRenderer(QByteArray(source.encode())).render(painter)
        painter.end()
        pixmap.setDevicePixelRatio(ratio)
        return pixmap
