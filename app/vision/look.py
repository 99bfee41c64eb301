"""One look at one frame: card, barcodes, lines, the places of the fields and what the recogniser says there.

A look holds lattices, not strings: what they mean is decided over all looks of a card, once its product is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

import cv2
import numpy as np

from app.core.cards import FieldState, Medium, PanelState, Printed
from app.core.products import DIGITS, LATIN, UNKNOWN_NUMBER, Catalogue, FieldPattern, Product, normalise_gtin
from app.vision import numberline, third_opinion
from app.vision.barcode import Hit, as_gtin, gtin
from app.vision.cardcodes import CardCodes, read_card_codes
from app.vision.codes import CodeReader
from app.vision.cutshort import is_cut_short
from app.vision.decode import PLAIN_LETTERS, decode_views
from app.vision.fields import (
    Sorted,
    Value,
    inside,
    is_retail_code,
    lacks_beginning,
    row_label,
    sort_lines,
    to_area,
    with_pieces,
    without_print_on_layer,
)
from app.vision.focus import glare, sharpness
from app.vision.fuse import fuse
from app.vision.lines import Line, said_in
from app.vision.locate import Located
from app.vision.medium import medium
from app.vision.opening import UNTOLD, Beyond, Ends, Judge, Opening, OpeningJudge
from app.vision.panel import COAT_CHANGED, Area, Panel, PanelFinder, PanelMap, coat_share, fills, find_text, panel_of
from app.vision.pixels import Colour, Corners, grey
from app.vision.printed import (
    Amount,
    Dated,
    as_date,
    find_batch,
    find_expiry,
    find_face_value,
    find_region,
    says_nothing,
    span,
)
from app.vision.recognise import Recogniser
from app.vision.rectify import PX_PER_MM, rectify, size_of, turn, turn_corners, unturned
from app.vision.spots import Spot, SpotReader
from app.vision.textlines import FRAME_SIZE, LineBox, LineFinder, cut
from app.vision.wording import Wording


@dataclass(frozen=True, slots=True, repr=False)
class Look:
    """What one frame shows. `corners` in frame pixels, the first at the printed top left."""

    corners: Corners
    sharpness: float
    glare: float
    hits: tuple[Hit, ...]
    printed: frozenset[str] = frozenset()
    number: Spot | None = None
    pin: Spot | None = None
    panel: PanelState = PanelState.NONE
    panel_area: Area | None = None
    hidden: int = 0  # characters of the PIN that still seem to lie under the layer
    ends: Ends = UNTOLD  # what lies before and behind the PIN
    coat: float | None = None  # share of the panel that the layer covers; None without a panel
    panel_seen_anew: bool = False  # a later look that found the panel changed, and looked at everything again
    number_proved: bool = False
    pin_proved: bool = False
    bars: tuple[Area, ...] = ()
    below: frozenset[str] = frozenset()  # digits printed below bars, as read
    expiry: date | None = None
    expiry_printed: Printed = Printed.UNREAD
    face_value: Amount | None = None
    batch: str | None = None
    region: str | None = None


class Looker:
    """Looks at frames. Holds the models; one instance a process, one thread at a time."""

    def __init__(
        self,
        catalogue: Catalogue,
        finder: LineFinder,
        recogniser: Recogniser,
        codes: CodeReader,
        panels: PanelFinder,
        openings: OpeningJudge,
    ) -> None:
        self._catalogue = catalogue
        self._wording = Wording(finder, recogniser, codes)
        self._spots = SpotReader(recogniser, codes)
        self._panels = panels
        self._openings = openings

    @property
    def catalogue(self) -> Catalogue:
        """The products it knows."""
        return self._catalogue

    def learn(self, catalogue: Catalogue) -> None:
        """Know these products from now on."""
        self._catalogue = catalogue

    def read_lines(self, card: Colour) -> list[Line]:
        """The lines of text on a rectified card that lies the right way up."""
        standing = self._wording.find(card)
        return self._wording.read(card, standing.boxes, standing.known, ())

    def read_frame(self, picture: Colour) -> list[Line]:
        """The lines of text anywhere in a whole frame, whichever way up most of them stand; in pixels as turned."""
        standing = self._wording.find(picture, FRAME_SIZE)
        return self._wording.read(turn(picture, standing.quarters), standing.boxes, standing.known, ())

    def look(self, picture: Colour, located: Located) -> Look:
        """Everything on the card that `located` points at (it has corners)."""
        assert located.corners is not None
        card = rectify(picture, located.corners)
        standing = self._wording.find(card)
        corners = turn_corners(located.corners, standing.quarters)
        card = turn(card, standing.quarters)
        shade = grey(card)
        codes = read_card_codes(grey(picture), shade, corners)
        lines = self._wording.read(card, standing.boxes, standing.known, codes.bars)
        look = Look(corners, sharpness(shade), glare(card), codes.hits, bars=codes.bars)
        return self._with_fields(look, card, lines, codes)

    def medium(self, picture: Colour, corners: Corners | None) -> Medium | None:
        """Whether the picture shows a card, or a page or screen that anybody may have copied; None without any text.

        `corners`: of what has a card's outline, None when nothing has.
        """
        standing = self._wording.find(picture, FRAME_SIZE)
        lines = self._wording.read(turn(picture, standing.quarters), standing.boxes, {}, ())
        outside = len(lines)
        if corners is not None:
            size = (picture.shape[1], picture.shape[0])
            middles = [unturned((b.x + b.w / 2, b.mid_y), standing.quarters, size) for b in standing.boxes]
            outside = sum(cv2.pointPolygonTest(corners, middle, False) < 0 for middle in middles)
        return medium([line.read.text for line in lines], outside)

    def look_again(self, picture: Colour, located: Located, first: Look) -> Look:
        """The same card in a later frame: only its fields and barcodes are read, where the first look found them.

        Where the panel has changed (it is being scratched) everything is looked at again.
        """
        assert located.corners is not None
        corners = _same_way_up(located.corners, first.corners)
        card = rectify(picture, corners)
        if self._panel_changed(card, first):
            return replace(self.look(picture, located), panel_seen_anew=True)
        shade = grey(card)
        return replace(
            first,
            panel_seen_anew=False,
            corners=corners,
            sharpness=sharpness(shade),
            glare=glare(card),
            hits=read_card_codes(grey(picture), shade, corners, thorough=_awaits_a_second(first.hits)).hits,
            number=None if first.number is None else self._spots.read(card, first.number.area, first.number.limits),
            pin=None if first.pin is None else self._spots.read_pin(card, first.pin.area, first.pin.limits),
        )

    def _panel_changed(self, card: Colour, first: Look) -> bool:
        """Whether the layer covers more or less of the panel than in the first look, by a character or so."""
        if first.panel_area is None or first.coat is None:
            return False
        return abs(coat_share(self._panels.see(card), first.panel_area) - first.coat) > COAT_CHANGED

    def _with_fields(self, look: Look, card: Colour, lines: list[Line], codes: CardCodes) -> Look:
        seen = self._panels.see(card)
        panels = seen.panels()
        lines = lines + self._missed(card, lines, panels, seen)
        sorted_lines = sort_lines(lines, look.bars)
        if unsaid := self._unsaid(card, sorted_lines, panels, seen):
            lines, sorted_lines = [*lines, *unsaid], sort_lines([*lines, *unsaid], look.bars)
        confirmed = frozenset(g for p in sorted_lines.printed if (g := normalise_gtin(p)) is not None)
        hits = codes.with_print(confirmed)
        sorted_lines = numberline.without_product_codes(sorted_lines, hits)
        product = self._catalogue.by_gtin(gtin(hits, confirmed))
        pattern = UNKNOWN_NUMBER if product is None else product.number
        if look.sharpness > numberline.DOTS_APART and numberline.lacks_number(sorted_lines, panels, pattern, hits):
            lines = numberline.with_number(lines, self._wording.find_again(card, lines), panels, pattern)
            sorted_lines = numberline.without_product_codes(sort_lines(lines, look.bars), hits)
        places = choose(sorted_lines, panels, product, partial(self._openings.judge, card, seen))
        state, expiry = self._expiry(card, look, lines)
        number, below = self._number_spot(card, places.number, look, lines), sorted_lines.printed
        proved = places.number_proved and number is not None and not numberline.goes_on(number.area, lines, look.bars)
        if number and (more := numberline.with_digits_behind(number.area, lines, look.bars)) != number.area:
            number = self._number_spot(card, more, look, lines)
        small = numberline.number_below_bars(sorted_lines, hits, pattern) if number is None else None
        if small is not None:  # what is read there now is no second source of itself
            number, below = self._spots.read(card, small.area, (small.area.x, small.area.right)), below - {small.glyphs}
            proved = not numberline.names_a_number(sorted_lines)
        return replace(
            look,
            hits=hits,
            printed=confirmed,
            below=below,
            number=number,
            pin=None
            if places.pin is None
            else self._spots.read_pin(card, places.pin, _within(places.pin, places), said_in(places.pin, lines)),
            panel=places.panel.state,
            panel_area=places.panel_area,
            hidden=places.panel.hidden,
            ends=places.panel.ends,
            coat=None if places.panel_area is None else coat_share(seen, places.panel_area),
            number_proved=proved,
            pin_proved=places.pin_proved,
            expiry=expiry,
            expiry_printed=state,
            face_value=find_face_value(lines, card.shape[1], partial(is_cut_short, card)),
            batch=self._batch(card, lines),
            region=find_region(lines),
        )

    def _number_spot(self, card: Colour, area: Area | None, look: Look, lines: Sequence[Line]) -> Spot | None:
        if area is None:
            return None
        limits = numberline.limits_of(area := with_pieces(area, lines), card.shape[1], look.bars, lines)
        return self._spots.read(card, area, limits, said_in(area, lines))

    def _expiry(self, card: Colour, look: Look, lines: Sequence[Line]) -> tuple[Printed, date | None]:
        """The expiry as far as it is sure; a doubtful date is read once more by both recognisers, digit by digit."""
        state, seen = find_expiry(lines)
        if state is Printed.READ and seen is not None:
            return (Printed.UNREAD, None) if seen.may_go_on and self._goes_on(card, seen) else (state, seen.day)
        if seen is not None:
            day = self._dated(card, seen)
            return (Printed.UNREAD if day is None else Printed.READ), day
        if state is Printed.UNREAD and look.glare < _FAINT and look.sharpness > _CRISP and says_nothing(lines):
            return Printed.NONE, None
        return state, None

    def _goes_on(self, card: Colour, seen: Dated) -> bool:
        """Whether more is printed behind a month: pale light takes the day from a date, and leaves no trace in it; or a
        thumb lies over it.
        """
        if is_cut_short(card, seen.line, seen.at[1], area := seen.area, _DAY, seen.lacks_day):
            return True
        return self._spots.read(card, area, (area.x, card.shape[1] - 0.5 * PX_PER_MM)).area.right > area.right

    def _dated(self, card: Colour, seen: Dated) -> date | None:
        if sum(c.isdigit() for c in seen.text) != _DATE_DIGITS:
            return None
        text = self._again(card, seen.area, FieldPattern(DIGITS, (_DATE_DIGITS,)))
        if text is not None:
            return as_date(text)
        return seen.day if third_opinion.agrees_on_date(cut(card, _boxed(seen.area), 0.1), seen.day) else None

    def _batch(self, card: Colour, lines: Sequence[Line]) -> str | None:
        found = find_batch(lines)
        if found is None:
            return None
        line, at, text = found
        left, right = span(line, *at)
        area = Area(line.area.x + left * line.area.w, line.area.y, (right - left) * line.area.w, line.area.h)
        pattern = FieldPattern(DIGITS if text.isdigit() else DIGITS + LATIN, (len(text),))
        return self._again(card, area, pattern)

    def _again(self, card: Colour, area: Area, pattern: FieldPattern) -> str | None:
        """What stands in an area by both recognisers, None unless every character is sure."""
        box = _boxed(area)
        views = self._spots.views(cut(card, box, 0.05), cut(card, box, 0.18))
        reading = fuse(decode_views(views, pattern), pattern).reading
        return "".join(c.best.glyph for c in reading.chars) if reading.state is FieldState.READ else None

    def _missed(self, card: Colour, lines: Sequence[Line], panels: Sequence[Panel], seen: PanelMap) -> list[Line]:
        """Text in an open panel in which the line finder saw none, or pieces that say nothing."""
        areas = [line.area for line in lines if len(line.read.signs) >= _LEAST_SIGNS]
        empty = [p.area for p in panels if not any(fills(a, p.area) for a in areas)]
        found = [find_text(card, area, seen) for area in empty[:2]]
        boxes = [LineBox(a.x, a.y, a.w, a.h, 0.0, 1.0) for a in found if a is not None]
        return self._wording.read(card, boxes, {}, ())

    def _unsaid(self, card: Colour, found: Sorted, panels: Sequence[Panel], seen: PanelMap) -> list[Line]:
        """What our recogniser reads in a clear open panel of whose text PP-OCR has made no value."""
        clear = [p.area for p in panels if p.support >= _CLEAR and coat_share(seen, p.area) < _LITTLE_LAYER]
        empty = [a for a in clear if not any(a.share_of(v.area) > _IN_PANEL for v in found.values)]
        places = [find_text(card, area, seen) for area in empty[:1]]
        return self._wording.read_codes(card, [place for place in places if place is not None])


_LITTLE_LAYER, _IN_PANEL = 0.25, 0.3  # shares: of an open panel's layer, and of a value that stands in a panel
_LEAST_SIGNS = 3  # of a line that was read: needle print is found in pieces of which nothing is read
_DATE_DIGITS = 8
_DAY = 0.7  # heights that a hyphen and the first digit of a day take
_FAINT, _CRISP = 0.012, 0.45
"""Glare below and sharpness above which nothing of the small print can have been missed."""

_WIDEST_PANEL = 0.87  # of the card's width: what is wider is the rim of a telephone

_HIDDEN = (PanelState.COVERED, PanelState.PARTIAL)
_FEW = 6  # signs of a value that may be a number or a PIN

_CLEAR = 0.8
"""Support above which a panel is beyond doubt."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the fields stand on the upright card."""

    number: Area | None
    pin: Area | None
    panel: Opening
    panel_area: Area | None
    number_proved: bool  # it has a label, stands where the product has it, or the PIN is known to be elsewhere
    pin_proved: bool  # likewise, the other way round


