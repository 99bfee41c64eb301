"""The log: only known fields, no secrets, no variables; a folder that cannot be written costs the file only."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from app.core.cards import DOTS, Secret
from app.core.errors import StorageTrouble
from app.logs import quiet_qt, start_logging, struck

NUMBER = "7777000000004711"


class Logged:
    """A program's log while a test runs."""

    def __init__(self, folder: Path) -> None:
        self.err = StringIO()
        self.folder = folder
        self.stop = start_logging("station", folder, err=self.err)
        self.log = logging.getLogger("app.test")

    @property
    def lines(self) -> list[dict[str, object]]:
        text = (self.folder / "station.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    @property
    def all_text(self) -> str:
        return self.err.getvalue() + (self.folder / "station.jsonl").read_text(encoding="utf-8")


@pytest.fixture
def logged(tmp_path: Path) -> Iterator[Logged]:
    found = Logged(tmp_path / "logs")
    yield found
    found.stop()


def test_a_record_keeps_known_fields_only(logged: Logged) -> None:
    logged.log.info("card %d kept", 3, extra={"card": "abc", "pin": "9999"})
    (line,) = logged.lines
    assert set(line) == {"at", "level", "program", "from", "say", "card"}
    assert (line["level"], line["program"], line["from"], line["say"]) == ("INFO", "station", "app.test", "card 3 kept")
    assert "9999" not in logged.all_text
    assert "card=abc" in logged.err.getvalue()


def test_secrets_and_long_numbers_do_not_get_in(logged: Logged) -> None:
    logged.log.info("%s %s", Secret(NUMBER), {"pin": Secret("7KQM2XWR")}, extra={"detail": f"read {NUMBER}"})
    logged.log.info(f"number 7777 0000 0000 4711 or {NUMBER}")
    assert DOTS in logged.all_text
    for part in (NUMBER, "7KQM2XWR", "0000 4711"):
        assert part not in logged.all_text


def test_what_is_struck_out_and_what_is_not() -> None:
    assert struck("a\nb") == "a ⏎ b"
    assert struck("event 123456789012 of 12") == "event 123456789012 of 12"
    assert struck("1234567890123") == DOTS
    digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    assert struck(f"sha {digest}") == f"sha {digest}"
    assert len(struck("x" * 9000)) < 2100


@pytest.mark.warns
def test_a_bug_is_told_by_type_and_place_without_its_words(logged: Logged) -> None:
    def read(text: str) -> None:
        raise ValueError(f"cannot read {text}")

    try:
        try:
            read("PIN 1234")
        except ValueError as error:
            raise StorageTrouble("store.io", "28") from error
    except StorageTrouble:
        logged.log.exception("bug")
    (line,) = logged.lines
    assert isinstance(line["bug"], list)
    assert line["bug"][0] == "StorageTrouble store.io"
    assert "ValueError" in line["bug"]
    assert any("test_logs.py" in place and place.endswith(" read") for place in line["bug"])
    assert "1234" not in logged.all_text


@pytest.mark.warns
def test_warnings_of_python_are_logged(logged: Logged) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old way", UserWarning, stacklevel=1)
    assert logged.lines[-1]["from"] == "py.warnings"


def test_the_file_is_private_and_appended_to(logged: Logged) -> None:
    logged.log.info("one")
    logged.stop()
    again = start_logging("station", logged.folder, err=StringIO())
    logged.log.info("two")
    again()
    assert [line["say"] for line in logged.lines] == ["one", "two"]
    assert (logged.folder / "station.jsonl").stat().st_mode & 0o077 == 0


def test_the_file_is_turned_over_before_it_grows(logged: Logged) -> None:
    for _ in range(1500):
        logged.log.info("x" * 1900)
    names = sorted(p.name for p in logged.folder.iterdir())
    assert names == ["station.jsonl", "station.jsonl.1"]
    assert (logged.folder / "station.jsonl").stat().st_size < 2_000_001


@pytest.mark.warns
def test_no_folder_costs_the_file_only(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file in the way")
    err = StringIO()
    stop = start_logging("eye", tmp_path / "logs", err=err)
    logging.getLogger("app.test").info("goes on")
    stop()
    assert "logs.no_file" in err.getvalue()
    assert "goes on" in err.getvalue()


def test_stopping_leaves_the_root_as_it_was(tmp_path: Path) -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    start_logging("eye", tmp_path, err=StringIO())()
    assert (list(root.handlers), root.level) == before


PIN = "7KQM2XWR9"
_CRASH = f"""
import ctypes, sys, threading
import app.commands.{{name}} as command

def boom(*_):
    print("dumpable", ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
    pin = "{PIN}"
    thread = threading.Thread(target=int, args=(pin,))
    thread.start()
    thread.join()
    raise ValueError("cannot read " + pin)

command.run, command.add_arguments = boom, lambda _parser: None
sys.argv = ["cardintake", "{{name}}"]
from app.__main__ import main
main()
"""


@pytest.mark.parametrize("name", ["recorder", "eye", "station", "serve", "vault", "demo"])
def test_no_program_tells_a_secret_when_it_dies_of_a_bug(name: str) -> None:
    done = subprocess.run([sys.executable, "-c", _CRASH.format(name=name)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert PIN not in done.stderr
    assert done.stderr.count("ValueError") == 2  # of the thread and of the program, each with its place
    assert "boom" in done.stderr
    assert done.stdout.strip() == "dumpable 0"


def _told_by(*argv: str) -> str:
    """What a new process says on stderr, that it ended well taken for granted."""
    env = {name: value for name, value in os.environ.items() if name != "QT_LOGGING_RULES"}
    done = subprocess.run([sys.executable, *argv], capture_output=True, text=True, env=env, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_a_command_with_a_window_says_nothing_of_a_machine_that_is_in_order() -> None:
    assert _told_by("-m", "app", "shots", "--help") == ""


WARN = """
import os
from app.logs import quiet_qt
quiet_qt(); quiet_qt()
import ui.sound
from PySide6.QtCore import QLoggingCategory, qCWarning
qCWarning(QLoggingCategory("qt.multimedia.ffmpeg"), "no such codec")
qCWarning(QLoggingCategory("qt.multimedia"), "no such device")
"""


def test_real_warnings_of_qt_are_still_told() -> None:
    assert _told_by("-c", WARN).splitlines() == ["qt.multimedia.ffmpeg: no such codec", "qt.multimedia: no such device"]


def test_rules_for_qt_that_are_set_outside_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_LOGGING_RULES", "qt.multimedia.*=true")
    quiet_qt()
    once = os.environ["QT_LOGGING_RULES"]
    quiet_qt()
    assert once.endswith(";qt.multimedia.*=true")
    assert os.environ["QT_LOGGING_RULES"] == once
