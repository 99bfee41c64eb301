"""A simulated PN532 on a real pseudo-terminal, and the product's own driver talking to it.

The board answers anybody who opens its port: our driver, libnfc, nfcpy. What is simulated says so: the reader's
`DeviceInfo.simulated` is True.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from hardware.nfc.pn532 import Pn532, open_pn532
from hardware.ports import DeviceInfo, NfcSighting
from hardware.sim.deck import ChipSchedule, ChipVisit, as_made
from hardware.sim.link import PtyPort
from hardware.sim.nfc_board import Board, Faults
from hardware.sim.nfc_chip import SimulatedChip
from hardware.sim.nfc_field import Field
from hardware.sim.nfc_kept import KeptChips

NO_FAULTS = Faults()


class SimulatedBoard:
    """A PN532 board plugged into this machine. Chips may be put and taken from any thread."""

    def __init__(
        self,
        faults: Faults = NO_FAULTS,
        clock: Callable[[], float] = time.monotonic,
        name: str = "sim-nfc",
    ) -> None:
        """Raises DeviceError(MISSING) where there are no pseudo-terminals."""
        self._field = Field()
        self._board = Board(self._field, faults, clock)
        self._watchers: list[Callable[[], None]] = []
        self._keep: Callable[[], None] = lambda: None
        self._port = PtyPort(name, self._serve)

    @property
    def address(self) -> str:
        """The path of its serial port, such as "/dev/pts/5"."""
        return self._port.address

    def start(self) -> None:
        self._port.start()

    def stop(self) -> None:
        """Unplug the board. Within 3 s; twice is harmless."""
        self._port.stop()

    def put(self, chip: SimulatedChip) -> None:
        """Lay a chip into the field. Raises ValueError when one with this UID lies there already."""
        self._field.put(chip)

    def remove(self, uid: bytes) -> None:
        """Take the chip that was put with this UID. Raises KeyError when it is not there."""
        self._field.remove(uid)

    def clear(self) -> None:
        """Take all chips."""
        self._field.clear()

    def break_down(self, faults: Faults) -> None:
        """Have these faults, and no others, from the next bytes on."""
        self._board.break_down(faults)

    def watch(self, before_each_command: Callable[[], None]) -> None:
        """Call this in the board's thread whenever bytes arrive, before they are obeyed."""
        self._watchers.append(before_each_command)

    def on_obeyed(self, keep: Callable[[], None]) -> None:
        """Call this in the board's thread before each answer; when it raises OSError nothing is answered."""
        self._keep = keep

    def _serve(self, data: bytes) -> None:
        for watcher in self._watchers:
            watcher()
        for piece in self._board.take(data, self._port.baud()):
            try:
                self._keep()
            except OSError:
                return
            self._send(piece)

    def _send(self, data: bytes) -> None:
        between_bytes_s = self._board.faults.slow_bytes_s
        if not between_bytes_s:
            self._port.write(data)
            return
        for byte in data:
            self._port.write(bytes((byte,)))
            self._port.pause(between_bytes_s)


class SimulatedReader:
    """Board, line and driver in one, as an `NfcReader`; closing it unplugs the board."""

    def __init__(self, board: SimulatedBoard, reader: Pn532) -> None:
        self.board = board
        self._reader = reader

    @property
    def info(self) -> DeviceInfo:
        return self._reader.info

    @property
    def firmware(self) -> str:
        return self._reader.firmware

    def poll(self, timeout_s: float) -> list[NfcSighting]:
        """As `Pn532.poll`."""
        return self._reader.poll(timeout_s)

    def command(self, code: int, data: bytes, timeout_s: float) -> bytes:
        """As `Pn532.command`."""
        return self._reader.command(code, data, timeout_s)

    def cancel(self) -> None:
        """As `Pn532.cancel`."""
        self._reader.cancel()

    def close(self) -> None:
        self._reader.close()
        self.board.stop()


def open_simulated_reader(
    script: Sequence[ChipVisit] = (),
    address: str = "sim:nfc",
    epoch_s: float | None = None,
    faults: Faults = NO_FAULTS,
    clock: Callable[[], float] = time.monotonic,
    reread: Callable[[], Sequence[ChipVisit] | None] = lambda: None,
    kept: Path | None = None,
) -> SimulatedReader:
    """A reader on a simulated board, with chips by time.

    `epoch_s` is when the script begins on `clock` (None: now); `reread` gives a script that changed; `kept` is a
    folder for what the chips hold, so that they are the same ones the next time (None: fresh ones each time).
    Raises DeviceError: MISSING where there are no pseudo-terminals, and what the faults bring about. Raises ValueError
    for a script that cannot happen.
    """
    board = SimulatedBoard(faults, clock)
    try:
        memory = KeptChips(kept) if kept is not None else None
        if memory is not None:
            board.on_obeyed(memory.keep)
        ChipSchedule(board, script, clock, epoch_s, reread, memory.take if memory is not None else as_made)
        board.start()
        reader = open_pn532(board.address, DeviceInfo(address, "Simulated PN532", simulated=True))
    except BaseException:
        board.stop()
        raise
    return SimulatedReader(board, reader)
