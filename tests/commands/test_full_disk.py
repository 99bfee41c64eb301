"""Commands whose disk is full, on real small ones: a clear error, nothing half-written, and done once there is room."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.paths import StationFolder
from app.platform import private_folder
from app.server.embedded import start_server_process, stop_server_process
from app.server.setup import init
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.store.unlock import CREDENTIAL
from tests.commands.conftest import call
from tests.disks import fill, small_disk

_FULL = ("store.disk_full", "store.io", "evidence.cannot_write")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few MiB."""
    with small_disk(tmp_path / "disk", "6m") as at:
        yield at


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {"filler"}


def must_fail_then_work(disk: Path, left: int, argv: list[Any], check: Callable[[], object]) -> None:
    """The command on a disk with `left` bytes, and again when there is room."""
    before = names(disk)
    filler = fill(disk, left)
    said = call(*argv, CARDINTAKE_LANG="en")
    assert said.code == 4, said.err
    assert any(said.complains(code, "en") for code in _FULL), said.err
    assert "Traceback" not in said.err
    assert names(disk) == before, "nothing half-written stays"
    filler.unlink()
    said = call(*argv, CARDINTAKE_LANG="en")
    assert said.code == 0, said.err
    check()


def test_a_vault_that_found_no_room_is_made_by_the_same_call_again(disk: Path, tmp_path: Path) -> None:
    """The code was spent by the first call; the key that it joined with is kept."""
    centre = tmp_path / "centre"
    init(centre)
    keys = names(centre / "vault")
    code = json.loads(call("centre", "code", "vault-1", "--role=vault", "--no-confirm", "--data", centre).out)["code"]
    child, url = start_server_process(centre, timeout_s=60)
    argv = ["vault", "init", "--data", disk / "vault", "--server", url, "--code", code, "--keys", centre / "vault"]
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / CREDENTIAL).write_text("eight words of nonsense")
    told = {"CREDENTIALS_DIRECTORY": str(tmp_path / "given"), "CARDINTAKE_LANG": "en"}
    try:
        filler = fill(disk, 16_384)
        said = call(*argv, **told)
        assert said.code == 4, said.err
        assert any(said.complains(full, "en") for full in _FULL), said.err
        assert not (disk / "vault" / "vault.db").exists()
        assert names(centre / "vault") == keys, "they still lie where they lay"
        filler.unlink()
        said = call(*argv, **told)
        assert said.code == 0, said.err
        assert names(disk) == {"vault/vault.db", "vault/vault.key"}
        run_once = ["vault", "run", "--once", "--data", disk / "vault", "--server", url]
        assert call(*run_once, **told).code == 0
    finally:
        stop_server_process(child)


@pytest.fixture(scope="module")
def made_centre(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "centre"
    init(folder)
    return folder


def test_a_centres_backup(disk: Path, made_centre: Path) -> None:
    to = disk / "backup"
    argv = ["centre", "backup", "--to", to, "--data", made_centre]
    must_fail_then_work(disk, 40_000, argv, lambda: next(to.glob("*Z")))


def test_a_centre_that_is_put_back(disk: Path, made_centre: Path, tmp_path: Path) -> None:
    assert call("centre", "backup", "--to", tmp_path / "kept", "--data", made_centre).code == 0
    again = disk / "again"
    argv = ["centre", "restore", "--from", tmp_path / "kept", "--data", again]
    before, filler = names(disk), fill(disk, 40_000)
    said = call(*argv, CARDINTAKE_LANG="en")
    assert (said.code, any(said.complains(code, "en") for code in _FULL)) == (4, True), said.err
    assert not (again / "centre.json").exists(), "nobody takes it for a centre"
    filler.unlink()
    assert call(*argv).code == 0
    assert before == set()
    assert json.loads(call("audit", "verify", again).out)["ok"]


def test_the_log_that_goes_out(disk: Path, made_centre: Path) -> None:
    to = disk / "log.jsonl"
    argv = ["centre", "export", "--to", to, "--data", made_centre]
    must_fail_then_work(disk, 4096, argv, lambda: json.loads(to.read_text().splitlines()[0]))


def test_what_a_person_has_written_of_a_recording(disk: Path, finished: StationFolder, recording: Path) -> None:
    words = {0: ["export", recording, disk / "out.mp4"], 4096: ["dossier", recording, "--out", disk / "out.zip"]}
    for left, argv in words.items():
        must_fail_then_work(disk, left, argv, lambda: None)
        for path in disk.iterdir():
            path.unlink()


def test_a_stations_backup_and_its_way_back(disk: Path, finished: StationFolder) -> None:
    to = disk / "backups"
    argv = ["station", "backup", "--data", finished.root, "--to", to]
    must_fail_then_work(disk, 20_000, argv, lambda: next(to.glob("*Z")))
    lost = StationFolder(disk / "lost")
    private_folder(lost.root)
    for name in (finished.settings, finished.rehearsal_mark):
        if name.exists():
            shutil.copy(name, lost.root / name.name)
    argv = ["station", "restore", "--data", lost.root, "--from", to]
    must_fail_then_work(disk, 20_000, argv, lambda: Store.open(lost.database, REHEARSAL_PASSPHRASE).close())


def test_another_key_is_there_whole_or_not_at_all(disk: Path, finished: StationFolder) -> None:
    """The reserve may let it through: then it is done, and durable."""
    here = StationFolder(disk / "station")
    shutil.copytree(finished.root, here.root, ignore=shutil.ignore_patterns("recordings", "*.reserve", "backups"))
    before = json.loads(call("station", "name", "--data", here.root).out)
    filler = fill(disk, 8192)
    said = call("station", "rotate", "--data", here.root, CARDINTAKE_LANG="en")
    filler.unlink()
    after = json.loads(call("station", "name", "--data", here.root).out)
    if said.code == 0:
        assert after["signs"] == json.loads(said.out)["key"] != before["signs"]
    else:
        assert (said.code, after) == (4, before), said.err
    assert call("audit", "verify", here.root).code == 0
