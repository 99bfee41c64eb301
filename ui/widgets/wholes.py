"""The whole readings of a field: the picture of its line, below it a row a reading, each with its key."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QImage

from ui.views import Chip, Tone
from ui.widgets.ink import Ink, chip_size
from ui.work_views import WholeRow

_LINE_H, _ROW_H, _GAP = 44, 38, 4
_COMPACT_LINE_H, _COMPACT_ROW_H = 34, 34  # below three rows there is room for a line of notice in the smallest window


def draw_wholes(ink: Ink, area: QRectF, rows: tuple[WholeRow, ...], line: bytes, *, revealed: bool) -> list[QRectF]:
    """Paint from the top of `area` on; gives the place of the picture and of each row. A secret is covered in both
    unless `revealed`.
    """
    px, compact = ink.px, ink.look.density.name == "compact"
    line_h, row_h = (_COMPACT_LINE_H, _COMPACT_ROW_H) if compact else (_LINE_H, _ROW_H)
    picture = QRectF(area.x(), area.y(), area.width(), px(line_h))
    secret = any(row.covered for row in rows)
    _draw_line(ink, picture, b"" if secret and not revealed else line)
    places, y = [picture], picture.bottom() + px(_GAP * 2)
    widest = max(ink.look.width(row.length, 16, 700) for row in rows)
    for row in rows:
        place = QRectF(area.x(), y, area.width(), px(row_h))
        _draw_row(ink, place, row, widest, revealed=revealed)
        places.append(place)
        y = place.bottom() + px(_GAP)
    return places


def _draw_line(ink: Ink, rect: QRectF, png: bytes) -> None:
    ink.box(rect, fill="stage", radius=6)
    image = QImage.fromData(png) if png else QImage()
    if image.isNull():
        half = ink.px(13)
        ink.icon(rect.center().x() - half, rect.center().y() - half, "eye-off", 26, "onStage2")
        return
    ink.p.save()
    ink.clip_round(rect, 6)
    smooth = Qt.TransformationMode.SmoothTransformation
    scaled = image.scaled(rect.size().toSize(), Qt.AspectRatioMode.KeepAspectRatio, smooth)
    at = QPointF(rect.center().x() - scaled.width() / 2, rect.center().y() - scaled.height() / 2)
    ink.p.drawImage(at, scaled)
    ink.p.restore()


def _draw_row(ink: Ink, rect: QRectF, row: WholeRow, length_w: float, *, revealed: bool) -> None:
    px = ink.px
    if row.picked:
        ink.box(rect, fill="primaryTint", line="primary", width=2, radius=8)
    else:
        ink.box(rect, fill="panel" if row.open else "", line="line", radius=8, dashed=not row.open)
    middle, colour = rect.center().y(), "text" if row.open else "text3"
    x = ink.cap(rect.x() + px(10), middle, row.key, 28).right() + px(10)
    ink.text(QRectF(x, rect.y(), length_w + 1, rect.height()), row.length, 16, colour=colour, weight=700)
    x += length_w + px(10)
    percent = ink.look.width(row.percent, 16, mono=True)
    right = rect.right() - px(10) - percent
    ink.text(QRectF(right - 1, rect.y(), percent + 2, rect.height()), row.percent, 16, colour="text2", mono=True)
    right = _draw_verdict(ink, row, right - px(8), middle, x)
    text = row.covered if row.covered and not revealed else row.text
    size = next((s for s in (20, 18, 17, 16, 15) if ink.look.width(text, s, 600, mono=True) <= right - x), 14)
    place = QRectF(x, rect.y(), right - x, rect.height())
    ink.text(place, text, size, colour=colour, weight=600, mono=True, strike=not row.open)


def _draw_verdict(ink: Ink, row: WholeRow, right: float, middle: float, left: float) -> float:
    """The check digit's word where there is room beside the text, else its sign alone; gives where it begins."""
    if row.chip is None:
        return right
    text = ink.look.width(row.text, 16, 600, mono=True)
    if row.chip.tone is Tone.PLAIN:
        return _draw_broken(ink, row.chip, right, middle, room=right - left - text)
    if right - chip_size(ink.look, row.chip).width() - ink.px(8) - left >= text:
        return ink.chip(QPointF(right, middle), row.chip, from_right=True).left() - ink.px(8)
    ink.icon(right - ink.px(18), middle - ink.px(9), "circle-check", 18, "ok")
    return right - ink.px(18 + 8)


def _draw_broken(ink: Ink, chip: Chip, right: float, middle: float, room: float) -> float:
    """That the check digit fails: sign and word, or the sign alone."""
    word = ink.look.width(chip.text, 16)
    if word + ink.px(18 + 6 + 8) <= room:
        ink.text(QRectF(right - word, middle - ink.px(12), word + 1, ink.px(24)), chip.text, 16, colour="text3")
        right -= word + ink.px(6)
    ink.icon(right - ink.px(18), middle - ink.px(9), chip.icon, 18, "text3")
    return right - ink.px(18 + 8)
