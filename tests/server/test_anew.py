"""A station joins anew where its chain has ended, or is let in again, by the programs themselves; nothing is lost."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.commands import anew
from app.core.errors import BadInput, StorageTrouble
from app.paths import StationFolder
from app.server.embedded import stop_server_process
from app.server.setup import OpenCentre
from app.settings import load_settings, save_settings
from app.store.keyfile import key_path
from app.store.store import REHEARSAL_PASSPHRASE
from tests.server.place import PROGRAM, Place, run
from tests.sync.conftest import new_party


def join_again(place: Place, name: str, *more: str) -> tuple[int, Any, str]:
    code = run("centre", "code", name, "--no-confirm", "--data", str(place.centre))[1]["code"]
    where = ("--data", str(place.station), "--server", f"http://127.0.0.1:{place.port}", "--code", code)
    argv = [*PROGRAM, "station", "enrol", "--anew", *where, *more]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, text=True)
    return done.returncode, json.loads(done.stdout.splitlines()[-1]) if done.stdout else None, done.stderr


def cards(place: Place) -> list[str]:
    return [row["card"] for row in run("centre", "cards", "--data", str(place.centre))[1]]


def test_a_station_that_was_put_back_too_far_goes_on_under_another_name(place: Place) -> None:
    """In the same folder, with its settings; the old chain, its footage and its backups are put aside whole."""
    folder = StationFolder(place.station)
    settings = load_settings(folder.settings)
    kept = settings.ui.model_copy(update={"language": "en"})
    save_settings(folder.settings, settings.model_copy(update={"ui": kept}))
    assert run("station", "backup", "--data", str(place.station))[0] == 0
    place.take_in(place.station, 2)
    assert place.sync(place.station)[0] == 0
    for path in place.station.glob("station.db*"):
        path.unlink()
    assert run("station", "restore", "--data", str(place.station))[0] == 0
    code, told = place.sync(place.station)
    assert (code, told["code"]) == (5, "store.restored_behind")
    code, told, _ = join_again(place, "st-2")
    assert (code, told["enrolled"], told["cards"]) == (0, "st-2", [])
    place.take_in(place.station, 4)
    assert place.sync(place.station)[0] == 0
    found = cards(place)
    assert (len(found), len(set(found))) == (9, 9)
    after = load_settings(folder.settings)
    assert (after.station.id, after.ui.language) == ("st-2", "en")
    aside = Path(told["aside"])
    assert aside.parent == place.station / "before"
    assert run("audit", "verify", str(aside))[1]["ok"]
    assert (aside / "REHEARSAL").exists()
    assert list((aside / "backups").iterdir())
    assert [row["state"] for row in run("centre", "stations", "--data", str(place.centre))[1]] == ["active", "active"]
    assert run("audit", "verify", str(place.centre))[1]["ok"]


def test_what_the_centre_does_not_have_is_not_left_behind_by_mistake(place: Place) -> None:
    """Nor by a database that was put back: asked first, the centre lets its chain go on, unsent cards and all."""
    place.take_in(place.station, 2)
    assert run("station", "backup", "--data", str(place.station))[0] == 0
    for path in place.station.glob("station.db*"):
        path.unlink()
    assert run("station", "restore", "--data", str(place.station))[0] == 0
    code, _, said = join_again(place, "st-2")
    assert (code, "[enrol.unsent]" in said) == (2, True)
    assert place.sync(place.station)[0] == 0, "nothing was moved"
    assert len(cards(place)) == 5
    place.take_in(place.station, 1)
    code, told, _ = join_again(place, "st-3", "--leave-unsent")
    assert (code, len(told["cards"])) == (0, 1)
    assert all(told["cards"][0].values())
    assert run("station", "name", "--data", told["aside"])[1]["unsent"] > 0, "it is still there"


@pytest.mark.parametrize("broken_at", range(1, 6))
def test_putting_aside_goes_on_where_it_was_broken_off(
    broken_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, times = StationFolder(tmp_path), 0
    names = ("station.db", "station.key", "recordings", "backups")
    for name in names:
        (tmp_path / name).write_text(name)
    rename = Path.rename

    def failing(path: Path, to: Path) -> Path:
        nonlocal times
        times += 1
        if times == broken_at:
            raise OSError(28, "full")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", failing)
    now, unsent = datetime(2026, 11, 22, tzinfo=UTC), [{"card": "c-1", "parcel": "p-1", "last4": "5678"}]
    with pytest.raises(StorageTrouble, match=r"store\.disk_full"):
        anew.put_aside(folder, "st-1", unsent, now)
    assert broken_at == 5 or key_path(folder.database).exists(), "nobody begins a fresh database"
    assert anew.look_at_old(folder, REHEARSAL_PASSPHRASE, "", leave_unsent=False) == unsent
    aside = anew.put_aside(folder, "st-1", unsent, now)
    assert aside is not None
    assert aside.name == "st-1-20261122T000000Z"
    assert anew.look_at_old(folder, REHEARSAL_PASSPHRASE, "", leave_unsent=False) == unsent, "cut off behind it"
    assert anew.put_aside(folder, "st-1", unsent, now) == aside, "the next call makes no empty one"
    assert [(aside / name).read_text() for name in names] == list(names)
    assert [path.name for path in tmp_path.iterdir()] == ["before"]


def test_cards_are_still_known_when_it_was_cut_before_their_list(
    tmp_path: Path, centre: OpenCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder for what is put aside was there, nothing in it yet."""
    folder = StationFolder(tmp_path / "station")
    folder.root.mkdir()
    party = new_party(folder.root, centre)
    card = party.keep()
    assert party.writer.stop()

    def found(*, leave_unsent: bool = True) -> list[str]:
        return [one["card"] for one in anew.look_at_old(folder, REHEARSAL_PASSPHRASE, "", leave_unsent=leave_unsent)]

    def full(*_about: Any) -> None:
        raise OSError(28, "full")

    with monkeypatch.context() as cut:
        cut.setattr(anew, "durable_write", full)
        with pytest.raises(StorageTrouble):
            anew.put_aside(folder, "st-1", [], datetime(2026, 11, 22, tzinfo=UTC))
    assert [path.name for path in (tmp_path / "station" / "before").iterdir()] == ["st-1-20261122T000000Z.part"]
    assert found() == [card]
    with pytest.raises(BadInput, match=r"enrol\.unsent"):
        found(leave_unsent=False)


