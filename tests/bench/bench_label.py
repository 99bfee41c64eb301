"""What the label camera costs: its recorder's share of a core, and what becomes of the overhead one beside it.

    python tests/bench/bench_label.py [--seconds 20] [--size 720p]

Both real programs on a rehearsal's two films, in real time: the overhead recorder alone, then with the label camera's
beside it, once as before cards are taken in (`label_closed`: it looks for the parcel's label too), once while they are
(`label_cards`). `label_camera_30`: the label recorder on a camera of thirty pictures a second, of which it takes five;
for that a film has to be decoded, which a real camera's is not; `decode_30` is what that takes.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.evidence.verify import verify_recording
from app.paths import RESOURCES, StationFolder
from app.programs import ProgramConnection, connect, start_program, stop_program
from app.recorder import protocol as told
from app.rehearsal.deck import load_deck
from app.rehearsal.footage import SIZES, cached_label_film, cached_unboxing, ignore_progress
from app.rehearsal.products import load_studio_products
from tests.bench.bench_recorder import cpu_s, decode, hear, sealed_to_somebody

CACHE = Path("out/cache")


@dataclass
class Running:
    """One recorder program that films."""

    name: str
    folder: StationFolder
    line: ProgramConnection
    pid: int
    key: bytes
    cpu_before_s: float = 0.0

    @property
    def lock(self) -> Path:
        return self.folder.label_recorder_lock if self.name == "label" else self.folder.recorder_lock


def begin(name: str, film: Path, root: Path, out: bool = True) -> Running:
    """Start the program and let it film; `out`: cards are being taken in."""
    folder = StationFolder(root)
    root.mkdir(exist_ok=True)
    lock = folder.label_recorder_lock if name == "label" else folder.recorder_lock
    argv = [sys.executable, "-m", "app", name, "--folder", str(root)]
    pid = start_program(argv, lock, 30, root / f"{name}.log")
    line = connect(lock, 5)
    assert line is not None
    running = Running(name, folder, line, pid, secrets.token_bytes(32))
    masked: dict[str, Any] = {"masked": False}
    if name == "label":
        line.send(told.to_wire(told.CardsOut(out)))
        masked = {"masked": True, **sealed_to_somebody()}
    camera = f"file:{film}?loop=1&epoch_us={time.monotonic_ns() // 1000}"
    keys = {"recording_key": running.key.hex(), "signing_key": secrets.token_bytes(32).hex(), "previous_hash": ""}
    start = told.Start(name, str(folder.recordings), camera, **keys, rehearsal=True, meta={"role": name}, **masked)
    running.cpu_before_s = cpu_s(pid)
    line.send(told.to_wire(start))
    return running


def end(running: Running, wall_s: float) -> dict[str, Any]:
    """Close its recording; what it used and what came of it."""
    used_s = cpu_s(running.pid) - running.cpu_before_s
    running.line.send(told.to_wire(told.Stop("done")))
    while not isinstance(closed := hear(running.line), told.RecordingClosed):
        continue
    running.line.close()
    stop_program(running.lock)
    folder = running.folder.recordings / running.name
    size = sum(path.stat().st_size for path in folder.iterdir())
    return {
        "core_share": round(used_s / wall_s, 3),
        "frames_per_s": round(closed.frames / (closed.duration_us / 1e6), 2),
        "dropped": closed.dropped,
        "mb_per_min": round(size / 1e6 / (closed.duration_us / 60e6), 1),
        "verified": verify_recording(folder, recording_key=running.key).ok,
    }


def together(films: dict[str, Path], root: Path, seconds: float, out: bool = True) -> dict[str, dict[str, Any]]:
    """Let these record at the same time for so long."""
    running = [begin(name, film, root, out) for name, film in films.items()]
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        for one in running:  # a program that is not listened to would wait
            one.line.receive(0.02)
    wall_s = time.monotonic() - began
    return {one.name: end(one, wall_s) for one in running}


def main(argv: list[str] | None = None) -> dict[str, Any]:
    """Measure, print a table, give the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--size", choices=sorted(SIZES), default="720p")
    args = parser.parse_args(argv)
    products, size = load_studio_products(), SIZES[args.size]
    deck = load_deck(RESOURCES / "decks" / "two_cards.toml", products)
    overhead = cached_unboxing(deck, products, CACHE, size)
    label = cached_label_film(deck, products, CACHE, size, ignore_progress)
    with tempfile.TemporaryDirectory() as at:
        root = Path(at)
        alone = together({"recorder": overhead}, root / "alone", args.seconds)["recorder"]
        closed = together({"recorder": overhead, "label": label}, root / "closed", args.seconds, out=False)
        cards = together({"recorder": overhead, "label": label}, root / "cards", args.seconds)
        fast = together({"label": overhead}, root / "fast", args.seconds)["label"]
    read_s, frames = decode(overhead, args.seconds)
    found: dict[str, Any] = {
        "overhead_alone": alone,
        "overhead_beside": cards["recorder"],
        "label_closed": closed["label"],
        "label_cards": cards["label"],
        "label_camera_30": fast,
        "decode_30": round(read_s / (frames / 30), 3),
    }
    for name, row in found.items():
        print(f"{name:>16}  {json.dumps(row)}")
    return {"label": found}


if __name__ == "__main__":
    main(sys.argv[1:])
