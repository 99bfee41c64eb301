"""The card pulled away at every single write, in four ways: untouched, finished by the next run, or to be destroyed.

And any sequence of troubles on line, table and chip: "switched off" is never said of a chip that is not.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.nfc.chips.outcome import Method, Outcome, Verdict, Why
from hardware.sim.nfc_board import Faults
from hardware.sim.nfc_chip import Tearing
from hardware.sim.nfc_chips import make_chip
from hardware.sim.nfc_type2 import Quirks
from tests.hardware.nfc.making import CLASSIC_UID, CODE, OTHER_UID, Table, is_dead, used_chip

FAMILIES = ["NTAG213", "MIFARE Ultralight", "MIFARE Ultralight EV1 (MF0UL11)", "MIFARE Classic 1K"]


def torn_once(family: str, at_write: int, way: Tearing, kept: int = 2) -> tuple[Any, Outcome, Table]:
    """A run whose write number `at_write` tears, on a fresh table."""
    table, chip = Table(), used_chip(family)
    table.line.put(chip)
    chip.tear(at_write, way, kept)
    return chip, table.run(), table


def writes_of(family: str) -> int:
    table, chip = Table(), used_chip(family)
    table.line.put(chip)
    table.run()
    return int(chip.writes)


def put_back(table: Table, chip: Any) -> None:
    table.line.take(chip)
    chip.put_back()
    table.line.put(chip)


@pytest.mark.parametrize("way", Tearing)
@pytest.mark.parametrize("family", FAMILIES)
def test_torn_at_any_write_the_next_run_finishes_or_says_destroy(family: str, way: Tearing) -> None:
    for at_write in range(writes_of(family)):
        chip, first, table = torn_once(family, at_write, way)
        assert first.verdict is Verdict.NOT_COMPLETED, at_write
        assert first.why is Why.CHIP_GONE
        put_back(table, chip)
        second = table.run(uid=chip.target.uid)
        if family == "MIFARE Classic 1K" and way is Tearing.ERASED and at_write == 3:
            # The first trailer of all: no key of ours is in the card yet that would tell it from its twin.
            assert (second.verdict, second.why) == (Verdict.PROOF_FAILED, Why.KEYS_LOST)
            continue
        assert second.verdict is Verdict.DEACTIVATED, (at_write, second.why, second.evidence["remarks"])
        assert is_dead(chip), at_write


@pytest.mark.parametrize("way", Tearing)
@pytest.mark.parametrize("family", ["MIFARE Ultralight EV1 (MF0UL21)", "NTAG215", "NTAG216", "MIFARE Classic 4K"])
def test_larger_chips_torn_at_each_kind_of_write(family: str, way: Tearing) -> None:
    """The first writes, each lock or trailer, and between them one of sixteen: the others are the same page again."""
    writes = writes_of(family)
    for at_write in range(writes):
        if 4 <= at_write < writes - 6 and at_write % 16:
            continue
        chip, first, table = torn_once(family, at_write, way)
        assert first.verdict is Verdict.NOT_COMPLETED, at_write
        put_back(table, chip)
        second = table.run(uid=chip.target.uid)
        if family == "MIFARE Classic 4K" and way is Tearing.ERASED and at_write == 3:
            assert (second.verdict, second.why) == (Verdict.PROOF_FAILED, Why.KEYS_LOST)  # as above
            continue
        assert second.verdict is Verdict.DEACTIVATED, (at_write, second.why, second.evidence["remarks"])
        assert is_dead(chip), at_write


@pytest.mark.parametrize("kept", range(16))
def test_a_trailer_torn_at_any_byte_ends_dead_or_destroyed(kept: int) -> None:
    chip, first, table = torn_once("MIFARE Classic 1K", 3 + 5, Tearing.HALF, kept)
    assert first.verdict is Verdict.NOT_COMPLETED
    put_back(table, chip)
    second = table.run()
    assert second.verdict in (Verdict.DEACTIVATED, Verdict.PROOF_FAILED)
    assert second.verdict is Verdict.PROOF_FAILED or is_dead(chip)
    if 6 < kept < 9:
        assert second.evidence["dead_sectors"] == [10]


@pytest.mark.parametrize("way", [Tearing.HALF, Tearing.ERASED, Tearing.CLEAN])
def test_a_twin_of_a_torn_classic_is_never_taken_for_it(way: Tearing) -> None:
    """Four bytes of UID are used more than once: strange keys where the journal says that trailers were begun."""
    for at_write in range(3, 19):
        chip, first, table = torn_once("MIFARE Classic 1K", at_write, way, kept=8)
        assert first.verdict is Verdict.NOT_COMPLETED
        table.line.take(chip)
        twin: Any = make_chip("MIFARE Classic 1K", CLASSIC_UID)
        for sector in range(18 - at_write, 16):
            twin.set_block(sector * 4 + 1, CODE[:16])
            twin.set_block(sector * 4 + 3, b"strang" + bytes.fromhex("FF078069") + b"unseen")
        table.line.put(twin)
        outcome = table.run(uid=twin.target.uid)
        assert (outcome.done, outcome.why, outcome.method) == (False, Why.KEYS_LOST, Method.PHYSICAL), at_write
        assert twin.writes == 0


def test_a_torn_configuration_is_opened_by_the_journal_and_without_it_never_guessed() -> None:
    """CFG0 torn so that AUTH0 falls to 0: everything is behind a password that only the journal knows."""
    for journal_kept in (True, False):
        table, chip = Table(), used_chip("NTAG213")
        chip.set_page(0x29, bytes.fromhex("440006FF"))  # the mirror is on, so CFG0 has to be written
        table.line.put(chip)
        chip.tear(2, Tearing.ERASED)
        assert table.run().verdict is Verdict.NOT_COMPLETED
        assert chip.page(0x29)[3] == 0
        put_back(table, chip)
        if not journal_kept:
            table.journal.on_disk.clear()
        outcome = table.run()
        if journal_kept:
            assert outcome.verdict is Verdict.DEACTIVATED
            assert is_dead(chip)
        else:
            assert (outcome.verdict, outcome.why) == (Verdict.REFUSED, Why.NEEDS_PASSWORD)


def test_a_torn_password_that_guards_means_destroy() -> None:
    """The one state nobody can open: AUTH0 low and a password that is not the journal's."""
    table, chip = Table(), used_chip("NTAG213")
    chip.set_page(0x29, bytes.fromhex("440006FF"))
    table.line.put(chip)
    chip.tear(2, Tearing.ERASED)
    table.run()
    put_back(table, chip)
    chip.set_page(0x2B, b"torn")
    outcome = table.run()
    assert (outcome.verdict, outcome.why) == (Verdict.PROOF_FAILED, Why.KEYS_LOST)


