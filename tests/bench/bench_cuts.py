"""Power cuts at the server: at moments a seed chooses, while stations send without a pause.

    CI_CUTS_PARTS=kills,sqlite,postgresql,unsynced python tests/bench/bench_cuts.py [CUTS]

`kills`               kill -9 of PostgreSQL with all its processes, of one or both processes of the centre
`sqlite` `postgresql` only what was synced survives, and any part of the rest (tests/server/power_cuts.py)
`unsynced`            the same where nobody waits for the disk: what is missing then shows that the others would see it

CUTS (20) of each; what is lost, doubled or changed afterwards is counted. JSON on stdout.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.server.cuts import KINDS, Cuts
from tests.server.power_cuts import NOT_SYNCED, PowerCuts

PARTS = os.environ.get("CI_CUTS_PARTS", "kills,sqlite,postgresql,unsynced").split(",")


def kills(folder: Path, cuts: int) -> dict[str, float]:
    """One centre over PostgreSQL."""
    kinds = [random.Random(cuts * 1000 + n).choice(KINDS) for n in range(cuts)]
    outcome = asdict(Cuts(folder, seed=cuts).play(kinds))
    return outcome | {f"kills: {kind}": count for kind, count in outcome.pop("cuts").items()}


def power(folder: Path, cuts: int, *, postgres: bool) -> dict[str, float]:
    """One centre, cut again and again."""
    return _told(PowerCuts(folder, seed=cuts, postgres=postgres), cuts)


def unsynced(folder: Path, cuts: int) -> dict[str, float]:
    """Until something is missing. PostgreSQL with fsync=off, SQLite with synchronous=NORMAL."""
    off = PowerCuts(folder / "pg", seed=1, postgres=True, options=("-c", "fsync=off"))
    normal = PowerCuts(folder / "sqlite", seed=1, postgres=False, serve=NOT_SYNCED)
    told = {"postgresql: ": _told(off, cuts), "sqlite: ": _told(normal, cuts)}
    return {name + what: value for name, found in told.items() for what, value in found.items()}


def _told(cuts: PowerCuts, times: int) -> dict[str, float]:
    outcome = asdict(cuts.play(times))
    end = outcome.pop("end") or {}
    return outcome | {f"end: {what}": value for what, value in end.items() if what != "cuts"}


def main() -> dict[str, float]:
    """Counts of each part, its name before each."""
    cuts = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        for part in PARTS:
            folder = Path(name) / part
            folder.mkdir()
            match part:
                case "kills":
                    found = kills(folder, cuts)
                case "unsynced":
                    found = unsynced(folder, cuts)
                case _:
                    found = power(folder, cuts, postgres=part == "postgresql")
            figures |= {f"{part}: {what}": value for what, value in found.items()}
            print(json.dumps({part: found}), flush=True)
    return figures


if __name__ == "__main__":
    main()
