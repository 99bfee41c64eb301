"""Kills of every program and a bad line between them: nothing lost, nothing doubled, footage equal."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.faults import Run


def test_nothing_is_lost_or_doubled_whatever_is_killed(tmp_path: Path) -> None:
    outcome = Run(tmp_path, seed=7).play(rounds=2)
    assert outcome.good, outcome
    assert outcome.saved >= 25
    assert sum(outcome.kills.values()) >= 2
