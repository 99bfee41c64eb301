"""Is a PIN left in any frame of what the demo recorded? Both engines read the frames, the label camera's too.

    CARDINTAKE_BENCH_PART=1 python -m tests.bench pins       every frame: about three quarters of a second each

Only when it is named. With a PART of less it reads evenly that share of the frames. The demo is played once, headless,
into out/bench/pins; each frame's result is kept there, so that a run that was stopped goes on where it was. To begin
anew, remove that folder. `sights` is what the leak check of an idle station would hold the footage for (goal 0),
`doubts` what one engine alone took for characters once.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np

from app.catalog.shelf import shipped
from app.evidence.reader import DecryptedRecording, recording_parts
from app.eye.oneshot import make_looker
from app.eye.thief import Sight, Thief, believable
from app.paths import StationFolder
from app.store.store import REHEARSAL_PASSPHRASE, Store
from tests.bench.sizes import PART

AT = Path("out/bench/pins")
KEPT = AT / "read.jsonl"
_REMEMBERED = 6  # pictures, as the leak check does


def played() -> StationFolder:
    """The station of a demo that was played to its end."""
    folder = StationFolder((AT / "station").resolve())
    if not (AT / "report.json").is_file():
        argv = [sys.executable, "-m", "app", "demo", "--headless", "--out", str(AT)]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return folder


def recordings(folder: StationFolder) -> list[tuple[str, str, bytes]]:
    """Each recording: its id, its waybill and its key."""
    store = Store.open(folder.database, REHEARSAL_PASSPHRASE, reserve_bytes=0)
    try:
        known = [(one, store.find_recording(one.recording_id)) for one in store.known_recordings()]
        return [(one.recording_id, one.waybill, found.key) for one, found in known if found is not None]
    finally:
        store.close()


def frames(folder: Path, key: bytes, step: int) -> Iterator[tuple[int, np.ndarray]]:
    """Every so many frames of a recording: its number, and the picture."""
    n = 0
    for part in recording_parts(folder):
        with DecryptedRecording(folder, key, part) as film, av.open(film, "r", format="mp4") as container:
            for frame in container.decode(video=0):
                if n % step == 0:
                    yield n, np.ascontiguousarray(frame.to_ndarray(format="bgr24"), np.uint8)
                n += 1


def main() -> dict[str, Any]:
    """Measure, print, give the figures."""
    folder, step = played(), max(1, round(1 / PART))
    catalogue = shipped()
    thief = Thief(make_looker(catalogue), catalogue)
    kept = [json.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.is_file() else []
    done = {(one["recording"], one["frame"]): one for one in kept}
    with KEPT.open("a") as out:
        for name, waybill, key in recordings(folder):
            before: deque[list[Sight]] = deque(maxlen=_REMEMBERED)
            for n, picture in frames(folder.recordings / name, key, step):
                if (name, n) in done:
                    continue
                seen = thief.read(picture, (waybill,))
                found = believable(seen, [sight for sights in before for sight in sights])
                before.append(seen)
                done[name, n] = {"recording": name, "frame": n, "sights": len(found), "doubts": len(seen) - len(found)}
                out.write(json.dumps(done[name, n]) + "\n")
                out.flush()
    told = list(done.values())
    figures = {
        "recordings": len({one["recording"] for one in told}),
        "frames": len(told),
        "engines": list(thief.engines),
        **{name: sum(one[name] for one in told) for name in ("sights", "doubts")},
        "frames_with_sights": sum(one["sights"] > 0 for one in told),
    }
    print(json.dumps(figures, indent=1))
    return {"pins": figures}


if __name__ == "__main__":
    main()
