"""What the centre stores without taking it up is not "at the centre"; a later release takes it up, once, in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.audit import CentreAct, EventKind
from app.core.cards import CardState
from app.core.errors import Unavailable
from app.server import intake
from app.server.embedded import start_server_process, stop_server_process
from app.server.enrol import admit_station, revoke_station
from app.server.report import report
from app.server.setup import OpenCentre, init, open_centre
from app.server.uptake import take_up
from app.store.verify import verify_audit
from app.sync.halt import Halt
from tests.sync.conftest import NOW_US, Party, stamp

NOW_MS = NOW_US // 1000


def older(patch: pytest.MonkeyPatch, *kinds: EventKind) -> None:
    """The centre is of a release that does not know these kinds yet."""
    patch.setattr(intake, "KINDS", {name: kind for name, kind in intake.KINDS.items() if kind not in kinds})


def held(party: Party) -> dict[str, int]:
    return dict(party.writer.call(lambda store: store.queue()).held)


def cards(party: Party) -> dict[CardState, int]:
    return dict(party.writer.call(lambda store: store.queue()).cards)


def test_a_card_that_is_not_taken_up_is_told_as_that(
    party: Party, centre: OpenCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    party.round()
    older(monkeypatch, EventKind.CARD_KEPT)
    kept, doubtful = party.keep(), party.keep(CardState.REVIEW)
    rejected = party.keep(CardState.REJECTED)
    party.round()
    assert [party.state_of(one) for one in (kept, doubtful)] == [CardState.NOT_TAKEN] * 2
    assert party.state_of(rejected) is CardState.REJECTED  # it goes back in any case
    assert cards(party) == {CardState.NOT_TAKEN: 2, CardState.REJECTED: 1}
    assert held(party) == {"unknown-kind": 3}
    assert [one.state for one in party.cards if one.card_id == kept][-1] is CardState.NOT_TAKEN
    assert party.queues[-1].unsent == 0
    party.writer.call(lambda store: store.forget_cursor())
    party.round()  # the same words again change nothing
    assert held(party) == {"unknown-kind": 3}


@pytest.mark.parametrize("lost", ["/v1/events", "/v1/feed"])
def test_neither_a_lost_receipt_nor_a_lost_page_hides_it(
    party: Party, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """Each of the two says it; who lost an answer sends again, and hears of duplicates that they are held."""
    party.round()
    older(monkeypatch, EventKind.CARD_KEPT)
    card = party.keep()
    fates = ["lost"]
    party.line.fate = lambda request: fates.pop() if fates and request.url.path == lost else ""
    with pytest.raises(Unavailable):
        party.round()
    if lost == "/v1/events":
        party.line.fate = lambda request: "cut" if request.url.path == "/v1/feed" else ""
        with pytest.raises(Unavailable):
            party.round()
    assert party.state_of(card) is CardState.NOT_TAKEN


def test_what_a_revoked_station_took_in_is_not_at_the_centre(party: Party, centre: OpenCentre) -> None:
    """No feed is shown to it any more: it hears of it by the receipt."""
    party.round()
    revoke_station(centre, party.store.station, NOW_MS)
    card = party.keep()
    with pytest.raises(Halt, match=r"sync\.revoked"):
        party.round()
    assert party.state_of(card) is CardState.NOT_TAKEN
    assert held(party) == {"revoked": 1}


def test_after_its_upgrade_the_centre_takes_up_what_it_did_not_know(
    party: Party, centre: OpenCentre, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the log's order, with what had to wait for it, by the server's own start, and exactly once."""
    party.round()
    older(monkeypatch, EventKind.CARD_KEPT)
    first, second = party.keep(), party.keep()
    party.writer.call(lambda store: store.change_card(second, CardState.REVIEW, (), stamp(), "1001"))
    party.round()
    assert held(party) == {"unknown-kind": 2, "card-unknown": 1}
    monkeypatch.undo()
    child, _url = start_server_process(tmp_path / "centre", timeout_s=60)
    stop_server_process(child, timeout_s=30)
    assert report(centre.engine, "quarantine") == []
    party.round()
    assert [party.state_of(one) for one in (first, second)] == [CardState.ACCEPTED, CardState.REVIEW]
    assert held(party) == {}
    acts = report(centre.engine, "acts")
    taken = [one for act in acts if act["act"] == CentreAct.TAKEN_UP for one in act["events"]]
    assert [(seq, code) for _name, seq, code in taken] == sorted((seq, "") for _name, seq, _code in taken)
    assert len(taken) == 3
    decided = [one for act in acts if act["act"] == CentreAct.DECIDED for one in act["decisions"]]
    assert sorted(one[0] for one in decided) == sorted((first, second))
    assert take_up(centre, NOW_MS) == 0
    assert len(report(centre.engine, "acts")) == len(acts)
    assert verify_audit(tmp_path / "centre")["ok"]
    party.keep()
    party.round()
    assert all(party.state_of(one) is CardState.ACCEPTED for one in (first, party.kept[-1]))


def test_what_was_said_later_outranks_what_is_taken_up_late(
    party: Party, centre: OpenCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    party.round()
    older(monkeypatch, EventKind.CARD_TO_REVIEW)
    card = party.keep()
    party.writer.call(lambda store: store.change_card(card, CardState.REVIEW, (), stamp(), "1001"))
    party.round()
    assert party.state_of(card) is CardState.NOT_TAKEN
    party.writer.call(lambda store: store.change_card(card, CardState.REJECTED, (), stamp(), "1001"))
    party.round()
    monkeypatch.undo()
    assert take_up(centre, NOW_MS) == 1
    [told] = report(centre.engine, "cards")
    assert told["verdict"] == "rejected"
    party.round()
    assert party.state_of(card) is CardState.REJECTED


def test_what_an_earlier_release_put_aside_without_a_word_is_told_at_the_start(
    party: Party, centre: OpenCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    party.round()
    older(monkeypatch, EventKind.CARD_KEPT)
    monkeypatch.setattr(intake, "tell", lambda *_told: None)
    card = party.keep()
    party.round()
    assert party.state_of(card) is CardState.AT_CENTRE  # as earlier releases had it
    assert take_up(centre, NOW_MS) == 0
    party.round()
    assert (party.state_of(card), held(party)) == (CardState.NOT_TAKEN, {"unknown-kind": 1})


def test_a_centre_that_was_put_back_and_knows_the_kind_gets_it_anew(
    party: Party, centre: OpenCentre, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    party.round()
    older(monkeypatch, EventKind.CARD_KEPT)
    card = party.keep()
    party.round()
    assert party.state_of(card) is CardState.NOT_TAKEN
    monkeypatch.undo()
    (tmp_path / "again").mkdir()
    for name in ("centre.json", "server.key"):
        (tmp_path / "again" / name).write_bytes((tmp_path / "centre" / name).read_bytes())
    init(tmp_path / "other")
    (tmp_path / "other" / "centre.db").rename(tmp_path / "again" / "centre.db")
    restored = open_centre(tmp_path / "again")
    admit_station(restored, party.store.station, party.store.public_key, "rehearsal", 0)
    party.line.centre = restored
    for _ in range(3):
        party.round()
    assert (party.state_of(card), held(party)) == (CardState.ACCEPTED, {})
    assert CardState.KEPT in [one.state for one in party.cards if one.card_id == card][2:]
    restored.engine.dispose()
