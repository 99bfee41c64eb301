"""A centre that shows stations different logs: each hears what others countersigned, and holds it to its own view."""

from __future__ import annotations

import json
import queue
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import literal, select

from app.__main__ import main
from app.core.audit import Stamp
from app.core.cards import CardState
from app.core.errors import BadInput, EvidenceTrouble
from app.core.readiness import SyncState
from app.keys import Signer, new_seed
from app.server import checkpoints, elsewhere
from app.server.elsewhere import Shown
from app.server.export import export_log
from app.server.governing import revoke
from app.server.setup import OpenCentre, open_centre
from app.store import others
from app.store.compare import compare
from app.store.db import checkpoint
from app.store.export import export_chain
from app.store.notes import cosign, read_checkpoint
from app.store.rotating import rotate
from app.sync.exchange import Exchange
from app.sync.halt import Halt
from app.sync.worker import SyncListeners, SyncPlan, SyncReport, SyncWorker
from tests.sync.conftest import NOW_US, Party, new_party, stamp
from ui.texts import trouble

MOST = 1 << 40
"""Entries of no log."""


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look finds a new checkpoint."""
    monkeypatch.setattr(checkpoints, "EVERY_ENTRIES", 1)


@pytest.fixture
def pair(tmp_path: Path, centre: OpenCentre) -> Iterator[tuple[Party, Party]]:
    """Two stations of one centre that have sent something."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    parties = new_party(tmp_path / "a", centre), new_party(tmp_path / "b", centre)
    for _ in range(3):
        for party in parties:
            party.keep()
            party.round()
    yield parties
    for party in parties:
        assert party.writer.stop()
        assert party.crashes == []


@pytest.fixture
def fork(tmp_path: Path, centre: OpenCentre, pair: tuple[Party, Party]) -> Iterator[OpenCentre]:
    """A second log under the same name and key: from here on the second station is shown this one."""
    checkpoint(centre.engine)
    shutil.copytree(tmp_path / "centre", tmp_path / "fork")
    other = open_centre(tmp_path / "fork")
    pair[1].line.centre = other
    yield other
    other.engine.dispose()


def heard_of(party: Party) -> dict[str, others.Other]:
    def read(store: Any) -> dict[str, others.Other]:
        with store.ledger.reading() as connection:
            return others.known(connection)

    return party.writer.call(read)


def pass_on(of: Party, there: OpenCentre, here: OpenCentre) -> None:
    """The centre lays a station's word beside the log that the others are shown: it cannot make another one."""
    with there.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT c.size, c.note, c.at_ms, s.station, s.line FROM checkpoint c JOIN cosignature s USING (size) "
            "WHERE s.station = ? ORDER BY size DESC LIMIT 1",
            (of.store.station,),
        )
        row = rows.one()
    with here.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER IF EXISTS checkpoint_delete_refused")
        connection.exec_driver_sql("DELETE FROM checkpoint WHERE size = ?", (row.size,))
        connection.exec_driver_sql("INSERT INTO checkpoint VALUES (?, ?, ?)", (row.size, row.note, row.at_ms))
        connection.exec_driver_sql(
            "INSERT INTO cosignature (size, station, line, at_ms) VALUES (?, ?, ?, 0)",
            (row.size, row.station, row.line),
        )


def diverge(first: Party, second: Party) -> None:
    """Each goes on in its own log; the first one's is the longer."""
    second.keep()
    second.round()
    for _ in range(4):
        first.keep()
        first.round()


def test_stations_of_one_log_hear_of_each_other_and_go_on(pair: tuple[Party, Party]) -> None:
    first, second = pair
    for one, other in ((first, second), (second, first)):
        [told] = heard_of(one).values()
        assert (told.station, told.key) == (other.store.station, other.store.public_key)
        assert told.at_s == NOW_US // 1_000_000
        assert told.size > 0


