"""The states of a session: each holds only what is meaningful in it. `session.step` moves between them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from app.core.cards import Alternative, CardRead, CardState, FieldReading, Sighting, Tag, TagStay, WholeWay
from app.core.chips import OPEN_STANDS, TO_TAP, ChipCard, ChipEnd, ChipStand, PlannedStage
from app.core.events import Device
from app.core.parcels import CardDraft, EarlierParcel, ExpectedParcel, OpenParcel, Operator, Reason, TrayCard, WayOut

_STAYS_KEPT = 16
"""Chips of the last cards: a card that is asked about may be several behind the one on the reader."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One line for the clerk: a code of `ui.texts` and its numbers or words. Stays until the next step."""

    code: str
    args: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Visit:
    """A parcel in work: who works on it, what was declared, the cards kept so far, the chip on the reader.

    `first_us` is the monotonic time of the recording's first frame (0 until the recorder told it); `pending` holds
    reads that came while an earlier card was still being asked about; `stays` the last chips that lay on the reader;
    `again` counts the cards that lie there no more and have to be shown once more.
    """

    operator: Operator
    parcel_id: str
    recording_id: str
    expected: ExpectedParcel
    cards: tuple[TrayCard, ...] = ()
    shots: tuple[int, ...] = ()
    first_us: int = 0
    stays: tuple[TagStay, ...] = ()
    pending: tuple[CardRead, ...] = ()
    again: int = 0

    @property
    def counted(self) -> tuple[TrayCard, ...]:
        """The cards that count: all but those taken back."""
        return tuple(c for c in self.cards if c.state is not CardState.WITHDRAWN)

    @property
    def found(self) -> int:
        return len(self.counted)

    @property
    def next_no(self) -> int:
        return max((c.no for c in self.counted), default=0) + 1

    @property
    def difference(self) -> int:
        """Found minus declared; 0 for a parcel that nobody announced."""
        return self.found - self.expected.declared if self.expected.declared else 0

    @property
    def tag(self) -> Tag | None:
        """The chip that lies on the reader now."""
        return self.stays[-1].tag if self.stays and self.stays[-1].until_us is None else None

    def tag_during(self, first_us: int, last_us: int) -> Tag | None:
        """The chip that lay on the reader while a card was read; None when there was none, or more than one.

        A chip that came with an earlier card of the parcel is that card's, still lying there.
        """
        taken = {card.tag.uid for card in self.counted if card.tag is not None}
        stays = [stay for stay in self.stays if stay.tag.uid not in taken and stay.overlaps(first_us, last_us)]
        seen = {stay.tag.uid: stay.tag for stay in stays}
        return next(iter(seen.values())) if len(seen) == 1 else None

    def with_tag(self, tag: Tag | None, at_us: int) -> Visit:
        """The visit after the reader's field changed."""
        stays = tuple(replace(s, until_us=at_us) if s.until_us is None else s for s in self.stays)
        if tag is not None:
            stays = (*stays, TagStay(tag, at_us))
        return replace(self, stays=stays[-_STAYS_KEPT:])

    def filmed(self, recording_id: str, first_us: int) -> Visit:
        """The visit filmed by this recording, which need not be the one that was asked for: a closed one has a next."""
        return replace(self, recording_id=recording_id, first_us=first_us)

    def with_card(self, card: TrayCard) -> Visit:
        """The visit after `card` was added or changed."""
        if any(c.card_id == card.card_id for c in self.cards):
            return replace(self, cards=tuple(card if c.card_id == card.card_id else c for c in self.cards))
        return replace(self, cards=(*self.cards, card))

    def with_shot(self, no: int, t_video_us: int) -> Visit:
        """The visit after evidence shot `no`; one that is there already counts once."""
        return replace(self, shots=(*self.shots, t_video_us)) if no == len(self.shots) + 1 else self

    def as_open_parcel(self) -> OpenParcel:
        return OpenParcel(self.parcel_id, self.expected, self.recording_id, self.operator, self.cards, self.shots)


@dataclass(frozen=True, slots=True)
class LastParcel:
    """What the waiting screen says of the parcel before."""

    waybill: str
    wall_us: int
    cards: tuple[TrayCard, ...]

    def count(self, *states: CardState) -> int:
        return sum(c.state in states for c in self.cards)


class Ask(StrEnum):
    """What the clerk is asked about a card."""

    CHARACTER = "character"
    LENGTH = "length"  # which of the whole readings: they differ in how many characters there are
    PIN_COVERED = "pin-covered"
    NUMBER_UNREADABLE = "number-unreadable"
    PIN_UNREADABLE = "pin-unreadable"


