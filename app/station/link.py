"""A link to one program: adopts the living one, starts it when there is none, restarts it when it dies."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.platform import kill_process
from app.programs import Message, ProgramConnection, ProgramError, connect, start_program, stop_program

_POLL_S = 0.1
_CONNECT_S = 2.0
_START_S = 20.0
_PAUSES_S = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class ProgramPlan:
    """How to start a program: its name, command, lock file and log file.

    `quiet_s`: a living program says something at least this often, else it hangs and is replaced; 0: it may be silent.
    """

    name: str
    argv: tuple[str, ...]
    lock: Path
    log: Path
    quiet_s: float = 0.0


class ProgramLink:
    """Keeps one program alive and talks to it; a thread of its own, `start()` and `stop()`.

    `on_up(send)` is called in the link's thread after each (re)connection, before any message is delivered;
    `on_message` for each message (ValueError: it is none of that program's); `on_down(code)` when the program went away
    or could not be started.
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
                if not self._stopping.is_set():
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
            argv = list(self._plan.argv)
            start_program(argv, self._plan.lock, _START_S, self._plan.log, give_up=self._stopping.is_set)
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
        heard_s = time.monotonic()
        try:
            while not self._stopping.is_set():
                message = line.receive(_POLL_S)
                if message is not None:
                    self._deliver(message, line.pid)
                    heard, heard_s = True, time.monotonic()
                elif 0 < self._plan.quiet_s < time.monotonic() - heard_s:
                    kill_process(line.pid)
                    raise ProgramError("program.silent", self._plan.name)
        except ProgramError as trouble:
            if not self._stopping.is_set():
                self._on_down(trouble.code)
        finally:
            with self._send_lock:
                self._line = None
            line.close()
        return heard

    def _deliver(self, message: Message, pid: int) -> None:
        """A program that talks nonsense is of another release, or ill: it is replaced."""
        try:
            self._on_message(message)
        except ValueError as nonsense:
            kill_process(pid)
            raise ProgramError("program.garbled", self._plan.name) from nonsense
