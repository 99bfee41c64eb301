"""Bounds of what is typed beside a command."""

from __future__ import annotations

import argparse

from app.core.errors import BadInput

MOST_THREADS = 64


def add_threads(parser: argparse.ArgumentParser) -> None:
    """How many threads read text; `refuse_threads` judges what was given."""
    parser.add_argument("--threads", type=int, default=2, help=f"for text recognition, 1 to {MOST_THREADS}")


def refuse_threads(threads: int) -> None:
    """Raises BadInput("usage.count") for a number of threads that no reader begins with."""
    if not 1 <= threads <= MOST_THREADS:
        raise BadInput("usage.count", f"--threads {threads}: 1 to {MOST_THREADS}")
