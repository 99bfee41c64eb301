"""Room for footage: what may be removed and what must stay; whether the files are those that the database knows.

Pure decisions, and one act (`remove_footage`). Footage goes only when the centre has it (a `durable` receipt) and
nobody holds it; the journal stays for ever, so that the chain from recording to recording never breaks.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from app.evidence.journal import NAME
from app.evidence.side import SIDE_GLOB
from app.platform import sync_folder

_FILE = re.compile(rb'"file":"((?:part|side)-[0-9a-f-]+\.bin)"')

FEW_MISSING = 2
"""So many recordings may be missing before nothing is removed any more …"""

MUCH_MISSING = 0.1
"""… or this share of all: then the disk is the wrong one, or somebody is clearing up."""


@dataclass(frozen=True, slots=True)
class Footage:
    """A closed recording on the disk: its name, when it was closed (µs since 1970), its bytes."""

    recording: str
    closed_wall_us: int
    size: int


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Rows against folders. `holed`: recordings whose journal is there, but not all pictures that it names.

    `stop`: so much is missing that a person has to look before anything is removed.
    """

    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    stop: bool
    holed: tuple[str, ...] = ()


def removable(
    footage: Sequence[Footage], durable: Collection[str], held: Collection[str], needed: int, keep_after_wall_us: int
) -> list[str]:
    """Names to remove until `needed` bytes are free again, oldest first; [] when nothing is needed.

    Never one without a durable receipt, one that is held, or one closed after `keep_after_wall_us`.
    """
    chosen: list[str] = []
    for one in sorted(footage, key=lambda one: one.closed_wall_us):
        if needed <= 0:
            break
        if one.recording in durable and one.recording not in held and one.closed_wall_us <= keep_after_wall_us:
            chosen.append(one.recording)
            needed -= one.size
    return chosen


def reconcile(
    rows: Collection[str], folder: Path, removed: Collection[str] = (), running: Collection[str] = ()
) -> Reconciled:
    """Compare the recordings that the database knows with those that lie in `folder`.

    `rows`: closed ones, whose files must be there; of those `removed` by the rules only the journal. `running`: others
    that it knows. Raises OSError for a journal that cannot be read.
    """
    there = {path.parent.name for path in folder.glob(f"*/{NAME}")} if folder.is_dir() else set()
    missing = tuple(sorted(set(rows) - there))
    whole = sorted((set(rows) & there) - set(removed))
    holed = tuple(name for name in whole if not all((folder / name / one).exists() for one in _named(folder / name)))
    much = len(missing) + len(holed) > max(FEW_MISSING, MUCH_MISSING * len(rows))
    return Reconciled(missing, tuple(sorted(there - set(rows) - set(running))), much, holed)


def _named(folder: Path) -> tuple[str, ...]:
    """The files of pictures that a recording's journal names. One that is closed is read once."""
    path = folder / NAME
    found = path.stat()
    return _named_in(path, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=10_000)
def _named_in(path: Path, _size: int, _mtime_ns: int) -> tuple[str, ...]:
    return tuple({name.decode() for name in _FILE.findall(path.read_bytes())})


def footage_in(folder: Path) -> int:
    """Bytes of a recording's pictures."""
    return sum(path.stat().st_size for path in pictures_in(folder))


def remove_footage(folder: Path) -> int:
    """Remove a recording's pictures, reviewable and sealed; its journal stays. Gives the bytes. Raises OSError."""
    freed = 0
    for path in pictures_in(folder):
        freed += path.stat().st_size
        path.unlink()
    sync_folder(folder)
    return freed


def pictures_in(folder: Path) -> list[Path]:
    """The files that hold pictures of a recording: reviewable ones, and those sealed to the vault."""
    return [*folder.glob("part-*.bin"), *folder.glob(SIDE_GLOB)]
