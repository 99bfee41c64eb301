"""Power cuts at the server: PostgreSQL and the centre's processes killed while stations send."""

from __future__ import annotations

from pathlib import Path

from tests.server.cuts import KINDS, Cuts


def test_what_was_acknowledged_is_there_after_every_cut_and_once(tmp_path: Path) -> None:
    outcome = Cuts(tmp_path, seed=6, stations=2).play(list(KINDS))
    assert outcome.good, outcome
    assert outcome.acknowledged > 10
    assert outcome.cuts == dict.fromkeys(KINDS, 1)
