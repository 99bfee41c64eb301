"""Station and centre in step: each event once whatever the line does, receipts and decisions only if signed."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.audit import Stamp
from app.core.cards import CardState
from app.core.errors import EvidenceTrouble, StorageTrouble, Trouble, Unavailable
from app.core.parcels import Operator, Reason, Role
from app.core.rulings import ReviewPolicy, Ruling
from app.keys import Signer, new_seed
from app.server.enrol import admit_station
from app.server.setup import OpenCentre, init, open_centre
from app.store.results import RetryState
from app.store.rulings import Wanted, rule
from app.store.verify import verify_audit
from app.sync.client import CentreRefused
from app.sync.halt import Halt
from app.sync.pace import BatchSize, after_failure
from app.wire import Decision, FeedPage, Receipt, Signed, sign_statement
from tests.sync.conftest import stamp

STAMP = Stamp(1_790_000_000_000_000, 5, "boot")
FATES = ["", "", "cut", "lost", "twice", "flip", "busy"]


def at_centre(centre: OpenCentre) -> list[tuple[int, str]]:
    with centre.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT seq, hash FROM event WHERE station <> '@centre' ORDER BY seq")
        return [tuple(row) for row in rows]


def ours(party: Any) -> list[tuple[int, str]]:
    return [(event.seq, event.hash) for event in party.writer.call(lambda store: store.outbox_after(0))]


def rounds_until_calm(party: Any, most: int = 60) -> None:
    for _ in range(most):
        try:
            if not party.round():
                return
        except Unavailable:
            continue
    pytest.fail("the queue never emptied")


def test_a_card_goes_from_kept_to_the_centre_to_accepted(party: Any, centre: OpenCentre) -> None:
    own = (Reason.NUMBER_CONFIRMED, Reason.PIN_UNREADABLE)
    kept, doubtful = party.keep(), party.keep(CardState.REVIEW, own)
    party.round()
    states = [card.state for card in party.cards if card.card_id == kept]
    assert states == [CardState.AT_CENTRE, CardState.ACCEPTED]
    assert party.state_of(doubtful) is CardState.REVIEW
    tray = {card.card_id: card for card in party.writer.call(lambda store: store.tray("p-1"))}
    assert tray[kept].reasons == (Reason.CENTRE_ACCEPTED,)
    assert tray[doubtful].reasons == (*own, Reason.CENTRE_REVIEW)
    rounds_until_calm(party)
    assert at_centre(centre) == ours(party)


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_the_line_does_each_event_arrives_once(
    data: st.DataObject, tmp_path_factory: Any, make_party: Any
) -> None:
    folder = tmp_path_factory.mktemp("line")
    init(folder / "centre")
    centre = open_centre(folder / "centre")
    party = make_party(folder, centre)
    party.line.fate = lambda _request: data.draw(st.sampled_from(FATES))
    try:
        for step in data.draw(st.lists(st.sampled_from(["keep", "sync"]), min_size=2, max_size=12)):
            if step == "keep":
                party.keep()
                continue
            try:
                party.round()
            except Unavailable:
                continue
        party.line.fate = lambda _request: ""
        rounds_until_calm(party)
        assert at_centre(centre) == ours(party)
        assert all(party.state_of(card) is CardState.ACCEPTED for card in party.kept)
        decided = [card.card_id for card in party.cards if card.state is CardState.ACCEPTED]
        assert sorted(decided) == sorted(party.kept)
        with centre.engine.connect() as connection:
            blobs = connection.exec_driver_sql("SELECT count(*) FROM sealed").scalar_one()
        assert blobs == 2 * len(party.kept)
    finally:
        party.writer.stop()
        centre.engine.dispose()
    assert verify_audit(folder / "centre")["ok"]
    assert verify_audit(folder, "rehearsal")["ok"]


def test_no_secret_lies_in_any_file_of_station_or_centre(party: Any, tmp_path: Path) -> None:
    party.keep()
    rounds_until_calm(party)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    sent = b"".join(request.content for request in party.line.requests)
    assert len(files) > 6
    for content in (sent, *(path.read_bytes() for path in files)):
        assert b"6222020012340001" not in content
        assert b"83749261" not in content


def test_a_long_queue_goes_in_growing_batches(party: Any, centre: OpenCentre) -> None:
    for _ in range(180):
        party.keep()
    party.round()
    batches = [json.loads(request.content) for request in party.line.requests if request.url.path == "/v1/events"]
    sizes = [len(batch["events"]) for batch in batches if batch["events"]]
    assert sizes == [50, 100, 31]
    rounds_until_calm(party)
    assert at_centre(centre) == ours(party)


def test_a_centre_put_back_to_an_earlier_state_gets_all_again(party: Any, centre: OpenCentre, tmp_path: Path) -> None:
    party.keep()
    rounds_until_calm(party)
    (tmp_path / "again").mkdir()
    for name in ("centre.json", "server.key"):
        (tmp_path / "again" / name).write_bytes((tmp_path / "centre" / name).read_bytes())
    init(tmp_path / "other")
    (tmp_path / "other" / "centre.db").rename(tmp_path / "again" / "centre.db")
    restored = open_centre(tmp_path / "again")
    admit_station(restored, party.store.station, party.store.public_key, "rehearsal", 0)
    party.line.centre = restored
    party.keep()
    rounds_until_calm(party)
    assert at_centre(restored) == ours(party)
    assert all(party.state_of(card) is CardState.ACCEPTED for card in party.kept)
    restored.engine.dispose()


def test_two_histories_under_one_key_halt_the_sending(party: Any, centre: OpenCentre) -> None:
    party.keep()
    rounds_until_calm(party)
    with centre.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER event_update_refused")
        connection.exec_driver_sql("UPDATE station SET head_hash = ?", ("ab" * 32,))
    party.keep()
    with pytest.raises(EvidenceTrouble, match=r"sync.fork"):
        party.round()


def test_an_event_that_the_centre_refuses_halts_the_sending(party: Any, centre: OpenCentre) -> None:
    party.round()
    party.keep()

    def damaged(store: Any) -> list[Any]:
        return [event._replace(sig=bytes(64)) for event in outbox_after(store, 0, 50, 1 << 20)]

    outbox_after = type(party.store).outbox_after
    party.store.outbox_after = lambda *_limits: damaged(party.store)[-1:]
    with pytest.raises(Halt, match=r"sync.event_refused"):
        party.round()
    assert party.writer.call(lambda store: store.queue()).unsent == 1


@pytest.mark.parametrize("path", ["/v1/events", "/v1/feed"])
def test_answers_that_the_centre_did_not_sign_are_not_believed(path: str, party: Any, centre: OpenCentre) -> None:
    forger = Signer(new_seed())
    honest = party.line.handle_async_request

    async def forged(request: httpx.Request) -> httpx.Response:
        answer = await honest(request)
        if request.url.path != path or answer.status_code != 200:
            return answer
        fields = json.loads(await answer.aread())
        signed = fields["receipt"] if path == "/v1/events" else fields
        signed["sig"] = base64.b64encode(forger.sign(signed["text"].encode())).decode()
        return httpx.Response(200, json=fields)

    party.line.handle_async_request = forged
    card = party.keep()
    with pytest.raises(EvidenceTrouble, match=r"sync.untrusted_answer"):
        party.round()
    assert party.state_of(card) is (CardState.KEPT if path == "/v1/events" else CardState.AT_CENTRE)


def decision(party: Any, centre: OpenCentre, kept: str, **changes: Any) -> Signed:
    event = next(e for e in party.writer.call(lambda store: store.outbox_after(0)) if kept.encode() in e.data)
    fields = {"tenant": centre.centre.tenant, "station": party.store.station, "card_id": kept}
    fields |= {"event_hash": event.hash, "verdict": CardState.ACCEPTED, "revision": 1, "expires_ms": 2**53}
    return sign_statement(Decision(**{**fields, **changes}), centre.signer.sign)


@pytest.mark.parametrize(
    "changes",
    [
        {"tenant": "other"},
        {"station": "other"},
        {"event_hash": "00" * 32},
        {"revision": 0},
        {"expires_ms": 1},
        {"verdict": CardState.AT_CENTRE},
        {"card_id": "unknown"},
    ],
)
def test_a_decision_that_does_not_fit_changes_nothing(changes: Any, party: Any, centre: OpenCentre) -> None:
    card = party.keep()
    item = decision(party, centre, card, **changes)
    applied = party.writer.call(lambda store: store.apply_decisions([item], STAMP))
    assert (applied.changed, applied.ignored) == ((), 1)
    assert party.state_of(card) is CardState.KEPT


def test_a_forged_decision_is_refused_with_all_that_came_with_it(party: Any, centre: OpenCentre) -> None:
    card = party.keep()
    good = decision(party, centre, card)
    forged = sign_statement(Decision.model_validate(json.loads(good.text)), Signer(new_seed()).sign)
    with pytest.raises(EvidenceTrouble, match=r"sync.untrusted_answer"):
        party.writer.call(lambda store: store.apply_decisions([good, forged], STAMP))
    assert party.state_of(card) is CardState.KEPT


def test_decisions_only_go_forward(party: Any, centre: OpenCentre) -> None:
    card = party.keep()

    def told(revision: int, verdict: CardState) -> CardState:
        item = decision(party, centre, card, revision=revision, verdict=verdict)
        party.writer.call(lambda store: store.apply_decisions([item], STAMP))
        return CardState(party.state_of(card))

    assert told(2, CardState.ACCEPTED) is CardState.ACCEPTED
    assert told(1, CardState.REJECTED) is CardState.ACCEPTED
    assert told(2, CardState.REJECTED) is CardState.ACCEPTED
    assert told(3, CardState.REJECTED) is CardState.REJECTED


def test_a_late_decision_does_not_revive_a_withdrawn_card(party: Any, centre: OpenCentre) -> None:
    card = party.keep()
    item = decision(party, centre, card)
    party.writer.call(lambda store: store.withdraw_card(card, (), STAMP, "1001"))
    assert party.writer.call(lambda store: store.apply_decisions([item], STAMP)).changed == ()


def test_a_receipt_of_an_older_answer_does_not_turn_back(party: Any, centre: OpenCentre) -> None:
    receipts: list[Signed] = []
    honest = party.writer.ask
    party.keep()
    rounds_until_calm(party)
    high = party.writer.call(lambda store: store.high_received())

    old = Receipt(
        station=party.store.station,
        high=1,
        head_hash=ours(party)[0][1],
        log_size=1,
        root="00" * 32,
        server_time_ms=1,
        epoch=centre.epoch,
    )
    receipts.append(sign_statement(old, centre.signer.sign))
    honest(lambda store: store.save_receipt(receipts[0])).result(5)
    assert party.writer.call(lambda store: store.high_received()) == high


def test_what_the_centre_says_to_another_station_is_not_taken(party: Any, centre: OpenCentre) -> None:
    """By the centre's own key, about a number, a hash and a card that are ours."""
    card = party.keep()
    last = party.writer.call(lambda store: store.outbox_after(0))[-1]
    told = {"high": last.seq, "head_hash": last.hash, "log_size": 9, "root": "00" * 32, "epoch": centre.epoch}
    receipt = sign_statement(Receipt(station="another", server_time_ms=1, **told), centre.signer.sign)
    with pytest.raises(EvidenceTrouble, match=r"sync.untrusted_answer"):
        party.writer.call(lambda store: store.save_receipt(receipt))
    items = (decision(party, centre, card),)
    page = FeedPage(station="another", after="", cursor="x.1.1", items=items, more=False, server_time_ms=1)
    signed = sign_statement(page, centre.signer.sign)
    with pytest.raises(EvidenceTrouble, match=r"sync.untrusted_answer"):
        party.writer.call(lambda store: store.apply_page(signed, STAMP))
    assert party.state_of(card) is CardState.KEPT
    assert party.writer.call(lambda store: (store.high_received(), store.feed_cursor())) == (0, "")


