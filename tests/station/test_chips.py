"""The chip tray with real parts: session, store, gate, driver and simulated chips on a real pseudo-terminal."""

from __future__ import annotations

import base64
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.core.chips import ChipCard, ChipStand
from app.core.effects import Sound
from app.core.events import Device, DeviceBack, DeviceLost, Key, KeyPressed
from app.core.readiness import RecFacts, RecMode
from app.core.states import ChipTray, Idle
from app.paths import StationFolder
from app.server.chips import HELD, judge_record
from app.station.chip_files import FileJournal
from app.station.clock import system_clock
from app.station.tapping import HUNG_S, LOOK_OUT_S, Job, Tapping
from hardware.deactivation import Stage, hashed_bytes, verifies
from hardware.errors import DeviceError, DeviceReason
from hardware.ports import DeviceInfo, NfcReader
from hardware.sim.nfc import SimulatedBoard
from hardware.sim.nfc_board import Faults
from hardware.sim.nfc_chip import Tearing
from hardware.sim.nfc_chips import make_chip
from hardware.sim.nfc_type2 import Quirks
from tests.hardware.nfc.making import OTHER_UID, UID, irreversible, is_dead, used_chip, writes_heard
from tests.station.chip_table import FAMILY, HOLD, Table, chips, make_station


@pytest.fixture
def folder(tmp_path: Path) -> StationFolder:
    return make_station(tmp_path / "station")


@pytest.fixture
def table(folder: StationFolder) -> Iterator[Table]:
    made = Table(folder)
    yield made
    made.close()


def test_accepted_cards_are_tapped_in_any_order_after_one_hold(table: Table) -> None:
    first, second = chips()
    table.open_tray()
    assert table.station.around.chips == 2
    table.hold()
    for chip in (second, first):
        table.tap(chip)
        assert is_dead(chip)
    assert table.stands() == [ChipStand.OFF, ChipStand.OFF]
    assert not table.tray.armed
    armed, *facts = table.facts()
    assert (armed["kind"], armed["body"]["cards"], armed["actor"]) == ("chip.reader-armed", 2, "1001")
    assert [fact["body"]["card"] for fact in facts] == ["card-2", "card-1"]
    assert all(fact["body"]["simulated"] for fact in facts)
    for record in (json.loads(path.read_text()) for path in table.folder.chips.glob("*.json")):
        assert verifies(record)
        assert record["about"]["operator"] == "1001"
        assert record["about"]["filmed"] == "no"
    assert table.journal() == []
    assert Sound.ACCEPTED in table.sounds
    table.until(lambda: table.station.around.chips == 0)


def test_a_run_is_bound_to_the_time_in_the_video(table: Table) -> None:
    first, _ = chips()
    rec = RecFacts(RecMode.ON, "rec", 9_000_000)
    table.station.adjust(lambda around: replace(around, rec=rec))
    table.open_tray()
    table.hold()
    table.tap(first)
    (path,) = table.folder.chips.glob("card-1-*.json")
    record = json.loads(path.read_text())
    assert record["about"]["filmed"] == {"recording": "rec", "t_video_us": 9_000_000}
    assert record["about"]["intake"]["t_video_us"] == 7_000_000
    assert [name for name, _ in table.quiet.notes] == ["chip.begin", "chip.end"]
    assert table.quiet.notes[1][1]["evidence"] == record["sha256"]


def test_the_plan_is_shown_before_anything_is_written(table: Table) -> None:
    first, _ = chips()
    table.open_tray()
    assert table.board is not None
    table.board.put(first)
    table.until(lambda: bool(table.tray.plan))
    assert [step.irreversible for step in table.tray.plan].count(True) >= 2
    assert first.writes == 0
    table.post(HOLD)  # the card that lies there goes first
    table.until(lambda: table.stands()[0] is ChipStand.OFF)
    assert is_dead(first)