def choose(found: Sorted, panels: Sequence[Panel], product: Product | None, judge: Judge) -> Places:
    """Which values are the number and the PIN, and the state of the panel."""
    values = tuple(v if (p := panel_of(v.area, panels)) is None else inside(v, p.area) for v in found.values)
    found, clear = replace(found, values=values), [p.area for p in panels if p.support >= _CLEAR]
    kinds = {id(v): v.label or row_label(v, found.labels, clear) for v in found.values}
    around = {id(v): panel_of(v.area, panels) for v in found.values}
    pin = pick_pin(found.values, kinds, around, product)
    has_retail_code = any(is_retail_code(digits) for digits in found.printed)
    number = _pick_number([v for v in found.values if v is not pin], kinds, product, has_retail_code)
    panel = around[id(pin)] if pin is not None else _panel_without_text(found, panels, product)
    opening = _opening(pin, panel, judge, found)
    kept = None if pin is None else without_print_on_layer(pin, opening.bare)
    if pin is not None and kept is not None and kept is not pin:
        kinds[id(kept)], around[id(kept)] = kinds[id(pin)], panel
        values, pin = tuple(kept if v is pin else v for v in values), kept
        opening = _opening(pin, panel, judge, found)
    numbered = any(UNKNOWN_NUMBER.matches(digits) and not is_retail_code(digits) for digits in found.printed)
    elsewhere = panel is not None and panel.support >= _CLEAR and opening.state in _HIDDEN
    alone = sum(len(v.glyphs) >= _FEW and v.digits > 0.5 for v in values) == 1
    proof = _Proof(kinds, around, product is not None, numbered, opening, elsewhere and alone)
    labelled = any(kind == "pin" for kind, _ in found.labels)
    proved = (
        number is not None
        and not lacks_beginning(number, found)
        and (number.glyphs in found.printed or proof.of_number(number, pin, labelled))
    )
    pin_proved = pin is not None and proof.of_pin(pin, number)
    pin_area = _area(pin) if pin is None or panel is None else _joined(pin, values, panel)
    return Places(_area(number), pin_area, opening, None if panel is None else panel.area, proved, pin_proved)


