"""The memory of the simulated chips against the data sheets, byte by byte: what every proof here rests on.

NXP NTAG213/215/216 rev 3.2 (section 8.5 and 8.8), MF0ULx1 rev 3.3, MF0ICU1, MF1S50YYX_V1 (section 8.7).
"""

from __future__ import annotations

from typing import Any

import pytest

from hardware.nfc.chips.talk import IN_DATA_EXCHANGE
from hardware.nfc.pn532 import IN_LIST_PASSIVE_TARGET
from hardware.sim.nfc_chip import RefusedError
from hardware.sim.nfc_chips import make_chip
from hardware.sim.nfc_virtual import VirtualLine, virtual_reader

UID = "04A1B2C3D4E580"


def ntag(family: str = "NTAG213") -> Any:
    chip = make_chip(family, UID)
    chip.activate()
    return chip


def tell(chip: Any, command: str) -> str:
    """The answer in hex, "ACK", "NAK" or "mute"."""
    try:
        answer = chip.answer(bytes.fromhex(command))
    except RefusedError:
        chip.activate()  # it went idle: select it again
        return "NAK"
    if answer is None:
        return "mute"
    return answer.hex().upper() if answer else "ACK"


def page(chip: Any, number: int) -> str:
    return tell(chip, f"30{number:02X}")[:8]


def test_bits_of_the_capability_container_are_only_ever_set() -> None:
    chip = ntag()
    assert tell(chip, "A203 00000000") == "ACK"
    assert page(chip, 3) == "E1101200"
    assert tell(chip, "A203 0000000F") == "ACK"
    assert page(chip, 3) == "E110120F"


def test_static_locks_act_at_once_and_for_ever() -> None:
    chip = ntag()
    assert tell(chip, "A204 11111111") == "ACK"
    assert tell(chip, "A202 00001000") == "ACK"  # L4
    assert tell(chip, "A204 22222222") == "NAK"
    assert tell(chip, "A205 22222222") == "ACK"
    assert tell(chip, "A202 00000000") == "ACK"  # cannot be taken back
    chip.power_on()
    assert page(chip, 2) == "72481000"
    assert tell(chip, "A204 22222222") == "NAK"
    assert page(chip, 4) == "11111111"


def test_a_block_lock_bit_freezes_its_lock_bits() -> None:
    chip = ntag()
    assert tell(chip, "A202 00000200") == "ACK"  # BL 9-4
    assert tell(chip, "A202 0000F0FF") == "ACK"
    assert page(chip, 2) == "724802FC"  # L4-L7 in byte 2, L8 and L9 in byte 3 stay 0
    assert tell(chip, "A204 22222222") == "ACK"
    assert tell(chip, "A20A 22222222") == "NAK"


def test_the_first_bytes_of_the_lock_page_are_not_written() -> None:
    chip = ntag()
    assert tell(chip, "A202 FFFF0000") == "ACK"
    assert page(chip, 2) == "72480000"


@pytest.mark.parametrize(
    ("family", "lock", "first_bit_opens", "last_page", "all_bits", "read_back"),
    [
        ("NTAG213", 0x28, (0x10, 0x11, 0x12), 0x27, "FF0F3F00", "FF0F3FBD"),
        ("NTAG215", 0x82, (0x10, 0x1F, 0x20), 0x81, "FF000F00", "FF000FBD"),
        ("NTAG216", 0xE2, (0x10, 0x1F, 0x20), 0xE1, "FF3F7F00", "FF3F7FBD"),
    ],
)
def test_dynamic_locks(
    family: str, lock: int, first_bit_opens: tuple[int, int, int], last_page: int, all_bits: str, read_back: str
) -> None:
    chip = ntag(family)
    first, same, next_one = first_bit_opens
    assert tell(chip, f"A2{lock:02X} 01000000") == "ACK"
    assert [tell(chip, f"A2{at:02X} 00000000") for at in (first, same, next_one)] == ["NAK", "NAK", "ACK"]
    assert tell(chip, f"A2{lock:02X} {all_bits}") == "ACK"
    assert page(chip, lock) == read_back
    assert tell(chip, f"A2{last_page:02X} 00000000") == "NAK"
    assert tell(chip, f"A2{lock:02X} 00000000") == "ACK"
    assert page(chip, lock) == read_back


