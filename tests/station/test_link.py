"""A link keeps one program alive: adopts it, starts it, replaces it, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app.platform import process_alive
from app.programs import connect, find_program, start_program
from app.station.link import ProgramLink, ProgramPlan

ECHO = """
import sys, time
from pathlib import Path
from app.programs import ProgramDoor
time.sleep(float(sys.argv[2]))
door = ProgramDoor(Path(sys.argv[1]), "echo")
door.open()
while True:
    message = door.receive(0.05)
    if message is not None:
        if message["kind"] == "Quit":
            break
        door.send(message)
    elif door.alone_for_s() > 60:
        break
    else:
        door.send({"kind": "Here"})
door.close()
"""


@dataclass
class Ear:
    """Who owns the link, and all it was told."""

    plan: ProgramPlan
    ups: int = 0
    downs: list[str] = field(default_factory=list)
    heard: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.link = ProgramLink(self.plan, self._up, self._hear, self.downs.append)

    def _up(self) -> None:
        self.ups += 1
        self.link.send({"kind": "Hello", "up": self.ups})

    def _hear(self, message: dict[str, Any]) -> None:
        if message["kind"] == "Nonsense":
            raise ValueError("none of its messages")
        if message["kind"] != "Here":
            self.heard.append(message)

    def greeted(self, times: int) -> None:
        until(lambda: self.heard[-1:] == [{"kind": "Hello", "up": times}])

    @property
    def pid(self) -> int:
        note = find_program(self.plan.lock)
        return note.pid if note else 0


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()  # reaped too: a zombie would still stand there


def ended(link: ProgramLink) -> bool:
    return not link._thread.is_alive()


@pytest.fixture
def make_ear(tmp_path: Path) -> Iterator[Callable[..., Ear]]:
    made: list[Ear] = []

    def make(delay_s: float = 0, quiet_s: float = 0, argv: tuple[str, ...] | None = None) -> Ear:
        lock = tmp_path / "echo.lock"
        echo = (sys.executable, "-c", ECHO, str(lock), str(delay_s))
        made.append(Ear(ProgramPlan("echo", argv or echo, lock, tmp_path / "echo.log", quiet_s)))
        return made[-1]

    yield make
    for ear in made:
        ear.link.stop(end_program=True)


def test_starts_it_when_there_is_none_and_ends_it(make_ear: Callable[..., Ear]) -> None:
    ear = make_ear()
    assert not ear.link.send({"kind": "TooEarly"})
    ear.link.start()
    ear.greeted(1)
    pid = ear.pid
    assert ear.link.send({"kind": "Ask"})
    until(lambda: ear.heard[-1] == {"kind": "Ask"})
    ear.link.stop(end_program=True)
    assert ended(ear.link)
    until(lambda: gone(pid))
    assert ear.downs == []
    assert not ear.link.send({"kind": "TooLate"})


def test_adopts_the_living_one_and_may_leave_it_to_the_next(make_ear: Callable[..., Ear]) -> None:
    first, second = make_ear(), make_ear()
    pid = start_program(list(first.plan.argv), first.plan.lock, 20)
    first.link.start()
    first.greeted(1)
    assert first.pid == pid
    first.link.stop(end_program=False)
    assert process_alive(pid)
    second.link.start()
    second.greeted(1)
    assert second.pid == pid


def test_killed_program_is_reaped_replaced_and_told_everything_again(make_ear: Callable[..., Ear]) -> None:
    ear = make_ear()
    ear.link.start()
    ear.greeted(1)
    for n in (2, 3):
        pid = ear.pid
        os.kill(pid, signal.SIGKILL)
        ear.greeted(n)
        assert ear.pid != pid
        until(lambda pid=pid: gone(pid))  # type: ignore[misc]
    assert ear.downs == ["program.gone"] * 2


def test_hung_program_is_noticed_by_its_silence_and_replaced(make_ear: Callable[..., Ear]) -> None:
    ear = make_ear(quiet_s=3)  # a busy machine may well keep one that lives from speaking for a second
    ear.link.start()
    ear.greeted(1)
    pid = ear.pid
    os.kill(pid, signal.SIGSTOP)
    ear.greeted(2)
    assert ear.downs == ["program.silent"]
    until(lambda: gone(pid))


def test_program_that_talks_nonsense_is_replaced(make_ear: Callable[..., Ear]) -> None:
    ear = make_ear()
    ear.link.start()
    ear.greeted(1)
    pid = ear.pid
    ear.link.send({"kind": "Nonsense"})
    ear.greeted(2)
    assert ear.downs == ["program.garbled"]
    until(lambda: gone(pid))


def test_program_that_cannot_start_is_told_and_tried_again(make_ear: Callable[..., Ear]) -> None:
    ear = make_ear(argv=(sys.executable, "-c", "raise SystemExit(7)"))
    ear.link.start()
    until(lambda: len(ear.downs) >= 2)
    assert set(ear.downs) == {"program.not_started"}
    ear.link.stop(end_program=True)
    assert ended(ear.link)


def test_stopping_while_the_program_is_still_starting_leaves_nothing_behind(make_ear: Callable[..., Ear]) -> None:
    ear = make_ear(delay_s=30)
    ear.link.start()
    reaper = lambda: [t.name for t in threading.enumerate() if t.name.startswith("reap-")]  # noqa: E731
    until(lambda: bool(reaper()))
    pid = int(reaper()[0].removeprefix("reap-"))
    ear.link.stop(end_program=True)
    assert ended(ear.link)
    until(lambda: gone(pid))


def test_link_that_hung_programs_hold_up_still_ends(make_ear: Callable[..., Ear]) -> None:
    ear = make_ear()
    pid = start_program(list(ear.plan.argv), ear.plan.lock, 20)
    os.kill(pid, signal.SIGSTOP)
    ear.link.start()
    ear.link.stop(end_program=True)
    assert ended(ear.link)
    until(lambda: gone(pid))


def test_another_window_takes_the_program_over(make_ear: Callable[..., Ear]) -> None:
    ear = make_ear()
    ear.link.start()
    ear.greeted(1)
    pid = ear.pid
    other = connect(ear.plan.lock, 5)
    assert other is not None
    until(lambda: ear.downs != [])
    other.close()
    until(lambda: ear.ups >= 2)
    assert ear.pid == pid
    ear.link.stop(end_program=True)  # the link itself: beside it somebody else's line would be taken over again
    assert ended(ear.link)
    until(lambda: gone(pid))