def _opening(pin: Value | None, panel: Panel | None, judge: Judge, found: Sorted) -> Opening:
    """How far the PIN lies open; without a panel its label or words of the layer tell that there is one."""
    if panel is not None:
        return judge(panel.area, None, 0.0, ()) if pin is None else judge(panel.area, pin.ink, pin.pitch, pin.groups)
    if pin is not None:
        return Opening(PanelState.OPEN)
    covered = any(kind == "pin" for kind, _ in found.labels) or bool(found.covers)
    return Opening(PanelState.COVERED if covered else PanelState.NONE)


@dataclass(frozen=True, slots=True)
class _Proof:
    """Why a value is what it was picked for. Where nothing is labelled, only a clear panel tells PIN from number."""

    kinds: dict[int, str]
    panels: dict[int, Panel | None]
    known: bool  # the product, and so where things stand
    numbered: bool  # the number is printed below its bars
    opening: Opening  # what is seen beside the PIN
    alone: bool  # no value but one holds digits, while a clear panel hides the PIN or part of it

    def of_number(self, number: Value, pin: Value | None, pin_labelled: bool) -> bool:
        if not self.known and self._in_clear_panel(number) and number.label != "number":
            return False  # a PIN whose label nobody could read, below that of a number
        if self.known or self.kinds[id(number)] == "number":
            return True
        if pin is not None and _has_letters(pin) and number.glyphs.isdigit():
            return True  # letters make the other value the PIN
        if pin is None and self.alone and self.panels[id(number)] is None and UNKNOWN_NUMBER.matches(number.glyphs):
            return True
        return pin_labelled or (pin is not None and (self.kinds[id(pin)] == "pin" or self._alone_in_panel(pin, number)))

    def of_pin(self, pin: Value, number: Value | None) -> bool:
        if self.known or self.kinds[id(pin)] == "pin":
            return True
        if number is not None:
            return self._alone_in_panel(pin, number)
        # A number of an unknown product has no letters, is long and lies below no layer; where it stands below its bars
        # this is another value.
        short = not UNKNOWN_NUMBER.matches(pin.glyphs)
        beside = Beyond.CLOSED in self.opening.ends or self.opening.beside
        hidden_once = self.opening.framed or (short and beside)
        return self._in_clear_panel(pin) and (_has_letters(pin) or self.numbered or hidden_once)

    def _alone_in_panel(self, pin: Value, number: Value) -> bool:
        return self._in_clear_panel(pin) and self.panels[id(number)] is None

    def _in_clear_panel(self, pin: Value) -> bool:
        panel = self.panels[id(pin)]
        return panel is not None and panel.support >= _CLEAR


