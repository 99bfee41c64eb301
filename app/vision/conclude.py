"""All looks at one card in, what was read of it out: product, fields, panel. Abstains rather than guesses."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TypeVar

import numpy as np

from app.core.cards import (
    ABSENT,
    UNREADABLE,
    Barcode,
    Candidate,
    CharReading,
    Crop,
    FieldReading,
    FieldState,
    Medium,
    PanelState,
    Printed,
    Whole,
    Zone,
)
from app.core.codes import Symbology, symbology_of
from app.core.products import DIGITS, UNKNOWN_NUMBER, UNKNOWN_PIN, Catalogue, FieldPattern, Product, normalise_gtin
from app.vision.crops import crops_of
from app.vision.decoding.decode import PLAIN_LETTERS, Decoded, decode_views
from app.vision.decoding.fuse import Fused, confirm, doubt_all, fuse
from app.vision.decoding.groups import many_begin_within_group
from app.vision.decoding.twins import Sight, tell_twins
from app.vision.ends.beyond import Beyond, Ends
from app.vision.ends.fading import fading_groups, pale_ends, paling_ends
from app.vision.fields.layouts import has_shape
from app.vision.fields.printed import Amount
from app.vision.fields.sorting import is_retail_code
from app.vision.fields.spots import Spot, seem_torn, surely_torn
from app.vision.hopeless import (
    SHORTEST,
    dimmed_beyond,
    hopeless,
    longer_in_light,
    swallowed_ends,
    unread,
    unseen_ends,
    vanished_ends,
    weak_too,
)
from app.vision.lengths import InLength, given_length, in_lengths
from app.vision.look import Look
from app.vision.panel.coach import Legible, count_legible, free_pattern
from app.vision.picture.pixels import Corners
from app.vision.symbols.barcode import Hit, agreed_texts, distinct, gtin
from app.vision.symbols.elements import stated, timed_texts
from app.vision.zones import zones

_DIGITS_BEYOND_DOUBT = 5.5
"""Log odds from which an unknown product's PIN counts as digits only (1 in 250; six clear digits reach 7.6)."""

_RESEMBLING = 0.8
"""Share of a symbol's characters that a view of the printed number must show; chance agrees on a tenth of them."""

_INSIDE = 0.9  # share of a PIN that stands in its panel

_CLEAR_LETTER = 0.99
"""Probability from which a letter no digit looks like is taken for sure."""

_ZERO_OR_ONE = DIGITS + "OI"
"""What may stand in a field of digits as it is read: faces print O and 0, I and 1 alike."""

_PLAIN_IS_DIGIT = 2e-4
"""Probability that a sure letter no digit looks like is a digit all the same; `calibration.MISTAKES` has 1.5e-4."""


@dataclass(frozen=True, slots=True, repr=False)
class Conclusion:
    """What the looks at one card add up to. `corners` and `zones` of the best look, in frame pixels."""

    product: Product | None
    gtin: str | None
    barcodes: tuple[Barcode, ...]
    number: FieldReading
    pin: FieldReading
    panel: PanelState
    expiry: date | None
    expiry_printed: Printed
    face_value: Amount | None
    batch: str | None
    region: str | None
    corners: Corners
    zones: tuple[Zone, ...]
    crops: Callable[[], tuple[Crop, ...]] = field(
        compare=False
    )  # drawn for who asks a person: 5 ms each, often unwanted
    best: int  # which look was the sharpest
    medium: Medium = Medium.CARD
    legible: Legible | None = None  # of the PIN, for who scratches it
    timed: bool = False  # a code on it ends within minutes or days
    torn: bool = False  # its panel was scratched too hard, as far as the print of the PIN tells
    cut_off: bool = False  # no picture shows the whole card

    @property
    def blank(self) -> bool:
        """Whether nothing of a card's back was seen: no symbol, no number, no PIN, no panel."""
        fields = self.number.chars or self.pin.chars or self.barcodes
        return not fields and self.panel is PanelState.NONE

    @property
    def sure(self) -> bool:
        """Whether another frame could add nothing: every field there is is read."""
        done = (FieldState.READ, FieldState.ABSENT, FieldState.COVERED)
        half_read = self.gtin is None and any(symbology_of(b.format) is Symbology.RETAIL for b in self.barcodes)
        return self.number.state in done and self.pin.state in done and not half_read


