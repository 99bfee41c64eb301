"""A session in a small world that answers as store, recorder and eye do, with failures: the sums must come out."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from app.core.cards import CardRead, CardState, FieldReading, FieldState
from app.core.effects import (
    AcknowledgeRead,
    ChangeCard,
    Effect,
    FindParcel,
    MarkShot,
    OpenParcelRecord,
    ReadAgain,
    SaveCard,
    SealParcel,
    StartRecording,
    StopRecording,
)
from app.core.events import (
    CardChanged,
    CardSaved,
    CardWasDuplicate,
    CardWasRead,
    CodeScanned,
    Event,
    Key,
    KeyHeld,
    KeyPressed,
    ParcelFound,
    ParcelResumed,
    ParcelSealed,
    RecordingBegan,
    RecordingClosed,
    RecordingCut,
    RecordingResumed,
    SaveFailed,
    ShotTaken,
    SignedIn,
)
from app.core.parcels import ExpectedParcel, OpenParcel, TrayCard
from app.core.session import step
from app.core.states import Counting, Idle, Opening, Paused, SignedOut, State, Waiting
from tests.core.making import CLERK, RECORDING, RULES, SUPERVISOR, WAYBILL, card_read, kept, number, read_field

Ask = SaveCard | ChangeCard | OpenParcelRecord | SealParcel | MarkShot


class World(RuleBasedStateMachine):
    """The store answers in order and may fail; the eye sends unacknowledged reads again after a restart."""

    def __init__(self) -> None:
        super().__init__()
        self.state: State = SignedOut()
        self.asked: deque[Ask] = deque()
        self.cards: dict[str, TrayCard] = {}
        self.numbers: dict[str, str] = {}
        self.unacknowledged: dict[str, CardRead] = {}
        self.opened: OpenParcel | None = None
        self.sealed: SealParcel | None = None
        self.filming = self.cut = self.holding = False
        self.rejected: set[str] = set()
        self.shown = 0

    @initialize(declared=st.integers(0, 4))
    def open_a_parcel(self, declared: int) -> None:
        self.happens(SignedIn(CLERK))
        self.happens(CodeScanned(WAYBILL))
        self.happens(ParcelFound(ExpectedParcel(WAYBILL, "", declared), "parcel", RECORDING))

    def happens(self, event: Event) -> None:
        outcome = step(self.state, event, RULES)
        assert outcome.expected, f"{type(self.state).__name__} does not expect {type(event).__name__}"
        self.state = outcome.state
        for effect in outcome.effects:
            self.perform(effect)

    def perform(self, effect: Effect) -> None:
        match effect:
            case SaveCard(draft):
                assert not self.cut, "no card is taken in without video"
                self.rejects(draft.card_id, draft.verdict)
            case ChangeCard(card_id, verdict, _):
                self.rejects(card_id, verdict)
        match effect:
            case SaveCard() | ChangeCard() | OpenParcelRecord() | SealParcel() | MarkShot():
                self.asked.append(effect)
            case StartRecording():
                self.filming, self.cut = True, False
                self.happens(RecordingBegan(RECORDING, 1))
            case StopRecording() if self.filming:
                self.filming = False
                self.happens(RecordingClosed(RECORDING))
            case AcknowledgeRead(read_id):
                self.unacknowledged.pop(read_id, None)
            case FindParcel() | ReadAgain():
                pass

    def rejects(self, card_id: str, verdict: CardState) -> None:
        """A card is rejected by a hold, or once more when that could not be written."""
        if verdict is CardState.REJECTED:
            assert self.holding or card_id in self.rejected
            self.rejected.add(card_id)

    # The clerk

    @rule(which=st.integers(0, 3), twin=st.booleans())
    def show_a_card(self, which: int, twin: bool) -> None:
        self.shown += 1
        text = number(1 if twin else 10 + self.shown)
        read = [
            card_read(number=read_field(text)),
            card_read(number=read_field(text), pin=FieldReading(FieldState.COVERED)),
            card_read(number=read_field(text), pin=read_field("7KQM2XWR", {0: "7Z", 3: "MN"})),
            card_read(number=read_field(text, {3: text[3] + "0", 8: text[8] + "1"})),
        ][which]
        read = replace(read, read_id=f"read-{self.shown}")
        self.numbers[read.read_id] = text
        self.unacknowledged[read.read_id] = read
        self.happens(CardWasRead(read))

    @rule()
    def press_space(self) -> None:
        self.happens(KeyPressed(Key.SPACE))

    @rule()
    def go_on_after_a_pause(self) -> None:
        if self.cut:
            self.camera_comes(1_000_000)
        if isinstance(self.state, Paused):
            self.happens(SignedIn(SUPERVISOR))
            self.happens(KeyPressed(Key.SPACE))

    @rule(digit=st.integers(1, 3))
    def press_digit(self, digit: int) -> None:
        self.happens(KeyPressed(Key.DIGIT, digit))

    @rule(key=st.sampled_from([Key.ESC, Key.F2, Key.F5]))
    def press_another(self, key: Key) -> None:
        self.happens(KeyPressed(key))

    @rule()
    def hand_over(self) -> None:
        self.happens(KeyPressed(Key.F7))

    @rule(digit=st.integers(1, 6), really=st.booleans())
    def reject(self, digit: int, really: bool) -> None:
        self.happens(KeyPressed(Key.F9))
        self.happens(KeyPressed(Key.DIGIT, digit))
        self.holding = really
        self.happens(KeyHeld(Key.SPACE) if really else KeyPressed(Key.SPACE))
        self.holding = False

    @rule()
    def supervisor_comes(self) -> None:
        self.happens(SignedIn(SUPERVISOR))

    # The world

    @precondition(lambda self: self.unacknowledged)
    @rule(which=st.integers(0, 3))
    def eye_repeats_itself(self, which: int) -> None:
        reads = list(self.unacknowledged.values())
        self.happens(CardWasRead(reads[which % len(reads)]))

    @precondition(lambda self: self.asked)
    @rule()
    def store_answers_all(self) -> None:
        while self.asked:
            self.store_answers()

    @precondition(lambda self: self.asked)
    @rule()
    def store_answers(self) -> None:
        asked = self.asked.popleft()
        match asked:
            case SaveCard(draft):
                self.happens(self.keep(asked))
                assert draft.card_id in self.cards or self.held(draft.read_id)
            case ChangeCard(card_id, state, reasons):
                self.cards[card_id] = replace(self.cards[card_id], state=state, reasons=reasons)
                self.happens(CardChanged(self.cards[card_id]))
            case OpenParcelRecord(parcel):
                self.opened = parcel
            case MarkShot(_, no):
                self.happens(ShotTaken(no, no))
            case SealParcel():
                assert self.sealed is None, "sealed once"
                self.sealed = asked
                assert asked.found == len(self.counted)
                self.happens(ParcelSealed("parcel", 5))

    @precondition(lambda self: self.asked)
    @rule()
    def store_fails(self) -> None:
        self.asked.popleft()
        self.happens(SaveFailed("store.disk_full", "28"))

    @precondition(lambda self: self.filming and not self.cut)
    @rule()
    def camera_goes(self) -> None:
        self.cut = True
        self.happens(RecordingCut("camera.lost", 1))

    @precondition(lambda self: self.filming and self.cut)
    @rule(gap_us=st.sampled_from([1_000_000, 150_000_000]))
    def camera_comes(self, gap_us: int) -> None:
        self.cut = False
        self.happens(RecordingResumed(gap_us))

    @precondition(lambda self: self.opened is not None and self.sealed is None)
    @rule()
    def station_dies(self) -> None:
        """Everything that the store was still asked for is gone; reads that nobody settled come again."""
        assert self.opened is not None
        self.asked.clear()
        self.state = SignedOut()
        self.happens(ParcelResumed(replace(self.opened, cards=tuple(self.cards.values()))))
        for read in list(self.unacknowledged.values()):
            self.happens(CardWasRead(read))
        self.happens(SignedIn(CLERK))

    def keep(self, asked: SaveCard) -> Event:
        draft = asked.draft
        if draft.card_id in self.cards:
            return CardSaved(self.cards[draft.card_id])
        if draft.number is not None and draft.verdict is not CardState.REJECTED and self.held(draft.read_id):
            return CardWasDuplicate(draft.read_id, draft.number.last4(), same_parcel=True, wall_us=1)
        self.cards[draft.card_id] = kept(draft)
        return CardSaved(self.cards[draft.card_id])

    def held(self, read_id: str) -> bool:
        """Whether another card holds this number."""
        text = self.numbers[read_id]
        free = (CardState.REJECTED, CardState.WITHDRAWN)
        return any(c.last4 and self.numbers[c.read_id] == text and c.state not in free for c in self.cards.values())

    @property
    def counted(self) -> list[TrayCard]:
        return [card for card in self.cards.values() if card.state is not CardState.WITHDRAWN]

    @invariant()
    def the_screen_shows_what_the_store_has(self) -> None:
        if any(isinstance(asked, SaveCard | ChangeCard) for asked in self.asked):
            return
        state = self.state.back_to if isinstance(self.state, Paused) else self.state
        if not isinstance(state, SignedOut | Idle) and hasattr(state, "visit"):
            assert set(state.visit.counted) == set(self.counted)
            assert len(state.visit.shots) == len(set(state.visit.shots))

    @invariant()
    def no_read_waits_in_vain(self) -> None:
        """Where the hands are free every read is settled."""
        if isinstance(self.state, Waiting | Counting | Idle) or (isinstance(self.state, Opening) and self.state.began):
            assert not self.unacknowledged


World.TestCase.settings = settings(max_examples=max(60, settings().max_examples // 2), stateful_step_count=50)
TestWorld = World.TestCase
