"""A parcel from camera to centre, undisturbed: the report is held against what is true in the footage."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import pytest

from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.store.verify import verify_audit
from hardware.deactivation import verifies
from tests.e2e.conftest import Rehearsal


@dataclass
class Played:
    """An undisturbed rehearsal that is over."""

    rehearsal: Rehearsal
    report: dict[str, Any]


@pytest.fixture(scope="module")
def played(make_rehearsal: Callable[[], Rehearsal]) -> Iterator[Played]:
    rehearsal = make_rehearsal()
    rehearsal.begin(cameras=2)
    return Played(rehearsal, rehearsal.finish())


def test_report_tells_each_card_as_it_is_in_the_footage(played: Played) -> None:
    report = played.report
    assert {"cards", "events", "receipts", "recording", "dropped_frames", "audit"} <= set(report)
    assert [(card["gtin"], card["last4"]) for card in report["cards"]] == played.rehearsal.truth()
    for card in report["cards"]:
        assert {"id", "t_video_s", "gtin", "last4", "verdict", "receipt"} <= set(card)
        assert card["verdict"] in ("accepted", "review")
        assert card["receipt"]["seq"] <= card["receipt"]["high"]
    assert len({card["id"] for card in report["cards"]}) == 2
    assert report["events"] == report["receipts"] >= 8
    assert report["audit"] == "ok"
    assert report["dropped_frames"] >= 0
    assert json.loads((played.rehearsal.out / "stdout-1.txt").read_text()) == report


def test_each_card_is_found_in_the_video_at_the_time_that_is_told(played: Played) -> None:
    """t_video counts from the recording's first frame; the footage began at the epoch that the folder's mark tells."""
    labels = played.rehearsal.labels()
    epoch_us = json.loads(played.rehearsal.folder.rehearsal_mark.read_text())["epoch_us"]
    part = next(record for record in played.rehearsal.journal(played.report) if record["kind"] == "part")
    for told, true in zip(played.report["cards"], labels["cards"], strict=True):
        in_footage_s = (part["base_mono_us"] - epoch_us) / 1e6 + told["t_video_s"]
        in_footage_s %= labels["seconds"]
        assert true["move_in_s"] <= in_footage_s <= true["out_end_s"]


def test_chip_lies_with_its_own_card(played: Played) -> None:
    families = [card["chip_family"] or None for card in played.rehearsal.labels()["cards"]]
    assert [card["chip"] for card in played.report["cards"]] == families


def test_the_chips_of_accepted_cards_are_switched_off_and_proved(played: Played) -> None:
    """By the same keys that a clerk has; the record is named in the recording's own chain and lies at the centre."""
    with_chip = [card for card in played.report["cards"] if card["chip"] and card["verdict"] == "accepted"]
    assert with_chip, "the deck has one, easy to read"
    notes = [record for record in played.rehearsal.journal(played.report) if "chip" in json.dumps(record)]
    argv = [sys.executable, "-m", "app", "centre", "chips", "--data", str(played.rehearsal.folder.root / "centre")]
    told = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)
    at_centre = {row["evidence"]: row["record"] for row in told}
    for card in with_chip:
        assert card["chip_stand"] == "off"
        (path,) = (played.rehearsal.folder.root / "chips").glob(f"{card['id']}-*.json")
        record = json.loads(path.read_text())
        assert verifies(record)
        assert record["verdict"] == "deactivated"
        assert record["reader"]["simulated"]
        assert record["about"]["intake"]["card"] == card["id"]
        assert record["sha256"] in json.dumps(notes)
        assert at_centre[record["sha256"]] == "held"
    assert not list((played.rehearsal.folder.root / "chips" / "journal").glob("*"))


def test_exported_video_plays_from_begin_to_end(played: Played, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    argv = [sys.executable, "-m", "app", "export", played.report["recording"], str(out)]
    told = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)
    assert told["paths"] == [str(out)]
    with av.open(str(out)) as film:
        times = [frame.time for frame in film.decode(film.streams.video[0])]
    assert len(times) == told["frames"] > 200
    assert times == sorted(set(times))
    assert times[-1] == pytest.approx(told["duration_s"], abs=0.1)
    assert times[-1] > max(card["t_video_s"] for card in played.report["cards"])


def test_the_label_camera_filmed_it_too_and_both_are_proved_in_one_dossier(played: Played, tmp_path: Path) -> None:
    """Marked as a film; where the parcel's label was seen in it, it fits."""
    folder, overhead = Path(played.report["label_recording"]), Path(played.report["recording"])
    records = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    genesis = records[0]
    assert genesis["simulated"]
    assert genesis["rehearsal"]
    assert (genesis["meta"]["role"], genesis["meta"]["beside"]) == ("label", overhead.name)
    assert played.report["label_video"] == "ok"
    assert all(record["body"]["fits"] for record in records if record.get("event") == "label.seen")
    assert (
        sum(record["frames"] for record in records if record["kind"] == "fragment")
        > 3 * played.rehearsal.labels()["seconds"]
    )
    out = tmp_path / "d.zip"
    subprocess.run([sys.executable, "-m", "app", "dossier", str(overhead), "--out", str(out)], check=True)
    done = subprocess.run([sys.executable, "-m", "app", "verify", str(out)], check=True, capture_output=True)
    report = json.loads(done.stdout)
    assert report["simulated"]
    assert [(one["camera"], one["recording"]) for one in report["beside"]] == [("label", folder.name)]


def test_station_and_centre_hold_the_same_chain(played: Played) -> None:
    folder = played.rehearsal.folder
    station = verify_audit(folder.root, REHEARSAL_PASSPHRASE)
    centre = verify_audit(folder.root / "centre")
    assert station["ok"]
    assert centre["ok"]
    [here] = station["chains"]
    [there] = [chain for chain in centre["chains"] if chain["station"] == here["station"]]
    assert (here["count"], here["head"]) == (there["count"], there["head"])
    assert here["count"] == here["anchored"] == played.report["events"]


def test_nothing_is_left_running(played: Played) -> None:
    assert played.rehearsal.running() == []
    assert not played.rehearsal.folder.frames.exists()
    assert played.rehearsal.pid_of("recorder") == played.rehearsal.pid_of("eye") == 0


def test_no_number_and_no_pin_is_in_any_file(played: Played) -> None:
    """Planted secrets: those of the deck. The footage and its labels lie elsewhere and are left out."""
    planted: list[bytes] = []
    for card in played.rehearsal.labels()["cards"]:
        for text in (card["number"], card["pin"]):
            grouped = " ".join(text[n : n + 4] for n in range(0, len(text), 4))
            planted += [form.encode(code) for form in (text, grouped, text.lower()) for code in ("utf-8", "utf-16-le")]
            planted += [text.encode().hex().encode()]
    files = [path for path in played.rehearsal.out.rglob("*") if path.is_file()]
    assert {"report.json", "station.db", "centre.db", "recorder.log", "eye.log", "stderr-1.txt"} <= {
        path.name for path in files
    }
    for path in files:
        data = path.read_bytes()
        assert not [secret for secret in planted if secret in data], path.name


def test_store_opens_afterwards_with_nothing_left_to_do(played: Played) -> None:
    store = Store.open(played.rehearsal.folder.database, REHEARSAL_PASSPHRASE)
    assert store.unfinished_parcel() is None
    assert store.unclosed_recordings() == ()
    assert store.queue().unsent == 0
    store.close()
