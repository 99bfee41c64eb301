"""Seeing a secret from a station's desk, through a real centre and vault: who may, what is logged, what fails."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.cards import Secret
from app.core.errors import Trouble
from app.core.parcels import Operator, Role
from app.core.reveals import Overview, Stage, Why, parts_of, reason_of, wants_words
from app.core.states import Idle, SignedOut
from app.server.governing import set_policy
from app.station.clock import system_clock
from app.station.cosigning import Cosigning
from app.station.rounds import Ground
from app.sync.client import CentreClient
from app.vault.keys import Vault
from app.vault.reveal import QUOTA_A_DAY
from tests.station.reveal_house import ASTRAY, CLERK, FIRST, NO_KEY, PASSPHRASE, PIN, SECOND, RevealHouse
from tests.vault.test_reveals import NOW_MS
from ui import samples


@pytest.fixture
def there(tmp_path: Path) -> Iterator[RevealHouse]:
    made = RevealHouse(tmp_path)
    yield made
    made.close()


def test_a_supervisor_gets_the_secret_and_the_log_has_it_before(
    there: RevealHouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before: list[list[str]] = []
    opened = Vault.open

    def watch(vault: Vault, *about: Any) -> Any:
        before.append(there.house.acts())
        return opened(vault, *about)

    monkeypatch.setattr(Vault, "open", watch)
    there.open_vault()
    with caplog.at_level(logging.DEBUG):
        stages, secret = there.answer(there.ask())
    assert stages[:2] == [Stage.UNLOCKING, Stage.SENT]
    assert isinstance(secret, Secret)
    assert secret == Secret(PIN)
    assert before == [["asked", "granted"]], "in the log of both before it was opened"
    assert there.house.acts() == ["asked", "granted", "shown", "taken"]
    assert PIN not in caplog.text
    assert PASSPHRASE not in caplog.text
    secret.forget()
    assert secret.reveal() == ""


def test_the_whole_number_is_another_field(there: RevealHouse) -> None:
    there.open_vault()
    _, secret = there.answer(there.ask(wish=there.wish("number")))
    assert secret == Secret("6222020012340002")


def test_what_is_left_today_and_who_asked_for_what_is_told(there: RevealHouse) -> None:
    there.open_vault()
    assert there.overview().left == QUOTA_A_DAY
    there.answer(there.ask())
    seen = there.overview(SECOND)
    assert isinstance(seen, Overview)
    (one,) = seen.asked
    assert (one.who, one.name, one.card_id, one.field, one.state) == ("S20018", "周岚", there.card_id, "pin", "taken")
    assert parts_of(one.reason) == (Why.COMPLAINT, "来电 4711")
    assert (there.overview().left, seen.left) == (QUOTA_A_DAY - 1, QUOTA_A_DAY)
    assert seen.has_key
    assert not there.overview(NO_KEY).has_key


def test_the_policy_says_how_long_and_whether_own_words_are_needed(there: RevealHouse) -> None:
    seen = there.overview()
    assert (seen.shown_s, seen.words_wanted) == (20, False)
    set_policy(
        there.house.centre, {"reveal_shown_s": 7, "reveal_words": 1}, there.party.store.station, NOW_MS, "os:test"
    )
    there.party.round()
    seen = there.overview()
    assert (seen.shown_s, seen.words_wanted) == (7, True)


@pytest.mark.parametrize(
    ("who", "passphrase", "code"),
    [
        (CLERK, PASSPHRASE, "reveal.not_allowed"),
        (NO_KEY, PASSPHRASE, "reveal.no_key"),
        (FIRST, "guessed", "reveal.passphrase"),
        (ASTRAY, PASSPHRASE, "reveal.no_key"),
    ],
)
def test_who_may_not_asks_for_nothing(there: RevealHouse, who: Operator, passphrase: str, code: str) -> None:
    _, trouble = there.answer(there.ask(who, passphrase=passphrase))
    assert isinstance(trouble, Trouble)
    assert trouble.code == code
    assert there.house.acts() == []
    if who is CLERK:
        assert there.overview(who).code == code


def test_a_key_file_that_is_damaged_is_told_as_that(there: RevealHouse) -> None:
    (there.keys / f"{FIRST.id}.key").write_text("{}")
    _, trouble = there.answer(there.ask())
    assert trouble.code == "reveal.key_damaged"


def test_a_supervisor_who_is_none_any_more_asks_for_nothing(there: RevealHouse) -> None:
    there.party.writer.call(lambda store: store.add_operator(FIRST.id, FIRST.name, Role.CLERK, "", Secret("135790")))
    _, trouble = there.answer(there.ask())
    assert trouble.code == "reveal.not_allowed"
    assert there.posted, "the session hears of it"


def test_beyond_the_quota_another_supervisor_agrees(there: RevealHouse) -> None:
    there.use_up()
    there.open_vault()
    heard = there.ask()
    there.until(heard, Stage.SECOND)
    assert there.sign(FIRST, agree=True).code == "reveal.same"
    assert there.sign(SECOND, agree=True, passphrase="guessed").code == "reveal.passphrase"
    assert isinstance(there.sign(SECOND, agree=True), Overview)
    _, secret = there.answer(heard)
    assert secret == Secret(PIN)
    assert there.house.acts() == ["asked", "needs-second", "approved", "granted", "shown", "taken"]
    (one,) = there.overview().asked
    assert (one.approver, one.approver_name) == ("S20019", "林远")


def test_what_the_second_person_refuses_is_never_opened(there: RevealHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    monkeypatch.setattr(Vault, "open", lambda *about: opened.append(about))
    there.use_up()
    there.open_vault()
    heard = there.ask()
    there.until(heard, Stage.SECOND)
    assert isinstance(there.sign(SECOND, agree=False), Overview)
    _, trouble = there.answer(heard)
    assert trouble.code == "reveal.second_refused"
    assert there.house.acts() == ["asked", "needs-second", "refused"]
    assert opened == []
    (one,) = there.overview().asked
    assert (one.state, one.approver) == ("refused", "S20019")


def test_nobody_signs_what_the_screen_did_not_show(there: RevealHouse) -> None:
    """A centre that shows one card and lets another be signed."""
    there.use_up()
    there.open_vault()
    heard = there.ask()
    there.until(heard, Stage.SECOND)
    seen = there.overview(SECOND).asked[0]
    answer: SimpleQueue[Any] = SimpleQueue()
    there.desk.sign(SECOND, replace(seen, card_id="another"), True, Secret(PASSPHRASE), answer.put)
    assert answer.get(timeout=30).code == "sync.untrusted_answer"
    assert "approved" not in there.house.acts()


def test_what_nobody_waits_for_any_more_is_taken_back(there: RevealHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    monkeypatch.setattr(Vault, "open", lambda *about: opened.append(about))
    heard = there.ask()
    there.until(heard, Stage.SENT)
    there.desk.drop()
    _, trouble = there.answer(heard)
    assert trouble.code == "reveal.withdrawn"
    assert there.house.acts() == ["asked", "refused"]
    there.open_vault()
    assert there.overview().asked[0].code == "reveal.withdrawn"
    assert there.overview().left == QUOTA_A_DAY
    assert opened == []


def test_dropped_twice_it_is_still_taken_back(there: RevealHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    withdrawing, going_on = threading.Event(), threading.Event()
    withdraw = CentreClient.withdraw_reveal

    async def slowly(client: CentreClient, name: str) -> Any:
        withdrawing.set()
        while not going_on.is_set():
            await asyncio.sleep(0.01)
        return await withdraw(client, name)

    monkeypatch.setattr(CentreClient, "withdraw_reveal", slowly)
    heard = there.ask()
    there.until(heard, Stage.SENT)
    there.desk.drop()
    assert withdrawing.wait(30)
    there.desk.drop()
    going_on.set()
    assert there.answer(heard)[1].code == "reveal.withdrawn"
    assert there.house.acts() == ["asked", "refused"]


def test_a_second_request_drops_the_first(there: RevealHouse) -> None:
    first = there.ask()
    there.until(first, Stage.SENT)
    there.open_vault()
    second = there.ask()
    assert there.answer(first)[1].code in ("reveal.withdrawn", "vault.stale")
    assert there.answer(second)[1] == Secret(PIN)


def test_without_a_line_it_is_told_and_nothing_is_asked(there: RevealHouse) -> None:
    there.away = True
    _, trouble = there.answer(there.ask())
    assert trouble.code == "sync.offline"
    assert there.overview().code == "sync.offline"
    there.away = False
    assert there.house.acts() == []


def test_a_vault_that_was_killed_gives_no_answer_and_the_request_is_taken_back(tmp_path: Path) -> None:
    there = RevealHouse(tmp_path, longest_s=1.0)
    there.open_vault().kill()
    stages, trouble = there.answer(there.ask())
    assert stages == [Stage.UNLOCKING, Stage.SENT]
    assert trouble.code == "vault.no_answer"
    assert there.house.acts() == ["asked", "refused"]
    there.desk._plan = replace(there.desk._plan, longest_s=30.0)
    there.open_vault()
    assert there.answer(there.ask())[1] == Secret(PIN), "the next one, with the vault there again"
    there.close()


def test_who_may_sign_is_told_that_somebody_waits(there: RevealHouse) -> None:
    there.use_up()
    there.open_vault()
    around = [samples.around()]
    ground = Ground(
        there.party.writer, system_clock(), lambda change: around.append(change(around[-1])), there.bugs.append
    )
    watch = Cosigning(ground, there.desk.waiting_for)
    heard = there.ask()
    there.until(heard, Stage.SECOND)
    counts = {}
    for who in (FIRST, SECOND, CLERK):
        watch.show(Idle(who), around[-1])
        counts[who.id] = watch.look()
    assert counts == {"S20018": 0, "S20019": 1, "E10327": 0}
    watch.show(Idle(SECOND), around[-1])
    watch.look()
    assert around[-1].cosign == 1
    there.away = True
    watch.look()
    assert around[-1].cosign == 0
    there.away = False
    watch.look()
    assert around[-1].cosign == 1
    for state in (SignedOut(), Idle(CLERK), Idle(FIRST)):
        watch.show(state, around[-1])
        assert around[-1].cosign == 0, "at once, before the next look"
        watch.show(Idle(SECOND), around[-1])
        watch.look()
        assert around[-1].cosign == 1
    watch.show(SignedOut(), around[-1])
    assert watch.look() == 0


def test_what_is_counted_for_who_left_meanwhile_is_not_told(there: RevealHouse) -> None:
    around = [samples.around()]
    ground = Ground(
        there.party.writer, system_clock(), lambda change: around.append(change(around[-1])), there.bugs.append
    )

    def count(_who: Operator) -> int:
        watch.show(Idle(CLERK), around[-1])
        return 3

    watch = Cosigning(ground, count)
    watch.show(Idle(SECOND), around[-1])
    assert watch.look() == 0
    assert around[-1].cosign == 0


@given(st.sampled_from(Why), st.text(max_size=120).map(str.strip))
def test_a_reason_is_read_as_it_was_written(why: Why, words: str) -> None:
    assert parts_of(reason_of(why, words)) == (why, words)
    assert len(reason_of(why, "")) >= 4, "the vault wants as many letters"


def test_own_words_are_needed_where_no_reason_fits_or_the_policy_says_so() -> None:
    assert [why for why in Why if wants_words(why, False)] == [Why.OTHER]
    assert all(wants_words(why, True) for why in Why)
    assert parts_of("来电 4711") == (None, "来电 4711")
