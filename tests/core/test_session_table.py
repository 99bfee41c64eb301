"""The whole table of states and events as a golden file, so that each cell is somebody's decision.

`CARDINTAKE_REWRITE_GOLDEN=1` writes it anew; then read the difference before it is committed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import get_args

from app.core.events import Event, Key, KeyPressed
from app.core.session import Outcome, step
from app.core.states import State
from tests.core.examples import EVENTS, STATES
from tests.core.making import RULES

GOLDEN = Path(__file__).parent / "golden" / "session_table.md"


def _cell(kind: type[State], event: type) -> str:
    """Handled when any example changes something, ignored when none does; unexpected counts first."""
    outcomes = [(state, step(state, what, RULES)) for state in STATES[kind] for what in EVENTS[event]]
    if not all(outcome.expected for _, outcome in outcomes):
        return "unexpected"
    touched = any(outcome.state != state or outcome.effects for state, outcome in outcomes)
    return "handled" if touched else "ignored"


def _led_to(before: State, outcome: Outcome) -> str:
    names = [type(effect).__name__ for effect in outcome.effects]
    moved = type(outcome.state) is not type(before)
    target = f"→ {type(outcome.state).__name__}" if moved else ("changed" if outcome.state != before else "")
    return " ".join([target, *names]).strip()


def _keys(kind: type[State]) -> list[str]:
    """What each key does in this state, over all its examples; keys that do nothing are left out."""
    lines = []
    for event in EVENTS[KeyPressed]:
        assert isinstance(event, KeyPressed)
        found = dict.fromkeys(_led_to(state, step(state, event, RULES)) for state in STATES[kind])
        told = " / ".join(text for text in found if text)
        name = f"{event.digit}" if event.key is Key.DIGIT else event.key.value
        if told:
            lines.append(f"- `{name}` {told}")
    return lines


def _table() -> str:
    names = [kind.__name__ for kind in get_args(State)]
    lines = ["# Session: state × event", "", "| | " + " | ".join(names) + " |", "| --- " * (len(names) + 1) + "|"]
    for event in get_args(Event):
        cells = " | ".join(_cell(kind, event) for kind in get_args(State))
        lines.append(f"| {event.__name__} | {cells} |")
    lines += ["", "# Keys", ""]
    for kind in get_args(State):
        lines += [f"## {kind.__name__}", "", *(_keys(kind) or ["- none"]), ""]
    return "\n".join(lines)


def test_examples_cover_every_state_and_event() -> None:
    assert set(STATES) == set(get_args(State))
    assert set(EVENTS) == set(get_args(Event))


def test_the_table_is_as_it_was_decided() -> None:
    found = _table()
    if os.environ.get("CARDINTAKE_REWRITE_GOLDEN"):
        GOLDEN.write_text(found, encoding="utf-8")
    assert found == GOLDEN.read_text(encoding="utf-8")
