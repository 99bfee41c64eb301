"""How a program (recorder, eye) is found, adopted, started and stopped by the station.

A program holds an operating-system lock on its lock file for as long as it lives, so that exactly one lives per
station folder and a file left by a killed one is known to be stale. The file (0600) says where it listens and the
key to prove oneself with. Messages are JSON objects, never pickles: reading one cannot run code.

    station                                     program
    connect(lock) ── Unix socket, HMAC key ──>  ProgramDoor: one client; a newer one replaces the older
"""

from __future__ import annotations

import json
import os
import queue
import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener, answer_challenge, deliver_challenge
from pathlib import Path
from typing import Any

from app.core.errors import Unavailable
from app.platform import (
    break_connection,
    connection_address,
    kill_process,
    lock_file,
    private_folder,
    start_detached,
    write_all,
)

Message = dict[str, Any]

_HANDSHAKE_S = 2.0
_OUTBOX = 2000  # messages; a client that is this far behind has stopped reading
_POLL_S = 0.2
_CLAIM_S = 1.0  # a look at the lock by `find_program` holds it for an instant; wait longer than that
_CLOSED = (EOFError, OSError, AuthenticationError)


class ProgramError(Unavailable):
    """A program could not be started or has gone. Codes: program.already_running, program.not_started, program.gone."""


@dataclass(frozen=True, slots=True)
class ProgramNote:
    """What a living program wrote into its lock file."""

    pid: int
    address: str
    started_mono_ns: int
    key: str = field(repr=False)


