"""What a station worked by is held against what it was told: its draws against its policy, removals against holds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.commands.audit import _checked
from app.core.audit import EventKind
from app.core.sampling import SamplePolicy, check_draws, commitment, drawn
from app.server.governing import set_policy
from app.server.log import acts
from app.server.report import report
from app.server.setup import OpenCentre
from app.store.db import reading
from app.store.store import Store
from tests.sync.conftest import NOW_US, Party, stamp
from tests.sync.test_exchange import rounds_until_calm

NOW_MS = NOW_US // 1000


def quarantined(centre: OpenCentre) -> list[str]:
    return [str(row["code"]) for row in report(centre.engine, "quarantine") if "code" in row]


def tell(party: Party, kind: EventKind, body: dict[str, Any], actor: str = "") -> None:
    party.writer.call(lambda store: store.record(kind, body, stamp(), actor))


def draw(party: Party, card: str, read: int, typed: int = 1000) -> None:
    shares = {"read_per_mille": read, "typed_per_mille": typed}
    tell(party, EventKind.SAMPLE_DRAWN, {"card": card, "typed": False, **shares})


def govern(party: Party, centre: OpenCentre, read: int) -> None:
    changes = {"sample_read_per_mille": read, "sample_typed_per_mille": 1000}
    set_policy(centre, changes, party.store.station, NOW_MS, "os:anna")


def test_a_draw_is_held_against_the_policy_of_its_place(party: Party, centre: OpenCentre) -> None:
    draw(party, "before", 20, 200)
    govern(party, centre, 500)
    rounds_until_calm(party)
    draw(party, "by the first", 500)
    govern(party, centre, 100)
    draw(party, "by the first still, for nobody has told it", 500)
    rounds_until_calm(party)
    assert quarantined(centre) == []
    draw(party, "by the second", 100)
    rounds_until_calm(party)
    assert quarantined(centre) == []
    draw(party, "by the first, which is over", 500)
    draw(party, "by shares of its own", 0)
    rounds_until_calm(party)
    assert quarantined(centre) == ["policy-other"] * 2


def test_a_policy_and_a_draw_by_it_may_come_together(party: Party, centre: OpenCentre) -> None:
    govern(party, centre, 300)
    party.line.fate = lambda request: "cut" if request.url.path == "/v1/events" and party.kept else ""
    party.round()
    draw(party, "one", 300)
    rounds_until_calm(party)
    assert quarantined(centre) == []


def test_a_policy_that_nobody_handed_out_counts_for_nothing(party: Party, centre: OpenCentre) -> None:
    tell(party, EventKind.REFERENCE_APPLIED, {"items": [["policy", "current", 99]]}, "centre")
    draw(party, "one", 0)
    rounds_until_calm(party)
    assert quarantined(centre) == ["policy-unknown"]


@pytest.mark.parametrize(
    "items",
    [[["policy", "current", "7"]], [["policy", "current", 10**30]], [["policy", "current", True]], [["policy"]], 5],
)
def test_a_body_that_is_none_is_put_aside(party: Party, centre: OpenCentre, items: Any) -> None:
    tell(party, EventKind.REFERENCE_APPLIED, {"items": items}, "centre")
    tell(party, EventKind.SAMPLE_DRAWN, {"card": "one"})
    tell(party, EventKind.FOOTAGE_REMOVED, {"recording": 5})
    tell(party, EventKind.FOOTAGE_HELD, {"recording": "r" * 5000, "reason": "x"}, "S1")
    rounds_until_calm(party)
    assert quarantined(centre) == ["body"] * 4


def test_footage_that_somebody_held_meanwhile_is_not_removed_in_silence(party: Party, centre: OpenCentre) -> None:
    with centre.engine.begin() as connection:
        for name in ("r-1", "r-2"):
            connection.exec_driver_sql(
                "INSERT INTO video (station, id, manifest, sig, bytes, durable_ms) VALUES (?, ?, '{}', x'00', 5, 1)",
                (party.store.station, name),
            )
    hold = {"recording": "r-1", "reason": "dispute"}
    tell(party, EventKind.FOOTAGE_REMOVED, {"recording": "r-2", "bytes": 5})
    tell(party, EventKind.FOOTAGE_HELD, hold, "S1")
    tell(party, EventKind.FOOTAGE_HELD, hold, "S2")
    tell(party, EventKind.FOOTAGE_REMOVED, {"recording": "r-1", "bytes": 5})
    rounds_until_calm(party)
    assert quarantined(centre) == ["held"]
    [row] = report(centre.engine, "stations")
    assert (row["state"], row["alarms"]) == ("active", 1)
    with reading(centre.engine) as connection:
        told = [act for act in acts(connection) if act["act"] == "centre.alarm"]
    assert [(act["code"], act["station"]) for act in told] == [("footage.removed-held", party.store.station)]
    tell(party, EventKind.FOOTAGE_RELEASED, {"recording": "r-1", "reason": "x", "judged_no_pin": False}, "S1")
    tell(party, EventKind.FOOTAGE_REMOVED, {"recording": "r-1", "bytes": 5})
    rounds_until_calm(party)
    assert quarantined(centre) == ["held"]


def checked(party: Party) -> Any:
    def look(store: Store) -> Any:
        return _checked(store)

    return party.writer.call(look)


def test_an_audit_of_the_sample_holds_draws_against_the_policies_that_were_told(
    party: Party, centre: OpenCentre
) -> None:
    tell(party, EventKind.SAMPLE_KEY_MADE, {"commitment": commitment(bytes(32))})
    draw(party, "at first", 20, 200)
    for share in (500, 100):
        govern(party, centre, share)
        rounds_until_calm(party)
        draw(party, f"by {share}", share)
    report_of = checked(party)
    assert report_of["ok"]
    assert (report_of["keys"][0]["own_shares"], report_of["keys"][0]["unknown"]) == ([], [])
    draw(party, "own", 500)
    tell(party, EventKind.REFERENCE_APPLIED, {"items": [["policy", "current", 99]]}, "centre")
    draw(party, "nobody's", 100)
    report_of = checked(party)
    assert not report_of["ok"]
    assert (report_of["keys"][0]["own_shares"], report_of["keys"][0]["unknown"]) == (["own"], ["nobody's"])


def test_who_draws_nothing_is_found_by_the_policy_in_force() -> None:
    """A station that draws by no share at all leaves out those whom the lot fell on by the policy it was told."""
    key, told = bytes(range(32)), {1: SamplePolicy(500, 500), 2: SamplePolicy(0, 0)}
    cards = [f"c-{n}" for n in range(60)]
    by_lot = [card for card in cards if drawn(card, False, told[1], key)]
    events: list[tuple[str, dict[str, Any]]] = [
        ("centre.reference-applied", {"items": [["user", "S1", 4], ["policy", "current", 1]]}),
        ("sample.key-made", {"commitment": commitment(key)}),
        *(("card.kept", {"card": card}) for card in cards),
    ]
    shown = ("sample.key-shown", {"key": key.hex()})
    [period] = check_draws([*events, shown], told, SamplePolicy())
    assert period.passed_over == by_lot
    later = ("centre.reference-applied", {"items": [["policy", "current", 2]]})
    [period] = check_draws([*events, later, shown], told, SamplePolicy())
    assert period.passed_over == [], "by the later policy nobody had to be drawn"


def test_a_policy_is_kept_for_what_was_done_under_it(party: Party, centre: OpenCentre) -> None:
    for share in (500, 100):
        govern(party, centre, share)
        rounds_until_calm(party)
    for engine in (centre.engine, party.store._engine):
        with reading(engine) as connection:
            rows = connection.exec_driver_sql("SELECT * FROM policy_told ORDER BY revision").mappings().all()
        texts = [json.loads(row.get("body") or row["text"]) for row in rows]
        assert [(one.get("body") or one)["sample_read_per_mille"] for one in texts] == [500, 100]
