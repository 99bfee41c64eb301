"""The values that `cardintake nfc` takes on its command line. Each raises ArgumentTypeError with what is wrong."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

_LONGEST_TEXT = 100
_LONGEST_WAIT_S = 3600.0
_SECRET_BYTES = {"key": 6, "password": 4}


def uid(told: str) -> bytes:
    """A chip's number in hex, with or without colons: 4, 7 or 10 bytes."""
    try:
        number = bytes.fromhex(told.replace(":", ""))
    except ValueError:
        number = b""
    if len(number) not in (4, 7, 10):
        raise argparse.ArgumentTypeError("a UID is 4, 7 or 10 bytes in hex")
    return number


def tombstone(told: str) -> str:
    """What the chip will say."""
    if not told.isascii() or not told.isprintable() or len(told) > _LONGEST_TEXT:
        raise argparse.ArgumentTypeError(f"printable ASCII, at most {_LONGEST_TEXT} characters")
    return told


def wait_s(told: str) -> float:
    """How long to wait for a card, in seconds: an hour at most, since a word of the centre does not hold for ever."""
    try:
        seconds = float(told)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= _LONGEST_WAIT_S:  # not a number fails, too
        raise argparse.ArgumentTypeError(f"seconds, 0 to {_LONGEST_WAIT_S:.0f}")
    return seconds


def secrets(name: str) -> tuple[tuple[bytes, ...], bytes | None]:
    """The issuer's, from a file: lines `key HEX` (6 bytes, MIFARE Classic) and `password HEX` (4 bytes).

    What is wrong is told by the line's number, never by what stands there.
    """
    try:
        lines = Path(name).read_text("utf-8").splitlines()
    except OSError as trouble:
        raise argparse.ArgumentTypeError(f"{name}: {trouble.strerror or 'cannot be read'}") from trouble
    except ValueError:
        raise argparse.ArgumentTypeError(f"{name}: not a file of text") from None
    told = [_secret(line, no) for no, line in enumerate(lines, start=1) if line.strip()]
    passwords = [value for kind, value in told if kind == "password"]
    return tuple(value for kind, value in told if kind == "key"), passwords[0] if passwords else None


def _secret(line: str, no: int) -> tuple[str, bytes]:
    kind, *digits = line.split()
    try:
        value = bytes.fromhex("".join(digits))
    except ValueError:
        value = b""
    if not value or len(value) != _SECRET_BYTES.get(kind):
        raise argparse.ArgumentTypeError(f"line {no}: wanted `key` and 12 hex digits, or `password` and 8")
    return kind, value
