"""A secret on a terminal for so long and no longer: by the clock, by Ctrl-C, by whatever ends or stops the program.

It stands on the terminal's other screen, of which no scroll-back is kept, and what is typed meanwhile is neither shown
nor given to the shell afterwards. Only SIGKILL, SIGSTOP and a power cut leave it standing. Windows' console and
terminals that know no such screen get one line that is written over.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from app.core.cards import Secret

_ENDS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP", "SIGBREAK")
"""Ctrl-Z too: a stopped program would wipe nothing."""

_OTHER_SCREEN, _BACK = b"\x1b[?1049h\x1b[2J\x1b[H", b"\x1b[2J\x1b[H\x1b[?1049l"
_LOOK_S = 0.5


def uncover(secret: Secret, shown_s: float, fd: int) -> None:
    """Show it on the terminal `fd`, then take it away. Main thread only.

    Raises KeyboardInterrupt or SystemExit, when it is gone, where a signal asked for an end.
    """
    with _noted_ends() as near, _unheard():
        shown, gone = _how(len(secret))
        os.write(fd, shown + secret.reveal().encode())
        try:
            ended_by = _wait(near, shown_s)
        finally:
            with suppress(OSError):  # the terminal itself is gone
                os.write(fd, gone)
    if ended_by == signal.SIGINT:
        raise KeyboardInterrupt
    if ended_by:
        raise SystemExit(128 + ended_by)


def _how(length: int) -> tuple[bytes, bytes]:
    over = b"\r" + b" " * length + b"\r"
    if sys.platform == "win32" or os.environ.get("TERM", "dumb") == "dumb":
        return b"\r", over
    return _OTHER_SCREEN, over + _BACK


def _wait(near: socket.socket, shown_s: float) -> int:
    """The signal that ended it, 0 for the clock: the wall's, too, for a machine that slept in between."""
    ends, ends_by_wall = time.monotonic() + shown_s, time.time() + shown_s
    while (left_s := min(ends - time.monotonic(), ends_by_wall - time.time())) > 0:
        if select.select([near], [], [], min(left_s, _LOOK_S))[0]:
            return near.recv(1)[0]
    return 0


@contextmanager
def _noted_ends() -> Iterator[socket.socket]:
    """Signals that end a program come as bytes (their numbers), whichever thread the system gives them to."""
    near, far = socket.socketpair()
    far.setblocking(False)
    numbers = [getattr(signal, name) for name in _ENDS if hasattr(signal, name)]
    wakes = signal.set_wakeup_fd(far.fileno())
    before = [(number, signal.signal(number, lambda _number, _frame: None)) for number in numbers]
    try:
        yield near
    finally:
        for number, handler in before:
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakes)
        near.close()
        far.close()


@contextmanager
def _unheard() -> Iterator[None]:
    """What is typed meanwhile is not shown, or Enter would move the line away from what wipes it, and is dropped."""
    if sys.platform == "win32" or not sys.stdin.isatty():
        yield
        return
    import termios  # noqa: PLC0415  exists on POSIX only

    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    quiet = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    termios.tcsetattr(fd, termios.TCSADRAIN, quiet)
    try:
        yield
    finally:
        with suppress(termios.error):
            termios.tcsetattr(fd, termios.TCSAFLUSH, before)
