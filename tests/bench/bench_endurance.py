"""What a recording survives and what it betrays, in counts: torn ends, full disks, changed bits, other changes.

`torn`     a power cut at any byte of what was written last, with nothing, zeros or rubbish behind it: recoveries that
           gave other than what had been durable, or did not verify or play (goal 0 of 500)
`full`     real file systems (tmpfs) of different sizes that fill up while it records: unplayable ones (goal 0 of 20)
`flips`    single bits in any file of a closed recording that the verifier passed over (goal 0 of 1,000)
`harm`     a fragment dropped, two swapped, one spliced in from another recording, an event edited: not found (goal 0)

Without the right to mount, `full` is left out and says so. Sizes: CARDINTAKE_BENCH_PART.
"""

from __future__ import annotations

import json
import queue
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np

from app.evidence import journal
from app.evidence.export import export_mp4
from app.evidence.journal import Signer
from app.evidence.ledger import load
from app.evidence.verify import Verdict, verify_recording
from app.evidence.writer import Origin, RecordingKeys, create_recording, resume_recording
from app.frames import Plane
from app.recorder import protocol as told
from app.recorder.line import Line
from app.recorder.sink import Take
from app.reserve import FOOTAGE_RESERVE
from tests.bench.sizes import share
from tests.disks import mounted

KEYS = RecordingKeys(bytes(range(32)), bytes(range(50, 82)))
PUBLIC = Signer(KEYS.signing).public_key
W, H = 320, 240
_DICE = random.Random(4)


