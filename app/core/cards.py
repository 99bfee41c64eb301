"""A card and what was read of it. Secrets print as dots and open in two named places only.

What the eye saw is a `FieldReading`: per character the candidates with their probability. What is kept is a `Secret`.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import NoReturn

from app.core.products import FieldPattern

DOTS = "••••"


class Secret:
    """A card number, PIN or identity datum. Prints, formats and fails to pickle as dots.

    `reveal` is called in few places only: `app.eye.codec` (eye to station), `app.store.seal` (sealing), in the vault,
    and where a person sees what the vault closed for that person.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def forget(self) -> None:
        """Whoever holds it holds nothing from now on. (What Python has of the text goes when nobody refers to it.)"""
        self._text = ""

    def last4(self) -> str:
        """The last four characters, the only part that may be stored in clear; "" for texts of fewer than eight."""
        return self._text[-4:] if len(self._text) >= 8 else ""

    def __len__(self) -> int:
        return len(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    __hash__ = None  # type: ignore[assignment]  # a hash of a short code can be searched backwards

    def __repr__(self) -> str:
        return DOTS

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return DOTS

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret does not travel by pickle")


@dataclass(frozen=True, slots=True, repr=False)
class Candidate:
    """One glyph a character may be, with its calibrated probability 0..1."""

    glyph: str
    p: float

    def __repr__(self) -> str:
        return f"Candidate(•, {self.p:.2f})"


@dataclass(frozen=True, slots=True)
class CharReading:
    """One character: candidates, best first (at least one). `sure` when the reader would swear to the first."""

    candidates: tuple[Candidate, ...]
    sure: bool

    @property
    def best(self) -> Candidate:
        return self.candidates[0]


class FieldState(StrEnum):
    """How far a field was read."""

    READ = "read"  # every character is sure and the pattern holds
    DOUBTFUL = "doubtful"  # read but for some characters
    COVERED = "covered"  # a PIN whose scratch layer is (partly) there
    UNREADABLE = "unreadable"  # it is there and cannot be read
    ABSENT = "absent"  # nothing of the kind on the card


MOST_WHOLES = 3
"""So many lengths of one field are offered, as many as there are ways to fill a character."""


@dataclass(frozen=True, slots=True)
class Whole:
    """All of a field as it reads if it has this many characters (at least one); `p` 0..1 that it has."""

    chars: tuple[CharReading, ...]
    p: float

    def __post_init__(self) -> None:
        if not self.chars:
            raise ValueError("a whole reading has characters")


@dataclass(frozen=True, slots=True)
class FieldReading:
    """What was read of one field; `by_hand` when a person typed it. `chars` is empty unless READ or DOUBTFUL, or
    UNREADABLE with some of it seen: what the card is known by again, and nothing that anybody is asked to choose from.

    `wholes`: () unless DOUBTFUL and nobody knows how many characters there are; then what each length reads as, best
    first; one of them is as long as `chars`. One alone: it may not be all of the field, or another line altogether.
    """

    state: FieldState
    chars: tuple[CharReading, ...] = ()
    by_hand: bool = False
    wholes: tuple[Whole, ...] = ()

    def __post_init__(self) -> None:
        if self.wholes:
            lengths = [len(whole.chars) for whole in self.wholes]
            fits = len(self.chars) in lengths and self.state is FieldState.DOUBTFUL
            if not fits or len(lengths) > MOST_WHOLES or len(set(lengths)) != len(lengths):
                raise ValueError("whole readings differ in length, and are few")

    @property
    def doubts(self) -> tuple[int, ...]:
        """Positions (from 0) of the characters that are not sure."""
        return tuple(i for i, c in enumerate(self.chars) if not c.sure)

    @property
    def confidence(self) -> float:
        """Probability that the whole field is right: the product over its characters; 0 when nothing was read."""
        result = 1.0 if self.chars else 0.0
        for char in self.chars:
            result *= char.best.p
        return result

    def secret(self) -> Secret:
        """The best text as a secret (also of a doubtful field)."""
        return Secret("".join(c.best.glyph for c in self.chars))

    def fits(self, pattern: FieldPattern) -> bool:
        """True when the best text obeys the pattern."""
        return pattern.matches("".join(c.best.glyph for c in self.chars))

    def pick(self, length: int) -> FieldReading:
        """The reading after a person said how many characters there are. Raises KeyError for what was not offered."""
        chars = {len(whole.chars): whole.chars for whole in self.wholes}[length]
        state = FieldState.READ if all(c.sure for c in chars) else FieldState.DOUBTFUL
        return FieldReading(state, chars, self.by_hand)

    def resolve(self, position: int, glyph: str) -> FieldReading:
        """The reading after a person decided the character at `position`."""
        known = {c.glyph: c for c in self.chars[position].candidates}
        chosen = known.get(glyph, Candidate(glyph, 1.0))
        char = CharReading((chosen, *(c for g, c in known.items() if g != glyph)), sure=True)
        chars = (*self.chars[:position], char, *self.chars[position + 1 :])
        state = FieldState.READ if all(c.sure for c in chars) else FieldState.DOUBTFUL
        return replace(self, chars=chars, state=state, wholes=())


ABSENT = FieldReading(FieldState.ABSENT)
UNREADABLE = FieldReading(FieldState.UNREADABLE)


def typed(text: str) -> FieldReading:
    """A field typed by a person: sure, and marked as typed."""
    chars = tuple(CharReading((Candidate(c, 1.0),), sure=True) for c in text)
    return FieldReading(FieldState.READ, chars, by_hand=True)


_MOST_FILLINGS = 4096


def _fillings(reading: FieldReading, pattern: FieldPattern) -> list[str] | None:
    """All texts that the pattern allows; None when there are too many to look at all of them."""
    texts = [""]
    for at, char in enumerate(reading.chars):
        possible = char.candidates[:1] if char.sure else char.candidates
        glyphs = [c.glyph for c in possible if pattern.allows_glyph(c.glyph, at)]
        texts = [text + g for text in texts for g in glyphs]
        if len(texts) > _MOST_FILLINGS:
            return None
    return [text for text in texts if pattern.matches(text)]


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way to fill a doubtful character: whether any filling of the other doubts satisfies the pattern."""

    candidate: Candidate
    check_holds: bool


def alternatives(reading: FieldReading, position: int, pattern: FieldPattern, most: int = 3) -> tuple[Alternative, ...]:
    """Up to `most` ways to fill the character at `position`, best first, each held against the check digit."""
    fillings = _fillings(reading, pattern)
    chosen = reading.chars[position].candidates[:most]
    if fillings is None:
        return tuple(Alternative(c, pattern.allows_glyph(c.glyph, position)) for c in chosen)
    valid = {text[position] for text in fillings}
    return tuple(Alternative(c, c.glyph in valid) for c in chosen)


@dataclass(frozen=True, slots=True)
class WholeWay:
    """A length that a field may have, with what it then reads as: whether any filling of its doubts satisfies the
    pattern.
    """

    whole: Whole
    check_holds: bool

    @property
    def length(self) -> int:
        return len(self.whole.chars)


def whole_ways(reading: FieldReading, pattern: FieldPattern) -> tuple[WholeWay, ...]:
    """The lengths that a field may have, best first, each held against the check digit; () where the product, or its
    check digit, leaves no question whether what was read is all of it.
    """
    possible = [whole for whole in reading.wholes if len(whole.chars) in pattern.lengths]
    ways = tuple(WholeWay(whole, _can_hold(whole, pattern)) for whole in possible)
    told = bool(pattern.check) and len(pattern.lengths) == 1
    alone = len(reading.wholes) == 1 and not told
    open_ones = [way for way in ways if way.check_holds and (alone or way.length != len(reading.chars))]
    return ways if open_ones else ()


def _can_hold(whole: Whole, pattern: FieldPattern) -> bool:
    if not pattern.check:
        return True  # the characters themselves are asked about afterwards
    fillings = _fillings(FieldReading(FieldState.DOUBTFUL, whole.chars), pattern)
    return fillings is None or bool(fillings)


def settle(reading: FieldReading, pattern: FieldPattern) -> FieldReading:
    """Decide the doubtful characters that the check digit leaves one choice for; the others stay doubtful.

    Only a real check digit decides: without one a single surviving candidate would still be a guess. Nor does it while
    more than one length is possible: one text in ten fits by chance.
    """
    if reading.state is not FieldState.DOUBTFUL or not pattern.check or reading.wholes:
        return reading
    survivors = _fillings(reading, pattern)
    if not survivors:
        return reading
    for position in reading.doubts:
        left = {text[position] for text in survivors}
        if len(left) == 1:
            reading = reading.resolve(position, left.pop())
    return reading


class PanelState(StrEnum):
    """What became of the scratch layer. `NONE`: the card has no such panel."""

    COVERED = "covered"
    PARTIAL = "partial"
    OPEN = "open"
    NONE = "none"


class Medium(StrEnum):
    """What lies there: a card one can hold, or a code that anybody may copy."""

    CARD = "card"
    PAPER = "paper"  # a printed e-mail or voucher
    SCREEN = "screen"  # a telephone or its picture


class Printed(StrEnum):
    """How far a plain field (the expiry) is known: read, certainly not on the card, or not read."""

    READ = "read"
    NONE = "none"
    UNREAD = "unread"


@dataclass(frozen=True, slots=True)
class Barcode:
    """A decoded barcode: format named EAN13 UPCA CODE128 QR …; the text as decoded."""

    format: str
    text: str = field(repr=False)


Point = tuple[float, float]
Quad = tuple[Point, Point, Point, Point]
"""Four corners in frame pixels, clockwise from the printed top-left."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A field's place in the frame: kind "number", "pin", "panel", "barcode", "expiry"; and whether it is settled."""

    kind: str
    quad: Quad
    settled: bool


class Guidance(StrEnum):
    """What the clerk should do with the card now; NONE when nothing is in the way."""

    NONE = ""
    EMPTY = "empty"
    HOLD_STILL = "hold-still"
    TOO_FAR = "too-far"
    CUT_OFF = "cut-off"
    TWO_CARDS = "two-cards"
    GLARE = "glare"
    BLURRED = "blurred"
    NOT_A_CARD = "not-a-card"


@dataclass(frozen=True, slots=True)
class Sighting:
    """What the eye sees in one frame: guidance, the card's corners, the zones found so far."""

    frame_us: int
    guidance: Guidance
    quad: Quad | None = None
    zones: tuple[Zone, ...] = ()
    sharpness: float = 0.0  # 0..1
    glare: float = 0.0  # 0..1, share of the card that is burnt out


LINE = -1
"""Where a crop shows the whole line of a field, and not one character."""


@dataclass(frozen=True, slots=True, repr=False)
class Crop:
    """The enlarged picture of one doubtful character: PNG bytes, kept in memory only. `length`: of how many characters
    it is one, since its position changes with the length; 0 for the picture of a whole `LINE`.
    """

    field: str
    position: int
    png: bytes
    length: int = 0

    def __repr__(self) -> str:
        return f"Crop({self.field}, {self.position})"


@dataclass(frozen=True, slots=True)
class CardRead:
    """All that was read of one card, once per card. `read_id` (UUID) makes a repeated delivery harmless.

    `gtin` is 14 digits and set only when two readings agreed; times are the monotonic clock of the frames. `expiry` is
    None both where none is printed and where none was read: `expiry_printed` tells which. `region` is an ISO 3166 code,
    None when the card does not say.
    """

    read_id: str
    first_us: int
    best_us: int
    product_id: str | None
    gtin: str | None
    barcodes: tuple[Barcode, ...]
    number: FieldReading
    pin: FieldReading
    panel: PanelState
    expiry: date | None = None
    expiry_printed: Printed = Printed.UNREAD
    face_value_fen: int | None = None
    batch: str | None = None
    region: str | None = None
    quad: Quad | None = None
    zones: tuple[Zone, ...] = ()
    crops: tuple[Crop, ...] = ()
    legible: tuple[int, int] | None = None  # characters of the PIN that can be read, of how many
    catalogue: str = ""  # the version it was read with
    timed: bool = False  # a code on it ends within minutes or days; it is not among `barcodes`
    torn: bool = False  # its panel was scratched too hard: strokes of the PIN may be missing


@dataclass(frozen=True, slots=True)
class Tag:
    """An NFC chip as read (never written) at intake. Hex, upper case; `atqa` most significant byte first."""

    uid: str
    atqa: str
    sak: str
    family: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class TagStay:
    """A chip alone in the reader's field from `from_us` to `until_us` (None: still there), monotonic µs."""

    tag: Tag
    from_us: int
    until_us: int | None = None

    def overlaps(self, first_us: int, last_us: int) -> bool:
        return self.from_us <= last_us and (self.until_us is None or self.until_us >= first_us)


class CardState(StrEnum):
    """Where a card stands. Kept here, received by the centre, then the centre's decision; each visible."""

    KEPT = "kept"
    AT_CENTRE = "at-centre"
    NOT_TAKEN = "not-taken"  # it lies at the centre, which did not take it up
    ACCEPTED = "accepted"
    REVIEW = "review"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"  # taken back by the clerk before sealing; its number may be taken again
