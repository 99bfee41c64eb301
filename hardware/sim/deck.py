"""What happens on the simulated table by time: which chip lies in the field from when to when.

A deck is a TOML file; of it this module reads the tables `[[chip]]`, each with `at_s`, `until_s` (seconds from the
deck's beginning), `family` and `uid` (hex). A chip that comes twice is the same chip: what was written to it stays.
The file may be written anew while it is played: that is how a rehearsal's hand lays a card on the reader.
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


def as_made(chip: SimulatedChip) -> SimulatedChip:
    """A chip fresh from the factory."""
    return chip


class ChipSchedule:
    """Lays chips down and takes them away as the clock goes on.

    It keeps no thread: the board calls `advance` before each command it obeys, so what a reader sees is right at any
    time and the same on every run.
    """

    def __init__(
        self,
        table: Table,
        visits: Sequence[ChipVisit],
        clock: Callable[[], float],
        epoch_s: float | None = None,
        reread: Callable[[], Sequence[ChipVisit] | None] = lambda: None,
        take: Callable[[SimulatedChip], SimulatedChip] = as_made,
    ) -> None:
        """`epoch_s` is the time on `clock` at which the deck begins; None: now. `reread` gives a deck that changed.

        `take` is asked once for each chip, and may give it as it was left the last time.

        Raises ValueError for a chip that cannot be, or one that would lie there twice.
        """
        self._table = table
        self._clock = clock
        self._epoch_s = clock() if epoch_s is None else epoch_s
        self._reread = reread
        self._take = take
        self._chips: dict[str, SimulatedChip] = {}
        self._visits = self._checked(visits)
        self._lying: set[str] = set()
        table.watch(self.advance)

    def advance(self) -> None:
        """Bring the table up to now."""
        fresh = self._reread()
        if fresh is not None:
            self._visits = self._checked(fresh)
        now_s = self._clock() - self._epoch_s
        due = {visit.uid_hex for visit in self._visits if visit.at_s <= now_s < visit.until_s}
        for uid in sorted(self._lying - due):
            self._table.remove(bytes.fromhex(uid))
        for uid in sorted(due - self._lying):
            self._table.put(self._chips[uid])
        self._lying = due

    def _checked(self, visits: Sequence[ChipVisit]) -> Sequence[ChipVisit]:
        """The visits, each chip of them made once."""
        _check(visits)
        for visit in visits:
            if visit.uid_hex not in self._chips:
                self._chips[visit.uid_hex] = self._take(make_chip(visit.family, visit.uid_hex))
        return visits


def _check(visits: Sequence[ChipVisit]) -> None:
    """Raises ValueError for a script that cannot happen."""
    gone_at_s: dict[str, float] = {}
    for visit in sorted(visits, key=lambda visit: visit.at_s):
        if visit.at_s < gone_at_s.get(visit.uid_hex, visit.at_s):
            raise ValueError(f"chip {visit.uid_hex} would lie there twice at {visit.at_s} s")
        gone_at_s[visit.uid_hex] = visit.until_s


def read_chip_visits(path: Path, address: str) -> list[ChipVisit]:
    """The chips of a deck, in its order. Raises DeviceError(MISSING, GARBLED) under `address`."""
    try:
        deck = tomllib.loads(path.read_text(encoding="utf-8"))
        visits = [_visit(entry) for entry in deck.get("chip", [])]
        _check(visits)  # tells a wrong deck when it is opened, not in the middle
        for visit in visits:
            make_chip(visit.family, visit.uid_hex)
    except OSError as error:
        raise DeviceError(DeviceReason.MISSING, address, f"no such deck: {path.name}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DeviceError(DeviceReason.GARBLED, address, f"{path.name}: {error}") from error
    return visits


def _visit(entry: dict[str, Any]) -> ChipVisit:
    return ChipVisit(float(entry["at_s"]), str(entry["uid"]).upper(), str(entry["family"]), float(entry["until_s"]))


class DeckFile:
    """A deck on the disk that may be written anew while it is played."""

    def __init__(self, path: Path, address: str) -> None:
        self._path, self._address = path, address
        self._seen = self._state()

    def reread(self) -> list[ChipVisit] | None:
        """The visits, when the file is another than at the last look and a deck; else None."""
        now = self._state()
        if now == self._seen:
            return None
        self._seen = now
        try:
            return read_chip_visits(self._path, self._address)
        except DeviceError:
            return None  # what was there goes on

    def _state(self) -> tuple[int, int] | None:
        try:
            told = self._path.stat()
        except OSError:
            return None
        return told.st_mtime_ns, told.st_ino
