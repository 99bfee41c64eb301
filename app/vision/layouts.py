"""Cards of products whose layout is known: which way up one lies and where its lines stand, without a search for text.

A layout may be wrong (a new print run, another product's code on the card). So what is read by it counts only where a
text of the product's shape stands at each place, the panel is seen where it ought to be, and the symbol too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import cv2
import numpy as np

from app.core.products import FieldPattern, Layout, Product
from app.vision.closeup import ink_rows
from app.vision.fields import to_area
from app.vision.lines import Line
from app.vision.panel import Area, Panel, PanelMap, coat_share
from app.vision.pixels import Colour, Flags, grey
from app.vision.recognise import LineText
from app.vision.rectify import PX_PER_MM
from app.vision.spots import Spot, greedy_lengths
from app.vision.textlines import LineBox, cut

_ASTRAY_MM = 4.0
"""How far a symbol's middle may lie from its place: its own reader tells it to a few millimetres where only a few rows
of its bars were read."""

_PLAY_MM = 1.0  # how far print may lie from its place: cards are printed and cut so, and corners found
_BLANK = 0.25  # of the steps along a line, in what a column of it has that shows no ink
_RIM = 0.3  # of the height of a line's ink, around it: as the line finder frames it
_LEAST_MM = 1.0  # of a line's height
_ALL_LAYER = 0.95  # share of layer over a PIN's place from which nothing of it is there to be read
_ON_PLACE = 0.6  # shares: of a panel seen that lies where the layout has it, and the other way round


def complete_layout(product: Product, coded: Collection[str]) -> Layout | None:
    """A product's layout, if it places everything that is read of its cards. `coded`: what symbols on one hold beyond
    doubt, which may be a number that is printed nowhere else.
    """
    layout = product.layout
    if layout is None or layout.barcode is None or layout.expiry is None or product.handling.batch_number:
        return None
    number = layout.number is not None or any(map(product.number.matches, coded))
    panel = product.pin is None or (layout.panel is not None and layout.pin is not None)
    value = layout.face_value is not None or len(product.face_values_fen) == 1
    return layout if number and panel and value else None


def quarters_to(layout: Layout, symbols: Sequence[Area], size: tuple[int, int]) -> int | None:
    """By how many quarters clockwise a rectified card of this size must be turned so that one of the symbols seen on it
    stands where the layout has it; None when no turn does that, or several do.
    """
    if layout.barcode is None:
        return None
    place = to_area(layout.barcode)
    fits = [
        quarters
        for quarters in range(4)
        if _upright(layout) == (_turned_size(size, quarters)[1] > _turned_size(size, quarters)[0])
        and any(_is_at(symbol.turned(quarters, size), place) for symbol in symbols)
    ]
    return fits[0] if len(fits) == 1 else None


def _upright(layout: Layout) -> bool:
    """Whether a card is printed with its short side on top."""
    return layout.upright


def _turned_size(size: tuple[int, int], quarters: int) -> tuple[int, int]:
    return size if quarters % 2 == 0 else (size[1], size[0])


def _is_at(symbol: Area, place: Area) -> bool:
    astray = _ASTRAY_MM * PX_PER_MM
    along = abs(symbol.x + symbol.w / 2 - place.x - place.w / 2)
    return along < astray and abs(symbol.mid_y - place.mid_y) < astray + place.h / 4


def lines_of(layout: Layout, card: Colour, seen: PanelMap) -> tuple[list[LineBox], list[LineBox]]:
    """Where the lines of number and PIN stand, and those of expiry and value; each as its ink has it. Those of which
    there is none are left out, and a PIN of which `seen` shows nothing but the layer.
    """
    spots = [to_area(layout.number)] if layout.number is not None else []
    if layout.pin is not None and coat_share(seen, pin := to_area(layout.pin)) < _ALL_LAYER:
        spots.append(pin)
    words = [to_area(box) for box in (layout.expiry, layout.face_value) if box is not None]
    found = [line_at(card, place) for place in spots], [line_at(card, place, whole=True) for place in words]
    return [line for line in found[0] if line is not None], [line for line in found[1] if line is not None]


def line_at(card: Colour, place: Area, whole: bool = False) -> LineBox | None:
    """The line of print at a place, framed by its ink: a label before it is cut off at the blank nearest to where the
    line begins. `whole`: to the end of the place, though pale print there may not be seen as ink.
    """
    play = _PLAY_MM * PX_PER_MM
    top, left = max(0.0, place.y - play), max(0.0, place.x - 1.5 * play)
    right, bottom = min(card.shape[1], place.right + play), min(card.shape[0], place.bottom + play)
    picture = cut(card, LineBox(left, top, right - left, bottom - top, 0.0, 1.0))
    first, last = ink_rows(picture)
    if last - first < _LEAST_MM * PX_PER_MM:
        return None
    inked = _inked_columns(picture[first:last])
    begins = _begin(inked, place.x - left, 1.5 * play)
    behind = np.flatnonzero(inked[begins:])
    if not len(behind) or behind[-1] < last - first:
        return None
    rim = _RIM * (last - first)
    ends = max(begins + int(behind[-1]) + 1 + rim, place.right - left if whole else 0.0)
    x, right = max(0.0, left + begins - rim), min(float(card.shape[1]), left + ends)
    return LineBox(x, top + first - rim, right - x, last - first + 2 * rim, 0.0, 1.0)


def as_read(line: Line) -> Line:
    """A line without what of its place lies behind the last sign that was read: whether print goes on there unseen is
    told by what is right behind it.
    """
    signs = [sign for sign in line.read.signs if sign.text.strip()]
    rim = _RIM / (1 + 2 * _RIM) * line.box.h / line.box.w
    share = min(1.0, signs[-1].end + rim) if signs else 1.0
    if share == 1.0:
        return line
    kept = tuple(replace(s, start=s.start / share, end=s.end / share) for s in line.read.signs if s.end <= share)
    read = LineText(kept, line.read.lattice[: round(share * len(line.read.lattice))])
    return Line(replace(line.box, w=share * line.box.w), read)


def _inked_columns(rows: Colour) -> Flags:
    """Which columns of a line's rows of ink hold some, the small gaps inside of characters filled."""
    steps = np.abs(cv2.Sobel(cv2.GaussianBlur(grey(rows), (0, 0), 1.5), cv2.CV_32F, 1, 0, ksize=3)).mean(axis=0)
    height = len(rows)
    wide = max(3, round(0.25 * height)) | 1
    smooth = cv2.blur(steps[None], (wide, 1))[0]
    low, high = np.percentile(smooth, (5, 90))
    return np.asarray(smooth > low + _BLANK * (high - low))


def _begin(inked: Flags, nominal: float, reach: float) -> int:
    """The first column of the line: where it ought to begin or its ink before that, behind the nearest blank."""
    blanks = np.flatnonzero(~inked[: int(nominal + reach)])
    if not len(blanks):
        return round(nominal)
    blank = int(blanks[np.argmin(np.abs(blanks - nominal))])
    behind = np.flatnonzero(inked[blank:])
    first = blank + int(behind[0]) if len(behind) else blank
    return max(blank, min(first, round(nominal)))


def panel_is_there(layout: Layout, panels: Sequence[Panel]) -> bool:
    """Whether a panel is seen where the layout has one."""
    if layout.panel is None:
        return True
    place = to_area(layout.panel)
    return any(p.area.share_of(place) > _ON_PLACE and place.share_of(p.area) > _ON_PLACE for p in panels)


def has_shape(spot: Spot | None, pattern: FieldPattern) -> bool:
    """Whether what most views see at a place has as many characters as the field."""
    if spot is None:
        return False
    lengths = greedy_lengths(spot.views)
    return 2 * sum(length in pattern.lengths for length in lengths) > len(lengths)
