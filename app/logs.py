"""Logging of a program: short lines on stderr, one JSON object a line in the station folder. Nothing secret gets in.

What is written is an allow-list: the fields below and no other `extra`; of an exception its type and places, never its
message or variables (they may quote what was read). Runs of 13 digits and more are struck out, whoever logs them.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from app.core.errors import Trouble

EXTRAS = ("code", "detail", "device", "recording", "parcel", "card", "count", "ms")
"""The `extra` keys that are written; their values as short text."""

_MOST_BYTES = 2_000_000
_OLD_FILES = 3
_LONGEST = 2000
_LONG_NUMBER = re.compile(r"(?<![0-9a-fA-F-])\d(?:[ -]?\d){12,}")
"""13 digits and more, also in groups: a card number, or a clock nobody misses. Hashes and ids are left alone."""

QT_RULES = "qt.multimedia.*.info=false;qt.multimedia.symbolsresolver.warning=false"
"""Not written by Qt: which FFmpeg it brings, what is in each film, and that PipeWire is not there (PulseAudio is)."""


def struck(text: str) -> str:
    """The text as it may be written: one line, not too long, without long numbers."""
    line = _LONG_NUMBER.sub("••••", text).replace("\n", " ⏎ ")
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "…"


def fields_of(record: logging.LogRecord, program: str) -> dict[str, Any]:
    """What is written of a record."""
    told: dict[str, Any] = {
        "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname,
        "program": program,
        "from": record.name,
        "say": struck(record.getMessage()),
    }
    told |= {key: struck(str(record.__dict__[key])) for key in EXTRAS if key in record.__dict__}
    if record.exc_info and record.exc_info[1] is not None:
        told["bug"] = bug_of(record.exc_info[1])
    return told


def bug_of(error: BaseException) -> list[str]:
    """Type and places of an exception and its causes, the newest first. No message, but a Trouble's code."""
    told: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(told) < 40:
        name = f"{type(seen).__name__} {seen.code}" if isinstance(seen, Trouble) else type(seen).__name__
        told.append(name)
        frames = traceback.extract_tb(seen.__traceback__)[-12:]
        told += (f"  {Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return told


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, program: str) -> None:
        super().__init__()
        self._program = program

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(fields_of(record, self._program), ensure_ascii=False)


class ShortLines(logging.Formatter):
    """One line for a person who watches."""

    def __init__(self, program: str) -> None:
        super().__init__()
        self._program = program

    def format(self, record: logging.LogRecord) -> str:
        told = fields_of(record, self._program)
        extras = " ".join(f"{key}={told[key]}" for key in EXTRAS if key in told)
        at = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        line = f"{at} {record.levelname} {self._program} {record.name}: {told['say']} {extras}".rstrip()
        return "\n".join([line, *(f"    {place}" for place in told.get("bug", ()))])


class _PrivateFile(RotatingFileHandler):
    """A log file that only its owner reads."""

    def _open(self) -> Any:
        fd = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return os.fdopen(fd, "a", encoding="utf-8")


_TALKATIVE = ("httpx", "httpcore", "alembic")
"""Libraries that tell each request and each migration step; only their warnings matter here."""


def start_logging(
    program: str, folder: Path | None, *, err: TextIO | None = None, level: int = logging.INFO
) -> Callable[[], None]:
    """Log from now on to `err` (stderr) and, when given, to `folder`/`program`.jsonl; gives what ends it.

    A folder that cannot be written to costs the file, not the program: it is said on `err`.
    """
    stream: logging.Handler = logging.StreamHandler(err if err is not None else sys.stderr)
    stream.setFormatter(ShortLines(program))
    stream.setLevel(level)
    end_stream = _log_to(stream, level)
    end_file = log_into(folder, program) if folder is not None else _nothing
    logging.captureWarnings(True)

    def end() -> None:
        logging.captureWarnings(False)
        end_file()
        end_stream()

    return end


def log_into(folder: Path, program: str) -> Callable[[], None]:
    """Log from now on to `folder`/`program`.jsonl too; gives what ends it. See `start_logging`."""
    try:
        handler = _file_in(folder, program)
    except OSError as wrong:
        told = {"code": "logs.no_file", "detail": wrong.strerror or "cannot be written"}
        logging.getLogger(__name__).warning("no log file", extra=told)
        return _nothing
    return _log_to(handler, logging.INFO)


def log_bugs() -> None:
    """From now on what nobody caught, in any thread, is told by type and place: its words may quote a secret."""
    log = logging.getLogger(__name__)

    def on_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        log.critical("a bug", exc_info=(kind, error, trace))

    def on_thread_bug(told: threading.ExceptHookArgs) -> None:
        if told.exc_value is not None:
            on_bug(told.exc_type, told.exc_value, told.exc_traceback)

    sys.excepthook, threading.excepthook = on_bug, on_thread_bug


def quiet_qt() -> None:
    """Let Qt multimedia keep to itself what it tells of a sound machine; all its other words stay.

    Call before Qt is loaded. Rules that are set outside come after these, so they win.
    """
    given = os.environ.get("QT_LOGGING_RULES", "")
    if QT_RULES not in given:
        os.environ["QT_LOGGING_RULES"] = f"{QT_RULES};{given}".rstrip(";")


def _nothing() -> None:
    """Ends nothing."""


def _log_to(handler: logging.Handler, level: int) -> Callable[[], None]:
    root = logging.getLogger()
    before = root.level
    root.setLevel(min(level, before) if root.handlers else level)
    for talkative in _TALKATIVE:
        logging.getLogger(talkative).setLevel(max(level, logging.WARNING))
    root.addHandler(handler)

    def end() -> None:
        root.setLevel(before)
        root.removeHandler(handler)
        handler.close()

    return end


def _file_in(folder: Path, program: str) -> logging.Handler:
    folder.mkdir(parents=True, exist_ok=True)
    handler = _PrivateFile(folder / f"{program}.jsonl", maxBytes=_MOST_BYTES, backupCount=_OLD_FILES, encoding="utf-8")
    handler.setFormatter(JsonLines(program))
    return handler
