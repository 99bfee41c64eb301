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
from app.core.products import DIGITS, LATIN, UNKNOWN_NUMBER, Catalogue, FieldPattern, Layout, normalise_gtin
from app.vision.card.borders import WORDS, ends_out_of_view
from app.vision.card.locate import Found, Located
from app.vision.decoding.decode import decode_views
from app.vision.decoding.fuse import fuse
from app.vision.ends.beyond import UNTOLD, Ends
from app.vision.ends.covering import covered_ends, covered_panel
from app.vision.ends.cutshort import is_cut_short, lies_under
from app.vision.fields import numberline
from app.vision.fields.layouts import (
    as_read,
    complete_layout,
    has_shape,
    holds_number,
    panel_is_there,
    quarters_to,
    say_all,
    spots_of,
    words_of,
)
from app.vision.fields.places import CLEAR, Places, choose, within
from app.vision.fields.printed import (
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
from app.vision.fields.sorting import (
    Sorted,
    sort_lines,
    with_pieces,
)
from app.vision.fields.spots import Spot, SpotReader
from app.vision.fields.wording import Wording
from app.vision.medium import medium
from app.vision.panel.finder import COAT_CHANGED, Panel, PanelFinder, PanelMap, coat_share, fills, find_text, panel_of
from app.vision.panel.opening import OpeningJudge
from app.vision.picture.area import Area
from app.vision.picture.focus import glare, sharpness
from app.vision.picture.pixels import Colour, Corners, grey
from app.vision.picture.rectify import PX_PER_MM, rectify, size_of, turn, turn_corners, unturned
from app.vision.symbols.barcode import Hit, as_gtin, gtin
from app.vision.symbols.cardcodes import CardCodes, read_card_codes, symbol_places, upside_down
from app.vision.text import third_opinion
from app.vision.text.codes import CodeReader
from app.vision.text.lines import Line, said_in
from app.vision.text.recognise import Recogniser
from app.vision.text.textlines import FRAME_SIZE, LineBox, LineFinder, cut


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
    cut_off: bool = False  # the picture does not show the whole card


@dataclass(frozen=True, slots=True, repr=False)
class _Seen:
    """A card in its picture, straightened, with its symbols."""

    picture: Colour
    card: Colour
    corners: Corners
    codes: CardCodes
    cut_off: bool

    def turned(self, quarters: int) -> _Seen:
        """The same, the card turned clockwise by so many quarters. Symbols that come to stand upright are read anew."""
        if not quarters:
            return self
        card, corners = turn(self.card, quarters), turn_corners(self.corners, quarters)
        over = quarters == _HALF
        codes = (
            upside_down(self.codes, size_of(corners))
            if over
            else read_card_codes(grey(self.picture), grey(card), corners)
        )
        return replace(self, card=card, corners=corners, codes=codes)

    def in_view(self, line: Line) -> bool:
        """Whether the picture shows all of a line of words, a date or a value."""
        return not any(ends_out_of_view(line.area, self.corners, _size(self.picture), WORDS))

    @property
    def look(self) -> Look:
        """The look at it before any field is read."""
        crisp = sharpness(grey(self.card))
        return Look(self.corners, crisp, glare(self.card), self.codes.hits, bars=self.codes.bars, cut_off=self.cut_off)


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
        codes = read_card_codes(grey(picture), grey(card), located.corners)
        seen = _Seen(picture, card, located.corners, codes, located.found is Found.CUT_OFF)
        return self._by_layout(seen) or self._by_search(seen)

    def _by_layout(self, seen: _Seen) -> Look | None:
        """The fields where the product's layout has them; None where there is no such layout or they are not there."""
        product = self._catalogue.by_gtin(gtin(seen.codes.hits))
        if product is None:
            return None
        layout = complete_layout(product, in_bars=holds_number(seen.codes.hits, product.number))
        if layout is None:
            return None
        quarters = quarters_to(layout, symbol_places(seen.codes, seen.corners), size_of(seen.corners))
        if quarters is None:
            return None
        standing = seen.turned(quarters)
        panels = self._panels.see(standing.card)
        if not panel_is_there(layout, panels.panels()):
            return None
        lines = self._lines_at(layout, standing.card, panels)
        if lines is None:
            return None
        look = self._with_fields(standing, lines, panels)
        number_in_panel = look.number is not None and panel_of(look.number.area, panels.panels()) is not None
        number = look.number is None if layout.number is None else has_shape(look.number, product.number)
        pin = product.pin is None or look.panel is not PanelState.OPEN or has_shape(look.pin, product.pin)
        return look if number and pin and not number_in_panel else None

    def _lines_at(self, layout: Layout, card: Colour, seen: PanelMap) -> list[Line] | None:
        """The lines at a layout's places; None where the rows of expiry and value do not say what they ought to, or the
        print at the place of number or PIN begins before it.
        """
        rows = words_of(layout, card)
        said = [as_read(line) for line in self._wording.read_whole(card, rows or ())]
        if not say_all(said, card.shape[1]):
            return None
        spots = spots_of(layout, card, seen)
        if any(self._wording.begins_before(card, box) for box in spots):
            return None
        return self._wording.read_whole(card, spots) + said

    def _by_search(self, seen: _Seen) -> Look:
        """The fields among all lines of text on the card."""
        found = self._wording.find(seen.card)
        standing = seen.turned(found.quarters)
        lines = self._wording.read(standing.card, found.boxes, found.known, standing.codes.bars)
        return self._with_fields(standing, lines, self._panels.see(standing.card), searching=True)

    def medium(self, picture: Colour, corners: Corners | None) -> Medium | None:
        """Whether the picture shows a card, or a page or screen that anybody may have copied; None without any text.

        `corners`: of what has a card's outline, None when nothing has.
        """
        standing = self._wording.find(picture, FRAME_SIZE)
        lines = self._wording.read(turn(picture, standing.quarters), standing.boxes, {}, ())
        outside = len(lines)
        if corners is not None:
            middles = [unturned((b.x + b.w / 2, b.mid_y), standing.quarters, _size(picture)) for b in standing.boxes]
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
        again = replace(
            first,
            panel_seen_anew=False,
            cut_off=located.found is Found.CUT_OFF,
            corners=corners,
            sharpness=sharpness(shade),
            glare=glare(card),
            hits=read_card_codes(grey(picture), shade, corners, thorough=_awaits_a_second(first.hits)).hits,
            number=None if first.number is None else self._spots.read(card, first.number.area, first.number.limits),
            pin=None
            if first.pin is None
            else self._spots.read_pin(
                card, first.pin.area, first.pin.limits, panel=_if_open(first.panel, first.panel_area)
            ),
        )
        again = _with_ends(again, card, _size(picture))
        return replace(again, number=_as_first(again.number, first.number), pin=_as_first(again.pin, first.pin))

    def _panel_changed(self, card: Colour, first: Look) -> bool:
        """Whether the layer covers more or less of the panel than in the first look, by a character or so."""
        if first.panel_area is None or first.coat is None:
            return False
        return abs(coat_share(self._panels.see(card), first.panel_area) - first.coat) > COAT_CHANGED

    def _with_fields(self, standing: _Seen, lines: list[Line], seen: PanelMap, searching: bool = False) -> Look:
        """What the lines of an upright card make of its fields. `searching`: a number they lack is looked for."""
        look, card, codes, panels = standing.look, standing.card, standing.codes, seen.panels()
        lines = lines + self._missed(card, lines, panels, seen)
        sorted_lines = sort_lines(lines, look.bars)
        if unsaid := self._unsaid(card, sorted_lines, panels, seen):
            lines, sorted_lines = [*lines, *unsaid], sort_lines([*lines, *unsaid], look.bars)
        confirmed = frozenset(g for p in sorted_lines.printed if (g := normalise_gtin(p)) is not None)
        hits = codes.with_print(confirmed)
        sorted_lines = numberline.without_product_codes(sorted_lines, hits)
        product = self._catalogue.by_gtin(gtin(hits, confirmed))
        pattern = UNKNOWN_NUMBER if product is None else product.number
        dots = searching and look.sharpness > numberline.DOTS_APART
        if dots and numberline.lacks_number(sorted_lines, panels, pattern, hits):
            lines = numberline.with_number(lines, self._wording.find_again(card, lines), panels, pattern)
            sorted_lines = numberline.without_product_codes(sort_lines(lines, look.bars), hits)
        places = choose(sorted_lines, panels, product, partial(self._openings.judge, card, seen))
        number, below = self._number_spot(card, places.number, look, lines), sorted_lines.printed
        proved = places.number_proved and number is not None and not numberline.goes_on(number.area, lines, look.bars)
        if number and (more := numberline.with_digits_behind(number.area, lines, look.bars)) != number.area:
            number = self._number_spot(card, more, look, lines)
        small = numberline.number_below_bars(sorted_lines, hits, pattern) if number is None else None
        if small is not None:  # what is read there now is no second source of itself
            number, below = self._spots.read(card, small.area, (small.area.x, small.area.right)), below - {small.glyphs}
            proved = not numberline.names_a_number(sorted_lines)
        found = replace(
            look,
            hits=hits,
            printed=confirmed,
            below=below,
            number=number,
            pin=self._read_pin(card, places, lines),
            panel=places.panel.state,
            panel_area=places.panel_area,
            hidden=places.panel.hidden,
            ends=places.panel.ends,
            coat=None if places.panel_area is None else coat_share(seen, places.panel_area),
            number_proved=proved,
            pin_proved=places.pin_proved,
        )
        found = _with_ends(found, card, _size(standing.picture))
        whole = [line for line in lines if standing.in_view(line)]
        all_read = searching and len(whole) == len(lines) and not _is_hidden(found)
        state, expiry = self._expiry(card, look, whole, all_read)
        return replace(
            found,
            expiry=expiry,
            expiry_printed=state,
            face_value=find_face_value(whole, card.shape[1], partial(is_cut_short, card)),
            batch=self._batch(card, whole),
            region=find_region(whole),
        )

    def _number_spot(self, card: Colour, area: Area | None, look: Look, lines: Sequence[Line]) -> Spot | None:
        if area is None:
            return None
        limits = numberline.limits_of(area := with_pieces(area, lines), card.shape[1], look.bars, lines)
        return self._spots.read(card, area, limits, said_in(area, lines))

    def _read_pin(self, card: Colour, places: Places, lines: Sequence[Line]) -> Spot | None:
        if places.pin is None:
            return None
        limits, said = within(places.pin, places), said_in(places.pin, lines)
        return self._spots.read_pin(card, places.pin, limits, said, _if_open(places.panel.state, places.panel_area))

    def _expiry(self, card: Colour, look: Look, lines: Sequence[Line], all_read: bool) -> tuple[Printed, date | None]:
        """The expiry as far as it is sure; a doubtful date is read once more by both recognisers, digit by digit. That
        none is printed is told by all lines of the card only.
        """
        state, seen = find_expiry(lines)
        if seen is not None and lies_under(card, seen.area):
            return Printed.UNREAD, None
        if state is Printed.READ and seen is not None:
            return (Printed.UNREAD, None) if seen.may_go_on and self._goes_on(card, seen) else (state, seen.day)
        if seen is not None:
            day = self._dated(card, seen)
            return (Printed.UNREAD if day is None else Printed.READ), day
        clear = all_read and look.glare < _FAINT and look.sharpness > _CRISP
        return (Printed.NONE if state is Printed.UNREAD and clear and says_nothing(lines) else state), None

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
        if lies_under(card, area):
            return None
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
        clear = [p.area for p in panels if p.support >= CLEAR and coat_share(seen, p.area) < _LITTLE_LAYER]
        empty = [a for a in clear if not any(a.share_of(v.area) > _IN_PANEL for v in found.values)]
        places = [find_text(card, area, seen) for area in empty[:1]]
        return self._wording.read_codes(card, [place for place in places if place is not None])


_LITTLE_LAYER, _IN_PANEL = 0.25, 0.3  # shares: of an open panel's layer, and of a value that stands in a panel
_HALF = 2  # quarters
_LEAST_SIGNS = 3  # of a line that was read: needle print is found in pieces of which nothing is read
_DATE_DIGITS = 8
_DAY = 0.7  # heights that a hyphen and the first digit of a day take
_FURTHER = 0.5  # heights: as wide as a character at least
_FAINT, _CRISP = 0.012, 0.45
"""Glare below and sharpness above which nothing of the small print can have been missed."""

_WIDEST_PANEL = 0.87  # of the card's width: what is wider is the rim of a telephone


def _size(picture: Colour) -> tuple[int, int]:
    """Its width and height."""
    return picture.shape[1], picture.shape[0]


def _with_ends(look: Look, card: Colour, size: tuple[int, int]) -> Look:
    """A look that knows at which ends of number and PIN more may stand unseen: beyond the picture (width, height), or
    under what lies over the card.
    """
    number, pin, panel = look.number, look.pin, look.panel_area
    if number is not None:
        covered = covered_ends(card, number.area, number.limits[1])
        number = replace(number, unseen=_either(ends_out_of_view(number.area, look.corners, size), covered))
    if pin is not None:
        covered = covered_ends(card, pin.area, pin.limits[1]) if panel is None else covered_panel(card, pin.area, panel)
        pin = replace(pin, unseen=_either(ends_out_of_view(pin.area, look.corners, size), covered))
    return replace(look, number=number, pin=pin)


def _as_first(again: Spot | None, first: Spot | None) -> Spot | None:
    """A field that was read again in the first look's place, which may end where something lay over it then: unless it
    reaches further now, nobody looked there.
    """
    if again is None or first is None:
        return again
    least = _FURTHER * first.area.h
    further = first.area.x - again.area.x > least, again.area.right - first.area.right > least
    before, behind = (
        seen or (was and not more) for seen, was, more in zip(again.unseen, first.unseen, further, strict=True)
    )
    return replace(again, unseen=(before, behind))


def _is_hidden(look: Look) -> bool:
    """Whether a part of the card is out of view or under something, as far as the ends of number and PIN tell."""
    return look.cut_off or any(spot is not None and any(spot.unseen) for spot in (look.number, look.pin))


def _either(one: tuple[bool, bool], other: tuple[bool, bool]) -> tuple[bool, bool]:
    return one[0] or other[0], one[1] or other[1]


def _if_open(state: PanelState, panel: Area | None) -> Area | None:
    """A panel that hides nothing: only there is more asked of it."""
    return panel if state is PanelState.OPEN else None


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
