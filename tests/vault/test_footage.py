"""Footage that only the vault opens: what the centre holds of a recording, and the originals of what is covered."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from sqlalchemy import select

from app.__main__ import main
from app.core.errors import EvidenceTrouble
from app.evidence.loose import GIVEN_JOURNAL, GIVEN_LIST
from app.evidence.mask import CLEAR, Cover
from app.evidence.ring import Picture
from app.evidence.side import VaultLock
from app.evidence.writer import Origin, RecordingKeys, create_recording
from app.recorder.sink import Take
from app.server.footage import file_named
from app.server.log import acts
from app.store.db import reading
from app.store.store import REHEARSAL_PASSPHRASE
from app.vault import footage
from app.vault.keys import Vault
from app.vault.tables import reveal
from tests.hardware.camera.mjpeg_server import jpeg
from tests.recording import ROOT, records
from tests.sync.test_footage import LOCK, STAMP, bring
from tests.vault.test_reveals import House

W, H = 320, 240
FACE = Cover("card", (((0, 0), (W, 0), (W, H), (0, H)),))
REASON = "客户投诉 4711"


def fd(text: str) -> str:
    """A file descriptor that a passphrase can be read from."""
    read, write = os.pipe()
    os.write(write, text.encode())
    os.close(write)
    return str(read)


@dataclass
class Place:
    """A centre that holds a recording `r-1` whose middle is covered, and a vault with two people."""

    house: House
    root: Path
    recording: Path
    originals: dict[int, bytes]
    said: Callable[[], tuple[str, str]]

    def run(self, *words: str) -> tuple[int, dict[str, Any], str]:
        status = main(words)
        out, err = self.said()
        return status, json.loads(out) if status == 0 else {}, err

    def give(self, to: Path, reason: str = REASON) -> tuple[int, dict[str, Any], str]:
        station = self.house.party.store.station
        where = ["--to", str(to), "--reason", reason, "--data", str(self.root / "centre")]
        return self.run("centre", "footage", station, self.recording.name, *where)

    def open(self, folder: Path, to: Path, *more: str, **changes: str) -> tuple[int, dict[str, Any], str]:
        return self.run(*self.words(folder, to, *more, **changes))

    def words(self, folder: Path, to: Path, *more: str, **changes: str) -> list[str]:
        """What two people type to see it."""
        asked = {"who": "周岚", "key": "one", "second": "陈敏", "second-key": "two", "reason": REASON, **changes}
        for name in ("key", "second-key"):
            asked[f"{name}-passphrase-fd"] = fd(asked[name])
            asked[name] = str(self.root / f"{asked[name]}.person")
        words = [word for name, value in asked.items() for word in (f"--{name}", value)]
        vault = ["--data", str(self.root / "v"), "--passphrase-fd", fd(REHEARSAL_PASSPHRASE)]
        return ["vault", "footage", str(folder), "--to", str(to), *words, *vault, *more]

    def log(self) -> list[tuple[str, ...]]:
        """What the vault has written down: who, approved by, of which recording, what, why."""
        columns = (reveal.c.who, reveal.c.approved_by, reveal.c.card, reveal.c.field, reveal.c.reason)
        with reading(self.house.vault.engine) as connection:
            return [tuple(row) for row in connection.execute(select(*columns))]


def film(house: House, folder: Path, lock: VaultLock) -> dict[int, bytes]:
    """Sixty frames, twenty of them covered; gives the originals of those by their time in the recording."""
    store = house.party.store
    known = store.new_recording(folder.name, "p-1", STAMP, "1001")
    keys = RecordingKeys(known.key, store.signing_seed, lock)
    origin = Origin(folder.name, "http:x", False, False, "0", meta={"waybill": "SF1", "station": store.station})
    take = Take(folder.name, create_recording(folder, keys, origin), lambda _message: None)
    kept = {}
    for n in range(60):
        planes = np.random.default_rng(n).integers(20, 230, W * H * 3 // 2, np.uint8)
        covered, at_us = 20 <= n < 40, 1_000_000 + n * 33_333
        picture = Picture(at_us, W, H, "mjpeg", jpeg(W, H, n))
        take.frame(planes, at_us, W, H, FACE if covered else CLEAR, picture)
        if covered:
            kept[n * 33_333] = picture.data
    take.close("sealed")
    writer = take.writer
    (close,) = records(folder, "close")
    store.close_recording(folder.name, writer.head, close["root"], writer.frames, STAMP, "1001")
    return kept


def lock_of(house: House) -> VaultLock:
    vault = house.party.store.centre.vault_certificate()
    return VaultLock(vault.key_id, bytes.fromhex(vault.public_key))


@pytest.fixture
def place(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Place]:
    house = House(tmp_path)
    folder = tmp_path / "recordings" / "r-1"
    folder.parent.mkdir()
    kept = film(house, folder, lock_of(house))
    bring(house.party, folder)
    made = Place(house, tmp_path, folder, kept, lambda: tuple(capfd.readouterr()))
    for name, key in (("周岚2", "one"), ("陈敏2", "two")):
        own = ["--key", str(tmp_path / f"{key}.person"), "--key-passphrase-fd", fd(key)]
        told = made.run("station", "person", *own)[1]
        vault = ["--data", str(tmp_path / "v"), "--passphrase-fd", fd(REHEARSAL_PASSPHRASE)]
        assert made.run("vault", "person", name, told["public_key"], *vault)[0] == 0
    yield made
    house.close()


TWO = {"who": "周岚2", "second": "陈敏2"}


def test_two_people_see_a_film_that_only_the_centre_holds(place: Place, tmp_path: Path) -> None:
    shutil.rmtree(place.recording)  # the station is lost
    status, told, _ = place.give(tmp_path / "given")
    assert (status, told["recording"]) == (0, "r-1")
    names = {path.name.split("-")[0] for path in (tmp_path / "given").iterdir()}
    assert names == {"part", "side", GIVEN_JOURNAL, GIVEN_LIST}
    with reading(place.house.centre.engine) as connection:
        (act,) = [one for one in acts(connection) if one["act"] == "centre.footage-given"]
    assert (act["recording"], act["reason"], act["by"][:3]) == ("r-1", REASON, "os:")
    status, told, err = place.open(tmp_path / "given", tmp_path / "out", **TWO)
    assert status == 0, err
    assert (told["recording"], told["opened"], told["frames"], told["by"]) == ("r-1", "film", 60, ["周岚2", "陈敏2"])
    assert told["verdict"]["ok"]
    assert told["station_key"] == place.house.party.store.public_key.hex()
    with av.open(str(tmp_path / "out" / "film.mp4")) as shown:
        assert sum(1 for _ in shown.decode(video=0)) == 60
    assert place.log() == [("周岚2", "陈敏2", "r-1", "film", REASON)]


@pytest.mark.parametrize("at", ["the centre", "the station"])
def test_the_originals_are_what_the_camera_gave(place: Place, tmp_path: Path, at: str) -> None:
    folder = place.recording
    if at == "the centre":
        folder = tmp_path / "given"
        assert place.give(folder)[0] == 0
    status, told, err = place.open(folder, tmp_path / "out", "--what", "originals", **TWO)
    assert status == 0, err
    assert (told["pictures"], told["unreadable"], told["parts"]) == (20, 0, 1)
    (part,) = (tmp_path / "out").iterdir()
    found = {path.stem.split("-")[1]: path.read_bytes() for path in sorted(part.iterdir())}
    assert found == {f"{at_us / 1e6:.3f}s": data for at_us, data in place.originals.items()}
    assert place.log() == [("周岚2", "陈敏2", "r-1", "originals", REASON)]


REFUSED = (
    ({"second": "周岚2", "second-key": "one"}, "vault.person"),  # one person twice
    ({"second-key": "one"}, "vault.person"),  # in the other one's name
    ({"who": "谁"}, "vault.person"),
    ({"key": "two"}, "vault.person"),
    ({"reason": "  "}, "vault.reason"),
)


def test_one_person_or_no_reason_opens_nothing(place: Place, tmp_path: Path) -> None:
    assert place.give(tmp_path / "given")[0] == 0
    for changes, code in REFUSED:
        status, _, err = place.open(tmp_path / "given", tmp_path / "out", **{**TWO, **changes})
        assert status == 2
        assert code in err, changes
        assert not (tmp_path / "out").exists()
        assert not (tmp_path / "given" / "journal.jsonl").exists()
        assert place.log() == []


def test_it_is_in_the_log_before_anything_is_opened(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before: list[int] = []

    def watched(work: Callable[..., Any]) -> Callable[..., Any]:
        def watch(*about: Any) -> Any:
            before.append(len(place.log()))
            return work(*about)

        return watch

    monkeypatch.setattr(Vault, "open", watched(Vault.open))
    monkeypatch.setattr(footage, "open_side", watched(footage.open_side))
    assert place.give(tmp_path / "given")[0] == 0
    for n, what in enumerate(("film", "originals"), 1):
        before.clear()
        assert place.open(tmp_path / "given", tmp_path / what, "--what", what, **TWO)[0] == 0
        assert before
        assert set(before) == {n}


_ENDED = """
import importlib, signal, sys
from itertools import count
from app.__main__ import main

