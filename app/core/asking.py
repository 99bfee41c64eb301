"""What a card read leads to: a question about exactly the doubtful character, or a draft to keep."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol
from uuid import UUID, uuid5

from app.core.cards import (
    Barcode,
    CardRead,
    CardState,
    FieldReading,
    FieldState,
    Secret,
    alternatives,
    settle,
    whole_ways,
)
from app.core.codes import names_a_parcel, symbology_of, tidy
from app.core.parcels import CardDraft, Reason
from app.core.products import UNKNOWN_NUMBER, UNKNOWN_PIN, Catalogue, FieldPattern
from app.core.states import Ask, Question, Visit

_CARD_IDS = UUID("8f2d7a51-0f5c-5a0e-9b1a-6c1f2d3e4a5b")
"""Name space of card ids: one read gives one card, however often it is delivered."""


def pattern_of(read: CardRead, field: str, catalogue: Catalogue) -> FieldPattern | None:
    """The pattern of "number" or "pin" of this card, generic while the product is unknown; None: no such field."""
    product = catalogue.by_id(read.product_id)
    if field == "number":
        return product.number if product else UNKNOWN_NUMBER
    return product.pin if product else UNKNOWN_PIN


def settled_by_check(read: CardRead, catalogue: Catalogue) -> CardRead:
    """The read after the check digits decided what they can."""
    changes: dict[str, FieldReading] = {}
    for field in ("number", "pin"):
        pattern = pattern_of(read, field, catalogue)
        if pattern is not None:
            changes[field] = settle(_in_its_lengths(field_of(read, field), pattern), pattern)
    return replace(read, **changes)  # type: ignore[arg-type]  # mypy cannot see the two field names


def _in_its_lengths(reading: FieldReading, pattern: FieldPattern) -> FieldReading:
    """Without its whole readings where the product allows none but the length it was read in."""
    return reading if whole_ways(reading, pattern) else replace(reading, wholes=())


def field_of(read: CardRead, field: str) -> FieldReading:
    return read.number if field == "number" else read.pin


def with_field(read: CardRead, field: str, reading: FieldReading) -> CardRead:
    return replace(read, number=reading) if field == "number" else replace(read, pin=reading)


def next_question(read: CardRead, catalogue: Catalogue, as_printed: frozenset[str] = frozenset()) -> Question | None:
    """The one thing to ask now, number before PIN, how many characters before which, doubts from left to right; None
    when nothing is open.

    Nothing is asked about the fields that a person keeps `as_printed`.
    """
    number = None if "number" in as_printed else _number_question(read, catalogue)
    return number or (None if "pin" in as_printed else _pin_question(read, catalogue))


def _number_question(read: CardRead, catalogue: Catalogue) -> Question | None:
    if not _is_fact(read, "number", catalogue) and not _is_offered(read.number):
        return Question(Ask.NUMBER_UNREADABLE, "number")
    return _character_question(read, "number", catalogue)


def _pin_question(read: CardRead, catalogue: Catalogue) -> Question | None:
    product = catalogue.by_id(read.product_id)
    if product is not None and product.pin is None:
        return None
    match read.pin.state:
        case FieldState.COVERED:
            return Question(Ask.PIN_COVERED, "pin")
        case FieldState.ABSENT if product is None:
            return None
        case _ if not _is_fact(read, "pin", catalogue) and not _is_offered(read.pin):
            return Question(Ask.PIN_UNREADABLE, "pin")
        case _:
            return _character_question(read, "pin", catalogue)


def _is_offered(reading: FieldReading) -> bool:
    """Whether there is something to choose from: what was seen of an unreadable field is no list of what it may be."""
    return bool(reading.doubts) and reading.state is not FieldState.UNREADABLE


def _is_fact(read: CardRead, field: str, catalogue: Catalogue) -> bool:
    """Read without doubt; of a known product also as the product has it, whatever the reader or a person says."""
    reading, pattern = field_of(read, field), pattern_of(read, field, catalogue)
    fits = catalogue.by_id(read.product_id) is None or (pattern is not None and reading.fits(pattern))
    return reading.state is FieldState.READ and fits


def _character_question(read: CardRead, field: str, catalogue: Catalogue) -> Question | None:
    reading, pattern = field_of(read, field), pattern_of(read, field, catalogue)
    if not reading.doubts or pattern is None:
        return None
    if ways := whole_ways(reading, pattern):
        return Question(Ask.LENGTH, field, wholes=ways)
    position = reading.doubts[0]
    return Question(Ask.CHARACTER, field, position, alternatives(reading, position, pattern))


def preselected(question: Question, pattern: FieldPattern | None) -> int | None:
    """The option shown as chosen: the best character that satisfies a real check digit; none where there is no check
    digit, and no length, which a check digit does not tell.
    """
    if pattern is None or not pattern.check:
        return None
    return next((i for i, option in enumerate(question.options) if option.check_holds), None)


class Glanced(Protocol):
    """What was read of something that lay there: a card read, or what the eye concluded before it is one."""

    @property
    def barcodes(self) -> tuple[Barcode, ...]: ...
    @property
    def gtin(self) -> str | None: ...
    @property
    def number(self) -> FieldReading: ...
    @property
    def pin(self) -> FieldReading: ...
    @property
    def timed(self) -> bool: ...


def shows_no_card(read: Glanced, waybill: str = "") -> bool:
    """True when nothing of a card was read: the parcel itself, a hand, a sheet of paper, a card lying face up.

    `waybill`: the code of the parcel in work, which is no card's either; "" where nobody knows it.
    """
    codes = [code for code in read.barcodes if tidy(code.text) != waybill and not _is_a_parcels(code)]
    return not (codes or read.gtin or read.number.chars or read.pin.chars or read.timed)


def _is_a_parcels(code: Barcode) -> bool:
    return names_a_parcel(code.text, symbology_of(code.format))


def _kept(read: CardRead, field: str, catalogue: Catalogue, as_printed: bool) -> Secret | None:
    """A field's text when it is a fact, or when a person insists that the card prints it."""
    reading = field_of(read, field)
    printed = as_printed and reading.by_hand and reading.state is FieldState.READ
    return reading.secret() if printed or _is_fact(read, field, catalogue) else None