def _has_letters(value: Value) -> bool:
    """Whether a value holds letters that are no misread digits."""
    return sum(glyph in PLAIN_LETTERS for glyph in value.glyphs) >= 2


def _joined(pin: Value, values: Sequence[Value], panel: Panel) -> Area:
    """The PIN with its other pieces in the same panel: glare or a wide gap may have split the line."""
    pieces = [
        v.area
        for v in values
        if panel.area.share_of(v.area) > 0.6 and abs(v.area.mid_y - pin.area.mid_y) < pin.area.h / 2
    ]
    left = min((p.x for p in pieces), default=pin.area.x)
    right = max((p.right for p in pieces), default=pin.area.right)
    return Area(min(left, pin.area.x), pin.area.y, max(right, pin.area.right) - min(left, pin.area.x), pin.area.h)


def _area(value: Value | None) -> Area | None:
    return None if value is None else value.area


def pick_pin(
    values: Sequence[Value], kinds: dict[int, str], panels: dict[int, Panel | None], product: Product | None
) -> Value | None:
    """The value that is the PIN, by label, panel and layout. `kinds` and `panels` by the value's id."""
    if product is not None and product.pin is None:
        return None

    def score(value: Value) -> float:
        points = {"pin": 3.0, "number": -4.0, "": 0.0}[kinds[id(value)]]
        points += 2.5 * panel.support if (panel := panels[id(value)]) is not None else 0.0
        if product is not None and product.layout is not None and product.layout.panel is not None:
            points += 4.0 * to_area(product.layout.panel).share_of(value.area)
        return points

    best = max(values, key=score, default=None)
    return best if best is not None and score(best) >= 1.8 else None


