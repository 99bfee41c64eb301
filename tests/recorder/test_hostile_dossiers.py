"""Dossiers that somebody made to mislead or to break the verifier: an answer in JSON, and never that it holds."""

from __future__ import annotations

import hashlib
import io
import json
import os
import runpy
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.core.audit import canonical
from app.evidence.bundle import bundle
from app.evidence.dossier import VERIFIER, make_dossier
from app.evidence.journal import Signer
from app.evidence.verify import verify_recording
from app.evidence.writer import Origin, create_recording, resume_recording
from app.frames import join_planes
from app.recorder.sink import Take
from hardware.camera.file import FileCamera
from tests.recorder.test_record_command import KEYS, closed, dossier, fragments, times_in
from tests.recording import records, run

__all__ = ["closed", "dossier"]

Harm = Callable[[Path], None]


def packed(folder: Path, out: Path, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(out, "w", method) as target:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                target.write(path, path.relative_to(folder).as_posix())
    return out


def no_zip(path: Path) -> None:
    path.write_bytes(b"no zip at all" * 100)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def deep(path: Path) -> None:
    _with(path, "dossier.json", b"[" * 200_000)


def a_list(path: Path) -> None:
    _with(path, "dossier.json", b"[1]")


def truncated_json(path: Path) -> None:
    _with(path, "dossier.json", b'{"v": 1, "view')


def no_records(path: Path) -> None:
    _with(path, "records.jsonl", b"\n")


def a_bomb(path: Path) -> None:
    """A fragment that says it becomes two gigabytes when it is unpacked."""
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as target:
        target.writestr("fragments/000099.mp4", bytes(100_000))
    with zipfile.ZipFile(path) as made:
        lines = made.read("records.jsonl").splitlines()
    pieces = [json.loads(line) for line in lines if b'"kind":"fragment"' in line]
    _resigned(path, lines, {**pieces[-1], "leaf": 99})
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.rfind(b"fragments/000099.mp4") - 46 + 24, 2 << 30)
    path.write_bytes(data)


def encrypted(path: Path) -> None:
    data = bytearray(path.read_bytes())
    at = -1
    while (at := data.find(b"PK\x01\x02", at + 1)) >= 0:
        data[at + 8] |= 1
    path.write_bytes(data)


def an_unknown_method(path: Path) -> None:
    data = bytearray(path.read_bytes())
    at = -1
    while (at := data.find(b"PK\x01\x02", at + 1)) >= 0:
        data[at + 10 : at + 12] = struct.pack("<H", 97)
    path.write_bytes(data)


def torn_deflate(path: Path) -> None:
    data = bytearray(path.read_bytes())
    at = data.find(b"PK\x01\x02", data.find(b"PK\x01\x02") + 1)
    start = struct.unpack_from("<I", data, at + 42)[0] + 60
    data[start : start + 40] = bytes(range(40))
    path.write_bytes(data)


