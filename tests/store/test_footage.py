"""What a reviewer finds in the store, and what is held may not be removed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import insert

from app.core.audit import EventKind, Stamp
from app.core.cards import CardState
from app.core.errors import BadInput, EvidenceTrouble
from app.core.footage import Pile
from app.core.parcels import Reason, WayOut
from app.keys import Signer, new_seed
from app.store import footage, leaks
from app.store.leaks import LeakSight
from app.store.store import Store
from app.store.tables import durable
from app.wire import Durable, Receipt, Signed, sign_statement

Make = Callable[..., Any]
NOW_US = int(datetime(2026, 11, 21, 10, 42, 18).timestamp() * 1e6)


def at(hour: int, minute: int = 0, day: int = 21) -> Stamp:
    return Stamp(int(datetime(2026, 11, day, hour, minute).timestamp() * 1e6), 5, "boot-1")


@pytest.fixture
def full(store: Store, make_parcel: Make, make_draft: Make) -> Store:
    """Two parcels: one with two cards (the second to be reviewed), one without any."""
    for number, waybill in ((1, "SF1420773101918"), (2, "YT9988776655443")):
        store.new_recording(f"r-{number}", f"p-{number}", at(9), "1001")
        parcel = make_parcel(f"p-{number}", waybill)
        store.open_parcel(type(parcel)(parcel.parcel_id, parcel.expected, f"r-{number}", parcel.operator), at(9))
        if number == 1:
            store.keep_card(make_draft(1, card_id="c-1"), at(10, 30), "1001")
            again = make_draft(
                2, "6222020012349140", card_id="c-2", verdict=CardState.REVIEW, reasons=(Reason.OPERATOR_REVIEW,)
            )
            store.keep_card(again, at(10, 40), "1001")
            store.seal_parcel("p-1", WayOut.EQUAL, at(10, 41), "1001")
    return store


def names(store: Store, pile: Pile, query: str = "") -> list[str]:
    return [line.card_id or line.parcel_id for line in store.footage_lines(pile, query, NOW_US).lines]


def test_piles_show_what_waits_what_there_is_and_what_is_held(full: Store) -> None:
    assert names(full, Pile.REVIEW) == ["c-2"]
    assert names(full, Pile.ALL) == ["c-2", "c-1", "p-2"]
    assert names(full, Pile.HELD) == []
    full.hold_footage("r-1", "customer complains", at(10, 42), "2001")
    assert names(full, Pile.HELD) == ["c-2", "c-1"]
    counts = {Pile.REVIEW: 1, Pile.SAMPLE: 0, Pile.DISPUTE: 0, Pile.HELD: 2, Pile.ALL: 3}
    assert dict(full.footage_lines(Pile.REVIEW, "", NOW_US).counts) == counts


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("SF1420 773101918", ["c-2", "c-1"]), ("sf142077", ["c-2", "c-1"]), ("9140", ["c-2"]), ("5678", ["c-1"]),
        ("10:30", ["c-2", "c-1"]), ("10:40:30", ["c-2"]), ("9:00", ["p-2"]), ("11-21", ["c-2", "c-1", "p-2"]),
        ("2026-11-21 10:40", ["c-2", "c-1"]), ("11-20", []), ("99887766", ["p-2"]), ("0000", []), ("%", []),
        ("10:75", []),
    ],
)  # fmt: skip
def test_search_by_waybill_last_four_or_time(full: Store, query: str, found: list[str]) -> None:
    assert names(full, Pile.REVIEW, query) == found


def test_a_time_of_day_that_is_still_to_come_was_yesterday() -> None:
    start, end = footage.time_span("23:00", NOW_US) or (0, 0)
    assert datetime.fromtimestamp((start + end) / 2e6) == datetime(2026, 11, 20, 23, 0)
    assert footage.time_span("SF123", NOW_US) is None
    assert footage.time_span("2026-02-30", NOW_US) is None


def test_lines_tell_no_secret(full: Store) -> None:
    told = repr(full.footage_lines(Pile.ALL, "", NOW_US)) + repr(full.filmed_cards("r-1"))
    assert "9140" in told
    assert "622202001" not in told
    assert "83749261" not in told


def test_a_hold_needs_a_reason_and_is_told_with_who_and_why(full: Store) -> None:
    with pytest.raises(BadInput, match=r"hold.no_reason"):
        full.hold_footage("r-1", "  ", at(11), "2001")
    with pytest.raises(BadInput, match=r"recording.unknown"):
        full.hold_footage("r-9", "why", at(11), "2001")
    before = full.queue().head
    held = full.hold_footage("r-1", "complaint", at(11), "2001")
    assert full.hold_footage("r-1", "another", at(12), "2002") == held == full.hold_on("r-1")
    full.release_footage("r-1", "", at(13), "2001")
    full.release_footage("r-1", "", at(14), "2001")
    events = [json.loads(event.data) for event in full.outbox_after(before)]
    assert [(e["kind"], e["actor"]) for e in events] == [
        (EventKind.FOOTAGE_HELD, "2001"),
        (EventKind.FOOTAGE_RELEASED, "2001"),
    ]
    assert events[0]["body"]["reason"] == "complaint"
    assert full.hold_on("r-1") is None


def test_only_what_the_centre_has_and_nobody_holds_may_be_removed(full: Store) -> None:
    with pytest.raises(BadInput, match=r"footage.must_stay"):
        full.note_removed("r-1", 10, at(11))
    with full._engine.begin() as connection:
        connection.execute(insert(durable), {"recording_id": "r-1", "epoch": "e", "text": "{}", "sig": b""})
    full.hold_footage("r-1", "complaint", at(11), "2001")
    with pytest.raises(BadInput, match=r"footage.must_stay"):
        full.note_removed("r-1", 10, at(11))
    full.release_footage("r-1", "", at(12), "2001")
    seq = full.note_removed("r-1", 10, at(12))
    assert full.note_removed("r-1", 10, at(13)) == seq
    one = next(known for known in full.known_recordings() if known.recording_id == "r-1")
    assert (one.durable, one.held, one.removed, one.waybill) == (True, False, True, "SF1420773101918")


def test_recordings_are_found_by_waybill_and_by_card(full: Store) -> None:
    assert full.recordings_of_waybill("SF1420 7731 01918") == ("r-1",)
    assert full.recordings_of_waybill("SF0") == ()
    assert (full.recording_of_card("c-2"), full.recording_of_card("c-9")) == ("r-1", None)


def receipt(store: Store, signer: Signer, epoch: str, high: int) -> Signed:
    head = store.outbox_after(high - 1)[0].hash if high else ""
    told = {"station": store.station, "high": high, "head_hash": head, "log_size": high, "root": "00" * 32}
    return sign_statement(Receipt(**told, server_time_ms=1, epoch=epoch), signer.sign)


def test_a_centre_that_was_put_back_has_to_say_again_what_it_holds(full: Store, keys: Any) -> None:
    """Else the station would remove the only copy."""
    full.close_recording("r-1", "ab" * 32, "cd" * 32, 30, at(10, 42), "1001")
    for epoch, high in (("one", 5), ("two", 0)):
        full.save_receipt(receipt(full, keys.server, epoch, high))
        assert (full.is_durable("r-1"), full.known_recordings()[-1].durable) == (False, False)
        assert [one.recording_id for one in full.waiting_footage()] == ["r-1"]
        with pytest.raises(BadInput, match=r"footage.must_stay"):
            full.note_removed("r-1", 9, at(11))
        told = {"station": full.station, "recording": "r-1", "final_hash": "ab" * 32, "pieces_hash": "ef" * 32}
        held = sign_statement(Durable(**told, bytes=9, server_time_ms=1, epoch=epoch), keys.server.sign)
        full.save_durable(held, "ef" * 32)
        assert (full.is_durable("r-1"), full.waiting_footage()) == (True, ())
        assert len([one for one in full.known_recordings() if one.durable]) == 1
    full.note_removed("r-1", 9, at(11))
    full.save_receipt(receipt(full, keys.server, "three", 1))
    assert full.waiting_footage() == ()  # there is nothing left to send


@pytest.mark.parametrize(
    "changed",
    [{"station": "another"}, {"recording": "r-9"}, {"final_hash": "00" * 32}, {"pieces_hash": "00" * 32}, None],
    ids=["station", "recording", "journal", "chunks", "key"],
)
def test_the_centres_word_on_other_footage_frees_none(full: Store, keys: Any, changed: dict[str, str] | None) -> None:
    """`changed` None: all of it is right, but somebody else signed it."""
    full.close_recording("r-1", "ab" * 32, "cd" * 32, 30, at(10, 42), "1001")
    full.save_receipt(receipt(full, keys.server, "one", 5))
    told = {"station": full.station, "recording": "r-1", "final_hash": "ab" * 32, "pieces_hash": "ef" * 32}
    stated = Durable(**{**told, **(changed or {})}, bytes=9, server_time_ms=1, epoch="one")
    signed = sign_statement(stated, (keys.server if changed else Signer(new_seed())).sign)
    with pytest.raises(EvidenceTrouble, match=r"sync.untrusted_answer"):
        full.save_durable(signed, "ef" * 32)
    assert not full.is_durable("r-1")
    assert [one.recording_id for one in full.waiting_footage()] == ["r-1"]
    with pytest.raises(BadInput, match=r"footage.must_stay"):
        full.note_removed("r-1", 9, at(11))


def test_what_holds_one_cameras_footage_holds_the_others_too(full: Store) -> None:
    full.new_recording("l-1", "p-1", at(9), "1001", "label")
    full.hold_footage("r-1", "complaint", at(11), "2001")
    assert full.hold_on("l-1") is not None
    assert full.hold_on("r-2") is None
    full.release_footage("l-1", "settled", at(12), "2001")
    assert full.hold_on("r-1") is None
    assert full.hold_on("l-1") is None


def test_a_judgement_that_no_pin_is_seen_is_of_one_recording(full: Store) -> None:
    """A leak on the label camera shows in the list by the parcel's cards, and only its own judgement frees it."""
    full.new_recording("l-1", "p-1", at(9), "1001", "label")
    full.close_recording("l-1", "aa" * 32, "bb" * 32, 9, at(10), "1001")
    leaks.note_progress(full.ledger, "l-1", 9, 1, [LeakSight(5, "own", "word", 8)], at(11))
    assert names(full, Pile.HELD) == ["c-2", "c-1"]
    full.release_footage("r-1", "", at(12), "2001")
    assert full.hold_on("l-1") is not None
    full.release_footage("l-1", "a sticker", at(12), "2001")
    assert full.hold_on("l-1") is None


def test_recordings_of_a_waybill_begin_with_the_overhead_cameras(full: Store) -> None:
    full.new_recording("a-label", "p-1", at(8), "1001", "label")
    assert full.recordings_of_waybill("SF1420773101918") == ("r-1", "a-label")
