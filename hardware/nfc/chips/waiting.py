"""Runs that wait for the card: until it lies there, and until the same one was put back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from hardware.nfc.chips.deactivate import Means, deactivate, survey
from hardware.nfc.chips.outcome import Outcome, Request, Verdict, Why
from hardware.ports import NfcReader

Tell = Callable[[Outcome], None]
"""Called whenever there is something for a person to do: put the card there, put it back, take the other one away."""

_AWAY = frozenset({Why.NO_CHIP, Why.CHIP_GONE, Why.READER_LOST})
"""What waiting may help with. A reader that is plugged in again goes on where its driver opens it anew."""

_LEFT = frozenset({Why.CHIP_GONE, Why.READER_LOST})
_PAUSE_S = 0.05
_POLLS = 3
_POLL_S = 0.5


def deactivate_when_there(reader: NfcReader, request: Request, means: Means, wait_s: float, tell: Tell) -> Outcome:
    """As `deactivate`; with the card or the reader away it waits for it, each time up to `wait_s`.

    After a run that the card left, or that lost its reader, only the same UID goes on; another one is named and
    nothing is written to it.
    """
    outcome = _when_there(deactivate, reader, request, means, wait_s, tell)
    while outcome.verdict is Verdict.NOT_COMPLETED and outcome.why in _LEFT and outcome.plan:
        tell(outcome)
        same = replace(request, uid=bytes.fromhex(outcome.uid))
        again = _same_again(reader, same, means, wait_s, tell)
        if again is None:
            return outcome
        outcome = again
    return outcome


def survey_when_there(reader: NfcReader, request: Request, means: Means, wait_s: float, tell: Tell) -> Outcome:
    """As `survey`; with the card away it waits for it up to `wait_s`."""
    return _when_there(survey, reader, request, means, wait_s, tell)


def still_answers(reader: NfcReader) -> tuple[str, ...]:
    """The UIDs (hex) that answered in three looks: none after a chip was destroyed. Raises DeviceError."""
    seen = (sighting.target.uid.hex().upper() for _ in range(_POLLS) for sighting in reader.poll(_POLL_S))
    return tuple(dict.fromkeys(seen))


class _Run(Protocol):
    """`deactivate` or `survey`."""

    def __call__(self, reader: NfcReader, request: Request, means: Means, *, last_look: bool) -> Outcome: ...


def _when_there(
    run: _Run,
    reader: NfcReader,
    request: Request,
    means: Means,
    wait_s: float,
    tell: Tell,
) -> Outcome:
    until_s = means.clock() + wait_s
    told: Why | None = None
    while True:
        last_look = means.clock() >= until_s
        outcome = run(reader, request, means, last_look=last_look)
        if last_look or outcome.why not in _AWAY or outcome.plan:
            return outcome
        if told is not outcome.why:
            tell(outcome)
            told = outcome.why
        means.pause(_PAUSE_S)


def _is_its_end(outcome: Outcome) -> bool:
    """Whether a run got at the card again. A refusal says only that it did not: that card is not as it was."""
    if outcome.verdict is Verdict.REFUSED:
        return False
    return outcome.verdict is not Verdict.NOT_COMPLETED or bool(outcome.plan) or outcome.why is Why.CANCELLED


def _same_again(reader: NfcReader, request: Request, means: Means, wait_s: float, tell: Tell) -> Outcome | None:
    """The run that found the card again; None when it did not come back in time."""
    until_s = means.clock() + wait_s
    other, gone = "", False
    said: Why | None = None
    while means.clock() < until_s:
        outcome = deactivate(reader, request, means, last_look=False)
        if outcome.why is Why.READER_LOST and not gone:
            tell(outcome)
        gone = outcome.why is Why.READER_LOST
        if outcome.why is Why.OTHER_CHIP:
            there = dict(outcome.details)["there"]
            if there != other:
                other = there
                tell(outcome)
        elif _is_its_end(outcome):
            return outcome
        elif outcome.why is not said and outcome.why not in _AWAY:
            tell(outcome)
        said = outcome.why
        means.pause(_PAUSE_S)
    return None
