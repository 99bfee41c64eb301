"""What the command without a window says while it works, and when it has had enough."""

from __future__ import annotations

import json
from dataclasses import replace
from queue import SimpleQueue
from typing import Any

import pytest

from app.commands.syncing import follow
from app.core.errors import EvidenceTrouble, Trouble
from app.core.readiness import SyncState
from app.store.results import QueueFacts
from app.sync.exchange import Waiting
from app.sync.worker import SyncReport

QUEUE = QueueFacts(9, 9, 0, None, {}, footage=1)


def reports(*lanes: str) -> list[SyncReport]:
    """All events are there; the footage has this trouble, "" while it gets on."""
    return [SyncReport(SyncState.SYNCED, QUEUE, waits=(Waiting("footage", code),)) for code in lanes]


def heard(party: Any, news: list[SyncReport], seconds: list[float]) -> None:
    """Follow these reports, each looked at when the clock shows the next of `seconds`."""
    line: SimpleQueue[SyncReport | Exception] = SimpleQueue()
    for one in news:
        line.put(one)
    follow(line, party.writer, until_idle=True, give_up_s=100, clock=iter(seconds).__next__)


def test_it_is_given_up_only_when_nothing_got_on_for_so_long(party: Any, capfd: pytest.CaptureFixture[str]) -> None:
    stuck = ["sync.bucket_away"]
    with pytest.raises(Trouble, match=r"sync.gave_up"):
        heard(party, reports(*stuck, *stuck, "", *stuck, *stuck, *stuck), [0, 99, 150, 151, 250, 252])
    out, said = capfd.readouterr()
    assert json.loads(out)["gave_up_after_s"] == 101
    assert json.loads(out)["waits"] == {"footage": "sync.bucket_away"}
    assert said.count("[sync.bucket_away]\n") == 4, "in words when it began, for how long it lasted, both twice"


def test_another_trouble_is_told_and_counts_as_no_progress(party: Any, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Trouble, match=r"sync.gave_up"):
        heard(party, reports("sync.bucket_away", "sync.bucket_refused"), [0, 100])
    assert "[sync.bucket_refused]" in capfd.readouterr().err


def test_what_was_for_somebody_else_is_said_once(party: Any, capfd: pytest.CaptureFixture[str]) -> None:
    one = replace(reports("")[0], misdirected=1)
    heard(party, [*reports(""), one, one, SyncReport(SyncState.SYNCED, QUEUE, misdirected=1)], [0, 0, 0])
    out, said = capfd.readouterr()
    assert json.loads(out)["misdirected"] == 1
    assert said.count("[sync.misdirected] 1\n") == 1


@pytest.mark.parametrize("untrusted", [True, False])
def test_what_does_not_verify_has_the_exit_code_of_that(party: Any, untrusted: bool) -> None:
    """Of events and of a lane; and only while it is what keeps the work from getting on."""
    code = EvidenceTrouble.exit_code if untrusted else Trouble.exit_code
    lane = Waiting("decisions", "sync.untrusted_answer", untrusted=True)
    last = SyncReport(SyncState.OFFLINE, QUEUE, "sync.untrusted_answer" if untrusted else "sync.offline")
    news = [SyncReport(SyncState.SYNCED, QUEUE, waits=(lane,)), replace(last, untrusted=untrusted)]
    for ends in (news, news[::-1] if untrusted else news):
        with pytest.raises(Trouble, match=r"sync.gave_up") as ended:
            heard(party, ends, [0, 100])
        assert ended.value.exit_code == code
    stopped = SyncReport(SyncState.STOPPED, QUEUE, "sync.fork" if untrusted else "sync.revoked", untrusted=untrusted)
    with pytest.raises(Trouble) as ended:
        heard(party, [stopped], [])
    assert ended.value.exit_code == code


def test_it_ends_well_when_it_got_on_after_all(party: Any, capfd: pytest.CaptureFixture[str]) -> None:
    heard(party, [*reports("sync.bucket_away"), SyncReport(SyncState.SYNCED, QUEUE)], [0])
    assert json.loads(capfd.readouterr().out)["waits"] == {}
