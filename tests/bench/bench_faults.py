"""The fault matrix over many seeds: real programs, kills, a bad line.

python tests/bench/bench_faults.py [RUNS]
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.e2e.faults import Run


def main() -> dict[str, float]:
    """Run RUNS seeds (20); sums of what was saved, lost, doubled, killed, as JSON on stdout."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    figures: dict[str, float] = dict.fromkeys(("saved", "lost", "doubled", "footage differs", "broken chains"), 0)
    for seed in range(runs):
        with tempfile.TemporaryDirectory() as name:
            outcome = Run(Path(name), seed).play(rounds=4)
        print(seed, outcome, file=sys.stderr, flush=True)
        figures["saved"] += outcome.saved
        figures["lost"] += outcome.lost
        figures["doubled"] += outcome.doubled
        figures["footage differs"] += not outcome.footage_equal
        figures["broken chains"] += not outcome.chains_hold
        for program, count in outcome.kills.items():
            figures[f"kills {program}"] = figures.get(f"kills {program}", 0) + count
    figures["runs"] = runs
    print(json.dumps(figures))
    return figures


if __name__ == "__main__":
    main()
