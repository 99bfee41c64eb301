"""The review of the design's picture: seven cards, one to be looked at, a gap of 41 seconds. All fictional."""

from __future__ import annotations

from datetime import datetime

from app.core.cards import CardState, PanelState
from app.core.footage import (
    FilmedCard,
    FilmPart,
    Footage,
    Hold,
    Line,
    Lines,
    Moment,
    Pile,
    Proof,
    Span,
)
from app.core.parcels import Operator, Reason, Role
from ui.present_review import ACCEPT, Looking
from ui.samples import FUEL, GIFT, NOW_US

REVIEWER = Operator("S20018", "周岚", Role.SUPERVISOR)
WAYBILL = "SF14207731918"
RECORDING = "sample"
CARD = "card-3"
AT_US = 266_000_000
"""Where the play head of the picture stands."""

_S = 1_000_000
_BEGAN_US = int(datetime(2026, 11, 21, 10, 26, 0).timestamp() * 1e6)
_LENGTH_S = 724

_STRETCHES = ((118, 174), (177, 226), (232, 330), (340, 394), (457, 524), (535, 600), (613, 667))
_STATES = (
    *(CardState.ACCEPTED, CardState.ACCEPTED, CardState.REVIEW, CardState.ACCEPTED),
    *(CardState.ACCEPTED, CardState.REJECTED, CardState.ACCEPTED),
)
_REASONS = {3: (Reason.OPERATOR_REVIEW, Reason.NUMBER_CONFIRMED), 6: (Reason.REJECTED_USED,)}
_WAITING = (
    (FUEL, 100_000, "1918", 3, Reason.OPERATOR_REVIEW, 4),
    (GIFT, 30_000, "1877", 1, Reason.NUMBER_BY_HAND, 11),
    (GIFT, 50_000, "1871", 6, Reason.PIN_CONFIRMED, 26),
    (FUEL, 50_000, "1859", 2, Reason.PIN_UNREADABLE, 64),
    (GIFT, 20_000, "1852", 4, Reason.UNKNOWN_PRODUCT, 71),
)


def _card(n: int) -> FilmedCard:
    start, end = _STRETCHES[n - 1]
    reasons = _REASONS.get(n, ())
    return FilmedCard(
        f"card-{n}", n, FUEL, f"91{n}0", 100_000, _STATES[n - 1], reasons, PanelState.OPEN, "NTAG213", "",
        start * _S, (start + 34 if n == 3 else start + 20) * _S, (end - 12) * _S, end * _S,
    )  # fmt: skip


def footage(hold: Hold | None = None) -> Footage:
    """The recording of the picture, to which a mask of each card and one clock step are added."""
    cards = tuple(_card(n) for n in range(1, 8))
    return Footage(
        RECORDING, "parcel", WAYBILL, "陈敏", "overhead", _BEGAN_US, _LENGTH_S * _S, True, False, True, 1366,
        parts=(FilmPart(1, 0, 411 * _S), FilmPart(2, 452 * _S, _LENGTH_S * _S)),
        gaps=(Span(411 * _S, 452 * _S, "camera"),),
        masks=tuple(Span(card.from_us, card.to_us, "fields") for card in cards),
        moments=(
            *(Moment(card.read_us, "card.kept", str(card.no), card.card_id) for card in cards),
            Moment(680 * _S, "count.shot", "1"),
        ),
        cards=cards,
        hold=hold,
    )  # fmt: skip


def lines(pile: Pile, query: str) -> Lines:
    """The list of the picture."""
    found = tuple(
        Line(
            RECORDING if no == 3 else f"other-{tail}", f"p-{tail}", f"SF1420773{tail}", CARD if no == 3 else tail, no,
            product, value, "9140", CardState.REVIEW, (reason,), NOW_US - minutes * 60 * _S, 0, False,
        )
        for product, value, tail, no, reason, minutes in _WAITING
    )  # fmt: skip
    return Lines(pile, query, found, _COUNTS, _OLDEST)


_COUNTS = ((Pile.REVIEW, 5), (Pile.SAMPLE, 12), (Pile.DISPUTE, 2), (Pile.HELD, 2), (Pile.ALL, 214))
_OLDEST = ((Pile.REVIEW, NOW_US - 71 * 60 * _S),)


def looking() -> Looking:
    """The third card is looked at, its recording is verified."""
    proof = Proof(RECORDING, 1366, 1366, _LENGTH_S * _S, True, notes=("no_witness",))
    return Looking(REVIEWER, Pile.REVIEW, lines(Pile.REVIEW, ""), 0, footage(), proof, armed=ACCEPT, reason_there=True)
