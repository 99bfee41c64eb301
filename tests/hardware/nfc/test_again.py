"""Runs that come again: a finished Classic whose keys are gone, a reader that was unplugged meanwhile."""

from __future__ import annotations

from contextlib import closing

import pytest

from hardware.errors import DeviceError, DeviceReason
from hardware.nfc.chips.deactivate import Means
from hardware.nfc.chips.evidence import canonical, verifies
from hardware.nfc.chips.outcome import Method, Outcome, Request, Verdict, Why
from hardware.nfc.chips.waiting import deactivate_when_there
from hardware.nfc.lasting import LastingReader
from hardware.nfc.pn532 import open_pn532
from hardware.ports import DeviceInfo, NfcReader
from hardware.sim.nfc import SimulatedBoard
from hardware.sim.nfc_chip import Tearing
from hardware.sim.nfc_chips import make_chip
from tests.hardware.nfc.making import CLASSIC_UID, CODE, OTHER_UID, TEXT, UID, MemoryJournal, Table, is_dead, used_chip

CLASSIC = "MIFARE Classic 1K"


def finished(table: Table) -> Outcome:
    chip = used_chip(CLASSIC)
    table.line.put(chip)
    outcome = table.run()
    assert outcome.verdict is Verdict.DEACTIVATED
    table.journal.done_with(outcome)
    return outcome


def test_a_finished_classic_is_known_by_its_record_and_nothing_of_everybodys_opens_it() -> None:
    table = Table()
    first = finished(table)
    again = table.run()
    assert (again.verdict, again.why) == (Verdict.ALREADY, Why.PROVED_BEFORE)
    assert first.evidence["sha256"] in " ".join(again.evidence["remarks"])
    assert all(test["refused"] for test in again.evidence["negative_tests"])
    assert len(again.evidence["negative_tests"]) == 16 * 3 * 2 + 2 * 2 + 1  # sector 0: two blocks and its trailer
    assert again.not_proved == ("other-sectors",)
    assert (table.plan().verdict, table.plan().done) == (Verdict.LOOKS_OFF, False)


def test_without_its_record_a_closed_classic_is_refused() -> None:
    table = Table()
    finished(table)
    table.journal.closed.clear()
    assert (table.run().verdict, table.run().why) == (Verdict.REFUSED, Why.UNKNOWN_KEY)


@pytest.mark.parametrize("open_sector", [0, 9, 15, None])
def test_another_classic_with_the_same_uid_is_not_taken_for_the_finished_one(open_sector: int | None) -> None:
    """Four bytes of UID are used more than once: strange keys, and perhaps one sector that is open to everybody."""
    table = Table()
    finished(table)
    table.line.field.clear()
    twin = make_chip(CLASSIC, CLASSIC_UID)
    for sector in range(16):
        if sector != open_sector:
            twin.set_block(sector * 4 + 3, b"strange" + bytes.fromhex("078069") + b"stranger"[:6])  # type: ignore[attr-defined]
    twin.set_block((open_sector or 0) * 4 + 1, CODE[:16])  # type: ignore[attr-defined]
    table.line.put(twin)
    outcome = table.run()
    assert not outcome.done
    assert outcome.verdict is Verdict.REFUSED
    assert twin.writes == 0


class Plug:
    """A board that can be pulled out and plugged in again, each time as a new port."""

    def __init__(self) -> None:
        self.board: SimulatedBoard | None = None
        self.plug_in()

    def plug_in(self) -> None:
        self.board = SimulatedBoard()
        self.board.start()

    def pull(self) -> None:
        assert self.board is not None
        self.board.stop()
        self.board = None

    def open(self) -> NfcReader:
        if self.board is None:
            raise DeviceError(DeviceReason.MISSING, "plug")
        return open_pn532(self.board.address, DeviceInfo("plug", "board", simulated=True))


def test_a_reader_unplugged_while_the_card_is_awaited_is_named_and_goes_on_when_it_is_back() -> None:
    plug, chip, told, looks = Plug(), used_chip("MIFARE Ultralight EV1 (MF0UL11)"), list[Why](), [0]

    def pause(_s: float) -> None:
        looks[0] += 1
        if looks[0] == 2:
            plug.pull()
        if looks[0] == 5:
            plug.plug_in()
        if looks[0] == 7 and plug.board is not None:
            plug.board.put(chip)

    means = Means(MemoryJournal(), seal=lambda _content: "", pause=pause)
    with closing(LastingReader(plug.open)) as reader:
        outcome = deactivate_when_there(reader, Request(None, TEXT), means, 30.0, lambda o: told.append(o.why))
    assert told == [Why.NO_CHIP, Why.READER_LOST, Why.NO_CHIP]
    assert outcome.verdict is Verdict.DEACTIVATED
    assert is_dead(chip)
    plug.pull()


def test_a_reader_unplugged_in_the_middle_of_a_run_finishes_it_when_it_is_back() -> None:
    plug, chip, told = Plug(), used_chip("MIFARE Ultralight EV1 (MF0UL11)"), list[Why]()
    assert plug.board is not None
    plug.board.put(chip)

    def unplug(stage: object, _number: int, _of: int) -> None:
        if stage == "static-locks" and not told and plug.board is not None:
            plug.pull()

    def tell(outcome: Outcome) -> None:
        told.append(outcome.why)
        if plug.board is None:
            plug.plug_in()
            assert plug.board is not None
            plug.board.put(chip)

    means = Means(MemoryJournal(), unplug, seal=lambda _content: "")
    with closing(LastingReader(plug.open)) as reader:
        outcome = deactivate_when_there(reader, Request(None, TEXT), means, 30.0, tell)
    assert told == [Why.READER_LOST]
    assert outcome.verdict is Verdict.DEACTIVATED
    assert is_dead(chip)
    plug.pull()


