"""A change of key in the chain: each event holds by the key of its place, whatever a change looks like that is none."""

from __future__ import annotations

import base64
import runpy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.audit import GENESIS, EventKind, SignedEvent, Stamp, link
from app.core.errors import BadInput, StorageTrouble
from app.keys import Signer, new_seed
from app.rotation import by_key, key_after, parts_fault, rotation_body
from app.store.ledger import is_frozen
from app.store.rotating import any_key, key_at, recording_key, rotate
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.store.verify import LOG_VERIFIER, verify_audit
from tests.store.conftest import stamp

STATION = "st-1"
STRANGER = Signer(new_seed())
NONE_AT_ALL = ("proof", "place", "station", "old", "same", "hex", "missing", "kind")
"""Ways in which a change of key can be none."""


class Chain:
    """A station's chain under keys that change."""

    def __init__(self) -> None:
        self.signer = self.first = Signer(new_seed())
        self.events: list[SignedEvent] = []
        self.keys: list[bytes] = []  # by which each event has to hold

    def add(self, kind: EventKind, body: dict[str, Any], signer: Signer | None = None) -> None:
        head = self.events[-1].hash if self.events else GENESIS
        seq = len(self.events) + 1
        self.keys.append(self.signer.public_key)
        self.events.append(
            link(
                event_id=f"e-{seq}", station=STATION, seq=seq, prev=head, kind=kind, stamp=Stamp(seq, seq, "b"),
                actor="1001", body=body, sign=(signer or self.signer).sign,
            )
        )  # fmt: skip

    def body(self, new: Signer, station: str = STATION, late: int = 0, old: bytes = b"") -> dict[str, Any]:
        head = self.events[-1].hash if self.events else GENESIS
        place = len(self.events) + 1 + late
        return rotation_body(station, place, head, old or self.signer.public_key, new)

    def rotate(self) -> None:
        new = Signer(new_seed())
        self.add(EventKind.KEY_ROTATED, self.body(new))
        self.signer = new

    def no_rotation(self, way: str) -> None:
        """An event of the right kind that changes nothing."""
        new = Signer(new_seed())
        body = self.body(new)
        other = {
            "proof": {**body, "proof": STRANGER.sign(b"x").hex()},
            "place": self.body(new, late=1),
            "station": self.body(new, station="st-2"),
            "old": self.body(new, old=STRANGER.public_key),
            "same": self.body(self.signer),
            "hex": {**body, "new_key": body["new_key"].upper() + " "},
            "missing": {"new_key": body["new_key"]},
            "kind": {"kind": EventKind.KEY_ROTATED.value, **body},
        }[way]
        self.add(EventKind.UNEXPECTED if way == "kind" else EventKind.KEY_ROTATED, other)


STEPS = st.lists(st.sampled_from(["event", "rotate", *NONE_AT_ALL]), max_size=14)


def built(steps: list[str]) -> Chain:
    chain = Chain()
    for step in steps:
        if step == "event":
            chain.add(EventKind.UNEXPECTED, {"n": len(chain.events)})
        elif step == "rotate":
            chain.rotate()
        else:
            chain.no_rotation(step)
    return chain


def offline(chain: Chain, every: bool) -> bytes:
    """The key after the chain, by the one-file verifier. Raises its Wrong."""
    rooms = runpy.run_path(str(LOG_VERIFIER))
    told, log = rooms["Chain"](chain.first.public_key.hex()), rooms["Log"]()
    for event in chain.events:
        fields = {"station": STATION, "seq": event.seq, "n": log.size, "hash": event.hash}
        fields |= {"data": base64.b64encode(event.data).decode(), "sig": base64.b64encode(event.sig).decode()}
        rooms["take_event"](fields, {STATION: told}, log, every)
    if told.last is not None and not told.signed(*told.last):
        raise rooms["Wrong"]("last signature")
    rooms["require_noted"]({STATION: told})
    return bytes(told.public)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.booleans())
def test_all_who_verify_follow_the_same_keys(steps: list[str], every: bool) -> None:
    chain = built(steps)
    fault, key = parts_fault(by_key(chain.events, chain.first.public_key), station=STATION, every=every)
    assert (fault, key) == (None, chain.signer.public_key)
    assert offline(chain, every) == key


