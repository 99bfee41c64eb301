"""One or two answers of the chip that do not arrive, or not whole, at every command of a run in turn.

None of them is a refusal of the chip: the run ends well, or says "not completed" and the next one ends well. A chip
with more memory than its family has is never taken for one, whatever is lost.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from hardware.nfc.chips import Family, access
from hardware.nfc.chips.outcome import Method, Outcome, Verdict, Why
from hardware.sim.nfc_board import Faults
from hardware.sim.nfc_chip import RefusedError
from hardware.sim.nfc_chips import make_chip
from hardware.sim.nfc_type2 import Quirks
from tests.hardware.nfc.making import Table, is_dead, short_classic, used_chip

DISTURBANCES = [
    Faults(lose_answers=1),
    Faults(damage_answers=3),
    *(Faults(spoil_answers=often, spoil_status=status) for status in (0x01, 0x02) for often in (1, 2)),
]


def run_disturbed(chip: Any, number: int, faults: Faults) -> tuple[Table, Outcome, bool]:
    """A run whose command `number` is struck by `faults`, and whether it was."""
    table, struck = Table(), [False]
    table.line.put(chip)
    at = table.line.commands + number

    def before(now: int, _code: int) -> None:
        if now == at:
            struck[0] = True
            table.line.break_down(faults)

    table.line.before = before
    return table, table.run(), struck[0]


def at_every_command(
    make: Any, faults: Faults, first: int = 1, step: int = 1
) -> Iterator[tuple[int, Table, Any, Outcome]]:
    """A run for each of its commands (or every `step`th), until no command is left to be struck."""
    struck, number = True, first - step
    while struck:
        number += step
        chip = make()
        table, outcome, struck = run_disturbed(chip, number, faults)
        yield number, table, chip, outcome


@pytest.mark.parametrize("faults", DISTURBANCES, ids=str)
@pytest.mark.parametrize("pages", [17, 20, 41, 42, 48])
def test_a_mute_chip_with_more_memory_is_never_taken_for_an_ultralight(pages: int, faults: Faults) -> None:
    for number, _, chip, outcome in at_every_command(
        lambda: used_chip("MIFARE Ultralight", Quirks(pages=pages)), faults
    ):
        assert not outcome.done, number
        assert chip.writes == 0, number
        expected = (Why.OTHER_MEMORY, Why.READER_SILENT, Why.CHIP_GONE)
        assert outcome.why in expected, (number, outcome.why)


@pytest.mark.parametrize("pages", [17, 48])
@pytest.mark.parametrize("status", [0x01, 0x02])
def test_a_chip_that_falls_mute_where_its_memory_should_end_is_unknown_and_not_written(pages: int, status: int) -> None:
    chip, table = used_chip("MIFARE Ultralight", Quirks(pages=pages)), Table()
    table.line.put(chip)
    read = chip.answer

    def answer(command: bytes) -> bytes | None:
        if command[0] == 0x30 and command[1] >= 15:
            table.line.break_down(Faults(spoil_answers=1, spoil_status=status))
        return read(command)  # type: ignore[no-any-return]

    chip.answer = answer
    outcome = table.run()
    assert (outcome.verdict, outcome.why) == (Verdict.NOT_COMPLETED, Why.READER_SILENT)
    assert chip.writes == 0


@pytest.mark.parametrize("faults", DISTURBANCES, ids=str)
def test_a_true_ultralight_is_switched_off_whatever_was_disturbed(faults: Faults) -> None:
    for number, table, chip, outcome in at_every_command(lambda: used_chip("MIFARE Ultralight"), faults):
        if not outcome.done:
            assert outcome.verdict is Verdict.NOT_COMPLETED, (number, outcome.why)
            table.line.before = lambda _number, _code: None
            table.line.break_down(Faults())
            outcome = table.run()
        assert outcome.done, (number, outcome.why)
        assert is_dead(chip), number


CLASSIC_DISTURBANCES = [
    Faults(lose_answers=1),
    *(Faults(spoil_answers=often, spoil_status=status) for status in (0x01, 0x02) for often in (1, 2, 3)),
    Faults(spoil_answers=1, spoil_status=0x13),
    Faults(spoil_answers=1, spoil_status=0x14),
]


EVERY_ONE = os.environ.get("CARDINTAKE_HYPOTHESIS") == "wide"
"""The grid of a whole Classic 1K takes minutes; that of a short one, which lacks only more of the same, always runs."""


def condemns_no_good_one(make: Any, faults: Faults, first: int, step: int) -> int:
    """Runs on a good Classic, each disturbed once, end well or in the next run; how many commands a run has."""
    number = 0
    for number, table, chip, outcome in at_every_command(make, faults, first, step):
        if not outcome.done:
            assert outcome.verdict is Verdict.NOT_COMPLETED, (number, outcome.why)
            assert outcome.method is not Method.PHYSICAL
            table.line.before = lambda _number, _code: None
            table.line.break_down(Faults())
            outcome = table.run()
        assert outcome.done, (number, outcome.why)
        assert is_dead(chip), number
    return number


@pytest.mark.parametrize("faults", CLASSIC_DISTURBANCES, ids=str)
def test_nothing_disturbed_condemns_a_good_classic(faults: Faults) -> None:
    """Each fourth command of the run is struck in one of the ways; each in every way where time is given."""
    first, step = 4 * CLASSIC_DISTURBANCES.index(faults) + 1, 4 * len(CLASSIC_DISTURBANCES)
    if EVERY_ONE:
        first = step = 1
    condemns_no_good_one(lambda: used_chip("MIFARE Classic 1K"), faults, first, step)


@pytest.fixture
def three_sectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Classic of three sectors is a whole one."""
    monkeypatch.setitem(access.SECTORS, Family.CLASSIC_1K, 3)


