"""A recording killed three times: recovered and exported it plays to its last frame in FFmpeg, Qt and Chromium.

Two minutes of the demo, killed thrice, are played by `python -m tests.bench plays`.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from app.evidence.ring import leftovers
from tests.players import (
    browser_or_skip,
    decoded_by_ffmpeg,
    played_by_chromium,
    played_by_qt,
    times_by_ffprobe,
)
from tests.recording import film_and_kill, gaps_of, ok

LEAST_FRAMES = 90
ONE_FRAME_S = 1 / 30


@pytest.fixture(scope="module")
def exported(film: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, float]:
    """The MP4 of a recording killed three times, how many frames it must show, and its last frame's second."""
    root = tmp_path_factory.mktemp("killed")
    camera = f"file:{film}?loop=1&epoch_us={time.monotonic_ns() // 1000}"
    for _ in range(3):
        film_and_kill(camera, root / "r1", 40)
    assert leftovers(root / "r1")
    ok("recover", str(root / "r1"))
    assert [gap["reason"] for gap in gaps_of(root / "r1")] == ["recorder_restarted"] * 2
    verdict = ok("verify", str(root / "r1"))
    assert verdict["closed"]
    assert verdict["frames"] >= LEAST_FRAMES
    ok("export", str(root / "r1"), str(root / "out.mp4"))
    times = times_by_ffprobe(root / "out.mp4")
    assert len(times) == verdict["frames"]
    return root / "out.mp4", len(times), times[-1]


def test_ffmpeg_decodes_every_frame_without_a_word(exported: tuple[Path, int, float]) -> None:
    film, frames, _last_s = exported
    assert decoded_by_ffmpeg(film) == (frames, "")


def test_qt_plays_it_to_the_last_frame(exported: tuple[Path, int, float]) -> None:
    film, frames, last_s = exported
    told = played_by_qt(film, 0.5, 60)
    assert told["error"] == ""
    assert told["ended"]
    assert told["last_us"] / 1e6 == pytest.approx(last_s, abs=2 * ONE_FRAME_S)
    assert frames // 2 < told["frames"] <= frames  # a busy machine shows fewer than there are, never more


def test_chromium_plays_it_to_its_end(exported: tuple[Path, int, float], tmp_path: Path) -> None:
    film, frames, last_s = exported
    told = played_by_chromium(browser_or_skip(), film, tmp_path / "page", 90)
    assert told["word"] == "ended"
    assert told["width"] == 320
    assert told["at"] == pytest.approx(told["length"], abs=2 * ONE_FRAME_S)
    assert told["length"] == pytest.approx(last_s, abs=0.2)
    assert told["frames"] > frames // 2
