"""A link to one program: adopts the living one, starts it when there is none, restarts it when it dies."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.programs import Message, ProgramConnection, ProgramError, connect, start_program, stop_program

_POLL_S = 0.1
_CONNECT_S = 2.0
_START_S = 20.0
_PAUSES_S = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class ProgramPlan:
    """How to start a program: its name, command, lock file and log file."""

    name: str
    argv: tuple[str, ...]
    lock: Path
    log: Path


class ProgramLink:
    """Keeps one program alive and talks to it; a thread of its own, `start()` and `stop()`.

    `on_up(send)` is called in the link's thread after each (re)connection, before any message is delivered;
    `on_message` for each message; `on_down(code)` when the program went away or could not be started.
    """

    def __init__(
        self,
        plan: ProgramPlan,
        on_up: Callable[[], None],
        on_message: Callable[[Message], None],
        on_down: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._on_up, self._on_message, self._on_down = on_up, on_message, on_down
        self._line: ProgramConnection | None = None
        self._send_lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"link-{plan.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, end_program: bool) -> None:
        """End the link; `end_program` ends the program too (it is killed if it takes longer than 3 s)."""
        self._stopping.set()
        self._thread.join(timeout=_CONNECT_S + 1)
        if end_program:
            stop_program(self._plan.lock)

    def send(self, message: Message) -> bool:
        """Hand a message over; False when the program is away (it is told everything again by `on_up`)."""
        with self._send_lock:
            if self._line is None:
                return False
            try:
                self._line.send(message)
            except ProgramError:
                return False
            return True

    def _run(self) -> None:
        failures = 0
        while not self._stopping.wait(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)]):
            try:
                line = self._reach()
            except ProgramError as trouble:
                failures += 1
                self._on_down(trouble.code)
                continue
            if self._serve(line):
                failures = 0
            else:
                failures += 1

    def _reach(self) -> ProgramConnection:
        """The living program, or a new one. Raises ProgramError."""
        line = connect(self._plan.lock, _CONNECT_S)
        if line is None:
            start_program(list(self._plan.argv), self._plan.lock, _START_S, self._plan.log)
            line = connect(self._plan.lock, _CONNECT_S)
        if line is None:
            raise ProgramError("program.gone", self._plan.name)
        return line

    def _serve(self, line: ProgramConnection) -> bool:
        """Deliver messages until the program or the link ends; True when at least one arrived."""
        with self._send_lock:
            self._line = line
        self._on_up()
        heard = False
        try:
            while not self._stopping.is_set():
                message = line.receive(_POLL_S)
                if message is not None:
                    heard = True
                    self._on_message(message)
        except ProgramError as trouble:
            self._on_down(trouble.code)
        finally:
            with self._send_lock:
                self._line = None
            line.close()
        return heard
