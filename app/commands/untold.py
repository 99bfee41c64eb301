"""What must be no word of a command: a badge, a passcode. Whoever may list the processes, or has the shell's history,
would read it there.

At a terminal it is asked for and not shown; a scanner types into that prompt as a hand does. Otherwise it is the next
line of stdin (a passphrase then comes from another descriptor).
"""

from __future__ import annotations

import getpass
import sys
from contextlib import suppress

from app.core.errors import BadInput

BADGE, PASSCODE = "工牌 scan the badge: ", "口令 passcode: "


def told_aside(prompt: str) -> str:
    """One line, without its end; "" where nobody tells any."""
    if sys.stdin.isatty():
        with suppress(EOFError):
            return getpass.getpass(prompt)
        return ""
    return sys.stdin.readline().rstrip("\r\n")


def badge_told() -> str:
    """Raises BadInput("centre.no_badge") where none is told."""
    if told := told_aside(BADGE).strip():
        return told
    raise BadInput("centre.no_badge", "stdin")
