"""What the parcel's two cameras filmed: the same instant, and one dossier that proves both."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.__main__ import main
from app.core.errors import EvidenceTrouble
from app.core.footage import Exported
from app.evidence.dossier import VERIFIER, make_dossier
from app.evidence.ledger import load
from app.evidence.stretch import Stretch
from app.evidence.verify import verify_recording
from app.programs import start_program, stop_program
from app.station.dossiers import dossier_of
from app.store import leaks
from app.store.leaks import LeakSight
from tests.station.filmed import SUPERVISOR, WAYBILL, FilmedParcel, film_the_label, stamp
from tests.station.review_desk import Asked


def test_another_recording_of_the_same_time_is_another_angle(asked: Asked, own: FilmedParcel) -> None:
    """A label camera's recording of the parcel began a second later: the same instant is a second earlier in it."""
    keys = film_the_label(asked.store, own, 1_000_000)
    (angle,) = asked.footage().angles
    assert (angle.recording_id, angle.role, angle.shift_us) == ("r-2", "label", -1_000_000)
    there = asked.footage("r-2")
    assert there.angles[0].shift_us == 1_000_000
    (gap,) = there.gaps
    assert (gap.from_us + 1_000_000, gap.to_us + 1_000_000) == (angle.gaps[0].from_us, angle.gaps[0].to_us)
    assert [span.from_us for span in angle.filmed] == [part.from_us + 1_000_000 for part in there.parts]
    (card,) = there.cards
    (seen,) = asked.footage().cards
    assert card.card_id == seen.card_id
    assert card.to_us == min(there.duration_us, seen.to_us - 1_000_000)
    assert verify_recording(own.folder.recordings / "r-2", keys.public, keys.content).ok


def verified(path: Path) -> dict[str, Any]:
    done = subprocess.run([sys.executable, str(VERIFIER), str(path)], capture_output=True, text=True, check=False)
    report: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if report["ok"] else 1)
    return report


def unpacked(path: Path, into: Path) -> Path:
    with zipfile.ZipFile(path) as bundle:
        bundle.extractall(into)
    return into


@pytest.mark.parametrize("looked_at", ["r-1", "r-2"])
@pytest.mark.parametrize("card_id", ["", "c-1"])
def test_a_dossier_holds_what_both_cameras_filmed(
    asked: Asked, own: FilmedParcel, looked_at: str, card_id: str
) -> None:
    film_the_label(asked.store, own, -3_000_000)
    made = asked.answer(asked.desk.dossier, SUPERVISOR, looked_at, card_id)
    assert isinstance(made, Exported)
    assert not made.without
    assert len(list(own.folder.exports.glob("*.zip"))) == 1
    report = verified(Path(made.path))
    assert report["ok"], report
    (other,) = report["beside"]
    assert {report["recording"], other["recording"]} == {"r-1", "r-2"}
    assert report["recording"] == looked_at
    found = {one["camera"]: one for one in (report, other)}
    assert found["label"]["filmed_beside"] == ["r-1"]
    assert not any("not here" in line for line in report["not_proven"])
    label, overhead = found["label"], found["overhead"]
    assert label["from_s"] - 3 <= overhead["to_s"]
    assert overhead["from_s"] <= label["to_s"] - 3
    with zipfile.ZipFile(made.path) as bundle:
        assert "r-2" in bundle.read("summary.zh.txt").decode()
    body = json.loads(asked.store.call(lambda store: store.outbox_after(made.seq - 1, 1))[0].data)["body"]
    assert body["beside"] == [other["recording"]]


@pytest.mark.parametrize("bad", ["", "label/"])
def test_which_cameras_recording_is_wrong_is_named(asked: Asked, own: FilmedParcel, bad: str, tmp_path: Path) -> None:
    film_the_label(asked.store, own, -3_000_000)
    made = asked.answer(asked.desk.dossier, SUPERVISOR, "r-1", "")
    folder = unpacked(Path(made.path), tmp_path / "d")
    piece = sorted((folder / bad / "fragments").iterdir())[2]
    piece.write_bytes(piece.read_bytes()[:-1] + b"?")
    report = verified(folder)
    name, camera = ("r-2", "label") if bad else ("r-1", "overhead")
    assert report["wrong"].startswith(f"{camera} camera, recording {name} / ")
    assert "hold up to" in report["wrong"]
    assert {one["recording"]: one["ok"] for one in report["recordings"]} == {"r-1": bool(bad), "r-2": not bad}