def test_a_log_of_its_own_for_another_station_is_found_and_proved(
    pair: tuple[Party, Party], centre: OpenCentre, fork: OpenCentre
) -> None:
    first, second = pair
    diverge(first, second)
    pass_on(second, fork, centre)
    with pytest.raises(Halt, match=r"sync.split_view"):
        first.round()
    told = json.loads(first.writer.call(lambda store: store.outbox_after(0))[-1].data)
    assert told["kind"] == "centre.log-forked"
    seen, shown = told["body"]["seen"], told["body"]["shown"]
    assert seen["station"] == second.store.station
    origin = shown.split("\n")[0]
    both = [read_checkpoint(note, origin, [centre.signer.public_key]) for note in (seen["note"], shown)]
    assert both[0].root.hex() == seen["root"]
    assert heard_of(first)[second.store.station].size < both[0].size, "what does not fit is not kept as heard"


def test_the_sync_stops_and_the_screen_says_why(
    pair: tuple[Party, Party], centre: OpenCentre, fork: OpenCentre
) -> None:
    first, second = pair
    diverge(first, second)
    pass_on(second, fork, centre)
    told: queue.Queue[SyncReport] = queue.Queue()
    listeners = SyncListeners(told.put, lambda _cards: None, first.crashes.append)
    worker = SyncWorker(SyncPlan("http://127.0.0.1", 0.01), first.writer, stamp, listeners, transport=first.line)
    worker.start()
    try:
        while (report := told.get(timeout=60)).state is not SyncState.STOPPED:
            pass
    finally:
        assert worker.stop()
    assert report.code == "sync.split_view"
    assert trouble(report.code, "zh").title == "中心给别的工位看的是另一本账"
    assert "another log" in trouble(report.code, "en").title