def test_a_page_for_another_cursor_is_ignored(party: Any, centre: OpenCentre) -> None:
    card = party.keep()
    page = FeedPage(
        station=party.store.station,
        after=f"{centre.epoch}.7",
        cursor=f"{centre.epoch}.8",
        items=(decision(party, centre, card),),
        more=False,
        server_time_ms=1,
    )
    signed = sign_statement(page, centre.signer.sign)
    assert party.writer.call(lambda store: store.apply_page(signed, STAMP)).changed == ()
    assert party.writer.call(lambda store: store.feed_cursor()) == ""


def test_no_refusal_ever_drops_an_event(party: Any) -> None:
    for status in (400, 401, 403, 404, 409, 410, 413, 422, 426, 429, 500, 503):
        party.line.handle_async_request = answering(status)
        party.keep()
        with pytest.raises(CentreRefused):
            party.round()
    assert party.writer.call(lambda store: store.queue()).unsent == 13


def test_a_supervisors_ruling_makes_the_centre_decide_anew(party: Any) -> None:
    who = Operator("S1", "周岚", Role.SUPERVISOR)

    def ruled(card_id: str, ruling: Ruling) -> None:
        wanted = Wanted(card_id, ruling, "looked at the video", who)
        party.writer.call(lambda store: rule(store.ledger, wanted, ReviewPolicy(), stamp()))
        party.round()

    accepted, rejected, held = (party.keep(CardState.REVIEW) for _ in range(3))
    party.round()
    assert party.state_of(accepted) is CardState.REVIEW
    ruled(accepted, Ruling.ACCEPT)
    ruled(rejected, Ruling.REJECT)
    ruled(held, Ruling.HOLD)
    party.round()
    assert party.state_of(accepted) is CardState.ACCEPTED
    assert party.state_of(rejected) is CardState.REJECTED
    assert party.state_of(held) is CardState.REVIEW


