"""The one thread that touches the store: takes work in order, answers with a value or a trouble."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from app.core.errors import StorageTrouble, Trouble
from app.store.store import Store

T = TypeVar("T")

_Job = tuple[Callable[[Store], Any], "Future[Any]"]


class StoreWriter:
    """Runs work on the store, one piece after the other. `on_crash` is told of bugs (any other exception).

    The store is closed by `stop`, after the work that was handed in before it.
    """

    def __init__(self, store: Store, on_crash: Callable[[Exception], None], name: str = "store-writer") -> None:
        self._store = store
        self._on_crash = on_crash
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._door = threading.Lock()
        self._stopped = False

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 3.0) -> bool:
        """Take no more work, finish what is there, close the store; True when the thread ended in time."""
        with self._door:
            if not self._stopped:
                self._stopped = True
                self._jobs.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def ask(self, work: Callable[[Store], T]) -> Future[T]:
        """Hand in work; the future has its value, or the exception it raised (StorageTrouble when stopped)."""
        answer: Future[T] = Future()
        with self._door:
            if not self._stopped:
                self._jobs.put((work, answer))
                return answer
        answer.set_exception(StorageTrouble("store.stopped"))
        return answer

    def submit(self, work: Callable[[Store], T], done: Callable[[T], None], refused: Callable[[Trouble], None]) -> None:
        """Hand in work; `done` gets its value, or `refused` the Trouble it raised, on the writer's thread.

        After a bug in `work`, `on_crash` is called instead of either.
        """
        self.ask(work).add_done_callback(lambda answer: self._answer(answer, done, refused))

    def call(self, work: Callable[[Store], T], timeout_s: float = 30.0) -> T:
        """Hand in work and wait for its value. Raises what it raised; TimeoutError. Not for the window's thread."""
        return self.ask(work).result(timeout_s)

    def _answer(self, answer: Future[T], done: Callable[[T], None], refused: Callable[[Trouble], None]) -> None:
        error = answer.exception()
        try:
            if error is None:
                done(answer.result())
            elif isinstance(error, Trouble):  # else a bug: on_crash was told
                refused(error)
        except Exception as bug:  # noqa: BLE001  still the top of the writer's thread
            self._on_crash(bug)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, answer = job
            if answer.set_running_or_notify_cancel():
                self._do(work, answer)
        try:
            self._store.close()
        except StorageTrouble as trouble:
            self._on_crash(trouble)

    def _do(self, work: Callable[[Store], Any], answer: Future[Any]) -> None:
        try:
            value = work(self._store)
        except Trouble as trouble:
            answer.set_exception(trouble)
        except Exception as bug:  # noqa: BLE001  the top of this thread
            answer.set_exception(bug)
            self._on_crash(bug)
        else:
            answer.set_result(value)
