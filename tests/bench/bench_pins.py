"""Is a PIN left in any frame of what the demo recorded? Both engines read the frames, the label camera's too.

    CARDINTAKE_BENCH_PART=1 python -m tests.bench pins       every frame: about three quarters of a second each

Only when it is named. With a PART of less it reads evenly that share of the frames. The demo is played once, headless,
into out/bench/pins; each frame's result is kept there, so that a run that was stopped goes on where it was. To begin
anew, remove that folder. What the leak check of an idle station would hold the footage for is held, in memory, against
the PINs that the rehearsal's labels know: `real` shows one, or a part that can be recognised (goal 0), `false_alarms`
are the others. `doubts` is what it passes over (seen by one engine once, half of a card number); such of that as shows
a part of a PIN after all are `glimpses` (goal 0 too). `control`: of how many cards the same eyes see the PIN in the
film as it was before the masks; without it a zero would say nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np

from app.catalog.shelf import shipped
from app.commands.rehearsal_folder import read_labels, read_mark
from app.core.products import Catalogue
from app.evidence.reader import DecryptedRecording, recording_parts
from app.eye.oneshot import make_looker
from app.eye.thief import Held, Sight, Thief, believable
from app.paths import StationFolder
from app.rehearsal.footage import labels_path
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.vision.look import Looker
from tests.bench.sizes import PART

AT = Path("out/bench/pins")
KEPT = AT / "read.jsonl"
_REMEMBERED = 6  # pictures, as the leak check does
_LATER = 90  # frames: as far as six pictures of the leak check may reach
_PART_OF_A_PIN = 4  # characters in a row, or as many at their places and half of what was read
_LOOKALIKES = str.maketrans("OI", "01")


class Witness(Thief):
    """Remembers which characters it saw; they leave this process by no way."""

    def __init__(self, looker: Looker, catalogue: Catalogue) -> None:
        super().__init__(looker, catalogue)
        self._read: dict[str, str] = {}

    def _sight(self, engine: str, how: str, text: str) -> Sight:
        sight = super()._sight(engine, how, text)
        self._read[sight.mark] = text
        return sight

    def shows(self, sight: Sight, pins: Sequence[str]) -> bool:
        """Whether a sight shows one of these, or a part of one."""
        return any(shows_part(self._read[sight.mark], pin) for pin in pins)


def shows_part(text: str, pin: str) -> bool:
    """Whether somebody who has the text has a part of the PIN, wherever it begins and whatever was misread in it."""
    text, pin = text.translate(_LOOKALIKES), pin.translate(_LOOKALIKES)
    for shift in range(1 - len(text), len(pin)):
        same = [pin[n + shift] == glyph for n, glyph in enumerate(text) if 0 <= n + shift < len(pin)]
        row = max(map(len, "".join("x" if one else " " for one in same).split()), default=0)
        if row >= _PART_OF_A_PIN or sum(same) >= max(_PART_OF_A_PIN, len(text) / 2):
            return True
    return False


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


def truth(folder: StationFolder) -> tuple[Path, list[dict[str, Any]]]:
    """The film that the demo's camera played, and what is true of its cards."""
    mark = read_mark(folder)
    assert mark is not None
    film = Path(mark.footage)
    return film, list(read_labels(labels_path(film))["cards"])


def control(film: Path, cards: Sequence[dict[str, Any]], thief: Witness) -> int:
    """Of how many cards the PIN is seen in the film itself, in the middle of the time in which the card lies there."""
    middles = [(card["still_start_s"] + card["still_end_s"]) / 2 for card in cards]
    seen, waiting = 0, list(zip(middles, cards, strict=True))
    with av.open(str(film)) as container:
        for frame in container.decode(video=0):
            if not waiting:
                break
            if (frame.time or 0.0) < waiting[0][0]:
                continue
            _, card = waiting.pop(0)
            picture = np.ascontiguousarray(frame.to_ndarray(format="bgr24"), np.uint8)
            left = [sight for sight in thief.read(picture, ()) if not thief.explains(sight)]
            seen += any(thief.shows(sight, [card["pin"]]) for sight in left)
    return seen