def conclude(looks: Sequence[Look], catalogue: Catalogue) -> Conclusion:
    """The answer over all looks (at least one) at one card."""
    hits = [hit for at, look in enumerate(looks) for hit in _of_frame(look.hits, at)]
    printed = frozenset(g for look in looks for g in look.printed)
    code = gtin(hits, printed)
    texts = agreed_texts(hits)
    product = catalogue.by_gtin(code) or next((p for t in texts if (p := catalogue.by_code(t)) is not None), None)
    panel = _panel(looks)
    if panel is PanelState.PARTIAL and _is_complete(looks, product):
        panel = PanelState.OPEN
    data, timed = stated(hits, code), timed_texts(hits)
    number = _not_product(_not_timed(_number(looks, product, hits, data.serial), timed), code)
    pin = _pin(looks, product, panel, number)
    expiry = _with_data((look.expiry for look in looks), data.expiry)
    best = int(np.argmax([look.sharpness - look.glare for look in looks]))
    lengths = {"number": _number_lengths(looks, product, number), "pin": _pin_lengths(looks, product, pin)}
    number = _offered(number, lengths["number"], _number_of(looks), _number_pattern(product))
    pin = _offered(pin, lengths["pin"], _pin_of(looks), _pin_pattern(looks, product, pin), _ends_of(looks))
    fields = (("number", number, [look.number for look in looks]), ("pin", pin, [look.pin for look in looks]))
    return Conclusion(
        product=product,
        gtin=code,
        barcodes=distinct(hits),
        number=number.reading,
        pin=pin.reading,
        panel=panel,
        expiry=expiry,
        expiry_printed=_expiry_printed(looks, expiry),
        face_value=_face_value(looks, product),
        batch=_with_data((look.batch for look in looks), data.batch),
        region=_agreed(look.region for look in looks),
        corners=looks[best].corners,
        zones=zones(looks[best], number.reading, pin.reading),
        crops=lambda: tuple(
            crop for name, fused, spots in fields for crop in crops_of(name, fused, lengths[name], spots, best)
        ),
        best=best,
        legible=_legible(looks, product, panel, pin.reading),
        timed=bool(timed),
        torn=panel is PanelState.OPEN and surely_torn(_pin_of(looks)),
        cut_off=_all_cut_off(looks),
    )


def _of_frame(hits: Iterable[Hit], at: int) -> Iterable[Hit]:
    """Hits marked by their frame, so that the same reader in another frame counts as another reading."""
    return (replace(h, source=f"{h.source} {at}") for h in hits)


def _panel(looks: Sequence[Look]) -> PanelState:
    """The most careful of what the looks say: one partly covered look outweighs open ones."""
    states = [look.panel for look in looks]
    for state in (PanelState.PARTIAL, PanelState.COVERED, PanelState.OPEN):
        if states.count(state) * 2 >= len(states) or (state is PanelState.PARTIAL and state in states):
            return state
    return max(set(states), key=states.count)


def _is_complete(looks: Sequence[Look], product: Product | None) -> bool:
    """Whether a seemingly partly covered PIN is all there: it has the product's one length, freely read too."""
    if product is None or product.pin is None or len(product.pin.lengths) != 1:
        return False
    free = FieldPattern(product.pin.alphabet, UNKNOWN_PIN.lengths)
    found = _decoded([look.pin for look in looks if look.pin is not None], free)
    whole = [d for d in found if len(d.text) == product.pin.lengths[0] and d.p > 0.9]
    return bool(found) and len(whole) >= 0.75 * len(found)


def _all_cut_off(looks: Sequence[Look]) -> bool:
    """Whether no picture shows the whole card: what none of them has may stand where none looked."""
    return all(look.cut_off for look in looks)