@pytest.mark.parametrize(("family", "uid"), [("bank card", "01020304"), ("NTAG213", "04FFFFFFFFFF80")])
def test_what_is_not_in_the_tray_is_not_written(table: Table, family: str, uid: str) -> None:
    stranger = make_chip(family, uid)
    table.open_tray()
    table.hold()
    assert table.board is not None
    table.board.put(stranger)
    table.until(lambda: table.tray.notice is not None)
    assert table.tray.notice is not None
    assert table.tray.notice.code == "chip.not-here"
    assert stranger.writes == 0
    assert table.ends == []


def test_without_the_centres_word_the_tray_is_empty_and_the_gate_is_closed(tmp_path: Path) -> None:
    table = Table(make_station(tmp_path / "undecided", decided=False))
    first, _ = chips()
    table.open_tray(0)
    assert table.tray.cards == ()
    card = ChipCard("card-1", 1, "", None, "", UID, FAMILY)
    table.work.switch_off(card, "1001")  # as a wrong session would
    assert table.board is not None
    table.board.put(first)
    table.until(lambda: bool(table.ends))
    assert table.ends[0].why == "gate.not-accepted"
    assert first.writes == 0
    table.close()


def test_a_rehearsal_writes_to_no_chip_on_a_real_reader(folder: StationFolder) -> None:
    table, (first, _) = Table(folder, simulated=False), chips()
    table.open_tray()
    table.hold()
    table.tap(first)
    assert table.ends[0].why == "gate.rehearsal"
    assert first.writes == 0
    table.close()


@pytest.mark.parametrize("at_write", [3, 9, 15])
def test_a_card_that_leaves_is_not_off_yet_and_its_journal_lies_sealed(table: Table, at_write: int) -> None:
    first, second = chips()
    first.tear(at_write, Tearing.HALF)
    table.open_tray()
    table.hold()
    assert table.board is not None
    table.board.put(first)
    table.until(lambda: table.tray.ended is not None)
    assert table.stands()[0] is ChipStand.UNFINISHED
    (journal,) = table.journal()
    key = table.writer.call(lambda store: store.chip_journal_key())
    entry = FileJournal(journal.parent, key).of("card-1").load(UID)
    assert entry is not None
    assert journal.suffix == ".sealed"
    assert not any(secret in journal.read_bytes() for _, secret in entry.secrets if len(secret) > 2)
    table.board.clear()
    table.board.put(second)
    table.until(lambda: table.tray.notice is not None)
    assert second.writes == 0
    table.board.clear()
    table.until(lambda: table.tray.on_reader == "")
    table.tap(first)
    assert table.stands()[0] is ChipStand.OFF
    assert is_dead(first)
    assert table.journal() == []


def test_a_reader_pulled_in_the_middle_is_named_and_the_run_finished_when_it_is_back(table: Table) -> None:
    first, _ = chips()
    table.open_tray()
    table.hold()
    board = table.board
    assert board is not None
    board.put(first)
    table.until(lambda: table.tray.stage == Stage.DATA.value or bool(table.ends))
    table.pull()
    table.until(lambda: bool(table.tray.reader) and not table.tray.running)
    assert table.tray.reader in ("nfc.lost", "nfc.missing")
    if not is_dead(first):
        assert table.stands()[0] is not ChipStand.OFF
    table.plug_in().put(first)
    table.until(lambda: table.stands()[0] is ChipStand.OFF)
    assert is_dead(first)
    table.until(lambda: table.tray.reader == "")


def test_a_board_that_falls_silent_is_named(table: Table) -> None:
    first, _ = chips()
    table.open_tray()
    table.hold()
    board = table.board
    assert board is not None
    board.put(first)
    table.until(lambda: table.tray.running or bool(table.ends))
    board.break_down(Faults(silent=True))
    table.until(lambda: bool(table.tray.reader))
    board.break_down(Faults())
    table.until(lambda: table.stands()[0] is ChipStand.OFF)
    assert is_dead(first)