def frames(folder: Path, key: bytes, step: int) -> Iterator[tuple[int, np.ndarray]]:
    """Every so many frames of a recording: its number, and the picture."""
    n = 0
    for part in recording_parts(folder):
        with DecryptedRecording(folder, key, part) as film, av.open(film, "r", format="mp4") as container:
            for frame in container.decode(video=0):
                if n % step == 0:
                    yield n, np.ascontiguousarray(frame.to_ndarray(format="bgr24"), np.uint8)
                n += 1


def judged(
    thief: Witness, harmless: str, pictures: Iterator[tuple[int, np.ndarray]], later: int
) -> Iterator[tuple[int, list[Sight], list[Sight]]]:
    """Of each picture what was seen, and for what of it the leak check would hold the footage."""
    before: deque[list[Sight]] = deque(maxlen=_REMEMBERED)
    held, seen = Held(thief, later), {}
    for n, picture in pictures:
        seen[n] = thief.read(picture, (harmless,))
        found = believable(seen[n], [sight for sights in before for sight in sights])
        before.append(seen[n])
        yield from ((at, seen.pop(at), left) for at, left in held.put(n, found))
    yield from ((at, seen.pop(at), left) for at, left in held.rest())


def read_all(folder: StationFolder, thief: Witness, pins: Sequence[str], step: int) -> list[dict[str, Any]]:
    """What came of each frame, of those too that an earlier run has read."""
    kept = [json.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.is_file() else []
    done = {(one["recording"], one["frame"]): one for one in kept}

    def is_wanted(name: str, n: int) -> bool:
        """Whether it, or one that is held against it, is to be read."""
        return any((name, n + step * later) not in done for later in range(_REMEMBERED + 1))

    with KEPT.open("a") as out:
        for name, waybill, key in recordings(folder):
            wanted = (one for one in frames(folder.recordings / name, key, step) if is_wanted(name, one[0]))
            for n, seen, found in judged(thief, waybill, wanted, _LATER // step):
                if (name, n) not in done:
                    done[name, n] = {"recording": name, "frame": n, **counted(thief, seen, found, pins)}
                    out.write(json.dumps(done[name, n]) + "\n")
                    out.flush()
    return list(done.values())


def counted(thief: Witness, seen: Sequence[Sight], found: Sequence[Sight], pins: Sequence[str]) -> dict[str, int]:
    """Of a frame: what was seen, what of it the leak check believes, and what of either shows one of the PINs."""
    real = sum(thief.shows(sight, pins) for sight in found)
    glimpses = sum(thief.shows(sight, pins) for sight in seen) - real
    doubts = len(seen) - len(found)
    return {"real": real, "false_alarms": len(found) - real, "glimpses": glimpses, "doubts": doubts - glimpses}


def main() -> dict[str, Any]:
    """Measure, print, give the figures."""
    folder, step = played(), max(1, round(1 / PART))
    film, cards = truth(folder)
    pins = [str(card["pin"]) for card in cards if card["pin"]]
    catalogue = shipped()
    thief = Witness(make_looker(catalogue), catalogue)
    told = read_all(folder, thief, pins, step)
    figures = {
        "recordings": len({one["recording"] for one in told}),
        "frames": len(told),
        "engines": list(thief.engines),
        "pins": len(pins),
        "control": control(film, [card for card in cards if card["pin"]], thief),
        **{name: sum(one[name] for one in told) for name in ("real", "glimpses", "false_alarms", "doubts")},
        "frames_with_false_alarms": sum(one["false_alarms"] > 0 for one in told),
    }
    print(json.dumps(figures, indent=1))
    return {"pins": figures}


if __name__ == "__main__":
    main()
