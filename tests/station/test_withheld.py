"""Of a parcel that may show a PIN somewhere, what can be given is; what is withheld is told and still provable."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import insert

from app.__main__ import main
from app.core.errors import BadInput
from app.core.footage import Exported
from app.core.parcels import ExpectedParcel, OpenParcel
from app.evidence.dossier import Beside, make_dossier
from app.evidence.journal import NAME
from app.evidence.storage import remove_footage
from app.evidence.stretch import Stretch
from app.evidence.writer import Origin, RecordingKeys, create_recording
from app.recorder.sink import Take
from app.station import reviewing
from app.station.dossiers import dossier_of
from app.store import leaks
from app.store.leaks import LeakSight
from app.store.store import Store
from app.store.tables import durable
from tests.station.filmed import CLERK, SUPERVISOR, WAYBILL, FilmedParcel, film_the_label, stamp
from tests.station.review_desk import Asked
from tests.station.test_both_cameras import told, unpacked, verified

PIN = "footage.may_show_pin"


def suspect(asked: Asked, recording_id: str) -> None:
    sight = LeakSight(700_000, "house", "label", 16)
    asked.store.call(lambda store: leaks.note_progress(store.ledger, recording_id, 1_000_000, 5, [sight], stamp()))


@pytest.mark.parametrize("card_id", ["", "c-1"])
def test_the_other_cameras_film_is_given_with_the_records_of_the_one_that_is_withheld(
    asked: Asked, own: FilmedParcel, card_id: str
) -> None:
    film_the_label(asked.store, own, -3_000_000)
    suspect(asked, "r-1")
    made = asked.answer(asked.desk.dossier, SUPERVISOR, "r-1", card_id)
    assert isinstance(made, Exported), made
    assert (made.without, made.lacking) == (PIN, "overhead")
    report = verified(Path(made.path))
    assert report["ok"], report
    assert (report["recording"], report["camera"], report["beside"]) == ("r-2", "label", [])
    (kept_back,) = report["withheld"]
    journal = (own.folder.recordings / "r-1" / NAME).read_bytes()
    assert (kept_back["recording"], kept_back["camera"], kept_back["withheld"]) == ("r-1", "overhead", PIN)
    assert (kept_back["records"], kept_back["closed"]) == (journal.count(b"\n"), True)
    (line,) = [line for line in report["not_proven"] if "r-1" in line]
    assert "withheld" in line
    with zipfile.ZipFile(made.path) as bundle:
        inside = {name for name in bundle.namelist() if name.startswith("overhead/")}
        assert inside == {"overhead/dossier.json", "overhead/records.jsonl"}
        assert bundle.read("overhead/records.jsonl") == journal
        assert "r-1  it may show a PIN" in bundle.read("summary.en.txt").decode()
        assert "r-1  可能露出卡密" in bundle.read("summary.zh.txt").decode()
    body = json.loads(asked.store.call(lambda store: store.outbox_after(made.seq - 1, 1))[0].data)["body"]
    assert (body["recording"], body["beside"], body["withheld"]) == ("r-2", [], ["r-1"])


def leave_a_record_out(folder: Path) -> None:
    lines = (folder / "records.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "records.jsonl").write_bytes(b"".join(lines[:4] + lines[5:]))


def cut_its_end(folder: Path) -> None:
    lines = (folder / "records.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "records.jsonl").write_bytes(b"".join(lines[:-1]))


def give_another_reason(folder: Path) -> None:
    facts = json.loads((folder / "dossier.json").read_text())
    (folder / "dossier.json").write_text(json.dumps({**facts, "withheld": "footage.gone"}))


def take_it_out(folder: Path) -> None:
    shutil.rmtree(folder)


def call_it_complete(folder: Path) -> None:
    """As if nothing had been withheld."""
    shutil.rmtree(folder)
    facts = json.loads((folder.parent / "dossier.json").read_text())
    (folder.parent / "dossier.json").write_text(json.dumps({**facts, "beside": []}))


@pytest.mark.parametrize("harm", [leave_a_record_out, cut_its_end, give_another_reason, take_it_out, call_it_complete])
def test_what_is_done_to_the_records_of_a_withheld_recording_is_found(
    asked: Asked, own: FilmedParcel, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    film_the_label(asked.store, own, -3_000_000)
    suspect(asked, "r-1")
    made = asked.answer(asked.desk.dossier, SUPERVISOR, "r-1", "")
    folder = unpacked(Path(made.path), tmp_path / "d")
    assert verified(folder)["ok"]
    harm(folder / "overhead")
    assert not verified(folder)["ok"]


def test_pictures_that_are_gone_are_told_with_their_records(asked: Asked, own: FilmedParcel) -> None:
    film_the_label(asked.store, own, -3_000_000)
    remove_footage(own.folder.recordings / "r-1")
    made = asked.answer(asked.desk.dossier, SUPERVISOR, "r-1", "")
    assert (made.without, made.lacking) == ("footage.gone", "overhead")
    assert [one["withheld"] for one in verified(Path(made.path))["withheld"]] == ["footage.gone"]
    remove_footage(own.folder.recordings / "r-2")
    refused = asked.answer(asked.desk.dossier, SUPERVISOR, "r-1", "")
    assert isinstance(refused, BadInput)
    assert refused.code == "evidence.no_pictures"


EARLY, LATE = -3_000_000, 1_000_000
BEGINNING = Stretch(0, 400_000)


@pytest.mark.parametrize("there", ["r-2", "r-3"])
def test_in_its_place_comes_the_one_that_filmed_meanwhile(asked: Asked, own: FilmedParcel, there: str) -> None:
    for name in ("r-2", "r-3"):
        film_the_label(asked.store, own, EARLY if name == there else LATE, name=name)
    suspect(asked, "r-1")
    wanted = dossier_of(asked.store.call, own.folder.recordings, "r-1", stretch=BEGINNING)
    assert wanted.folder.name == there
    suspect(asked, there)
    with pytest.raises(BadInput, match=PIN):
        dossier_of(asked.store.call, own.folder.recordings, "r-1", stretch=BEGINNING)


def test_one_that_filmed_nothing_there_is_not_told_as_withheld(
    asked: Asked, own: FilmedParcel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, later_us in (("r-2", LATE), ("r-3", EARLY), ("r-4", LATE)):
        film_the_label(asked.store, own, later_us, name=name)
    suspect(asked, "r-3")
    monkeypatch.setattr(reviewing, "dossier_of", lambda *about: dossier_of(*about[:3], stretch=BEGINNING))
    made = asked.answer(asked.desk.dossier, SUPERVISOR, "r-1", "")
    assert (made.without, made.lacking) == (PIN, "label")
    body = json.loads(asked.store.call(lambda store: store.outbox_after(made.seq - 1, 1))[0].data)["body"]
    assert (body["recording"], body["beside"], body["withheld"]) == ("r-1", [], ["r-3"])


@pytest.mark.parametrize("barred", [False, True])
def test_a_damaged_journal_beside_it_leaves_the_dossier_whole(asked: Asked, own: FilmedParcel, barred: bool) -> None:
    """What was said of its whole chain is not said of what is left of it."""
    film_the_label(asked.store, own, EARLY)
    folder = own.folder.recordings / "r-2"
    for name in ("witness.json", "root.tsr", "root.statement"):
        (folder / name).write_bytes(b"{}")
    journal = folder / NAME
    journal.write_bytes(journal.read_bytes().replace(b'"reason":"sealed"', b'"reason":"dealt!"'))
    if barred:
        suspect(asked, "r-2")
    made = asked.answer(asked.desk.dossier, SUPERVISOR, "r-1", "")
    report = verified(Path(made.path))
    assert report["ok"], report
    assert made.without == (PIN if barred else "")
    (other,) = report["withheld" if barred else "beside"]
    assert (other["recording"], other["witness"]) == ("r-2", None)


def words(own: FilmedParcel, out: Path) -> list[str]:
    return ["dossier", "--data", str(own.folder.root), "--waybill", WAYBILL, "--out", str(out)]


def run(capsys: pytest.CaptureFixture[str], own: FilmedParcel, out: Path) -> tuple[int, dict[str, Any]]:
    return told(capsys, *words(own, out))


@pytest.mark.parametrize("bad", ["r-1", "r-2"])
def test_a_waybill_is_not_refused_for_one_of_its_recordings(
    asked: Asked, own: FilmedParcel, capsys: pytest.CaptureFixture[str], tmp_path: Path, bad: str
) -> None:
    film_the_label(asked.store, own, 1_000_000)
    suspect(asked, bad)
    status, report = run(capsys, own, tmp_path / "d.zip")
    assert (status, report["withheld"]) == (0, [bad])
    found = verified(tmp_path / "d.zip")
    assert found["ok"]
    assert [one["recording"] for one in found["withheld"]] == [bad]
    assert [path.name for path in tmp_path.glob("*.zip")] == ["d.zip"]
    suspect(asked, "r-1" if bad == "r-2" else "r-2")
    assert main(words(own, tmp_path / "no.zip")) == 2
    assert PIN in capsys.readouterr().err
    assert not (tmp_path / "no.zip").exists()


def test_a_later_recording_of_the_parcel_tells_of_the_one_that_is_withheld(
    asked: Asked, own: FilmedParcel, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """By the same camera, so neither was filmed beside the other: they are of one parcel."""
    film_the_label(asked.store, own, 60_000_000, role="overhead", beside="")
    suspect(asked, "r-1")
    status, report = run(capsys, own, tmp_path / "d.zip")
    assert (status, report["recording"], report["withheld"]) == (0, "r-2", ["r-1"])
    found = verified(tmp_path / "d.zip")
    assert found["ok"], found
    assert [(one["recording"], one["camera"]) for one in found["withheld"]] == [("r-1", "overhead")]


def test_another_parcels_records_are_not_taken_for_what_is_withheld(
    asked: Asked, own: FilmedParcel, tmp_path: Path
) -> None:
    keys = RecordingKeys(bytes(32), asked.store.call(lambda store: store.signing_seed))
    origin = Origin("r-9", "sim:", True, True, "0.1.0", meta={"waybill": "YT9988776655443"})
    create_recording(tmp_path / "r-9", keys, origin).close("sealed")
    stranger = Beside("r-9", "overhead", tmp_path / "r-9", keys, Stretch(), 0, PIN)
    one = dossier_of(asked.store.call, own.folder.recordings, "r-1")
    make_dossier(one.folder, one.keys, tmp_path / "d.zip", one.stretch, (stranger,))
    assert "was not filmed beside" in verified(tmp_path / "d.zip")["wrong"]


def spoil(folder: Path) -> None:
    part = max(folder.glob("part-*.bin"), key=lambda path: path.stat().st_size)
    whole = part.read_bytes()
    part.write_bytes(whole[:-40] + bytes(40))


@pytest.mark.parametrize("barred", ["r-1", "r-2"])
@pytest.mark.parametrize("harm", ["suspect", "gone", "spoilt"])
def test_of_a_parcel_all_is_exported_but_what_cannot_be(
    asked: Asked, own: FilmedParcel, tmp_path: Path, capsys: pytest.CaptureFixture[str], harm: str, barred: str
) -> None:
    """One withheld recording kept all others of its parcel in."""
    film_the_label(asked.store, own, -3_000_000)
    folder = own.folder.recordings / barred
    {
        "suspect": lambda: suspect(asked, barred),
        "gone": lambda: remove_footage(folder),
        "spoilt": lambda: spoil(folder),
    }[harm]()
    words = ["export", "--data", str(own.folder.root), "--waybill", WAYBILL, str(tmp_path / "f.mp4")]
    assert main(words) == 5
    out, err = capsys.readouterr()
    (told_of,) = [json.loads(line) for line in out.splitlines()]
    assert told_of["recording"] == ({"r-1", "r-2"} - {barred}).pop()
    assert [Path(path).exists() for path in told_of["paths"]] == [True]
    assert sorted(path.name for path in tmp_path.glob("*.mp4*")) == ["f.mp4"]
    why = {"suspect": PIN, "gone": "footage.gone", "spoilt": "evidence."}[harm]
    assert any(barred in line and why in line for line in err.splitlines())
    assert "export.incomplete" in err


def test_no_film_of_a_parcel_takes_another_ones_name(
    asked: Asked, own: FilmedParcel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A camera that changed its picture size makes two of one recording: the next recording's wrote over the second."""
    seed = asked.store.call(lambda store: store.signing_seed)
    expected = ExpectedParcel("SF2", "DD-2", 1)
    for name, sizes in (("r-5", (64, 128)), ("r-6", (64,))):
        known = asked.store.call(lambda store, name=name: store.new_recording(name, "p-2", stamp(), CLERK.id))
        if name == "r-5":
            asked.store.call(lambda store: store.open_parcel(OpenParcel("p-2", expected, "r-5", CLERK), stamp()))
        folder, keys = own.folder.recordings / name, RecordingKeys(known.key, seed)
        take = Take(name, create_recording(folder, keys, Origin(name, "sim:", True, True, "0.1.0")), lambda _told: None)
        for n in range(20 * len(sizes)):
            size = sizes[n // 20]
            take.frame(np.full(size * size * 3 // 2, 16 + n, np.uint8), 1_000_000 + n * 33_333, size, size)
        take.close("sealed")
    assert main(["export", "--data", str(own.folder.root), "--waybill", "SF2", str(tmp_path / "f.mp4")]) == 0
    told_of = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    names = [[Path(path).name for path in one["paths"]] for one in told_of]
    assert names == [["f.mp4", "f-2.mp4"], ["f-3.mp4"]]
    assert sorted(path.name for path in tmp_path.glob("f*")) == ["f-2.mp4", "f-3.mp4", "f.mp4"]


def remove_by_the_rules(store: Store, folder: Path) -> None:
    with store._engine.begin() as connection:
        connection.execute(insert(durable), {"recording_id": folder.name, "epoch": "e", "text": "{}", "sig": b""})
    store.note_removed(folder.name, 5, stamp())
    remove_footage(folder)


def test_what_the_stations_chain_says_was_removed_is_in_order_and_nothing_else(
    asked: Asked, own: FilmedParcel, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody had to say that pictures may be gone, and then every recording's might."""
    film_the_label(asked.store, own, EARLY)
    first, second = (own.folder.recordings / name for name in ("r-1", "r-2"))

    def told() -> tuple[int, dict[str, Any]]:
        status = main(["verify", str(own.folder.root)])
        report: dict[str, Any] = json.loads(capsys.readouterr().out)
        return status, report

    asked.store.call(lambda store: remove_by_the_rules(store, first))
    status, report = told()
    assert (status, report["without_pictures"], report["removed_by_rules"]) == (0, ["r-1"], ["r-1"])
    assert report["not_proven"] == []
    remove_footage(second)  # by no rule
    status, report = told()
    assert (status, report["ok"], report["removed_by_rules"]) == (5, False, ["r-1"])
    (line,) = report["not_proven"]
    assert "r-2" in line
    whole = (first / NAME).read_bytes()
    (first / NAME).write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))  # another journal than was closed
    assert told()[1]["removed_by_rules"] == []
    (first / NAME).write_bytes(whole)
    asked.store.call(damage_the_chain)
    status, report = told()
    assert (status, report["removed_by_rules"], report["chain_unread"]) == (5, [], "evidence.chain_broken")


def damage_the_chain(store: Store) -> None:
    with store._engine.begin() as connection:
        for (name,) in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").all():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        connection.exec_driver_sql("UPDATE outbox SET sig = zeroblob(64) WHERE kind = 'footage.removed'")
