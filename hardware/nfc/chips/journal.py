"""What a run must not forget: the secrets it is about to put into a chip and how far it came.

The journal itself is kept by whoever calls; `save` has to have reached the disk when it returns.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from hardware.nfc.chips.outcome import Stage


@dataclass(frozen=True, slots=True)
class Entry:
    """One chip's run.

    `secrets`: PWD and PACK of a Type 2 chip ("pwd", "pack"), keys of a Classic ("3A", "3B" for sector 3). `stage`: the
    last irreversible one that was begun; `guarded_by_issuer`: the issuer's password stood in the way; `sealed`: ours
    was proved to be in the chip; `sectors`: those whose trailer was begun; `silent`: runs that ended because
    the chip neither obeyed nor refused.
    """

    uid: str
    family: str
    text: str
    secrets: tuple[tuple[str, bytes], ...] = field(repr=False)
    stage: Stage = Stage.IDENTIFY
    guarded_by_issuer: bool = False
    sealed: bool = False
    sectors: tuple[int, ...] = ()
    silent: int = 0

    def secret(self, name: str) -> bytes:
        return dict(self.secrets)[name]

    def at(self, stage: Stage, **changes: Any) -> Entry:
        """The entry when `stage` begins."""
        return replace(self, stage=stage, **changes)


class Journal(Protocol):
    """Entries by UID (hex, upper case)."""

    def load(self, uid: str) -> Entry | None:
        """What an earlier run left, None when there is nothing."""
        ...

    def save(self, entry: Entry) -> None:
        """Keep the entry; on disk when it returns."""
        ...

    def proved(self, uid: str) -> str:
        """The SHA-256 of the record by which this chip was proved off earlier; "" when there is none."""
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
        "silent": entry.silent,
    }


def entry_from_json(told: Any) -> Entry:
    """The entry again. Raises ValueError, KeyError or TypeError for anything else."""
    secrets = tuple((str(name), bytes.fromhex(value)) for name, value in told["secrets"].items())
    sectors = tuple(int(sector) for sector in told["sectors"])
    return Entry(
        str(told["uid"]),
        str(told["family"]),
        str(told["text"]),
        secrets,
        Stage(told["stage"]),
        bool(told["guarded_by_issuer"]),
        bool(told["sealed"]),
        sectors,
        int(told.get("silent", 0)),
    )
