"""A secret on a real terminal (a pty): it goes by the clock, and by each key and signal that ends a program."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

SECRET = "QX7M-2K9T-W4"
SHOW = (
    "import os, sys; from app.core.cards import Secret; from app.commands.uncovered import uncover;"
    "uncover(Secret(os.environ['SHOWN']), float(sys.argv[1]), 1); print('went on')"
)


@contextmanager
def terminal(*argv: str, **environment: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A program whose only terminal is a new pty; the near end of it."""
    near, far = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, *argv], stdin=far, stdout=far, stderr=far, start_new_session=True,
        env={**os.environ, "TERM": "xterm", **environment},
        preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),  # so that it becomes the controlling one
    )  # fmt: skip
    os.close(far)
    try:
        yield child, near
    finally:
        child.kill()
        child.wait()
        os.close(near)


def heard(near: int, until: bytes, limit_s: float = 60) -> bytes:
    """What stands on the line up to these bytes, or to its end."""
    said, ends = b"", time.monotonic() + limit_s
    while until not in said and time.monotonic() < ends:
        if select.select([near], [], [], 0.2)[0]:
            try:
                data = os.read(near, 4096)
            except OSError:  # the far end is closed
                break
            if not data:
                break
            said += data
    return said


def on_screens(said: bytes) -> tuple[bytes, bytes]:
    """What a terminal keeps: its usual screen with the scroll-back, and what stands on the other one."""
    usual, other, on_other = b"", b"", False
    for part in said.replace(b"\x1b[?1049", b"\0").split(b"\0"):
        switch, rest = (part[:1], part[1:]) if part[:1] in (b"h", b"l") else (b"", part)
        on_other = {b"h": True, b"l": False}.get(switch, on_other)
        text = rest.rpartition(b"\x1b[2J\x1b[H")[2]
        usual, other = (usual, text) if on_other else (usual + rest, b"")
    return usual, other


@pytest.mark.parametrize("ended_by", ["clock", "key \x03", "key \x1c", "key \x1a", "SIGTERM", "SIGHUP"])
def test_a_shown_secret_is_gone_whatever_ends_it(ended_by: str) -> None:
    """A signal ended the program in the middle, and the secret stood on the terminal for whoever came by."""
    shown_s = "3" if ended_by == "clock" else "600"  # long enough to type meanwhile, also on a busy machine
    with terminal("-c", SHOW, shown_s, SHOWN=SECRET) as (child, near):
        said = heard(near, SECRET.encode())
        assert SECRET.encode() in on_screens(said)[1]
        os.write(near, b"typed meanwhile\n\n")
        if ended_by.startswith("key"):
            os.write(near, ended_by[-1].encode())
        elif ended_by != "clock":
            os.kill(child.pid, getattr(signal, ended_by))
        said += heard(near, b"\x1b[?1049l")
        said += heard(near, b"went on") if ended_by == "clock" else b""
        code = child.wait(60)
    usual, other = on_screens(said)
    assert SECRET.encode() not in usual + other
    assert b"meanwhile" not in said
    assert said.count(SECRET.encode()) == 1
    ends = {"clock": 0, "key \x1c": 131, "key \x1a": 148, "SIGTERM": 143, "SIGHUP": 129}
    assert code == (-signal.SIGINT if ended_by == "key \x03" else ends[ended_by])


def test_a_terminal_without_another_screen_is_written_over() -> None:
    with terminal("-c", SHOW, "0.2", SHOWN=SECRET, TERM="dumb") as (child, near):
        said = heard(near, b"\r" + b" " * len(SECRET) + b"\r")
        assert child.wait(60) == 0
    assert b"\r" + SECRET.encode() + b"\r" + b" " * len(SECRET) + b"\r" in said


def test_a_badge_is_asked_for_and_not_shown() -> None:
    """On the terminal and in the list of processes it is nowhere to be read; a scanner types and presses Enter."""
    ask = "from app.commands.untold import badge_told; print(len(badge_told()))"
    with terminal("-c", ask) as (child, near):
        heard(near, b"badge: ")
        os.write(near, b"CIB-7F3K9Q\r")
        said = heard(near, b"10")
        assert child.wait(60) == 0
    assert b"CIB" not in said
    assert b"10" in said
