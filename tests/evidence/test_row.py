"""A station's recordings in a row: one that was taken away is missed, what the rules removed is not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from app.__main__ import main
from app.core.errors import EvidenceTrouble
from app.evidence.journal import NAME
from app.evidence.row import Link, recordings_in, verify_row
from app.evidence.storage import remove_footage
from app.evidence.together import BESIDE


@pytest.fixture
def row(tmp_path: Path, record) -> list[Path]:
    """Four recordings, each after the one before, in a folder; their names are not in the order of time."""
    folders, previous = [], "0" * 64
    for name in ("r-c", "r-a", "r-d", "r-b"):
        writer = record(tmp_path / "recordings" / name, previous=previous)
        writer.close("sealed")
        previous = writer.head
        folders.append(tmp_path / "recordings" / name)
    return folders


def faults(links: list[Link]) -> dict[str, str]:
    return {link.folder.name: link.verdict.fault.code for link in links if link.verdict.fault is not None}


def test_a_whole_row_holds_whatever_the_folders_are_called(row: list[Path], public_key: str) -> None:
    links = verify_row(recordings_in(row[0].parent), public_key)
    assert [link.folder for link in links] == row
    assert faults(links) == {}
    assert [link.followed for link in links] == [True, True, True, False]


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_a_recording_that_was_taken_away_shows_in_the_one_behind_it(row: list[Path], gone: int) -> None:
    shutil.rmtree(row[gone])
    assert faults(verify_row(recordings_in(row[0].parent))) == {row[gone + 1].name: "evidence.recording_missing"}


def test_the_last_one_is_told_as_such_for_nothing_here_misses_it(row: list[Path]) -> None:
    shutil.rmtree(row[3])
    links = verify_row(recordings_in(row[0].parent))
    assert faults(links) == {}
    assert [link.folder for link in links if not link.followed] == [row[2]]


def test_a_damaged_one_is_wrong_itself_and_not_missing(row: list[Path]) -> None:
    journal = row[1] / NAME
    journal.write_bytes(journal.read_bytes().replace(b'"card":"c1"', b'"card":"c2"'))
    assert faults(verify_row(row)) == {row[1].name: "evidence.record_changed"}
    cut = row[2] / NAME
    cut.write_bytes(b"".join(cut.read_bytes().splitlines(keepends=True)[:-1]))  # its end was cut off
    assert faults(verify_row(row)) == {
        row[1].name: "evidence.record_changed",
        row[3].name: "evidence.recording_missing",
    }


def test_pictures_that_were_removed_break_no_row_but_are_told(row: list[Path], keys) -> None:
    remove_footage(row[1])
    links = verify_row(row, None, lambda _folder: keys.content)
    assert faults(links) == {}
    assert ["pictures_gone" in link.verdict.notes for link in links] == [False, True, False, False]
    journal = row[1] / NAME
    journal.write_bytes(journal.read_bytes().replace(b'"card":"c1"', b'"card":"c2"'))
    assert faults(verify_row(row)) == {row[1].name: "evidence.record_changed"}
    next(row[2].glob("part-*")).unlink()  # some of its pictures only: the rules take all
    assert faults(verify_row(row))[row[2].name] == "evidence.bytes_missing"


def test_one_that_was_filmed_beside_another_is_missed_there(tmp_path: Path, record) -> None:
    """It may be the last of its own camera's row."""
    for name, beside in (("r-1", "r-2"), ("r-2", "")):
        writer = record(tmp_path / name)
        if beside:
            writer.note("event", event=BESIDE, body={"recording": beside, "role": "label"})
        writer.close("sealed")
    assert faults(verify_row(recordings_in(tmp_path))) == {}
    shutil.rmtree(tmp_path / "r-2")
    (link,) = verify_row(recordings_in(tmp_path))
    assert link.verdict.fault is not None
    assert (link.verdict.fault.code, link.verdict.fault.detail) == ("evidence.recording_missing", "r-2")


@pytest.mark.parametrize("at", [".", "recordings"], ids=["station", "recordings"])
def test_the_command_checks_all_of_a_station(
    row: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], public_key: str, at: str
) -> None:
    def told(*more: str) -> tuple[int, dict[str, Any]]:
        status = main(["verify", str(tmp_path / at), *more])
        report: dict[str, Any] = json.loads(capsys.readouterr().out)
        return status, report

    status, report = told()
    assert (status, report["ok"], report["not_proven"]) == (0, True, [])
    remove_footage(row[0])  # by the rules or not
    status, report = told()
    assert (status, report["ok"], report["wrong"]) == (EvidenceTrouble.exit_code, False, [])
    assert "r1" in report["not_proven"][0]
    status, report = told("--pictures-may-be-gone")
    assert (status, report["ok"], report["recordings"], report["wrong"]) == (0, True, 4, [])
    assert (report["not_followed"], report["without_pictures"]) == (["r-b"], ["r1"])
    assert report["station_keys"] == [public_key]
    shutil.rmtree(row[1])
    status, report = told()
    assert status == EvidenceTrouble.exit_code
    (wrong,) = [one for one in report["row"] if not one["ok"]]
    assert wrong["fault"]["code"] == "evidence.recording_missing"
