"""Which of the values on a card are its number and its PIN, and how far the PIN lies open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.core.cards import PanelState
from app.core.products import UNKNOWN_NUMBER, Product
from app.vision.decoding.decode import PLAIN_LETTERS
from app.vision.ends.beyond import Beyond
from app.vision.fields.sorting import (
    Sorted,
    Value,
    inside,
    is_retail_code,
    lacks_beginning,
    row_label,
    to_area,
    without_print_on_layer,
)
from app.vision.panel.finder import Panel, panel_of
from app.vision.panel.opening import Judge, Opening
from app.vision.picture.area import Area
from app.vision.picture.rectify import PX_PER_MM

_HIDDEN = (PanelState.COVERED, PanelState.PARTIAL)
_FEW = 6  # signs of a value that may be a number or a PIN

CLEAR = 0.8
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
    found, clear = replace(found, values=values), [p.area for p in panels if p.support >= CLEAR]
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
    elsewhere = panel is not None and panel.support >= CLEAR and opening.state in _HIDDEN
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
        return panel is not None and panel.support >= CLEAR


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


def within(area: Area, places: Places) -> tuple[float, float]:
    """How far a PIN may reach: as far as its panel, but not into what is left of the layer."""
    panel, bare = places.panel_area, places.panel.bare
    if panel is None:
        return area.x, area.right
    return max(panel.x + 0.4 * PX_PER_MM, bare[0]), min(panel.right - 0.4 * PX_PER_MM, bare[1])