class Stuck:
    """A reader whose driver does not come back until it is let go."""

    info = DeviceInfo("stuck", "stuck", simulated=True)
    firmware = "stuck"

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.polls = 0

    def poll(self, timeout_s: float) -> list[Any]:
        del timeout_s
        self.polls += 1
        if self.polls == 2:
            self.let_go.wait(20)
        return []

    def command(self, code: int, data: bytes, timeout_s: float) -> bytes:
        raise DeviceError(DeviceReason.TIMEOUT, "stuck")

    def cancel(self) -> None:
        self.let_go.set()

    def close(self) -> None:
        self.let_go.set()


def spoil(reason: DeviceReason) -> Callable[[NfcReader], None]:
    """Every look fails from the second on, until the reader is opened anew."""

    def now(reader: NfcReader) -> None:
        looks, look = itertools.count(1), reader.poll

        def poll(timeout_s: float) -> list[Any]:
            if next(looks) > 1:
                raise DeviceError(reason, "lost")
            return look(timeout_s)

        reader.poll = poll  # type: ignore[method-assign]

    return now


def test_a_driver_that_does_not_come_back_is_named_and_the_session_goes_on(folder: StationFolder) -> None:
    """Whatever the reader's thread is stuck in: the session takes in events meanwhile, and is told within 2 s."""
    assert HUNG_S + LOOK_OUT_S < 2
    stuck = Stuck()
    table = Table(folder)
    table.tapping.stop()
    table.tapping = Tapping(
        lambda: stuck, table.post, table.station.adjust, system_clock().mono_us, table.crashes.append
    )
    table.work.attach(table.tapping)
    table.tapping.start()
    table.open_tray()
    table.until(lambda: table.tray.reader == "nfc.timeout")
    assert not stuck.let_go.is_set()
    table.post(HOLD)  # a reader that hangs cannot be armed
    assert not table.tray.armed
    stuck.let_go.set()
    table.until(lambda: table.tray.reader == "")
    assert [e.code for e in table.heard if isinstance(e, DeviceLost) and e.device is Device.NFC] == ["nfc.timeout"]
    table.close()


