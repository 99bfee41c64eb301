"""What `cardintake nfc` says: how a run ended as JSON on stdout, and in words on stderr."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from typing import Any

from app.commands.complaint import spoken
from hardware.deactivation import MOST_SILENT, Outcome, Stage, Verdict, Why
from ui.texts import say


def told_of(outcome: Outcome) -> dict[str, Any]:
    plan = [{"stage": s.stage.value, "writes": s.writes, "irreversible": s.irreversible} for s in outcome.plan]
    return {
        "verdict": _verdict(outcome),
        "why": outcome.why.value,
        "done": outcome.done,
        "uid": outcome.uid,
        "family": str(outcome.family),
        "method": outcome.method.value,
        "plan": plan,
        "details": dict(outcome.details),
        "silent": outcome.silent,
        "not_proved": [what.value for what in outcome.not_proved],
        "text": _in_words(outcome),
    }


def _verdict(outcome: Outcome) -> str:
    planned = outcome.why is Why.READY and outcome.verdict is not Verdict.LOOKS_OFF
    return outcome.why.value if planned else outcome.verdict.value


def _in_words(outcome: Outcome) -> str:
    """How it ended, about which chips, and what to do now."""
    language, details = spoken(), dict(outcome.details)
    already = outcome.why is Why.READY and outcome.verdict is Verdict.LOOKS_OFF
    said = [say("nfc.already" if already else f"nfc.why.{outcome.why.value}", language)]
    if outcome.why is Why.GATE_CLOSED:
        said.append(say(f"nfc.gate.{details['gate']}", language))
    if outcome.why is Why.OTHER_CHIP:
        said.append(say("nfc.both-uids", language, wanted=details["wanted"], there=details["there"]))
    if outcome.silent:
        said.append(say("prompt.chip.silent", language, n=outcome.silent, of=MOST_SILENT))
    said += [say(f"nfc.not-proved.{what.value}", language) for what in outcome.not_proved]
    if "begun" in details:
        return _joined([*said, say("nfc.begun", language, uids=details["begun"])], language)
    if outcome.verdict is Verdict.NOT_COMPLETED and outcome.why is not Why.READY and outcome.uid:
        said.append(say("nfc.put-back", language, uid=outcome.uid))
    elif outcome.why is not Why.READY:
        said.append(say(f"nfc.do.{outcome.verdict.value}", language))
    return _joined(said, language)


def _joined(sentences: list[str], language: str) -> str:
    return (" " if language == "en" else "").join(sentences)


def show_plan(outcome: Outcome) -> None:
    """The chip and what would be done to it, with a line above the first stage that has no way back."""
    language = spoken()
    say_line(f"{outcome.family}  UID {outcome.uid}")
    crossed = False
    for number, step in enumerate(outcome.plan, start=1):
        if step.irreversible and not crossed:
            crossed = True
            say_line(f"---- {say('nfc.no-return', language)} ----")
        writes = f"  ({say('row.chip.writes', language, n=step.writes)})" if step.writes else ""
        say_line(f"{number}. {say(f'nfc.stage.{step.stage.value}', language)}{writes}")
    say_line(say("nfc.dry-run", language))


class Stages:
    """Shows the stages of a run; looking again while the card is awaited is no news."""

    def __init__(self) -> None:
        self._shown = ""

    def __call__(self, stage: Stage, number: int, of: int) -> None:
        count = f"{number}/{of} " if of else ""
        self.tell(f"{count}{say(f'nfc.stage.{stage.value}', spoken())}")

    def tell(self, line: str) -> None:
        """A line, once."""
        if line != self._shown:
            self._shown = line
            say_line(line)


def no_stage(_stage: Stage, _number: int, _of: int) -> None:
    """A survey has nothing to show."""


class UnheardError(Exception):
    """What was said did not get out of this process."""


def say_json(told: dict[str, Any]) -> None:
    """Say it on stdout, all of it. Raises UnheardError, and stdout is nobody's from then on."""
    try:
        print(json.dumps(told, ensure_ascii=False), flush=True)
    except (OSError, ValueError) as trouble:  # full, broken or closed; a terminal that knows no Chinese
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - what is left of it would be written at the end
        raise UnheardError(str(trouble)) from trouble


def say_line(line: str) -> None:
    """Say it on stderr. A run is not ended in the middle because nobody listens any more."""
    with suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)