module, name, at, number = sys.argv[1:5]
there, calls = importlib.import_module(module), count(1)
work = getattr(there, name)

def ended(*given, **named):
    if next(calls) == int(at):
        signal.raise_signal(int(number))
    return work(*given, **named)

setattr(there, name, ended)
sys.argv = ["cardintake", *sys.argv[5:]]
sys.exit(main())
"""
"""The program itself, to which somebody says in the middle of its work that it shall end."""

SOMEWHERE = (
    ("originals", "app.commands.vault_footage", "durable_write", 3, signal.SIGTERM),  # before the third picture
    ("originals", "app.platform", "write_all", 3, signal.SIGINT),  # in the middle of one
    ("film", "app.evidence.reader", "read_piece", 3, signal.SIGTERM),  # FFmpeg reads
    ("film", "app.commands.vault_footage", "verify_recording", 1, signal.SIGTERM),  # all is written, nothing told
)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither signal")
@pytest.mark.parametrize(("what", "module", "name", "at", "number"), SOMEWHERE)
def test_what_is_ended_in_the_middle_leaves_nothing_open(
    place: Place, tmp_path: Path, what: str, module: str, name: str, at: int, number: int
) -> None:
    """SIGTERM left half a film, or some of the pictures below the masks, in a folder that was in the next one's way."""
    assert place.give(tmp_path / "given")[0] == 0
    out = tmp_path / "opened" / "out"
    out.parent.mkdir()
    words = place.words(tmp_path / "given", out, "--what", what, **TWO)
    pipes = [int(words[n + 1]) for n, word in enumerate(words) if word.endswith("passphrase-fd")]
    argv = [sys.executable, "-c", _ENDED, module, name, str(at), str(int(number)), *words]
    done = subprocess.run(argv, pass_fds=pipes, capture_output=True, text=True, cwd=ROOT, timeout=240, check=False)
    assert (done.returncode, done.stdout) == (130, ""), done.stderr
    assert list(out.parent.iterdir()) == []
    status, _, err = place.open(tmp_path / "given", out, "--what", what, **TWO)
    assert status == 0, err
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    assert list(out.rglob("*.part")) == []