def test_a_word_of_a_longer_log_than_is_shown_is_found(
    pair: tuple[Party, Party], centre: OpenCentre, fork: OpenCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The centre hides from one what it showed the other."""
    first, second = pair
    for _ in range(3):
        second.keep()
        second.round()
    pass_on(second, fork, centre)
    with centre.engine.begin() as connection:
        size = connection.exec_driver_sql("SELECT max(size) FROM checkpoint").scalar_one()
    told = elsewhere.seen_elsewhere
    monkeypatch.setattr(checkpoints, "seen_elsewhere", lambda of, log, *who: told(of, replace(log, size=MOST), *who))
    hidden = checkpoints._LATEST.where(checkpoints.checkpoint.c.size < size)
    monkeypatch.setattr(checkpoints, "_LATEST", hidden)
    monkeypatch.setattr(
        checkpoints, "consistency_proof", lambda old, new, of: [] if old > new else _PROOF(old, new, of)
    )
    with pytest.raises(Halt, match=r"sync.split_view"):
        first.round()


_PROOF = checkpoints.consistency_proof


def test_nobody_speaks_in_a_known_stations_name_by_another_key(pair: tuple[Party, Party], centre: OpenCentre) -> None:
    first, second = pair
    stranger = Signer(new_seed())
    name = second.store.station
    lay(centre, name, stranger, NOW_US // 1_000_000 + 60)
    with centre.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE station SET public_key = ? WHERE id = ?", (stranger.public_key, name))
    with pytest.raises(Halt, match=r"sync.station_replaced"):
        first.round()


def lay(centre: OpenCentre, name: str, signer: Signer, at_s: int) -> None:
    """In the place of a station's word another one under the newest checkpoint."""
    with centre.engine.begin() as connection:
        size, note = connection.exec_driver_sql("SELECT size, note FROM checkpoint ORDER BY size DESC LIMIT 1").one()
        shown = read_checkpoint(note, note.split("\n")[0], [centre.signer.public_key])
        connection.exec_driver_sql("DROP TRIGGER IF EXISTS cosignature_delete_refused")
        connection.exec_driver_sql("DELETE FROM cosignature WHERE station = ?", (name,))
        connection.exec_driver_sql(
            "INSERT INTO cosignature (size, station, line, at_ms) VALUES (?, ?, ?, 0)",
            (size, name, cosign(shown, name, signer, at_s)),
        )


def test_a_word_of_a_time_that_is_none_ends_nobodys_sync(
    pair: tuple[Party, Party], centre: OpenCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It went into the database of every other station, which takes no such number."""
    first, second = pair
    before = heard_of(first)
    _, signer, _ = second.store.speaker()
    lay(centre, second.store.station, signer, 1 << 63)
    lanes: list[str] = []

    async def footage(_exchange: Exchange) -> None:
        lanes.append("footage")

    monkeypatch.setattr(Exchange, "_footage_lane", footage)
    card = first.keep()
    with pytest.raises(EvidenceTrouble, match=r"audit.checkpoint"):
        first.round()
    assert lanes == ["footage"], "what is wrong with the log's checkpoint is told at the end"
    assert first.state_of(card) is CardState.ACCEPTED
    assert heard_of(first) == before
    assert first.crashes == []


def test_what_is_newer_than_the_checkpoint_that_is_shown_is_left_out(
    pair: tuple[Party, Party], centre: OpenCentre
) -> None:
    """Written by another process between two reads, it asked for a proof that a longer log is the beginning of this."""
    second = pair[1].store.station
    with centre.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT c.size, c.note FROM checkpoint c JOIN cosignature s USING (size) WHERE s.station = ? ORDER BY size",
            (second,),
        )
        sizes = [(row.size, row.note.split("\n")[0]) for row in rows]
        own = connection.execute(select(literal("x").label("id"), literal(True).label("rehearsal"))).one()
        (older, origin), (newest, _) = sizes[-2:]

        def asked(of: int) -> list[int]:
            told, _ = elsewhere.seen_elsewhere(connection, Shown(origin, of, lambda _size: []), own, "")
            return [int(one.note.split("\n")[1]) for one in told if one.station == second]

        assert asked(newest) == [newest]
        assert asked(newest - 1) == [older]


def test_a_station_that_changed_its_key_is_still_known(pair: tuple[Party, Party]) -> None:
    first, second = pair
    for _ in range(2):
        new = second.writer.call(lambda store: rotate(store.ledger, stamp(), "os:anna")).new_key
        second.round()
        second.keep()
        second.round()
    first.round()
    assert heard_of(first)[second.store.station].key == new


def test_one_answer_names_so_many_and_says_behind_whom_to_go_on(
    pair: tuple[Party, Party], centre: OpenCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = sorted(party.store.station for party in pair)
    monkeypatch.setattr(elsewhere, "_WORDS", elsewhere._WORDS.limit(1))
    monkeypatch.setattr(elsewhere, "MOST", 1)
    with centre.engine.connect() as connection:
        origin = str(connection.exec_driver_sql("SELECT note FROM checkpoint").scalars().first()).split("\n")[0]

        def asked(origin: str, behind: str, *, rehearsal: bool = True) -> tuple[list[str], str]:
            who = literal("another").label("id"), literal(rehearsal).label("rehearsal")
            own = connection.execute(select(*who)).one()
            told, further = elsewhere.seen_elsewhere(connection, Shown(origin, MOST, lambda _size: []), own, behind)
            return [one.station for one in told], further

        behind, seen = "", []
        for _ in range(3):
            told, behind = asked(origin, behind)
            seen += told
        assert (seen, behind) == (names, "")
        assert asked("cardintake/t/other", "")[0] == []
        assert asked(origin, "", rehearsal=False) == ([], "")


def test_who_was_heard_of_long_ago_is_silent(pair: tuple[Party, Party]) -> None:
    def silent(days: int) -> list[str]:
        with pair[0].store.ledger.reading() as connection:
            return [one.station for one in others.silent(connection, NOW_US // 1_000_000 + days * 86_400)]

    assert silent(6) == []
    assert silent(8) == [pair[1].store.station]


def test_a_station_that_was_revoked_is_not_called_silent(pair: tuple[Party, Party], centre: OpenCentre) -> None:
    first, second = pair
    revoke(centre, "station", second.store.station, "sold", first.store.station, NOW_US // 1000, "test")
    first.round()
    with first.store.ledger.reading() as connection:
        assert others.silent(connection, NOW_US // 1_000_000 + 8 * 86_400) == ()


def test_the_sync_names_who_fell_silent(pair: tuple[Party, Party]) -> None:
    first, second = pair
    told: queue.Queue[SyncReport] = queue.Queue()
    listeners = SyncListeners(told.put, lambda _cards: None, first.crashes.append)
    later = Stamp(NOW_US + 8 * 86_400_000_000, 5, "boot")
    worker = SyncWorker(
        SyncPlan("http://127.0.0.1", 0.01), first.writer, lambda: later, listeners, transport=first.line
    )
    worker.start()
    try:
        while not (report := told.get(timeout=60)).silent:
            pass
    finally:
        assert worker.stop()
    assert report.silent == (second.store.station,)


def exports(pair: tuple[Party, Party], folder: Path) -> list[str]:
    paths = [folder / f"{name}.jsonl" for name in "ab"]
    for party, path in zip(pair, paths, strict=True):
        with party.store.ledger.reading() as connection:
            export_chain(connection, party.store.ledger.identity, path)
    return [str(path) for path in paths]


def verified(capsys: pytest.CaptureFixture[str], *paths: str) -> tuple[int, Any]:
    capsys.readouterr()
    code = main(["audit", "verify", *paths])
    return code, json.loads(capsys.readouterr().out)


def test_two_exports_are_held_against_each_other_and_against_the_log(
    pair: tuple[Party, Party], centre: OpenCentre, fork: OpenCentre, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = exports(pair, tmp_path)
    log = tmp_path / "log.jsonl"
    export_log(centre.engine, centre.centre, log)
    assert verified(capsys, whole[0])[1]["ok"]
    code, told = verified(capsys, *whole, str(log), str(tmp_path / "centre"))
    assert (code, told["ok"], told["apart"]) == (0, True, [])
    assert told["compared"] > 4
    diverge(*pair)
    split = exports(pair, tmp_path)
    code, told = verified(capsys, *split)
    assert code == 5
    assert all(len(set(map(tuple, one["roots"].values()))) == 2 for one in told["apart"])
    export_log(centre.engine, centre.centre, log)
    code, told = verified(capsys, split[1], str(log))
    assert (code, told["ok"]) == (5, False)
    code, told = verified(capsys, split[0], str(log))
    assert (code, told["ok"]) == (0, True)


def test_two_logs_alone_are_held_against_each_other(
    pair: tuple[Party, Party], centre: OpenCentre, fork: OpenCentre, tmp_path: Path
) -> None:
    """A copy from before is the beginning of what came after; a fork is not."""
    old, log, other = (tmp_path / f"{name}.jsonl" for name in ("old", "log", "other"))
    export_log(centre.engine, centre.centre, old)
    diverge(*pair)
    export_log(centre.engine, centre.centre, log)
    export_log(fork.engine, fork.centre, other)
    told = compare({"old": old, "log": log, "centre": tmp_path / "centre"}, {})
    assert (told["ok"], told["apart"]) == (True, [])
    assert told["compared"] > 2
    for places in ({"a": log, "b": other}, {"a": tmp_path / "centre", "b": tmp_path / "fork"}):
        told = compare(places, {})
        assert not told["ok"]
        assert all(one["roots"]["a"] != one["roots"]["b"] for one in told["apart"])


def test_one_witness_that_was_shown_two_logs_says_so(pair: tuple[Party, Party], tmp_path: Path) -> None:
    """Two of its receipts of one size have different roots, and both count."""
    [one, other] = map(Path, exports(pair, tmp_path))
    lines = [json.loads(line) for line in one.read_text().splitlines()]
    receipt = next(line for line in lines if "text" in line)
    said = json.loads(receipt["text"])
    second = {**receipt, "text": json.dumps({**said, "root": "ab" * 32})}
    for both in ([second, *lines[1:]], [*lines[1:], second]):
        one.write_text("".join(json.dumps(line) + "\n" for line in (lines[0], *both)))
        told = compare({"one": one, "other": other}, {})
        [apart] = told["apart"]
        assert (told["ok"], apart["size"]) == (False, said["log_size"])
        assert apart["roots"]["one"] == sorted([said["root"], "ab" * 32])


def test_an_exported_checkpoint_that_is_not_the_centres_is_found(
    pair: tuple[Party, Party], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(exports(pair, tmp_path)[0])
    lines = path.read_text().splitlines()
    told = json.loads(lines[-1])
    lines[-1] = json.dumps({**told, "note": told["note"].replace("\n\n", "\n\n\u2014 x y\n", 1)[:-30]})
    path.write_text("\n".join(lines) + "\n")
    code, told = verified(capsys, str(path))
    assert code == 5
    assert told["chains"][0]["fault"] == {"seq": 0, "code": "checkpoint"}


def test_samples_of_several_are_not_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "samples", str(tmp_path), str(tmp_path)]) == 2
    assert BadInput.__name__ not in capsys.readouterr().out
