"""What happened: everything that can enter `session.step`, in the past tense."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from app.core.cards import CardRead, FieldReading, Sighting, Tag
from app.core.chips import ChipCard, ChipEnd, PlannedStage
from app.core.parcels import EarlierParcel, ExpectedParcel, OpenParcel, Operator, TrayCard


class Key(StrEnum):
    """The keys that mean something to a session. F1, F8, F11 and Ctrl keys belong to the window."""

    SPACE = "space"
    ENTER = "enter"
    ESC = "esc"
    F2 = "f2"
    F3 = "f3"
    F4 = "f4"
    F5 = "f5"
    F6 = "f6"
    F7 = "f7"
    F9 = "f9"
    F12 = "f12"
    LEFT = "left"
    RIGHT = "right"
    UP = "up"
    DOWN = "down"
    BACKSPACE = "backspace"
    DIGIT = "digit"


class Device(StrEnum):
    """What a session depends on."""

    CAMERA = "camera"
    RECORDER = "recorder"
    EYE = "eye"
    NFC = "nfc"
    SCANNER = "scanner"
    DISK = "disk"
    STORE = "store"


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed; `now_us` is the monotonic clock."""

    now_us: int


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """A key that is not part of a scanner burst; `digit` 1-9 goes with Key.DIGIT."""

    key: Key
    digit: int = 0


@dataclass(frozen=True, slots=True)
class KeyHeld:
    """A key was held for the whole hold time (1 s)."""

    key: Key


@dataclass(frozen=True, slots=True)
class CodeScanned:
    """A scanner read a code: a waybill, a badge or a card barcode; content and step decide.

    Left out of `repr`: a badge opens the desk, and some cards carry their number as a barcode.
    """

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PasscodeEntered:
    """Number and passcode were typed at sign-in."""

    operator_id: str
    passcode: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class WaybillTyped:
    """The waybill was typed by hand."""

    text: str


@dataclass(frozen=True, slots=True)
class FieldTyped:
    """A person typed "number" or "pin" by hand; `reading` comes from `cards.typed`."""

    field: str
    reading: FieldReading


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Badge or passcode was right."""

    operator: Operator


@dataclass(frozen=True, slots=True)
class SignInRefused:
    """Badge unknown or passcode wrong. `wait_us`: how long no passcode of this number is looked at."""

    by_badge: bool
    wait_us: int = 0


@dataclass(frozen=True, slots=True)
class DeskLeft:
    """Nobody has touched the desk for as long as it may stand open."""


@dataclass(frozen=True, slots=True)
class RightsChanged:
    """What this person may do now, as it turned out at an act: a supervisor whose word from the centre has lapsed."""

    operator: Operator


@dataclass(frozen=True, slots=True)
class StationRevoked:
    """By the centre's signed word this station counts no more, for good. Said again with each tick."""


@dataclass(frozen=True, slots=True)
class ParcelFound:
    """The waybill is announced and not done yet; ids for the work on it were made."""

    expected: ExpectedParcel
    parcel_id: str
    recording_id: str


@dataclass(frozen=True, slots=True)
class ParcelDoneBefore:
    """The waybill was processed earlier."""

    earlier: EarlierParcel


@dataclass(frozen=True, slots=True)
class ParcelUnknown:
    """Nobody announced this waybill."""

    waybill: str


@dataclass(frozen=True, slots=True)
class ParcelRefused:
    """No parcel can be begun now; `codes` say what is in the way (`readiness.may_begin_parcel`)."""

    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ParcelResumed:
    """At start a parcel was found unfinished, with all its kept cards."""

    parcel: OpenParcel


@dataclass(frozen=True, slots=True)
class RecordingBegan:
    """The first bytes of the recording are on disk. `first_us`: monotonic time of its first frame."""

    recording_id: str
    first_us: int


@dataclass(frozen=True, slots=True)
class RecordingCut:
    """No new frame has reached the disk for 0.7 s. `saved_wall_us`: when the last one did."""

    code: str
    saved_wall_us: int


@dataclass(frozen=True, slots=True)
class RecordingResumed:
    """Frames reach the disk again after `gap_us` without."""

    gap_us: int


