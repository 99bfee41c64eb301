"""What simulated chips hold, in a file: a chip that was switched off stays so when its table is set up anew.

A folder with one file a chip, named by its UID. A real chip keeps its memory by itself; this is the simulator's
silicon, so it is read when a chip is first laid down and written whenever a command changed it.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from hardware.sim.nfc_chip import SimulatedChip


class KeptChips:
    """The memories of a deck's chips. Any number of chips, one board at a time."""

    def __init__(self, folder: Path) -> None:
        """The folder is made with the first chip that is written."""
        self._folder = folder
        self._chips: dict[Path, SimulatedChip] = {}
        self._known: dict[Path, bytes] = {}

    def take(self, chip: SimulatedChip) -> SimulatedChip:
        """The same chip, as it was left; fresh from the factory when it was never written, or its file is damaged."""
        path = self._folder / f"{chip.target.uid.hex().upper()}.chip"
        with contextlib.suppress(OSError, ValueError):
            chip.remember(path.read_bytes())
        self._chips[path], self._known[path] = chip, chip.lasting
        return chip

    def keep(self) -> None:
        """Write down what has changed. Raises OSError: a chip whose memory is lost would be a lie later."""
        for path, chip in self._chips.items():
            lasting = chip.lasting
            if lasting != self._known[path]:
                self._folder.mkdir(parents=True, exist_ok=True)
                part = path.with_suffix(".part")
                part.write_bytes(lasting)
                os.replace(part, path)
                self._known[path] = lasting
