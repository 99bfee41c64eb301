"""Times on the command line: seconds that are a number, not negative, and end."""

from __future__ import annotations

import argparse

_MOST_S = 1e9


def seconds(text: str) -> float:
    """As the `type` of an argument: argparse names it and ends with exit code 2."""
    try:
        told = float(text)
    except ValueError:
        told = -1.0
    if not 0.0 <= told <= _MOST_S:
        raise argparse.ArgumentTypeError(f"no number of seconds: {text!r}")
    return told
