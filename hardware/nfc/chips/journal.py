"""What a run must not forget: the secrets it is about to put into a chip and how far it came.

The journal itself is kept by whoever calls; `save` has to have reached the disk when it returns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from hardware.nfc.chips.outcome import Stage


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
        """What an earlier run left, None when there is nothing."""
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
    """The entry again. Raises ValueError, KeyError or TypeError for anything else."""
    secrets = tuple((str(name), bytes.fromhex(value)) for name, value in told["secrets"].items())
    sectors = tuple(int(sector) for sector in told["sectors"])
    old_keys = tuple((str(name), bytes.fromhex(value)) for name, value in told.get("old_keys", ()))
    return Entry(
        str(told["uid"]),
        str(told["family"]),
        str(told["text"]),
        secrets,
        Stage(told["stage"]),
        bool(told["guarded_by_issuer"]),
        bool(told["sealed"]),
        sectors,
        tuple(dict(run) for run in told.get("runs", ())),
        old_keys,
    )
