"""How much of a measurement is done: `CARDINTAKE_BENCH_PART` of the promised counts (1 = all of them, default 0.02)."""

from __future__ import annotations

import os

PART = float(os.environ.get("CARDINTAKE_BENCH_PART", "0.02"))


def share(full: int, least: int = 1) -> int:
    """So many of `full`, at least `least`."""
    return max(least, round(full * PART))