def test_a_reader_that_stays_away_is_named_at_the_end_of_the_wait() -> None:
    table = Table()
    table.line.unplugged = True
    means = Means(MemoryJournal(), clock=table.line.clock, pause=table.line.pause)
    outcome = deactivate_when_there(table.reader, Request(None, TEXT), means, 3.0, lambda _outcome: None)
    assert (outcome.verdict, outcome.why) == (Verdict.NOT_COMPLETED, Why.READER_LOST)


@pytest.mark.parametrize("goes_on", [True, False])
def test_two_chips_while_a_torn_card_is_awaited_do_not_make_it_untouched(goes_on: bool) -> None:
    """The card comes back with another one beside it, which is then taken away, or is not."""
    table, chip = Table(), used_chip("MIFARE Ultralight EV1 (MF0UL11)")
    other, told, looks = make_chip("NTAG213", OTHER_UID), list[Why](), [0]
    table.line.put(chip)
    chip.tear(10, Tearing.CLEAN)

    def pause(duration_s: float) -> None:
        table.line.pause(duration_s)
        if chip.writes > 10:
            looks[0] += duration_s == 0.05
        if looks[0] == 2:
            table.line.take(chip)
            chip.put_back()
            table.line.put(chip)
            table.line.put(other)
            looks[0] += 1
        if goes_on and looks[0] == 6:
            table.line.take(other)

    means = Means(table.journal, seal=lambda _content: "", clock=table.line.clock, pause=pause)
    outcome = deactivate_when_there(table.reader, Request(None, TEXT), means, 20.0, lambda o: told.append(o.why))
    assert told[:2] == [Why.CHIP_GONE, Why.TWO_CHIPS]
    assert other.writes == 0
    if goes_on:
        assert outcome.verdict is Verdict.DEACTIVATED
        assert is_dead(chip)
        return
    assert outcome.verdict is Verdict.NOT_COMPLETED
    again = table.run()
    assert (again.verdict, again.why, again.uid) == (Verdict.NOT_COMPLETED, Why.TWO_CHIPS, UID)


def test_a_card_that_a_run_began_is_never_called_untouched() -> None:
    """Its journal is there, and what the run needed is not: the issuer's key, or a memory that can be read."""
    key = bytes.fromhex("112233445566")
    table, chip = Table(), used_chip(CLASSIC)
    for sector in range(16):
        chip.set_block(sector * 4 + 3, key + bytes.fromhex("FF078069") + key)
    table.line.put(chip)
    chip.tear(7, Tearing.CLEAN)
    assert table.run(keys=(key,)).why is Why.CHIP_GONE
    chip.put_back()
    without = table.run()
    assert (without.verdict, without.why, without.method) == (Verdict.NOT_COMPLETED, Why.UNKNOWN_KEY, Method.KEYS)
    assert table.run(keys=(key,)).verdict is Verdict.DEACTIVATED


def test_a_chip_that_is_torn_ever_so_often_keeps_a_record_that_can_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run with what the chip held and what was done for ever; the oldest ones' commands as a hash."""
    monkeypatch.setattr("hardware.nfc.chips.evidence.MOST_RUNS_BYTES", 50_000)
    table, chip = Table(), used_chip("NTAG216")
    table.line.put(chip)
    for _ in range(30):
        chip.tear(0, Tearing.HALF, kept=0)
        assert table.run().why is Why.CHIP_GONE
        chip.put_back()
    outcome = table.run()
    runs = outcome.evidence["earlier_runs"]
    assert outcome.verdict is Verdict.DEACTIVATED
    assert verifies(outcome.evidence)
    assert len(runs) == 30
    assert all(run["before"]["bytes"] == 888 for run in runs)
    assert runs[0]["irreversible"] == [{"stage": "secrets", "write": "A2E5********"}]
    assert runs[-1]["commands"]
    assert not runs[0]["commands"]
    assert len(runs[0]["commands_sha256"]) == 64
    assert len(canonical({"runs": runs})) < 55_000


def test_a_wait_for_a_lost_reader_can_be_called_off() -> None:
    """Also when it was told to the reader that was just being lost; and it ends one question only."""
    board = SimulatedBoard()
    board.start()
    lasting = LastingReader(lambda: open_pn532(board.address, DeviceInfo(board.address, "board", simulated=True)))
    with closing(lasting):
        lasting.cancel()
        with pytest.raises(DeviceError, match="cancelled"):
            lasting.poll(0.1)
        assert lasting.poll(0.1) == []
        board.stop()
        with pytest.raises(DeviceError) as lost:
            lasting.poll(0.1)
        assert lost.value.reason is DeviceReason.LOST
        lasting.cancel()
        with pytest.raises(DeviceError, match="cancelled"):
            lasting.poll(0.1)
        with pytest.raises(DeviceError) as still:
            lasting.poll(0.1)
        assert still.value.reason is DeviceReason.LOST
