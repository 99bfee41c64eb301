"""The writer's thread: order, troubles as answers, bugs told, an end that loses nothing."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from app.core.audit import EventKind, Stamp
from app.core.errors import BadInput, Trouble
from app.core.parcels import WayOut
from app.store.store import Store
from app.store.writer import StoreWriter


def test_work_is_done_in_order_on_one_thread(store: Store, now: Stamp) -> None:
    bugs: list[Exception] = []
    writer = StoreWriter(store, bugs.append)
    writer.start()
    seqs: list[Any] = []
    threads = set()

    def record(s: Store) -> int:
        threads.add(threading.current_thread().name)
        return s.record(EventKind.UNEXPECTED, {}, now, "")

    for _ in range(20):
        writer.submit(record, seqs.append, seqs.append)
    assert writer.call(lambda s: s.queue().head) == 20
    assert writer.stop()
    assert (seqs, threads, bugs) == (list(range(1, 21)), {"store-writer"}, [])


def test_trouble_is_an_answer_and_a_bug_is_told(store: Store, now: Stamp) -> None:
    bugs: list[Exception] = []
    answers: list[int] = []
    troubles: list[Trouble] = []
    writer = StoreWriter(store, bugs.append)
    writer.start()
    writer.submit(lambda s: s.seal_parcel("none", WayOut.EQUAL, now, ""), answers.append, troubles.append)
    writer.submit(lambda _s: 1 // 0, answers.append, troubles.append)
    writer.submit(lambda s: s.queue().head, answers.append, troubles.append)
    with pytest.raises(BadInput, match=r"store.parcel_not_open"):
        writer.call(lambda s: s.seal_parcel("none", WayOut.EQUAL, now, ""))
    assert writer.stop()
    assert (answers, [trouble.code for trouble in troubles]) == ([0], ["store.parcel_not_open"])
    assert [type(bug) for bug in bugs] == [ZeroDivisionError]


def test_what_was_handed_in_before_the_end_is_done(store: Store, now: Stamp) -> None:
    writer = StoreWriter(store, lambda _bug: None)
    done: list[Any] = []
    for _ in range(50):
        writer.submit(lambda s: s.record(EventKind.UNEXPECTED, {}, now, ""), done.append, done.append)
    writer.start()
    assert writer.stop()
    writer.submit(lambda s: s.queue(), done.append, done.append)
    assert done[:50] == list(range(1, 51))
    assert done[50].code == "store.stopped"
