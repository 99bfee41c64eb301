"""Whatever is changed in a recording is found, and the verifier says where and what still holds."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.evidence.journal import Signer, parse_record, seal_record
from app.evidence.verify import Verdict, verify_recording


@pytest.fixture
def check(keys, public_key):
    def check(folder: Path, key: bytes | None = keys.content) -> Verdict:
        return verify_recording(folder, public_key, key)

    return check


def copy_of(closed: Path, to: Path) -> Path:
    return shutil.copytree(closed, to / "copy")


def lines_of(folder: Path) -> list[bytes]:
    return (folder / "journal.jsonl").read_bytes().splitlines()


def put_lines(folder: Path, lines: list[bytes]) -> None:
    (folder / "journal.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))


def number_of(folder: Path, kind: str, nth: int = 0) -> int:
    return [n for n, line in enumerate(lines_of(folder)) if json.loads(line)["kind"] == kind][nth]


def test_whole_recording_holds(closed: Path, check) -> None:
    verdict = check(closed)
    assert verdict.ok, verdict.fault
    assert (verdict.fragments, verdict.frames, verdict.closed, verdict.rehearsal) == (6, 90, True, True)
    assert verdict.valid_to_pts_us == 2_966_666
    assert verdict.notes == ("no_witness",)


def test_what_was_not_checked_is_said(closed: Path) -> None:
    verdict = verify_recording(closed)
    assert verdict.ok
    assert set(verdict.notes) == {"no_witness", "key_not_pinned", "content_not_checked"}


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_flipped_bit_is_found(closed: Path, keys, public_key: str, quick: str | None, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory(dir=quick) as at:
        folder = copy_of(closed, Path(at))
        path = folder / data.draw(st.sampled_from(sorted(p.name for p in folder.iterdir())))
        content = bytearray(path.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(content)
        verdict = verify_recording(folder, public_key, keys.content)
        assert not verdict.ok
        assert verdict.fragments < 6 or path.name == "journal.jsonl"
        assert not verify_recording(folder, public_key).ok  # the ciphertext hash is enough to find it


@pytest.mark.parametrize("fragment", [0, 1, 2, 3])
def test_first_bad_fragment_and_valid_range_are_named(closed: Path, tmp_path: Path, check, fragment: int) -> None:
    folder = copy_of(closed, tmp_path)
    path = sorted(folder.glob("part-0002-*"))[0]
    off = [
        json.loads(line)["off"] for line in lines_of(folder) if json.loads(line).get("part") == 2 and b'"off"' in line
    ]
    content = bytearray(path.read_bytes())
    content[off[fragment] + 5] ^= 1
    path.write_bytes(content)
    verdict = check(folder)
    assert verdict.fault is not None
    assert (verdict.fault.code, verdict.fault.part, verdict.fault.fragment) == ("evidence.bytes_changed", 2, fragment)
    assert verdict.fragments == 3 + max(0, fragment - 1)
    assert verdict.valid_to_pts_us == (verdict.fragments - 1) * 500_000 + 466_666


@pytest.mark.parametrize("drop", range(1, 12))
def test_dropped_record_is_found(closed: Path, tmp_path: Path, check, drop: int) -> None:
    folder = copy_of(closed, tmp_path)
    lines = lines_of(folder)
    put_lines(folder, lines[:drop] + lines[drop + 1 :])
    fault = check(folder).fault
    assert fault is not None
    assert (fault.code, fault.record) == ("evidence.chain_broken", drop)


def test_swapped_records_are_found(closed: Path, tmp_path: Path, check) -> None:
    folder = copy_of(closed, tmp_path)
    lines = lines_of(folder)
    lines[3], lines[4] = lines[4], lines[3]
    put_lines(folder, lines)
    assert check(folder).fault.record == 3


def test_swapped_and_spliced_fragments_are_found(closed: Path, tmp_path: Path, check, record) -> None:
    folder = copy_of(closed, tmp_path)
    one, two = sorted(folder.glob("part-*"))
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    assert check(folder).fault.code == "evidence.bytes_changed"
    other = tmp_path / "other"
    record(other).close("sealed")
    one.write_bytes(sorted(other.glob("part-*"))[0].read_bytes())  # the same pictures, from another recording
    assert check(folder).fault.code in ("evidence.bytes_changed", "evidence.bytes_missing")


def test_a_thief_of_the_recording_key_cannot_put_other_pictures_in(closed: Path, tmp_path: Path, check, keys) -> None:
    folder = copy_of(closed, tmp_path)
    lines = lines_of(folder)
    n = number_of(folder, "event")
    forged, head, out = Signer(bytes(32)), json.loads(lines[n])["prev"], lines[:n]
    for m, line in enumerate(lines[n:], n):
        fields = {k: v for k, v in json.loads(line).items() if k not in ("chain", "sig")}
        if fields["kind"] == "event":
            fields["body"] = {"card": "another"}
        out.append(seal_record({**fields, "prev": head}, forged)[:-1])
        head = parse_record(out[-1], m, head).chain
    put_lines(folder, out)
    fault = check(folder).fault
    assert (fault.code, fault.record) == ("evidence.signature_wrong", n)


def test_other_station_key_and_missing_files(closed: Path, tmp_path: Path, keys, check) -> None:
    stranger = Signer(bytes(32)).public_key
    assert verify_recording(closed, stranger).fault.code == "evidence.other_key"
    folder = copy_of(closed, tmp_path)
    sorted(folder.glob("part-*"))[1].unlink()
    assert check(folder).fault.code == "evidence.bytes_missing"
    (folder / "journal.jsonl").write_bytes(b"")
    assert check(folder).fault.code == "evidence.no_recording"
    assert check(tmp_path / "nowhere").fault.code == "evidence.no_recording"


def test_added_bytes_records_and_files(closed: Path, tmp_path: Path, check) -> None:
    folder = copy_of(closed, tmp_path)
    (folder / "holiday.jpg").write_bytes(b"x")
    assert "file_unknown" in check(folder).notes
    with (folder / "journal.jsonl").open("ab") as journal:
        journal.write(lines_of(folder)[-1] + b"\n")
    assert check(folder).fault.code == "evidence.chain_broken"
    put_lines(folder, lines_of(folder)[:-1])
    with sorted(folder.glob("part-*"))[0].open("ab") as part:
        part.write(b"more")
    assert check(folder).fault.code == "evidence.extra_bytes"


def test_wrong_recording_key_is_told_from_damage(closed: Path, check) -> None:
    fault = check(closed, bytes(32)).fault
    assert (fault.code, fault.part, fault.fragment) == ("evidence.not_decryptable", 1, 0)


def test_cut_tail_of_an_unclosed_recording_is_only_a_note(tmp_path: Path, record, check) -> None:
    record(tmp_path / "r1").abandon()
    put_lines(tmp_path / "r1", lines_of(tmp_path / "r1")[:-2])
    verdict = check(tmp_path / "r1")
    assert verdict.ok
    assert not verdict.closed
    assert {"no_witness", "not_closed", "unfinished_tail"} <= set(verdict.notes)