def one_name_twice(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as target, pytest.warns(UserWarning, match="Duplicate name"):
        target.writestr("viewing.mp4", b"another film")


def out_of_the_folder(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as target:
        target.writestr("../../outside.txt", b"a path that leads out")


def a_chinese_name(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as target:
        target.writestr("真正的证据.mp4", b"what nobody signed")


def a_number_without_end(path: Path) -> None:
    """Signed by a key of one's own: a proof over more leaves than anybody can count."""
    with zipfile.ZipFile(path) as made:
        lines = made.read("records.jsonl").splitlines()
    _resigned(path, lines, {**json.loads(lines[-1]), "leaves": 1 << 12_000})


def a_stretch_without_end(path: Path) -> None:
    with zipfile.ZipFile(path) as made:
        lines = made.read("records.jsonl").splitlines()
    pieces = [json.loads(line) for line in lines if b'"kind":"fragment"' in line]
    _resigned(path, lines, {**pieces[-1], "n": 1 << 62, "leaf": pieces[-1]["leaf"] + 1})


def a_place_below_zero(path: Path) -> None:
    with zipfile.ZipFile(path) as made:
        lines = made.read("records.jsonl").splitlines()
    pieces = [json.loads(line) for line in lines if b'"kind":"fragment"' in line]
    _resigned(path, lines, {**pieces[-1], "leaf": -5})


def _with(path: Path, name: str, content: bytes) -> None:
    """The same zip with another content under a name."""
    with zipfile.ZipFile(path) as made:
        before = {one: made.read(one) for one in made.namelist()}
    with zipfile.ZipFile(path, "w") as target:
        for one, data in (before | {name: content}).items():
            target.writestr(one, data)


def _resigned(path: Path, lines: list[bytes], last: dict[str, Any]) -> None:
    """One's own last record, in a chain that is signed anew by a key of one's own."""
    signer = Signer(bytes(range(7, 39)))
    told, prev = [], "0" * 64
    for fields in [*map(json.loads, lines[:-1]), last]:
        bare = {name: value for name, value in fields.items() if name not in ("chain", "sig")}
        bare |= {"station_key": signer.public_key} if bare["kind"] == "genesis" else {"prev": prev}
        prev = hashlib.sha256(canonical(bare)).hexdigest()
        told.append(canonical({**bare, "chain": prev, "sig": signer.sign(prev)}))
    _with(path, "records.jsonl", b"\n".join(told) + b"\n")


HARMS: list[Harm] = [
    *(no_zip, cut_short, deep, a_list, truncated_json, no_records, a_bomb, encrypted, an_unknown_method),
    *(torn_deflate, one_name_twice, out_of_the_folder, a_chinese_name, a_number_without_end, a_stretch_without_end),
    a_place_below_zero,
]


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
def test_it_is_said_in_json_and_never_holds(dossier: Path, tmp_path: Path, harm: Harm) -> None:
    made = packed(dossier, tmp_path / "d.zip", zipfile.ZIP_DEFLATED if harm is torn_deflate else zipfile.ZIP_STORED)
    harm(made)
    code, report = asked(made)
    assert (code, report["ok"]) == (1, False)
    assert report["wrong"]


def asked(path: Path) -> tuple[int, dict[str, Any]]:
    """As `python verify.py PATH`, in this process: only what is printed counts."""
    said = io.TextIOWrapper(io.BytesIO())
    before, sys.stdout = sys.stdout, said
    try:
        code = runpy.run_path(str(VERIFIER))["main"]([str(path)])
    finally:
        sys.stdout = before
    said.flush()
    return code, json.loads(said.buffer.getvalue())  # type: ignore[attr-defined]


def test_the_command_says_it_too(dossier: Path, tmp_path: Path) -> None:
    made = packed(dossier, tmp_path / "d.zip")
    assert run("verify", str(made))[0] == 0
    deep(made)
    code, out = run("verify", str(made))
    assert (code, json.loads(out)["ok"]) == (5, False)


def test_packed_anew_it_holds_as_before(dossier: Path, tmp_path: Path) -> None:
    """Mail programs and hands pack what they send."""
    code, report = asked(packed(dossier, tmp_path / "d.zip", zipfile.ZIP_DEFLATED))
    assert (code, report["ok"]) == (0, True)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp936"])
def test_a_pipe_that_takes_no_chinese_changes_no_answer(dossier: Path, encoding: str) -> None:
    """On a Windows with another language the verifier died of its own words where its answer went into a file."""
    done = subprocess.run(
        [sys.executable, str(VERIFIER), str(dossier)], capture_output=True, check=False,
        env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout.decode())["ok"]


@pytest.mark.parametrize("films", [["fragments"], ["viewing.mp4", "viewing.mp4"], []])
def test_a_thief_of_the_key_shows_no_other_film(dossier: Path, tmp_path: Path, films: list[str]) -> None:
    """The pictures are proved; who has the station's key had only to name other files as the viewing copies."""
    shutil.copytree(dossier, tmp_path / "d")
    (tmp_path / "d" / "viewing.mp4").write_bytes(b"another film")
    facts = json.loads((tmp_path / "d" / "dossier.json").read_text())
    pieces = [f"fragments/{path.name}" for path in fragments(tmp_path / "d")]
    facts["viewing"] = pieces if films == ["fragments"] else films
    (tmp_path / "d" / "dossier.json").write_text(json.dumps(facts))
    code, report = asked(signed_anew(tmp_path / "d", tmp_path / "thief.zip"))
    assert code == 1
    assert "viewing" in report["wrong"]


def signed_anew(folder: Path, out: Path) -> Path:
    """As somebody packs it who has the station's key."""
    with bundle(out) as made:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.name.startswith("manifest."):
                made.add(path.relative_to(folder).as_posix(), path.read_bytes())
        made.sign({"v": 1, "recording": json.loads((folder / "dossier.json").read_text())["recording"]}, KEYS.signing)
    return out


def other_places(film: bytearray) -> None:
    """Pictures from elsewhere in the file, behind the right ones."""
    at = film.rfind(b"stco") + 12
    first = struct.unpack_from(">I", film, at)[0]
    struct.pack_into(">I", film, at, len(film))
    film += struct.pack(">I4s", 8 + 100_000, b"free") + film[first : first + 100_000]


def other_order(film: bytearray) -> None:
    at = film.rfind(b"stsz") + 16
    sizes = struct.unpack_from(">2I", film, at)
    struct.pack_into(">2I", film, at, sizes[0] + 1, sizes[1] - 1)


def left_out(film: bytearray) -> None:
    """An edit that begins in the middle."""
    at = film.rfind(b"elst") + 12
    assert film[film.rfind(b"elst") + 4] == 0
    struct.pack_into(">I", film, at + 4, 1_000_000)


def other_settings(film: bytearray) -> None:
    film[film.rfind(b"avcC") + 5] ^= 1


def a_second_index(film: bytearray) -> None:
    at = film.rfind(b"moov") - 4
    film += film[at : at + struct.unpack_from(">I", film, at)[0]]


@pytest.mark.parametrize("harm", [other_places, other_order, left_out, other_settings, a_second_index])
def test_a_film_shows_what_it_holds(dossier: Path, tmp_path: Path, harm: Callable[[bytearray], None]) -> None:
    """The proved pictures lay in it, and its index led to others."""
    shutil.copytree(dossier, tmp_path / "d")
    assert asked(signed_anew(tmp_path / "d", tmp_path / "same.zip"))[0] == 0
    film = bytearray((tmp_path / "d" / "viewing.mp4").read_bytes())
    harm(film)
    (tmp_path / "d" / "viewing.mp4").write_bytes(film)
    code, report = asked(signed_anew(tmp_path / "d", tmp_path / "thief.zip"))
    assert code == 1
    assert "viewing" in report["wrong"]


@pytest.mark.parametrize("shown", [0, 20])
def test_a_part_that_was_killed_at_once_spoils_no_dossier(film: Path, tmp_path: Path, shown: int) -> None:
    """Its header is a leaf of the tree and its fragments never came: the stretch over it was called incomplete."""
    folder = tmp_path / "r1"
    camera = FileCamera(f"file:{film}?pace=0&epoch_us=1000000")
    take = Take("r1", create_recording(folder, KEYS, Origin("r1", "file:x", True, True, "0.1.0")), lambda _m: None)
    for part, frames in enumerate((shown, 3, 40)):  # three are too few for a fragment
        if part:
            take.writer.abandon()  # killed
            take = Take("r1", resume_recording(folder, KEYS), lambda _m: None, gap="recorder_restarted")
        for _ in range(frames):
            frame = camera.read(1.0)
            take.frame(join_planes(frame.y, frame.u, frame.v), frame.mono_us, frame.width, frame.height)
    camera.close()
    take.close("sealed")
    assert verify_recording(folder, Signer(KEYS.signing).public_key, KEYS.content).ok
    make_dossier(folder, KEYS, tmp_path / "d.zip")
    code, report = asked(tmp_path / "d.zip")
    assert (code, report["ok"]) == (0, True), report
    with zipfile.ZipFile(tmp_path / "d.zip") as made:
        made.extract("viewing.mp4", tmp_path)
    assert len(times_in(tmp_path / "viewing.mp4")) == sum(one["frames"] for one in records(folder, "fragment"))
