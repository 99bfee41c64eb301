"""What `cardintake station sync` says while it works, and when it ends.

stderr: a line for every change, `STATE UNSENT CODE`; a trouble in words when it begins, and once a minute for how long
it has lasted. stdout: one JSON object at the end: what the centre has, what is still here, and why.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from app.commands.complaint import complain, spoken
from app.core.errors import EvidenceTrouble, Trouble
from app.core.readiness import SyncState
from app.store.writer import StoreWriter
from app.sync.exchange import Waiting
from app.sync.worker import SyncReport
from ui.texts import say

_LOOK_S = 0.5
_REMIND_S = 60.0


def follow(
    heard: SimpleQueue[SyncReport | Exception],
    writer: StoreWriter,
    *,
    until_idle: bool,
    give_up_s: int = 0,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Tell what is heard until a person has to look, nothing waits any more (`until_idle`), or nothing got on for
    `give_up_s` (0: never). Raises Trouble: the code of what stopped it, of a recording that cannot be brought, or
    sync.gave_up; EvidenceTrouble where that is because something that was shown does not verify. What is left is told
    before.
    """
    patience = _Patience(clock)
    report: SyncReport | None = None
    while True:
        try:
            news = heard.get(timeout=_LOOK_S)
        except Empty:
            news = None
        if isinstance(news, Exception):
            raise news
        if news is not None:
            if news.misdirected > (report.misdirected if report else 0):
                complain(Trouble("sync.misdirected", str(news.misdirected)))
            report = news
            print(f"{report.state.value} {report.queue.unsent} {report.code}".rstrip(), file=sys.stderr, flush=True)
            if report.state is SyncState.STOPPED:
                _tell(report, writer)
                raise _ending(report.untrusted)(report.code)
            if until_idle and _is_idle(report):
                _tell(report, writer)
                return _ended(report)
        waited_s = patience.look(report)
        if report is not None and give_up_s and waited_s >= give_up_s:
            _tell(report, writer, gave_up_after_s=int(waited_s))
            raise _ending(patience.untrusted)("sync.gave_up", patience.code)


def _is_idle(report: SyncReport) -> bool:
    return report.state is SyncState.SYNCED and report.queue.unsent == 0 and not report.waits


def _ending(untrusted: bool) -> type[Trouble]:
    return EvidenceTrouble if untrusted else Trouble


def _ended(report: SyncReport) -> int:
    """Raises Trouble: something cannot be brought, and stays here."""
    if report.stuck:
        name, code = report.stuck[0]
        raise Trouble(code, name)
    return 0


@dataclass(slots=True)
class _Patience:
    """What keeps the work from getting on, and whether because something does not verify; since when, and when it was
    said last (seconds of `clock`).
    """

    clock: Callable[[], float]
    code: str = ""
    untrusted: bool = False
    since_s: float = 0.0
    said_s: float = 0.0

    def look(self, report: SyncReport | None) -> float:
        """Say what has to be said; for how long nothing got on (seconds)."""
        cause, now_s = _cause(report) if report is not None else Waiting(""), self.clock()
        code, self.untrusted = cause.code, cause.untrusted
        if not code:
            self.code = ""
            return 0.0
        if not self.code:
            self.since_s = now_s
        if code != self.code:
            complain(Trouble(code))
            self.code, self.said_s = code, now_s
        elif now_s - self.said_s >= _REMIND_S:
            minutes = int(now_s - self.since_s) // 60
            print(say("sync.waits", spoken(), minutes=minutes, code=code), file=sys.stderr, flush=True)
            self.said_s = now_s
        return now_s - self.since_s


def _cause(report: SyncReport) -> SyncReport | Waiting:
    """What keeps events from the centre, else what keeps the rest; without a code while it gets on."""
    if report.state is SyncState.OFFLINE:
        return report
    return next((one for one in report.waits if one.code), Waiting(""))


def _tell(report: SyncReport, writer: StoreWriter, **more: int) -> None:
    """The report as JSON on stdout, with the names of the recordings that the centre does not hold."""
    here = [found.recording_id for found in writer.call(lambda store: store.waiting_footage())]
    print(json.dumps({**_described(report), "recordings": here, **more}, ensure_ascii=False), flush=True)


def _described(report: SyncReport) -> dict[str, object]:
    cards = {state.value: number for state, number in report.queue.cards.items()}
    queue = {"head": report.queue.head, "received": report.queue.received, "unsent": report.queue.unsent}
    queue["footage"] = report.queue.footage
    told = {"state": report.state.value, "code": report.code, **queue, "cards": cards, "stuck": dict(report.stuck)}
    waits = {one.lane: one.code for one in report.waits}
    return {**told, "waits": waits, "silent": list(report.silent), "misdirected": report.misdirected}
