"""What can go wrong on the command line: an exit code, a sentence in the operator's language, nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from getpass import getuser
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from app.core.sampling import SamplePolicy
from app.paths import RESOURCES, StationFolder
from app.server.embedded import start_server_process, stop_server_process
from app.server.setup import init
from app.station.clock import system_clock
from app.store import samples
from app.store.db import open_database, transaction
from app.store.keyfile import read_key
from app.store.store import REHEARSAL_PASSPHRASE, Store
from tests.commands.conftest import Said, call

Say = Callable[..., Said]


def names_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


# Decks


def test_no_such_deck(say: Say, language: str, tmp_path: Path) -> None:
    said = say("render", "--deck", tmp_path / "nope.toml", "--cache", tmp_path / "cache")
    assert said.code == 2
    assert said.complains("deck.missing", language)
    assert "nope.toml" in said.err
    assert names_in(tmp_path) == set()


@pytest.mark.parametrize(
    ("typing_slip", "code"),
    [
        (("waybill =", "wabill ="), "deck.key"),
        (("seed = 2", "seed = two"), "deck.syntax"),
        (("declared_count = 2", "declared_count = -2"), "deck.value"),
        (("orange-boat-300", "orange-boot-300"), "deck.product"),
    ],
)
def test_deck_with_a_slip(say: Say, language: str, tmp_path: Path, typing_slip: tuple[str, str], code: str) -> None:
    deck = tmp_path / "slip.toml"
    good = (RESOURCES / "decks" / "two_cards.toml").read_text(encoding="utf-8")
    deck.write_text(good.replace(*typing_slip), encoding="utf-8")
    said = say("render", "--deck", deck, "--cache", tmp_path / "cache")
    assert said.code == 2
    assert said.complains(code, language)
    assert "slip" in said.err
    assert names_in(tmp_path) == {"slip.toml"}


def test_demo_says_it_too_and_makes_no_rehearsal(tmp_path: Path) -> None:
    said = call("demo", "--headless", "--deck", tmp_path / "nope.toml", "--out", tmp_path / "out", CARDINTAKE_LANG="en")
    assert said.code == 2
    assert said.complains("deck.missing", "en")
    assert names_in(tmp_path) <= {"out"}


# Videos


def test_video_that_is_missing_empty_or_none(say: Say, language: str, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "poem.mp4").write_text("no video at all\n" * 500)
    for name, code in (("gone.mp4", "missing"), ("empty.mp4", "empty"), ("poem.mp4", "not_a_video")):
        said = say("replay", tmp_path / name, "--json")
        assert (said.code, said.out) == (2, "")
        assert said.complains(f"input.{code}", language)
        assert name in said.err


def test_video_that_breaks_on_the_way_tells_what_came_before(say: Say, language: str, tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    rng = np.random.default_rng(1)
    with av.open(str(path), "w", options={"movflags": "faststart"}) as out:
        stream = out.add_stream("libx264", rate=30, options={"preset": "ultrafast", "g": "5"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for _ in range(30):
            picture = av.VideoFrame.from_ndarray(rng.integers(0, 256, (360, 320), np.uint8), format="yuv420p")
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    said = say("replay", path, "--json")
    assert said.code == 2
    assert said.complains("input.broken_video", language)
    assert 0 < json.loads(said.out.splitlines()[-1])["summary"]["frames"] < 30


# Pictures


def test_pictures_that_are_none_do_not_keep_the_others_from_being_read(say: Say, language: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (120, 160, 3), np.uint8)
    png = cv2.imencode(".png", noise)[1].tobytes()
    files = {
        "empty.png": (b"", "input.empty"),
        "torn.png": (png[: len(png) // 2], "input.truncated"),
        "poem.png": (b"roses are red" * 50, "input.not_an_image"),
        "whole.png": (png, ""),
    }
    for name, (data, _) in files.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    others = {"gone.png": "input.missing", "loop.png": "input.not_a_file"}
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "within").mkdir()
    said = say("read", *(tmp_path / name for name in [*others, *files]), tmp_path / "folder", "--json")
    assert said.code == 2
    answers = {answer["file"]: answer for answer in map(json.loads, said.out.splitlines())}
    expected = others | {name: code for name, (_, code) in files.items()} | {"within": "input.is_folder"}
    assert list(answers) == list(expected)
    assert {name: answer.get("error", {}).get("code", "") for name, answer in answers.items()} == expected
    for code in set(expected.values()) - {""}:
        assert said.complains(code, language)
    assert answers["whole.png"]["number"] is None


# Recordings and chains


def test_film_that_cannot_be_played_is_not_waited_for(say: Say, language: str, tmp_path: Path) -> None:
    (tmp_path / "poem.mp4").write_text("no video at all\n" * 500)
    wrong = {
        f"file:{tmp_path}/gone.mp4": "no such file",
        f"sim:{tmp_path}/poem.mp4": "Invalid data",
        f"file:{tmp_path}/poem.mp4?lop=1": "lop",
        "viewfinder:1": "viewfinder:1",
    }
    for address, why in wrong.items():
        said = say("record", "--camera", address, "--out", tmp_path / "r1")
        assert (said.code, said.out) == (2, "")
        assert said.complains("record.not_playable", language)
        assert why in said.err
    assert names_in(tmp_path) == {"poem.mp4"}


def test_folder_that_is_neither_recording_nor_station(say: Say, language: str, tmp_path: Path) -> None:
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    for words in (("recover",), ("export", tmp_path / "out.mp4"), ("dossier", "--out", tmp_path / "out.zip")):
        said = say(words[0], tmp_path / "a" / "b" / "c", *words[1:])
        assert (said.code, said.out) == (2, "")
        assert said.complains("recording.missing", language)
        assert "PINs" not in said.err
    assert names_in(tmp_path) == {"a", "a/b", "a/b/c"}


def test_recording_that_nobody_knows(say: Say, language: str, finished: StationFolder, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    said = say("export", finished.recordings / "nope", out)
    assert said.code == 2
    assert said.complains("recording.missing", language)
    stranger = finished.recordings / "stranger"
    stranger.mkdir()
    try:
        said = say("export", stranger, out)
    finally:
        stranger.rmdir()
    assert said.code == 2
    assert said.complains("recording.unknown", language)
    assert names_in(tmp_path) == set()


def test_recording_of_a_folder_that_is_no_station(say: Say, language: str, recording: Path, tmp_path: Path) -> None:
    shutil.copytree(recording, tmp_path / "somewhere" / "recordings" / recording.name)
    said = say("export", tmp_path / "somewhere" / "recordings" / recording.name, tmp_path / "out.mp4")
    assert said.code == 2
    assert said.complains("folder.not_a_station", language)
    assert not (tmp_path / "out.mp4").exists()


def test_altered_recording_is_not_exported(say: Say, language: str, finished: StationFolder, tmp_path: Path) -> None:
    copy = StationFolder(tmp_path / "station")
    shutil.copytree(finished.root, copy.root)
    [recording] = copy.recordings.iterdir()
    part = next(recording.glob("part-*"))
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(data)
    said = say("export", recording, tmp_path / "out.mp4")
    assert said.code == 5
    assert said.complains("evidence.bytes_changed", language)
    assert part.name in said.err
    part.unlink()
    for words in (("export", tmp_path / "out.mp4"), ("dossier", "--out", tmp_path / "out.zip")):
        said = say(words[0], recording, *words[1:])
        assert said.code == 5
        assert said.complains("evidence.bytes_missing", language)
        assert part.name in said.err
    assert not list(tmp_path.glob("out.zip*"))
    assert not list(tmp_path.glob("out.mp4*"))


def exported_chain(folder: StationFolder, path: Path) -> list[str]:
    store = Store.open(folder.database, REHEARSAL_PASSPHRASE, reserve_bytes=0)
    store.export_chain(path)
    store.close()
    return path.read_text(encoding="utf-8").splitlines(keepends=True)


def test_broken_chain_is_told_with_its_first_fault(
    say: Say, language: str, finished: StationFolder, tmp_path: Path
) -> None:
    path = tmp_path / "chain.jsonl"
    lines = exported_chain(finished, path)
    assert say("audit", "verify", path).code == 0
    at = [n for n, line in enumerate(lines) if '"seq"' in line or '"data"' in line][3:]
    path.write_text("".join(line for n, line in enumerate(lines) if n != at[0]), encoding="utf-8")
    said = say("audit", "verify", path)
    assert said.code == 5
    assert said.complains("audit.broken", language)
    [chain] = json.loads(said.out)["chains"]
    assert chain["fault"]["code"] == "gap"
    assert chain["fault"]["seq"] == 5


def test_no_chain_there(say: Say, language: str, tmp_path: Path) -> None:
    said = say("audit", "verify", tmp_path / "nope")
    assert said.code == 2
    assert said.complains("audit.not_found", language)


def test_a_sample_without_a_draw_has_no_key_to_show(
    say: Say, language: str, finished: StationFolder, tmp_path: Path
) -> None:
    assert json.loads(say("audit", "samples", finished.root).out) == {"ok": True, "keys": []}
    copy = shutil.copytree(finished.root, tmp_path / "station")  # to show a key is to write
    said = say("audit", "samples", copy, "--show-key")
    assert said.code == 2
    assert said.complains("sample.no_key", language)


def test_who_shows_the_key_of_a_sample_is_named(say: Say, finished: StationFolder, tmp_path: Path) -> None:
    copy = StationFolder(shutil.copytree(finished.root, tmp_path / "station"))
    store = Store.open(copy.database, REHEARSAL_PASSPHRASE, reserve_bytes=0)
    samples.draw_due(store.ledger, SamplePolicy(1000, 1000), system_clock().stamp())
    store.close()
    said = say("audit", "samples", copy.root, "--show-key")
    assert json.loads(said.out)["keys"][0]["own_shares"], "nobody handed out such shares"
    assert said.code == 5
    store = Store.open(copy.database, REHEARSAL_PASSPHRASE, reserve_bytes=0)
    shown = json.loads(store.outbox_after(0)[-1].data)
    store.close()
    assert (shown["kind"], shown["actor"]) == ("sample.key-shown", f"os:{getuser()}")


def test_sound_chain_and_sound_recording(say: Say, finished: StationFolder, recording: Path, tmp_path: Path) -> None:
    assert json.loads(say("audit", "verify", finished.root).out)["ok"]
    said = say("export", recording, tmp_path / "out.mp4")
    assert said.code == 0
    assert json.loads(said.out)["frames"] > 30
    assert names_in(tmp_path) == {"out.mp4"}
    assert finished.database.with_suffix(".reserve").stat().st_size <= 65536  # looking something up takes no room


# The centre and the databases


@pytest.fixture
def centre(tmp_path: Path) -> Path:
    return init(tmp_path / "centre").root


def test_serve_before_init(say: Say, language: str, tmp_path: Path) -> None:
    said = say("serve", "--data", tmp_path / "centre", "--port", 0)
    assert said.code == 2
    assert said.complains("serve.not_initialised", language)
    assert json.loads(said.out)["code"] == "serve.not_initialised"
    assert names_in(tmp_path) == set()


@pytest.fixture(scope="module")
def centre_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A centre that serves."""
    folder = init(tmp_path_factory.mktemp("serving") / "centre").root
    child, url = start_server_process(folder, timeout_s=60)
    yield url
    stop_server_process(child)


