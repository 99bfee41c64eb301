"""What breaks in practice, case by case (1 to 25), while a chip is being switched off.

Where a case is about the line alone, it strikes at every command of a run in turn; the run has to end well, or end as
"not completed" and be finished by the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import pytest
from serial.tools import list_ports

from hardware.catalog import list_serial_ports, open_nfc
from hardware.errors import DeviceError, DeviceReason
from hardware.nfc.chips.deactivate import Means, deactivate
from hardware.nfc.chips.outcome import Method, Outcome, Request, Stage, Verdict, Why
from hardware.nfc.link import SerialLink
from hardware.nfc.pn532 import Pn532, open_pn532
from hardware.ports import DeviceInfo
from hardware.sim.link import PtyPort
from hardware.sim.nfc import SimulatedBoard
from hardware.sim.nfc_board import Faults
from hardware.sim.nfc_chip import RefusedError, Tearing
from hardware.sim.nfc_chips import make_chip
from hardware.sim.nfc_type2 import Quirks
from tests.hardware.nfc.making import (
    OTHER_UID,
    TEXT,
    UID,
    MemoryJournal,
    Table,
    is_dead,
    used_chip,
)

FAMILY = "MIFARE Ultralight EV1 (MF0UL11)"
SELECT_AND_RF = (0x4A, 0x32)


def run_on(board: SimulatedBoard) -> Outcome:
    """A run through a real pty."""
    reader = open_pn532(board.address, DeviceInfo(board.address, "board", simulated=True))
    with closing(reader):
        return deactivate(reader, Request(None, TEXT), Means(MemoryJournal(), seal=lambda _content: ""))


def commands_of_a_run() -> int:
    table = Table()
    table.line.put(used_chip(FAMILY))
    before = table.line.commands
    table.run()
    return table.line.commands - before


def at_each_command(strike: Callable[[Table, Any], None]) -> Iterator[tuple[Table, Any, Outcome]]:
    """A run for each of its commands, with trouble striking right before that command."""
    for number in range(1, commands_of_a_run() + 1):
        table, chip = Table(), used_chip(FAMILY)
        table.line.put(chip)
        _strike_at(table, chip, table.line.commands + number, strike)
        yield table, chip, table.run(uid=chip.target.uid)


def _strike_at(table: Table, chip: Any, at: int, strike: Callable[[Table, Any], None]) -> None:
    def before(number: int, _code: int) -> None:
        if number == at:
            strike(table, chip)

    table.line.before = before


def ends_well(strike: Callable[[Table, Any], None]) -> None:
    for _, chip, outcome in at_each_command(strike):
        assert outcome.verdict is Verdict.DEACTIVATED, (outcome.why, outcome.evidence["remarks"])
        assert is_dead(chip)


def ends_in_the_next_run(strike: Callable[[Table, Any], None], *reasons: Why) -> None:
    for table, chip, outcome in at_each_command(strike):
        table.line.before = lambda _number, _code: None
        table.line.break_down(Faults())
        table.line.unplugged = False
        table.line.field.clear()
        table.line.put(chip)
        if not outcome.done:
            assert outcome.verdict is Verdict.NOT_COMPLETED
            assert outcome.why in reasons
            outcome = table.run(uid=chip.target.uid)
        assert outcome.verdict in (Verdict.DEACTIVATED, Verdict.ALREADY)
        assert is_dead(chip)


def breaking(**faults: Any) -> Callable[[Table, Any], None]:
    return lambda table, _chip: table.line.break_down(Faults(**faults))


def test_case_1_a_sleeping_board_is_woken(board: SimulatedBoard) -> None:
    board.break_down(Faults(needs_wakeup=True))
    chip = used_chip(FAMILY)
    board.put(chip)
    assert run_on(board).verdict is Verdict.DEACTIVATED


def test_case_2_a_board_that_wants_the_long_sam_configuration(board: SimulatedBoard) -> None:
    board.break_down(Faults(long_sam_only=True))
    board.put(used_chip(FAMILY))
    assert run_on(board).verdict is Verdict.DEACTIVATED


def test_case_3_an_acknowledgement_is_lost() -> None:
    ends_well(breaking(lose_acks=1))


def test_case_4_a_command_is_lost() -> None:
    ends_well(breaking(lose_commands=2))


def test_case_5_an_answer_is_lost() -> None:
    ends_in_the_next_run(breaking(lose_answers=1), Why.READER_SILENT)


def test_case_5_an_answer_to_a_write_is_lost_and_the_content_decides() -> None:
    for way in (1, 2):
        table, chip = Table(), used_chip(FAMILY)
        table.line.put(chip)
        writes = [0]

        def strike(_number: int, code: int, table: Table = table, writes: list[int] = writes, way: int = way) -> None:
            writes[0] += code == 0x40
            if writes[0] == 10 * way:
                writes[0] += 1
                table.line.break_down(Faults(lose_answers=1))

        table.line.before = strike
        assert table.run().verdict is Verdict.DEACTIVATED
        assert is_dead(chip)


def test_case_6_an_answer_is_damaged() -> None:
    ends_well(breaking(damage_answers=2))
    ends_in_the_next_run(breaking(damage_answers=3), Why.READER_SILENT)


def test_case_7_noise_and_false_starts() -> None:
    ends_well(breaking(noise=True))


def test_case_8_bytes_come_one_by_one(board: SimulatedBoard) -> None:
    board.break_down(Faults(slow_bytes_s=0.0001))
    board.put(make_chip("MIFARE Ultralight", UID))
    assert run_on(board).verdict is Verdict.DEACTIVATED


def test_case_9_looking_for_a_chip_never_lasts_for_ever() -> None:
    table = Table()
    began_s = table.line.now_s
    assert table.run().why is Why.NO_CHIP
    assert table.line.now_s - began_s < 2.0


def test_case_10_a_board_that_misses_every_second_look() -> None:
    ends_well(breaking(miss_every_second=True))


def test_case_11_ports_that_cannot_be_opened(board: SimulatedBoard) -> None:
    with pytest.raises(DeviceError) as trouble:
        open_nfc("serial:/dev/no-such-port/pn532")
    assert trouble.value.reason is DeviceReason.MISSING
    with closing(SerialLink(board.address)), pytest.raises(DeviceError) as trouble:
        open_pn532(board.address, DeviceInfo(board.address, "board"))
    assert trouble.value.reason is DeviceReason.BUSY


def test_case_11_the_reader_is_unplugged() -> None:
    def unplug(table: Table, _chip: Any) -> None:
        table.line.unplugged = True

    ends_in_the_next_run(unplug, Why.READER_LOST)


def test_case_11_a_board_pulled_from_its_port_in_the_middle(board: SimulatedBoard) -> None:
    journal, chip = MemoryJournal(), used_chip("NTAG213")
    board.put(chip)
    reader = open_pn532(board.address, DeviceInfo(board.address, "board"))

    def unplug(stage: Stage, _number: int, _of: int) -> None:
        if stage is Stage.READ_ONLY:
            board.stop()

    with closing(reader):
        outcome = deactivate(reader, Request(None, TEXT), Means(journal, unplug, seal=lambda _content: ""))
    assert (outcome.verdict, outcome.why) == (Verdict.NOT_COMPLETED, Why.READER_LOST)
    left = journal.load(UID)
    assert left is not None
    assert left.stage is Stage.READ_ONLY


class FakePort:
    """What pyserial lists."""

    def __init__(self, device: str, vid: int, pid: int, serial_number: str) -> None:
        self.device, self.vid, self.pid, self.serial_number = device, vid, pid, serial_number
        self.description = "USB serial"


def test_case_12_an_adapter_is_found_again_under_another_port_name(
    board: SimulatedBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = [FakePort("COM12", 0x1A86, 0x7523, ""), FakePort(board.address, 0x10C4, 0xEA60, "0001")]
    monkeypatch.setattr(list_ports, "comports", lambda: ports)
    assert [port.usb_id for port in list_serial_ports()] == ["10C4:EA60", "1A86:7523"]
    with closing(open_nfc("serial:usb:10c4:ea60:0001/pn532")) as reader:
        assert reader.firmware == "PN532 1.6"
    with pytest.raises(DeviceError) as trouble:
        open_nfc("serial:usb:10C4:EA60:0002/pn532")
    assert trouble.value.reason is DeviceReason.MISSING


def test_case_13_dtr_and_rts_are_off_and_no_flow_control(board: SimulatedBoard) -> None:
    with closing(SerialLink(board.address)) as link:
        port = link._port
        assert (port.dtr, port.rts, port.rtscts, port.dsrdtr, port.xonxoff) == (False,) * 5


def test_case_14_a_board_left_at_a_higher_speed_is_brought_back_and_never_raised(board: SimulatedBoard) -> None:
    board.break_down(Faults(baud=921600))
    board.put(used_chip(FAMILY))
    assert run_on(board).verdict is Verdict.DEACTIVATED
    assert run_on(board).verdict is Verdict.ALREADY


def test_case_14_no_command_of_a_run_sets_a_speed() -> None:
    table, codes = Table(), set()
    table.line.put(used_chip(FAMILY))
    table.line.before = lambda _number, code: codes.add(code)
    table.run()
    assert codes == {0x32, 0x40, 0x42, 0x4A}


def test_case_15_something_else_than_a_pn532(board: SimulatedBoard) -> None:
    board.break_down(Faults(ic=0x07))
    with pytest.raises(DeviceError, match="not a PN532"):
        open_pn532(board.address, DeviceInfo(board.address, "board"))
    modem = PtyPort("modem", lambda _: modem.write(b"\r\nERROR\r\n"))
    modem.start()
    with (
        closing(Pn532(SerialLink(modem.address), DeviceInfo(modem.address, "modem"))) as reader,
        pytest.raises(DeviceError, match="not a PN532"),
    ):
        reader.wake(tries=1)
    modem.stop()


def test_case_16_a_run_can_be_cancelled() -> None:
    ends_in_the_next_run(lambda table, _chip: table.reader.cancel(), Why.CANCELLED)


def test_case_17_the_card_is_taken_away_at_any_moment() -> None:
    ends_in_the_next_run(lambda table, chip: table.line.take(chip), Why.CHIP_GONE, Why.READER_SILENT)


def test_case_17_the_card_is_taken_away_before_it_is_there() -> None:
    outcome = Table().run(uid=bytes.fromhex(UID))
    assert (outcome.verdict, outcome.why) == (Verdict.NOT_COMPLETED, Why.CHIP_GONE)


def test_case_18_another_card_is_put_back() -> None:
    table, chip, other = Table(), used_chip(FAMILY), make_chip(FAMILY, OTHER_UID)
    table.line.put(chip)
    chip.tear(5, Tearing.CLEAN)
    assert table.run().verdict is Verdict.NOT_COMPLETED
    table.line.take(chip)
    table.line.put(other)
    outcome = table.run(uid=chip.target.uid)
    assert (outcome.verdict, outcome.why) == (Verdict.REFUSED, Why.OTHER_CHIP)
    assert dict(outcome.details) == {"wanted": UID, "there": OTHER_UID}
    assert other.writes == 0


def test_case_18_the_card_is_swapped_in_the_middle() -> None:
    def swap(table: Table, chip: Any) -> None:
        table.line.take(chip)
        with suppress(ValueError):
            table.line.put(make_chip(FAMILY, OTHER_UID))

    for table, chip, outcome in at_each_command(swap):
        assert outcome.verdict in (Verdict.NOT_COMPLETED, Verdict.DEACTIVATED, Verdict.REFUSED)
        assert all(lying.chip.writes == 0 for lying in table.line.field._now() if lying.chip is not chip)


def test_case_19_two_cards() -> None:
    table, chip = Table(), used_chip(FAMILY)
    table.line.put(chip)
    table.line.put(make_chip("NTAG213", OTHER_UID))
    assert table.run().why is Why.TWO_CHIPS
    assert chip.writes == 0


def test_case_20_a_refused_write_is_not_tried_again_and_again() -> None:
    table, chip = Table(), used_chip("NTAG213")
    table.line.put(chip)
    refused: list[bytes] = []
    locked_later = chip.locked

    def locked(page: int) -> bool:
        if page == 9:
            refused.append(b"")
        return page == 9 or locked_later(page)

    chip.locked = locked
    outcome = table.run()
    assert (outcome.verdict, outcome.why) == (Verdict.PROOF_FAILED, Why.WRITE_REFUSED)
    assert len(refused) == 2  # once more, since a disturbed field looks the same; then never again


def test_case_20_one_refusal_alone_is_a_disturbed_field() -> None:
    for table, chip, outcome in at_each_command(breaking(garble_acks=1)):
        assert outcome.verdict in (Verdict.DEACTIVATED, Verdict.NOT_COMPLETED), outcome.why
        assert outcome.done == is_dead(chip) or not outcome.done
        assert table.line.commands


@pytest.mark.parametrize("page", [0x03, 0x04, 0x0F])
def test_case_22_one_damaged_acknowledgement_does_not_hide_an_open_page(page: int) -> None:
    """A copy with one page that no lock holds; in turn, each acknowledgement of the run is taken for a refusal."""
    commands = commands_of_a_run()
    for number in range(commands + 4):
        table, chip = Table(), used_chip(FAMILY, Quirks(open_pages=frozenset({page})))
        table.line.put(chip)
        _strike_at(table, chip, table.line.commands + number, breaking(garble_acks=1))
        outcome = table.run()
        assert not outcome.done, number
        assert not is_dead(chip)


def garbled_at(table: Table, chip: Any, page: int, acknowledgements: int) -> None:
    """From the first write of a page on, so many acknowledgements of the chip are taken for refusals."""
    answer, struck = chip.answer, list[int]()

    def answered(command: bytes) -> bytes | None:
        if command[0] == 0xA2 and command[1] == page and not struck:
            struck.append(page)
            table.line.break_down(Faults(garble_acks=acknowledgements))
        return answer(command)  # type: ignore[no-any-return]

    chip.answer = answered


@pytest.mark.parametrize("acknowledgements", [1, 2, 3])
@pytest.mark.parametrize("page", [0x02, 0x03, 0x05, 0x28, 0x2A, 0x2B, 0x2C])
def test_case_20_damaged_acknowledgements_condemn_no_good_chip(page: int, acknowledgements: int) -> None:
    """Twice in a row on one page; the lock pages read back with other bits set, the password not at all."""
    table, chip = Table(), used_chip("NTAG213")
    table.line.put(chip)
    garbled_at(table, chip, page, acknowledgements)
    outcome = table.run()
    assert outcome.verdict is Verdict.DEACTIVATED, (outcome.why, outcome.evidence["remarks"])
    assert is_dead(chip)


@pytest.mark.parametrize("page", [0x2B, 0x2C])
def test_case_20_a_chip_that_counts_wrong_passwords_is_not_asked_whether_it_took_ours(page: int) -> None:
    table, chip = Table(), used_chip("NTAG213")
    chip.set_page(0x2A, bytes.fromhex("03050000"))
    table.line.put(chip)
    garbled_at(table, chip, page, 2)
    outcome = table.run()
    assert (outcome.verdict, outcome.why) == (Verdict.NOT_COMPLETED, Why.READER_SILENT)
    assert not [command for command in chip.heard if command[0] == 0x1B]
    table.line.break_down(Faults())
    assert table.run().verdict is Verdict.DEACTIVATED
    assert is_dead(chip)


@pytest.mark.parametrize("page", [0x2B, 0x2C])
def test_case_20_a_password_page_that_refuses_is_still_one(page: int) -> None:
    table, chip = Table(), used_chip("NTAG213")
    table.line.put(chip)
    answer = chip.answer

    def refusing(command: bytes) -> bytes | None:
        if command[0] == 0xA2 and command[1] == page:
            raise RefusedError
        return answer(command)  # type: ignore[no-any-return]

    chip.answer = refusing
    outcome = table.run()
    assert (outcome.verdict, outcome.why) == (Verdict.PROOF_FAILED, Why.WRITE_REFUSED)


@pytest.mark.parametrize(("family", "uid"), [("bank card", "01020304"), ("phone", "08010203"), ("MIFARE DESFire", UID)])
def test_case_21_bank_cards_phones_and_desfire(family: str, uid: str) -> None:
    table, chip = Table(), make_chip(family, uid)
    table.line.put(chip)
    assert table.run().verdict is Verdict.REFUSED
    assert chip.heard == []


def test_case_22_a_copy_whose_locks_do_nothing() -> None:
    table, chip = Table(), used_chip(FAMILY, Quirks(locks_do_nothing=True))
    table.line.put(chip)
    outcome = table.run()
    assert (outcome.verdict, outcome.method) == (Verdict.PROOF_FAILED, Method.PHYSICAL)
    assert any(not test["refused"] for test in outcome.evidence["negative_tests"])


def test_case_23_nothing_is_done_without_the_proof_of_the_same_run() -> None:
    """All is written and locked, and the card is away before the proof: the next run proves from the start."""
    table, chip = Table(), used_chip(FAMILY)
    table.line.put(chip)
    chip.tear(16, Tearing.CLEAN)
    first = table.run()
    assert is_dead(chip)
    assert first.verdict is Verdict.NOT_COMPLETED
    table.line.take(chip)
    chip.put_back()
    table.line.put(chip)
    second = table.run()
    assert second.verdict is Verdict.DEACTIVATED
    assert second.evidence["negative_tests"]
    assert chip.writes == 17


def test_case_24_an_active_mirror_is_switched_off_first() -> None:
    table, chip = Table(), used_chip("NTAG213")
    chip.set_page(0x29, bytes.fromhex("440006FF"))
    table.line.put(chip)
    assert table.run().verdict is Verdict.DEACTIVATED
    assert is_dead(chip)
    assert chip.page(0x29) == bytes.fromhex("040000FF")


def test_case_25_a_port_has_one_owner(board: SimulatedBoard) -> None:
    with closing(open_pn532(board.address, DeviceInfo(board.address, "board"))):
        with pytest.raises(DeviceError) as trouble:
            open_pn532(board.address, DeviceInfo(board.address, "board"))
        assert trouble.value.reason is DeviceReason.BUSY
