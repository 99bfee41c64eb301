"""The catalog: every scheme that can be opened here passes the same checks; a wrong address says what would be right.

Real devices join through CARDINTAKE_TEST_NFC and CARDINTAKE_TEST_SCANNER, each an address.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import closing

import pytest

from hardware.catalog import list_serial_ports, open_camera, open_nfc, open_scanner
from hardware.errors import DeviceError, DeviceReason
from hardware.sim.nfc import SimulatedBoard
from hardware.sim.nfc_chips import make_chip
from hardware.sim.scanner import SimulatedGun, SimulatedScanner

DECK = '[[chip]]\nat_s = 0\nuntil_s = 3600\nfamily = "NTAG213"\nuid = "04A1B2C3D4E580"\n'


def address_from(variable: str) -> str:
    """A real device's address, or the test is skipped."""
    address = os.environ.get(variable)
    if not address:
        pytest.skip(f"no real device: {variable} names none")
    return address


@pytest.fixture(params=["sim:nfc", "sim:deck", "serial", "real"])
def nfc_address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, board: SimulatedBoard) -> str:
    match request.param:
        case "sim:deck":
            deck = tmp_path_factory.mktemp("deck") / "deck.toml"
            deck.write_text(DECK)
            return f"sim:{deck}?epoch_us={time.monotonic_ns() // 1000}"
        case "serial":
            board.put(make_chip("NTAG213", "04A1B2C3D4E580"))
            return f"serial:{board.address}/pn532"
        case "real":
            return address_from("CARDINTAKE_TEST_NFC")
    return str(request.param)


def test_every_nfc_reader_keeps_the_port(nfc_address: str) -> None:
    with closing(open_nfc(nfc_address)) as reader:
        assert reader.info.address == nfc_address
        assert reader.firmware.startswith("PN532 ")
        assert reader.command(0x02, b"", 1.0)[0] == 0x32
        assert all(len(sighting.target.uid) in (4, 7, 10) for sighting in reader.poll(0.1))
    with pytest.raises(DeviceError) as trouble:
        reader.poll(0.1)
    assert trouble.value.reason is DeviceReason.LOST
    assert trouble.value.address == nfc_address


def test_a_closed_reader_can_be_opened_again(nfc_address: str) -> None:
    firmware = []
    for _ in range(2):
        with closing(open_nfc(nfc_address)) as reader:
            firmware.append(reader.firmware)
    assert firmware[0] == firmware[1]


def test_a_deck_puts_its_chips_into_the_field(tmp_path_factory: pytest.TempPathFactory) -> None:
    deck = tmp_path_factory.mktemp("deck") / "deck.toml"
    deck.write_text(DECK)
    with closing(open_nfc(f"sim:{deck}")) as reader:
        assert [sighting.family for sighting in reader.poll(0.1)] == ["NTAG213"]
        assert reader.info.simulated


def test_behind_a_pseudo_terminal_nothing_passes_for_real(board: SimulatedBoard) -> None:
    with closing(open_nfc(f"serial:{board.address}/pn532")) as reader:
        assert reader.info.simulated


@pytest.mark.parametrize("kind", ["sim", "serial", "real"])
def test_every_scanner_keeps_the_port(kind: str) -> None:
    gun = SimulatedGun()
    gun.start()
    addresses = {"sim": "sim:scanner", "serial": f"serial:{gun.address}/scanner?baud=9600&prefix=~"}
    address = addresses.get(kind) or address_from("CARDINTAKE_TEST_SCANNER")
    with closing(open_scanner(address)) as scanner:
        assert scanner.info.address == address
        assert scanner.read(0.0) is None
        if isinstance(scanner, SimulatedScanner):
            scanner.scan("690")
        else:
            gun.scan("~690")
        assert kind == "real" or scanner.read(1.0) == "690"
    with pytest.raises(DeviceError) as trouble:
        scanner.read(0.1)
    gun.stop()
    assert trouble.value.reason is DeviceReason.LOST


@pytest.mark.parametrize("opener", [open_nfc, open_scanner, open_camera])
@pytest.mark.parametrize("address", ["none:", "telepathy:/dev/null", "", "telepathy"])
def test_what_cannot_be_there_is_missing(opener: Callable[[str], object], address: str) -> None:
    with pytest.raises(DeviceError) as trouble:
        opener(address)
    assert trouble.value.reason is DeviceReason.MISSING
    assert address == "none:" or "none:" in trouble.value.detail


@pytest.mark.parametrize(
    ("opener", "address", "reason"),
    [
        (open_nfc, "serial:/dev/no-such-port/pn532", DeviceReason.MISSING),
        (open_nfc, "serial:COM4/scanner", DeviceReason.MISSING),
        (open_nfc, "serial:pn532", DeviceReason.MISSING),
        (open_nfc, "sim:no-such-deck.toml", DeviceReason.MISSING),
        (open_nfc, "sim:nfc?speed=9", DeviceReason.GARBLED),
        (open_scanner, "serial:/dev/no-such-port/scanner", DeviceReason.MISSING),
        (open_scanner, "serial:/dev/null/scanner?baud=-1", DeviceReason.GARBLED),
        (open_scanner, "sim:gun", DeviceReason.MISSING),
        (open_camera, "file:no-such-film.mp4", DeviceReason.MISSING),
    ],
)
def test_a_wrong_address_says_so(opener: Callable[[str], object], address: str, reason: DeviceReason) -> None:
    with pytest.raises(DeviceError) as trouble:
        opener(address)
    assert trouble.value.reason is reason
    assert trouble.value.address == address


def test_serial_ports_are_listed_by_name() -> None:
    names = [port.device for port in list_serial_ports()]
    assert names == sorted(names)
