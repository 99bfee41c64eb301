"""Copies of a Classic that leave a block open for one of its keys: each block is tried, with either key."""

from __future__ import annotations

from typing import Any

import pytest

from hardware.nfc.chips.access import blocks_of, data_blocks, trailer_of
from hardware.nfc.chips.outcome import Method, Verdict, Why
from hardware.sim.nfc_board import Faults
from hardware.sim.nfc_chip import RefusedError, Tearing
from hardware.sim.nfc_classic import READ, WRITE
from tests.hardware.nfc.making import Table, is_dead, used_chip

CLASSIC = "MIFARE Classic 1K"


def copy_with(block: int, code: int, kind: str, after: list[bytes]) -> Any:
    """A copy that obeys READ or WRITE of a closed block when its sector was opened with key `kind`."""
    chip = used_chip(CLASSIC)
    answer = chip.answer

    def leaky(command: bytes) -> bytes | None:
        opened = chip._open
        try:
            return answer(command)  # type: ignore[no-any-return]
        except RefusedError:
            trailer = chip.block(trailer_of(block // 4))
            if command[:2] != bytes((code, block)) or trailer[6:9] != bytes.fromhex("00F0FF"):
                raise
            if opened is None or opened[1] != kind:
                raise
            after.append(command)
            return chip.block(block) if code == READ else b""

    chip.answer = leaky
    return chip


@pytest.mark.parametrize("kind", "AB")
@pytest.mark.parametrize(("code", "told"), [(READ, "read"), (WRITE, "write")])
@pytest.mark.parametrize("block", [1, 2, 5, 22, 62, 63])
def test_a_block_that_stays_open_for_either_key_is_found(block: int, code: int, told: str, kind: str) -> None:
    if block == 63 and code == READ:
        return  # a trailer shows its access bits to everybody who opens it
    table, obeyed = Table(), list[bytes]()
    table.line.put(copy_with(block, code, kind, obeyed))
    outcome = table.run()
    assert obeyed
    assert (outcome.verdict, outcome.why, outcome.method) == (
        Verdict.PROOF_FAILED,
        Why.WRITES_ACCEPTED,
        Method.PHYSICAL,
    )
    (wrong,) = outcome.evidence["wrong"]
    assert wrong.startswith(f"{told} block {block}")


@pytest.mark.parametrize("kind", "AB")
def test_one_damaged_acknowledgement_does_not_hide_an_open_block(kind: str) -> None:
    table, obeyed = Table(), list[bytes]()
    chip = copy_with(5, WRITE, kind, obeyed)
    table.line.put(chip)
    answer = chip.answer

    def garbled(command: bytes) -> bytes | None:
        before = len(obeyed)
        answered = answer(command)
        if len(obeyed) == 1 and before == 0:
            table.line.break_down(Faults(garble_acks=1))
        return answered  # type: ignore[no-any-return]

    chip.answer = garbled
    assert table.run().why is Why.WRITES_ACCEPTED
    assert len(obeyed) == 2


def test_each_block_but_the_makers_is_in_the_record() -> None:
    for family, sectors in ((CLASSIC, 16), ("MIFARE Classic 4K", 40)):
        table = Table()
        table.line.put(used_chip(family))
        tests = [test["what"] for test in table.run().evidence["negative_tests"]]
        for sector in range(sectors):
            for block in blocks_of(sector):
                if block in data_blocks(sector):
                    assert tests.count(f"read block {block}") == 1
                if block:
                    assert [tests.count(f"write block {block} key {kind}") for kind in "AB"] == [1, 1]


@pytest.mark.parametrize("kept", [11, 13, 15])
def test_a_sector_whose_key_b_tore_is_proved_with_key_a_and_is_no_witness(kept: int) -> None:
    table, chip = Table(), used_chip(CLASSIC)
    table.line.put(chip)
    chip.tear(3 + 15, Tearing.HALF, kept)
    assert table.run().verdict is Verdict.NOT_COMPLETED
    table.line.take(chip)
    chip.put_back()
    table.line.put(chip)
    outcome = table.run()
    assert outcome.verdict is Verdict.DEACTIVATED
    assert is_dead(chip)
    assert outcome.witness is not None
    assert outcome.witness[0] == 1
    table.journal.done_with(outcome)
    assert table.run().why is Why.PROVED_BEFORE