def _not_timed(number: Fused, timed: frozenset[str]) -> Fused:
    """What is also a code for a short time is no card's number, however well it was read."""
    text = "".join(c.best.glyph for c in number.reading.chars)
    return Fused(UNREADABLE, None) if text in timed else number


def _not_product(number: Fused, code: str | None) -> Fused:
    """What is the product's code, too, is no card's number; while nobody knows that code it may be."""
    text = "".join(c.best.glyph for c in number.reading.chars)
    if not is_retail_code(text) or (code is not None and normalise_gtin(text) != code):
        return number
    return doubt_all(number) if code is None else Fused(UNREADABLE, None)


def _number(looks: Sequence[Look], product: Product | None, hits: Sequence[Hit], serial: str | None) -> Fused:
    pattern, spots = _number_pattern(product), _number_of(looks)
    if not spots:
        coded = _number_of_bars(looks, hits, pattern) or _number_of_serial(product, serial)
        return Fused(coded or (UNREADABLE if product is not None or _all_cut_off(looks) else ABSENT), None)
    fused = _whole(_as_seen(fuse(_decoded(spots, pattern), pattern, scraped=False), spots, pattern), spots, pattern)
    if not any(look.number_proved for look in looks):
        fused = Fused(UNREADABLE, None) if all(map(_lies_in_panel, looks)) else doubt_all(fused)
    coded_texts = {h.text for h in hits if h.format in ("CODE128", "QR")} | ({serial} if serial else set())
    for text in _numbers_in(coded_texts, product, pattern):
        confirmed = confirm(fused.reading, text)
        if confirmed is not None:
            return Fused(confirmed, fused.lead)
    coded = _number_of_bars(looks, hits, pattern)
    if coded is not None and (
        _is_part(fused.reading, coded)
        if fused.reading.state is FieldState.READ
        else _is_seen(coded, fused, spots, pattern)
    ):
        return Fused(coded, None)
    text = "".join(c.best.glyph for c in fused.reading.chars)
    if pattern.matches(text) and any(text in look.below for look in looks):
        return Fused(confirm(fused.reading, text) or fused.reading, fused.lead)  # printed twice, read alike twice
    return fused


def _lies_in_panel(look: Look) -> bool:
    """Whether what was taken for the number lies below the scratch layer: unless more speaks for it, it is the PIN."""
    return look.number is not None and look.panel_area is not None and look.panel_area.share_of(look.number.area) > 0.5


def _numbers_in(texts: Iterable[str], product: Product | None, pattern: FieldPattern) -> set[str]:
    """The card numbers that symbols hold: alone, or behind the product in a shop's composite code."""
    parts = {part for text in texts if product is not None and (part := product.number_in(text)) is not None}
    return parts | {text for text in texts if pattern.matches(text)}


def _number_of_bars(looks: Sequence[Look], hits: Sequence[Hit], pattern: FieldPattern) -> FieldReading | None:
    """The number of a card that prints it as a Code 128 only: read twice, or once with the digits below."""
    below = {text for look in looks for text in look.below}
    sources: dict[str, set[str]] = {}
    for hit in hits:
        if hit.format == "CODE128" and pattern.matches(hit.text):
            sources.setdefault(hit.text, set()).add(hit.source)
    sure = [text for text, by in sources.items() if len(by) > 1 or text in below]
    if len(sources) != 1 or not sure:
        return None
    return _coded(sure[0])


def _number_of_serial(product: Product | None, serial: str | None) -> FieldReading | None:
    """The serial number in GS1 data as the card's number, where the product is known and has such numbers."""
    if product is None or serial is None or product.number == UNKNOWN_NUMBER:
        return None
    return _coded(serial) if product.number.matches(serial) else None


def _is_part(read: FieldReading, coded: FieldReading) -> bool:
    """Whether what was read is the beginning or the end of a symbol's text: the rest of the print was not found."""
    part, text = ("".join(c.best.glyph for c in one.chars) for one in (read, coded))
    return len(part) < len(text) and (text.startswith(part) or text.endswith(part))


