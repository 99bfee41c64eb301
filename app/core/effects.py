"""What the station shall do next: imperative, carried out by `station.perform`, answered by events."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from app.core.audit import EventKind
from app.core.cards import CardState
from app.core.chips import ChipCard
from app.core.parcels import CardDraft, OpenParcel, Operator, Reason, WayOut


class Sound(StrEnum):
    """What the clerk hears."""

    TICK = "tick"
    ACCEPTED = "accepted"
    ASK = "ask"
    REVIEW = "review"
    REJECTED = "rejected"
    WRONG_CODE = "wrong-code"
    REC_ON = "rec-on"
    REC_OFF = "rec-off"
    REC_CUT = "rec-cut"


@dataclass(frozen=True, slots=True)
class CheckPasscode:
    operator_id: str
    passcode: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CheckBadge:
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FindParcel:
    """Look the waybill up; `unannounced`: open it although nobody announced it."""

    waybill: str
    by_hand: bool = False
    unannounced: bool = False


@dataclass(frozen=True, slots=True)
class OpenParcelRecord:
    """Write the parcel down as in work, before its recording starts."""

    parcel: OpenParcel


@dataclass(frozen=True, slots=True)
class StartRecording:
    recording_id: str
    parcel_id: str
    waybill: str


@dataclass(frozen=True, slots=True)
class StopRecording:
    recording_id: str


@dataclass(frozen=True, slots=True)
class WatchForCards:
    """Tell the eye to read cards (or to rest)."""

    on: bool


@dataclass(frozen=True, slots=True)
class ReadAgain:
    """Have the eye read the card that lies there once more."""


@dataclass(frozen=True, slots=True)
class AcknowledgeRead:
    """Tell the eye that this read is settled: kept, or put aside on purpose."""

    read_id: str


@dataclass(frozen=True, slots=True)
class SaveCard:
    draft: CardDraft


@dataclass(frozen=True, slots=True)
class ChangeCard:
    """Undo or change a kept card by a compensating event."""

    card_id: str
    state: CardState
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class MarkShot:
    """Write evidence shot `no` (1, 2) of the count into the recording's chain, now."""

    parcel_id: str
    no: int


@dataclass(frozen=True, slots=True)
class SealParcel:
    parcel_id: str
    way_out: WayOut
    declared: int
    found: int


@dataclass(frozen=True, slots=True)
class RecordFact:
    """Write a fact of its own into the audit log. `body` holds JSON values without floats or secrets."""

    kind: EventKind
    body: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class UseSpareCamera:
    pass


@dataclass(frozen=True, slots=True)
class ListChips:
    """Find the accepted cards whose chip is still to be dealt with."""


@dataclass(frozen=True, slots=True)
class SurveyChip:
    """Say what would be written to the chip of a card that lies on the reader. Writes nothing."""

    card: ChipCard


@dataclass(frozen=True, slots=True)
class SwitchChipOff:
    """Switch off the chip of a card that lies on the reader. Cannot be undone.

    `tapped`: it answered a moment ago; that it does not now says nothing but that the card left.
    """

    card: ChipCard
    tapped: bool = False


@dataclass(frozen=True, slots=True)
class MarkPunch:
    """Write still `no` (1 before, 2 after) of a chip that is punched into the recording's chain, now."""

    card: ChipCard
    no: int


@dataclass(frozen=True, slots=True)
class ProveDestroyed:
    """See that no chip answers any more, and keep the record of a punched one. `shots`: times in the recording, µs."""

    card: ChipCard
    recording_id: str
    shots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PutChipAside:
    """Other cards may go on before this torn one."""

    card_id: str


@dataclass(frozen=True, slots=True)
class LayOnReader:
    """Have the simulated hand lay a card on the simulated reader. Nobody does it for a real one."""

    uid: str


@dataclass(frozen=True, slots=True)
class Announce:
    """The operator changed: everything recorded from now on carries this name (None: nobody)."""

    operator: Operator | None


@dataclass(frozen=True, slots=True)
class Play:
    sound: Sound


OfChips = ListChips | SurveyChip | SwitchChipOff | MarkPunch | ProveDestroyed | PutChipAside | LayOnReader
"""What is asked of the chip tray's hands."""

Effect = (
    CheckPasscode
    | CheckBadge
    | FindParcel
    | OpenParcelRecord
    | StartRecording
    | StopRecording
    | WatchForCards
    | ReadAgain
    | AcknowledgeRead
    | SaveCard
    | ChangeCard
    | MarkShot
    | SealParcel
    | RecordFact
    | UseSpareCamera
    | OfChips
    | Announce
    | Play
)
