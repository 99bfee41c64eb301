"""What recording costs: CPU seconds per second of film, megabytes a minute, frames dropped, beside plain encoding.

    python tests/bench/bench_recorder.py [FILM…] [--seconds 10]

`decode`     reading the film (a real camera does without it)
`plain`      the same pictures into an ordinary MP4 by PyAV: x264, same settings
`sealed`     into encrypted, signed, synced fragments by the recorder's own parts
`program`    the whole recorder program in real time, decoding and sharing frames included
Without films it measures the sample clip in $CARDINTAKE_DATA (also scaled to 1080p), or a made-up scene.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from app.evidence.verify import verify_recording
from app.evidence.writer import Origin, RecordingKeys, create_recording
from app.frames import Plane, join_planes
from app.paths import StationFolder
from app.programs import ProgramConnection, connect, start_program, stop_program
from app.recorder import protocol as told
from app.recorder.encoder import PartEncoder
from app.recorder.sink import Take
from hardware.camera.file import FileCamera
from hardware.errors import DeviceError

RUN = "import sys; from app.recorder.run import main; sys.exit(main(sys.argv[1:]))"
X264 = {"preset": "ultrafast", "crf": "23", "tune": "zerolatency"}
TICKS = os.sysconf("SC_CLK_TCK")


def pictures(film: Path, seconds: float) -> Iterator[tuple[Plane, int, int, int]]:
    """(planes, microseconds, width, height) of the film's first seconds."""
    camera = FileCamera(f"file:{film}?pace=0&epoch_us=0")
    try:
        while True:
            frame = camera.read(1.0)
            if frame.mono_us >= seconds * 1e6:
                return
            yield join_planes(frame.y, frame.u, frame.v), frame.mono_us, frame.width, frame.height
    except DeviceError:
        return
    finally:
        camera.close()


def decode(film: Path, seconds: float) -> tuple[float, int]:
    """CPU seconds and frames of reading alone."""
    began = time.process_time()
    frames = sum(1 for _ in pictures(film, seconds))
    return time.process_time() - began, frames


