"""The field of a simulated reader: which chips lie in it and in which ISO 14443-3 state each of them is."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import Enum, auto

from hardware.sim.nfc_chip import RefusedError, SimulatedChip


class ChipState(Enum):
    """ISO 14443-3 section 6.3. A halted chip is deaf to REQA; an active one goes idle on it without answering."""

    IDLE = auto()
    ACTIVE = auto()
    HALTED = auto()


@dataclass(slots=True, eq=False)
class LyingChip:
    """A chip in the field."""

    chip: SimulatedChip
    state: ChipState = ChipState.IDLE
    present: bool = True

    def ask(self, command: bytes) -> bytes | None:
        """The chip's answer, None when mute, gone or not active.

        Raises RefusedError for a NAK; the chip is idle after it.
        """
        if not self.present or self.state is not ChipState.ACTIVE:
            return None
        try:
            answer = self.chip.answer(command)
        except RefusedError:
            self.state = ChipState.IDLE
            raise
        if answer is None:
            self.state = ChipState.IDLE
        return answer


class Field:
    """Chips come and go from any thread; the reader's thread powers them and speaks to them."""

    def __init__(self) -> None:
        self._lying: dict[bytes, LyingChip] = {}
        self._guard = threading.Lock()
        self._powered = False

    def put(self, chip: SimulatedChip) -> None:
        """Lay a chip down. Raises ValueError when one with this UID lies there already."""
        uid = chip.target.uid
        with self._guard:
            if uid in self._lying:
                raise ValueError(f"a chip with UID {uid.hex().upper()} lies there already")
            self._lying[uid] = LyingChip(chip)

    def remove(self, uid: bytes) -> None:
        """Take a chip away, named by the UID it was laid down with. Raises KeyError when it is not there."""
        with self._guard:
            self._lying.pop(uid).present = False

    def clear(self) -> None:
        """Take all away."""
        with self._guard:
            for lying in self._lying.values():
                lying.present = False
            self._lying.clear()

    def power(self, on: bool) -> None:
        """Switch the field; coming on, it starts every chip anew."""
        if on and not self._powered:
            for lying in self._now():
                lying.state = ChipState.IDLE
                lying.chip.power_on()
        self._powered = on

    def request(self) -> list[LyingChip]:
        """Send REQA; the chips that answer it."""
        if not self._powered:
            return []
        lying = self._now()
        answering = [chip for chip in lying if chip.state is ChipState.IDLE and chip.chip.in_reach]
        for chip in lying:
            if chip.state is ChipState.ACTIVE:
                chip.state = ChipState.IDLE
        return answering

    def active(self) -> LyingChip | None:
        """The chip that is selected now."""
        return next((chip for chip in self._now() if chip.state is ChipState.ACTIVE), None)

    def activate(self, wanted: LyingChip) -> bool:
        """Wake and select one chip (WUPA, by its UID), halting the one selected before. False when it is gone."""
        current = self.active()
        if current is not None and current is not wanted:
            current.state = ChipState.HALTED
        if wanted.present and self._powered and wanted.chip.in_reach:
            if wanted.state is not ChipState.ACTIVE:
                wanted.chip.activate()
            wanted.state = ChipState.ACTIVE
            return True
        return False

    def _now(self) -> list[LyingChip]:
        with self._guard:
            return list(self._lying.values())
