"""One lesson of the learner program: photographs in, news out, in a thread; killed when it is not wanted any more."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import IO

from app.core.lessons import LessonFailed, LessonJob, LessonNews, Seen, Taught, Tried
from app.eye import codec
from app.platform import kill_process

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
        self._child: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._run, name="lesson", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the program at once."""
        self._stopping.set()
        self._end()
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
            child = self._child = subprocess.Popen(
                self._argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                encoding="utf-8", start_new_session=True,
            )  # fmt: skip
        except OSError:
            return True
        patience = threading.Timer(_PATIENCE_S, self._end)
        patience.start()
        try:
            return not self._hear(child)
        except (BrokenPipeError, ValueError, KeyError, TypeError) as wrong:
            _log.info("lesson: %s", type(wrong).__name__)
            return True
        finally:
            patience.cancel()
            self._end()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                _close(pipe)

    def _hear(self, child: subprocess.Popen[str]) -> bool:
        """Tell the news until the last; False when it did not come."""
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps(codec.as_plain(self._job)) + "\n")
        child.stdin.flush()
        for line in child.stdout:
            told = json.loads(line)
            news = codec.as_typed(_NEWS[told["kind"]], told["body"])
            if self._stopping.is_set():
                return True
            self._tell(news)
            if isinstance(news, LessonFailed | Tried) or (isinstance(news, Taught) and not self._job.trial):
                return True
        return False

    def _end(self) -> None:
        child = self._child
        if child is None or child.poll() is not None:
            return
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            kill_process(child.pid)


def _close(pipe: IO[str] | None) -> None:
    try:
        if pipe is not None:
            pipe.close()
    except BrokenPipeError:
        _log.debug("its pipe was broken already")
