"""The NFC loop with the simulated board: the product's own driver over a real pseudo-terminal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.core.events import Device, DeviceBack, DeviceLost, Event, TagSeen
from app.core.readiness import Level, Surroundings
from app.station.tapping import Tapping
from hardware.catalog import open_nfc
from hardware.errors import DeviceError, DeviceReason
from hardware.ports import NfcReader

DECK = """
[[chip]]
at_s = 0.0
until_s = 0.8
uid = "04A1B2C3D4E580"
family = "NTAG213"
[[chip]]
at_s = 2.0
until_s = 4.8
uid = "3A90C4E1"
family = "MIFARE Classic 1K"
[[chip]]
at_s = 3.4
until_s = 4.8
uid = "04A1B2C3D4E581"
family = "NTAG213"
"""


@dataclass
class Table:
    """Where the loop's words land."""

    events: list[Event] = field(default_factory=list)
    around: Surroundings = field(default_factory=Surroundings)
    crashes: list[Exception] = field(default_factory=list)

    def adjust(self, change: Callable[[Surroundings], Surroundings]) -> None:
        self.around = change(self.around)

    def until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 15
        while not true():
            assert time.monotonic() < deadline, f"waited in vain: {self.events}"
            time.sleep(0.01)


def now_us() -> int:
    return time.monotonic_ns() // 1000


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def tap(table: Table) -> Iterator[Callable[[Callable[[], NfcReader]], Tapping]]:
    begun: list[Tapping] = []

    def begin(open_reader: Callable[[], NfcReader]) -> Tapping:
        begun.append(Tapping(open_reader, table.events.append, table.adjust, now_us, table.crashes.append))
        begun[-1].start()
        return begun[-1]

    yield begin
    for tapping in begun:
        tapping.stop()
        assert all(thread.name != "nfc" for thread in threading.enumerate())
    assert table.crashes == []


def test_chips_come_and_go_and_two_at_once_are_none(table: Table, tap, tmp_path: Path) -> None:
    deck = tmp_path / "chips.toml"
    deck.write_text(DECK)
    tap(lambda: open_nfc(f"sim:{deck}"))
    table.until(lambda: len(table.events) >= 5)
    seen = [event for event in table.events if isinstance(event, TagSeen)]
    assert [event.tag.uid if event.tag else None for event in seen] == ["04A1B2C3D4E580", None, "3A90C4E1", None, None]
    first, third = seen[0].tag, seen[2].tag
    assert first is not None
    assert third is not None
    assert (first.family, first.atqa, first.sak, first.simulated) == ("NTAG213", "0044", "00", True)
    assert (third.atqa, third.sak) == ("0004", "08")
    assert [event.at_us for event in seen] == sorted(event.at_us for event in seen)
    assert (table.around.nfc.level, table.around.nfc.simulated) == (Level.OK, True)


def test_missing_reader_is_told_and_found_when_it_is_there(table: Table, tap) -> None:
    plugged: list[str] = []

    def reader() -> NfcReader:
        if not plugged:
            raise DeviceError(DeviceReason.MISSING, "serial:/dev/none/pn532")
        return open_nfc(plugged[0])

    tap(reader)
    table.until(lambda: table.around.nfc.level is Level.DOWN)
    assert table.around.nfc.code == "nfc.missing"
    plugged.append("sim:nfc")
    table.until(lambda: DeviceBack(Device.NFC) in table.events)
    assert table.around.nfc.level is Level.OK
    assert table.events[0] == DeviceLost(Device.NFC, "nfc.missing")


def test_reader_pulled_in_the_middle_is_opened_again(table: Table, tap) -> None:
    opened: list[NfcReader] = []

    def reader() -> NfcReader:
        opened.append(open_nfc("sim:nfc"))
        return opened[-1]

    tap(reader)
    table.until(lambda: table.around.nfc.level is Level.OK)
    opened[0].close()  # the board is unplugged under the loop
    table.until(lambda: DeviceBack(Device.NFC) in table.events)
    assert isinstance(table.events[0], DeviceLost)
    assert len(opened) == 2
