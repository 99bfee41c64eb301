"""Asks a time-stamp authority for a token of every closed recording, in a thread that nothing waits for.

Offline the recordings wait; when the authority is asked again lies in the database, so that another start of the
program does not shorten the pause. A token is checked before it is kept; its event follows it.
"""

from __future__ import annotations

import hashlib
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.x509 import Certificate

from app.core.errors import EvidenceTrouble, Trouble, Unavailable
from app.core.readiness import StampFacts
from app.evidence.timestamp import TOKEN_FILE, read_roots, stamp_head
from app.settings import RecordingSettings
from app.station.rounds import Ground, Rounds
from app.store.results import RetryState
from app.store.tokens import Unstamped, note_token, unstamped
from app.sync.authority import Authority
from app.sync.client import require_loopback
from app.sync.pace import after_failure

_log = logging.getLogger(__name__)

_LANE = "time-token"
_LOOK_S = 30.0
_LONGEST_WAIT_MS = 2 * 3_600_000


@dataclass(frozen=True, slots=True)
class StampPlan:
    """Who is asked, whose word counts, and where recordings lie."""

    authority: Authority
    roots: tuple[Certificate, ...]
    recordings: Path


def stamp_plan(kept: RecordingSettings, root: Path, recordings: Path, rehearsal: bool) -> StampPlan | None:
    """The plan of a station's settings, None where no authority is named. `root`: where a relative path begins.

    Raises BadInput: tsa.no_roots (no certificate to check its word by), sync.rehearsal_off_loopback.
    """
    if not kept.tsa_url:
        return None
    if rehearsal:
        require_loopback(kept.tsa_url)
    roots = read_roots(root / kept.tsa_ca if kept.tsa_ca else None)
    return StampPlan(Authority(kept.tsa_url), roots, recordings)


class Stamping:
    """Looks now and then. `chance` gives 0..1."""

    def __init__(self, ground: Ground, plan: StampPlan, chance: Callable[[], float] = random.random) -> None:
        self._store, self._clock, self._adjust = ground.store, ground.clock, ground.adjust
        self._plan, self._chance = plan, chance
        self._passed: set[str] = set()  # whose folder is away or damaged: told once
        self._code = ""
        self.rounds = Rounds("time-stamp", self.look, _LOOK_S, ground.on_bug, cut_short=plan.authority.stop)

    def look(self) -> float:
        """Ask for what is wanted, if it is time; how long to wait then (s). Raises StorageTrouble."""
        before = self._store.call(lambda store: store.retry_state(_LANE))
        now_ms = self._now_ms()
        wanted = self._wanted()
        if wanted and now_ms < before.next_try_ms <= now_ms + _LONGEST_WAIT_MS:
            self._tell(len(wanted), before.next_try_ms)
            return min(_LOOK_S, (before.next_try_ms - now_ms) / 1000)
        for n, one in enumerate(wanted):
            trouble = self._stamp(one)
            if self.rounds.ending:
                return 0.0
            if trouble is not None:
                return self._put_off(before, trouble, len(wanted) - n)
            if before.failures:
                before = RetryState()
                self._store.call(lambda store: store.save_retry(RetryState(), _LANE))
        self._code = ""
        self._tell(len(self._wanted()), 0)
        return _LOOK_S

    def _wanted(self) -> list[Unstamped]:
        found = self._store.call(lambda store: unstamped(store.ledger))
        return [one for one in found if one.recording_id not in self._passed]

    def _stamp(self, one: Unstamped) -> Trouble | None:
        """Get and keep a recording's token; what is wrong with the authority, None also where the recording is."""
        folder = self._plan.recordings / one.recording_id
        there = (folder / TOKEN_FILE).exists()
        try:
            stamped = stamp_head(folder, one.final_hash, self._plan.authority.post, self._plan.roots)
            sha256 = hashlib.sha256((folder / TOKEN_FILE).read_bytes()).hexdigest()
        except (Unavailable, EvidenceTrouble) as trouble:
            if not there:
                return trouble
            self._pass(one, trouble.code)  # a token by nobody we know lies there: not ours to overwrite
            return None
        except OSError as trouble:
            self._pass(one, type(trouble).__name__)
            return None
        stamped_us, stamp = round(stamped.timestamp() * 1e6), self._clock.stamp()
        self._store.call(lambda store: note_token(store.ledger, one.recording_id, stamped_us, sha256, stamp))
        return None

    def _pass(self, one: Unstamped, why: str) -> None:
        self._passed.add(one.recording_id)
        _log.warning("no time-stamp for a recording", extra={"detail": why})

    def _put_off(self, before: RetryState, trouble: Trouble, waiting: int) -> float:
        after = after_failure(before, self._now_ms(), self._chance)
        self._store.call(lambda store: store.save_retry(after, _LANE))
        self._code = trouble.code
        _log.warning("time-stamps wait: %s", trouble.code)
        self._tell(waiting, after.next_try_ms)
        return max(0.0, (after.next_try_ms - self._now_ms()) / 1000)

    def _tell(self, waiting: int, next_try_ms: int) -> None:
        facts = StampFacts(True, waiting, next_try_ms, self._code)
        self._adjust(lambda around: replace(around, stamps=facts))

    def _now_ms(self) -> int:
        return self._clock.wall_us() // 1000
