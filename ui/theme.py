"""Colours, sizes and fonts of the screens: tokens become a palette, one style sheet and a `Look` for painted widgets.

Three densities (design language, section 3.3). Every size is a pixel token times the density's factor; it is no display
scale factor, so a large screen shows larger things and not a blurred picture.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtGui import QColor, QFont, QFontDatabase, QFontMetricsF, QPalette
from PySide6.QtWidgets import QApplication

from ui.icons import Icons

UI_FAMILIES = ["Microsoft YaHei UI", "Noto Sans CJK SC", "PingFang SC", "Segoe UI"]
MONO_FAMILIES = ["JetBrains Mono", *UI_FAMILIES]


@dataclass(frozen=True, slots=True)
class Density:
    """Sizes of the frame in pixels before `factor`. Names follow the design language."""

    name: str
    factor: float
    rail: int = 76
    nav: tuple[int, int] = (64, 62)
    top: int = 56
    parcel_bar: int = 56
    key_bar: int = 84
    banner: int = 36
    rec: tuple[int, int] = (246, 40)
    key: int = 56
    key_pad: tuple[int, int] = (11, 13)
    go: tuple[int, int] = (380, 64)
    margin: tuple[int, int] = (16, 16)
    gap: int = 16
    right: int = 500
    stage_bar: int = 40
    tray: int = 92
    tray_pad: int = 10
    slot_pad: int = 7
    check: int = 40
    head: int = 44
    prompt: int = 28
    prompt_alone: int = 38
    help: int = 21
    panel_pad: tuple[int, int] = (18, 16)
    cell: tuple[int, int, int] = (25, 48, 32)
    glyph: int = 28
    crop: tuple[int, int] = (150, 112)
    row: int = 46
    table_head: int = 36
    step_pad: int = 8
    step_line: int = 16
    figure: int = 52
    figures: int = 108
    option: int = 62
    footer: int = 56
    small_stage: int = 300
    shows_last: bool = True


REGULAR = Density("regular", 1.0)
LARGE = Density("large", 1.2)
COMPACT = Density(
    "compact",
    1.0,
    rail=68,
    nav=(60, 58),
    top=50,
    parcel_bar=48,
    key_bar=74,
    banner=32,
    rec=(236, 36),
    key=50,
    key_pad=(8, 10),
    go=(330, 58),
    margin=(12, 10),
    gap=12,
    right=456,
    stage_bar=32,
    tray=66,
    tray_pad=6,
    slot_pad=4,
    check=34,
    head=36,
    prompt=25,
    prompt_alone=30,
    help=18,
    panel_pad=(14, 10),
    cell=(23, 44, 30),
    glyph=26,
    crop=(112, 100),
    row=39,
    table_head=30,
    step_pad=5,
    step_line=10,
    figure=40,
    figures=82,
    option=52,
    footer=42,
    small_stage=192,
    shows_last=False,
)


def density_for(width: int, height: int) -> Density:
    """Which density a window of this size takes."""
    if width >= 1800 and height >= 1000:
        return LARGE
    return COMPACT if width < 1400 or height < 880 else REGULAR


class Look:
    """A theme at a density: colours by token, sizes by pixel token, fonts; shared by all widgets of one window."""

    def __init__(self, theme: str, density: Density, tokens: dict[str, str], icons: Icons) -> None:
        self.theme = theme
        self.density = density
        self.icons = icons
        self.tokens = tokens
        self.on_cut: Callable[[str, object], None] | None = None
        """Told of each text that had to be shortened, and the widget: how a test finds clipped words."""
        self._colours = {name: QColor(value) for name, value in tokens.items()}
        self._fonts: dict[tuple[float, int, bool], QFont] = {}
        self._metrics: dict[tuple[float, int, bool], QFontMetricsF] = {}

    def colour(self, token: str) -> QColor:
        return self._colours[token]

    def px(self, size: float) -> int:
        """A pixel token at this density."""
        return round(size * self.density.factor)

    def font(self, size: float, weight: int = 400, mono: bool = False) -> QFont:
        """The UI or the mono family; `size` is a pixel token."""
        key = (size, weight, mono)
        if key not in self._fonts:
            font = QFont(MONO_FAMILIES if mono else UI_FAMILIES)
            font.setPixelSize(self.px(size))
            font.setWeight(QFont.Weight(weight))
            self._fonts[key] = font
        return self._fonts[key]

    def metrics(self, size: float, weight: int = 400, mono: bool = False) -> QFontMetricsF:
        key = (size, weight, mono)
        if key not in self._metrics:
            self._metrics[key] = QFontMetricsF(self.font(size, weight, mono))
        return self._metrics[key]

    def width(self, text: str, size: float, weight: int = 400, mono: bool = False) -> float:
        return self.metrics(size, weight, mono).horizontalAdvance(text)


class Themes:
    """The two themes, read once from the resources."""

    def __init__(self, resources: Path) -> None:
        self._tokens: dict[str, dict[str, str]] = json.loads((resources / "tokens.json").read_text("utf-8"))
        self._icons = Icons(resources / "icons")
        for path in sorted((resources / "fonts").glob("*.[to]t[fc]")):
            QFontDatabase.addApplicationFont(str(path))

    def look(self, theme: str, density: Density) -> Look:
        """`theme` is "light" or "dark"."""
        return Look(theme, density, self._tokens[theme], self._icons)


def palette(look: Look) -> QPalette:
    """The palette for what Qt draws by itself (selection, tool tips, text cursors)."""
    made = QPalette()
    for role, token in (
        (QPalette.ColorRole.Window, "window"),
        (QPalette.ColorRole.WindowText, "text"),
        (QPalette.ColorRole.Base, "panel"),
        (QPalette.ColorRole.AlternateBase, "sunken"),
        (QPalette.ColorRole.Text, "text"),
        (QPalette.ColorRole.Button, "panel"),
        (QPalette.ColorRole.ButtonText, "text"),
        (QPalette.ColorRole.ToolTipBase, "panel"),
        (QPalette.ColorRole.ToolTipText, "text"),
        (QPalette.ColorRole.Highlight, "primary"),
        (QPalette.ColorRole.HighlightedText, "onPrimary"),
        (QPalette.ColorRole.PlaceholderText, "text3"),
    ):
        made.setColor(role, look.colour(token))
    return made


_QSS = """
* {{ font-family: {families}; font-size: {body}px; color: {text}; }}
QWidget#window {{ background: {window}; }}
QLineEdit {{ background: transparent; border: none; padding: 0; selection-background-color: {primary};
  selection-color: {onPrimary}; font-family: "JetBrains Mono", {families}; font-size: {input}px; }}
