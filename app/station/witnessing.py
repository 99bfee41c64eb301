"""Tells the centre the heads of recordings that run, at most every eight seconds, by events of the station's chain.

From what the centre acknowledged on, nobody who gets hold of the station's key can sign that footage anew, or cut off
its end, without contradicting the centre. The journal is only read, at its end; no recorder waits for this.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from app.evidence.witness import last_record
from app.station.rounds import Ground, Rounds
from app.store.witnessed import note_head


class Witnessing:
    """Looks now and then. `nudge`: something waits for the centre."""

    def __init__(self, ground: Ground, recordings: Path, nudge: Callable[[], None], every_s: float = 8.0) -> None:
        self._store, self._clock = ground.store, ground.clock
        self._recordings, self._nudge = recordings, nudge
        self.rounds = Rounds("witness-heads", self._go_round, every_s, ground.on_bug, first_s=every_s)

    def look(self) -> int:
        """Tell the heads of all that runs; how many were new. Raises StorageTrouble."""
        told = 0
        for running in self._store.call(lambda store: store.unclosed_recordings()):
            last = last_record(self._recordings / running.recording_id)
            if last is None or last[1]["kind"] == "close":  # its closing is an event of its own
                continue
            n, head, stamp, name = int(last[1]["n"]), str(last[1]["chain"]), self._clock.stamp(), running.recording_id
            told += self._store.call(lambda store: note_head(store.ledger, name, n, head, stamp))  # noqa: B023  at once
        if told:
            self._nudge()
        return told

    def _go_round(self) -> None:
        self.look()