@pytest.fixture
def shut(tmp_path: Path) -> Path:
    """A folder that nobody can make: it would lie in a file."""
    (tmp_path / "file").write_text("x")
    return tmp_path / "file" / "folder"


def test_a_folder_that_cannot_be_written_is_told(
    say: Say, language: str, tmp_path: Path, shut: Path, centre_url: str
) -> None:
    """The station's ended with a traceback; the centre's was told to press a key."""
    enrol = ("station", "enrol", "--rehearsal", "--server", centre_url, "--code", "AAAAA-AAAAA", "--data")
    for command in (("serve", "--init", "--data"), enrol):
        said = say(*command, shut)
        assert said.code == 4
        assert said.complains("folder.not_writable", language)
    assert names_in(tmp_path) == {"file"}


@pytest.mark.parametrize(
    ("address", "code", "status"),
    [
        ("http://127.0.0.1:1", "enrol.no_centre", 3),
        ("URL/elsewhere", "enrol.no_centre", 3),
        ("ftp://127.0.0.1", "enrol.address", 2),
        ("https://:1", "enrol.address", 2),
        ("http://127.0.0.1:x", "enrol.address", 2),
        ("127.0.0.1:8765", "enrol.address", 2),
    ],
)
def test_an_address_without_a_centre_is_told(
    say: Say, language: str, tmp_path: Path, centre_url: str, address: str, code: str, status: int
) -> None:
    """It said that work could go on and everything was saved, where nothing had begun."""
    url, folder = address.replace("URL", centre_url), tmp_path / "st"
    said = say("station", "enrol", "--rehearsal", "--data", folder, "--server", url, "--code", "AAAAA-AAAAA")
    assert said.code == status
    assert said.complains(code, language)
    assert names_in(tmp_path) == set()


