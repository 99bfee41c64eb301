"""What the reading commands are given and cannot read: told in words, the others read, and an end that is one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.commands.conftest import Said

Say = Callable[..., Said]


def test_what_cannot_be_read_is_told_and_the_others_read(
    say: Say, language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A closed folder, and a name no disk takes, ended the program as a bug; an empty folder was no word worth."""
    (tmp_path / "nothing").mkdir()
    (tmp_path / "shut").mkdir()
    cv2.imwrite(str(tmp_path / "whole.png"), np.full((90, 160, 3), 80, np.uint8))
    shut, long, within, listed = tmp_path / "shut", tmp_path / ("x" * 300), tmp_path / "shut" / "x.jpg", Path.iterdir
    looked = Path.stat

    def list_or_refuse(path: Path) -> Iterator[Path]:
        if path == shut:
            raise PermissionError(13, "Permission denied")
        return listed(path)

    def look_or_refuse(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path == within:
            raise PermissionError(13, "Permission denied")
        return looked(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "iterdir", list_or_refuse)
    monkeypatch.setattr(Path, "stat", look_or_refuse)
    said = say("read", tmp_path / "nothing", shut, within, long, tmp_path / "whole.png", "--threads", 1)
    assert said.code == 2
    answers = {
        answer["file"]: answer.get("error", {}).get("code", "") for answer in map(json.loads, said.out.splitlines())
    }
    wanted = {
        "nothing": "input.nothing",
        "shut": "input.denied",
        "x.jpg": "input.denied",
        long.name: "input.not_a_file",
    }
    assert answers == {**wanted, "whole.png": ""}
    assert all(said.complains(code, language) for code in wanted.values())
    assert say("read", tmp_path / "nothing").code == 2
    for path, code in ((within, "input.denied"), (long, "input.not_a_file")):
        assert say("replay", path).complains(code, language)


@pytest.mark.parametrize("threads", [-3, 0, 65, 100_000])
def test_threads_that_no_reader_begins_with(say: Say, language: str, tmp_path: Path, threads: int) -> None:
    photographs = ("a.jpg", "b.jpg", "c.jpg", "--id", "new", "--zh", "新卡", "--en", "New")
    for words in (
        ("read", "a.png"),
        ("replay", "a.mp4"),
        ("scan", "--folder", tmp_path),
        ("catalog", "learn", *photographs),
    ):
        said = say(*words, "--threads", threads)
        assert (said.code, said.out) == (2, "")
        assert said.complains("usage.count", language)
        assert str(threads) in said.err


def test_an_end_that_is_asked_for_twice_at_once_is_one() -> None:
    """The second one was raised while the program shut down, and left a traceback."""
    argv = [sys.executable, "-c", _ENDED_TWICE]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (130, "")


_ENDED_TWICE = """
import atexit, os, signal, sys, time
import app.commands.read as read
from app.__main__ import main
def end(*_):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
atexit.register(lambda: os.kill(os.getpid(), signal.SIGTERM))
read.add_arguments, read.run = (lambda _: None), end
sys.argv = ["cardintake", "read"]
sys.exit(main())
"""
