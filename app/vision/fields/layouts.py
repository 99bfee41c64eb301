"""Cards of products whose layout is known: which way up one lies and where its lines stand, without a search for text.

A layout may be wrong (a new print run, another product's code on the card). So what is read by it counts only where a
text of the product's shape stands at each place and begins there, the words say what they ought to, and panel and
symbol are seen where they should be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from app.core.cards import Printed
from app.core.products import FieldPattern, Layout, Product
from app.vision.fields.printed import find_expiry, find_face_value
from app.vision.fields.sorting import to_area
from app.vision.fields.spots import Spot, greedy_lengths
from app.vision.panel.finder import Panel, PanelMap, coat_share
from app.vision.picture.area import Area
from app.vision.picture.pixels import Colour, Flags, Floats, grey
from app.vision.picture.rectify import PX_PER_MM
from app.vision.symbols.barcode import Hit, agreed_texts
from app.vision.text.closeup import ink_rows
from app.vision.text.lines import Line
from app.vision.text.recognise import LineText
from app.vision.text.textlines import LineBox, cut

_ASTRAY_MM = 4.0
"""How far a symbol's middle may lie from its place: its own reader tells it to a few millimetres where only a few rows
of its bars were read."""

_PLAY_MM = 1.0  # how far print may lie from its place: cards are printed and cut so, and corners found
_APART = 1.5
"""Heights between pieces of one row at most, as far apart as the line finder joins them: a caption and its date."""

_ROW = 16.0  # heights beyond its place in which a row must end: as long as a span of two days, or a long caption
_BLANK = 0.25  # of the steps along a line, in what a column of it has that shows no ink
_RIM = 0.3  # of the height of a line's ink, around it: as the line finder frames it
_LEAST_MM = 1.0  # of a line's height
_ALL_LAYER = 0.95  # share of layer over a PIN's place from which nothing of it is there to be read
_ON_PLACE = 0.6  # shares: of a panel seen that lies where the layout has it, and the other way round


def complete_layout(product: Product, *, in_bars: bool) -> Layout | None:
    """A product's layout, if it places everything that is read of its cards: the value too where all have the same one,
    for a card that prints another is not of it. `in_bars`: whether a symbol holds the number, which then may be printed
    nowhere.
    """
    layout = product.layout
    if layout is None or layout.barcode is None or layout.expiry is None or product.handling.batch_number:
        return None
    panel = product.pin is None or (layout.panel is not None and layout.pin is not None)
    return layout if (layout.number is not None or in_bars) and panel and layout.face_value is not None else None


def holds_number(hits: Sequence[Hit], pattern: FieldPattern) -> bool:
    """Whether Code 128 alone gives a card's number: two readings agree on one, and none has another. What other symbols
    hold only confirms print.
    """
    bars = [hit for hit in hits if hit.format == "CODE128"]
    texts = {hit.text for hit in bars if pattern.matches(hit.text)}
    return len(texts) == 1 and texts <= set(agreed_texts(bars))


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
        if layout.upright == (_turned_size(size, quarters)[1] > _turned_size(size, quarters)[0])
        and any(_is_at(symbol.turned(quarters, size), place) for symbol in symbols)
    ]
    return fits[0] if len(fits) == 1 else None


def _turned_size(size: tuple[int, int], quarters: int) -> tuple[int, int]:
    return size if quarters % 2 == 0 else (size[1], size[0])


def _is_at(symbol: Area, place: Area) -> bool:
    astray = _ASTRAY_MM * PX_PER_MM
    along = abs(symbol.x + symbol.w / 2 - place.x - place.w / 2)
    return along < astray and abs(symbol.mid_y - place.mid_y) < astray + place.h / 4


def spots_of(layout: Layout, card: Colour, seen: PanelMap) -> list[LineBox]:
    """Where the lines of number and PIN stand, as their ink has them. Those of which there is none are left out, and a
    PIN of which `seen` shows nothing but the layer.
    """
    spots = [to_area(layout.number)] if layout.number is not None else []
    if layout.pin is not None and coat_share(seen, pin := to_area(layout.pin)) < _ALL_LAYER:
        spots.append(pin)
    found = (line_at(card, place) for place in spots)
    return [line for line in found if line is not None]


def words_of(layout: Layout, card: Colour) -> list[LineBox] | None:
    """The rows of expiry and value; None unless both are found."""
    places = [to_area(box) for box in (layout.expiry, layout.face_value) if box is not None]
    found = [row for place in places if (row := row_at(card, place)) is not None]
    return found if len(found) == 2 else None


def say_all(said: Sequence[Line], card_w: int) -> bool:
    """Whether the rows of expiry and value say both: a day with its caption, without which it may be that of the issue,
    or that there is none; and an amount.
    """
    state, day = find_expiry(said)
    ends = state is Printed.NONE or (day is not None and day.expires)
    return ends and find_face_value(said, card_w) is not None


def line_at(card: Colour, place: Area) -> LineBox | None:
    """The line of print at a place, framed by its ink: a label before it is cut off at the blank nearest to where the
    line begins. None where there is no blank: who cuts there, cuts print.
    """
    rows = _rows_at(card, place)
    if rows is None:
        return None
    steps = _steps(cut(card, rows))
    inked = np.asarray(steps > _level(steps))
    begins = _begin(inked, place.x - rows.x, 1.5 * _PLAY_MM * PX_PER_MM)
    last = int(np.flatnonzero(inked).max(initial=0))
    if begins is None or last - begins < rows.h:
        return None
    return _framed(card, rows, rows.x + begins, rows.x + last + 1)


def row_at(card: Colour, place: Area) -> LineBox | None:
    """The whole row of print that stands at a place, with its caption and what goes on behind, framed by its ink; at
    least to the end of the place, where pale print may not be seen as ink. None where its ink finds no end.
    """
    rows = _rows_at(card, place)
    if rows is None:
        return None
    level, reach = _level(_steps(cut(card, rows))), _ROW * rows.h
    left, right = max(0.0, rows.x - reach), min(float(card.shape[1]), rows.right + reach)
    steps = _steps(cut(card, replace(rows, x=left, w=right - left)))
    pieces = _pieces(steps > level, _APART * rows.h)
    here = [p for p in pieces if left + p[0] < place.right and left + p[1] > place.x]
    if not here or here[-1][1] - here[0][0] < rows.h:
        return None
    begins, ends = left + here[0][0], left + here[-1][1]
    rim = _APART * rows.h
    if (left > 0 and begins - left < rim) or (right < card.shape[1] and right - ends < rim):
        return None
    return _framed(card, rows, begins, max(ends, place.right - _RIM * rows.h))


def _rows_at(card: Colour, place: Area) -> LineBox | None:
    """A place with some play, closed above and below round the ink in it; None where there is no line's."""
    play = _PLAY_MM * PX_PER_MM
    top, left = max(0.0, place.y - play), max(0.0, place.x - 1.5 * play)
    right, bottom = min(card.shape[1], place.right + play), min(card.shape[0], place.bottom + play)
    around = LineBox(left, top, right - left, bottom - top, 0.0, 1.0)
    first, last = ink_rows(cut(card, around))
    if last - first < _LEAST_MM * PX_PER_MM:
        return None
    return replace(around, y=top + first, h=float(last - first))


