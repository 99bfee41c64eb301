"""Which finished cards a supervisor looks at again although nothing was wrong: a share of all, more of the typed ones.

The draw is a keyed hash of the card's id: whoever holds the key finds the same cards again, nobody at the desk can
foresee them. The journal holds the key's `commitment` before the first draw and the policy with each of them, so that
every draw, and every card left out, can be checked once the key is shown.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from app.core.audit import EventKind
from app.core.parcels import Reason

KEY_BYTES = 32
POLICY: Final = "policy"
CURRENT = "current"
"""How the centre's feed, and a journal among what it took over, name the policy that holds."""

PER_MILLE = 1000
_DRAW = b"card-intake sample draw 1\0"
_COMMITMENT = b"card-intake sample key 1\0"
_TYPED = frozenset({Reason.NUMBER_BY_HAND, Reason.PIN_BY_HAND})


@dataclass(frozen=True, slots=True)
class SamplePolicy:
    """Of a thousand cards so many are drawn. Raises ValueError outside 0..1000 or where typed ones are drawn less."""

    read_per_mille: int = 20
    typed_per_mille: int = 200

    def __post_init__(self) -> None:
        if not 0 <= self.read_per_mille <= self.typed_per_mille <= PER_MILLE:
            raise ValueError("shares are 0 to 1000 of a thousand, of typed cards no fewer than of the others")


def is_typed(reasons: Collection[Reason]) -> bool:
    """Whether a person typed something of the card (`CardDraft.reasons`)."""
    return not _TYPED.isdisjoint(reasons)


def drawn(card_id: str, typed: bool, policy: SamplePolicy, key: bytes) -> bool:
    """Whether this card is drawn: the same card, policy and key always give the same answer.

    A card drawn as a read one is drawn as a typed one too, and a larger share keeps what a smaller one drew. Raises
    ValueError for a key of other than `KEY_BYTES` secret bytes.
    """
    share = policy.typed_per_mille if typed else policy.read_per_mille
    lot = int.from_bytes(hmac.digest(_checked(key), _DRAW + card_id.encode(), hashlib.sha256)[:8])
    return lot * PER_MILLE < share << 64


def commitment(key: bytes) -> str:
    """What the journal holds of a key that is still secret: a SHA-256 in hexadecimal that binds whoever drew by it.

    Raises ValueError for a key of other than `KEY_BYTES` bytes.
    """
    return hashlib.sha256(_COMMITMENT + _checked(key)).hexdigest()


@dataclass(slots=True)
class KeyPeriod:
    """What was drawn by one key. `key` None while it is secret; `honest`: it is the one that was committed to.

    `wrong`: cards that were drawn although the lot did not fall on them. `passed_over`: cards kept by then on which it
    fell and that nobody drew; those that were rejected, withdrawn or sent to review are rightly among them.
    `own_shares`: cards drawn by other shares than those of the policy that the station had taken over by then;
    `unknown`: drawn under one that nobody can show any more.
    """

    commitment: str
    key: bytes | None = None
    honest: bool = False
    drawn: int = 0
    wrong: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    own_shares: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _InForce:
    """Which policy a journal says it works by `now`, of those that were `told`; None: of one nobody can show."""

    told: Mapping[int, SamplePolicy] | None
    now: SamplePolicy | None
    since_key: list[SamplePolicy] = field(default_factory=list)

    def apply(self, body: Mapping[str, Any]) -> None:
        for kind, key, revision in body["items"]:
            if self.told is not None and (kind, key) == (POLICY, CURRENT):
                self.now = self.told.get(int(revision))
                self.since_key += [self.now] if self.now else []

    def begin(self) -> None:
        self.since_key = [self.now] if self.told is not None and self.now else []

    def hold(self, body: Mapping[str, Any], period: KeyPeriod) -> None:
        """Whether a draw was by the shares in force, not by a later policy's nor by some of the station's own."""
        if self.told is None:
            return
        if self.now is None:
            period.unknown.append(str(body["card"]))
        elif self.now != _shares(body):
            period.own_shares.append(str(body["card"]))


def check_draws(
    events: Iterable[tuple[str, Mapping[str, Any]]],
    told: Mapping[int, SamplePolicy] | None = None,
    at_first: SamplePolicy | None = None,
) -> list[KeyPeriod]:
    """Every draw of a journal (kind and body of each event, in order) against the keys that were shown, and against the
    policies that were `told`, by revision; `at_first`: what holds before one was. None: nobody knows which were.
    """
    periods: list[KeyPeriod] = []
    draws: list[Mapping[str, Any]] = []
    kept: dict[str, bool] = {}
    taken: set[str] = set()
    force = _InForce(told, at_first)
    for kind, body in events:
        match kind:
            case EventKind.REFERENCE_APPLIED:
                force.apply(body)
            case EventKind.SAMPLE_KEY_MADE:
                periods.append(KeyPeriod(str(body["commitment"])))
                force.begin()
                draws = []
            case EventKind.SAMPLE_DRAWN if periods:
                draws.append(body)
                taken.add(str(body["card"]))
                periods[-1].drawn += 1
                force.hold(body, periods[-1])
            case EventKind.CARD_KEPT:
                kept[str(body["card"])] = is_typed([Reason(one) for one in body.get("reasons", ())])
            case EventKind.SAMPLE_KEY_SHOWN if periods:
                _judge(periods[-1], bytes.fromhex(str(body["key"])), draws)
                _pass_over(
                    periods[-1], kept, taken, force.since_key if told is not None else [_shares(one) for one in draws]
                )
                kept = {}  # what is finished later is drawn by the next key
    return periods


def _shares(body: Mapping[str, Any]) -> SamplePolicy:
    return SamplePolicy(int(body["read_per_mille"]), int(body["typed_per_mille"]))


def _judge(period: KeyPeriod, key: bytes, draws: Iterable[Mapping[str, Any]]) -> None:
    period.key, period.honest = key, commitment(key) == period.commitment
    for body in draws:
        if not drawn(str(body["card"]), bool(body["typed"]), _shares(body), key):
            period.wrong.append(str(body["card"]))


def _pass_over(
    period: KeyPeriod, kept: Mapping[str, bool], taken: Collection[str], policies: Sequence[SamplePolicy]
) -> None:
    """By the smallest shares that were in force: who is drawn by them is drawn by all."""
    if policies and period.key is not None:
        key = period.key
        least = SamplePolicy(min(one.read_per_mille for one in policies), min(one.typed_per_mille for one in policies))
        period.passed_over = [c for c, typed in kept.items() if c not in taken and drawn(c, typed, least, key)]


def _checked(key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise ValueError(f"a sample key has {KEY_BYTES} bytes")
    return key