def answering(status: int) -> Any:
    async def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, text="no")

    return answer


def test_waits_grow_with_failures_and_never_undercut_the_centre() -> None:
    state, waits = RetryState(), []
    for _ in range(12):
        after = after_failure(state, 1000, lambda: 1.0)
        waits.append(after.next_try_ms - 1000)
        state = after
    assert waits[:4] == [1000, 2000, 4000, 8000]
    assert waits[-1] == 300_000
    assert after_failure(state, 0, lambda: 0.0, floor_ms=7000).next_try_ms == 7000
    assert after_failure(state, 0, lambda: 1.0, floor_ms=7000).next_try_ms == 23_000
    assert after_failure(state, 0, lambda: 1.0, floor_ms=100_000).next_try_ms == 125_000


def test_batches_stay_within_their_bounds() -> None:
    size = BatchSize()
    for _ in range(20):
        size = size.grown()
    assert size.events == 500
    for _ in range(20):
        size = size.halved()
    assert size.events == 1


def test_a_stopped_store_is_told_as_trouble(party: Any) -> None:
    party.writer.stop()
    heard: list[object] = []
    party.writer.submit(lambda store: store.queue(), heard.append, heard.append)
    assert isinstance(heard[0], StorageTrouble)
    with pytest.raises(Trouble, match=r"store.stopped"):
        party.writer.call(lambda store: store.queue())


def test_what_is_told_of_the_cards_is_from_receipts_and_decisions(party: Any) -> None:
    kept = party.keep()
    facts = party.writer.call(lambda store: store.queue())
    assert (facts.cards, facts.oldest) == ({CardState.KEPT: 1}, {CardState.KEPT: STAMP.wall_us})
    party.line.fate = lambda _request: "lost"  # it is there, and we were not told
    with pytest.raises(Unavailable):
        party.round()
    assert party.writer.call(lambda store: store.queue()).cards == {CardState.KEPT: 1}
    party.line.fate = lambda _request: ""
    party.round()
    assert party.writer.call(lambda store: store.queue()).cards == {CardState.ACCEPTED: 1}
    assert party.state_of(kept) is CardState.ACCEPTED