def test_torn_once_more_in_the_run_that_finishes() -> None:
    for first in range(0, 42, 5):
        for second in range(0, 8, 3):
            chip, _, table = torn_once("NTAG213", first, Tearing.HALF)
            put_back(table, chip)
            chip.tear(second, Tearing.ANSWER_LOST)
            outcome = table.run()
            if not outcome.done:
                put_back(table, chip)
                outcome = table.run()
            assert outcome.verdict is Verdict.DEACTIVATED
            assert is_dead(chip)


def test_without_the_journal_a_torn_chip_is_finished_or_left_alone_but_never_called_done_wrongly() -> None:
    for at_write in range(writes_of("NTAG213")):
        chip, _, table = torn_once("NTAG213", at_write, Tearing.HALF)
        put_back(table, chip)
        table.journal.on_disk.clear()
        outcome = table.run(text="VOID another day")
        assert outcome.done, at_write
        assert is_dead(chip)


TROUBLE = st.one_of(
    st.builds(lambda n: ("lose_commands", n), st.integers(1, 4)),
    st.builds(lambda n: ("lose_acks", n), st.integers(1, 4)),
    st.builds(lambda n: ("lose_answers", n), st.integers(1, 4)),
    st.builds(lambda n: ("damage_answers", n), st.integers(1, 4)),
    st.builds(lambda n: ("garble_acks", n), st.just(1)),
    st.builds(lambda n: ("spoil_answers", n), st.integers(1, 4)),
    st.builds(lambda n: ("noise", n), st.just(1)),
    st.builds(lambda n: ("miss_every_second", n), st.just(1)),
    st.builds(lambda n: ("take", n), st.just(0)),
    st.builds(lambda n: ("second chip", n), st.just(0)),
    st.builds(lambda n: ("unplug", n), st.just(0)),
    st.builds(lambda n: ("cancel", n), st.just(0)),
    st.builds(lambda n: ("power", n), st.just(0)),
)
QUIRKS = st.one_of(
    st.just(Quirks()),
    st.builds(
        Quirks,
        forgets_writes=st.booleans(),
        locks_do_nothing=st.booleans(),
        config_at_once=st.booleans(),
        no_fast_read=st.booleans(),
        open_pages=st.frozensets(st.integers(3, 44), max_size=1),
        stuck_pages=st.frozensets(st.integers(2, 44), max_size=2),
    ),
)
TEARS = st.lists(st.tuples(st.integers(0, 45), st.sampled_from(Tearing), st.integers(0, 15)), max_size=3)