def test_a_code_that_is_wrong_enrols_nobody(say: Say, language: str, tmp_path: Path, centre_url: str) -> None:
    folder = tmp_path / "st"
    said = say("station", "enrol", "--rehearsal", "--data", folder, "--server", centre_url, "--code", "AAAAA-AAAAA")
    assert said.code == 2
    assert said.complains("enrol.code", language)
    assert not (folder / "station.db").exists()


def test_what_is_no_station_or_no_number_of_cards_is_told(say: Say, language: str, tmp_path: Path) -> None:
    for action in (("sync", "--until-idle"), ("capture", "--cards", "1"), ("name",)):
        said = say("station", *action, "--data", tmp_path / "nowhere")
        assert said.code == 2
        assert said.complains("folder.not_a_station", language)
    assert say("station", "capture", "--cards", "-1", "--data", tmp_path).code == 2
    assert say("station", "sync", "--give-up-s", "-1", "--data", tmp_path).code == 2
    assert names_in(tmp_path) == set()


def test_a_database_that_does_not_answer_is_no_disk(say: Say, language: str, tmp_path: Path) -> None:
    """It spoke of the card in hand, and of a disk that may be unplugged."""
    where = "postgresql://x@127.0.0.1:1/none?connect_timeout=2"
    for command in (("centre", "cards", "--database", where), ("audit", "verify", where)):
        said = say(*command)
        assert said.code == 4
        assert said.complains("store.database_away", language)
    said = say("serve", "--init", "--data", tmp_path / "c", "--database", where)
    assert said.complains("store.database_away", language)
    assert not (tmp_path / "c" / "centre.json").exists()