def _is_seen(coded: FieldReading, fused: Fused, spots: Sequence[Spot], pattern: FieldPattern) -> bool:
    """Whether a symbol's text is what stands where the number does: some view has nearly all of it, or all of it on
    both sides of characters that glare swallowed, and no sure character differs.
    """
    text = "".join(c.best.glyph for c in coded.chars)
    chars = fused.reading.chars
    if len(chars) == len(text) and any(c.sure and c.best.glyph != t for c, t in zip(chars, text, strict=True)):
        return False
    return any(_resembles(view.text, text) for view in _decoded(spots, pattern))


def _resembles(seen: str, text: str) -> bool:
    """Whether what was seen is a text but for a fifth of its characters, misread or lost in one place."""
    if len(seen) == len(text):
        return sum(a == b for a, b in zip(seen, text, strict=True)) >= _RESEMBLING * len(text)
    lost_in_one_place = any(text.startswith(seen[:at]) and text.endswith(seen[at:]) for at in range(4, len(seen) - 3))
    return _RESEMBLING * len(text) <= len(seen) < len(text) and lost_in_one_place


def _coded(text: str) -> FieldReading:
    return FieldReading(FieldState.READ, tuple(CharReading((Candidate(glyph, 0.999),), sure=True) for glyph in text))


def _pin(looks: Sequence[Look], product: Product | None, panel: PanelState, number: Fused) -> Fused:
    if product is not None and product.pin is None:
        return Fused(ABSENT, None)
    if panel in (PanelState.COVERED, PanelState.PARTIAL):
        return Fused(FieldReading(FieldState.COVERED), None)
    spots = _pin_of(looks)
    ends = _ends_of(looks)
    if not spots:
        return Fused(UNREADABLE if panel is not PanelState.NONE or _all_cut_off(looks) else ABSENT, None)
    if product is not None and product.pin is not None:
        return _whole(_as_seen(_read_pin(spots, product.pin), spots, product.pin), spots, product.pin, ends)
    pattern = _guess_pattern(spots)
    fused = _read_pin(spots, pattern or UNKNOWN_PIN)
    # Of an unknown product nobody knows how long the PIN is: without the panel's edges some of it may be covered.
    told = _is_other_than(number, fused.reading)
    proved = pattern is not None and all(look.pin_proved or (told and _stands_alone(look)) for look in looks)
    proved = proved and all(look.panel_area is not None for look in looks)
    return _whole(fused, spots, UNKNOWN_PIN, ends) if proved else doubt_all(fused)


def _as_seen(fused: Fused, spots: Sequence[Spot], pattern: FieldPattern) -> Fused:
    """A reading, doubtful where most looks show another number of characters than the pattern allows: what a wrong
    template has no place for falls away, and the rest looks sure.
    """
    fits = sum(has_shape(spot, pattern) for spot in spots)
    return fused if 2 * fits > len(spots) else doubt_all(fused)


def _is_other_than(number: Fused, pin: FieldReading) -> bool:
    """Whether a symbol tells the number, and what is taken for the PIN is neither that nor a part of it."""
    told, text = ("".join(c.best.glyph for c in one.chars) for one in (number.reading, pin))
    by_symbol = number.reading.state is FieldState.READ and number.lead is None
    return by_symbol and text not in told and told not in text


def _stands_alone(look: Look) -> bool:
    """Whether what is taken for the PIN stands in the panel, and no number is printed anywhere."""
    in_panel = (
        look.pin is not None and look.panel_area is not None and look.panel_area.share_of(look.pin.area) > _INSIDE
    )
    return in_panel and look.number is None


def _read_pin(spots: Sequence[Spot], pattern: FieldPattern) -> Fused:
    further = decode_views((view for spot in spots for view in spot.further), pattern)
    return _told_apart(fuse(_decoded(spots, pattern), pattern, further=further, torn=seem_torn(spots)), spots, pattern)


def _told_apart(fused: Fused, spots: Sequence[Spot], pattern: FieldPattern) -> Fused:
    sights = [Sight(spot.picture, decode_views(spot.views, pattern), spot.twins) for spot in spots]
    return tell_twins(fused, sights, pattern)


