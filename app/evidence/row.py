"""A station's recordings as a row: each camera's recordings begin with the final hash of one before them.

So one that was taken away shows in the one behind it, and one that was filmed beside another in that one's chain. Not
so the last of a row: that nothing came behind it is known to the centre (heads, closings) and to the station's chain.
Where the rules removed the pictures the journal stays, and is checked alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from app.core.errors import EvidenceTrouble
from app.evidence.journal import NAME, NO_HASH
from app.evidence.ledger import load
from app.evidence.storage import pictures_in
from app.evidence.together import named_beside
from app.evidence.verify import OWN_WORD, Fault, Trust, Verdict, verify_recording
from app.evidence.witness import last_record


@dataclass(frozen=True, slots=True)
class Link:
    """One recording of the row. `followed`: another one begins with its final hash. `station_key` (hex): whose it says
    it is, "" for nobody's or one that cannot be read.
    """

    folder: Path
    verdict: Verdict
    followed: bool
    station_key: str


@dataclass(frozen=True, slots=True)
class _Told:
    """What a recording's own records say of its place: by role its hash at the end, and that of the one before."""

    role: str
    head: str
    previous: str
    wall_us: int
    station_key: str
    beside: list[tuple[int, str]]


def recordings_in(folder: Path) -> list[Path]:
    """The recordings that lie in a folder, by name."""
    return sorted(path.parent for path in folder.glob(f"*/{NAME}"))


def verify_row(
    folders: list[Path],
    public_key: str | None = None,
    key_of: Callable[[Path], bytes | None] = lambda _folder: None,
    trust: Trust = OWN_WORD,
) -> list[Link]:
    """Check all recordings of a station, in whatever order they come; gives them by the time at which they began.

    One that begins with the hash of a recording that is not here, or whose chain names one beside it that is not, has
    the fault evidence.recording_missing. The rest as `verify_recording`; `key_of` gives a recording's key.
    """
    told = {folder: found for folder in folders if (found := _told_by(folder)) is not None}
    ends = {(one.role, end) for folder, one in told.items() for end in (one.head, _claimed_end(folder))}
    begun_with = {(one.role, one.previous) for one in told.values()}
    names = {folder.name for folder in folders}
    links = []
    for folder in sorted(folders, key=lambda one: (told[one].wall_us if one in told else 0, one.name)):
        gone = not pictures_in(folder)
        content = None if gone else key_of(folder)
        verdict = verify_recording(folder, public_key, content, trust=trust, journal_only=gone)
        mine = told.get(folder)
        fault = _misplaced(mine, ends, names) if mine is not None and verdict.ok else None
        followed = mine is not None and (mine.role, mine.head) in begun_with
        key = "" if mine is None else mine.station_key
        links.append(Link(folder, replace(verdict, fault=fault) if fault else verdict, followed, key))
    return links


def _misplaced(mine: _Told, ends: set[tuple[str, str]], names: set[str]) -> Fault | None:
    if mine.previous != NO_HASH and (mine.role, mine.previous) not in ends:
        return Fault("evidence.recording_missing", 0, detail="previous")
    away = next(((record, name) for record, name in mine.beside if name not in names), None)
    return None if away is None else Fault("evidence.recording_missing", away[0], detail=away[1])


def _told_by(folder: Path) -> _Told | None:
    try:
        ledger = load(folder)
    except EvidenceTrouble:
        return None  # its own verdict names what is wrong with it
    genesis = ledger.genesis
    began = str(genesis["previous"]), int(genesis["wall_us"]), str(genesis["station_key"])
    return _Told(ledger.role, ledger.head, *began, named_beside(folder, ledger))


def _claimed_end(folder: Path) -> str:
    """What a damaged journal says is its last hash: it is there, and what is wrong with it is told of itself."""
    last = last_record(folder)
    return "" if last is None else str(last[1].get("chain", ""))