@dataclass(frozen=True, slots=True)
class Question:
    """One question: which field, for a character its position (from 0) and the ways to fill it, best first; for a
    length the whole readings, best first.
    """

    ask: Ask
    field: str
    position: int = 0
    options: tuple[Alternative, ...] = ()
    wholes: tuple[WholeWay, ...] = ()

    @property
    def holds(self) -> tuple[bool, ...]:
        """Of each way to answer whether the check digit allows it; () where nothing is to be chosen."""
        return tuple(way.check_holds for way in self.options or self.wholes)

    def option_of(self, text: str) -> int | None:
        """The way to answer that is right where this text stands on the card; None where none is."""
        if self.ask is Ask.LENGTH:
            return next((i for i, way in enumerate(self.wholes) if way.length == len(text)), None)
        glyphs = [option.candidate.glyph for option in self.options]
        glyph = text[self.position : self.position + 1]
        return glyphs.index(glyph) if glyph in glyphs else None


@dataclass(frozen=True, slots=True)
class SignedOut:
    """Nobody is at the desk. After three wrong passcodes typing waits until `locked_until_us`; badges still work.

    `expired`: the person is known, but the centre's word on it has run out. `revoked`: nobody signs in here any more.
    `resume`: a parcel that a crash interrupted, `reads`: what the eye had read of it and nobody had settled.
    """

    wrong: int = 0
    locked_until_us: int = 0
    now_us: int = 0
    refused: bool = False
    expired: bool = False
    revoked: bool = False
    resume: OpenParcel | None = None
    reads: tuple[CardRead, ...] = ()


@dataclass(frozen=True, slots=True)
class Idle:
    """Waiting for a waybill. `unannounced` holds a waybill that nobody announced and that Space would open."""

    operator: Operator
    last: LastParcel | None = None
    finding: str = ""
    unannounced: str = ""
    earlier: EarlierParcel | None = None
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """The parcel is taken; `began` once the recording's first bytes are on disk: only then the knife."""

    visit: Visit
    began: bool = False
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """The mat waits for a card. `settled`: the card that still lies there is done with."""

    visit: Visit
    settled: bool = False
    sighting: Sighting | None = None
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A card lies under the camera and is being read."""

    visit: Visit
    sighting: Sighting | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """A character that a person decided: picked among the alternatives, or `typed`."""

    field: str
    position: int
    glyph: str = dataclasses.field(repr=False)
    typed: bool = False


@dataclass(frozen=True, slots=True)
class LengthDecided:
    """Which of its whole readings a person picked for a field: the one with so many characters."""

    field: str
    length: int


@dataclass(frozen=True, slots=True)
class Asking:
    """The clerk is asked one thing about the card. `choice`: index of the chosen option, None when none is.

    `reasons` collects what was decided by hand so far; `first` is the read before any of `decided`, so that each answer
    can be taken back; `typed` a field's text that the template refused.
    """

    visit: Visit
    read: CardRead
    question: Question
    choice: int | None = None
    reasons: tuple[Reason, ...] = ()
    sighting: Sighting | None = None
    notice: Notice | None = None
    first: CardRead | None = None
    decided: tuple[Decided | LengthDecided, ...] = ()
    typed: tuple[str, FieldReading] | None = None


@dataclass(frozen=True, slots=True)
class Rejecting:
    """The reject dialog: reason 1-6, then one second of Space. `read` is None for the whole parcel."""

    visit: Visit
    back_to: Asking | Counting
    choice: int | None = None


@dataclass(frozen=True, slots=True)
class Saving:
    """The card is on its way to the disk; nothing is shown as kept before the answer."""

    visit: Visit
    draft: CardDraft


@dataclass(frozen=True, slots=True)
class Counting:
    """Declared against found; when they differ two evidence shots, then a way out."""

    visit: Visit
    choice: WayOut | None = None
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class Sealing:
    """The recording closes, then (`closed`) the parcel's last event is written."""

    visit: Visit
    way_out: WayOut
    closed: bool = False
    rejected_for: Reason | None = None


@dataclass(frozen=True, slots=True)
class Paused:
    """Work stops: `device` is away (`code` says how). `ready`: it is back and Space goes on.

    `saved_wall_us`: up to when the recording is on disk. `supervisor`: the gap was too long, a badge is due.
    `lost`: all that is away or failed, first cause first, each with its code; the store in it means that a write has
    to be tried again. `missed`: a card was read meanwhile and not taken; it is read again afterwards. `lapsed`: the
    supervisor who came counts as a clerk until the centre is heard again.
    """

    device: Device
    code: str
    back_to: Opening | Waiting | Reading | Asking | Saving | Counting | Sealing | Rejecting
    saved_wall_us: int = 0
    ready: bool = False
    supervisor: bool = False
    lost: tuple[tuple[Device, str], ...] = ()
    missed: bool = False
    lapsed: bool = False

    @property
    def away(self) -> tuple[tuple[Device, str], ...]:
        """What has to come back before work can go on."""
        return tuple((device, code) for device, code in self.lost if device is not Device.STORE)

    @property
    def owes_write(self) -> bool:
        """Whether the store could not keep something."""
        return any(device is Device.STORE for device, _ in self.lost)