def test_what_is_sealed_to_another_vault_stays_closed(place: Place, tmp_path: Path) -> None:
    other = place.recording.with_name("r-2")
    film(place.house, other, LOCK)
    status, _, err = place.open(other, tmp_path / "out", "--what", "originals", **TWO)
    assert status == EvidenceTrouble.exit_code
    assert "vault.not_openable" in err


@pytest.mark.parametrize("at", ["the centre", "the station"])
def test_no_other_recording_is_opened_than_was_signed_for(place: Place, tmp_path: Path, at: str) -> None:
    """Its originals were laid beside those of the one that stands in the vault's log."""
    other = place.recording.with_name("r-2")
    film(place.house, other, lock_of(place.house))
    folder = place.recording
    if at == "the centre":
        folder = tmp_path / "given"
        assert place.give(folder)[0] == 0
    (side,) = other.glob("side-*.bin")
    shutil.copy(side, folder / side.name.replace("0001", "0002"))
    status, _, err = place.open(folder, tmp_path / "out", "--what", "originals", **TWO)
    assert status == EvidenceTrouble.exit_code
    assert "evidence.content_differs" in err
    assert not (tmp_path / "out").exists()


def test_a_stations_own_folder_has_no_key_for_the_vault(place: Place, tmp_path: Path) -> None:
    status, _, err = place.open(place.recording, tmp_path / "out", **TWO)
    assert (status, "recording.not_given" in err) == (2, True)
    assert place.log() == []


def test_the_centre_gives_out_only_what_it_holds_and_says_why(place: Place, tmp_path: Path) -> None:
    assert place.give(tmp_path / "none", "  ")[0] == 2
    place.recording = place.recording.with_name("r-9")
    assert place.give(tmp_path / "none")[0] == 2
    assert not (tmp_path / "none").exists()
    place.recording = place.recording.with_name("r-1")
    assert place.give(tmp_path / "given")[0] == 0
    assert place.give(tmp_path / "given")[0] == 2  # what was given out before is not written over
    chunk = next(path for path in (tmp_path / "centre" / "objects").glob("??/*") if path.stat().st_size > 1000)
    chunk.write_bytes(b"?" + chunk.read_bytes()[1:])
    assert place.give(tmp_path / "bad")[0] == EvidenceTrouble.exit_code


@pytest.mark.parametrize("name", ["../part-0001-aa.bin", "/etc/passwd", "manifest.json", "part-1.bin/x", ""])
def test_a_station_cannot_name_files_elsewhere(name: str) -> None:
    with pytest.raises(EvidenceTrouble):
        file_named(name)