def draft_of(
    visit: Visit,
    read: CardRead,
    catalogue: Catalogue,
    verdict: CardState = CardState.KEPT,
    reasons: tuple[Reason, ...] = (),
) -> CardDraft:
    """What is kept of a read. A field that is still doubtful, or does not fit, is not kept: a guess is no fact."""
    product = catalogue.by_id(read.product_id)
    if product is None and verdict is CardState.KEPT:
        verdict, reasons = CardState.REVIEW, (*reasons, Reason.UNKNOWN_PRODUCT)
    if read.timed and verdict in (CardState.KEPT, CardState.REVIEW):
        verdict, reasons = CardState.REVIEW, (*reasons, Reason.TIMED_CODE)
    return CardDraft(
        card_id=str(uuid5(_CARD_IDS, read.read_id)),
        read_id=read.read_id,
        parcel_id=visit.parcel_id,
        no=visit.next_no,
        product_id=read.product_id,
        gtin=read.gtin,
        number=_kept(read, "number", catalogue, Reason.NUMBER_AS_PRINTED in reasons),
        pin=_kept(read, "pin", catalogue, Reason.PIN_AS_PRINTED in reasons),
        panel=read.panel,
        expiry=read.expiry,
        face_value_fen=read.face_value_fen,
        recording_id=visit.recording_id,
        t_video_us=max(0, read.best_us - visit.first_us),
        verdict=verdict,
        reasons=reasons,
        tag=visit.tag_during(read.first_us, read.best_us),
        catalogue=read.catalogue,
        batch=read.batch,
        region=read.region,
    )
