"""A decision that ran out before the station heard of it, or acted on it, is given again, and only the last word is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest

from app.core.audit import CentreAct, Stamp
from app.core.cards import CardState, Tag
from app.core.errors import Unavailable
from app.keys import Signer, new_seed
from app.server.decide import EXPIRES_MS
from app.server.report import report
from app.server.setup import OpenCentre
from app.store.chips import ChipGate, Closed
from app.sync.client import CentreRefused
from app.wire import Decision, Signed, sign_statement
from tests.sync.conftest import NOW_US, Party, stamp

NOW_MS = NOW_US // 1000
MONTH_MS = EXPIRES_MS + 3_600_000
CHIP = Tag("04A1B2C3D4E5F6", "0044", "00", "ntag21x", simulated=True)


def later() -> Stamp:
    return replace(stamp(), wall_us=NOW_US + MONTH_MS * 1000)


def decided(centre: OpenCentre) -> list[list[Any]]:
    return [one for act in report(centre.engine, "acts") if act["act"] == CentreAct.DECIDED for one in act["decisions"]]


def away_for_a_month(party: Party, **card: Any) -> str:
    """A card that was decided on, of which the station heard nothing for longer than the decision holds."""
    party.round()
    name = party.keep(**card)
    party.line.fate = lambda request: "cut" if request.url.path == "/v1/feed" else ""
    with pytest.raises(Unavailable):
        party.round()
    party.line.fate = lambda _request: ""
    party.line.ahead_ms = MONTH_MS
    return name


def ask(party: Party, *told: Signed) -> int:
    async def run() -> int:
        client = party.exchange().client
        async with client:
            return int(await client.decisions_again(told))

    return asyncio.run(run())


def given(party: Party, centre: OpenCentre, card: str, **changes: Any) -> Signed:
    """The decision as it lies in the feed, changed."""
    with centre.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT text FROM feed WHERE kind = 'card.decided'").all()
    [text] = [row.text for row in rows if card in row.text]
    return sign_statement(Decision.model_validate_json(text).model_copy(update=changes), centre.signer.sign)


@pytest.mark.parametrize(
    ("verdict", "state"), [(CardState.KEPT, CardState.ACCEPTED), (CardState.REVIEW, CardState.REVIEW)]
)
def test_who_was_away_for_longer_gets_it_again(
    party: Party, centre: OpenCentre, verdict: CardState, state: CardState
) -> None:
    card = away_for_a_month(party, verdict=verdict)
    party.round()
    assert party.state_of(card) is state
    assert [(one[0], one[1], one[2]) for one in decided(centre)] == [(card, state.value, 1), (card, state.value, 2)]
    party.round()
    asked = [one for one in party.line.requests if one.url.path == "/v1/decisions/again"]
    assert (len(asked), len(decided(centre))) == (1, 2)


@pytest.mark.warns
def test_an_answer_that_is_lost_gives_it_once(party: Party, centre: OpenCentre) -> None:
    card = away_for_a_month(party)
    party.line.fate = lambda request: "lost" if request.url.path == "/v1/decisions/again" else ""
    party.round()  # a lane of its own: nothing else is held up
    assert party.state_of(card) is CardState.AT_CENTRE
    party.round()
    assert (party.state_of(card), len(decided(centre))) == (CardState.ACCEPTED, 2)


@pytest.mark.warns
def test_a_centre_of_an_earlier_release_holds_nothing_up(party: Party) -> None:
    card = away_for_a_month(party)
    honest = party.line.handle_async_request

    async def earlier(request: httpx.Request) -> httpx.Response:
        missing = request.url.path == "/v1/decisions/again"
        return httpx.Response(404, json={"code": "x", "detail": ""}) if missing else await honest(request)

    party.line.handle_async_request = earlier  # type: ignore[method-assign]
    other = party.keep()
    party.round()
    assert (party.state_of(card), party.state_of(other)) == (CardState.AT_CENTRE, CardState.ACCEPTED)


def test_only_the_last_word_that_runs_out_is_given_again(party: Party, centre: OpenCentre) -> None:
    card = away_for_a_month(party)
    assert ask(party, given(party, centre, card, revision=7)) == 0
    assert ask(party, given(party, centre, card, event_hash="ab" * 32)) == 0
    assert ask(party, given(party, centre, card, station="somebody-else")) == 0
    party.line.ahead_ms = 0
    assert ask(party, given(party, centre, card)) == 0  # it holds for a month yet
    party.line.ahead_ms = MONTH_MS
    forged = sign_statement(Decision.model_validate_json(given(party, centre, card).text), Signer(new_seed()).sign)
    with pytest.raises(CentreRefused, match="format"):
        ask(party, forged)
    assert len(decided(centre)) == 1
    with centre.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE station SET state = 'locked' WHERE id = ?", (party.store.station,))
    assert ask(party, given(party, centre, card)) == 0


def test_a_chip_is_not_switched_off_by_one_that_ran_out_and_it_comes_anew(party: Party, centre: OpenCentre) -> None:
    party.round()
    card = party.keep(tag=CHIP)
    party.round()
    assert isinstance(party.writer.call(lambda store: store.chip_gate(card, stamp())), ChipGate)
    assert party.writer.call(lambda store: store.chip_gate(card, later())) is Closed.DECISION_EXPIRED
    party.line.ahead_ms = MONTH_MS

    async def run() -> None:
        exchange = party.exchange()
        exchange.stamp = later
        async with exchange.client:
            await exchange.round()

    asyncio.run(run())
    assert isinstance(party.writer.call(lambda store: store.chip_gate(card, later())), ChipGate)
    assert [one[1] for one in decided(centre)] == ["accepted", "accepted"]