def _number_lengths(looks: Sequence[Look], product: Product | None, number: Fused) -> tuple[InLength, ...]:
    """A doubtful number in each length that it may have."""

    def read(seeing: Sequence[Spot], pattern: FieldPattern) -> Fused:
        return fuse(given_length(_decoded(seeing, pattern)), pattern, scraped=False)

    return in_lengths(number, _number_of(looks), _number_pattern(product), read)


def _pin_lengths(looks: Sequence[Look], product: Product | None, pin: Fused) -> tuple[InLength, ...]:
    """A doubtful PIN in each length that it may have."""

    def read(seeing: Sequence[Spot], one: FieldPattern) -> Fused:
        return _told_apart(fuse(given_length(_decoded(seeing, one)), one), seeing, one)

    return in_lengths(pin, _pin_of(looks), _pin_pattern(looks, product, pin), read)


def _number_of(looks: Sequence[Look]) -> list[Spot]:
    return [look.number for look in looks if look.number is not None]


def _pin_of(looks: Sequence[Look]) -> list[Spot]:
    return [look.pin for look in looks if look.pin is not None]


def _ends_of(looks: Sequence[Look]) -> list[Ends]:
    return [look.ends for look in looks if look.pin is not None]


def _number_pattern(product: Product | None) -> FieldPattern:
    return product.number if product is not None else UNKNOWN_NUMBER


def _pin_pattern(looks: Sequence[Look], product: Product | None, pin: Fused) -> FieldPattern:
    """What a PIN that was read may look like."""
    known = product.pin if product is not None else None
    doubtful = pin.reading.state is FieldState.DOUBTFUL
    return known or (_guess_pattern(_pin_of(looks)) if doubtful else None) or UNKNOWN_PIN


def _offered(
    fused: Fused,
    lengths: Sequence[InLength],
    spots: Sequence[Spot],
    pattern: FieldPattern,
    ends: Sequence[Ends] = (),
) -> Fused:
    """A field as a person is asked about it: in its lengths, or not at all where the right one is none of them."""
    closed = {side for look in ends for side, seen in enumerate(look) if seen is Beyond.CLOSED} if ends else None
    if hopeless(fused, bool(lengths), spots, pattern, closed):
        return replace(fused, reading=unread(fused.reading))
    wholes = tuple(one.whole for one in lengths)
    return replace(fused, reading=replace(fused.reading, wholes=wholes)) if wholes else weak_too(fused, spots)


def _whole(fused: Fused, spots: Sequence[Spot], pattern: FieldPattern, ends: Sequence[Ends] = ()) -> Fused:
    """The reading, its ends doubted where its length is open and more of it may have been swallowed in every look; then
    the person is asked for the length.

    `ends`: what each look saw beyond them. Closed in one look, nothing was swallowed there; burnt out in all of them,
    nobody can tell, and beside white paper a little less contrast is enough to doubt. Where light falls again before
    more print could stand, it has swallowed none. An end behind which no look shows the card is open as well.
    """
    lead = fused.lead
    if len(pattern.lengths) == 1 or lead is None or not fused.reading.chars or fused.reading.wholes:
        return fused
    pale = frozenset.intersection(*(pale_ends(s.picture, lead.spans, lead.steps) for s in spots))
    sides = dict(zip((0, len(lead.spans) - 1), zip(*ends, strict=True), strict=True)) if ends else {}
    bright = {at for at, seen in sides.items() if all(one in (Beyond.BURNT, Beyond.WHITE) for one in seen)}
    if bright:
        pale |= bright.intersection(*(paling_ends(s.picture, lead.spans, lead.steps) for s in spots))
    pale |= {at for at, seen in sides.items() if all(one is Beyond.BURNT for one in seen)}
    if ends:
        pale |= frozenset.intersection(*(fading_groups(s.picture, lead.spans, lead.steps) for s in spots))
    for spot in spots:
        pale = dimmed_beyond(spot, lead, pale)
    pale |= {len(lead.spans) - 1} if ends and len(lead.spans) < SHORTEST else set()
    pale -= {at for at, seen in sides.items() if Beyond.CLOSED in seen}
    pale |= vanished_ends(spots, lead)
    alike = [said for said in _decoded(spots, pattern) if len(said.spans) == len(lead.spans)]
    cut = pale | unseen_ends(spots, lead, pattern) | ({0} if many_begin_within_group(alike or [lead]) else set())
    cut |= frozenset() if ends else longer_in_light(spots, lead, pattern)
    cut |= swallowed_ends(spots, lead) - {0}  # two of 2,000 right numbers begin in such light, behind their label
    if not cut:
        return fused
    chars = tuple(replace(c, sure=False) if at in cut else c for at, c in enumerate(fused.reading.chars))
    whole = Whole(fused.reading.chars, 1.0)
    return Fused(FieldReading(FieldState.DOUBTFUL, chars, wholes=(whole,)), lead)