WHEN = st.integers(0, 999)
"""Thousandths of an undisturbed run: a Classic's is ten times as long as an Ultralight's."""


@cache
def commands_of(family: str) -> int:
    table = Table()
    table.line.put(used_chip(family))
    before = table.line.commands
    table.run()
    return table.line.commands - before


def plan_troubles(table: Table, chip: Any, troubles: dict[int, tuple[str, int]], base: int) -> None:
    """Have each trouble strike at its time in the run."""
    commands = commands_of(chip.family)
    at = {base + 1 + when * commands // 1000: trouble for when, trouble in troubles.items()}

    def strike(number: int, _code: int) -> None:
        what, how_often = at.get(number, ("", 0))
        match what:
            case "":
                return
            case "take":
                table.line.take(chip)
            case "second chip":
                with suppress(ValueError):  # it lies there already
                    table.line.put(make_chip("NTAG215", OTHER_UID))
            case "unplug":
                table.line.unplugged = True
            case "cancel":
                table.reader.cancel()
            case "power":
                table.line.field.power(False)
            case fault:
                table.line.break_down(Faults(**{fault: how_often}))

    table.line.before = strike


def recover(table: Table, chip: Any) -> None:
    """What a person does after a run that was not completed."""
    table.line.unplugged = False
    table.line.field.clear()
    chip.put_back()
    table.line.put(chip)


@settings(max_examples=settings.default.max_examples * 3 // 2)
@given(
    family=st.sampled_from(FAMILIES),
    quirks=QUIRKS,
    tears=TEARS,
    runs=st.lists(st.dictionaries(WHEN, TROUBLE, max_size=5), min_size=1, max_size=4),
    keep_journal=st.booleans(),
)
def test_done_is_never_said_of_a_chip_that_is_not(
    family: str, quirks: Quirks, tears: list[Any], runs: list[dict[int, tuple[str, int]]], keep_journal: bool
) -> None:
    table, chip = Table(), used_chip(family, quirks)
    table.line.put(chip)
    for number, troubles in enumerate(runs):
        if number < len(tears):
            chip.tear(*tears[number])
        plan_troubles(table, chip, troubles, table.line.commands)
        outcome = table.run()
        if outcome.done:
            assert is_dead(chip)
        if outcome.verdict is Verdict.REFUSED and number == 0:
            assert chip.writes == 0
        if not keep_journal:
            table.journal.on_disk.clear()
        recover(table, chip)


@given(
    family=st.sampled_from(FAMILIES),
    tears=TEARS,
    troubles=st.dictionaries(WHEN, TROUBLE, max_size=4),
)
def test_after_any_trouble_a_quiet_run_with_the_journal_ends_it(
    family: str, tears: list[Any], troubles: dict[int, tuple[str, int]]
) -> None:
    table, chip = Table(), used_chip(family)
    table.line.put(chip)
    plan_troubles(table, chip, troubles, table.line.commands)
    if tears:
        chip.tear(*tears[0])
    table.run()
    table.line.before = lambda _number, _code: None
    table.line.break_down(Faults())
    recover(table, chip)
    outcome = table.run(uid=chip.target.uid)
    assert outcome.verdict in (Verdict.DEACTIVATED, Verdict.PROOF_FAILED)
    if outcome.verdict is Verdict.PROOF_FAILED:
        assert family == "MIFARE Classic 1K" or outcome.why in (Why.WRITES_ACCEPTED, Why.CONTENT_CHANGED)
    else:
        assert is_dead(chip)