def plain(film: Path, seconds: float, out: Path) -> float:
    """CPU seconds of reading and encoding into an ordinary MP4."""
    began = time.process_time()
    with av.open(str(out), "w") as container:
        stream = container.add_stream("libx264", rate=30, options=X264)
        stream.codec_context.gop_size, stream.codec_context.thread_count = 30, 1
        for n, (planes, at_us, width, height) in enumerate(pictures(film, seconds)):
            if n == 0:
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            picture = av.VideoFrame.from_numpy_buffer(planes.reshape(height * 3 // 2, width), format="yuv420p")
            picture.pts, picture.time_base = at_us, Fraction(1, 1_000_000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return time.process_time() - began


def fragments_only(film: Path, seconds: float) -> float:
    """CPU seconds of reading and encoding into fragments that are thrown away."""
    began = time.process_time()
    encoder: PartEncoder | None = None
    for planes, at_us, width, height in pictures(film, seconds):
        encoder = encoder or PartEncoder(width, height)
        encoder.encode(planes, at_us)
    if encoder is not None:
        encoder.finish()
    return time.process_time() - began


def sealed(film: Path, seconds: float, folder: Path) -> float:
    """CPU seconds of reading, encoding and keeping it as evidence."""
    began = time.process_time()
    keys = RecordingKeys(secrets.token_bytes(32), secrets.token_bytes(32))
    origin = Origin("bench", "file:bench", simulated=True, rehearsal=True, app_version="bench")
    take = Take("bench", create_recording(folder, keys, origin), lambda _message: None)
    for planes, at_us, width, height in pictures(film, seconds):
        take.frame(planes, 1_000_000 + at_us, width, height)
    take.close("done")
    return time.process_time() - began


def program(film: Path, seconds: float, root: Path) -> dict[str, Any]:
    """The program in real time: its CPU seconds, what it dropped, how late its fragments became durable."""
    folder = StationFolder(root)
    root.mkdir()
    argv = [sys.executable, "-c", RUN, "--folder", str(root)]
    pid = start_program(argv, folder.recorder_lock, 20)
    line = connect(folder.recorder_lock, 5)
    assert line is not None
    key, began_us = secrets.token_bytes(32), time.monotonic_ns() // 1000
    where = {"recording_id": "bench", "folder": str(folder.recordings), "camera": f"file:{film}?epoch_us={began_us}"}
    keys = {"recording_key": key.hex(), "signing_key": secrets.token_bytes(32).hex(), "previous_hash": ""}
    cpu_before = cpu_s(pid)
    line.send(told.to_wire(told.Start(**where, **keys, rehearsal=True)))
    lags = listen(line, seconds)
    line.send(told.to_wire(told.Stop("done")))
    while not isinstance(closed := hear(line), told.RecordingClosed):
        continue
    used = cpu_s(pid) - cpu_before
    line.close()
    stop_program(folder.recorder_lock)
    size = sum(path.stat().st_size for path in (folder.recordings / "bench").iterdir())
    began = time.perf_counter()
    ok = verify_recording(folder.recordings / "bench", recording_key=key).ok
    return {
        "cpu_ratio": round(used / (closed.duration_us / 1e6), 3),
        "frames": closed.frames,
        "dropped": closed.dropped,
        "mb_per_min": round(size / 1e6 / (closed.duration_us / 60e6), 1),
        "durable_after_ms": {"median": round(float(np.median(lags))), "max": round(max(lags))},
        "verified": ok,
        "verify_s": round(time.perf_counter() - began, 3),
    }


def listen(line: ProgramConnection, seconds: float) -> list[float]:
    """For so long, how old each fragment's last frame was (ms) when it had become durable."""
    until, seen, lags = time.monotonic() + seconds, 0, [0.0]
    while time.monotonic() < until:
        message = hear(line)
        if isinstance(message, told.RecordingState) and message.fragments > seen:
            seen = message.fragments
            lags.append((message.last_sync_mono_us - message.first_mono_us - message.last_pts_us) / 1000)
    return lags[1:] or lags


def hear(line: ProgramConnection) -> Any:
    wire = line.receive(5)
    return None if wire is None else told.from_wire(wire)


def sealed_to_somebody() -> dict[str, str]:
    """What a recording is begun with whose covered originals are sealed to a vault, as on every real station."""
    vault = X25519PrivateKey.generate().public_key().public_bytes_raw()
    return {"vault_key_id": "bench", "vault_key": vault.hex()}


def cpu_s(pid: int) -> float:
    """User and system seconds a process has used (proc(5))."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICKS


def measure(film: Path, seconds: float) -> dict[str, Any]:
    """All figures for one film; ratios are CPU seconds per second of film, reading it taken off where it says net."""
    with tempfile.TemporaryDirectory() as at:
        read_s, frames = decode(film, seconds)
        film_s = frames / 30
        plain_s = plain(film, seconds, Path(at) / "plain.mp4")
        fragments_s = fragments_only(film, seconds)
        sealed_s = sealed(film, seconds, Path(at) / "r")
        return {
            "film": film.name,
            "frames": frames,
            "decode": round(read_s / film_s, 3),
            "plain_net": round((plain_s - read_s) / film_s, 3),
            "plain_mb_per_min": round((Path(at) / "plain.mp4").stat().st_size / 1e6 / (film_s / 60), 1),
            "fragments_net": round((fragments_s - read_s) / film_s, 3),
            "sealed_net": round((sealed_s - read_s) / film_s, 3),
            "evidence": round((sealed_s - fragments_s) / film_s, 4),
            "program": program(film, min(seconds, film_s), Path(at) / "station"),
        }


def films(folder: Path, seconds: float) -> list[Path]:
    """The sample clip and its 1080p enlargement; a made-up scene where there is no clip."""
    data = os.environ.get("CARDINTAKE_DATA")
    clip = Path(data) / "clip" / "clip.mp4" if data else None
    source = clip if clip is not None and clip.exists() else None
    return [scene(folder / f"{height}p.mp4", source, height, seconds) for height in (720, 1080)]


def scene(out: Path, source: Path | None, height: int, seconds: float) -> Path:
    """A film of this height with a little sensor noise, from `source` or made up."""
    rng, width = np.random.default_rng(3), height * 16 // 9
    noise = [rng.normal(0, 2, (height, width)) for _ in range(4)]
    with av.open(str(out), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast", "crf": "12", "g": "30"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for n, luma in enumerate(_lumas(source, width, height, int(seconds * 30) + 30)):
            noisy = np.clip(luma + noise[n % 4], 16, 235).astype(np.uint8)
            picture = av.VideoFrame.from_ndarray(noisy, format="gray").reformat(format="yuv420p")
            picture.pts, picture.time_base = n, Fraction(1, 30)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return out


def _lumas(source: Path | None, width: int, height: int, count: int) -> Iterator[np.ndarray]:
    if source is None:
        blocks = np.random.default_rng(4).integers(30, 220, (height // 12 + 1, 2 * width // 12 + 1))
        desk = blocks.repeat(12, axis=0).repeat(12, axis=1)[:height]
        for n in range(count):
            yield desk[:, 2 * n % width : 2 * n % width + width].astype(np.float64)
        return
    with av.open(str(source)) as container:
        for n, frame in enumerate(container.decode(video=0)):
            if n >= count:
                return
            yield frame.reformat(width, height, format="gray").to_ndarray().astype(np.float64)


def main(argv: list[str] | None = None) -> dict[str, Any]:
    """Measure, print a table, give the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("films", nargs="*", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as at:
        results = [measure(film, args.seconds) for film in args.films or films(Path(at), args.seconds)]
    head = ("film", "decode", "plain_net", "fragments_net", "sealed_net", "evidence", "plain_mb_per_min")
    print(*(f"{name:>18}" for name in head))
    for row in results:
        print(*(f"{row[name]!s:>18}" for name in head))
        print("    program:", json.dumps(row["program"]))
    return {"recorder": results}


if __name__ == "__main__":
    main(sys.argv[1:])