def lose_the_folder(folder: Path) -> None:
    shutil.rmtree(folder / "label")


def unname_it(folder: Path) -> None:
    lose_the_folder(folder)
    facts = json.loads((folder / "dossier.json").read_text())
    (folder / "dossier.json").write_text(json.dumps(facts | {"beside": []}))


def change_its_still(folder: Path) -> None:
    (still,) = (folder / "label").glob("still-*")
    still.write_bytes(still.read_bytes() + b"x")


def put_the_first_there(folder: Path) -> None:
    """The same recording twice instead of both."""
    shutil.rmtree(folder / "label")
    (folder / "label").mkdir()
    for path in [one for one in folder.iterdir() if one.name not in ("label", "manifest.json", "manifest.sig")]:
        (shutil.copytree if path.is_dir() else shutil.copy)(path, folder / "label" / path.name)


@pytest.mark.parametrize("harm", [lose_the_folder, unname_it, change_its_still, put_the_first_there])
def test_the_other_camera_is_not_taken_out_or_changed(
    asked: Asked, own: FilmedParcel, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    film_the_label(asked.store, own, -3_000_000)
    made = asked.answer(asked.desk.dossier, SUPERVISOR, "r-1", "")
    folder = unpacked(Path(made.path), tmp_path / "d")
    harm(folder)
    report = verified(folder)
    assert not report["ok"]
    assert any(name in report["wrong"] for name in ("label", "dossier.json", "r-2"))


def test_a_dossier_does_not_take_what_was_filmed_beside_another_parcel(asked: Asked, own: FilmedParcel) -> None:
    film_the_label(asked.store, own, -3_000_000, beside="elsewhere")
    made = asked.answer(asked.desk.dossier, SUPERVISOR, "r-1", "")
    assert "was not filmed beside" in verified(Path(made.path))["wrong"]


def test_a_dossier_says_why_the_other_camera_is_not_in_it(asked: Asked, own: FilmedParcel, tmp_path: Path) -> None:
    """It may show a PIN; it filmed nothing in this stretch."""
    film_the_label(asked.store, own, 1_000_000)
    early = dossier_of(asked.store.call, own.folder.recordings, "r-1", stretch=Stretch(0, 400_000))
    out = tmp_path / "early.zip"
    make_dossier(early.folder, early.keys, out, early.stretch, early.beside)
    (told,) = [line for line in verified(out)["not_proven"] if "r-2" in line]
    assert "evidence.no_pictures" in told
    asked.store.call(
        lambda store: leaks.note_progress(
            store.ledger, "r-2", 1_000_000, 5, [LeakSight(900_000, "house", "label", 16)], stamp()
        )
    )
    made = asked.answer(asked.desk.dossier, SUPERVISOR, "r-1", "")
    assert made.without == "footage.may_show_pin"
    report = verified(Path(made.path))
    assert report["ok"]
    assert report["beside"] == []
    assert any("r-2" in line and "may_show_pin" in line for line in report["not_proven"])
    with zipfile.ZipFile(made.path) as bundle:
        assert "may show a PIN" in bundle.read("summary.en.txt").decode()


def test_stills_of_the_same_time_by_both_cameras_are_two_files(asked: Asked, own: FilmedParcel) -> None:
    film_the_label(asked.store, own, -3_000_000)
    paths = [asked.answer(asked.desk.still, SUPERVISOR, name, 0).path for name in ("r-1", "r-2")]
    assert len(set(paths)) == 2
    assert "-label-" in Path(paths[1]).name
    first, second = (Path(path).read_bytes() for path in paths)
    assert first != second


def test_a_damaged_film_beside_it_keeps_no_recording_from_being_exported(
    asked: Asked, own: FilmedParcel, tmp_path: Path
) -> None:
    film_the_label(asked.store, own, 1_000_000)
    (part, *_more) = sorted((own.folder.recordings / "r-2").glob("part-*.bin"))
    part.write_bytes(part.read_bytes()[:-40])
    made = asked.answer(asked.desk.dossier, SUPERVISOR, "r-1", "")
    assert made.without == "footage.damaged"
    assert verified(Path(made.path))["ok"]
    for path in (own.folder.recordings / "r-2").glob("part-*.bin"):
        path.unlink()
    gone = dossier_of(asked.store.call, own.folder.recordings, "r-1")
    facts = make_dossier(gone.folder, gone.keys, tmp_path / "gone.zip", gone.stretch, gone.beside)
    assert [one["why"] for one in facts["beside"]] == ["footage.gone"]


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    status = main(words)
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return status, report


@pytest.mark.parametrize("named", ["r-1", "r-2"])
def test_the_command_verifies_both_and_names_the_bad_one(
    asked: Asked, own: FilmedParcel, capsys: pytest.CaptureFixture[str], named: str
) -> None:
    film_the_label(asked.store, own, 1_000_000)
    folder = own.folder.recordings / named
    status, report = told(capsys, "verify", str(folder))
    assert (status, report["ok"], report["holds"]) == (0, True, True)
    (other,) = report["beside"]
    assert {(one["recording"], one["camera"]) for one in (report, other)} == {("r-1", "overhead"), ("r-2", "label")}
    journal = own.folder.recordings / "r-2" / "journal.jsonl"
    journal.write_text(journal.read_text().replace('"reason":"camera_lost"', '"reason":"camera_left"'))
    status, report = told(capsys, "verify", str(folder))
    assert status == EvidenceTrouble.exit_code
    found = {one["recording"]: one for one in (report, *report["beside"])}
    assert found["r-2"]["fault"]
    assert not report["ok"]
    assert found["r-1"].get("holds", found["r-1"]["ok"]) is True


def test_the_command_recovers_both(asked: Asked, own: FilmedParcel, capsys: pytest.CaptureFixture[str]) -> None:
    keys = film_the_label(asked.store, own, 1_000_000, cut=True)
    assert load(own.folder.recordings / "r-2").close is None
    status, report = told(capsys, "recover", str(own.folder.recordings / "r-1"))
    assert (status, report["already_closed"], report["camera"]) == (0, True, "overhead")
    (other,) = report["beside"]
    assert (other["recording"], other["camera"], other["closed"]) == ("r-2", "label", True)
    verdict = verify_recording(own.folder.recordings / "r-2", keys.public, keys.content)
    assert verdict.ok
    assert verdict.closed


def test_what_a_recorder_films_is_left_to_it(
    asked: Asked, own: FilmedParcel, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    film_the_label(asked.store, own, 1_000_000, cut=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = own.folder
    argv = [sys.executable, "-m", "app", "label", "--folder", str(folder.root)]
    start_program(argv, folder.label_recorder_lock, 30.0, tmp_path / "log")
    try:
        before = (folder.recordings / "r-2" / "journal.jsonl").read_bytes()
        status, report = told(capsys, "recover", str(folder.recordings / "r-1"))
        assert status == 0
        assert report["beside"] == [{"recording": "r-2", "camera": "label", "recorder_runs": True}]
        assert (folder.recordings / "r-2" / "journal.jsonl").read_bytes() == before
    finally:
        stop_program(folder.label_recorder_lock)


def test_dossiers_of_a_waybill_and_a_bare_folder_hold_both(
    asked: Asked, own: FilmedParcel, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One dossier for both cameras, not one each."""
    film_the_label(asked.store, own, 1_000_000)
    data, out = str(own.folder.root), str(tmp_path / "d.zip")
    for words in (
        ["--data", data, "--waybill", WAYBILL],
        ["--data", data, "--card", "c-1"],
        [f"{data}/recordings/r-1"],
    ):
        status, report = told(capsys, "dossier", *words, "--out", out)
        assert status == 0
        assert [(one["recording"], one["folder"]) for one in report["beside"]] == [("r-2", "label")]
        assert verified(Path(out))["ok"]
    assert [path.name for path in tmp_path.glob("*.zip")] == ["d.zip"]
