"""The audit chain: one gapless, hash-chained list of signed facts per station, which is also the outbox.

Format: canonical JSON (the subset of RFC 8785 without floats: keys sorted, no spaces, UTF-8), SHA-256 over the exact
bytes, Ed25519 signature beside it. The bytes are kept and never serialised again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

VERSION = 1
GENESIS = "0" * 64
"""`prev` of a station's first event."""

CENTRE = "@centre"
"""The name of the centre's own chain. No request can be signed under it: a key id has no such letter."""

MOST_BYTES = 1 << 20
"""Of one event: what is longer could never be sent, and would hold up all that comes after it."""


class EventKind(StrEnum):
    """The facts a station records. A kind is never renamed; new kinds are added."""

    STATION_STARTED = "station.started"
    KEY_ROTATED = "station.key-rotated"
    SIGNED_IN = "operator.signed-in"
    SIGNED_OUT = "operator.signed-out"
    RESTORED = "store.restored"
    CLOCK_STEPPED = "clock.stepped"
    LOCKED = "operator.locked"
    UNLOCKED = "operator.unlocked"
    PARCEL_OPENED = "parcel.opened"
    PARCEL_COUNTED = "parcel.counted"
    PARCEL_SEALED = "parcel.sealed"
    RECORDING_STARTED = "recording.started"
    RECORDING_CUT = "recording.cut"
    RECORDING_RESUMED = "recording.resumed"
    RECORDING_HEAD = "recording.head"
    RECORDING_CLOSED = "recording.closed"
    RECORDING_TIME_STAMPED = "recording.time-stamped"
    CARD_KEPT = "card.kept"
    CARD_REJECTED = "card.rejected"
    CARD_TO_REVIEW = "card.to-review"
    CARD_WITHDRAWN = "card.withdrawn"
    CARD_RULED = "card.ruled"
    CARD_RULING_UNDONE = "card.ruling-undone"
    SAMPLE_KEY_MADE = "sample.key-made"
    SAMPLE_KEY_SHOWN = "sample.key-shown"
    SAMPLE_DRAWN = "sample.drawn"
    SAMPLE_JUDGED = "sample.judged"
    DISPUTE_OPENED = "dispute.opened"
    DISPUTE_EVIDENCE = "dispute.evidence"
    DISPUTE_SETTLED = "dispute.settled"
    CARD_DECISION_APPLIED = "card.decision-applied"
    CHIP_DEACTIVATED = "chip.deactivated"
    CHIP_NOT_DEACTIVATED = "chip.not-deactivated"
    CHIP_DESTROYED = "chip.destroyed"
    CHIP_READER_ARMED = "chip.reader-armed"
    DUPLICATE_REFUSED = "card.duplicate-refused"
    SECRET_SHOWN = "secret.shown"
    STILL_EXPORTED = "still.exported"
    DOSSIER_EXPORTED = "dossier.exported"
    FOOTAGE_HELD = "footage.held"
    FOOTAGE_RELEASED = "footage.released"
    FOOTAGE_REMOVED = "footage.removed"
    FOOTAGE_CHECKED = "footage.checked"
    LOG_FORKED = "centre.log-forked"
    LOG_PUT_BACK = "centre.log-put-back"
    REFERENCE_APPLIED = "centre.reference-applied"
    CENTRE_KEY_FOLLOWED = "centre.key-followed"
    STATION_REVOKED = "centre.revoked-this"
    ITEM_MISDIRECTED = "centre.item-misdirected"
    UNEXPECTED = "session.unexpected"
    CATALOGUE_INSTALLED = "catalogue.installed"
    CATALOGUE_ROLLED_BACK = "catalogue.rolled-back"
    GTIN_BOUND = "catalogue.gtin-bound"
    GTIN_RELEASED = "catalogue.gtin-released"
    PRODUCT_ADDED = "catalogue.product-added"
    PRODUCT_WITHDRAWN = "catalogue.product-withdrawn"
    TEMPLATE_REPORTED = "catalogue.template-reported"


class CentreAct(StrEnum):
    """What the centre itself does, in its own chain. Never renamed; new ones are added."""

    CODE_MADE = "centre.code-made"
    STATION_JOINED = "centre.station-joined"
    STATION_CONFIRMED = "centre.station-confirmed"
    STATION_REVOKED = "centre.station-revoked"
    STATION_LOCKED = "centre.station-locked"
    STATION_RELEASED = "centre.station-released"
    STATION_KEY_ROTATED = "centre.station-key-rotated"
    KEY_ROTATED = "centre.key-rotated"
    ALARM = "centre.alarm"
    SIGNATURE_DAMAGED = "centre.signature-damaged"
    HANDED_OUT = "centre.handed-out"
    DECIDED = "centre.decided"
    ACCEPT_RULE = "centre.accept-rule"
    TAKEN_UP = "centre.taken-up"
    REVEAL_ASKED = "centre.reveal-asked"
    REVEAL_NEEDS_SECOND = "centre.reveal-needs-second"
    REVEAL_APPROVED = "centre.reveal-approved"
    REVEAL_GRANTED = "centre.reveal-granted"
    REVEAL_SHOWN = "centre.reveal-shown"
    REVEAL_TAKEN = "centre.reveal-taken"
    REVEAL_REFUSED = "centre.reveal-refused"
    FOOTAGE_GIVEN = "centre.footage-given"
    PERSON_LET_IN = "centre.person-let-in"
    PERSON_TAKEN_BACK = "centre.person-taken-back"
    RESTORED = "centre.restored"


