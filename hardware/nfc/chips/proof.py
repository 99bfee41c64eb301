"""What a proof consists of: each attempt to write, and whether the chip refused it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hardware.nfc.chips.outcome import StopError, Why
from hardware.nfc.chips.talk import REFUSALS, Reply

_TRIES = 6


@dataclass(frozen=True, slots=True)
class NegativeTest:
    """One attempt to change a chip that has to be refused. `what` names page, block or key."""

    what: str
    refused: bool


def refused_for_sure(attempt: Callable[[], Reply], what: str) -> NegativeTest:
    """Try what has to be refused until it is clear; one acceptance is one. Raises StopError(READER_SILENT)."""
    refusals = 0
    for _ in range(_TRIES):
        reply = attempt()
        if reply is Reply.DONE:
            return NegativeTest(what, refused=False)
        refusals = refusals + 1 if reply is Reply.REFUSED else 0
        if refusals == REFUSALS:
            return NegativeTest(what, refused=True)
    raise StopError(Why.READER_SILENT, what)


@dataclass(frozen=True, slots=True)
class Proof:
    """How the proof ended (PROVED or why not), each attempt, what was wrong, sectors that are closed for ever."""

    why: Why
    tests: tuple[NegativeTest, ...]
    wrong: tuple[str, ...] = ()
    dead: tuple[int, ...] = ()
