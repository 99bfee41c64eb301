"""What happens on the simulated table by time: which chip lies in the field from when to when.

A deck is a TOML file; of it this module reads the tables `[[chip]]`, each with `at_s`, `until_s` (seconds from the
deck's beginning), `family` and `uid` (hex).
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hardware.errors import DeviceError, DeviceReason
from hardware.sim.nfc_chip import SimulatedChip
from hardware.sim.nfc_chips import make_chip


@dataclass(frozen=True, slots=True)
class ChipVisit:
    """One chip in the field from `at_s` until before `until_s`."""

    at_s: float
    uid_hex: str
    family: str
    until_s: float


class Table(Protocol):
    """Where chips are laid down: a simulated board."""

    def put(self, chip: SimulatedChip) -> None: ...

    def remove(self, uid: bytes) -> None: ...

    def watch(self, before_each_command: Callable[[], None]) -> None: ...


class ChipSchedule:
    """Lays chips down and takes them away as the clock goes on.

    It keeps no thread: the board calls `advance` before each command it obeys, so what a reader sees is right at any
    time and the same on every run.
    """

    def __init__(
        self, table: Table, visits: Sequence[ChipVisit], clock: Callable[[], float], epoch_s: float | None = None
    ) -> None:
        """`epoch_s` is the time on `clock` at which the deck begins; None: now.

        Raises ValueError for a chip that cannot be, or one that would lie there twice.
        """
        self._table = table
        self._clock = clock
        self._epoch_s = clock() if epoch_s is None else epoch_s
        self._visits = _chips(visits)
        self._lying: set[int] = set()
        table.watch(self.advance)

    def advance(self) -> None:
        """Bring the table up to now."""
        now_s = self._clock() - self._epoch_s
        due = {at for at, (visit, _) in enumerate(self._visits) if visit.at_s <= now_s < visit.until_s}
        for at in sorted(self._lying - due):
            self._table.remove(bytes.fromhex(self._visits[at][0].uid_hex))
        for at in sorted(due - self._lying):
            self._table.put(self._visits[at][1])
        self._lying = due


def _chips(visits: Sequence[ChipVisit]) -> list[tuple[ChipVisit, SimulatedChip]]:
    gone_at_s: dict[str, float] = {}
    for visit in sorted(visits, key=lambda visit: visit.at_s):
        if visit.at_s < gone_at_s.get(visit.uid_hex, visit.at_s):
            raise ValueError(f"chip {visit.uid_hex} would lie there twice at {visit.at_s} s")
        gone_at_s[visit.uid_hex] = visit.until_s
    return [(visit, make_chip(visit.family, visit.uid_hex)) for visit in visits]


def read_chip_visits(path: Path, address: str) -> list[ChipVisit]:
    """The chips of a deck, in its order. Raises DeviceError(MISSING, GARBLED) under `address`."""
    try:
        deck = tomllib.loads(path.read_text(encoding="utf-8"))
        visits = [_visit(entry) for entry in deck.get("chip", [])]
        _chips(visits)  # tells a wrong deck when it is opened, not in the middle
    except OSError as error:
        raise DeviceError(DeviceReason.MISSING, address, f"no such deck: {path.name}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DeviceError(DeviceReason.GARBLED, address, f"{path.name}: {error}") from error
    return visits


def _visit(entry: dict[str, Any]) -> ChipVisit:
    return ChipVisit(float(entry["at_s"]), str(entry["uid"]).upper(), str(entry["family"]), float(entry["until_s"]))
