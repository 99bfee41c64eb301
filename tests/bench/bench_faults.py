"""The fault matrix: real programs, a bad line between them, capture, sync and server killed at moments a seed chooses.

    CI_FAULTS_SEEDS=5 CI_FAULTS_ROUNDS=4 CI_FAULTS_LINES=refused,cut,lost,bent,slow,twice,all
    python -m tests.bench faults

For each kind of bad line (half of the connections are good, `all` mixes every kind) and each seed one run. A run that
finds a card lost or doubled, footage that differs or a chain that does not hold fails the whole.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.e2e.faults import Run
from tests.e2e.faulty_line import BAD, FATES

SEEDS = int(os.environ.get("CI_FAULTS_SEEDS", "5"))
FIRST = int(os.environ.get("CI_FAULTS_FIRST", "0"))
ROUNDS = int(os.environ.get("CI_FAULTS_ROUNDS", "4"))
LINES = os.environ.get("CI_FAULTS_LINES", ",".join((*BAD, "all"))).split(",")


def main() -> dict[str, float]:
    """Sums of what was saved, lost, doubled and killed, as JSON on stdout; each run on stderr. 1 when one was bad."""
    figures: Counter[str] = Counter(dict.fromkeys(("runs", "saved", "lost", "doubled", "footage differs"), 0))
    figures["broken chains"] = bad = 0
    for line in LINES:
        fates = FATES if line == "all" else ("good", line)
        for seed in range(FIRST, FIRST + SEEDS):
            begin_s = time.monotonic()
            with tempfile.TemporaryDirectory() as name:
                outcome = Run(Path(name), seed, fates).play(ROUNDS)
            print(line, seed, f"{time.monotonic() - begin_s:.0f} s", outcome, file=sys.stderr, flush=True)
            bad += not outcome.good
            figures.update({"runs": 1, "saved": outcome.saved, "lost": outcome.lost, "doubled": outcome.doubled})
            figures["footage differs"] += not outcome.footage_equal
            figures["broken chains"] += not outcome.chains_hold
            figures.update({f"kills {program}": count for program, count in outcome.kills.items()})
            figures.update({f"connections {fate}": count for fate, count in outcome.fates.items()})
    print(json.dumps(figures))
    if bad:
        raise SystemExit(f"{bad} of {figures['runs']} runs were bad")
    return dict(figures)


if __name__ == "__main__":
    main()
