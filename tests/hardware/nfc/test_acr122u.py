"""The ACR122U over a fake APDU layer: the same driver, the same chips, the same proofs."""

from __future__ import annotations

import importlib.util
import sys
import types
from typing import Any

import pytest

from hardware.catalog import open_nfc
from hardware.errors import DeviceError, DeviceReason
from hardware.nfc.acr122u import open_acr122u, reader_over
from hardware.nfc.chips.deactivate import Means, deactivate
from hardware.nfc.chips.outcome import Request, Verdict, Why
from hardware.nfc.frames import FrameKind, FrameParser, encode
from hardware.nfc.pn532 import Pn532
from hardware.ports import DeviceInfo
from hardware.sim.nfc_board import Board, Faults
from hardware.sim.nfc_field import Field
from tests.hardware.nfc.making import TEXT, MemoryJournal, is_dead, used_chip


class FakeApdus:
    """What pyscard would carry to the reader, carried to a simulated chip instead."""

    def __init__(self) -> None:
        self.field = Field()
        self.told: list[bytes] = []
        self.gone = False
        self.closed = False
        self._board = Board(self.field, Faults(), lambda: 0.0)

    def transmit(self, apdu: bytes) -> bytes:
        if self.gone:
            raise OSError("reader removed")
        self.told.append(apdu)
        if not apdu.startswith(bytes.fromhex("FF000000")):
            return b"\x90\x00"
        assert apdu[4] == len(apdu) - 5
        parser = FrameParser()
        answers = [f for piece in self._board.take(encode(apdu[5:]), 115200) for f in parser.feed(piece)]
        data = [frame.body for frame in answers if frame.kind is FrameKind.DATA]
        return data[0] + b"\x90\x00" if data else b"\x63\x00"

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def apdus() -> FakeApdus:
    return FakeApdus()


def reader(apdus: FakeApdus) -> Pn532:
    return reader_over(apdus, DeviceInfo("pcsc:", "ACR122U"))


def test_it_is_a_pn532_like_any_other(apdus: FakeApdus) -> None:
    apdus.field.put(used_chip("NTAG213"))
    opened = reader(apdus)
    assert opened.firmware == "PN532 1.6"
    assert [sighting.family for sighting in opened.poll(0.1)] == ["NTAG213"]
    assert apdus.told[0] == bytes.fromhex("FF00510000")
    assert not any(apdu[5:7] in (b"\xd4\x14", b"\xd4\x10") for apdu in apdus.told)
    opened.close()
    assert apdus.closed


@pytest.mark.parametrize("family", ["NTAG216", "MIFARE Classic 1K"])
def test_a_chip_is_switched_off_through_it(apdus: FakeApdus, family: str) -> None:
    chip = used_chip(family)
    apdus.field.put(chip)
    outcome = deactivate(reader(apdus), Request(None, TEXT), Means(MemoryJournal(), seal=lambda _content: ""))
    assert outcome.verdict is Verdict.DEACTIVATED
    assert is_dead(chip)


def test_a_reader_that_is_pulled_is_lost(apdus: FakeApdus) -> None:
    apdus.field.put(used_chip("NTAG213"))
    opened = reader(apdus)
    apdus.gone = True
    outcome = deactivate(opened, Request(None, TEXT), Means(MemoryJournal()))
    assert (outcome.verdict, outcome.why) == (Verdict.NOT_COMPLETED, Why.READER_LOST)


def test_a_command_that_fails_in_the_reader_is_no_answer(apdus: FakeApdus) -> None:
    opened = reader(apdus)
    with pytest.raises(DeviceError, match="syntax error"):
        opened.command(0x8C, b"", 1.0)


def test_a_reader_that_does_not_start_is_closed(apdus: FakeApdus) -> None:
    apdus.gone = True
    with pytest.raises(DeviceError) as trouble:
        reader(apdus)
    assert trouble.value.reason is DeviceReason.LOST
    assert apdus.closed


@pytest.mark.skipif(importlib.util.find_spec("smartcard") is not None, reason="pyscard is installed")
def test_without_pyscard_it_is_missing_and_says_why() -> None:
    with pytest.raises(DeviceError, match="pyscard") as trouble:
        open_nfc("pcsc:ACR122U")
    assert trouble.value.reason is DeviceReason.MISSING


class SmartcardError(Exception):
    """What pyscard raises: no OSError."""


class FakeReader:
    """A reader and its connection as pyscard 2.3.1 has them, as far as they are used."""

    def __init__(self, name: str, apdus: FakeApdus, busy: bool = False) -> None:
        self._name, self._apdus, self._busy = name, apdus, busy
        self.connected: dict[str, Any] = {}
        self.codes: set[int] = set()

    def __str__(self) -> str:
        return self._name

    def createConnection(self) -> FakeReader:
        return self

    def connect(self, protocol: Any = None, mode: Any = None, disposition: Any = None) -> None:
        if self._busy:
            raise SmartcardError("sharing violation")
        self.connected = {"protocol": protocol, "mode": mode, "disposition": disposition}

    def control(self, code: int, command: list[int]) -> list[int]:
        self.codes.add(code)
        try:
            return list(self._apdus.transmit(bytes(command)))
        except OSError as gone:
            raise SmartcardError(str(gone)) from gone

    def disconnect(self) -> None:
        self._apdus.close()


@pytest.fixture
def pcsc(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The readers that a PC/SC service with pyscard lists; an exception among them is raised."""
    listed: list[Any] = []

    def readers() -> list[Any]:
        for one in listed:
            if isinstance(one, Exception):
                raise one
        return listed

    for name, content in {
        "smartcard": {},
        "smartcard.System": {"readers": readers},
        "smartcard.scard": {"SCARD_SHARE_DIRECT": 3, "SCARD_LEAVE_CARD": 0},
        "smartcard.Exceptions": {"SmartcardException": SmartcardError},
    }.items():
        module = types.ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    return listed


def test_it_is_opened_directly_without_a_card_and_by_its_name(pcsc: list[Any], apdus: FakeApdus) -> None:
    first, second = (FakeReader(f"ACS ACR122U PICC Interface 0{no} 00", apdus) for no in (0, 1))
    pcsc += [FakeReader("Other Reader", FakeApdus()), first, second]
    opened = open_acr122u("pcsc:01 00", "01 00")
    assert (opened.firmware, opened.info.name) == ("PN532 1.6", str(second))
    assert second.connected == {"protocol": None, "mode": 3, "disposition": 0}
    assert second.codes == {0x310000 | 3500 << 2 if sys.platform == "win32" else 0x42000000 + 3500}
    assert not first.connected
    apdus.gone = True
    with pytest.raises(DeviceError) as trouble:
        opened.poll(0.1)
    assert trouble.value.reason is DeviceReason.LOST
    opened.close()
    assert apdus.closed


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        ([], DeviceReason.MISSING),
        ([FakeReader("Other Reader", FakeApdus())], DeviceReason.MISSING),
        ([SmartcardError("service not running")], DeviceReason.MISSING),
        ([FakeReader("ACS ACR122U", FakeApdus(), busy=True)], DeviceReason.BUSY),
    ],
)
def test_one_that_cannot_be_opened_says_why(pcsc: list[Any], listed: list[Any], reason: DeviceReason) -> None:
    pcsc += listed
    with pytest.raises(DeviceError) as trouble:
        open_acr122u("pcsc:")
    assert trouble.value.reason is reason