@pytest.mark.parametrize("at_write", [1, 9, 15, 17, 24])
def test_after_a_kill_the_next_station_finishes_the_chip_from_the_journal(folder: StationFolder, at_write: int) -> None:
    """The command that writes is killed right after that write; nothing could say a word any more."""
    board, chip = SimulatedBoard(), used_chip(FAMILY)
    board.start()
    board.put(chip)
    argv = [sys.executable, "-m", "app", "nfc", "deactivate", "--port", board.address, "--yes", "--card", "card-1"]
    child = subprocess.Popen([*argv, "--data", str(folder.root)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    board.watch(lambda: os.kill(child.pid, signal.SIGKILL) if writes_heard(chip) >= at_write else None)
    assert child.wait(60) == -signal.SIGKILL
    board.stop()
    obeyed = irreversible(chip)
    table = Table(folder)
    assert len(table.journal()) == 1
    table.open_tray()
    assert table.stands()[0] is ChipStand.UNFINISHED
    assert [fact["kind"] for fact in table.facts()] == []
    table.hold()
    table.tap(chip)
    assert table.stands()[0] is ChipStand.OFF
    assert is_dead(chip)
    assert table.journal() == []
    (path,) = table.folder.chips.glob("card-1-*.json")
    record = json.loads(path.read_text())
    (killed,) = record["earlier_runs"]
    assert verifies(record)
    assert killed["verdict"] == "cut-off"
    assert base64.b64decode(killed["before"]["content"]["sealed"]).startswith(b"CIS1")
    assert record["before"]["content"] != killed["before"]["content"]
    announced = [act["write"] for act in killed["irreversible"]]
    assert obeyed <= set(announced)
    assert len(killed["commands"]) > 5
    table.close()


def test_a_station_that_stops_in_the_middle_loses_nothing(folder: StationFolder) -> None:
    table, (first, _) = Table(folder), chips()
    table.open_tray()
    table.hold()
    assert table.board is not None
    table.board.put(first)
    table.until(lambda: table.tray.running or bool(table.ends))
    table.close()  # the window was closed
    again = Table(folder)
    again.open_tray(1 if is_dead(first) else 2)
    if not is_dead(first):
        again.hold()
        again.tap(first)
    assert is_dead(first)
    assert again.journal() == []
    assert again.facts()[-1]["kind"] == "chip.deactivated"
    again.close()


def test_a_copy_is_punched_and_only_a_mute_chip_counts_as_destroyed(table: Table) -> None:
    copy = used_chip(FAMILY, Quirks(locks_do_nothing=True))
    table.open_tray()
    table.hold()
    table.tap(copy)
    assert table.stands()[0] is ChipStand.DESTROY
    card = table.tray.cards[0]
    table.station.adjust(lambda around: replace(around, rec=RecFacts(RecMode.ON, "rec", 11_000_000)))
    table.until(lambda: table.station.around.rec.mode is RecMode.ON)
    for no in (1, 2):
        table.work.mark_punch(card, no)
    assert [body["no"] for name, body in table.quiet.notes if name == "chip.punch"] == [1, 2]
    assert table.board is not None
    table.board.put(copy)
    table.work.prove_destroyed(card, "rec", (10, 20), "1001")
    table.until(lambda: len(table.ends) == 2)
    assert (table.ends[-1].stand, table.ends[-1].why) == (ChipStand.DESTROY, "why.still-answers")
    table.board.clear()
    table.work.prove_destroyed(card, "rec", (10, 20), "1001")
    table.until(lambda: len(table.ends) == 3)
    assert table.ends[-1].stand is ChipStand.DESTROYED
    fact = table.facts()[-1]
    assert (fact["kind"], fact["body"]["verdict"]) == ("chip.destroyed", "destroyed")
    (path,) = table.folder.chips.glob(f"card-1-{fact['body']['evidence'][:8]}.json")
    record = json.loads(path.read_text())
    assert verifies(record)
    assert record["about"]["filmed"] == {"recording": "rec", "before_us": 10, "after_us": 20}
    table.until(lambda: table.station.around.chips == 1)


@pytest.mark.parametrize("fault", [DeviceReason.TIMEOUT, DeviceReason.GARBLED, DeviceReason.LOST])
def test_an_answer_lost_in_the_looks_after_punching_ends_the_run_with_its_event(
    table: Table, fault: DeviceReason
) -> None:
    """The looks are the only part of a run that speaks to the reader by itself."""
    table.open_tray()
    card = table.tray.cards[0]
    table.tapping.ask(Job(spoil(fault), lambda: None))
    table.work.prove_destroyed(card, "rec", (10, 20), "1001")
    table.until(lambda: bool(table.ends))
    assert (table.ends[0].verdict, table.ends[0].stand) == ("not-completed", ChipStand.WAITING)
    table.until(lambda: any(isinstance(event, DeviceBack) for event in table.heard) and table.tray.reader == "")
    assert [fact["kind"] for fact in table.facts()] == []
    table.work.prove_destroyed(card, "rec", (10, 20), "1001")  # the same loop goes on
    table.until(lambda: len(table.ends) == 2)
    assert table.ends[1].stand is ChipStand.DESTROYED


def test_a_chip_that_never_answers_is_tried_three_times_and_then_punched(table: Table) -> None:
    table.open_tray()
    table.hold()
    table.post(KeyPressed(Key.DIGIT, 2))
    for tried in range(1, 4):
        table.post(KeyPressed(Key.SPACE))
        table.until(lambda tried=tried: len(table.ends) == tried)  # type: ignore[misc]
        assert (table.ends[-1].silent, table.ends[-1].most_silent) == (tried, 3)
        if tried == 2:  # what was counted is kept: leaving the tray forgets nothing
            table.post(KeyPressed(Key.ESC))
            table.until(lambda: isinstance(table.station.state, Idle))
            table.post(KeyPressed(Key.F4))
            table.until(lambda: isinstance(table.station.state, ChipTray) and table.tray.listed)
            table.hold()
            table.post(KeyPressed(Key.DIGIT, 2))
    table.until(lambda: table.tray.punching)
    fact = table.facts()[-1]
    assert (fact["kind"], fact["body"]["why"]) == ("chip.not-deactivated", "stays-silent")
    (path,) = table.folder.chips.glob(f"card-2-{fact['body']['evidence'][:8]}.json")
    told = {"kind": fact["kind"], "simulated": True, **fact["body"]}
    assert judge_record(told, hashed_bytes(json.loads(path.read_text()))) == HELD  # so does the centre
    table.until(lambda: table.tray.cards[1].mute)  # so it may still be tapped, if it answers after all
    table.tap(make_chip(FAMILY, OTHER_UID))
    assert table.stands()[1] is ChipStand.OFF


def test_a_card_that_is_tapped_too_briefly_is_not_taken_for_a_mute_one(table: Table) -> None:
    """It answers each look, and is away when the run begins."""
    first, _ = chips()
    card = replace(_waiting_card(table), simulated=True)
    for run in range(1, 6):
        table.work.switch_off(card, "1001", tapped=True)
        table.until(lambda run=run: len(table.ends) == run)  # type: ignore[misc]
    assert {(end.stand, end.silent) for end in table.ends} == {(ChipStand.WAITING, 0)}
    table.hold()
    table.tap(first)
    assert table.stands()[0] is ChipStand.OFF


def _waiting_card(table: Table) -> ChipCard:
    table.open_tray()
    return table.tray.cards[0]


def test_a_torn_chip_that_is_seen_as_another_kind_is_not_called_refused(table: Table) -> None:
    """Its answer to who it is was lost: what an earlier run began is not untouched, and not given up at once."""
    first, _ = chips()
    table.open_tray()
    table.hold()
    first.tear(9, Tearing.CLEAN)
    assert table.board is not None
    table.board.put(first)
    table.until(lambda: table.tray.ended is not None)
    table.board.clear()
    table.until(lambda: table.tray.on_reader == "")
    answer, first.answer = first.answer, lambda command: None if command == b"\x60" else answer(command)
    table.tap(first)
    assert (table.ends[-1].verdict, table.ends[-1].why) == ("not-completed", "why.other-memory")
    assert table.stands()[0] is ChipStand.UNFINISHED
    first.answer = answer
    table.tap(first)
    assert table.stands()[0] is ChipStand.OFF


def test_a_damaged_journal_is_named_and_its_chip_punched_without_it(table: Table) -> None:
    first, _ = chips()
    first.tear(9, Tearing.CLEAN)
    table.open_tray()
    table.hold()
    assert table.board is not None
    table.board.put(first)
    table.until(lambda: table.tray.ended is not None)
    (journal,) = table.journal()
    journal.write_bytes(journal.read_bytes()[:200])
    table.board.clear()
    table.until(lambda: table.tray.on_reader == "")
    writes = first.writes
    first.put_back()
    table.tap(first)
    assert (table.ends[-1].verdict, table.ends[-1].why) == ("proof-failed", "why.journal-damaged")
    assert table.stands()[0] is ChipStand.DESTROY
    assert first.writes == writes
    assert [path.suffix for path in table.journal()] == [".damaged"]
    table.board.clear()
    table.work.prove_destroyed(table.tray.cards[0], "rec-1", (1, 2), "1001")
    table.until(lambda: table.ends[-1].verdict == "destroyed")
    records = [json.loads(path.read_text()) for path in table.folder.chips.glob("card-1-*.json")]
    (record,) = [told for told in records if told["kind"] == "chip.destruction"]
    assert (record["journal"], record["earlier_runs"]) == ("unreadable", [])
    assert record["positive_control"] == "none"
    assert table.journal() == []


def test_the_loop_leaves_no_thread(folder: StationFolder) -> None:
    table = Table(folder)
    assert {"nfc", "nfc-look-out"} <= {thread.name for thread in threading.enumerate()}
    table.close()
    assert not {"nfc", "nfc-look-out"} & {thread.name for thread in threading.enumerate()}
