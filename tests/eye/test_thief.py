"""What counts as a sight of a PIN: no slip of one engine, and nothing that a card or a parcel may show."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from app.eye.leaks import Curious, as_job
from app.eye.thief import HOUSE, TESSERACT, Sight, believable
from app.vision import third_opinion


def sight(engine: str = HOUSE, how: str = "pattern", digits: int = 4, mark: str = "a") -> Sight:
    return Sight(engine, how, 8, digits, mark)


@pytest.mark.parametrize(
    ("seen", "before", "counts"),
    [
        ([sight()], [], 0),
        ([sight(how="field")], [], 1),
        ([sight(TESSERACT, "label")], [], 1),
        ([sight(), sight(TESSERACT)], [], 2),
        ([sight(), sight(TESSERACT, mark="b")], [], 0),
        ([sight()], [sight()], 1),
        ([sight(TESSERACT)], [sight(TESSERACT)], 1),
        ([sight(TESSERACT, digits=1)], [sight(TESSERACT, digits=1)], 0),
    ],
)
def test_one_engine_once_is_not_believed(seen: list[Sight], before: list[Sight], counts: int) -> None:
    assert len(believable(seen, before)) == counts


def test_a_doubtful_picture_is_followed_by_one_more_and_no_others() -> None:
    curious = Curious()
    told = []
    for doubtful in (True, True, False, True):
        curious.saw(doubtful)
        told.append(curious.left)
    assert told == [1, 0, 0, 1]


def test_a_job_does_not_print_its_key() -> None:
    job = as_job('{"folder": "r-1", "key": "c0ffee", "bound": [["1", "p"]], "harmless": ["SF1"]}')
    assert (job.harmless, job.bound, job.from_us) == (("SF1",), (("1", "p"),), 0)
    assert "c0ffee" not in repr(job)


@pytest.mark.skipif(not third_opinion.installed(), reason="no Tesseract here")
def test_tesseract_reads_a_picture_through_a_pipe_and_its_end_is_no_opinion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = np.full((200, 700, 3), 255, np.uint8)
    cv2.putText(picture, "PIN 83749261", (30, 120), cv2.FONT_HERSHEY_SIMPLEX, 2.4, (0, 0, 0), 5, cv2.LINE_AA)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    lines = third_opinion.all_lines(picture)
    assert lines is not None
    assert any("83749261" in line for line in lines)
    assert list(tmp_path.iterdir()) == []
    dying = tmp_path / "tesseract"
    dying.write_text("#!/bin/sh\nkill -FPE $$\n")
    dying.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert third_opinion.all_lines(picture) is None
    dying.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(third_opinion, "_PAGE_TIMEOUT_S", 0.2)
    assert third_opinion.all_lines(picture) is None
