"""The journal of runs on chips: what is taken for one, what is put aside, and for whom it was sealed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.station.chip_files import FileJournal
from hardware.deactivation import DamagedError, Entry, Stage, Witness, entry_from_json, entry_to_json
from tests.hardware.nfc.making import CLASSIC_UID, UID, Table, used_chip

KEY = bytes(range(32))
ENTRY = Entry(UID, "NTAG213", "VOID", (("pwd", b"1234"), ("pack", b"56")), runs=({"verdict": "cut-off", "why": ""},))
KEYS = tuple((f"{number}{kind}", bytes((number, *b"keys", ord(kind)))) for number in range(16) for kind in "AB")
CLASSIC = Entry(
    CLASSIC_UID, "MIFARE Classic 1K", "VOID", KEYS, Stage.KEYS, sectors=(15,), old_keys=(("15A", b"issuer"),)
)


@pytest.mark.parametrize("entry", [ENTRY, CLASSIC], ids=lambda entry: entry.family)
@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "sealed"])
def test_an_entry_comes_back_whole(tmp_path: Path, entry: Entry, key: bytes | None) -> None:
    journal = FileJournal(tmp_path / "j", key).of("card-1", "decision") if key else FileJournal(tmp_path / "j")
    journal.save(entry)
    assert journal.load(entry.uid) == entry
    (file,) = (tmp_path / "j").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert key is None or not any(secret in file.read_bytes() for _, secret in (*entry.secrets, *entry.old_keys))
    assert journal.unfinished() == (entry.uid,)
    journal.erase(entry.uid)
    assert (journal.load(entry.uid), journal.begun(entry.uid), list((tmp_path / "j").iterdir())) == (None, False, [])


def test_a_plain_file_beside_sealed_ones_is_nothing(tmp_path: Path) -> None:
    """Whoever can lay a file there cannot have a sector counted as dead."""
    FileJournal(tmp_path / "j").save(CLASSIC)
    sealed = FileJournal(tmp_path / "j", KEY).of("card-1", "decision")
    assert sealed.load(CLASSIC_UID) is None
    assert not sealed.begun(CLASSIC_UID)
    assert FileJournal(tmp_path / "j", KEY).load(CLASSIC_UID) is None


def test_what_was_sealed_for_another_card_or_under_another_key_is_not_taken(tmp_path: Path) -> None:
    first = FileJournal(tmp_path / "j", KEY).of("card-1", "decision")
    first.save(CLASSIC)
    (old,) = (tmp_path / "j").iterdir()
    content = old.read_bytes()
    other = FileJournal(tmp_path / "j", KEY).of("card-2", "decision")
    assert other.load(CLASSIC_UID) is None
    other.save(CLASSIC)
    (place,) = set((tmp_path / "j").iterdir()) - {old}
    for replayed in (content, content.replace(b"card-1", b"card-2")):
        place.write_bytes(replayed)
        with pytest.raises(DamagedError):
            other.load(CLASSIC_UID)
    assert first.load(CLASSIC_UID) == CLASSIC
    assert FileJournal(tmp_path / "j", KEY).of("card-1", "renewed").load(CLASSIC_UID) == CLASSIC
    with pytest.raises(DamagedError):
        FileJournal(tmp_path / "j", bytes(32)).of("card-1", "decision").load(CLASSIC_UID)


def told(**changes: Any) -> bytes:
    return json.dumps(entry_to_json(ENTRY) | changes).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"uid"',
        b"\xff\xfe",
        b"[]",
        b"7",
        b"[" * 100_000,
        told()[:-20],
        told(secrets={}),
        told(secrets=[]),
        told(secrets={"pwd": "31323334"}),
        told(secrets={"pwd": "3132", "pack": "3536"}),
        told(uid=CLASSIC_UID),
        told(family="NTAG999"),
        told(stage="nowhere"),
        told(sectors=[3]),
        told(runs=[{}]),
        told(runs=[{"verdict": "x", "why": "y", "wrote": "nothing"}]),
        told(old_keys=[["3A", "31"]]),
    ],
)
def test_a_damaged_journal_is_put_aside_and_stays_lost_until_the_chip_is_done_with(
    tmp_path: Path, content: bytes
) -> None:
    journal = FileJournal(tmp_path / "j")
    journal.save(ENTRY)
    (file,) = (tmp_path / "j").iterdir()
    file.write_bytes(content)
    for _ in range(2):
        with pytest.raises(DamagedError):
            journal.load(UID)
    (aside,) = (tmp_path / "j").iterdir()
    assert (aside.suffix, aside.read_bytes()) == (".damaged", content)
    assert journal.begun(UID)
    assert journal.unfinished() == (UID,)
    assert journal.runs(UID) is None
    file.write_bytes(told())
    assert journal.load(UID) == ENTRY
    journal.erase(UID)
    assert list((tmp_path / "j").iterdir()) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 2000), flipped=st.integers(1, 255))
def test_a_sealed_journal_with_one_other_byte_is_damaged(tmp_path: Path, cut: int, flipped: int) -> None:
    journal = FileJournal(tmp_path / "j", KEY).of("card-1", "decision")
    journal.save(ENTRY)
    (file,) = (tmp_path / "j").glob("*.sealed")
    content = bytearray(file.read_bytes())
    content[cut % len(content)] ^= flipped
    file.write_bytes(content)
    with pytest.raises(DamagedError):
        journal.load(UID)


@pytest.mark.parametrize("content", [b"", b"x", b"\xff", b"-4", b"1e3", b"9" * 5000])
def test_a_damaged_counter_counts_as_none(tmp_path: Path, content: bytes) -> None:
    journal = FileJournal(tmp_path / "j")
    journal.count_silent(UID, 2)
    assert journal.silent(UID) == 2
    (tmp_path / "j" / f"{UID}.silent").write_bytes(content)
    assert journal.silent(UID) == 0
    journal.save(ENTRY)
    assert journal.unfinished() == (UID,)
    journal.erase(UID)
    assert list((tmp_path / "j").iterdir()) == []


def test_a_damaged_witness_is_none_and_a_card_has_its_own(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "j", KEY)
    for record in ("aa" * 32, "bb" * 32):
        journal.erase(CLASSIC_UID, Witness(3, b"witnes", record))
    assert [one.record[:2] for one in journal.witnesses(CLASSIC_UID)] == ["aa", "bb"]
    assert [one.record[:2] for one in journal.of("card-1", "", "bb" * 32).witnesses(CLASSIC_UID)] == ["bb"]
    assert journal.of("card-1").witnesses(CLASSIC_UID) == ()
    next((tmp_path / "proved").glob("*-aaaa*")).write_bytes(b"garbage")
    assert [one.record[:2] for one in journal.witnesses(CLASSIC_UID)] == ["bb"]


def test_a_chip_whose_journal_is_damaged_is_destroyed_and_not_written() -> None:
    table, chip = Table(), used_chip("NTAG213")
    table.line.put(chip)

    def load(uid: str) -> Entry | None:
        raise DamagedError(uid)

    table.journal.load, table.journal.on_disk[UID] = load, ""  # type: ignore[method-assign]
    for outcome in (table.run(), table.plan()):
        assert (outcome.verdict, outcome.why, outcome.method) == ("proof-failed", "journal-damaged", "physical")
    assert chip.writes == 0
    table.line.take(chip)
    ends = [table.run(uid=chip.target.uid) for _ in range(3)]
    assert [(end.verdict, end.why) for end in ends[1:]] == [
        ("not-completed", "chip-gone"),
        ("proof-failed", "stays-silent"),
    ]


def test_an_entry_is_taken_only_as_it_was_written() -> None:
    assert entry_from_json(entry_to_json(CLASSIC)) == CLASSIC
    short = entry_to_json(replace(CLASSIC, secrets=KEYS[:-1]))
    with pytest.raises(ValueError, match="family"):
        entry_from_json(short)
