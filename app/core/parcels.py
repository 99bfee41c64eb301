"""A parcel, what its sender declared, who works on it, and what is kept of each card of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from app.core.cards import CardState, PanelState, Secret, Tag
from app.core.chips import ChipStand


class Role(StrEnum):
    """What a person may do."""

    CLERK = "clerk"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Operator:
    """A person who signed in. `rehearsal` operators exist in rehearsal folders only.

    `lapsed`: the centre was not heard for so long that its word on this person has run out: nobody signs in by it, and
    who is at work goes on as a clerk.
    """

    id: str
    name: str
    role: Role
    rehearsal: bool = False
    lapsed: bool = False

    @property
    def supervises(self) -> bool:
        """Whether this person may do what clerks may not: look at footage, rule, change the catalogue."""
        return self.role in (Role.SUPERVISOR, Role.ADMIN)


@dataclass(frozen=True, slots=True)
class DeclaredItem:
    """What the sender says is inside: a product and how many of it."""

    product_id: str
    name_zh: str
    name_en: str
    face_value_fen: int
    count: int


@dataclass(frozen=True, slots=True)
class ExpectedParcel:
    """A parcel the centre has announced (or, in a rehearsal, the deck)."""

    waybill: str
    order_no: str
    declared: int
    items: tuple[DeclaredItem, ...] = ()


@dataclass(frozen=True, slots=True)
class EarlierParcel:
    """The waybill was done before: what came of it."""

    waybill: str
    sealed_wall_us: int
    accepted: int
    rejected: int
    total: int


class Reason(StrEnum):
    """Why a card is not simply taken. Worded in ui.texts."""

    NUMBER_BY_HAND = "number-by-hand"
    NUMBER_CONFIRMED = "number-confirmed"  # a doubtful character was decided by a person
    NUMBER_LENGTH = "number-length"  # of readings of several lengths a person picked one
    PIN_BY_HAND = "pin-by-hand"
    PIN_CONFIRMED = "pin-confirmed"
    PIN_LENGTH = "pin-length"
    NUMBER_AS_PRINTED = "number-as-printed"  # typed against the template, which the person says is wrong
    PIN_AS_PRINTED = "pin-as-printed"
    PIN_COVERED = "pin-covered"
    PIN_UNREADABLE = "pin-unreadable"
    NUMBER_UNREADABLE = "number-unreadable"
    UNKNOWN_PRODUCT = "unknown-product"
    TIMED_CODE = "timed-code"  # a code on it ends within minutes or days
    SCANNED = "scanned"  # read by a document scanner: there is no footage of it
    OPERATOR_REVIEW = "operator-review"
    REJECTED_USED = "rejected-used"
    REJECTED_DAMAGED = "rejected-damaged"
    REJECTED_ALTERED = "rejected-altered"
    REJECTED_WRONG_PRODUCT = "rejected-wrong-product"
    REJECTED_NOT_A_CARD = "rejected-not-a-card"
    REJECTED_SENDER = "rejected-sender"
    REVIEWED_ACCEPTED = "reviewed-accepted"  # a supervisor's ruling
    REVIEWED_REJECTED = "reviewed-rejected"
    REVIEWED_HELD = "reviewed-held"  # the sender is asked
    SAMPLED = "sampled"  # drawn, and something was found
    DUPLICATE = "duplicate"
    BLOCKED = "blocked"  # the centre's list has its number
    CHIP_UID_TWICE = "chip-uid-twice"  # another card was given a chip with the same UID
    SECOND_SIGNATURE = "second-signature"  # worth so much that the centre's policy wants a second person
    CENTRE_ACCEPTED = "centre-accepted"
    CENTRE_REVIEW = "centre-review"
    CENTRE_REJECTED = "centre-rejected"


@dataclass(frozen=True, slots=True)
class CardDraft:
    """A card about to be kept: everything the store needs for card row, sealed secrets and audit event.

    `number` and `pin` are None where they could not be read (the card then goes to review). `t_video_us` is the time
    in the recording at which the card was read. `verdict` is the station's: KEPT, REVIEW or REJECTED.
    """

    card_id: str
    read_id: str
    parcel_id: str
    no: int
    product_id: str | None
    gtin: str | None
    number: Secret | None
    pin: Secret | None
    panel: PanelState
    expiry: date | None
    face_value_fen: int | None
    recording_id: str
    t_video_us: int
    verdict: CardState
    reasons: tuple[Reason, ...] = ()
    tag: Tag | None = None
    catalogue: str = ""  # the version it was read with
    batch: str | None = None
    region: str | None = None  # ISO 3166

    def to_review(self, reason: Reason) -> CardDraft:
        """The same card, but a person looks at it first, for one reason more."""
        return replace(self, verdict=CardState.REVIEW, reasons=(*self.reasons, reason))


@dataclass(frozen=True, slots=True)
class TrayCard:
    """A card of this parcel as the tray, the summary and a resumed session show it. No secrets: last four at most."""

    no: int
    card_id: str
    read_id: str
    product_id: str | None
    last4: str
    face_value_fen: int | None
    state: CardState
    reasons: tuple[Reason, ...]
    t_video_us: int
    tag: Tag | None = None
    chip: ChipStand | None = None  # what came of its chip, None while nothing did
    batch: str | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class OpenParcel:
    """A parcel in work: found again after a crash with all cards that were kept."""

    parcel_id: str
    expected: ExpectedParcel
    recording_id: str
    operator: Operator
    cards: tuple[TrayCard, ...] = ()
    shots: tuple[int, ...] = ()  # evidence shots of the count, time in the recording in µs


class WayOut(StrEnum):
    """What is done when declared and found differ."""

    EQUAL = "equal"
    SUBMIT_DIFFERENT = "submit-different"
    LOOK_AGAIN = "look-again"
    SUPERVISOR = "supervisor"
    REJECT_ALL = "reject-all"
