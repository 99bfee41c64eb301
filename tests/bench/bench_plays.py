"""Two minutes of the demo, recorded by `cardintake record`, killed with -9 three times: does it play, does it verify?

    CARDINTAKE_BENCH_PART=1 python -m tests.bench plays      some nine minutes; with less, so much of the two minutes

After `recover`, `export` and `verify`: `lost_s` of each kill (last frame captured to last frame of that stretch in the
export; goal 1.0), frames that FFmpeg decodes and what it complains of, how far QMediaPlayer and headless Chromium play
at the speed of life and how many frames they showed. Without a Chromium its part is left out, and says so.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from app.commands.rehearsal_folder import render_footage
from app.paths import RESOURCES
from tests.bench.sizes import share
from tests.players import browser, decoded_by_ffmpeg, played_by_chromium, played_by_qt, times_by_ffprobe
from tests.recording import film_and_kill, ok

KILLS = 3
FPS = 30
_AT_THE_END_S = 0.2  # two frames of a player's and the last one's own length


def killed(film: Path, out: Path, seconds: int) -> list[int]:
    """Record so many seconds, each third ended by a kill; the last captured frame's time (us) of each."""
    camera = f"file:{film}?loop=1&epoch_us={time.monotonic_ns() // 1000}"
    return [film_and_kill(camera, out, seconds * FPS // KILLS) for _ in range(KILLS)]


def lost(journal: Path, captured_us: list[int], times: list[float]) -> list[float]:
    """Seconds of each stretch that were captured and are not in the export."""
    records = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    again = [one for one in records if one["kind"] == "gap" and one["reason"] == "recorder_restarted"]
    starts = [0.0, *(record["to_pts"] / 1e6 for record in again)]
    ends = [*(start - 1e-4 for start in starts[1:]), float("inf")]
    last = [max(at for at in times if at < end) for end in ends]
    return [start + us / 1e6 - at for start, us, at in zip(starts, captured_us, last, strict=True)]


def played(film: Path, frames: int, last_s: float, root: Path) -> dict[str, Any]:
    """What each player makes of it."""
    decoded, said = decoded_by_ffmpeg(film)
    qt = played_by_qt(film, 1.0, 2 * last_s + 60)
    figures: dict[str, Any] = {
        "ffmpeg": {"frames": decoded, "said": said, "whole": (decoded, said) == (frames, "")},
        "qmediaplayer": {**qt, "whole": qt["ended"] and abs(qt["last_us"] / 1e6 - last_s) < _AT_THE_END_S},
    }
    if not (program := browser()):
        return {**figures, "chromium": {"left_out": "no Chromium on this machine"}}
    shown = played_by_chromium(program, film, root / "page", 2 * last_s + 90)
    whole = shown["word"] == "ended" and abs(shown["at"] - last_s) < _AT_THE_END_S
    return {**figures, "chromium": {**shown, "whole": whole}}


def main() -> dict[str, Any]:
    """Measure, print, give the figures."""
    film = render_footage(RESOURCES / "decks" / "ten_cards.toml", Path("out/cache"), "720p").footage
    with tempfile.TemporaryDirectory() as at:
        root = Path(at)
        folder, exported = root / "r1", root / "out.mp4"
        captured_us = killed(film.resolve(), folder, share(120, 9))
        recovered = ok("recover", str(folder))
        verdict = ok("verify", str(folder))
        ok("export", str(folder), str(exported))
        times = times_by_ffprobe(exported)
        figures: dict[str, Any] = {
            "kills": KILLS,
            "seconds": round(times[-1], 1),
            "frames": len(times),
            "gaps": recovered["gaps"],
            "lost_s": [round(one, 2) for one in lost(folder / "journal.jsonl", captured_us, times)],
            "verified": bool(verdict["ok"] and verdict["closed"] and verdict["frames"] == len(times)),
            **played(exported, len(times), times[-1], root),
        }
    print(json.dumps(figures, indent=1))
    return {"plays": figures}


if __name__ == "__main__":
    main()
