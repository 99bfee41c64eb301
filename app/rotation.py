"""A station's signing key gives way to another one, by an event in the station's own chain (`station.key-rotated`).

So does the centre's own, in the centre's chain (`centre.key-rotated`).

The event is signed by the old key and carries the new key's signature over its place: number and hash before it, both
keys, the station. So the old key says who follows it, the new one that it is there and meant for exactly this place.
Events up to and with that one hold by the old key, those after it by the new one. Whether an event rotates follows from
chain and keys alone: station, centre and whoever verifies afterwards come to the same answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.core.audit import (
    CENTRE,
    GENESIS,
    VERSION,
    CentreAct,
    ChainFault,
    EventKind,
    SignedEvent,
    canonical,
    first_fault,
    linked,
)
from app.keys import Signer, Verify, verifier

_MARK = b'.key-rotated"'
"""In the bytes of each such event, and of few others: what has it not needs no second look."""


def rotation_body(station: str, seq: int, prev: str, old_key: bytes, new: Signer) -> dict[str, Any]:
    """The body of the event number `seq` after hash `prev`, by which `new` follows `old_key` (32 bytes)."""
    proof = new.sign(_statement(station, seq, prev, old_key.hex(), new.public_key.hex()))
    return {"old_key": old_key.hex(), "new_key": new.public_key.hex(), "proof": proof.hex()}


def _statement(station: str, seq: int, prev: str, old_key: str, new_key: str) -> bytes:
    stated = {"type": "key-rotation", "station": station, "seq": seq, "prev": prev}
    return canonical({**stated, "old_key": old_key, "new_key": new_key})


def key_after(event: SignedEvent, key: bytes) -> bytes:
    """The key (32 bytes) that holds after an event which `key` signed: another one when it rotates, else the same.

    The event's own hash and signature are looked at elsewhere.
    """
    if _MARK not in event.data:
        return key
    try:
        head = json.loads(event.data)
        kind = CentreAct.KEY_ROTATED if head["station"] == CENTRE else EventKind.KEY_ROTATED
        fits = head["kind"] == kind.value and head["v"] == VERSION
        return _named(head, event.seq, key) if fits else key
    except (ValueError, KeyError, TypeError, RecursionError):
        return key


def _named(head: Mapping[str, Any], seq: int, key: bytes) -> bytes:
    """The key that follows, when it countersigned. Raises ValueError, KeyError, TypeError."""
    told = head["body"]
    new_key, proof = bytes.fromhex(told["new_key"]), bytes.fromhex(told["proof"])
    if (told["old_key"], told["new_key"]) != (key.hex(), new_key.hex()) or new_key == key:
        return key
    said = _statement(head["station"], seq, head["prev"], key.hex(), new_key.hex())
    return new_key if verifier(new_key)(proof, said) else key


@dataclass(frozen=True, slots=True)
class Held:
    """Events that one key signed, in order; the last of them may name the next key."""

    key: bytes
    events: Sequence[SignedEvent]


def by_key(events: Sequence[SignedEvent], key: bytes) -> list[Held]:
    """A run of events, the first of them under `key`, split where the key changes. Always one part at least."""
    parts, begin = [], 0
    for at in [at for at, event in enumerate(events, 1) if _MARK in event.data]:
        after = key_after(events[at - 1], key)
        if after != key:
            parts.append(Held(key, events[begin:at]))
            key, begin = after, at
    return [*parts, Held(key, events[begin:])]


@dataclass(frozen=True, slots=True)
class Stood:
    """What a whole chain comes to: its events, the hash of the last one, the keys that signed them in turn."""

    count: int
    head: str
    keys: tuple[bytes, ...]


def chain_stands(pieces: Iterable[Sequence[SignedEvent]], *, station: str, key: bytes) -> Stood | None:
    """Check a whole chain that began under `key`, piece by piece as it is read, by the signatures that vouch for the
    rest. None: not as easily as that; `parts_fault` says whether anything is wrong with it, and what.
    """
    seq, prev, keys = 1, GENESIS, [key]
    last: SignedEvent | None = None  # what vouches for all before it still has to be checked
    for piece in pieces:
        for part in by_key(piece, keys[-1]):
            if part.key != keys[-1]:
                if last is None or not _signed(keys[-1], last):
                    return None
                keys.append(part.key)
                last = None
            if not linked(part.events, station=station, prev=prev, seq=seq):
                return None
            if part.events:
                last = part.events[-1]
                seq, prev = last.seq + 1, last.hash
    return Stood(seq - 1, prev, tuple(keys)) if last is None or _signed(keys[-1], last) else None


def _signed(key: bytes, event: SignedEvent) -> bool:
    return verifier(key)(event.sig, event.data)


def parts_fault(
    parts: Sequence[Held], *, station: str, every: bool = True, check_of: Callable[[Held], Verify] | None = None
) -> tuple[ChainFault | None, bytes]:
    """`core.audit.first_fault` of a whole chain that was split by its keys, each event held to the key of its place;
    and the key that holds after the last of them (after the first fault it means nothing).

    `check_of`: how a part's signatures are checked, if not by its key alone.
    """
    prev, seq = GENESIS, 1
    for part in parts:
        check = check_of(part) if check_of else verifier(part.key)
        fault = first_fault(part.events, station=station, verify=check, prev=prev, seq=seq, every=every)
        if fault is not None:
            return fault, part.key
        if part.events:
            prev, seq = part.events[-1].hash, seq + len(part.events)
    return None, parts[-1].key
