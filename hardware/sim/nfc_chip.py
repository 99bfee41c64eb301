"""What every simulated contactless chip has: what it says of itself, a memory of what it was told, and tearing.

A chip gives its answer as bytes, NAK (`RefusedError`), or None (mute). Tearing is the card being pulled away in the
middle of a write: `tear` plans it for one of the writes to come; the chip is out of reach after it until `put_back`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from hardware.nfc.chips import Family
from hardware.ports import NfcTarget


class RefusedError(Exception):
    """The chip answers with a four-bit NAK and goes idle."""


class Tearing(Enum):
    """How a write ends when the card is pulled away around it."""

    CLEAN = auto()  # written and answered, then away
    HALF = auto()  # some of the bytes are written, no answer
    ERASED = auto()  # nothing but zeros is there, no answer: many memories erase before they write
    ANSWER_LOST = auto()  # written, but the answer is not heard


@dataclass(frozen=True, slots=True)
class _Cut:
    after_writes: int
    way: Tearing
    kept: int


class SimulatedChip:
    """A chip that answers nothing: processor cards, which follow ISO 14443-4 that the board does not speak here."""

    def __init__(self, target: NfcTarget, family: Family) -> None:
        self.target = target
        self.family = family
        self.heard: list[bytes] = []
        self.writes = 0  # that changed the memory, or could have
        self.in_reach = True
        self._cut: _Cut | None = None
        self._silent = False

    @property
    def lasting(self) -> bytes:
        """What the chip keeps without power; b"" for one that cannot be written."""
        return b""

    def remember(self, lasting: bytes) -> None:
        """Be the chip that kept this. Raises ValueError when no such chip can have kept it."""
        if lasting:
            raise ValueError("this chip keeps nothing")

    def tear(self, at_write: int, way: Tearing, kept: int = 2) -> None:
        """Pull the card away at one write from now on (0: the next). `kept`: bytes a half-finished one leaves."""
        self._cut = _Cut(self.writes + at_write, way, kept)

    def put_back(self) -> None:
        """Lay the card down again after it was torn away."""
        self._cut, self._silent, self.in_reach = None, False, True

    def power_on(self) -> None:
        """The field came on: the chip forgets what it was told."""

    def activate(self) -> None:
        """The chip was selected."""

    def answer(self, command: bytes) -> bytes | None:
        """The chip's answer, None when it stays mute. Raises RefusedError for a NAK."""
        if not self.in_reach:
            return None
        self.heard.append(command)
        told = self._answer(command)
        return None if self._silent else told

    def _answer(self, command: bytes) -> bytes | None:
        del command
        return None

    def _written(self, old: bytes, new: bytes, tear_proof: bool = False) -> bytes:
        """What the memory holds after one write, which a planned tear may cut short."""
        number, self.writes = self.writes, self.writes + 1
        if self._cut is None or number != self._cut.after_writes:
            return new
        cut, self._cut, self.in_reach = self._cut, None, False
        self._silent = cut.way is not Tearing.CLEAN
        if cut.way in (Tearing.CLEAN, Tearing.ANSWER_LOST):
            return new
        if tear_proof:
            return old
        return bytes(len(new)) if cut.way is Tearing.ERASED else new[: cut.kept] + old[cut.kept :]
