"""Tesseract as a child process: dead, hanging, missing or babbling, it is simply no opinion."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from app.vision.text import third_opinion

LINE = np.full((40, 300, 3), 200, np.uint8)
DAY = date(2028, 3, 5)


def pretend(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """Put a program called tesseract in front of all others."""
    program = folder / "tesseract"
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@pytest.mark.parametrize("script", ["kill -FPE $$", "exit 1", "echo Error >&2; exit 139", "sleep 60"])
def test_a_child_that_dies_or_hangs_is_no_opinion(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str) -> None:
    monkeypatch.setattr(third_opinion, "TIMEOUT_S", 0.3)
    pretend(monkeypatch, tmp_path, script)
    assert third_opinion.digits(LINE) == ""
    assert not third_opinion.agrees_on_date(LINE, DAY)


def test_a_child_that_babbles_agrees_on_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # It is called as `tesseract picture output …`; what it writes to output.txt is what it says.
    pretend(monkeypatch, tmp_path, 'printf "20 28--03" > "$2.txt"')
    assert not third_opinion.agrees_on_date(LINE, DAY)


@pytest.mark.parametrize("fault", [MemoryError, UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no text")])
def test_a_child_that_never_stops_or_says_no_text_is_no_opinion(
    monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    def babble(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr(third_opinion.pytesseract, "image_to_string", babble)
    monkeypatch.setattr(
        third_opinion.subprocess, "run", babble if fault is MemoryError else third_opinion.subprocess.run
    )
    assert third_opinion.digits(LINE) == ""
    assert not third_opinion.agrees_on_date(LINE, DAY)
    if fault is MemoryError:
        assert third_opinion.all_lines(LINE) is None


def test_a_missing_tesseract_is_no_opinion(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not third_opinion.installed()
    assert third_opinion.digits(LINE) == ""
