"""Rulings that a station sends: the centre looks again at who made them, and whether a second person had to sign."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.audit import EventKind
from app.core.cards import CardState, Secret
from app.core.parcels import Operator, Reason, Role
from app.core.rulings import ReviewPolicy, Ruling, Second
from app.server.governing import revoke, set_policy
from app.server.report import report
from app.server.reviewed import Reviewers
from app.server.setup import OpenCentre
from app.server.users import add_user, disable_user
from app.store import rulings
from app.store.db import reading
from app.store.rulings import Wanted
from tests.sync.conftest import NOW_US, Party, stamp
from tests.sync.test_exchange import rounds_until_calm

NOW_MS = NOW_US // 1000
LOOSE = ReviewPolicy(10**9)
WHO = Operator("S1", "周岚", Role.SUPERVISOR, rehearsal=True)
OTHER = Operator("S2", "陈敏", Role.SUPERVISOR, rehearsal=True)


@pytest.fixture
def doubtful(party: Party, centre: OpenCentre) -> str:
    """A card under review at the centre; S1 and S2 are supervisors there."""
    for who in ("S1", "S2"):
        add_user(centre, who, who, Role.SUPERVISOR, Secret("135790"), f"CIB-{who}", party.store.station, NOW_MS)
    card = party.keep(CardState.REVIEW, (Reason.PIN_CONFIRMED,))
    rounds_until_calm(party)
    return card


def rule(party: Party, card: str, who: Operator = WHO, reason: str = "核对过", second: str = "") -> Any:
    wanted = Wanted(card, Ruling.ACCEPT, reason, who, Second(badge=second) if second else None)
    return party.writer.call(lambda store: rulings.rule(store.ledger, wanted, LOOSE, stamp()))


def quarantined(centre: OpenCentre) -> list[str]:
    return [str(row["code"]) for row in report(centre.engine, "quarantine")]


def test_a_supervisor_rules_and_takes_it_back(party: Party, centre: OpenCentre, doubtful: str) -> None:
    rule(party, doubtful)
    rounds_until_calm(party)
    assert party.state_of(doubtful) is CardState.ACCEPTED
    other = party.keep(CardState.REVIEW, (Reason.PIN_CONFIRMED,))
    rule(party, other)
    party.writer.call(lambda store: rulings.undo(store.ledger, other, WHO, stamp()))
    rounds_until_calm(party)
    assert (party.state_of(other), quarantined(centre)) == (CardState.REVIEW, [])


@pytest.mark.parametrize("how", ["disabled", "clerk", "revoked"])
def test_who_is_no_supervisor_any_more_rules_nothing_and_the_card_is_looked_at_again(
    party: Party, centre: OpenCentre, doubtful: str, how: str
) -> None:
    rule(party, doubtful)
    station = party.store.station
    if how == "disabled":
        disable_user(centre, "S1", NOW_MS)
    elif how == "clerk":
        add_user(centre, "S1", "S1", Role.CLERK, Secret("135790"), "CIB-S1", station, NOW_MS)
    else:
        revoke(centre, "user", "S1", "", station, NOW_MS, "test")
    rounds_until_calm(party)
    assert quarantined(centre) == ["not-supervisor"]
    assert party.state_of(doubtful) is CardState.REVIEW
    rule(party, doubtful, OTHER)
    rounds_until_calm(party)
    assert party.state_of(doubtful) is CardState.ACCEPTED


def test_above_the_value_a_second_supervisor_has_to_stand_there(
    party: Party, centre: OpenCentre, doubtful: str
) -> None:
    """The station worked by an older policy, or by none."""
    rule(party, doubtful)
    set_policy(centre, {"ruling_second_above_fen": 49_999}, party.store.station, NOW_MS, "test")
    rounds_until_calm(party)
    assert quarantined(centre) == ["second-missing"]
    assert party.state_of(doubtful) is CardState.REVIEW
    rule(party, doubtful, second="CIB-S2")
    rounds_until_calm(party)
    assert party.state_of(doubtful) is CardState.ACCEPTED


def test_a_second_person_who_is_none_does_not_count(party: Party, centre: OpenCentre, doubtful: str) -> None:
    set_policy(centre, {"ruling_second_above_fen": 49_999}, party.store.station, NOW_MS, "test")
    rule(party, doubtful, second="CIB-S2")
    disable_user(centre, "S2", NOW_MS)
    rounds_until_calm(party)
    assert quarantined(centre) == ["second-not-supervisor"]
    assert party.state_of(doubtful) is CardState.REVIEW


def test_somebody_elses_ruling_is_not_taken_back(party: Party, centre: OpenCentre, doubtful: str) -> None:
    """As a station would say it that has no such rule itself."""
    seq = rule(party, doubtful).seq
    body = {"card": doubtful, "of": "ab" * 32, "ruling": "accept", "seq": seq}
    party.writer.call(lambda store: store.record(EventKind.CARD_RULING_UNDONE, body, stamp(), "S2"))
    rounds_until_calm(party)
    assert quarantined(centre) == ["not-own-ruling"]


def test_a_ruling_that_is_named_by_no_number_is_put_aside(party: Party, centre: OpenCentre, doubtful: str) -> None:
    """PostgreSQL compares no number with true: the batch came again and again."""
    rule(party, doubtful)
    rounds_until_calm(party)
    body = {"card": doubtful, "of": "ab" * 32, "ruling": "accept", "seq": True}
    party.writer.call(lambda store: store.record(EventKind.CARD_RULING_UNDONE, body, stamp(), "S1"))
    rounds_until_calm(party)
    assert quarantined(centre) == ["body"]


def test_samples_judged_by_nobody_are_kept_apart(party: Party, centre: OpenCentre, doubtful: str) -> None:
    disable_user(centre, "S1", NOW_MS)
    body = {"card": doubtful, "fine": True, "reason": ""}
    for who in ("S1", "S2"):
        party.writer.call(lambda store, who=who: store.record(EventKind.SAMPLE_JUDGED, body, stamp(), who))
    rounds_until_calm(party)
    assert quarantined(centre) == ["not-supervisor"]


def test_real_cards_take_only_people_whom_the_centre_knows(centre: OpenCentre) -> None:
    add_user(centre, "S1", "S1", Role.ADMIN, Secret("135790"), "", "", NOW_MS)
    told = {"ruling": "accept", "second": ""}
    with reading(centre.engine) as connection:
        real, rehearsal = (Reviewers(connection, "st-1", one) for one in (False, True))
        assert real.fault(EventKind.CARD_RULED, "S1", told, 1) == ""
        assert real.fault(EventKind.CARD_RULED, "S1", told, None) == "second-missing"
        assert real.fault(EventKind.CARD_RULED, "S1", {**told, "second": "S1"}, 1) == "second-not-supervisor"
        assert real.fault(EventKind.CARD_RULED, "S9", told, 1) == "not-supervisor"
        assert rehearsal.fault(EventKind.CARD_RULED, "S9", told, 1) == ""
        assert rehearsal.fault(EventKind.CARD_RULED, "", told, 1) == "not-supervisor"


ACTS = [
    (EventKind.DISPUTE_OPENED, {"dispute": "d-1", "recording": "r-1", "card": "", "reason": "x"}),
    (EventKind.DISPUTE_SETTLED, {"dispute": "d-1", "upheld": True, "reason": "x", "evidence": []}),
    (EventKind.FOOTAGE_HELD, {"recording": "r-1", "reason": "x"}),
    (EventKind.FOOTAGE_RELEASED, {"recording": "r-1", "reason": "x", "judged_no_pin": True}),
    (EventKind.STILL_EXPORTED, {"recording": "r-1"}),
    (EventKind.DOSSIER_EXPORTED, {"recording": "r-1"}),
    (EventKind.GTIN_BOUND, {"gtin": "1", "product": "p", "reason": "x"}),
    (EventKind.GTIN_RELEASED, {"gtin": "1", "product": "p", "reason": "x"}),
    (EventKind.PRODUCT_ADDED, {"product": "p", "template": "", "reason": "x"}),
    (EventKind.PRODUCT_WITHDRAWN, {"product": "p", "reason": "x"}),
    (EventKind.CATALOGUE_ROLLED_BACK, {"version": "1", "before": "2", "reason": "x"}),
    (EventKind.RECORDING_RESUMED, {"released_by": "S1"}),
    (EventKind.PARCEL_SEALED, {"parcel": "p-1", "approved_by": "S1"}),
]


def test_whatever_only_supervisors_do_is_looked_at_again(party: Party, centre: OpenCentre, doubtful: str) -> None:
    """A clerk's hand on disputes, holds, files, products, gaps: kept apart, each of them; a supervisor's counts."""
    for kind, body in ACTS:
        party.writer.call(lambda store, kind=kind, body=body: store.record(kind, body, stamp(), "S1"))
    rounds_until_calm(party)
    assert quarantined(centre) == []
    add_user(centre, "S1", "S1", Role.CLERK, Secret("135790"), "CIB-S1", party.store.station, NOW_MS)
    for kind, body in ACTS:
        party.writer.call(lambda store, kind=kind, body=body: store.record(kind, body, stamp(), "S1"))
    rounds_until_calm(party)
    held = report(centre.engine, "quarantine")
    assert {(row["kind"], row["code"]) for row in held} == {(kind.value, "not-supervisor") for kind, _ in ACTS}


def test_what_needs_nobody_passes(party: Party, centre: OpenCentre, doubtful: str) -> None:
    """A short gap, a parcel that was equal, and footage that the station held back itself."""
    for kind, body in (
        (EventKind.RECORDING_RESUMED, {"gap_us": 5, "supervisor": False}),
        (EventKind.PARCEL_SEALED, {"parcel": "p-1", "approved_by": ""}),
        (EventKind.FOOTAGE_HELD, {"recording": "r-1", "reason": "leak.found"}),
    ):
        party.writer.call(lambda store, kind=kind, body=body: store.record(kind, body, stamp(), ""))
    rounds_until_calm(party)
    assert quarantined(centre) == []


def test_footage_that_was_removed_before_the_centre_had_it_is_noticed(party: Party, centre: OpenCentre) -> None:
    body = {"recording": "r-9", "bytes": 5}
    party.writer.call(lambda store: store.record(EventKind.FOOTAGE_REMOVED, body, stamp(), ""))
    rounds_until_calm(party)
    assert quarantined(centre) == ["not-held"]


@pytest.mark.parametrize(("least_fen", "state"), [(50_000, CardState.REVIEW), (50_001, CardState.ACCEPTED)])
def test_a_card_worth_much_goes_to_review_whatever_policy_its_station_worked_by(
    party: Party, centre: OpenCentre, least_fen: int, state: CardState
) -> None:
    card = party.keep()
    set_policy(centre, {"second_signature_fen": least_fen}, party.store.station, NOW_MS, "test")
    rounds_until_calm(party)
    assert (party.state_of(card), quarantined(centre)) == (state, [])
    if state is CardState.REVIEW:
        for who in ("S1", "S2"):
            add_user(centre, who, who, Role.SUPERVISOR, Secret("135790"), f"CIB-{who}", party.store.station, NOW_MS)
        rounds_until_calm(party)
        rule(party, card, second="CIB-S2")
        rounds_until_calm(party)
        assert party.state_of(card) is CardState.ACCEPTED