def test_init_twice_changes_nothing(say: Say, language: str, centre: Path) -> None:
    before = {path: path.read_bytes() for path in centre.rglob("*") if path.is_file()}
    said = say("serve", "--init", "--data", centre)
    assert said.code == 2
    assert said.complains("serve.already_initialised", language)
    assert {path: path.read_bytes() for path in centre.rglob("*") if path.is_file()} == before


def test_port_in_use(say: Say, language: str, centre: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = say("serve", "--data", centre, "--port", taken.getsockname()[1])
    assert said.code == 3
    assert said.complains("serve.port_in_use", language)


def test_centre_of_a_newer_version(say: Say, language: str, centre: Path) -> None:
    with sqlite3.connect(centre / "centre.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    said = say("serve", "--data", centre, "--port", 0)
    assert said.code == 4
    assert said.complains("store.newer_database", language)
    assert "9999" in said.err


def test_station_of_a_newer_version(say: Say, language: str, finished: StationFolder, tmp_path: Path) -> None:
    copy = StationFolder(tmp_path / "station")
    shutil.copytree(finished.root, copy.root)
    engine = open_database(copy.database, read_key(copy.database, REHEARSAL_PASSPHRASE))
    with transaction(engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    before = copy.database.read_bytes()
    [recording] = copy.recordings.iterdir()
    said = say("export", recording, tmp_path / "out.mp4")
    assert said.code == 4
    assert said.complains("store.newer_database", language)
    assert copy.database.read_bytes() == before


def test_database_that_is_gone_is_not_made_anew(
    say: Say, language: str, finished: StationFolder, tmp_path: Path
) -> None:
    copy = StationFolder(tmp_path / "station")
    shutil.copytree(finished.root, copy.root)
    copy.database.unlink()
    [recording] = copy.recordings.iterdir()
    said = say("export", recording, tmp_path / "out.mp4")
    assert said.code == 4
    assert said.complains("store.missing_over_enrolled_folder", language)
    for words in (("station", "enrol", "--server", "http://127.0.0.1:9", "--code", "0", "--data"), ("audit", "verify")):
        before = names_in(copy.root)
        said = say(*words, copy.root)
        assert said.complains("store.missing_over_enrolled_folder", language), "no centre was asked, no code is spent"
        assert names_in(copy.root) == before
    assert not copy.database.exists()


def test_a_persons_key_that_cannot_be_had_is_told_in_a_persons_words(say: Say, language: str, tmp_path: Path) -> None:
    """A stick that is not plugged in ended in the words of a bug; a missing key was called a database's."""
    for words, code, passphrase in (
        (("person", "--key", tmp_path / "stick" / "z"), "evidence.cannot_write", b"pw"),
        (("reveal", "--key", tmp_path / "z", "--of", "s", "--card", "c", "--field", "pin", "--reason", "why so"),
         "reveal.no_key", b"pw"),
        (("person", "--key", tmp_path / "z"), "", b"pw"),
        (("person", "--key", tmp_path / "z"), "reveal.passphrase", b"guess"),
    ):  # fmt: skip
        near, far = os.pipe()
        os.write(far, passphrase)
        os.close(far)
        more = ("--who", "zhou", "--data", tmp_path) if words[0] == "reveal" else ()
        said = say("station", *words, *more, "--key-passphrase-fd", near)
        os.close(near)
        assert said.complains(code, language) if code else said.code == 0, said.err
    assert names_in(tmp_path) == {"z.key"}


def test_settings_with_a_slip(say: Say, language: str, tmp_path: Path) -> None:
    folder = StationFolder(tmp_path)
    folder.settings.write_text('[camera]\noverheard = "none:"\n', encoding="utf-8")
    said = say("doctor", "--data", tmp_path)
    assert said.code == 2
    assert said.complains("settings.unknown_key", language)
    assert "overheard" in said.err
    assert names_in(tmp_path) == {folder.settings.name}


# A disk that is full: no file may grow beyond a limit, as on a disk without room


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_export_to_where_nothing_can_be_written(recording: Path, tmp_path: Path, lang: str) -> None:
    said = call("export", recording, tmp_path / "gone" / "out.mp4", CARDINTAKE_LANG=lang)
    assert said.code == 4
    assert said.complains("evidence.cannot_write", lang)
    assert names_in(tmp_path) == set()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_init_on_a_full_disk_can_be_done_again(tmp_path: Path, lang: str) -> None:
    centre = tmp_path / "centre"
    said = call("serve", "--init", "--data", centre, limit_bytes=8192, CARDINTAKE_LANG=lang)
    assert said.code == 4
    assert said.complains("store.io", lang) or said.complains("store.disk_full", lang)
    assert not (centre / "centre.json").exists()
    assert init(centre).centre.exists()
