"""The driver against a simulated board on a real pty: what it says, and each fault it has to live with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.errors import DeviceError, DeviceReason
from hardware.nfc.link import SerialLink
from hardware.nfc.pn532 import Pn532, _start_at_any_speed, open_pn532, parse_targets
from hardware.ports import DeviceInfo
from hardware.sim.link import PtyPort
from hardware.sim.nfc import SimulatedBoard
from hardware.sim.nfc_board import Faults
from hardware.sim.nfc_chips import make_chip
from hardware.sim.nfc_virtual import VirtualLine

UID = "04A1B2C3D4E580"
OTHER_UID = "04A1B2C3D4E581"
IN_DATA_EXCHANGE = 0x40


def info_of(board: SimulatedBoard) -> DeviceInfo:
    return DeviceInfo(board.address, "board under test", simulated=True)


@pytest.fixture
def reader(board: SimulatedBoard) -> Iterator[Pn532]:
    with closing(open_pn532(board.address, info_of(board))) as reader:
        yield reader


def seen(reader: Pn532) -> list[tuple[str, str]]:
    return [(sighting.target.uid.hex().upper(), sighting.family) for sighting in reader.poll(0.1)]


def test_it_tells_its_firmware_and_an_empty_field(reader: Pn532) -> None:
    assert reader.firmware == "PN532 1.6"
    assert reader.poll(0.1) == []


def test_a_chip_shows_all_it_says_of_itself(board: SimulatedBoard, reader: Pn532) -> None:
    board.put(make_chip("NTAG213", UID))
    (sighting,) = reader.poll(0.1)
    assert sighting.target.uid == bytes.fromhex(UID)
    assert sighting.target.atqa == bytes.fromhex("0044")
    assert sighting.target.sak == 0
    assert sighting.family == "NTAG213"


def test_a_chip_stays_seen_and_goes_when_taken(board: SimulatedBoard, reader: Pn532) -> None:
    board.put(make_chip("NTAG215", UID))
    assert [seen(reader) for _ in range(3)] == [[(UID, "NTAG215")]] * 3
    board.remove(bytes.fromhex(UID))
    assert seen(reader) == []


def test_two_chips_are_both_seen_each_time(board: SimulatedBoard, reader: Pn532) -> None:
    board.put(make_chip("NTAG213", UID))
    board.put(make_chip("NTAG216", OTHER_UID))
    both = [(UID, "NTAG213"), (OTHER_UID, "NTAG216")]
    assert [sorted(seen(reader)) for _ in range(2)] == [both, both]


def test_of_three_chips_two_are_seen(board: SimulatedBoard, reader: Pn532) -> None:
    for family, uid in [("NTAG213", UID), ("bank card", "01020304"), ("MIFARE Classic 1K", "DEADBEEF")]:
        board.put(make_chip(family, uid))
    assert len(reader.poll(0.1)) == 2


@pytest.mark.parametrize(
    ("family", "uid", "commands"),
    [
        ("NTAG216", UID, [b"\x60"]),
        ("MIFARE Ultralight EV1 (MF0UL21)", UID, [b"\x60"]),
        ("MIFARE Ultralight", UID, [b"\x60"] * 3),
        ("MIFARE Classic 1K", "DEADBEEF", []),
        ("MIFARE Classic 4K", "DEADBEEF", []),
        ("MIFARE DESFire", UID, []),
        ("bank card", "01020304", []),
        ("phone", "08010203", []),
    ],
)
def test_each_family_is_known_by_get_version_at_most(
    board: SimulatedBoard, reader: Pn532, family: str, uid: str, commands: list[bytes]
) -> None:
    chip = make_chip(family, uid)
    board.put(chip)
    assert [sighting.family for sighting in reader.poll(0.1)] == [family]
    assert chip.heard == commands


def test_one_of_two_chips_can_be_singled_out(board: SimulatedBoard, reader: Pn532) -> None:
    board.put(make_chip("NTAG213", UID))
    board.put(make_chip("MIFARE Classic 1K", "DEADBEEF"))
    for uid in (UID, "DEADBEEF"):
        target = reader.select(bytes.fromhex(uid))
        assert target is not None
        assert target.uid == bytes.fromhex(uid)
    assert reader.select(bytes.fromhex(OTHER_UID)) is None


@pytest.mark.parametrize(
    "faults",
    [
        Faults(needs_wakeup=True),
        Faults(long_sam_only=True),
        Faults(lose_commands=1),
        Faults(lose_acks=2),
        Faults(damage_answers=2),
        Faults(noise=True),
        Faults(slow_bytes_s=0.0005),
        Faults(miss_every_second=True),
        Faults(noise=True, slow_bytes_s=0.0005, lose_acks=1, damage_answers=1, miss_every_second=True),
        Faults(baud=460800),
    ],
    ids=str,
)
def test_a_bad_board_still_starts_and_reads(board: SimulatedBoard, faults: Faults) -> None:
    board.break_down(faults)
    board.put(make_chip("NTAG213", UID))
    with closing(open_pn532(board.address, info_of(board))) as reader:
        assert seen(reader) == [(UID, "NTAG213")]


@pytest.mark.parametrize(
    "faults",
    [Faults(lose_commands=2), Faults(lose_acks=3), Faults(lose_answers=1), Faults(damage_answers=2)],
    ids=str,
)
def test_trouble_while_polling_is_got_over(board: SimulatedBoard, reader: Pn532, faults: Faults) -> None:
    board.put(make_chip("NTAG213", UID))
    board.break_down(faults)
    assert [sighting.family for sighting in reader.poll(10)] == ["NTAG213"]


def test_an_answer_asked_for_twice_is_not_taken_for_the_next_one(board: SimulatedBoard, reader: Pn532) -> None:
    board.put(make_chip("NTAG213", UID))
    reader.poll(0.1)
    board.break_down(Faults(damage_answers=1, slow_bytes_s=0.0005))
    pages = [reader.command(IN_DATA_EXCHANGE, bytes((1, 0x30, page)), 1.0) for page in (0, 4, 0)]
    assert pages[0] == pages[2]
    assert pages[1][1:5] == bytes.fromhex("0103A00C")


def test_a_silent_board_is_a_time_out(board: SimulatedBoard) -> None:
    board.break_down(Faults(silent=True))
    with closing(Pn532(SerialLink(board.address), info_of(board))) as reader, pytest.raises(DeviceError) as trouble:
        reader.wake(tries=1)
    assert trouble.value.reason is DeviceReason.TIMEOUT


class LineOfAnySpeed(VirtualLine):
    """A virtual line whose speed can be set; its silent board hears none of them."""

    def __init__(self) -> None:
        super().__init__(Faults(silent=True))
        self.bauds: list[int] = []

    def set_baud(self, baud: int) -> None:
        self.bauds.append(baud)


def test_a_board_that_is_silent_when_opened_is_named_within_two_seconds() -> None:
    line = LineOfAnySpeed()
    reader = Pn532(line, DeviceInfo(line.address, "board"), line.clock, line.pause)
    with pytest.raises(DeviceError) as trouble:
        _start_at_any_speed(line, reader)  # type: ignore[arg-type]
    assert trouble.value.reason is DeviceReason.TIMEOUT
    assert [baud for baud in line.bauds if baud != 115200] == [921600, 460800, 230400]
    assert line.bauds[-1] == 115200
    assert line.now_s < 2.0


def test_another_chip_is_refused(board: SimulatedBoard) -> None:
    board.break_down(Faults(ic=0x33))
    with (
        closing(Pn532(SerialLink(board.address), info_of(board))) as reader,
        pytest.raises(DeviceError, match="not a PN532") as trouble,
    ):
        reader.start()
    assert trouble.value.reason is DeviceReason.GARBLED


def test_a_modem_is_refused() -> None:
    modem = PtyPort("modem", lambda _: modem.write(b"\r\nERROR\r\n"))
    modem.start()
    with (
        closing(Pn532(SerialLink(modem.address), DeviceInfo(modem.address, "modem"))) as reader,
        pytest.raises(DeviceError, match="not a PN532"),
    ):
        reader.wake(tries=1)
    modem.stop()


def test_a_command_the_chip_does_not_know_is_garbled(reader: Pn532) -> None:
    with pytest.raises(DeviceError, match="syntax error"):
        reader.command(0x8C, b"", 1.0)
    assert reader.poll(0.1) == []


def test_an_unplugged_board_is_lost(board: SimulatedBoard, reader: Pn532) -> None:
    board.stop()
    with pytest.raises(DeviceError) as trouble:
        reader.poll(0.1)
    assert trouble.value.reason is DeviceReason.LOST


def test_a_closed_reader_is_lost(reader: Pn532) -> None:
    reader.close()
    reader.close()
    with pytest.raises(DeviceError) as trouble:
        reader.poll(0.1)
    assert trouble.value.reason is DeviceReason.LOST


def test_cancelling_ends_one_command_only(board: SimulatedBoard, reader: Pn532) -> None:
    board.put(make_chip("NTAG213", UID))
    reader.cancel()
    with pytest.raises(DeviceError, match="cancelled"):
        reader.poll(0.1)
    assert seen(reader) == [(UID, "NTAG213")]


def test_a_port_has_one_owner(board: SimulatedBoard, reader: Pn532) -> None:
    with pytest.raises(DeviceError) as trouble:
        SerialLink(board.address)
    assert trouble.value.reason is DeviceReason.BUSY


@pytest.mark.parametrize("port", ["/dev/no-such-port", "/dev/null", __file__, os.path.dirname(__file__)])
def test_what_is_no_port_is_missing(port: str) -> None:
    with pytest.raises(DeviceError) as trouble:
        SerialLink(port)
    assert trouble.value.reason is DeviceReason.MISSING


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may open every port")
def test_a_forbidden_port_is_denied(board: SimulatedBoard) -> None:
    os.chmod(board.address, 0)
    with pytest.raises(DeviceError) as trouble:
        SerialLink(board.address)
    assert trouble.value.reason is DeviceReason.DENIED


@given(st.binary(max_size=60))
def test_any_list_of_targets_is_read_or_refused(answer: bytes) -> None:
    with suppress(DeviceError):
        assert len(parse_targets(answer, "here")) == answer[0]
