"""One lesson of the learner program: photographs in, news out, in a thread; killed when it is not wanted any more."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable

from app.core.lessons import LessonFailed, LessonJob, LessonNews, Seen, Taught, Tried
from app.eye import codec
from app.station.child import Child

_log = logging.getLogger(__name__)

LEARNER = (sys.executable, "-m", "app", "lesson")
_PATIENCE_S = 180.0
_NEWS: dict[str, type[LessonNews]] = {kind.__name__: kind for kind in (Seen, Taught, Tried, LessonFailed)}


class Studying:
    """`tell` is called in the thread for each news; after `stop` no more. One that breaks off is told as failed."""

    def __init__(
        self,
        argv: tuple[str, ...],
        job: LessonJob,
        tell: Callable[[LessonNews], None],
        on_bug: Callable[[Exception], None],
    ) -> None:
        self._argv, self._job, self._tell, self._on_bug = argv, job, tell, on_bug
        self._stopping = threading.Event()
        self._child: Child | None = None
        self._thread = threading.Thread(target=self._run, name="lesson", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the program at once."""
        self._stopping.set()
        if self._child is not None:
            self._child.kill()
        self._thread.join(timeout=3.0)

    def _run(self) -> None:
        try:
            failed = self._study()
            if failed and not self._stopping.is_set():
                self._tell(LessonFailed("learn.broke_off"))
        except Exception as bug:  # noqa: BLE001  the top of this thread
            self._on_bug(bug)

    def _study(self) -> bool:
        """Whether the program ended before it had said all."""
        try:
            child = self._child = Child(self._argv)
        except OSError:
            return True
        patience = threading.Timer(_PATIENCE_S, child.kill)
        patience.start()
        try:
            return not self._hear(child)
        except (BrokenPipeError, ValueError, KeyError, TypeError) as wrong:
            _log.info("lesson: %s", type(wrong).__name__)
            return True
        finally:
            patience.cancel()
            child.close()

    def _hear(self, child: Child) -> bool:
        """Tell the news until the last; False when it did not come."""
        child.give(codec.as_plain(self._job))
        for line in child.lines():
            told = json.loads(line)
            news = codec.as_typed(_NEWS[told["kind"]], told["body"])
            if self._stopping.is_set():
                return True
            self._tell(news)
            if isinstance(news, LessonFailed | Tried) or (isinstance(news, Taught) and not self._job.trial):
                return True
        return False
