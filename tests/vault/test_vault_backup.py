"""A vault that is put back from a copy: it opens what it opened, and knows the numbers that came after the copy."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.core.cards import CardState
from app.core.errors import StorageTrouble, Unavailable
from app.keys import Signer, key_id, new_seed
from app.server.embedded import start_server_process, stop_server_process
from app.server.enrol import admit_station, make_code
from app.server.governing import add_vault_key, read_root, revoke
from app.server.setup import OpenCentre
from app.store.keyfile import key_path
from app.store.store import REHEARSAL_PASSPHRASE
from app.sync.client import CentreClient, CentreRefused, Speaker
from app.vault.backup import back_up, look_again
from app.vault.keys import DATABASE, Vault, make_vault, open_vault
from app.vault.run import look_once, require_newest_key
from tests.vault.test_vault import look, talk, two_stations

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
PASSPHRASE = "a long passphrase"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "vault"


@pytest.fixture
def vault(folder: Path, centre: OpenCentre) -> Iterator[Vault]:
    seed = new_seed()
    admit_station(centre, "vault-1", Signer(seed).public_key, "vault", 0)
    make_vault(folder, REHEARSAL_PASSPHRASE, "vault-1", centre.centre, seed, centre.folder.vault)
    opened = open_vault(folder, REHEARSAL_PASSPHRASE)
    yield opened
    opened.close()


def put_back(copy: Path, folder: Path) -> Vault:
    """As a person does it: the two files, in an empty folder."""
    shutil.copytree(copy, folder)
    return open_vault(folder, REHEARSAL_PASSPHRASE)


@pytest.mark.parametrize("again", [True, False])
def test_a_number_that_came_after_the_copy_is_known(
    tmp_path: Path, folder: Path, centre: OpenCentre, vault: Vault, make_party: Any, again: bool
) -> None:
    """Without looking again its twin is taken for the first: what the second look is for."""
    first, second = two_stations(tmp_path, centre, make_party)
    copy = back_up(vault, folder, REHEARSAL_PASSPHRASE, tmp_path / "copies", NOON)
    first.keep()
    first.round()
    assert look(centre, vault) == 1
    old = put_back(copy, tmp_path / "again")
    if again:
        speaker = Speaker(old.name, old.signer, old.centre)
        assert talk(centre, speaker, lambda client: look_again(old, client)) == 1
    twin = second.keep()
    second.round()
    assert look(centre, old) == 1
    second.round()
    assert second.state_of(twin) is (CardState.REVIEW if again else CardState.ACCEPTED)
    old.close()
    for party in (first, second):
        assert party.writer.stop()


@pytest.mark.parametrize("newer_copy", [True, False])
def test_a_copy_from_before_a_new_key_says_so_and_calls_no_card_unopenable(
    tmp_path: Path, folder: Path, centre: OpenCentre, vault: Vault, make_party: Any, newer_copy: bool
) -> None:
    """It found every card of the new key "not openable", for good: no later copy was asked about them again."""
    party, other = two_stations(tmp_path, centre, make_party)
    copy, fresh = back_up(vault, folder, REHEARSAL_PASSPHRASE, tmp_path / "copies", NOON), vault.new_key()
    root = read_root(centre.folder.vault / "root.key", centre.centre)
    for station in (party.store.station, other.store.station):
        add_vault_key(centre, fresh, root, station, 0, "anna")
    later = back_up(vault, folder, REHEARSAL_PASSPHRASE, tmp_path / "copies", NOON)
    party.round()
    card = party.keep()
    party.round()
    behind = put_back(copy, tmp_path / "again")
    speaker = Speaker(behind.name, behind.signer, behind.centre)
    for work in (look_once, require_newest_key):
        with pytest.raises(Unavailable, match=rf"vault\.key_missing: {key_id(fresh)}"):
            talk(centre, speaker, lambda client: work(behind, client))  # noqa: B023  called at once
    assert len(talk(centre, speaker, lambda client: client.arrivals()).cards) == 1, "it waits"
    if newer_copy:
        behind.close()
        behind = put_back(later, tmp_path / "later")
    else:
        revoke(centre, "vault-key", key_id(fresh), "lost with its copies", party.store.station, 0, "anna")
    assert look(centre, behind) == 1
    party.round()
    assert party.state_of(card) is (CardState.ACCEPTED if newer_copy else CardState.REVIEW)
    behind.close()
    for one in (party, other):
        assert one.writer.stop()


def test_every_card_is_looked_at_again_however_many_came_at_once(
    tmp_path: Path, centre: OpenCentre, vault: Vault, make_party: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.server.vault_door._AT_ONCE", 3)
    first, second = two_stations(tmp_path, centre, make_party)
    for party in (first, second):
        for _ in range(4):
            party.keep()
        party.round()
    assert look(centre, vault) == 8
    with vault.engine.begin() as connection:
        before = connection.exec_driver_sql("SELECT number, station, card FROM claim ORDER BY number").all()
        connection.exec_driver_sql("DELETE FROM claim")
    speaker = Speaker(vault.name, vault.signer, vault.centre)
    assert talk(centre, speaker, lambda client: look_again(vault, client)) == 8
    with vault.engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT number, station, card FROM claim ORDER BY number").all() == before
    for party in (first, second):
        assert party.writer.stop()


def test_names_of_stations_may_hold_what_they_held_before(
    tmp_path: Path, centre: OpenCentre, vault: Vault, make_party: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cursor was taken apart at its spaces: a station whose name has some was left out, or looked at for ever."""
    monkeypatch.setattr("app.server.vault_door._AT_ONCE", 1)
    first, second = two_stations(tmp_path, centre, make_party)
    for party in (first, second):
        for _ in range(3):
            party.keep()
        party.round()
    with centre.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE sealed SET received_ms = 7")
        for name, party in (('a "b" \u8f66', first), ("a", second)):
            connection.exec_driver_sql("UPDATE card SET station = ? WHERE station = ?", (name, party.store.station))

    async def walk(client: CentreClient) -> list[tuple[str, str]]:
        cursor, told = "-", []
        while cursor and len(told) < 9:
            answer = await client.arrivals(after=cursor)
            cursor, told = answer.cursor, told + [(one.station, one.card) for one in answer.cards]
        return told

    speaker = Speaker(vault.name, vault.signer, vault.centre)
    told = talk(centre, speaker, walk)
    assert (len(told), len(set(told)), told) == (6, 6, sorted(told))
    for odd in ("7 a b", "[", "[7,2,3]", '[true,"a","b"]', '["7","a","b"]', '[7,"a","b","c"]', '[7,"\\u0000","b"]', "7",
                '[7,"\\ud800","b"]', '[-1,"a","b"]', f'[{10**20},"a","b"]', "[" * 2000):  # fmt: skip
        with pytest.raises(CentreRefused, match=r"feed\.cursor"):
            talk(centre, speaker, lambda client: client.arrivals(after=odd))  # noqa: B023  called at once
    for party in (first, second):
        assert party.writer.stop()


