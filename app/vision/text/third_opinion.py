"""Tesseract as a third opinion on digits: another engine with other mistakes, asked only where the others doubt.

It runs as a child process: version 5.3 has died of SIGFPE on single pictures. Not installed, dead, late or wordless:
each is simply no opinion.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import date
from typing import cast

import cv2
import numpy as np
import pytesseract

from app.vision.picture.pixels import Colour, Gray, grey

TIMEOUT_S = 3.0
_PAGE_TIMEOUT_S = 20.0  # for a whole picture, at the lowest priority
_LINE_H = 64
_OPTIONS = "--psm 7 -c tessedit_char_whitelist="
_DATE = re.compile(r"(20\d\d)-(\d\d)-(\d\d)")


def installed() -> bool:
    """Whether the tesseract program is there."""
    return shutil.which("tesseract") is not None


def digits(line: Colour) -> str:
    """The digits of a line of print; "" for no opinion."""
    return re.sub(r"\D", "", _ask(line, "0123456789"))


def agrees_on_date(line: Colour, day: date) -> bool:
    """Whether Tesseract reads this very date in the line."""
    found = _DATE.search(_ask(line, "0123456789-"))
    return found is not None and found[0] == day.isoformat()


def all_lines(picture: Colour) -> list[str] | None:
    """Every line of text that Tesseract finds anywhere in a picture; None for no opinion (dead, absent, too slow).

    The picture goes through a pipe: nothing of it touches the disk.
    """
    done, data = cv2.imencode(".pgm", grey(picture))
    if not done:
        return None
    argv = ["tesseract", "stdin", "stdout", "-l", "eng", "--psm", "11"]
    try:
        said = subprocess.run(argv, input=data.tobytes(), capture_output=True, timeout=_PAGE_TIMEOUT_S, check=True)
    except (subprocess.SubprocessError, OSError, MemoryError):
        return None
    return [line.strip() for line in said.stdout.decode("utf-8", "replace").splitlines() if line.strip()]


def _ask(line: Colour, signs: str) -> str:
    try:
        said = pytesseract.image_to_string(_prepared(line), lang="eng", config=_OPTIONS + signs, timeout=TIMEOUT_S)
    except (pytesseract.TesseractError, pytesseract.TesseractNotFoundError, RuntimeError, OSError):
        return ""  # died, is not there, or was too slow
    except (MemoryError, ValueError):
        return ""  # went on and on, or said what is no text
    return cast(str, said).strip()


def _prepared(line: Colour) -> Gray:
    """Dark print on light ground, 64 pixels high, with a margin: what Tesseract was trained on."""
    scale = _LINE_H / line.shape[0]
    shade = cv2.resize(grey(line), None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    if float(np.median(shade)) < 110:
        shade = 255 - shade
    return cast(Gray, cv2.copyMakeBorder(shade, 16, 16, 16, 16, cv2.BORDER_REPLICATE))
