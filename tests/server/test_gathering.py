"""Batches that wait for each other share a transaction, and nothing else: each has its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from app.core.audit import EventKind
from app.core.errors import StorageTrouble
from app.keys import Signer, new_seed, verifier
from app.rotation import rotation_body
from app.server import gathering
from app.server.gathering import Gathering
from app.server.intake import Asked, NotTogether, take_together
from app.server.known import Known
from app.server.refusal import Refusal
from app.server.setup import OpenCentre
from app.store.db import reading
from app.store.verify import verify_audit
from app.wire import BatchAnswer, EventBatch, Receipt, open_statement
from tests.server.test_postgres import NOW_MS, Station, results


def asked(station: Station, count: int = 2) -> Asked:
    return Asked(EventBatch.of(station.name, [station.add() for _ in range(count)]), station.caller())


def receipt_of(centre: OpenCentre, answer: BatchAnswer | Refusal) -> Receipt:
    assert isinstance(answer, BatchAnswer)
    return open_statement(Receipt, answer.receipt, verifier(centre.signer.public_key))


def count(centre: OpenCentre, table: str) -> int:
    with reading(centre.engine) as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table} WHERE station <> '@centre'").scalar_one())


def test_each_has_its_answer_whatever_the_others_bring(centre: OpenCentre, tmp_path: Path) -> None:
    good, forked, late = (Station(centre, name) for name in ("good", "forked", "late"))
    stranger, other = Station(centre, "stranger"), Station(centre, "other")
    known = Known(centre.engine)
    take_together(centre, known, [asked(forked)], NOW_MS)
    forked.chain.pop()
    stranger.signer = Signer(new_seed())
    gap = EventBatch.of("late", [late.add(), late.add()][1:])
    batches = [asked(good), Asked(EventBatch.of("forked", [forked.add(body={"twin": 1})]), forked.caller())]
    batches += [Asked(gap, late.caller()), asked(stranger), Asked(EventBatch.of("good", []), other.caller())]
    answers = take_together(centre, known, batches, NOW_MS)
    assert [results(answer) for answer in answers[:3]] == [["applied"] * 2, ["fork"], ["gap"]]  # type: ignore[arg-type]
    assert [str(answer) for answer in answers[3:]] == ["auth.signature", "station.other"]
    receipts = [receipt_of(centre, answer) for answer in answers[:3]]
    assert [one.high for one in receipts] == [2, 2, 0]
    assert {(one.log_size, one.root) for one in receipts} == {(receipts[0].log_size, receipts[0].root)}
    assert count(centre, "nonce") == 4, "of the first request and of the three that were done"
    assert verify_audit(tmp_path / "centre")["ok"]


def test_one_that_was_sent_before_sends_each_its_own_way(centre: OpenCentre) -> None:
    """Nothing of the transaction stays; through the door the others are answered all the same."""
    first, second = Station(centre, "first"), Station(centre, "second")
    known = Known(centre.engine)
    again = asked(first)
    take_together(centre, known, [again], NOW_MS)
    new = asked(second)
    with pytest.raises(NotTogether):
        take_together(centre, known, [again, new], NOW_MS)
    assert count(centre, "event") == 2
    replayed, taken = together(centre, [again, new])
    assert str(replayed) == "auth.replay"
    assert results(taken) == ["applied"] * 2


def together(centre: OpenCentre, batches: Sequence[Asked]) -> list[Any]:
    """All at once through one door; answers and exceptions."""

    async def ask() -> list[Any]:
        door = Gathering(centre, lambda: NOW_MS)
        return await asyncio.gather(*(door.take(one.batch, one.caller) for one in batches), return_exceptions=True)

    return asyncio.run(ask())


def test_what_waits_goes_together_in_its_order(centre: OpenCentre, monkeypatch: pytest.MonkeyPatch) -> None:
    """One station's second batch needs its first one."""
    stations = [Station(centre, f"st-{n}") for n in range(5)]
    groups: list[list[str]] = []

    def noted(centre: OpenCentre, known: Known, batches: Sequence[Asked], now_ms: int) -> Any:
        groups.append([one.batch.station for one in batches])
        return take_together(centre, known, batches, now_ms)

    monkeypatch.setattr(gathering, "take_together", noted)
    batches = [asked(station) for _ in range(2) for station in stations]
    answers = together(centre, batches)
    assert all(results(answer) == ["applied"] * 2 for answer in answers)
    names = [station.name for station in stations]
    assert groups == [names, names]
    assert count(centre, "event") == 20


def test_a_group_has_an_end(centre: OpenCentre, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "_MOST_EVENTS", 3)
    stations = [Station(centre, f"st-{n}") for n in range(4)]
    answers = together(centre, [asked(station) for station in stations])
    assert all(results(answer) == ["applied"] * 2 for answer in answers)


@pytest.mark.parametrize("trouble", [StorageTrouble("store.disk_full"), ZeroDivisionError()])
def test_trouble_of_one_is_not_that_of_others(
    centre: OpenCentre, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    """A bug that one batch meets leaves the others in peace; a full disk is everybody's."""

    def broken(centre: OpenCentre, known: Known, batches: Sequence[Asked], now_ms: int) -> Any:
        if any(one.batch.station == "st-1" for one in batches):
            raise trouble
        return take_together(centre, known, batches, now_ms)

    monkeypatch.setattr(gathering, "take_together", broken)
    stations = [Station(centre, f"st-{n}") for n in range(3)]
    answers = together(centre, [asked(station) for station in stations])
    assert answers[1] is trouble
    others = [answers[0], answers[2]]
    if isinstance(trouble, StorageTrouble):
        assert others == [trouble, trouble]
    else:
        assert all(results(answer) == ["applied"] * 2 for answer in others)


def test_a_key_that_another_process_heard_of_is_known_at_once(centre: OpenCentre) -> None:
    """And the one before it no more, although it was seen here last."""
    station, here, elsewhere = Station(centre, "st-1"), Known(centre.engine), Known(centre.engine)
    take_together(centre, here, [asked(station)], NOW_MS)
    before, after = station.signer, Signer(new_seed())
    prev = station.chain[-1].hash
    rotating = station.add(EventKind.KEY_ROTATED, rotation_body("st-1", 3, prev, before.public_key, after))
    take_together(centre, elsewhere, [Asked(EventBatch.of("st-1", [rotating]), station.caller())], NOW_MS)
    old = take_together(centre, here, [asked(station, 0)], NOW_MS)
    assert str(old[0]) == "auth.signature"
    station.signer = after
    [answer] = take_together(centre, here, [asked(station)], NOW_MS)
    assert receipt_of(centre, answer).high == 5
    resent = Asked(EventBatch.of("st-1", station.chain), station.caller())
    assert results(take_together(centre, here, [resent], NOW_MS)[0]) == ["duplicate"] * 5  # type: ignore[arg-type]


def test_who_asked_may_be_gone(centre: OpenCentre) -> None:
    """What was begun is done, and the others have their answers."""
    first, second = Station(centre, "first"), Station(centre, "second")
    batches = [asked(first), asked(second)]

    async def ask() -> BatchAnswer:
        door = Gathering(centre, lambda: NOW_MS)
        gone = asyncio.create_task(door.take(batches[0].batch, batches[0].caller))
        stays = asyncio.create_task(door.take(batches[1].batch, batches[1].caller))
        await asyncio.sleep(0)
        gone.cancel()
        return await stays

    assert results(asyncio.run(ask())) == ["applied"] * 2
    assert count(centre, "event") == 4