QToolTip {{ background: {panel}; color: {text}; border: 1px solid {lineStrong}; padding: 4px; }}
QTableView {{ background: {panel}; border: none; outline: none; }}
QHeaderView {{ background: {sunken}; border: none; }}
QHeaderView::section {{ background: {sunken}; color: {text2}; border: none; border-bottom: 1px solid {line};
  font-size: {meta}px; padding: 0 12px; }}
QScrollBar:vertical {{ background: {sunken}; width: 12px; border: none; }}
QScrollBar::handle:vertical {{ background: {lineStrong}; border-radius: 4px; min-height: 28px; margin: 2px; }}
QScrollBar::add-line, QScrollBar::sub-line {{ height: 0; width: 0; }}
QDialog, QMessageBox {{ background: {panel}; }}
QDialog QPushButton {{ background: {panel}; border: 1px solid {lineStrong}; border-radius: 8px; padding: 8px 16px; }}
QSlider::groove:horizontal {{ background: {line}; height: 6px; border-radius: 3px; }}
QSlider::handle:horizontal {{ background: {text2}; width: 16px; margin: -5px 0; border-radius: 8px; }}
"""


def style_sheet(look: Look) -> str:
    """The one style sheet: what is not painted by our own widgets."""
    families = ", ".join(f'"{name}"' for name in UI_FAMILIES)
    sizes = {"body": look.px(16), "input": look.px(18), "meta": look.px(14)}
    return _QSS.format(families=families, **sizes, **look.tokens)


def dress(look: Look) -> None:
    """Let the application wear this look. Setting a style sheet again would polish every widget anew."""
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    sheet = style_sheet(look)
    if application.styleSheet() != sheet:
        application.setPalette(palette(look))
        application.setStyleSheet(sheet)
