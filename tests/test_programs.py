"""Programs are found, adopted, replaced and stopped; kill -9 of either side leaves nothing in the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.platform import process_alive
from app.programs import ProgramDoor, ProgramError, connect, find_program, start_program, stop_program

ECHO = """
import sys
from pathlib import Path
from app.programs import ProgramDoor
door = ProgramDoor(Path(sys.argv[1]), "echo")
door.open()
while True:
    message = door.receive(60.0)
    if message is None or message["kind"] == "Quit":
        break
    door.send(message | {"echo": True})
door.close()
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "echo.lock"


@pytest.fixture
def argv(lock: Path) -> Iterator[list[str]]:
    yield [sys.executable, "-c", ECHO, str(lock)]
    stop_program(lock)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_started_joined_asked_stopped(lock: Path, argv: list[str]) -> None:
    pid = start_program(argv, lock, 60)
    line = connect(lock, 30)
    assert line is not None
    assert line.pid == pid
    line.send({"kind": "Hello", "text": "验卡"})
    assert line.receive(30) == {"kind": "Hello", "text": "验卡", "echo": True}
    assert line.receive(0.01) is None
    line.close()
    assert stop_program(lock, 30)
    assert find_program(lock) is None
    assert lock.read_bytes() == b""  # the key does not outlive the program
    until(lambda: not Path(f"/proc/{pid}").exists())  # reaped: not even a zombie


def test_lock_file_is_private(lock: Path, argv: list[str]) -> None:
    start_program(argv, lock, 60)
    assert lock.stat().st_mode & 0o077 == 0
    note = find_program(lock)
    assert note is not None
    assert note.key not in repr(note)


def test_killed_program_is_recognised_reaped_and_replaced(lock: Path, argv: list[str]) -> None:
    first = start_program(argv, lock, 60)
    line = connect(lock, 30)
    assert line is not None
    os.kill(first, signal.SIGKILL)
    with pytest.raises(ProgramError, match=r"program\.gone"):
        line.receive(30)
    line.close()
    until(lambda: not Path(f"/proc/{first}").exists())
    assert find_program(lock) is None
    assert connect(lock, 0.1) is None
    second = start_program(argv, lock, 60)
    assert second != first
    assert process_alive(second)


def test_second_program_of_the_same_folder_steps_back(lock: Path, argv: list[str]) -> None:
    first = start_program(argv, lock, 60)
    assert start_program(argv, lock, 60) == first
    twin = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert "program.already_running" in twin.stderr


def test_newer_client_replaces_the_older(lock: Path, argv: list[str]) -> None:
    start_program(argv, lock, 60)
    older, newer = connect(lock, 30), connect(lock, 30)
    assert older is not None
    assert newer is not None
    newer.send({"kind": "Hello"})
    assert newer.receive(30) == {"kind": "Hello", "echo": True}
    with pytest.raises(ProgramError, match=r"program\.gone"):
        older.receive(30)
    older.close()
    newer.close()


def test_program_that_cannot_start_says_so(lock: Path) -> None:
    with pytest.raises(ProgramError, match="status 7"):
        start_program([sys.executable, "-c", "raise SystemExit(7)"], lock, 10)
    with pytest.raises(ProgramError, match=r"program\.not_started"):
        start_program(["/nowhere/at/all"], lock, 10)


def test_stopped_program_does_not_hang_us(lock: Path, argv: list[str]) -> None:
    pid = start_program(argv, lock, 60)
    os.kill(pid, signal.SIGSTOP)
    assert connect(lock, 0.3) is None
    assert stop_program(lock, timeout_s=0.3) is False
    until(lambda: not Path(f"/proc/{pid}").exists())


def test_stranger_without_the_key_is_turned_away(lock: Path) -> None:
    door = ProgramDoor(lock, "door")
    door.open()
    note = find_program(lock)
    assert note is not None
    lock.write_text(lock.read_text().replace(note.key, "00" * 32))
    assert connect(lock, 0.2) is None
    assert door.alone_for_s() > 0
    door.close()


def test_dead_client_is_noticed_and_the_next_is_served(lock: Path) -> None:
    door = ProgramDoor(lock, "door")
    door.open()
    joined = f"""
import time
from pathlib import Path
from app.programs import connect
line = connect(Path({str(lock)!r}), 30)
line.send({{"kind": "Here"}})
time.sleep(60)
"""
    client = subprocess.Popen([sys.executable, "-c", joined])
    assert door.receive(60) == {"kind": "Here"}
    assert door.alone_for_s() == 0.0
    client.kill()
    client.wait()
    until(lambda: door.alone_for_s() > 0)
    assert door.send({"kind": "Lost"}) is False
    line = connect(lock, 30)
    assert line is not None
    until(lambda: door.send({"kind": "Found"}))
    assert line.receive(30) == {"kind": "Found"}
    line.close()
    door.close()


def test_client_that_never_reads_is_dropped_not_waited_for(lock: Path) -> None:
    door = ProgramDoor(lock, "door")
    door.open()
    line = connect(lock, 30)
    assert line is not None
    until(lambda: door.alone_for_s() == 0.0)
    filler = "x" * 2000
    until(lambda: not all(door.send({"kind": "More", "filler": filler}) for _ in range(500)))
    line.close()
    door.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("door") and not thread.daemon]


def test_a_program_ends_with_whoever_holds_its_stdin() -> None:
    """Also when it was told something before, and while it does something else."""
    lines = "import time; from app.living import end_with_stdin; end_with_stdin(); print('up', flush=True)"
    argv = [sys.executable, "-c", f"{lines}; time.sleep(600)"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        child.stdin.write(b"x" * 10_000)
        child.stdin.flush()
        assert child.poll() is None
        child.stdin.close()
        assert child.wait(timeout=60) == 0