def test_a_centre_from_before_the_station_joined_lets_it_in_again(tmp_path: Path) -> None:
    class Backed(Place):
        def start(self) -> None:
            if not (tmp_path / "kept").exists():
                run("centre", "backup", "--to", str(tmp_path / "kept"), "--data", str(self.centre))
            super().start()

    place = Backed(tmp_path)
    try:
        assert run("station", "rotate", "--data", str(place.station))[0] == 0
        assert place.sync(place.station)[0] == 0
        stop_server_process(place.child)
        place.centre = tmp_path / "again"
        assert run("centre", "restore", "--from", str(tmp_path / "kept"), "--data", str(place.centre))[0] == 0
        place.start()
        argv = [*PROGRAM, "station", "sync", "--data", str(place.station)]
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as child:
            assert child.stderr is not None
            said = next(line for line in child.stderr if line.startswith("offline"))
            child.terminate()
        assert said.split()[2] == "sync.unknown_station"
        told = run("station", "name", "--data", str(place.station))[1]
        admit = ("admit", told["station"], told["key"], "--role", "rehearsal")
        assert run("centre", *admit, "--data", str(place.centre))[0] == 0
        assert place.sync(place.station)[0] == 0
        assert len(cards(place)) == 3
        assert run("audit", "verify", str(place.centre))[1]["ok"]
    finally:
        stop_server_process(place.child)