@settings(max_examples=60, deadline=None)
@given(STEPS.filter(lambda steps: "rotate" in steps), st.data())
def test_no_key_speaks_outside_its_place(steps: list[str], data: st.DataObject) -> None:
    """One event signed by another of the station's own keys, or by a stranger's: found, and where."""
    chain = built([*steps, "event"])
    at = data.draw(st.integers(0, len(chain.events) - 1))
    event = chain.events[at]
    bent = event._replace(sig=STRANGER.sign(event.data))
    events = [*chain.events[:at], bent, *chain.events[at + 1 :]]
    fault, _ = parts_fault(by_key(events, chain.keys[0]), station=STATION)
    assert fault is not None
    assert (fault.seq, fault.code) == (event.seq, "signature")
    chain.events[at] = bent
    with pytest.raises(Exception, match="signature"):
        offline(chain, every=True)


def test_the_old_key_cannot_go_on_after_the_change() -> None:
    chain = built(["event", "rotate"])
    chain.add(EventKind.UNEXPECTED, {}, signer=chain.first)
    for every in (True, False):
        fault, _ = parts_fault(by_key(chain.events, chain.first.public_key), station=STATION, every=every)
        assert fault is not None
        assert (fault.seq, fault.code) == (3, "signature")
    with pytest.raises(Exception, match="last"):
        offline(chain, every=False)


def test_a_change_holds_only_under_the_key_that_signed_it() -> None:
    chain = built(["rotate"])
    assert key_after(chain.events[0], chain.first.public_key) == chain.signer.public_key
    assert key_after(chain.events[0], STRANGER.public_key) == STRANGER.public_key


def test_after_a_rotation_the_store_signs_anew_and_keeps_what_was_derived(working: Store, tmp_path: Path) -> None:
    journal, first = working.chip_journal_key(), working.public_key
    other = Store.open(tmp_path / "station.db", REHEARSAL_PASSPHRASE, reserve_bytes=0)  # as a window that is open
    done = rotate(working.ledger, stamp(), "os:anna")
    assert (done.old_key, done.new_key) == (first, working.public_key)
    assert working.chip_journal_key() == journal
    seq = other.record(EventKind.UNEXPECTED, {}, stamp(), "1001")
    assert other.public_key == done.new_key
    assert [key_at(other.ledger, at) for at in (done.seq, seq)] == [first, done.new_key]
    event = other.outbox_after(seq - 1)[0]
    assert any_key(other.ledger.identity_now())(event.sig, event.data)
    other.close()
    again = Store.open(tmp_path / "station.db", REHEARSAL_PASSPHRASE, reserve_bytes=0)
    assert (again.public_key, again.chip_journal_key()) == (done.new_key, journal)
    again.export_chain(tmp_path / "chain.jsonl")
    again.close()
    for path in (tmp_path, tmp_path / "chain.jsonl"):
        report = verify_audit(path, REHEARSAL_PASSPHRASE)
        assert report["ok"]
        assert len(report["chains"][0]["keys_before"]) == 1


def test_a_seed_that_no_event_names_is_found(working: Store, tmp_path: Path) -> None:
    with working.ledger.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO rotated_key VALUES (1, ?)", (new_seed(),))
    assert verify_audit(tmp_path, REHEARSAL_PASSPHRASE)["chains"][0]["fault"]["code"] == "key"


def test_an_open_recording_keeps_its_key_to_the_end(working: Store) -> None:
    first = working.public_key.hex()
    working.new_recording("r-9", "p-1", stamp(), "1001")
    head = len(working.outbox_after(0))
    with pytest.raises(BadInput, match=r"station\.recording_open"):
        rotate(working.ledger, stamp(), "os:anna")
    assert (len(working.outbox_after(0)), working.public_key.hex()) == (head, first)
    working.close_recording("r-9", "ab" * 32, "cd" * 32, 10, stamp(), "1001")
    rotate(working.ledger, stamp(), "os:anna")
    assert recording_key(working.ledger, "r-9") == first != working.public_key.hex()


def test_a_full_disk_leaves_the_key_that_was(working: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first, head = working.public_key, len(working.outbox_after(0))

    def full(*_args: Any, **_kwargs: Any) -> None:
        raise StorageTrouble("store.disk_full")

    monkeypatch.setattr("app.store.rotating.insert", full)
    with pytest.raises(StorageTrouble):
        rotate(working.ledger, stamp(), "os:anna")
    assert (working.public_key, len(working.outbox_after(0))) == (first, head)
    with working.ledger.reading() as connection:
        assert not is_frozen(connection)
