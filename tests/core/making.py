"""Makes products, reads and parcels for the tests of the core, and walks a session step by step."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeVar

from stdnum import luhn

from app.core.cards import (
    Candidate,
    CardRead,
    CardState,
    CharReading,
    FieldReading,
    FieldState,
    Guidance,
    PanelState,
    Sighting,
    Tag,
)
from app.core.effects import Effect, SaveCard
from app.core.events import CardSaved, CodeScanned, Event, Key, KeyPressed, ParcelFound, RecordingBegan, SignedIn
from app.core.parcels import CardDraft, ExpectedParcel, Operator, Role, TrayCard
from app.core.products import Catalogue, CheckDigit, FieldPattern, Product
from app.core.rules import Rules
from app.core.session import step
from app.core.states import Idle, SignedOut, State, Visit

GTIN = "06901234050103"
PRODUCT = Product(
    id="yunshan-500",
    name_zh="云杉超市礼品卡",
    name_en="Yunshan Market gift card",
    category="supermarket",
    gtins=frozenset({GTIN}),
    number=FieldPattern("0123456789", (16,), (4, 4, 4, 4), CheckDigit.LUHN),
    pin=FieldPattern("23456789ABCDEFGHJKLMNPQRSTUVWXYZ", (8,), (4, 4)),
    rehearsal=True,
)
PLAIN = replace(PRODUCT, id="plain-100", gtins=frozenset(), pin=None)
RULES = Rules(catalogue=Catalogue((PRODUCT, PLAIN)))

CLERK = Operator("1007", "林晓", Role.CLERK, rehearsal=True)
SUPERVISOR = Operator("2001", "周敏", Role.SUPERVISOR, rehearsal=True)
WAYBILL = "SF1382290461175"
EXPECTED = ExpectedParcel(WAYBILL, "T-20481", 2)
BADGE = "CIB-DEMO7001"
PARCEL, RECORDING = "parcel-1", "recording-1"
QUAD = ((0.0, 0.0), (856.0, 0.0), (856.0, 540.0), (0.0, 540.0))
TAG = Tag("04A1B2C3D4E5F6", "0044", "00", "NTAG213", simulated=True)

SEEN = Sighting(1, Guidance.NONE, QUAD)
EMPTY = Sighting(1, Guidance.EMPTY)


E = TypeVar("E", bound=Effect)


def number(seed: int = 0) -> str:
    """A card number of 16 digits that satisfies Luhn."""
    body = f"77{seed:013d}"
    return body + str(luhn.calc_check_digit(body))


def read_field(text: str, doubts: dict[int, str] | None = None, p: float = 0.99) -> FieldReading:
    """A reading of `text`; `doubts` gives, per position, the glyphs that it may be, best first."""
    doubtful = doubts or {}
    chars = tuple(
        CharReading(tuple(Candidate(g, 0.5) for g in doubtful[i]), sure=False)
        if i in doubtful
        else CharReading((Candidate(glyph, p),), sure=True)
        for i, glyph in enumerate(text)
    )
    return FieldReading(FieldState.DOUBTFUL if doubtful else FieldState.READ, chars)


def card_read(read_id: str = "read-1", **changes: object) -> CardRead:
    """A clean read of a card of PRODUCT; any field may be given otherwise."""
    read = CardRead(
        read_id=read_id,
        first_us=1_000_000,
        best_us=2_000_000,
        product_id=PRODUCT.id,
        gtin=GTIN,
        barcodes=(),
        number=read_field(number(sum(map(ord, read_id)))),
        pin=read_field("7KQM2XWR"),
        panel=PanelState.OPEN,
        face_value_fen=50_000,
    )
    return replace(read, **changes)  # type: ignore[arg-type]  # names are the caller's


def kept(draft: CardDraft, state: CardState | None = None) -> TrayCard:
    """The draft as the store gives it back."""
    last4 = draft.number.last4() if draft.number else ""
    return TrayCard(
        draft.no,
        draft.card_id,
        draft.read_id,
        draft.product_id,
        last4,
        draft.face_value_fen,
        state or draft.verdict,
        draft.reasons,
        draft.t_video_us,
        draft.tag,
    )


def visit(**changes: object) -> Visit:
    return replace(Visit(CLERK, PARCEL, RECORDING, EXPECTED), **changes)  # type: ignore[arg-type]


@dataclass
class Walk:
    """A session that is led by events; every pair must be expected."""

    state: State = field(default_factory=SignedOut)
    rules: Rules = RULES
    effects: tuple[Effect, ...] = ()

    def on(self, *events: Event) -> tuple[Effect, ...]:
        """Let events happen; gives the effects of the last one."""
        for event in events:
            outcome = step(self.state, event, self.rules)
            assert outcome.expected, f"{type(self.state).__name__} does not expect {event}"
            self.state, self.effects = outcome.state, outcome.effects
        return self.effects

    def key(self, key: Key, digit: int = 0) -> tuple[Effect, ...]:
        return self.on(KeyPressed(key, digit))

    def the(self, kind: type[E]) -> E:
        """The one effect of this kind among the last ones."""
        found = [effect for effect in self.effects if isinstance(effect, kind)]
        assert len(found) == 1, f"{kind.__name__}: {self.effects}"
        return found[0]

    def has(self, kind: type[Effect]) -> bool:
        return any(isinstance(effect, kind) for effect in self.effects)

    def saved(self) -> TrayCard:
        """Let the store keep the card that is being saved."""
        card = kept(self.the(SaveCard).draft)
        self.on(CardSaved(card))
        return card


def at_desk() -> Walk:
    """Signed in, waiting for a waybill."""
    walk = Walk()
    walk.on(SignedIn(CLERK))
    assert isinstance(walk.state, Idle)
    return walk


def at_work(expected: ExpectedParcel = EXPECTED) -> Walk:
    """The parcel is open and filmed; the mat waits."""
    walk = at_desk()
    walk.on(CodeScanned(expected.waybill), ParcelFound(expected, PARCEL, RECORDING), RecordingBegan(RECORDING, 500_000))
    walk.key(Key.SPACE)
    return walk
