"""What the rule of keeping removed once the centre held it: `cardintake verify STATION` knows it from theft."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.__main__ import main
from app.core.audit import EventKind
from app.evidence.storage import footage_in, remove_footage
from app.server.setup import OpenCentre
from app.server.tables import event
from app.station.clock import Clock
from app.station.keeping import Keeping, Kept, Rules
from app.station.rounds import Ground
from app.store.db import reading
from tests.sync.test_footage import STAMP, bring, durable, film

DAY_US = 86_400_000_000
EVERYTHING = 2**62  # more than any disk has free


@dataclass(frozen=True, slots=True)
class Later(Clock):
    """So many days after the recordings were closed."""

    days: int = 0

    def wall_us(self) -> int:
        return STAMP.wall_us + self.days * DAY_US


def look(party: Any, recordings: Path, days: int) -> Kept:
    """The station makes room by its own rules, and measures the disk itself."""
    ground = Ground(party.writer, Later("boot", days), lambda _change: None, party.crashes.append)
    return Keeping(ground, recordings, Rules(keep_days=30, keep_free_bytes=EVERYTHING)).look()


def kinds_at(centre: OpenCentre, station: str) -> list[str]:
    """What the centre has been told, and acted on."""
    wanted = select(event.c.kind).where(event.c.station == station, event.c.quarantine == "").order_by(event.c.seq)
    with reading(centre.engine) as connection:
        return list(connection.execute(wanted).scalars())


def test_what_the_rule_removed_is_in_order_and_what_somebody_removed_is_not(
    party: Any, centre: OpenCentre, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recordings = tmp_path / "recordings"
    (tmp_path / "REHEARSAL").write_text('{"footage": "", "boot": ""}')

    def told() -> tuple[int, list[str], list[str], list[str]]:
        status = main(["verify", str(tmp_path)])
        report = json.loads(capsys.readouterr().out)
        return status, report["without_pictures"], report["removed_by_rules"], report["wrong"]

    bring(party, film(party, recordings / "r-1"))
    film(party, recordings / "r-2")
    assert (durable(party), durable(party, "r-2")) == (True, False)
    assert look(party, recordings, 29).removed == ()  # too young
    assert told() == (0, [], [], [])
    kept = look(party, recordings, 31)
    assert (kept.removed, kept.freed > 0) == (("r-1",), True)  # of the other one the centre has nothing
    assert (footage_in(recordings / "r-1"), footage_in(recordings / "r-2") > 0) == (0, True)
    assert told() == (0, ["r-1"], ["r-1"], [])
    assert look(party, recordings, 32).removed == ()
    bring(party, recordings / "r-2")
    assert EventKind.FOOTAGE_REMOVED in kinds_at(centre, party.store.station)
    assert told() == (0, ["r-1"], ["r-1"], [])
    remove_footage(recordings / "r-2")  # the centre holds it too by now, but no rule has done this
    assert told() == (5, ["r-1", "r-2"], ["r-1"], [])
