"""The simulated board and its chips: faithful where a reader can tell, and unbreakable."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.errors import DeviceError, DeviceReason
from hardware.nfc.frames import encode
from hardware.sim.deck import ChipSchedule, ChipVisit, read_chip_visits
from hardware.sim.nfc import SimulatedBoard, SimulatedReader, open_simulated_reader
from hardware.sim.nfc_board import Board, Faults
from hardware.sim.nfc_chip import RefusedError
from hardware.sim.nfc_chips import make_chip, simulated_families
from hardware.sim.nfc_classic import ClassicChip
from hardware.sim.nfc_field import Field
from hardware.sim.nfc_kept import KeptChips
from hardware.sim.nfc_type2 import Type2Chip

UID = "04A1B2C3D4E580"
VISITS = [
    ChipVisit(1.0, UID, "NTAG213", 3.0),
    ChipVisit(2.0, "DEADBEEF", "MIFARE Classic 1K", 4.0),
    ChipVisit(5.0, UID, "NTAG213", 6.0),
]


class HandClock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def seen(reader: SimulatedReader) -> list[str]:
    return sorted(sighting.family for sighting in reader.poll(0.05))


@pytest.mark.parametrize(
    ("family", "pages"),
    [
        ("NTAG213", 45),
        ("NTAG215", 135),
        ("NTAG216", 231),
        ("MIFARE Ultralight EV1 (MF0UL11)", 20),
        ("MIFARE Ultralight EV1 (MF0UL21)", 41),
        ("MIFARE Ultralight", 16),
    ],
)
def test_pages_read_as_the_data_sheet_says(family: str, pages: int) -> None:
    chip = make_chip(family, UID)
    assert chip.answer(b"\x30\x00")[:9] == bytes.fromhex("04A1B29FC3D4E58072")
    last = chip.answer(bytes((0x30, pages - 1)))
    assert last is not None
    assert last[4:] == bytes.fromhex("04A1B29FC3D4E580 72480000")
    with pytest.raises(RefusedError):
        chip.answer(bytes((0x30, pages)))


def test_passwords_never_read_back_and_locks_are_factory_new() -> None:
    chip = make_chip("NTAG213", UID)
    assert chip.answer(b"\x3a\x28\x2c") == bytes.fromhex("000000BD 040000FF 00050000 00000000 00000000")
    assert chip.answer(b"\x3a\x03\x05") == bytes.fromhex("E1101200 0103A00C 340300FE")


@pytest.mark.parametrize(
    "command", ["A2040000", "A0040000", "1B00000000", "3A0504", "60FF", "A20000000000", "A22D00000000"]
)
def test_what_a_chip_does_not_know_is_refused(command: str) -> None:
    with pytest.raises(RefusedError):
        make_chip("NTAG213", UID).answer(bytes.fromhex(command))


def test_a_classic_reads_after_authentication_only() -> None:
    chip = make_chip("MIFARE Classic 1K", "DEADBEEF")
    key_and_uid = b"\xff" * 6 + bytes.fromhex("DEADBEEF")
    with pytest.raises(RefusedError):
        chip.answer(b"\x30\x00")
    assert chip.answer(b"\x60\x03" + bytes(6) + key_and_uid[6:]) is None
    assert chip.answer(b"\x60\x00" + key_and_uid) == b""
    assert chip.answer(b"\x30\x00") == bytes.fromhex("DEADBEEF 22 08 0400").ljust(16, b"\0")
    assert chip.answer(b"\x30\x03") == bytes(6) + bytes.fromhex("FF078069FFFFFFFFFFFF")
    with pytest.raises(RefusedError):
        chip.answer(b"\x30\x04")


@pytest.mark.parametrize(
    ("family", "uid"), [("NTAG213", "DEADBEEF"), ("NTAG213", "08A1B2C3D4E580"), ("phone", "01020304"), ("pebble", UID)]
)
def test_a_chip_that_cannot_be_is_refused(family: str, uid: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        make_chip(family, uid)


def test_no_chip_lies_there_twice(clock: HandClock) -> None:
    board = SimulatedBoard()
    board.put(make_chip("NTAG213", UID))
    with pytest.raises(ValueError, match=UID):
        board.put(make_chip("NTAG213", UID))
    with pytest.raises(ValueError, match="twice"):
        ChipSchedule(board, [VISITS[0], VISITS[0]], clock)
    board.stop()


def test_chips_come_and_go_by_the_clock(clock: HandClock) -> None:
    with_chips = open_simulated_reader(VISITS, epoch_s=0.0, clock=clock)
    seen_at: dict[float, list[str]] = {}
    for clock.now_s in (0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5):
        seen_at[clock.now_s] = seen(with_chips)
    with_chips.close()
    ntag, classic = "NTAG213", "MIFARE Classic 1K"
    assert list(seen_at.values()) == [[], [ntag], [classic, ntag], [classic], [], [ntag], []]


def test_a_phone_shows_another_uid_each_time() -> None:
    reader = open_simulated_reader()
    reader.board.put(make_chip("phone", "08010203"))
    uids = [reader.poll(0.05)[0].target.uid for _ in range(3)]
    reader.close()
    assert all(one != other for one, other in itertools.pairwise(uids))
    assert all(uid[0] == 0x08 for uid in uids)


def test_closing_leaves_no_thread_and_no_port() -> None:
    before = set(threading.enumerate())
    reader = open_simulated_reader()
    address = reader.board.address
    reader.close()
    reader.close()
    assert set(threading.enumerate()) <= before  # a thread of an earlier test may end meanwhile
    assert not Path(address).exists()


def test_a_board_that_does_not_start_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    with pytest.raises(DeviceError):
        open_simulated_reader(faults=Faults(ic=0x07))
    assert set(threading.enumerate()) <= before  # a thread of an earlier test may end meanwhile


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=20), st.sampled_from(simulated_families()))
def test_no_command_breaks_the_board(bodies: list[bytes], family: str) -> None:
    field = Field()
    uid = {4: "01020304", 7: UID}[7 if family not in ("phone", "bank card") and "Classic" not in family else 4]
    field.put(make_chip(family, "08020304" if family == "phone" else uid))
    board = Board(field, Faults(), lambda: 0.0)
    listing = [b"\xd4\x32\x05\x00\x01\x02", b"\xd4\x4a\x02\x00"]
    for body in [*listing, *(b"\xd4" + body for body in bodies)]:
        assert all(isinstance(piece, bytes) for piece in board.take(encode(body), 115200))


@pytest.fixture
def deck(tmp_path: Path) -> Path:
    return tmp_path / "deck.toml"


def test_a_deck_is_read(deck: Path) -> None:
    deck.write_text(
        f'title = "anything"\n[[chip]]\nat_s = 1\nuntil_s = 3.0\nfamily = "NTAG213"\nuid = "{UID.lower()}"\n'
    )
    assert read_chip_visits(deck, "sim:deck") == [ChipVisit(1.0, UID, "NTAG213", 3.0)]


@pytest.mark.parametrize(
    "text",
    ["[[chip", "[[chip]]\nat_s = 1", '[[chip]]\nat_s=1\nuntil_s=2\nfamily="NTAG213"\nuid="DEADBEEF"', "chip = 3"],
)
def test_a_wrong_deck_is_garbled(deck: Path, text: str) -> None:
    deck.write_text(text)
    with pytest.raises(DeviceError) as trouble:
        read_chip_visits(deck, "sim:deck")
    assert trouble.value.reason is DeviceReason.GARBLED


def test_no_deck_is_missing(deck: Path) -> None:
    with pytest.raises(DeviceError) as trouble:
        read_chip_visits(deck, "sim:deck")
    assert trouble.value.reason is DeviceReason.MISSING


@pytest.mark.parametrize(
    ("family", "uid"), [("NTAG213", UID), ("MIFARE Classic 1K", "DEADBEEF"), ("phone", "08112233")]
)
def test_a_kept_chip_is_the_same_and_a_damaged_file_is_nobodys(tmp_path: Path, family: str, uid: str) -> None:
    kept = KeptChips(tmp_path)
    chip = kept.take(make_chip(family, uid))
    kept.keep()
    assert list(tmp_path.iterdir()) == []  # nothing has changed
    if isinstance(chip, Type2Chip | ClassicChip):
        chip.memory[70] ^= 0x55
        kept.keep()
        assert KeptChips(tmp_path).take(make_chip(family, uid)).lasting == chip.lasting
        (tmp_path / f"{uid}.chip").write_bytes(chip.lasting[:-1])
    assert KeptChips(tmp_path).take(make_chip(family, uid)).lasting == make_chip(family, uid).lasting
