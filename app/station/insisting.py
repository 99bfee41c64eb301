"""What must be written for the film to go on: the store is asked again until it takes it.

A store may say no for a while: its disk is full, or it was put back to an earlier state and waits for the centre's word
before anything may be added to its chain. Who waits is told of the first no; nobody need do anything for the next try.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from app.core.errors import Trouble
from app.station.rounds import Rounds
from app.store.store import Store
from app.store.writer import StoreWriter

T = TypeVar("T")
_log = logging.getLogger(__name__)

AGAIN_S = 2.0


@dataclass(frozen=True, slots=True)
class _Owed:
    """A piece of work, and who is told when it is done."""

    work: Callable[[Store], Any]
    done: Callable[[Any], None]


class Insisting:
    """Has the store do pieces of work, each under a name; a newer one of the same name takes the older one's place.

    What is owed is tried again in the order in which it was first wanted. What is owed when the rounds stop is found at
    the next start: an unclosed recording, an unfinished parcel.
    """

    def __init__(self, store: StoreWriter, on_bug: Callable[[Exception], None], again_s: float = AGAIN_S) -> None:
        self._store = store
        self._owed: dict[str, _Owed] = {}
        self._guard = threading.Lock()
        self.rounds = Rounds("insisting", self._again, again_s, on_bug, first_s=again_s)

    def write(
        self, name: str, work: Callable[[Store], T], done: Callable[[T], None], refused: Callable[[Trouble], None]
    ) -> None:
        """Do it now, or as soon as the store takes it. `work` must change nothing when it is done twice.

        On the writer's thread: `done` once with its value, `refused` at most once, if the first try fails.
        """
        with self._guard:
            owed = self._owed[name] = _Owed(work, done)
        self._try(name, owed, refused)

    def drop(self, name: str) -> None:
        """It is not wanted any more; one that is under way may still be done, and nobody is told."""
        with self._guard:
            self._owed.pop(name, None)

    def _try(self, name: str, owed: _Owed, refused: Callable[[Trouble], None]) -> None:
        def done(answer: Any) -> None:
            if self._settled(name, owed):
                owed.done(answer)

        self._store.submit(owed.work, done, refused)

    def _settled(self, name: str, owed: _Owed) -> bool:
        """Whether this was still the newest of its name."""
        with self._guard:
            newest = self._owed.get(name) is owed
            if newest:
                del self._owed[name]
            return newest

    def _again(self) -> None:
        with self._guard:
            owed = dict(self._owed)
        for name, one in owed.items():
            self._try(name, one, partial(_still_no, name))


def _still_no(name: str, trouble: Trouble) -> None:
    _log.warning("%s: %s", name, trouble.code)
