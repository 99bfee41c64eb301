"""Every command explains itself; what is no command is told so."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import pytest

from app import __version__
from app.__main__ import COMMANDS, main
from tests.commands.conftest import Said, call

WINDOWS = ("demo", "shots")
"""These bring Qt along, which must not meet OpenCV in one process."""


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_of_each_command(say, command: str) -> None:
    said: Said = call(command, "--help") if command in WINDOWS else say(command, "--help")
    assert said.code == 0
    assert f"usage: cardintake {command}" in said.out
    assert "Traceback" not in said.err


def test_help_lists_every_command(say) -> None:
    said: Said = say("--help")
    assert said.code == 0
    assert all(f"\n    {command} " in said.out for command in COMMANDS)


def test_version(say) -> None:
    assert say("--version").out.strip() == __version__


@pytest.mark.parametrize("argv", [["poem"], [], ["audit"], ["audit", "burn", "x"], ["read"], ["serve", "--prot", "1"]])
def test_bad_usage_is_exit_2_and_says_how(say, argv: list[str]) -> None:
    said: Said = say(*argv)
    assert said.code == 2
    assert "usage: cardintake" in said.err
    assert said.out == ""


def test_who_ends_a_command_while_it_is_loaded_is_shown_no_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds on a busy machine: Ctrl-C in them was logged as a bug."""

    def interrupted(_name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib, "import_module", interrupted)
    assert main(["verify", "x"]) == 130


def printing(monkeypatch: pytest.MonkeyPatch, run: Any) -> None:
    """Has a command do `run`."""
    command = SimpleNamespace(add_arguments=lambda _parser: None, run=run)
    monkeypatch.setattr(importlib, "import_module", lambda _name: command)


@pytest.mark.parametrize("writes_through", [False, True])
def test_who_reads_only_the_first_lines_is_shown_no_bug(monkeypatch: pytest.MonkeyPatch, writes_through: bool) -> None:
    """`cardintake audit verify … | head -2` logged one."""
    printing(monkeypatch, lambda _args: print("told", flush=True))
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as out:
        out.reconfigure(write_through=writes_through)
        monkeypatch.setattr(sys, "stdout", out)
        assert main(["verify"]) == 141
    monkeypatch.undo()


def test_another_pipe_that_breaks_is_a_bug_still(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_args: Any) -> int:
        raise BrokenPipeError

    printing(monkeypatch, breaks)
    with pytest.raises(BrokenPipeError):
        main(["verify"])


@pytest.mark.parametrize("name", ["recogniser", "opening", "panel", "torn", "twins"])
def test_training_without_pytorch_says_what_it_needs(name: str) -> None:
    if find_spec("torch") is not None:
        pytest.skip("PyTorch is installed here")
    argv = [sys.executable, "-m", f"training.{name}", "--help"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install torch" in done.stderr
    assert "docs/recogniser.md" in done.stderr
    assert done.stderr.count("\n") == 1