@dataclass(frozen=True, slots=True)
class RecordingClosed:
    """The recording is closed, hashed and signed."""

    recording_id: str


@dataclass(frozen=True, slots=True)
class CardSighted:
    """The eye looked at a frame."""

    sighting: Sighting


@dataclass(frozen=True, slots=True)
class CardLeftTooEarly:
    """A card was taken away before it was read."""


@dataclass(frozen=True, slots=True)
class CardWasRead:
    """The eye finished one card. The same `read_id` may arrive again after a restart."""

    read: CardRead


@dataclass(frozen=True, slots=True)
class TagSeen:
    """At `at_us` (monotonic) the NFC reader's field changed to exactly one chip, or (None) to none or `several`."""

    tag: Tag | None
    at_us: int
    several: bool = False


@dataclass(frozen=True, slots=True)
class CardSaved:
    """The card and its audit event are on disk."""

    card: TrayCard


@dataclass(frozen=True, slots=True)
class CardWasDuplicate:
    """The number was taken at this station before; nothing was kept a second time."""

    read_id: str
    last4: str
    same_parcel: bool
    wall_us: int


@dataclass(frozen=True, slots=True)
class CardChanged:
    """A kept card has a new state: a receipt, the centre's decision, a withdrawal."""

    card: TrayCard


@dataclass(frozen=True, slots=True)
class ShotTaken:
    """An evidence shot of the count stands in the recording's chain."""

    no: int
    t_video_us: int


@dataclass(frozen=True, slots=True)
class SaveFailed:
    """The store could not keep what it was given; nothing half-written is left."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class ParcelSealed:
    """The parcel is closed for good and its last event is on disk."""

    parcel_id: str
    wall_us: int


@dataclass(frozen=True, slots=True)
class DeviceLost:
    """A device or program went away."""

    device: Device
    code: str


@dataclass(frozen=True, slots=True)
class DeviceBack:
    """It is there again."""

    device: Device


@dataclass(frozen=True, slots=True)
class ChipsListed:
    """The accepted cards of this station whose chip is still to be dealt with."""

    cards: tuple[ChipCard, ...]


@dataclass(frozen=True, slots=True)
class ChipSurveyed:
    """What would be written to a card's chip (nothing was): the plan, or `why` not (worded as in `ChipEnd`)."""

    card_id: str
    plan: tuple[PlannedStage, ...]
    why: str = ""


@dataclass(frozen=True, slots=True)
class ChipStageBegan:
    """A run on a card's chip came to the next stage, number `number` of `of` (0 of 0 before there is a plan)."""

    card_id: str
    stage: str
    number: int
    of: int


@dataclass(frozen=True, slots=True)
class ChipRunEnded:
    """A run is over; what is to be kept of it is on disk."""

    end: ChipEnd


@dataclass(frozen=True, slots=True)
class PunchShotTaken:
    """A still of a chip before (1) or after (2) it was punched stands in the recording's chain."""

    card_id: str
    no: int
    t_video_us: int


@dataclass(frozen=True, slots=True)
class SecretShown:
    """The operator uncovered a secret on the screen: "pin" or "number"."""

    field: str


Event = (
    Tick
    | KeyPressed
    | KeyHeld
    | CodeScanned
    | PasscodeEntered
    | WaybillTyped
    | FieldTyped
    | SignedIn
    | SignInRefused
    | DeskLeft
    | RightsChanged
    | StationRevoked
    | ParcelFound
    | ParcelDoneBefore
    | ParcelUnknown
    | ParcelRefused
    | ParcelResumed
    | RecordingBegan
    | RecordingCut
    | RecordingResumed
    | RecordingClosed
    | CardSighted
    | CardLeftTooEarly
    | CardWasRead
    | TagSeen
    | CardSaved
    | CardWasDuplicate
    | CardChanged
    | ShotTaken
    | SaveFailed
    | ParcelSealed
    | DeviceLost
    | DeviceBack
    | SecretShown
    | ChipsListed
    | ChipSurveyed
    | ChipStageBegan
    | ChipRunEnded
    | PunchShotTaken
)