def test_a_copy_is_whole_or_not_there(folder: Path, vault: Vault, tmp_path: Path, monkeypatch: Any) -> None:
    copy = back_up(vault, folder, REHEARSAL_PASSPHRASE, tmp_path / "copies", NOON)
    assert {path.name for path in copy.iterdir()} == {DATABASE, key_path(Path(DATABASE)).name}
    assert all(path.stat().st_mode & 0o077 == 0 for path in copy.iterdir())
    monkeypatch.setattr("app.vault.backup.free_bytes", lambda _path: 0)
    with pytest.raises(StorageTrouble, match=r"store\.disk_full"):
        back_up(vault, folder, REHEARSAL_PASSPHRASE, tmp_path / "full", NOON)
    assert list((tmp_path / "full").iterdir()) == []


def test_the_programs_copy_a_vault_that_runs_and_go_on_from_the_copy(tmp_path: Path, centre: OpenCentre) -> None:
    code = make_code(centre, "vault-1", "vault", time.time_ns() // 1_000_000, confirm=False)
    child, url = start_server_process(centre.folder.root)
    program = [sys.executable, "-m", "app", "vault"]

    def call(*words: str, data: str) -> list[dict[str, Any]]:
        argv = [*program, *words, "--data", str(tmp_path / data), "--passphrase-fd", "0"]
        done = subprocess.run(argv, input=PASSPHRASE.encode(), capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return [json.loads(line) for line in done.stdout.decode().splitlines()]

    try:
        call("init", "--server", url, "--code", code, "--keys", str(centre.folder.vault), data="v")
        argv = [*program, "run", "--data", str(tmp_path / "v"), "--server", url, "--passphrase-fd", "0"]
        running = subprocess.Popen([*argv, "--until-stdin-closes"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(PASSPHRASE.encode())
        running.stdin.flush()
        assert b"looked_up" in running.stdout.readline()
        [told] = call("backup", "--to", str(tmp_path / "copies"), data="v")
        running.stdin.close()
        running.wait(60)
        running.stdout.close()
        shutil.copytree(told["backup"], tmp_path / "again")
        looked = call("run", "--once", "--again", "--server", url, data="again")
        argv = [*program, "run", "--once", "--server", url, "--data", str(tmp_path / "again"), "--passphrase-fd", "0"]
        call("rotate", "--server", url, data="v")
        behind = subprocess.run(argv, input=PASSPHRASE.encode(), capture_output=True, check=False)
        [fresh] = call("new-key", data="v")
        root = read_root(centre.folder.vault / "root.key", centre.centre)
        add_vault_key(centre, bytes.fromhex(fresh["public_key"]), root, "", 0, "anna")
        lacking = subprocess.run(argv, input=PASSPHRASE.encode(), capture_output=True, check=False)
    finally:
        stop_server_process(child)
    assert looked[0] == {"looked_again": 0}
    for old in (lacking, behind):
        assert (old.returncode, old.stdout) == (3, b"")
    assert b"[vault.key_missing]" in lacking.stderr
    assert b"[vault.key_behind]" in behind.stderr