def test_auth0_and_prot_act_from_the_next_selection_on() -> None:
    chip = ntag()
    assert tell(chip, "A22B 12345678") == "ACK"
    assert tell(chip, "A22A 80050000") == "ACK"  # PROT: reading, too
    assert tell(chip, "A229 04000004") == "ACK"
    assert tell(chip, "A204 11111111") == "ACK"
    chip.activate()
    assert tell(chip, "A204 22222222") == "NAK"
    assert tell(chip, "3004") == "NAK"
    assert tell(chip, "1B FFFFFFFF") == "NAK"
    assert tell(chip, "1B 12345678") == "0000"  # PACK
    assert page(chip, 4) == "11111111"
    assert tell(chip, "A204 22222222") == "ACK"
    chip.activate()
    assert tell(chip, "3004") == "NAK"


def test_a_chip_that_counts_wrong_passwords_shuts_for_good() -> None:
    chip = ntag()
    assert [tell(chip, told) for told in ("A22B 12345678", "A22A 02050000", "A229 04000004")] == ["ACK"] * 3
    chip.power_on()
    assert [tell(chip, "1B 00000000") for _ in range(2)] == ["NAK"] * 2
    chip.power_on()
    assert tell(chip, "1B 12345678") == "NAK"


def test_the_configuration_lock_acts_after_power_was_off_and_leaves_the_password_open() -> None:
    chip = ntag()
    assert tell(chip, "A22A 40050000") == "ACK"
    chip.activate()
    assert tell(chip, "A229 040000FF") == "ACK"
    chip.power_on()
    assert [tell(chip, "A229 040000FF"), tell(chip, "A22A 00050000")] == ["NAK", "NAK"]
    assert [tell(chip, "A22B 11111111"), tell(chip, "A22C 22220000")] == ["ACK", "ACK"]
    assert page(chip, 0x2B) + page(chip, 0x2C) == "00" * 8
    assert bytes(chip.memory[0x2B * 4 : 0x2B * 4 + 6]).hex() == "111111112222"


def test_the_mirror_lies_over_what_is_read_after_power_was_off() -> None:
    chip = ntag()
    assert tell(chip, "A229 440008FF") == "ACK"
    assert page(chip, 8) == "00000000"
    chip.power_on()
    assert tell(chip, "3008")[:28] == b"04A1B2C3D4E580".hex().upper()
    assert bytes(chip.memory[32:36]) == bytes(4)


def test_the_uid_pages_are_never_written() -> None:
    chip = ntag()
    assert [tell(chip, f"A2{at:02X} 00000000") for at in (0, 1)] == ["NAK", "NAK"]


def test_a_trailer_that_allows_nothing_is_shut_for_every_key() -> None:
    chip = make_chip("MIFARE Classic 1K", "DEADBEEF")
    old, new = "FFFFFFFFFFFF", "A1A2A3A4A5A6"
    assert tell(chip, f"60 07 {old} DEADBEEF") == "ACK"
    assert tell(chip, f"A0 07 {new} 00F0FF00 B1B2B3B4B5B6") == "ACK"
    assert tell(chip, f"60 07 {old} DEADBEEF") == "mute"
    for kind, key in (("60", new), ("61", "B1B2B3B4B5B6")):
        for then in ("3004", f"A004 {'00' * 16}", f"A007 {old} FF078069 {old}"):
            assert tell(chip, f"{kind} 07 {key} DEADBEEF") == "ACK"
            assert tell(chip, then) == "NAK"
        assert tell(chip, f"{kind} 07 {key} DEADBEEF") == "ACK"
        assert tell(chip, "3007") == "00" * 6 + "00F0FF00" + "00" * 6


def test_access_bits_that_contradict_themselves_shut_the_sector() -> None:
    chip = make_chip("MIFARE Classic 1K", "DEADBEEF")
    key = "FFFFFFFFFFFF"
    assert tell(chip, f"60 07 {key} DEADBEEF") == "ACK"
    assert tell(chip, f"A0 07 {key} FF078169 {key}") == "ACK"
    assert tell(chip, f"60 07 {key} DEADBEEF") == "mute"
    assert tell(chip, f"60 0B {key} DEADBEEF") == "ACK"


def test_a_chip_that_refused_is_idle_until_it_is_selected_again() -> None:
    line = VirtualLine()
    reader = virtual_reader(line)
    line.put(ntag())
    select = b"\x01\x00\x88" + bytes.fromhex(UID)
    assert reader.command(IN_LIST_PASSIVE_TARGET, select, 1.0)[0] == 1

    def exchange(command: str) -> bytes:
        return reader.command(IN_DATA_EXCHANGE, b"\x01" + bytes.fromhex(command), 1.0)

    assert exchange("3004")[0] == 0
    assert exchange("A2000000 0000")[0] != 0
    assert exchange("3004")[0] != 0
    assert reader.command(IN_LIST_PASSIVE_TARGET, select, 1.0)[0] == 1
    assert exchange("3004")[0] == 0