def _pick_number(
    values: Sequence[Value], kinds: dict[int, str], product: Product | None, has_retail_code: bool
) -> Value | None:
    def score(value: Value) -> float:
        points = {"number": 3.0, "pin": -3.0, "": 0.0}[kinds[id(value)]]
        points += 2.0 if 13 <= len(value.glyphs) <= 20 and value.digits > 0.7 else -1.0
        if product is not None and product.layout is not None and product.layout.number is not None:
            points += 4.0 * to_area(product.layout.number).share_of(value.area)
        if not kinds[id(value)] and not has_retail_code and is_retail_code(value.glyphs):
            points -= 4.0
        return points + 0.5 * value.line.read.score

    best = max(values, key=score, default=None)
    return best if best is not None and score(best) >= 2.0 else None


def _panel_without_text(found: Sorted, panels: Sequence[Panel], product: Product | None) -> Panel | None:
    """A panel in which no PIN was read: at its place in the layout, right of its label, or the surest one."""
    if product is not None and product.layout is not None and product.layout.panel is not None:
        return Panel(to_area(product.layout.panel), 1.0)
    labelled = [area for kind, area in found.labels if kind == "pin"]
    for panel in panels:
        for label in labelled:
            if panel.area.y < label.mid_y < panel.area.bottom and panel.area.right > label.right:
                return panel
    return panels[0] if panels else None