@pytest.mark.usefixtures("three_sectors")
@pytest.mark.parametrize("faults", CLASSIC_DISTURBANCES, ids=str)
def test_nothing_disturbed_condemns_a_short_classic_at_any_command(faults: Faults) -> None:
    """Every way at each third command, the ways one after the other; at each where time is given."""
    first, step = (1, 1) if EVERY_ONE else (CLASSIC_DISTURBANCES.index(faults) % 3 + 1, 3)
    assert condemns_no_good_one(short_classic, faults, first, step) > 200


def _swap(table: Table, chip: Any) -> None:
    table.line.take(chip)
    table.line.put(make_chip("MIFARE Classic 1K", "DEADBEE0"))


def _unplug(table: Table, _chip: Any) -> None:
    table.line.unplugged = True


STRUCK: dict[str, tuple[Any, tuple[Why, ...]]] = {
    "card taken away": (lambda table, chip: table.line.take(chip), (Why.CHIP_GONE, Why.READER_SILENT)),
    "another card": (_swap, (Why.CHIP_GONE, Why.READER_SILENT, Why.OTHER_CHIP)),
    "unplugged": (_unplug, (Why.READER_LOST,)),
    "hung": (lambda table, _chip: table.line.break_down(Faults(silent=True)), (Why.READER_SILENT,)),
    "only acknowledges": (lambda table, _chip: table.line.break_down(Faults(lose_answers=999)), (Why.READER_SILENT,)),
    "cancelled": (lambda table, _chip: table.reader.cancel(), (Why.CANCELLED,)),
    "two commands lost": (lambda table, _chip: table.line.break_down(Faults(lose_commands=2)), ()),
    "acknowledgement lost": (lambda table, _chip: table.line.break_down(Faults(lose_acks=1)), ()),
    "two answers damaged": (lambda table, _chip: table.line.break_down(Faults(damage_answers=2)), ()),
    "noise": (lambda table, _chip: table.line.break_down(Faults(noise=True)), ()),
}
"""What strikes, and what a run may say that it was: never that the chip is to be destroyed, nor refused once begun."""


@pytest.mark.usefixtures("three_sectors")
@pytest.mark.parametrize("name", STRUCK)
def test_a_short_classic_is_finished_whatever_struck_at_any_command(name: str) -> None:
    strike, reasons = STRUCK[name]
    commands = _commands_of(short_classic())
    step = 1 if EVERY_ONE else 3
    for number in range(1 + list(STRUCK).index(name) % step, commands + 1, step):
        chip, table, struck_s = short_classic(), Table(), [0.0]
        table.line.put(chip)
        at = table.line.commands + number

        def before(now: int, _code: int, table: Table = table, chip: Any = chip, at: int = at) -> None:
            if now == at:
                struck_s[0] = table.line.now_s  # noqa: B023  asked before the next round
                strike(table, chip)

        table.line.before = before
        outcome = table.run(uid=chip.target.uid)
        others = [lying.chip for lying in table.line.field._now() if lying.chip is not chip]
        assert not any(other.writes for other in others), number
        if outcome.done:
            assert is_dead(chip), number
            continue
        untouched = outcome.why is Why.OTHER_CHIP and chip.writes == 0
        assert outcome.verdict is (Verdict.REFUSED if untouched else Verdict.NOT_COMPLETED), number
        assert outcome.why in reasons, number
        if name in ("hung", "only acknowledges"):
            assert table.line.now_s - struck_s[0] <= 2.0, number
        _as_it_was(table, chip)
        again = table.run(uid=chip.target.uid)
        assert again.done, (number, again.why)
        assert is_dead(chip), number


def _commands_of(chip: Any) -> int:
    table = Table()
    table.line.put(chip)
    before = table.line.commands
    assert table.run().done
    return table.line.commands - before


def _as_it_was(table: Table, chip: Any) -> None:
    table.line.before = lambda _number, _code: None
    table.line.break_down(Faults())
    table.line.unplugged = False
    table.line.field.clear()
    table.line.put(chip)


@pytest.mark.parametrize("faults", DISTURBANCES, ids=str)
def test_nothing_disturbed_condemns_a_chip_with_a_password(faults: Faults) -> None:
    """Our own password is asked back when it stands in the chip; one bad answer to that says nothing."""
    for number, table, chip, outcome in at_every_command(lambda: used_chip("MIFARE Ultralight EV1 (MF0UL11)"), faults):
        if not outcome.done:
            assert outcome.verdict is Verdict.NOT_COMPLETED, (number, outcome.why)
            table.line.before = lambda _number, _code: None
            table.line.break_down(Faults())
            outcome = table.run()
        assert outcome.done, (number, outcome.why)
        assert is_dead(chip), number


@pytest.mark.parametrize("family", ["NTAG213", "MIFARE Ultralight", "MIFARE Classic 1K"])
def test_a_begun_chip_that_is_mute_where_it_should_refuse_is_punched_after_three_runs(family: str) -> None:
    """It stays mute to each write that its locks forbid, so no run can prove it; it must not come back for ever."""
    table, chip = Table(), used_chip(family)
    table.line.put(chip)
    obey = chip.answer

    def answer(command: bytes) -> bytes | None:
        try:
            return obey(command)  # type: ignore[no-any-return]
        except RefusedError:
            if command[0] in (0xA2, 0xA0):
                return None
            raise

    chip.answer = answer
    verdicts = [table.run() for _ in range(3)]
    assert [(o.verdict, o.why) for o in verdicts[:2]] == [(Verdict.NOT_COMPLETED, Why.READER_SILENT)] * 2
    last = verdicts[2]
    assert (last.verdict, last.why, last.method) == (Verdict.PROOF_FAILED, Why.STAYS_SILENT, Method.PHYSICAL)
