"""`installer/setup.sh` asks apt for what is needed, and for what is welcome only where it is offered."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="a shell script")

COMMANDS = {
    "dpkg-query": '[[ " $HERE " == *" ${@: -1} "* ]] && echo "ii " || exit 1',
    "apt-cache": 'echo "$2:"; [[ " $OFFERED " == *" $2 "* ]] && echo "  Candidate: 1.2" || echo "  Candidate: (none)"',
    "apt-get": 'echo "apt-get $*" >> "$TOLD"',
    "sudo": '"$@"',
}
"""A distribution of our own: $HERE is installed, $OFFERED could be, what apt-get was asked for is written to $TOLD."""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """The files that setup reads, an environment that is there, and commands that stand for a distribution's."""
    shutil.copytree(ROOT / "installer", tmp_path / "installer", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for folder, name, body in ((".venv/bin", "python", "exit 0"), *(("bin", *one) for one in COMMANDS.items())):
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/usr/bin/env bash\n{body}\n")
        path.chmod(0o755)
    return tmp_path


def asked(house: Path, purpose: str, here: set[str], offered: set[str]) -> tuple[set[str], str]:
    """The packages that apt-get was asked to install, and what setup said."""
    told = house / "told"
    env = {**os.environ, "PATH": f"{house / 'bin'}:{os.environ['PATH']}", "TOLD": str(told)}
    env |= {"HERE": " ".join(here), "OFFERED": " ".join(offered)}
    argv = ["bash", str(house / "installer" / "setup.sh"), purpose]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True, timeout=60)
    lines = told.read_text().splitlines() if told.exists() else []
    words = [line.split() for line in lines if " install " in line]
    return {word for line in words for word in line[2:] if not word.startswith("-")}, done.stderr


def listed() -> tuple[set[str], set[str]]:
    """What the list calls needed and welcome."""
    lines = [line.split() for line in (ROOT / "installer" / "debian-packages.txt").read_text().splitlines()]
    names = [words for words in lines if words and not words[0].startswith("#")]
    return {words[0] for words in names if len(words) == 1}, {words[0] for words in names if words[1:] == ["?"]}


def test_what_is_missing_is_asked_for(house: Path) -> None:
    needed, welcome = listed()
    assert needed
    assert welcome
    assert asked(house, "test", set(), needed | welcome)[0] == needed | welcome


def test_what_is_not_offered_is_said_and_left_out(house: Path) -> None:
    needed, welcome = listed()
    found, said = asked(house, "test", needed, needed)
    assert found == set()
    assert all(f"skipped: {name}" in said for name in welcome)


def test_a_product_that_only_runs_wants_nothing_of_the_tests(house: Path) -> None:
    needed, welcome = listed()
    found, _said = asked(house, "run", set(), needed | welcome)
    assert found < needed
    assert "xvfb" not in found
    assert asked(house, "run", found, needed)[0] == found  # the second time setup ends at once: nothing more is asked
