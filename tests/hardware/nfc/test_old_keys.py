"""The keys that a Classic's sectors came with: kept before the first write, asked before a sector is called dead."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hardware.nfc.chips.journal import Entry
from hardware.nfc.chips.outcome import Verdict, Why
from hardware.sim.nfc_chip import Tearing
from hardware.sim.nfc_classic import ClassicChip
from tests.hardware.nfc.making import CODE, MemoryJournal, Table, is_dead, used_chip

ISSUER = b"issuer"
SECTOR = 5
TRAILER = 4 * SECTOR + 3
WRITES_BEFORE = 4 + 10  # the code in four blocks, the trailers of sectors 15 to 6


class KilledError(BaseException):
    """The process is gone."""


class DeadlyJournal(MemoryJournal):
    """The process dies when the trailer of `SECTOR` was announced and nothing of it was sent."""

    def save(self, entry: Entry) -> None:
        super().save(entry)
        if SECTOR in entry.sectors:
            raise KilledError


def issued() -> ClassicChip:
    """A Classic with one sector under its issuer's key, value in it."""
    chip: ClassicChip = used_chip("MIFARE Classic 1K")
    chip.set_block(TRAILER - 3, CODE[:16])
    chip.set_block(TRAILER, ISSUER + bytes.fromhex("FF078069") + ISSUER)
    return chip


def killed_before_the_trailer(chip: ClassicChip) -> Table:
    """A table with what the disk holds after it."""
    table = Table()
    table.journal = DeadlyJournal()
    table.line.put(chip)
    with pytest.raises(KilledError):
        table.run(keys=(ISSUER,))
    assert chip.block(TRAILER)[:6] == ISSUER
    left = MemoryJournal()
    left.on_disk = table.journal.on_disk
    table.journal = left
    return table


def test_a_sector_that_was_announced_and_not_written_is_closed_by_the_next_run_with_the_key_that_was_kept() -> None:
    chip = issued()
    outcome = killed_before_the_trailer(chip).run()
    assert outcome.verdict is Verdict.DEACTIVATED
    assert outcome.evidence["dead_sectors"] == []
    assert is_dead(chip)
    assert ISSUER.hex() not in str(outcome.evidence).lower()


def test_without_the_key_that_was_kept_a_living_sector_is_never_called_dead() -> None:
    chip = issued()
    table = killed_before_the_trailer(chip)
    (uid,) = table.journal.on_disk
    entry = table.journal.load(uid)
    assert entry is not None
    table.journal.save(replace(entry, old_keys=()))
    outcome = table.run()
    assert (outcome.verdict, outcome.why) == (Verdict.NOT_COMPLETED, Why.UNKNOWN_KEY)
    assert outcome.details == (("sector", str(SECTOR)),)
    assert table.run(keys=(ISSUER,)).verdict is Verdict.DEACTIVATED
    assert is_dead(chip)


@pytest.mark.parametrize("kept", range(16))
def test_a_trailer_torn_at_any_byte_over_the_issuers_is_finished_without_it(kept: int) -> None:
    chip, table = issued(), Table()
    table.line.put(chip)
    chip.tear(WRITES_BEFORE, Tearing.HALF, kept)
    assert table.run(keys=(ISSUER,)).why is Why.CHIP_GONE
    table.line.take(chip)
    chip.put_back()
    table.line.put(chip)
    outcome = table.run()
    if kept in (9, 10):  # all of the trailer but key B: the issuer's opens still, if only to be refused everything
        assert (outcome.verdict, outcome.why) == (Verdict.PROOF_FAILED, Why.WRITES_ACCEPTED)
        return
    assert outcome.verdict is Verdict.DEACTIVATED
    assert is_dead(chip)
    assert outcome.evidence["dead_sectors"] == ([SECTOR] if 6 < kept < 9 else [])


def test_a_dead_sector_is_told_with_every_key_that_does_not_open_it() -> None:
    chip, table = issued(), Table()
    table.line.put(chip)
    chip.tear(WRITES_BEFORE, Tearing.HALF, 8)
    table.run(keys=(ISSUER,))
    table.line.take(chip)
    chip.put_back()
    table.line.put(chip)
    record = table.run().evidence
    tests = [test["what"] for test in record["negative_tests"] if test["what"].endswith(f"sector {SECTOR}")]
    assert sorted(tests) == sorted(
        [f"our key {kind} sector {SECTOR}" for kind in "AB"] + [f"old key {kind} sector {SECTOR}" for kind in "AB"] * 4
    )
    assert any(f"sector {SECTOR} torn and dead" in remark for remark in record["remarks"])


@pytest.mark.parametrize("access", ["FF078069", "7F078840"], ids=["by key A", "by key B"])
def test_the_old_keys_are_on_disk_before_the_first_write(access: str) -> None:
    chip, table = issued(), Table()
    chip.set_block(TRAILER, bytes.fromhex("D3F7D3F7D3F7" + access) + ISSUER)
    table.line.put(chip)
    kept: list[tuple[int, dict[str, bytes]]] = []
    save: Any = table.journal.save
    table.journal.save = lambda entry: (kept.append((chip.writes, dict(entry.old_keys))), save(entry))[1]  # type: ignore[method-assign]
    table.run(keys=(ISSUER,))
    writes, keys = kept[0]
    assert writes == 0
    assert keys.pop(f"{SECTOR}A") == bytes.fromhex("D3F7D3F7D3F7")
    assert keys.pop(f"{SECTOR}B", None) == (ISSUER if access == "7F078840" else None)
    assert keys == {f"{number}A": b"\xff" * 6 for number in range(16) if number != SECTOR}
