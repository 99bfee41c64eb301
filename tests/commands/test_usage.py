"""Every command explains itself; what is no command is told so."""

from __future__ import annotations

import pytest

from app import __version__
from app.__main__ import COMMANDS
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
