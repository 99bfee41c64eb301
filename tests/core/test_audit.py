"""The audit chain: one spelling, and the first thing wrong with a chain is found."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import assume, given
from hypothesis import strategies as st

from app.core.audit import (
    GENESIS,
    MOST_BYTES,
    ChainFault,
    EventKind,
    SignedEvent,
    Stamp,
    canonical,
    digest,
    first_fault,
    link,
    linked,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
STATION = "station-1"

scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20)
values = st.recursive(scalars, lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(max_size=8), v, max_size=4))
bodies = st.dictionaries(st.text(max_size=8), values, max_size=4)


def verify(sig: bytes, data: bytes) -> bool:
    try:
        KEY.public_key().verify(sig, data)
    except InvalidSignature:
        return False
    return True


def chain(length: int, station: str = STATION, sign: Callable[[bytes], bytes] = KEY.sign) -> list[SignedEvent]:
    events: list[SignedEvent] = []
    for seq in range(1, length + 1):
        events.append(
            link(
                event_id=f"id-{seq}",
                station=station,
                seq=seq,
                prev=events[-1].hash if events else GENESIS,
                kind=EventKind.CARD_KEPT,
                stamp=Stamp(seq, seq, "boot"),
                actor="1007",
                body={"no": seq},
                sign=sign,
            )
        )
    return events


def fault(events: list[SignedEvent], **start: object) -> ChainFault | None:
    return first_fault(events, station=STATION, verify=verify, **start)  # type: ignore[arg-type]


CHAIN = chain(8)


def test_a_whole_chain_has_no_fault_from_any_point() -> None:
    assert fault([]) is None
    assert fault(CHAIN) is None
    assert fault(CHAIN[3:], prev=CHAIN[2].hash, seq=4) is None


@given(at=st.integers(0, 7), where=st.integers(0), bit=st.integers(0, 7), part=st.sampled_from(["data", "sig"]))
def test_any_flipped_bit_is_found_where_it_is(at: int, where: int, bit: int, part: str) -> None:
    bytes_ = bytearray(getattr(CHAIN[at], part))
    bytes_[where % len(bytes_)] ^= 1 << bit
    damaged = [*CHAIN[:at], CHAIN[at]._replace(**{part: bytes(bytes_)}), *CHAIN[at + 1 :]]
    assert fault(damaged) == ChainFault(at + 1, "hash" if part == "data" else "signature")


@given(at=st.integers(0, 7), where=st.integers(0), bit=st.integers(0, 7))
def test_a_flipped_bit_with_its_hash_made_to_fit_is_found_too(at: int, where: int, bit: int) -> None:
    bytes_ = bytearray(CHAIN[at].data)
    bytes_[where % len(bytes_)] ^= 1 << bit
    forged = CHAIN[at]._replace(data=bytes(bytes_), hash=digest(bytes(bytes_)))
    assert fault([*CHAIN[:at], forged, *CHAIN[at + 1 :]]) == ChainFault(at + 1, "signature")


@given(at=st.integers(0, 6))
def test_a_dropped_event_is_found(at: int) -> None:
    found = fault([*CHAIN[:at], *CHAIN[at + 1 :]])
    assert found == ChainFault(at + 2, "gap")


@given(a=st.integers(0, 7), b=st.integers(0, 7))
def test_swapped_events_are_found(a: int, b: int) -> None:
    assume(a != b)
    swapped = list(CHAIN)
    swapped[a], swapped[b] = swapped[b], swapped[a]
    assert fault(swapped) == ChainFault(max(a, b) + 1, "gap")


@given(at=st.integers(0, 7))
def test_a_repeated_event_is_found(at: int) -> None:
    assert fault([*CHAIN[: at + 1], *CHAIN[at:]]) == ChainFault(at + 1, "gap")


def _spliced(at: int, other: list[SignedEvent]) -> list[SignedEvent]:
    return [*CHAIN[:at], *other[at:]]


@given(at=st.integers(1, 7))
def test_a_part_of_another_chain_is_found(at: int) -> None:
    rewritten = chain(8)
    first = link(
        event_id="id-other",
        station=STATION,
        seq=1,
        prev=GENESIS,
        kind=EventKind.STATION_STARTED,
        stamp=Stamp(1, 1, "boot"),
        actor="",
        body={},
        sign=KEY.sign,
    )
    rewritten = [first]
    for event in CHAIN[1:]:
        body = json.loads(event.data)["body"]
        rewritten.append(
            link(
                event_id="id-other",
                station=STATION,
                seq=event.seq,
                prev=rewritten[-1].hash,
                kind=EventKind.CARD_KEPT,
                stamp=Stamp(1, 1, "boot"),
                actor="",
                body=body,
                sign=KEY.sign,
            )
        )
    assert fault(rewritten) is None
    assert fault(_spliced(at, rewritten)) == ChainFault(at + 1, "prev")
    assert fault(_spliced(at, chain(8, station="station-2"))) == ChainFault(at + 1, "station")
    assert fault(_spliced(at, chain(8, sign=OTHER_KEY.sign))) == ChainFault(at + 1, "signature")


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"seq":1}', b"null", b"\xff", b'"text"'])
def test_bytes_that_are_no_event_are_told_so(data: bytes) -> None:
    assert fault([SignedEvent(1, data, digest(data), KEY.sign(data))]) == ChainFault(1, "format")


@given(bodies)
def test_canonical_json_has_one_spelling(body: dict[str, object]) -> None:
    data = canonical(body)
    assert json.loads(data) == body
    assert canonical(json.loads(data)) == data
    assert canonical(dict(reversed(body.items()))) == data


@given(value=st.floats(), depth=st.integers(0, 3))
def test_no_float_gets_in(value: float, depth: int) -> None:
    holder: object = value
    for _ in range(depth):
        holder = {"in": [holder, ("x",)]}
    with pytest.raises(ValueError, match="floats"):
        canonical(holder)


@pytest.mark.parametrize("key", [1, 1.5, None, True])
def test_keys_are_texts(key: object) -> None:
    with pytest.raises(ValueError, match="texts"):
        canonical({"a": [{key: 1}]})


def test_an_event_that_could_never_be_sent_is_not_made() -> None:
    with pytest.raises(ValueError, match="bytes in one event"):
        link(
            event_id="e",
            station="st",
            seq=1,
            prev=GENESIS,
            kind=EventKind.UNEXPECTED,
            stamp=Stamp(1, 1, "boot"),
            actor="",
            body={"long": "x" * MOST_BYTES},
            sign=lambda data: data[:64],
        )


def test_the_hash_is_of_the_exact_bytes() -> None:
    event = CHAIN[0]
    assert event.hash == digest(event.data)
    assert json.loads(event.data)["body"] == {"no": 1}
    assert canonical(json.loads(event.data)) == event.data


@pytest.mark.parametrize("every", [True, False])
def test_a_planted_change_is_found_with_few_signatures_too(every: bool) -> None:
    """One signature vouches for all before it, so a rewrite of any event is found all the same."""
    assert fault(CHAIN, every=every) is None
    assert fault(chain(8, sign=OTHER_KEY.sign), every=every) == ChainFault(1, "signature")
    assert fault(chain(8, station="other"), every=every) == ChainFault(1, "station")
    assert fault(CHAIN[:2] + CHAIN[3:], every=every) == ChainFault(4, "gap")
    bent = CHAIN[2]._replace(data=CHAIN[2].data.replace(b"1007", b"1008"))
    assert fault([*CHAIN[:2], bent, *CHAIN[3:]], every=every) == ChainFault(3, "hash")
    fitted = bent._replace(hash=digest(bent.data))
    found = ChainFault(3, "signature") if every else ChainFault(4, "prev")
    assert fault([*CHAIN[:2], fitted, *CHAIN[3:]], every=every) in (found, ChainFault(3, "signature"))


def _changed(events: list[SignedEvent], at: int, other: int, how: str) -> list[SignedEvent]:
    changed = list(events)
    match how:
        case "data":
            changed[at] = events[at]._replace(data=events[other].data)
        case "hash":
            changed[at] = events[at]._replace(hash=events[other].hash)
        case "number":
            changed[at] = events[at]._replace(seq=events[other].seq)
        case "swapped":
            changed[at], changed[other] = events[other], events[at]
        case "left out":
            del changed[at]
        case "doubled":
            changed.insert(at, events[other])
        case "of another station":
            changed[at] = chain(8, station="other")[at]
    return changed


@given(
    at=st.integers(0, 7),
    other=st.integers(0, 7),
    first=st.integers(0, 8),
    how=st.sampled_from(["data", "hash", "number", "swapped", "left out", "doubled", "of another station"]),
)
def test_a_run_is_linked_where_first_fault_finds_nothing_but_for_signatures(
    at: int, other: int, first: int, how: str
) -> None:
    events = _changed(CHAIN, at, other, how)
    place = {"station": STATION, "prev": CHAIN[first - 1].hash if first else GENESIS, "seq": first + 1}
    found = first_fault(events[first:], verify=lambda _sig, _data: True, **place)  # type: ignore[arg-type]
    assert linked(events[first:], **place) is (found is None)  # type: ignore[arg-type]
    assert linked(CHAIN[first:], **place)  # type: ignore[arg-type]