def _framed(card: Colour, rows: LineBox, begins: float, ends: float) -> LineBox:
    """The stretch of rows of ink with the rim that the line finder leaves around it."""
    rim = _RIM * rows.h
    x, right = max(0.0, begins - rim), min(float(card.shape[1]), ends + rim)
    return LineBox(x, rows.y - rim, right - x, rows.h + 2 * rim, 0.0, 1.0)


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


def _steps(rows: Colour) -> Floats:
    """The steps along a line's rows of ink in each column, the small gaps inside of characters filled."""
    steps = np.abs(cv2.Sobel(cv2.GaussianBlur(grey(rows), (0, 0), 1.5), cv2.CV_32F, 1, 0, ksize=3)).mean(axis=0)
    wide = max(3, round(0.25 * len(rows))) | 1
    return np.asarray(cv2.blur(steps[None], (wide, 1))[0], np.float32)


def _level(steps: Floats) -> float:
    """From where on steps are ink."""
    low, high = np.percentile(steps, (5, 90))
    return float(low + _BLANK * (high - low))


def _pieces(inked: Flags, apart: float) -> list[tuple[int, int]]:
    """The first and the last column of each piece of a row; what is no further apart is one."""
    at = np.flatnonzero(inked)
    if not len(at):
        return []
    breaks = np.flatnonzero(np.diff(at) > apart)
    starts, ends = [at[0], *at[breaks + 1]], [*at[breaks], at[-1]]
    return [(int(a), int(b) + 1) for a, b in zip(starts, ends, strict=True)]


def _begin(inked: Flags, nominal: float, reach: float) -> int | None:
    """The first column of the line: where it ought to begin or its ink before that, behind the nearest blank; None
    without a blank.
    """
    blanks = np.flatnonzero(~inked[: int(nominal + reach)])
    if not len(blanks):
        return None
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
