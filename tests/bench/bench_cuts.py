"""Power cuts at the server: kill -9 of PostgreSQL with all its processes, of one or both processes of the centre.

    python tests/bench/bench_cuts.py [CUTS]

While stations send without a pause, at moments a seed chooses; what is lost, doubled or changed afterwards is counted.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.server.cuts import KINDS, Cuts


def main() -> dict[str, float]:
    """CUTS (20) over one centre; counts as JSON on stdout."""
    cuts = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    kinds = [random.Random(cuts * 1000 + n).choice(KINDS) for n in range(cuts)]
    with tempfile.TemporaryDirectory() as name:
        outcome = asdict(Cuts(Path(name), seed=cuts).play(kinds))
    outcome |= {f"kills: {kind}": count for kind, count in outcome.pop("cuts").items()}
    print(json.dumps(outcome))
    return outcome


if __name__ == "__main__":
    main()
