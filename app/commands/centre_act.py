"""A centre opened for one act of an administrator: where it lies, and who does it, as its log will tell.

In whose name: `--by NAME`, else that of the user of the operating system.
"""

from __future__ import annotations

import argparse
import getpass
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.core.errors import BadInput
from app.server.setup import OpenCentre, open_centre


@dataclass(frozen=True, slots=True)
class Act:
    """On which centre, when (ms since 1970), in whose name."""

    centre: OpenCentre
    now_ms: int
    by: str


def add_by(parser: argparse.ArgumentParser) -> None:
    """The option that says in whose name something is done."""
    parser.add_argument("--by", default="", metavar="NAME", help="who does it, for the log (default: this OS user)")


def folder_of(args: argparse.Namespace) -> Path:
    """The centre's folder: what is done is signed into the log, and the key for that lies there.

    Raises BadInput("serve.not_initialised").
    """
    if args.data is None:
        raise BadInput("serve.not_initialised", "--data DIR")
    return Path(args.data)


@contextmanager
def acting(args: argparse.Namespace, objects: str = "") -> Iterator[Act]:
    """Open it for what is done inside. `objects`: where chunks lie, if not in the folder. Raises as `open_centre`."""
    centre = open_centre(folder_of(args), args.database, objects, connections=2)
    try:
        yield Act(centre, time.time_ns() // 1_000_000, str(args.by or f"os:{getpass.getuser()}"))
    finally:
        centre.engine.dispose()
