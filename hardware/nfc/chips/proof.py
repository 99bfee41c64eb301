"""What a proof consists of: each attempt to write, and whether the chip refused it."""

from __future__ import annotations

from dataclasses import dataclass

from hardware.nfc.chips.outcome import Why


@dataclass(frozen=True, slots=True)
class NegativeTest:
    """One attempt to change a chip that has to be refused. `what` names page, block or key."""

    what: str
    refused: bool


@dataclass(frozen=True, slots=True)
class Proof:
    """How the proof ended (PROVED or why not), each attempt, what was wrong, sectors that are closed for ever."""

    why: Why
    tests: tuple[NegativeTest, ...]
    wrong: tuple[str, ...] = ()
    dead: tuple[int, ...] = ()
