"""A reader that hangs at any command of a run, by the line's clock: when it is named, and before what."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hardware.nfc.chips.deactivate import deactivate
from hardware.nfc.chips.journal import Entry
from hardware.nfc.chips.outcome import Request, Why
from hardware.sim.nfc_board import Faults
from tests.hardware.nfc.making import TEXT, Table, used_chip
from tests.hardware.nfc.test_fault_cases import FAMILY, commands_of_a_run

HUNG = {
    "silent": Faults(silent=True),
    "acknowledges only": Faults(lose_answers=1000),
    "acknowledges the second time only": Faults(lose_acks=1, lose_answers=1000),
    "hears at the third time and says nothing": Faults(lose_commands=2, lose_answers=1000),
}


@pytest.mark.parametrize("sent_twice", [False, True], ids=["", "after a question that was sent twice"])
@pytest.mark.parametrize("hung", HUNG)
def test_case_16_a_hung_reader_is_named_within_two_seconds(hung: str, sent_twice: bool) -> None:
    """From its last answer on, and before anything is kept; the machine itself has a tenth of a second left.

    After a question that had to be sent twice the line is left quiet for a second, which counts as well.
    """
    for number in range(1, commands_of_a_run() + 1 - sent_twice):
        table, chip = Table(), used_chip(FAMILY)
        table.line.put(chip)
        log, heard_s = list[tuple[str, float]](), [table.line.now_s]
        _log_answers(table, log, heard_s)
        struck_s = _hang_at(table, table.line.commands + number, HUNG[hung], sent_twice)
        means = replace(table._means(), reader_hangs=lambda: log.append(("named", table.line.now_s)))  # noqa: B023
        assert deactivate(table.reader, Request(None, TEXT), means).why is Why.READER_SILENT, number
        what, named_s = next(entry for entry in log if entry[1] > struck_s[0])
        assert what == "named", number
        assert named_s - heard_s[0] <= 1.9, number


def _log_answers(table: Table, log: list[tuple[str, float]], heard_s: list[float]) -> None:
    """In `heard_s` the time of the last answer, in `log` what was kept after it."""
    command, save = table.reader.command, table.journal.save

    def answered(code: int, data: bytes, timeout_s: float) -> bytes:
        answer = command(code, data, timeout_s)
        log.clear()
        heard_s[0] = table.line.now_s
        return answer

    def saved(entry: Entry) -> None:
        save(entry)
        log.append(("saved", table.line.now_s))

    table.reader.command, table.journal.save = answered, saved  # type: ignore[method-assign]


def _hang_at(table: Table, at: int, hung: Faults, sent_twice: bool) -> list[float]:
    """The reader hangs from that command on; `sent_twice`: from the next one, and that one is not heard at first.

    Gives the time at which it will have happened.
    """
    struck_s: list[float] = []

    def before(number: int, _code: int) -> None:
        if sent_twice and number == at:
            table.line.break_down(Faults(lose_commands=1))
        if number == at + 2 * sent_twice:
            struck_s.append(table.line.now_s)
            table.line.break_down(hung)

    table.line.before = before
    return struck_s
