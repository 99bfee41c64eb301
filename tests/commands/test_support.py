"""The file for support: everything that helps, and nothing that was planted beside it, in it, or in a log."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from app.commands.support import fit
from app.server.setup import OpenCentre
from tests.centre import centre as centre
from tests.commands.conftest import Said
from tests.server.test_no_secret_anywhere import found_in
from tests.sync.conftest import new_party

NUMBER, PIN, WORD = "6222020012340001", "83749261", "gate-9914-horse"
PLANTED = (NUMBER, PIN, WORD, "token-5571", "6222029999141517", "K2K4-M8")
SETTINGS = f"""version = 1
[camera]
overhead = "rtsp://admin:{WORD}@192.0.2.7:554/one?key=token-5571&part=2"
"""
LOG = [
    {"at": "2026-11-22T12:00:00", "level": "ERROR", "program": "eye", "say": "reader lost", "code": "nfc.lost"},
    {"at": "2026-11-22T12:00:01", "say": f"was shown {NUMBER}", "pin": "K2K4-M8", "bug": ["E", f"  {NUMBER[:4]} x"]},
]


def contents(bundle: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(bundle) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


@pytest.fixture
def station(tmp_path: Path, centre: OpenCentre) -> Path:
    folder = tmp_path / "station"
    folder.mkdir()
    party = new_party(folder, centre)
    party.keep()
    assert party.writer.stop()
    (folder / "REHEARSAL").write_text("{}")
    (folder / "station.toml").write_text(SETTINGS)
    (folder / "6222029999141517.jpg").write_bytes(b"no picture")
    (folder / "logs").mkdir()
    lines = [*map(json.dumps, LOG), f"Traceback: {NUMBER[:4]} {NUMBER[4:8]} {NUMBER[8:12]} {NUMBER[12:]}"]
    (folder / "logs" / "eye.jsonl").write_text("\n".join(lines))
    return folder


def test_nothing_that_was_planted_is_in_it(say: Callable[..., Said], station: Path, tmp_path: Path) -> None:
    said = say("support", "--data", station, "--to", tmp_path / "out.zip", "--no-devices")
    assert said.code == 0, said.err
    files = contents(tmp_path / "out.zip")
    told = json.loads(said.out)
    assert [one["name"] for one in told["files"]] == list(files)[1:]
    assert {"about.json", "folder.json", "settings.toml", "queue.json", "logs/eye.jsonl"} == set(files) - {
        "CONTENTS.txt"
    }
    for name, data in files.items():
        assert found_in(data, PLANTED) == [], name
        assert all(name in files["CONTENTS.txt"].decode() for name in list(files)[1:])
    queue, lying = json.loads(files["queue.json"]), json.loads(files["folder.json"])
    assert (queue["received"], queue["cards"]) == (0, {"kept": 1})
    assert queue["unsent"] == queue["head"] > 0
    assert lying["logs"]["files"] == 1
    assert lying["station.db"]["bytes"] > 0
    assert b"nfc.lost" in files["logs/eye.jsonl"]
    assert b'"bug"' in files["logs/eye.jsonl"]
    assert b"192.0.2.7:554/one" in files["settings.toml"]
    assert (tmp_path / "out.zip").stat().st_mode & 0o077 == 0


def test_a_folder_whose_database_does_not_open_gets_one_too(
    say: Callable[..., Said], station: Path, tmp_path: Path
) -> None:
    (station / "station.db").write_bytes(b"no database" * 400)
    (station / "station.toml").write_text("version = 1\nodd = [")
    said = say("support", "--data", station, "--to", tmp_path / "out.zip", "--no-devices")
    assert said.code == 0, said.err
    files = contents(tmp_path / "out.zip")
    assert json.loads(files["queue.json"])["code"].startswith("store.")
    assert files["settings.toml"] == b"# settings.not_toml\n"


def test_nothing_is_written_over_and_nothing_half(say: Callable[..., Said], station: Path, tmp_path: Path) -> None:
    (tmp_path / "old.zip").write_bytes(b"kept")
    for to, code, folder in (
        (tmp_path / "old.zip", "output.exists", station),
        (tmp_path / "no" / "where.zip", "evidence.cannot_write", station),
        (tmp_path / "new.zip", "folder.not_a_station", tmp_path),
    ):
        said = say("support", "--data", folder, "--to", to, "--no-devices")
        assert f"[{code}]" in said.err
    assert (tmp_path / "old.zip").read_bytes() == b"kept"
    assert list(tmp_path.glob("*.part")) == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("postgresql://anna:pw@db/centre", "postgresql://••••@db/centre"),
        ("http://cam/mjpeg?user=a&pwd=b c", "http://cam/mjpeg?user=••••&pwd=•••• c"),
        ("at uvc:by-id/cam 1280x720", "at uvc:by-id/cam 1280x720"),
    ],
)
def test_addresses_lose_who_and_by_what_key(line: str, told: str) -> None:
    assert fit(line) == told
