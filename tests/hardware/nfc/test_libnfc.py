"""libnfc, which knows nothing of us, reads the simulated board through its port: on the line, it is a real one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import closing

import pytest

from hardware.nfc.pn532 import open_pn532
from hardware.ports import DeviceInfo
from hardware.sim.nfc import SimulatedBoard
from hardware.sim.nfc_chips import make_chip

NFC_LIST = shutil.which("nfc-list")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals here")


@pytest.fixture(autouse=True)
def _libnfc_is_there() -> None:
    """Setting up for the tests installs it; without it nothing but our own driver would vouch for our own board."""
    assert NFC_LIST is not None, "nfc-list is missing: install libnfc-bin (installer/setup.sh test does)"


def nfc_list(address: str) -> str:
    """What nfc-list prints, with runs of blanks made one."""
    environment = {**os.environ, "LIBNFC_DEVICE": f"pn532_uart:{address}"}
    done = subprocess.run([str(NFC_LIST)], env=environment, capture_output=True, text=True, timeout=30, check=True)
    return " ".join(done.stdout.split())


def test_libnfc_sees_the_chips_and_leaves_the_board_to_us() -> None:
    board = SimulatedBoard()
    board.start()
    board.put(make_chip("NTAG213", "04A1B2C3D4E580"))
    board.put(make_chip("MIFARE Classic 1K", "DEADBEEF"))
    printed = nfc_list(board.address)
    assert "2 ISO14443A passive target(s) found" in printed
    assert "ATQA (SENS_RES): 00 44 UID (NFCID1): 04 a1 b2 c3 d4 e5 80 SAK (SEL_RES): 00" in printed
    assert "ATQA (SENS_RES): 00 04 UID (NFCID1): de ad be ef SAK (SEL_RES): 08" in printed
    # libnfc powers the board down when it leaves: our driver has to wake it.
    with closing(open_pn532(board.address, DeviceInfo(board.address, "board"))) as reader:
        assert {sighting.family for sighting in reader.poll(0.1)} == {"NTAG213", "MIFARE Classic 1K"}
    board.stop()


def test_libnfc_sees_an_empty_field() -> None:
    board = SimulatedBoard()
    board.start()
    assert "passive target" not in nfc_list(board.address)
    board.stop()
