"""Looks whether somebody waits for a second person's signature, while a supervisor is signed in who might give it.

How many do stands in the surroundings; what they ask for is shown where secrets are shown (`app.station.revealing`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from app.core.errors import EvidenceTrouble, Unavailable
from app.core.parcels import Operator
from app.core.readiness import Surroundings
from app.core.states import Idle, State
from app.station.rounds import Ground, Rounds


class Cosigning:
    """`count` gives how many requests of other people this one may sign; Unavailable and EvidenceTrouble count as none.

    `show` belongs to the station's: it is told of each state.
    """

    def __init__(self, ground: Ground, count: Callable[[Operator], int], every_s: float = 10.0) -> None:
        self._count, self._adjust = count, ground.adjust
        self._who: Operator | None = None
        self._told = 0
        self._guard = threading.Lock()  # the station's thread and the rounds' both tell
        self.rounds = Rounds("cosigning", self._go_round, every_s, ground.on_bug, first_s=every_s)

    def show(self, state: State, _around: Surroundings) -> None:
        """Somebody else may be at the desk now."""
        who = state.operator if isinstance(state, Idle) else None
        may_sign = who if who is not None and who.supervises else None
        with self._guard:
            if may_sign != self._who:
                self._who = may_sign
                self._tell(0)  # what was counted for one is not shown to the next

    def look(self) -> int:
        """Look now; how many wait."""
        who = self._who
        try:
            found = self._count(who) if who is not None else 0
        except (Unavailable, EvidenceTrouble):
            found = 0
        with self._guard:
            if who != self._who:
                return 0  # they left meanwhile
            self._tell(found)
        return found

    def _tell(self, found: int) -> None:
        if found != self._told:
            self._told = found
            self._adjust(lambda around: replace(around, cosign=found))

    def _go_round(self) -> None:
        self.look()