@dataclass(frozen=True, slots=True)
class Stamp:
    """When an event happened: wall clock (µs since 1970, only shown), monotonic clock, boot, offset to the centre."""

    wall_us: int
    mono_us: int
    boot_id: str
    clock_offset_ms: int = 0


class SignedEvent(NamedTuple):
    """One link of the chain: the exact bytes, their SHA-256 (hex) and the station's signature.

    A tuple, because audits make one of each row, and a dataclass takes three times as long to make.
    """

    seq: int
    data: bytes
    hash: str
    sig: bytes


def canonical(value: Any) -> bytes:
    """Canonical JSON bytes. Raises ValueError on floats and on keys that are no text: they have no single spelling."""
    _refuse_ambiguous(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _refuse_ambiguous(value: Any) -> None:
    if isinstance(value, float):
        raise ValueError("an audit event holds no floats")
    children: Iterable[Any] = ()
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("the keys of an audit event are texts")
        children = value.values()
    elif isinstance(value, (list, tuple)):
        children = value
    for child in children:
        _refuse_ambiguous(child)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def link(
    *,
    event_id: str,
    station: str,
    seq: int,
    prev: str,
    kind: EventKind | CentreAct,
    stamp: Stamp,
    actor: str,
    body: Mapping[str, Any],
    sign: Callable[[bytes], bytes],
) -> SignedEvent:
    """Make the next event of a station's chain. `sign` is Ed25519 over the canonical bytes.

    Raises ValueError for what `canonical` refuses and for more than MOST_BYTES.
    """
    data = canonical(
        {
            "v": VERSION,
            "id": event_id,
            "station": station,
            "seq": seq,
            "prev": prev,
            "kind": kind.value,
            "at_wall": stamp.wall_us,
            "at_mono": stamp.mono_us,
            "boot_id": stamp.boot_id,
            "clock_offset": stamp.clock_offset_ms,
            "actor": actor,
            "body": dict(body),
        }
    )
    if len(data) > MOST_BYTES:
        raise ValueError(f"{kind.value}: {len(data)} bytes in one event")
    return SignedEvent(seq, data, digest(data), sign(data))


@dataclass(frozen=True, slots=True)
class ChainFault:
    """The first thing wrong with a chain: the event's `seq` and a code (gap prev hash signature station format)."""

    seq: int
    code: str


def first_fault(
    events: Iterable[SignedEvent],
    *,
    station: str,
    verify: Callable[[bytes, bytes], bool],
    prev: str = GENESIS,
    seq: int = 1,
    every: bool = True,
) -> ChainFault | None:
    """Check a run of events that should begin at `seq` after hash `prev`; None when every link holds.

    `verify(sig, data)` tells whether the station's key signed `data`. Each event names the hash of the one before, so
    a signature vouches for all before it: without `every` only the last one is checked, and what an event says of its
    place is read from its end, where canonical JSON puts it.
    """
    listed = events if isinstance(events, Sequence) else list(events)
    first, fault = seq, None
    end = _end(station)
    for event in listed:
        quick = not every and _stands(event, end, prev, seq)
        code = "" if quick else _link_fault(event, station, prev, seq, verify if every else None)
        if code:
            fault = ChainFault(event.seq, code)
            break
        prev, seq = event.hash, seq + 1
    good = seq - first
    if every or good == 0 or verify(listed[good - 1].sig, listed[good - 1].data):
        return fault
    start = listed[0].seq  # somebody's signature does not hold: whose is the first?
    before = json.loads(listed[0].data)["prev"]
    return first_fault(listed, station=station, verify=verify, prev=before, seq=start, every=True)


def linked(events: Sequence[SignedEvent], *, station: str, prev: str, seq: int) -> bool:
    """Whether a run of events, the first of them number `seq` after hash `prev`, is what it should be but for its
    signatures, and written as `link` writes. Where it is not, `first_fault` says whether anything is wrong.

    By column: an audit has millions of them, and one after the other takes a quarter longer.
    """
    if not events:
        return True
    numbers, data, told, _ = zip(*events, strict=True)
    own = [hashlib.sha256(one).hexdigest() for one in data]
    end = _end(station)
    places = [_place(before, number, end) for number, before in enumerate([prev, *own[:-1]], seq)]
    in_order = list(numbers) == list(range(seq, seq + len(events)))
    return in_order and list(told) == own and all(map(bytes.endswith, data, places))


def _end(station: str) -> str:
    """What all events of a station end with."""
    return f',"station":{canonical(station).decode()},"v":{VERSION}}}'


def _place(prev: str, seq: int, end: str) -> bytes:
    """What an event in this place ends with; its keys are sorted, so its place is told last."""
    return f'"prev":"{prev}","seq":{seq}{end}'.encode()


def _stands(event: SignedEvent, end: str, prev: str, seq: int) -> bool:
    """Whether an event is, but for its signature, what the one in this place has to be."""
    number, data, own, _ = event
    return number == seq and data.endswith(_place(prev, seq, end)) and hashlib.sha256(data).hexdigest() == own


def _link_fault(
    event: SignedEvent, station: str, prev: str, seq: int, verify: Callable[[bytes, bytes], bool] | None
) -> str:
    """What is wrong with one link, "" for nothing. Without `verify` its signature is not looked at."""
    if digest(event.data) != event.hash:
        return "hash"
    if verify is not None and not verify(event.sig, event.data):
        return "signature"
    try:
        head = json.loads(event.data)
        told = (head["seq"], head["station"], head["prev"])
    except (ValueError, KeyError, TypeError):
        return "format"
    if told[0] != seq or event.seq != seq:
        return "gap"
    if told[1] != station:
        return "station"
    return "" if told[2] == prev else "prev"