def _legible(looks: Sequence[Look], product: Product | None, panel: PanelState, pin: FieldReading) -> Legible | None:
    part_hidden = panel in (PanelState.COVERED, PanelState.PARTIAL)  # only then is the PIN's length open
    spots = _pin_of(looks) if part_hidden else []
    said = _decoded(spots, free_pattern(product))
    return count_legible(panel, pin, said, max(look.hidden for look in looks), product)


def _decoded(spots: Sequence[Spot], pattern: FieldPattern) -> list[Decoded]:
    return decode_views((view for spot in spots for view in spot.views), pattern)


def _guess_pattern(spots: Sequence[Spot]) -> FieldPattern | None:
    """Digits only, or letters and digits; None when the print does not tell.

    Half of all cards print digits only, the others draw from both; so each character speaks for digits by 36/10 times
    the probability that it is one. The odds multiply: eight digits in a row are no accident.
    """
    fused = fuse(_decoded(spots, UNKNOWN_PIN), UNKNOWN_PIN)
    odds = sum(math.log(len(UNKNOWN_PIN.alphabet) / len(DIGITS) * _digit_share(c)) for c in fused.reading.chars)
    if odds >= _DIGITS_BEYOND_DOUBT:
        if any(c.best.p >= _CLEAR_LETTER and c.best.glyph not in _ZERO_OR_ONE for c in fused.reading.chars):
            return None  # a T that every view reads is no 7, whatever stands around it
        digits = FieldPattern(DIGITS, UNKNOWN_PIN.lengths)
        # Letters dropped by force would leave a shorter text that looks sure.
        forced = fuse(_decoded(spots, digits), digits).reading.chars
        return digits if len(forced) == len(fused.reading.chars) else None
    return UNKNOWN_PIN if odds < 0 else None


def _digit_share(char: CharReading) -> float:
    """Probability that a character is a digit, never beyond doubt; less doubt about letters no digit looks like."""
    share = sum(c.p for c in char.candidates if c.glyph in DIGITS) / sum(c.p for c in char.candidates)
    plain = char.best.glyph in PLAIN_LETTERS and char.best.p >= _CLEAR_LETTER
    return min(0.99, max(_PLAIN_IS_DIGIT if plain else 0.02, share))


T = TypeVar("T")


def _agreed(values: Iterable[T | None]) -> T | None:
    found = {v for v in values if v is not None}
    return found.pop() if len(found) == 1 else None


def _with_data(printed: Iterable[T | None], data: T | None) -> T | None:
    """What all looks and the card's GS1 data agree on, or what only one of them has; None where they differ."""
    return _agreed((*printed, data))


def _expiry_printed(looks: Sequence[Look], expiry: date | None) -> Printed:
    """READ when the looks agree on a day; NONE when no look saw any trace of one and one saw all there is."""
    if expiry is not None:
        return Printed.READ
    states = {look.expiry_printed for look in looks}
    return Printed.NONE if states <= {Printed.NONE} else Printed.UNREAD


def _face_value(looks: Sequence[Look], product: Product | None) -> Amount | None:
    value = _agreed(look.face_value for look in looks)
    if product is None or not product.face_values_fen:
        return value
    known = {Amount(fen // 100, "CNY") for fen in product.face_values_fen}
    if value is None:
        return known.pop() if len(known) == 1 else None
    return value if value in known else None
