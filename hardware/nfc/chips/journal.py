"""What a run must not forget: the secrets it is about to put into a chip and how far it came.

The journal itself is kept by whoever calls; `save` has to have reached the disk when it returns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from hardware.nfc.chips.access import SECTORS
from hardware.nfc.chips.layout import LAYOUTS
from hardware.nfc.chips.outcome import Stage

_KEY = 6


class DamagedError(Exception):
    """An earlier run began this chip, and what it left cannot be read any more: its secrets are gone."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One chip's run.

    `secrets`: PWD and PACK of a Type 2 chip ("pwd", "pack"), keys of a Classic ("3A", "3B" for sector 3). `stage`: the
    last irreversible one that was begun; `guarded_by_issuer`: the issuer's password stood in the way; `sealed`: ours
    was proved to be in the chip; `sectors`: those whose trailer was begun; `runs`: what each run so far saw and said
    (`evidence.told`), the one under way with the irreversible writes that it was about to make. `old_keys`: those that
    a Classic's sectors were found with, named as in `secrets`, before anything was written: without them nobody could
    tell a sector that is still as it came from one that no key opens any more.
    """

    uid: str
    family: str
    text: str
    secrets: tuple[tuple[str, bytes], ...] = field(repr=False)
    stage: Stage = Stage.IDENTIFY
    guarded_by_issuer: bool = False
    sealed: bool = False
    sectors: tuple[int, ...] = ()
    runs: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    old_keys: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)

    def secret(self, name: str) -> bytes:
        return dict(self.secrets)[name]

    def at(self, stage: Stage, **changes: Any) -> Entry:
        """The entry when `stage` begins."""
        return replace(self, stage=stage, **changes)


@dataclass(frozen=True, slots=True)
class Witness:
    """What is left of a closed Classic's keys: one key B, by which that very chip is told from another with its UID.

    Behind the access bits that were written nothing can be read or changed with it. `record`: the SHA-256 of the
    evidence record of the run that proved the chip off.
    """

    sector: int
    key: bytes = field(repr=False)
    record: str = ""


Announce = Callable[[Entry, Stage, str], None]
"""Called before an irreversible write, with the entry as it is then, the stage and the write as the evidence tells it.

Entry and write have to be on disk when it returns.
"""


class Journal(Protocol):
    """Entries by UID (hex, upper case)."""

    def load(self, uid: str) -> Entry | None:
        """What an earlier run left, None when there is nothing. Raises DamagedError."""
        ...

    def begun(self, uid: str) -> bool:
        """Whether a run began this chip that was not proved, also where nothing of it can be read any more."""
        ...

    def save(self, entry: Entry) -> None:
        """Keep the entry; on disk when it returns."""
        ...

    def unfinished(self) -> tuple[str, ...]:
        """The UIDs of the chips that a run began, and that are neither proved off nor given up."""
        ...

    def witnesses(self, uid: str) -> tuple[Witness, ...]:
        """One for each chip with this UID that was proved off earlier and has no keys left."""
        ...

    def silent(self, uid: str) -> int:
        """Runs in a row in which this chip gave no answer, or none that says anything."""
        ...

    def count_silent(self, uid: str, runs: int) -> None:
        """Keep that number; on disk when it returns."""
        ...


def entry_to_json(entry: Entry) -> dict[str, Any]:
    """The entry as JSON values."""
    return {
        "uid": entry.uid,
        "family": entry.family,
        "text": entry.text,
        "secrets": {name: value.hex() for name, value in entry.secrets},
        "stage": entry.stage.value,
        "guarded_by_issuer": entry.guarded_by_issuer,
        "sealed": entry.sealed,
        "sectors": list(entry.sectors),
        "runs": list(entry.runs),
        "old_keys": [[name, value.hex()] for name, value in entry.old_keys],
    }


def entry_from_json(told: Any) -> Entry:
    """The entry again. Raises ValueError for anything that is not a whole one."""
    try:
        entry = Entry(
            str(told["uid"]),
            str(told["family"]),
            str(told["text"]),
            tuple((str(name), bytes.fromhex(value)) for name, value in told["secrets"].items()),
            Stage(told["stage"]),
            bool(told["guarded_by_issuer"]),
            bool(told["sealed"]),
            tuple(int(sector) for sector in told["sectors"]),
            tuple(_run(run) for run in told.get("runs", ())),
            tuple((str(name), bytes.fromhex(value)) for name, value in told.get("old_keys", ())),
        )
    except (KeyError, TypeError, AttributeError) as wrong:
        raise ValueError("not an entry") from wrong
    _check(entry)
    return entry


def _check(entry: Entry) -> None:
    """Names and lengths are those of the family. Raises ValueError."""
    sectors = next((number for family, number in SECTORS.items() if family == entry.family), 0)
    keys = {f"{number}{kind}": _KEY for number in range(sectors) for kind in "AB"}
    wanted = {"pwd": 4, "pack": 2} if entry.family in LAYOUTS else keys
    whole = {name: len(value) for name, value in entry.secrets} == wanted != {}
    whole = whole and all(keys.get(name) == len(value) for name, value in entry.old_keys)
    if not whole or not set(entry.sectors) <= set(range(sectors)):
        raise ValueError("not an entry of this family")


def _run(told: Any) -> dict[str, Any]:
    """An earlier run as `evidence.with_run` goes on with it. Raises KeyError, TypeError, ValueError."""
    run = dict(told)
    if not isinstance(run["verdict"], str) or not isinstance(run["why"], str):
        raise TypeError("a run without an end")
    if run.get("wrote") == "nothing" and not isinstance(run["times"], int):
        raise TypeError("a run that is not counted")
    return run