@dataclass(frozen=True, slots=True)
class ChipTray:
    """Accepted cards wait for their chips to be switched off, tapped in any order. What lies under it goes on after.

    `listed`: the cards are known. `armed`: a hold said yes, and each tap of a waiting card runs. `at`: the card in
    hand; `running`: its chip is being written, and `stage`, `number`, `of` say how far; `plan` is that chip's, when it
    was surveyed; `ended`: how the last run ended. `insist`: this card left in the middle, only it goes on now.
    `on_reader`: the UID that lies there alone. `reader`: the code of what is wrong with the reader. `shots`: the stills
    of punching, times in the recording. `quiet_since_us`: since when nobody tapped (0: not seen yet). `adrift`: the
    reader was lost under the run, whose end may never be told; the tray can be left meanwhile.
    """

    back_to: Idle | Waiting | Counting
    cards: tuple[ChipCard, ...] = ()
    listed: bool = False
    armed: bool = False
    at: str = ""
    running: bool = False
    stage: str = ""
    number: int = 0
    of: int = 0
    plan: tuple[PlannedStage, ...] = ()
    ended: ChipEnd | None = None
    insist: str = ""
    on_reader: str = ""
    reader: str = ""
    shots: tuple[int, ...] = ()
    quiet_since_us: int = 0
    adrift: bool = False
    notice: Notice | None = None

    @property
    def visit(self) -> Visit | None:
        """The parcel in work under it."""
        return None if isinstance(self.back_to, Idle) else self.back_to.visit

    @property
    def card(self) -> ChipCard | None:
        """The card in hand."""
        return self.named(self.at)

    @property
    def to_tap(self) -> tuple[ChipCard, ...]:
        return tuple(card for card in self.cards if card.stand in TO_TAP)

    @property
    def left(self) -> tuple[ChipCard, ...]:
        """Cards with something left to do, punching included."""
        return tuple(card for card in self.cards if card.stand in OPEN_STANDS)

    @property
    def punching(self) -> bool:
        """The card in hand has to be destroyed."""
        return self.card is not None and self.card.stand is ChipStand.DESTROY

    @property
    def may_try(self) -> bool:
        """The card in hand can be run by a key: its chip does not answer, so no tap will."""
        card = self.card
        ready = self.armed and not self.running and not self.reader
        return ready and card is not None and card.stand in TO_TAP and self.insist in ("", card.card_id)

    def named(self, card_id: str) -> ChipCard | None:
        return next((card for card in self.cards if card.card_id == card_id), None)

    def with_uid(self, uid: str) -> ChipCard | None:
        """The card whose chip has this UID. Of two the one whose chip is off, so that a second tap of a finished chip
        never goes to another card; else the one that still waits.
        """
        same = [card for card in self.cards if card.uid == uid]
        first = [card for card in same if card.stand is ChipStand.OFF]
        first += [card for card in same if card.stand in OPEN_STANDS]
        return next(iter(first or same), None)


@dataclass(frozen=True, slots=True)
class Locked:
    """The desk was left: all is covered, and what lies under it goes on being filmed. `operator` comes back to it.

    `desk`: the sign-in that uncovers it. `missed`: a card was put aside and is read from the start afterwards; what was
    known of its number and PIN is forgotten. `notice`: why somebody else could not go on.
    """

    operator: Operator
    back_to: Idle | AtWork | Paused
    desk: SignedOut = SignedOut()
    missed: bool = False
    notice: Notice | None = None

    @property
    def visit(self) -> Visit | None:
        """The parcel in work under it."""
        under = self.back_to.back_to if isinstance(self.back_to, Paused) else self.back_to
        return None if isinstance(under, Idle) else under.visit


@dataclass(frozen=True, slots=True)
class Faulted:
    """A bug was met: the recording is closed and sealed, the session waits to be started again."""

    code: str
    detail: str


AtWork = Opening | Waiting | Reading | Asking | Rejecting | Saving | Counting | Sealing
State = SignedOut | Idle | AtWork | ChipTray | Paused | Locked | Faulted

W = TypeVar("W", Opening, Waiting, Reading, Asking, Rejecting, Saving, Counting, Sealing, Asking | Counting, AtWork)


def with_visit(state: W, visit: Visit) -> W:
    """The same state of work with another visit; a dialog's background too."""
    if isinstance(state, Rejecting):
        return replace(state, visit=visit, back_to=replace(state.back_to, visit=visit))
    return replace(state, visit=visit)


REJECT_REASONS = (
    Reason.REJECTED_USED,
    Reason.REJECTED_DAMAGED,
    Reason.REJECTED_ALTERED,
    Reason.REJECTED_WRONG_PRODUCT,
    Reason.REJECTED_NOT_A_CARD,
    Reason.REJECTED_SENDER,
)
"""Keys 1-6 of the reject dialog."""

WAYS_OUT = (WayOut.SUBMIT_DIFFERENT, WayOut.LOOK_AGAIN, WayOut.SUPERVISOR)
"""Keys 1-3 of the count when declared and found differ."""

PUNCH_SHOTS = 2
"""Stills of a chip that is punched: before and after."""

SHOTS_NEEDED = 2
