"""Cards and parcels: what is acknowledged is there, once, with its event; facts cannot be changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from app.core.audit import EventKind, SignedEvent, Stamp, first_fault
from app.core.cards import CardState, Secret, Tag
from app.core.errors import BadInput
from app.core.parcels import CardDraft, EarlierParcel, ExpectedParcel, OpenParcel, Operator, Reason, Role, WayOut
from app.keys import verifier
from app.store.results import AlreadyKept, Duplicate, Kept
from app.store.seal import SUITE, Context, info_of
from app.store.store import REHEARSAL_PASSPHRASE, Store

Make = Callable[..., Any]


def bodies(store: Store, kind: EventKind) -> list[dict[str, Any]]:
    heads = [json.loads(event.data) for event in store.outbox_after(0)]
    return [head["body"] for head in heads if head["kind"] == kind.value]


NOW_US = 1_790_000_000_000_000


def test_a_kept_card_is_in_the_tray_with_its_event(working: Store, now: Stamp, make_draft: Make) -> None:
    kept = working.keep_card(make_draft(), now, "1001")
    assert isinstance(kept, Kept)
    assert working.tray("p-1") == (kept.card,)
    assert kept.card.last4 == "5678"
    (body,) = bodies(working, EventKind.CARD_KEPT)
    assert (body["card"], body["last4"], body["verdict"]) == (kept.card.card_id, "5678", "kept")
    assert body["rehearsal"] is True


def test_the_chain_verifies_and_survives_a_reopen(working: Store, now: Stamp, make_draft: Make, tmp_path: Path) -> None:
    working.keep_card(make_draft(), now, "1001")
    verify = verifier(working.public_key)
    working.close()
    again = Store.open(tmp_path / "station.db", REHEARSAL_PASSPHRASE, reserve_bytes=0)
    again.keep_card(make_draft(2, "6222020012345679"), now, "1001")
    events = again.outbox_after(0)
    assert [event.seq for event in events] == [1, 2, 3]
    assert first_fault(events, station="st-1", verify=verify) is None
    again.close()


def test_the_same_read_twice_is_one_card(working: Store, now: Stamp, make_draft: Make) -> None:
    card = make_draft()
    first = working.keep_card(card, now, "1001")
    again = working.keep_card(replace(card, card_id="another"), now, "1001")
    assert isinstance(first, Kept)
    assert again == AlreadyKept(first.card, first.seq)
    assert len(working.tray("p-1")) == 1


def test_the_same_number_is_refused_with_where_it_was(working: Store, now: Stamp, make_draft: Make) -> None:
    first = working.keep_card(make_draft(), now, "1001")
    second = working.keep_card(make_draft(2), now, "1001")
    assert isinstance(first, Kept)
    assert second == Duplicate(first.card.card_id, 1, "p-1", "SF1234567890123", "5678", now.wall_us)
    assert len(working.outbox_after(0)) == 2


@pytest.mark.parametrize("free", ["withdraw", "reject"])
def test_a_number_is_free_again_after(free: str, working: Store, now: Stamp, make_draft: Make) -> None:
    first = working.keep_card(make_draft(), now, "1001")
    assert isinstance(first, Kept)
    if free == "withdraw":
        taken_back = working.withdraw_card(first.card.card_id, (), now, "1001")
        assert taken_back.state is CardState.WITHDRAWN
    else:
        working.change_card(first.card.card_id, CardState.REJECTED, (Reason.REJECTED_SENDER,), now, "1001")
    assert isinstance(working.keep_card(make_draft(2), now, "1001"), Kept)
    expected = [2] if free == "withdraw" else [1, 2]
    assert [card.no for card in working.tray("p-1")] == expected


def test_a_rejected_duplicate_can_be_written_down(working: Store, now: Stamp, make_draft: Make) -> None:
    working.keep_card(make_draft(), now, "1001")
    refused = make_draft(2, verdict=CardState.REJECTED, reasons=(Reason.DUPLICATE,))
    assert isinstance(working.keep_card(refused, now, "1001"), Kept)


def test_cards_without_a_number_are_not_duplicates(working: Store, now: Stamp, make_draft: Make) -> None:
    for no in (1, 2):
        assert isinstance(working.keep_card(make_draft(no, None, verdict=CardState.REVIEW), now, "1001"), Kept)


def test_a_change_is_a_compensating_event(working: Store, now: Stamp, make_draft: Make) -> None:
    kept = working.keep_card(make_draft(), now, "1001")
    assert isinstance(kept, Kept)
    changed = working.change_card(kept.card.card_id, CardState.REVIEW, (Reason.OPERATOR_REVIEW,), now, "1001")
    assert (changed.state, changed.reasons) == (CardState.REVIEW, (Reason.OPERATOR_REVIEW,))
    (body,) = bodies(working, EventKind.CARD_TO_REVIEW)
    assert body["of"] == working.outbox_after(1)[0].hash
    with pytest.raises(BadInput, match=r"store.unknown_card"):
        working.withdraw_card("nobody", (), now, "1001")


def test_sealed_secrets_open_with_the_vault_key_only(keys: Any, working: Store, now: Stamp, make_draft: Make) -> None:
    card = make_draft()
    kept = working.keep_card(card, now, "1001")
    assert isinstance(kept, Kept)
    (body,) = bodies(working, EventKind.CARD_KEPT)
    blobs = {hashlib.sha256(blob).hexdigest(): blob for blob in working.blobs_between(1, 99)}
    opened = {}
    for name, told in body["sealed"].items():
        info = info_of(Context("t-1", "st-1", card.card_id, name), told["key"])
        padded = SUITE.decrypt(blobs[told["sha256"]][12:], keys.vault, info=info)
        assert len(padded) == 128
        opened[name] = padded.rstrip(b"\0")[:-1].decode()
    assert opened == {"number": "6222020012345678", "pin": "83749261"}


def test_an_unfinished_parcel_is_found_with_its_cards(working: Store, now: Stamp, make_draft: Make) -> None:
    for no in (1, 2, 3):
        working.keep_card(make_draft(no, f"62220200123400{no:02}"), now, "1001")
    working.mark_shot("p-1", 9_000_000)
    found = working.unfinished_parcel()
    assert found is not None
    assert [card.no for card in found.cards] == [1, 2, 3]
    assert (found.expected.declared, found.expected.items[0].count, found.operator.name) == (10, 10, "林晓")
    assert found.shots == (9_000_000,)


def test_a_sealed_parcel_is_known_afterwards(working: Store, now: Stamp, make_draft: Make, make_parcel: Make) -> None:
    expected: ExpectedParcel = make_parcel().expected
    working.announce_parcels([expected])
    assert working.find_parcel(expected.waybill) == expected
    working.keep_card(make_draft(), now, "1001")
    working.count_parcel("p-1", 1, now, "1001")
    working.seal_parcel("p-1", WayOut.SUBMIT_DIFFERENT, now, "1001")
    assert working.unfinished_parcel() is None
    assert working.find_parcel(expected.waybill) == EarlierParcel(expected.waybill, now.wall_us, 0, 0, 1)
    (body,) = bodies(working, EventKind.PARCEL_SEALED)
    assert (body["declared"], body["total"], body["face_value_fen"]) == (10, 1, 50_000)
    with pytest.raises(BadInput, match=r"store.parcel_not_open"):
        working.seal_parcel("p-1", WayOut.EQUAL, now, "1001")


def test_a_parcel_that_is_opened_twice_is_one(working: Store, now: Stamp, make_parcel: Make) -> None:
    working.seal_parcel("p-1", WayOut.EQUAL, now, "1001")
    seq = working.open_parcel(make_parcel("p-2"), now)
    assert working.open_parcel(make_parcel("p-2"), now) == seq
    found = working.unfinished_parcel()
    assert found is not None
    assert found.parcel_id == "p-2"


def test_operators_sign_in_by_passcode_or_badge(store: Store) -> None:
    store.add_operator("1001", "林晓", Role.CLERK, "CIB-LINXIAO", Secret("2468"))
    by_code = store.sign_in("1001", Secret("2468"), NOW_US)
    assert by_code is not None
    assert by_code == store.by_badge(" cib-linxiao ", NOW_US)
    assert isinstance(by_code, Operator)
    assert by_code.rehearsal
    assert store.sign_in("1001", Secret("2469"), NOW_US) is None
    assert store.sign_in("9999", Secret("2468"), NOW_US) is None
    assert store.by_badge("CIB-NOBODY", NOW_US) is None


def test_recordings_keep_their_key_and_name_the_one_before(store: Store, now: Stamp) -> None:
    assert store.last_recording_hash() == ""
    made = store.new_recording("r-1", "p-1", now, "1001")
    assert len(made.key) == 32
    assert made.key.hex() not in repr(made)
    assert store.new_recording("r-1", "p-1", now, "1001") == made
    assert store.unclosed_recordings() == (made,)
    store.close_recording("r-1", "aa" * 32, "bb" * 32, 900, now, "1001")
    assert store.last_recording_hash() == "aa" * 32
    assert store.unclosed_recordings() == ()
    store.new_recording("r-2", "p-1", now, "1001")
    assert bodies(store, EventKind.RECORDING_STARTED)[1]["previous"] == "aa" * 32


def test_each_camera_has_a_chain_of_its_own(store: Store, now: Stamp) -> None:
    for name, role in (("r-1", "overhead"), ("l-1", "label"), ("r-2", "overhead"), ("l-2", "label")):
        made = store.new_recording(name, "p-1", now, "1001", role)
        assert made.role == role
        assert store.find_recording(name) == made
        store.close_recording(name, f"{name}{'0' * 61}", "bb" * 32, 900, now, "1001")
    told = [
        (body["recording"], body.get("role"), body["previous"][:3])
        for body in bodies(store, EventKind.RECORDING_STARTED)
    ]
    assert told == [("r-1", None, ""), ("l-1", "label", ""), ("r-2", None, "r-1"), ("l-2", "label", "l-1")]
    assert {one.recording_id: one.role for one in store.known_recordings()}["l-2"] == "label"


STATEMENTS = [
    "UPDATE outbox SET kind = 'x'",
    "DELETE FROM outbox",
    "UPDATE meta SET rehearsal = 0",
    "DELETE FROM card",
    "DELETE FROM parcel",
    "UPDATE card SET last4 = '0000'",
    "UPDATE sealed SET blob = x'00'",
    "INSERT INTO outbox SELECT seq + 7, 'x', kind, at_wall_us, data, hash, sig, prev FROM outbox LIMIT 1",
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_facts_cannot_be_changed(statement: str, working: Store, now: Stamp, make_draft: Make) -> None:
    working.keep_card(make_draft(), now, "1001")
    with pytest.raises(IntegrityError), working._engine.begin() as connection:
        connection.exec_driver_sql(statement)


def test_shredding_a_sealed_blob_leaves_the_chain_whole(working: Store, now: Stamp, make_draft: Make) -> None:
    working.keep_card(make_draft(), now, "1001")
    with working._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM sealed")
    assert working.blobs_between(1, 99) == []
    assert first_fault(working.outbox_after(0), station="st-1", verify=verifier(working.public_key)) is None


def test_the_outbox_is_given_out_in_order_within_limits(store: Store, now: Stamp) -> None:
    for n in range(9):
        store.record(EventKind.UNEXPECTED, {"n": n, "text": "x" * 1000}, now, "")
    assert [event.seq for event in store.outbox_after(2, limit_events=3)] == [3, 4, 5]
    size = len(store.outbox_after(0)[0].data)
    assert len(store.outbox_after(0, limit_bytes=3 * size)) == 3
    assert len(store.outbox_after(0, limit_bytes=1)) == 1
    assert store.outbox_after(9) == []


def test_the_queue_tells_what_waits_since_when(
    working: Store, now: Stamp, make_draft: Callable[..., CardDraft]
) -> None:
    working.keep_card(make_draft(), now, "1001")
    facts = working.queue()
    assert (facts.head, facts.received, facts.unsent, facts.oldest_wall_us) == (2, 0, 2, now.wall_us)
    assert facts.cards == {CardState.KEPT: 1}


def test_nothing_prints_a_secret(working: Store, make_draft: Callable[..., CardDraft], now: Stamp) -> None:
    told = repr(make_draft()) + repr(working.keep_card(make_draft(), now, "1001")) + repr(working._ledger.identity)
    assert "6222020012345678" not in told
    assert "83749261" not in told
    assert working.signing_seed.hex() not in told


def test_a_parcel_opened_twice_over_keeps_one_chain(working: Store, make_parcel: Callable[..., OpenParcel]) -> None:
    events: list[SignedEvent] = working.outbox_after(0)
    assert len(events) == 1
    assert json.loads(events[0].data)["prev"] == "0" * 64


def test_a_card_event_names_the_catalogue_it_was_read_with(working: Store, make_draft: Any, now: Stamp) -> None:
    kept = working.keep_card(make_draft(catalogue="c" * 64), now, "1001")
    assert isinstance(kept, Kept)
    (event,) = [e for e in working.outbox_after(0) if e.seq == kept.seq]
    assert json.loads(event.data)["body"]["catalogue"] == "c" * 64


def test_batch_and_region_are_kept_and_told(working: Store, now: Stamp, make_draft: Callable[..., CardDraft]) -> None:
    kept = working.keep_card(make_draft(batch="A17-B", region="CN"), now, "E1")
    assert isinstance(kept, Kept)
    assert (kept.card.batch, kept.card.region) == ("A17-B", "CN")
    body = json.loads(working.outbox_after(kept.seq - 1, 1)[0].data)["body"]
    assert (body["batch"], body["region"]) == ("A17-B", "CN")
    [filmed] = working.filmed_cards("r-1")
    assert (filmed.batch, filmed.region) == ("A17-B", "CN")


@pytest.mark.parametrize(("earlier", "twice"), [("kept", True), ("withdrawn", False), ("rejected", False)])
def test_a_card_with_the_chip_of_another_goes_to_review(
    working: Store, now: Stamp, make_draft: Make, earlier: str, twice: bool
) -> None:
    """As long as the other one stands: neither taken back nor rejected."""
    chip = Tag("04A1B2C3D4E5F6", "0044", "00", "NTAG213", simulated=True)
    first, second = make_draft(tag=chip), make_draft(2, "6222020012345999", tag=chip)
    working.keep_card(first, now, "1001")
    if earlier == "withdrawn":
        working.withdraw_card(first.card_id, (), now, "1001")
    if earlier == "rejected":
        working.change_card(first.card_id, CardState.REJECTED, (Reason.REJECTED_DAMAGED,), now, "1001")
    kept = working.keep_card(second, now, "1001")
    assert isinstance(kept, Kept)
    assert (kept.card.state is CardState.REVIEW, Reason.CHIP_UID_TWICE in kept.card.reasons) == (twice, twice)
