"""What supervisors decide: signed events, two people where the policy asks, undone in time, counted with their age."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.core.audit import Stamp
from app.core.cards import CardState, Secret
from app.core.errors import BadInput
from app.core.footage import Line, Pile
from app.core.parcels import OpenParcel, Operator, Reason, Role, WayOut
from app.core.rulings import ReviewPolicy, Ruling, Second, needs_reason, needs_second
from app.core.sampling import KeyPeriod, SamplePolicy, check_draws, commitment, drawn
from app.store import disputes, rulings, samples
from app.store.rulings import Wanted
from app.store.store import Store
from app.store.tables import station_key
from tests.store.conftest import draft, opened, stamp

ZHOU = Operator("S1", "周岚", Role.SUPERVISOR, rehearsal=True)
POLICY = ReviewPolicy(second_above_fen=50_000)
LATER = 121_000_000


@pytest.fixture
def filmed(store: Store, now: Stamp) -> Store:
    """Parcel p-1 on recording r-1 with a card under review (c-1, ¥500), one worth more (c-2) and a clean one (c-3)."""
    parcel: OpenParcel = opened()
    store.new_recording("r-1", parcel.parcel_id, now, "1001")
    store.open_parcel(parcel, now)
    review = {"verdict": CardState.REVIEW, "reasons": (Reason.PIN_CONFIRMED,)}
    store.keep_card(draft(1, "6222020012345671", card_id="c-1", **review), now, "1001")
    store.keep_card(draft(2, "6222020012345672", card_id="c-2", face_value_fen=100_000, **review), now, "1001")
    store.keep_card(draft(3, "6222020012345673", card_id="c-3"), now, "1001")
    for operator in (("1001", Role.CLERK), ("S1", Role.SUPERVISOR), ("S2", Role.SUPERVISOR), ("K1", Role.CLERK)):
        store.add_operator(operator[0], operator[0], operator[1], f"CIB-{operator[0]}", Secret("246810"))
    return store


def rule(store: Store, card_id: str, ruling: Ruling, reason: str = "", second: Second | None = None) -> Any:
    return rulings.rule(store.ledger, Wanted(card_id, ruling, reason, ZHOU, second), POLICY, stamp())


def refused(act: Callable[[], Any]) -> str:
    with pytest.raises(BadInput) as wrong:
        act()
    return wrong.value.code


def last(store: Store) -> dict[str, Any]:
    return dict(json.loads(store.outbox_after(0)[-1].data))


def piled(store: Store, pile: Pile) -> list[Line]:
    return list(store.footage_lines(pile, "", stamp().wall_us).lines)


def state(store: Store, card_id: str) -> CardState:
    return next(card.state for card in store.tray("p-1") if card.card_id == card_id)


def test_a_ruling_is_a_signed_event_and_the_cards_state(filmed: Store) -> None:
    assert [line.card_id for line in piled(filmed, Pile.REVIEW)] == ["c-1", "c-2"]
    rule(filmed, "c-1", Ruling.ACCEPT)
    event = last(filmed)
    assert (event["kind"], event["actor"]) == ("card.ruled", "S1")
    assert event["body"]["ruling"] == "accept"
    assert state(filmed, "c-1") is CardState.KEPT
    assert [line.card_id for line in piled(filmed, Pile.REVIEW)] == ["c-2"]
    assert refused(lambda: rule(filmed, "c-1", Ruling.REJECT, "again")) == "review.not_waiting"
    assert refused(lambda: rule(filmed, "c-3", Ruling.REJECT, "clean")) == "review.not_waiting"
    assert refused(lambda: rule(filmed, "c-9", Ruling.ACCEPT)) == "store.unknown_card"


def test_reject_and_hold_say_why_and_a_held_card_stays_with_its_footage(filmed: Store) -> None:
    assert refused(lambda: rule(filmed, "c-1", Ruling.REJECT, " ")) == "review.no_reason"
    assert refused(lambda: rule(filmed, "c-1", Ruling.HOLD)) == "review.no_reason"
    rule(filmed, "c-1", Ruling.HOLD, "asked the sender")
    assert state(filmed, "c-1") is CardState.REVIEW
    assert filmed.hold_on("r-1") is not None
    line = next(line for line in piled(filmed, Pile.REVIEW) if line.card_id == "c-1")
    assert line.ruling is Ruling.HOLD
    assert line.reasons == (Reason.REVIEWED_HELD, Reason.PIN_CONFIRMED)
    rule(filmed, "c-1", Ruling.REJECT, "the sender took it back")
    assert state(filmed, "c-1") is CardState.REJECTED
    again = filmed.keep_card(draft(9, "6222020012345671", card_id="c-9"), stamp(), "1001")
    assert type(again).__name__ == "Kept"  # a rejected card gives its number free
    too_late = refused(lambda: rulings.undo(filmed.ledger, "c-1", ZHOU, stamp()))
    assert too_late == "review.too_late"  # its number is taken by now


def test_above_the_limit_another_supervisor_signs(filmed: Store) -> None:
    def by(second: Second | None) -> str:
        return refused(lambda: rule(filmed, "c-2", Ruling.ACCEPT, "", second))

    assert by(None) == "review.second_missing"
    assert by(Second(badge="CIB-S1")) == "review.second_same"
    assert by(Second(badge="CIB-K1")) == "review.not_allowed"
    assert by(Second(badge="CIB-nobody")) == "review.second_unknown"
    assert by(Second(operator_id="S2")) == "review.second_unknown"
    assert by(Second(operator_id="S2", passcode=Secret("000000"))) == "review.second_unknown"
    assert state(filmed, "c-2") is CardState.REVIEW
    rule(filmed, "c-2", Ruling.ACCEPT, "", Second(operator_id="S2", passcode=Secret("246810")))
    assert last(filmed)["body"]["second"] == "S2"
    assert "246810" not in repr(Second(passcode=Secret("246810")))
    rulings.undo(filmed.ledger, "c-2", ZHOU, stamp())
    for _ in range(3):
        by(Second(operator_id="S2", passcode=Secret("000000")))
    assert by(Second(operator_id="S2", passcode=Secret("246810"))) == "review.second_locked"
    rule(filmed, "c-2", Ruling.REJECT, "altered", Second(badge="CIB-S2"))
    assert last(filmed)["body"]["second"] == "S2"


def test_a_ruling_is_taken_back_within_two_minutes_by_who_made_it(filmed: Store) -> None:
    done = rule(filmed, "c-1", Ruling.REJECT, "altered")
    began = stamp().wall_us
    assert done.undo_until_us == began + 120_000_000
    other = Operator("S2", "王", Role.SUPERVISOR)
    assert refused(lambda: rulings.undo(filmed.ledger, "c-1", other, stamp())) == "review.too_late"
    assert refused(lambda: rulings.undo(filmed.ledger, "c-1", ZHOU, stamp(began + LATER))) == "review.too_late"
    rulings.undo(filmed.ledger, "c-1", ZHOU, stamp(began + 119_000_000))
    assert last(filmed)["kind"] == "card.ruling-undone"
    assert state(filmed, "c-1") is CardState.REVIEW
    line = next(line for line in piled(filmed, Pile.REVIEW) if line.card_id == "c-1")
    assert line.reasons == (Reason.PIN_CONFIRMED,)
    assert line.ruling is None
    assert refused(lambda: rulings.undo(filmed.ledger, "c-1", ZHOU, stamp())) == "review.too_late"
    same = filmed.keep_card(draft(9, "6222020012345671", card_id="c-9"), stamp(), "1001")
    assert type(same).__name__ == "Duplicate"  # it holds its number again


def test_a_dispute_links_what_is_exported_and_is_settled_with_a_reason(filmed: Store) -> None:
    opening = (filmed.ledger, "r-1", "c-3")
    assert refused(lambda: disputes.open_dispute(*opening, " ", stamp(), "S1")) == "review.no_reason"
    assert (
        refused(lambda: disputes.open_dispute(filmed.ledger, "r-1", "c-9", "x", stamp(), "S1")) == "store.unknown_card"
    )
    seq = disputes.open_dispute(*opening, "you swapped my card", stamp(), "S1")
    assert disputes.open_dispute(*opening, "again", stamp(), "S1") == seq
    disputes.open_dispute(filmed.ledger, "r-1", "", "one is missing", stamp(), "S1")
    assert filmed.hold_on("r-1") is not None
    assert disputes.link_evidence(filmed.ledger, "r-1", "c-3", "ab" * 32, seq, stamp(), "S1") == 2
    assert disputes.link_evidence(filmed.ledger, "r-1", "c-1", "cd" * 32, seq, stamp(), "S1") == 1
    lines = {line.card_id: line for line in piled(filmed, Pile.DISPUTE)}
    assert (lines["c-3"].said, lines["c-3"].evidence) == ("you swapped my card", 1)
    assert (lines[""].said, lines[""].evidence) == ("one is missing", 2)
    settle = (filmed.ledger, lines["c-3"].dispute_id)
    assert refused(lambda: disputes.settle(*settle, False, "", stamp(), "S1")) == "review.no_reason"
    disputes.settle(*settle, False, "the video shows the same card", stamp(), "S1")
    assert last(filmed)["body"]["evidence"] == ["ab" * 32]
    assert refused(lambda: disputes.settle(*settle, True, "twice", stamp(), "S1")) == "review.not_waiting"
    assert [line.card_id for line in piled(filmed, Pile.DISPUTE)] == [""]


def test_the_sample_is_the_lots_and_its_key_is_committed_before(filmed: Store) -> None:
    all_of_them = SamplePolicy(1000, 1000)
    assert samples.draw_due(filmed.ledger, all_of_them, stamp()) == 0  # the parcel is not sealed yet
    filmed.count_parcel("p-1", 3, stamp(), "1001")
    filmed.seal_parcel("p-1", WayOut.EQUAL, stamp(), "1001")
    assert samples.draw_due(filmed.ledger, all_of_them, stamp()) == 1  # c-3; the others are under review
    assert samples.draw_due(filmed.ledger, all_of_them, stamp()) == 0
    kinds = [json.loads(event.data)["kind"] for event in filmed.outbox_after(0)]
    assert kinds.index("sample.key-made") < kinds.index("sample.drawn")
    with filmed.ledger.reading() as connection:
        key = bytes(connection.execute(station_key.select()).one().key)
    committed = next(json.loads(e.data)["body"] for e in filmed.outbox_after(0) if b"sample.key-made" in e.data)
    assert committed["commitment"] == commitment(key)
    assert drawn("c-3", False, all_of_them, key)
    [line] = piled(filmed, Pile.SAMPLE)
    assert (line.card_id, line.sample) == ("c-3", True)
    assert refused(lambda: samples.judge(filmed.ledger, "c-3", False, "", stamp(), "S1")) == "review.no_reason"
    samples.judge(filmed.ledger, "c-3", False, "number is another", stamp(), "S1")
    assert state(filmed, "c-3") is CardState.REVIEW
    assert piled(filmed, Pile.SAMPLE) == []
    assert refused(lambda: samples.judge(filmed.ledger, "c-3", True, "", stamp(), "S1")) == "review.not_waiting"
    rule(filmed, "c-1", Ruling.ACCEPT)
    assert samples.draw_due(filmed.ledger, all_of_them, stamp()) == 1  # accepted now, drawn like any other


def draws_of(store: Store) -> list[KeyPeriod]:
    return check_draws([(e["kind"], e["body"]) for e in map(json.loads, (one.data for one in store.outbox_after(0)))])


def test_a_key_that_is_shown_proves_every_draw_and_draws_no_more(filmed: Store) -> None:
    half = SamplePolicy(500, 500)
    assert refused(lambda: samples.show_key(filmed.ledger, stamp(), "S1")) == "sample.no_key"
    filmed.count_parcel("p-1", 3, stamp(), "1001")
    filmed.seal_parcel("p-1", WayOut.EQUAL, stamp(), "1001")
    count = samples.draw_due(filmed.ledger, half, stamp())
    [secret] = draws_of(filmed)
    assert (secret.key, secret.drawn) == (None, count)
    samples.show_key(filmed.ledger, stamp(), "S1")
    [shown] = draws_of(filmed)
    assert shown.honest
    assert (shown.drawn, shown.wrong) == (count, [])
    assert shown.key is not None
    assert (count == 1) == drawn("c-3", False, half, shown.key)
    rule(filmed, "c-1", Ruling.ACCEPT)
    samples.draw_due(filmed.ledger, SamplePolicy(1000, 1000), stamp())
    assert [one.commitment for one in draws_of(filmed)][1:] != [shown.commitment]
    assert len(draws_of(filmed)) == 2


@given(st.binary(min_size=32, max_size=32), st.integers(1, 999), st.sampled_from(["add", "drop", "key"]))
def test_a_draw_that_was_not_the_lots_is_found(key: bytes, share: int, harm: str) -> None:
    policy, cards = SamplePolicy(share, share), [f"c-{n}" for n in range(200)]
    by_lot = [name for name in cards if drawn(name, False, policy, key)]
    others = [name for name in cards if name not in by_lot]
    assume(len(by_lot) > 1 and others)
    taken = {"add": [*by_lot, others[0]], "drop": by_lot[1:], "key": by_lot}[harm]
    shares = {"typed": False, "read_per_mille": share, "typed_per_mille": share}
    events: list[tuple[str, dict[str, Any]]] = [("card.kept", {"card": name, "reasons": []}) for name in cards]
    events.append(("sample.key-made", {"commitment": commitment(bytes(32) if harm == "key" else key)}))
    events += [("sample.drawn", {"card": name, **shares}) for name in taken]
    [period] = check_draws([*events, ("sample.key-shown", {"key": key.hex()})])
    assert period.wrong == ([others[0]] if harm == "add" else [])
    assert period.passed_over == ([by_lot[0]] if harm == "drop" else [])
    assert period.honest == (harm != "key" or key == bytes(32))


def test_a_share_of_nought_draws_nothing_and_asks_nobody_twice(filmed: Store) -> None:
    filmed.count_parcel("p-1", 3, stamp(), "1001")
    filmed.seal_parcel("p-1", WayOut.EQUAL, stamp(), "1001")
    assert samples.draw_due(filmed.ledger, SamplePolicy(0, 0), stamp()) == 0
    assert samples.draw_due(filmed.ledger, SamplePolicy(1000, 1000), stamp()) == 0
    assert piled(filmed, Pile.SAMPLE) == []


def test_each_pile_tells_its_size_and_its_oldest(filmed: Store) -> None:
    began = stamp().wall_us
    disputes.open_dispute(filmed.ledger, "r-1", "c-3", "why", stamp(began + 5_000_000), "S1")
    told = filmed.footage_lines(Pile.REVIEW, "", began)
    assert dict(told.counts) == {
        Pile.REVIEW: 2, Pile.SAMPLE: 0, Pile.DISPUTE: 1, Pile.HELD: 3, Pile.ALL: 3,
    }  # fmt: skip
    oldest = dict(told.oldest)
    assert (oldest[Pile.REVIEW], oldest[Pile.SAMPLE], oldest[Pile.DISPUTE]) == (began, 0, began + 5_000_000)


def test_the_policy() -> None:
    assert not needs_second(Ruling.ACCEPT, 50_000, POLICY)
    assert needs_second(Ruling.ACCEPT, 50_001, POLICY)
    assert needs_second(Ruling.REJECT, None, POLICY)
    assert not needs_second(Ruling.HOLD, 1_000_000, POLICY)
    assert not needs_reason(Ruling.ACCEPT, (Reason.PIN_CONFIRMED,))
    assert needs_reason(Ruling.ACCEPT, (Reason.PIN_CONFIRMED, Reason.DUPLICATE))
    assert needs_reason(Ruling.HOLD, ())