def find_program(lock_path: Path) -> ProgramNote | None:
    """The living program behind this lock file, or None: never started, dead, or still about to write its note."""
    try:
        fd = os.open(lock_path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        if lock_file(fd):
            return None  # nobody holds it: whatever stands in it is a dead program's
        note = json.loads(os.read(fd, 4096))
        return ProgramNote(**note)
    except (ValueError, TypeError):
        return None
    finally:
        os.close(fd)


class ProgramConnection:
    """The station's end of the line to one program. One thread sends; one thread (the same or another) receives."""

    def __init__(self, line: Connection, pid: int) -> None:
        self._line = line
        self.pid = pid

    def send(self, message: Message) -> None:
        """Send one JSON object. Raises ProgramError("program.gone")."""
        try:
            self._line.send_bytes(_encode(message))
        except OSError as trouble:
            raise ProgramError("program.gone", str(trouble)) from trouble

    def receive(self, timeout_s: float) -> Message | None:
        """The next message, or None when none came in time. Raises ProgramError("program.gone")."""
        try:
            return _decode(self._line.recv_bytes()) if self._line.poll(timeout_s) else None
        except (EOFError, OSError, ValueError) as trouble:
            raise ProgramError("program.gone", str(trouble)) from trouble

    def close(self) -> None:
        self._line.close()


def connect(lock_path: Path, timeout_s: float) -> ProgramConnection | None:
    """Join the living program behind `lock_path`, taking over from an older client; None if none answers in time."""
    deadline = time.monotonic() + timeout_s
    while (note := find_program(lock_path)) is not None:
        left_s = max(0.05, deadline - time.monotonic())
        try:
            return ProgramConnection(_join(note, left_s), note.pid)
        except _CLOSED:
            if time.monotonic() >= deadline:
                return None
            time.sleep(0.02)  # it is just starting or just ending
    return None


def _join(note: ProgramNote, timeout_s: float) -> Connection:
    line: Connection = Client(note.address)
    watchdog = threading.Timer(timeout_s, break_connection, [line.fileno()])
    watchdog.start()  # a stopped program accepts and then says nothing
    try:
        answer_challenge(line, bytes.fromhex(note.key))
        deliver_challenge(line, bytes.fromhex(note.key))
    except _CLOSED:
        _call_off(watchdog)
        line.close()
        raise
    _call_off(watchdog)
    return line


def _call_off(watchdog: threading.Timer) -> None:
    """Wait for it too: it must not break a number that another file has by then."""
    watchdog.cancel()
    watchdog.join()


def start_program(
    argv: list[str],
    lock_path: Path,
    timeout_s: float,
    log_path: Path | None = None,
    give_up: Callable[[], bool] = lambda: False,
) -> int:
    """Start a program detached and wait until it (or a twin that was faster) can be joined; gives its pid.

    Its output goes to the end of `log_path`. A thread reaps it, so it never stays as a zombie of ours.
    Raises ProgramError("program.not_started") with its exit status, or on time-out or when `give_up()` says so (it is
    then killed).
    """
    private_folder(lock_path.parent)
    began_ns = time.monotonic_ns()
    child = _spawn(argv, log_path)
    threading.Thread(target=child.wait, name=f"reap-{child.pid}", daemon=True).start()
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and not give_up():
        stepped_back = child.returncode is not None
        note = find_program(lock_path)
        # An older one counts only when ours gave way to it: it may be one that is just dying.
        if note is not None and (stepped_back or note.started_mono_ns >= began_ns):
            return note.pid
        if stepped_back:
            raise ProgramError("program.not_started", f"ended with status {child.returncode}")
        time.sleep(0.02)
    kill_process(child.pid)
    raise ProgramError("program.not_started", f"not ready in {timeout_s:.1f} s")


def _spawn(argv: list[str], log_path: Path | None) -> subprocess.Popen[bytes]:
    try:
        if log_path is None:
            return start_detached(argv)
        log_path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            return start_detached(argv, fd)
        finally:
            os.close(fd)
    except OSError as trouble:
        raise ProgramError("program.not_started", str(trouble)) from trouble


def stop_program(lock_path: Path, timeout_s: float = 3.0, message: Message | None = None) -> bool:
    """Ask the program to end (default `{"kind": "Quit"}`) and wait; kill it after `timeout_s`.

    True: it ended by itself, or there was none. False: it had to be killed.
    """
    note = find_program(lock_path)
    if note is None:
        return True
    deadline = time.monotonic() + timeout_s
    line = connect(lock_path, timeout_s)
    if line is not None:
        try:
            line.send(message or {"kind": "Quit"})
            while time.monotonic() < deadline:
                line.receive(0.05)  # keeps reading, lest it wait for us
        except ProgramError:
            pass  # that is the answer we wait for
        finally:
            line.close()
    while time.monotonic() < deadline:
        if not _still(lock_path, note):
            return True
        time.sleep(0.02)
    kill_process(note.pid)
    return False


def _still(lock_path: Path, note: ProgramNote) -> bool:
    now = find_program(lock_path)
    return now is not None and now.pid == note.pid


class ProgramDoor:
    """A program's end: holds the lock, listens, and keeps one client; messages from any client land in one inbox."""

    def __init__(self, lock_path: Path, name: str) -> None:
        self._lock_path = lock_path
        self._name = name
        self._inbox: queue.Queue[Message] = queue.Queue()
        self._client: _Client | None = None
        self._guard = threading.Lock()
        self._stopping = threading.Event()
        self._left_mono_s = time.monotonic()

    def open(self) -> None:
        """Claim the lock and begin to listen. Raises ProgramError("program.already_running") or OSError."""
        folder = private_folder(self._lock_path.parent)
        self._fd = _claim(self._lock_path)
        address = connection_address(folder, self._name)
        Path(address).unlink(missing_ok=True)  # left by a killed one: we hold the lock, so it is nobody's
        self._key = secrets.token_bytes(32)
        self._listener = Listener(address, backlog=8)
        note = ProgramNote(os.getpid(), address, time.monotonic_ns(), self._key.hex())
        os.ftruncate(self._fd, 0)
        write_all(self._fd, json.dumps(asdict(note)).encode())
        self._address = address
        self._thread = threading.Thread(target=self._accept, name=f"{self._name}-door", daemon=True)
        self._thread.start()

    def receive(self, timeout_s: float) -> Message | None:
        """The next message from whoever is or was the client, or None when none came in time."""
        try:
            return self._inbox.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def send(self, message: Message) -> bool:
        """Hand a message to the client; never blocks. False when nobody is there (the message is dropped)."""
        with self._guard:
            client = self._client
        return client is not None and client.put(_encode(message))

    def alone_for_s(self) -> float:
        """Seconds since the last client left (or since the start); 0.0 while one is there."""
        with self._guard:
            return 0.0 if self._client is not None else time.monotonic() - self._left_mono_s

    def close(self) -> None:
        """Send what is waiting (at most a second), stop listening, empty the lock file and let it go."""
        self._stopping.set()
        with suppress(OSError):  # if it listens no more, all the better
            Client(self._address).close()  # wakes accept(), which closing the socket would not
        self._thread.join(timeout=2.0)
        with self._guard:
            client, self._client = self._client, None
        if client is not None:
            client.finish()
        self._listener.close()
        os.ftruncate(self._fd, 0)
        os.close(self._fd)

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                line = self._listener.accept()
            except OSError:
                continue
            if self._stopping.is_set():
                line.close()
            else:
                client = _Client(line, self._name)
                threading.Thread(target=self._serve, args=[client], name=f"{self._name}-client", daemon=True).start()

    def _serve(self, client: _Client) -> None:
        if not client.prove(self._key):
            return
        with self._guard:
            older, self._client = self._client, client
        if older is not None:
            older.drop()
        client.read_into(self._inbox)
        with self._guard:
            if self._client is client:
                self._client, self._left_mono_s = None, time.monotonic()


class _Client:
    """One joined client: its reader runs in the caller's thread, its writer in one of its own."""

    def __init__(self, line: Connection, name: str) -> None:
        self._line = line
        self._outbox: queue.Queue[bytes | None] = queue.Queue(_OUTBOX)
        self._writer = threading.Thread(target=self._write, name=f"{name}-write", daemon=True)
        self._dropped = False
        self._guard = threading.Lock()  # between breaking the line and closing it

    def prove(self, key: bytes) -> bool:
        watchdog = threading.Timer(_HANDSHAKE_S, break_connection, [self._line.fileno()])
        watchdog.start()
        try:
            deliver_challenge(self._line, key)
            answer_challenge(self._line, key)
        except _CLOSED:
            _call_off(watchdog)
            self._line.close()
            return False
        _call_off(watchdog)
        self._writer.start()
        return True

    def put(self, data: bytes) -> bool:
        try:
            self._outbox.put_nowait(data)
        except queue.Full:
            self.drop()
            return False
        return True

    def read_into(self, inbox: queue.Queue[Message]) -> None:
        try:
            while not self._dropped:
                if self._line.poll(_POLL_S):
                    inbox.put(_decode(self._line.recv_bytes()))
        except (EOFError, OSError, ValueError):
            pass  # it left, or talks nonsense: either way this line is over
        self.drop()
        self._writer.join(timeout=1.0)
        with self._guard:
            self._line.close()

    def drop(self) -> None:
        """Break the line: both threads wake and end."""
        self._dropped = True
        with self._guard:
            if not self._line.closed:
                break_connection(self._line.fileno())
        try:
            self._outbox.put_nowait(None)
        except queue.Full:
            return  # the writer will fail at its next message

    def finish(self) -> None:
        """Let what is queued go out, then break the line."""
        with suppress(queue.Full):
            self._outbox.put_nowait(None)
        self._writer.join(timeout=1.0)
        self.drop()

    def _write(self) -> None:
        try:
            while (data := self._outbox.get()) is not None:
                self._line.send_bytes(data)
        except OSError:
            self.drop()


@contextmanager
def kept_away(lock_path: Path) -> Iterator[None]:
    """Do meanwhile what a program behind this lock would do: none can begin.

    Raises ProgramError("program.already_running") where one lives.
    """
    private_folder(lock_path.parent)
    fd = _claim(lock_path)
    try:
        os.ftruncate(fd, 0)  # what a killed one wrote leads nowhere
        yield
    finally:
        os.close(fd)


def _claim(lock_path: Path) -> int:
    fd = os.open(lock_path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + _CLAIM_S
    while not lock_file(fd):
        if time.monotonic() >= deadline:
            os.close(fd)
            raise ProgramError("program.already_running", lock_path.name)
        time.sleep(0.02)
    return fd


def _encode(message: Message) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _decode(data: bytes) -> Message:
    message = json.loads(data)
    if not isinstance(message, dict):
        raise ValueError("a message is a JSON object")
    return message