def pictures(count: int) -> Iterator[Plane]:
    """Moving noise as flat planes."""
    rng = np.random.default_rng(2)
    noise = rng.integers(16, 235, (H // 8, W // 8), np.uint8).repeat(8, 0).repeat(8, 1)
    chroma = np.full(W * H // 2, 128, np.uint8)
    for n in range(count):
        yield np.concatenate((np.roll(noise, 3 * n, axis=1).reshape(-1), chroma))


def recording(folder: Path, seconds: int, name: str = "r", close: bool = True) -> Path:
    """A small recording with an event in each second."""
    origin = Origin(name, "file:bench", True, True, "bench")
    take = Take(name, create_recording(folder, KEYS, origin), lambda _message: None)
    for n, planes in enumerate(pictures(seconds * 30)):
        take.frame(planes, 1_000_000 + n * 33_333, W, H)
        if n % 30 == 15:
            take.event("card.kept", {"card": f"c{n}"})
    if close:
        take.close("done")
    else:
        take.writer.abandon()
    return folder


def judge(folder: Path) -> Verdict:
    return verify_recording(folder, PUBLIC, KEYS.content)


def plays(folder: Path, out: Path) -> int:
    """Frames that FFmpeg decodes of an export; -1 when it is not what the recording says it holds."""
    if not load(folder).frames:
        return 0
    exported = export_mp4(folder, KEYS.content, out)
    with av.open(str(out)) as film:
        frames = sum(1 for _ in film.decode(video=0))
    return frames if frames == exported.frames else -1


def write_log(folder: Path) -> list[tuple[str, int, int]]:
    """What the last part's pieces and records were written as, in order: (file, from, to) byte ranges."""
    ledger, at, log = load(folder), 0, []
    pieces = {piece.record: (part.file, piece) for part in ledger.parts for piece in part.pieces}
    for n, line in enumerate((folder / journal.NAME).read_bytes().splitlines(keepends=True)):
        if n in pieces:
            file, piece = pieces[n]
            log.append((file, piece.offset, piece.offset + piece.size))
        log.append((journal.NAME, at, at + len(line)))
        at += len(line)
    return log


def cut_at(folder: Path, log: list[tuple[str, int, int]], step: int, inside: int) -> int:
    """A power cut in the middle of one write, rubbish behind it or not; gives how many fragments were durable."""
    ends = {file: end for file, _, end in log[:step]}
    file, start, end = log[step]
    tail = _DICE.choice([b"", bytes(end - start - inside), _DICE.randbytes(end - start - inside)])
    for path in [*folder.glob("part-*.bin"), folder / journal.NAME]:
        data = path.read_bytes()
        kept = data[: ends.get(path.name, 0)]
        if path.name == file:
            kept += data[start : start + inside] + tail
        path.write_bytes(kept)
    durable = (folder / journal.NAME).read_bytes()[: ends.get(journal.NAME, 0)]
    return durable.count(b'"kind":"fragment"')


def torn(count: int) -> dict[str, int]:
    wrong = 0
    with tempfile.TemporaryDirectory() as at:
        whole = recording(Path(at) / "whole", 4, close=False)
        log = write_log(whole)
        for n in range(count):
            folder = shutil.copytree(whole, Path(at) / f"t{n}")
            step = _DICE.randrange(6, len(log))
            durable = cut_at(folder, log, step, _DICE.randrange(log[step][2] - log[step][1]))
            writer = resume_recording(folder, KEYS)
            good = writer.fragments == durable
            writer.close("recovered")
            verdict = judge(folder)
            good = good and verdict.ok and verdict.closed and plays(folder, Path(at) / "out.mp4") == verdict.frames
            wrong += not good
            shutil.rmtree(folder)
    return {"tails": count, "wrong": wrong}


def fill_up(disk: Path, reserve_bytes: int) -> told.RecordingClosed | None:
    """Record until the disk is full, by the recorder's own threads; None when it was too small to begin."""
    heard: queue.SimpleQueue[told.FromRecorder] = queue.SimpleQueue()
    line = Line(heard.put, heard.put)
    line.start()
    assert KEYS.signing is not None
    keys = {"recording_key": KEYS.content.hex(), "signing_key": KEYS.signing.hex(), "previous_hash": ""}
    reserve = {"reserve": str(disk / FOOTAGE_RESERVE), "reserve_bytes": reserve_bytes}
    line.begin(told.Start("r", str(disk), "file:bench", rehearsal=True, **keys, **reserve))
    try:
        for n, planes in enumerate(pictures(6000)):
            line.take_frame(planes, 1_000_000 + n * 33_333, W, H)
            while n % 15 == 0 and not heard.empty():
                message = heard.get()
                if isinstance(message, told.RecordingClosed):
                    return message
                if isinstance(message, told.Trouble) and not line.recording_id:
                    return None
            time.sleep(0.002)
    finally:
        line.stop()
    return None


def full(count: int) -> dict[str, Any]:
    unplayable = unsealed = tried = 0
    with tempfile.TemporaryDirectory() as at:
        for n in range(count):
            size_kb = 500 + 7_500 * n // max(1, count)
            with mounted(Path(at) / f"d{n}", f"{size_kb}k") as disk:
                if disk is None:
                    return {"left_out": "mounting is not allowed here"}
                tried += 1
                closed = fill_up(disk, size_kb * 1000 // 4)
                if closed is None:
                    continue
                verdict = judge(disk / "r")
                good = verdict.ok and plays(disk / "r", Path(at) / "out.mp4") == verdict.frames == closed.frames
                unplayable += not good
                unsealed += not verdict.closed
    return {"sizes": tried, "unplayable": unplayable, "without_close_record": unsealed}


def flips(count: int) -> dict[str, int]:
    missed = 0
    with tempfile.TemporaryDirectory() as at:
        folder = recording(Path(at) / "r", 4)
        files = [folder / journal.NAME, *folder.glob("part-*.bin")]
        for _ in range(count):
            path = _DICE.choice(files)
            before = path.read_bytes()
            changed, bit = bytearray(before), _DICE.randrange(len(before) * 8)
            changed[bit // 8] ^= 1 << bit % 8
            path.write_bytes(changed)
            missed += judge(folder).ok
            path.write_bytes(before)
        assert judge(folder).ok
    return {"flips": count, "missed": missed}


def _lines(folder: Path) -> list[bytes]:
    return (folder / journal.NAME).read_bytes().splitlines(keepends=True)


def _fragments(folder: Path) -> list[tuple[Path, Any]]:
    return [(folder / part.file, piece) for part in load(folder).parts for piece in part.pieces if piece.frames]


def drop(folder: Path, _other: Path) -> None:
    """The bytes and the record of one fragment."""
    path, piece = _DICE.choice(_fragments(folder))
    data = path.read_bytes()
    path.write_bytes(data[: piece.offset] + data[piece.offset + piece.size :])
    lines = _lines(folder)
    (folder / journal.NAME).write_bytes(b"".join(lines[: piece.record] + lines[piece.record + 1 :]))


def swap(folder: Path, _other: Path) -> None:
    """The bytes of two neighbours."""
    found = _fragments(folder)
    n = _DICE.randrange(len(found) - 1)
    (path, one), (_, two) = found[n : n + 2]
    data = path.read_bytes()
    first, second = (data[p.offset : p.offset + p.size] for p in (one, two))
    path.write_bytes(data[: one.offset] + second + first + data[two.offset + two.size :])


def splice(folder: Path, other: Path) -> None:
    """A fragment and its record of another recording of the same station, put in the place of one of this."""
    n = _DICE.randrange(len(_fragments(folder)))
    (path, here), (source, there) = _fragments(folder)[n], _fragments(other)[n]
    piece = source.read_bytes()[there.offset : there.offset + there.size]
    data, lines = path.read_bytes(), _lines(folder)
    path.write_bytes(data[: here.offset] + piece + data[here.offset + here.size :])
    lines[here.record] = _lines(other)[there.record]
    (folder / journal.NAME).write_bytes(b"".join(lines))


def edit(folder: Path, _other: Path) -> None:
    """What an event says."""
    lines = _lines(folder)
    n = _DICE.choice([n for n, line in enumerate(lines) if json.loads(line)["kind"] == "event"])
    lines[n] = lines[n].replace(b'"card":"c', b'"card":"d', 1)
    (folder / journal.NAME).write_bytes(b"".join(lines))


def harm(count: int) -> dict[str, int]:
    kinds: tuple[Callable[[Path, Path], None], ...] = (drop, swap, splice, edit)
    missed = 0
    with tempfile.TemporaryDirectory() as at:
        whole, other = recording(Path(at) / "a", 4, "a"), recording(Path(at) / "b", 4, "b")
        for n in range(count):
            for kind in kinds:
                folder = shutil.copytree(whole, Path(at) / f"h{n}")
                kind(folder, other)
                verdict = judge(folder)
                missed += verdict.ok or verdict.fault is None
                shutil.rmtree(folder)
    return {"changes": count * len(kinds), "missed": missed}


def main() -> dict[str, Any]:
    """Count, print, give the figures."""
    figures = {
        "torn": torn(share(500, 20)),
        "full": full(share(20, 4)),
        "flips": flips(share(1000, 50)),
        "harm": harm(share(50, 5)),
    }
    print(json.dumps(figures, indent=1))
    return {"endurance": figures}


if __name__ == "__main__":
    main()