def _within(area: Area, places: Places) -> tuple[float, float]:
    """A PIN may reach as far as its panel, but not into what is left of the layer."""
    panel, bare = places.panel_area, places.panel.bare
    if panel is None:
        return area.x, area.right
    return max(panel.x + 0.4 * PX_PER_MM, bare[0]), min(panel.right - 0.4 * PX_PER_MM, bare[1])


def _boxed(area: Area) -> LineBox:
    return LineBox(area.x, area.y, area.w, area.h, 0.0, 1.0)


def is_doubtful_card(look: Look) -> bool:
    """Whether something with a card's outline lacks what cards have, so that it may be part of a page or a screen."""
    bare = not (look.hits or look.bars)  # a line on white paper is taken for an open panel now and then
    return bare or look.panel_area is None or look.panel_area.w > _WIDEST_PANEL * size_of(look.corners)[0]


def _awaits_a_second(hits: Sequence[Hit]) -> bool:
    """Whether a look read a product's symbol once, so that another frame may make it a GTIN."""
    return gtin(hits) is None and any(as_gtin(h) is not None for h in hits)


def _same_way_up(corners: Corners, like: Corners) -> Corners:
    """The corners numbered as in an earlier look at the same card."""
    return min((turn_corners(corners, n) for n in range(4)), key=lambda turned: float(np.abs(turned - like).sum()))
