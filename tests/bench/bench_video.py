"""What an unboxing recording costs and survives: ring, masks, kills, changes; short variants of the promised figures.

    python -m tests.bench video                                          all of it, or what is not done yet
    CARDINTAKE_BENCH_GROUPS=loaded,kills python -m tests.bench video     these, anew

`parts`     CPU seconds per second of 1080p30 of each step: JPEG from the camera to planes, planes to JPEG (films only),
            the ring, masks, x264, and the sealing of an original to the vault (of covered frames only)
`camera`    the recorder program on a loopback MJPEG camera at 1080p30: CPU, drops, megabytes a minute
`label`     the same with the label camera's program beside it, on a camera of its own of which it takes five frames a
            second: what each of them costs, and what the overhead one lost by it
`loaded`    the recorder on it while recognition loops at nice 10 and a window's process is busy and takes its preview:
            drops of 18,000 frames, and how many the camera could not even send
`kills`     50 times kill -9 under that load: seconds between the last frame captured and the last one exported, and
            whether FFmpeg plays all of the export
`scenes`    x264 alone on a bright and on a dim, noisy scene: CPU seconds per second of film, megabytes a minute
`peers`     kill -9 of others that write the same camera: ffmpeg into MP4 and MKV, cv2.VideoWriter; seconds lost
`writing`   fragments of 0.5 s to the disk: plainly; sealed; sealed, hashed, signed and with their records
`proof`     a 60 s clip of half an hour: Merkle proof bytes, seconds to verify the whole offline

Counts are CARDINTAKE_BENCH_PART of those (1 = ten minutes, 50 kills). A group's figures are kept as soon as it is done,
in out/bench/video.kept.json, until all are there: a run that was stopped goes on with the next group.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from app.core.merkle import range_proof
from app.evidence.crypt import PART_ID_BYTES, PartSealer
from app.evidence.export import export_mp4
from app.evidence.mask import Word, cover, paint
from app.evidence.ring import Picture, RingSegment
from app.evidence.side import SidePart, VaultLock
from app.evidence.verify import verify_recording
from app.evidence.writer import Origin, RecordingKeys, create_recording
from app.paths import StationFolder
from app.platform import fdatasync, write_all
from app.programs import ProgramConnection, connect, start_program, stop_program
from app.recorder import protocol as told
from app.recorder.encoder import PartEncoder
from app.recorder.run import LABEL_FPS
from app.recorder.squeeze import CAMERA, Squeezer, Unsqueezer
from tests.bench.bench_recorder import sealed_to_somebody
from tests.bench.peers import frames_in, peers
from tests.bench.sizes import PART, share

RUN = "import sys; from app.recorder.run import main; sys.exit(main(sys.argv[1:]))"
READING = """
import os
os.nice(10)
import numpy as np
from app.core.products import Catalogue
from app.eye.oneshot import make_looker, read_picture
from app.rehearsal.pictures import render_card_picture
looker, known = make_looker(Catalogue(), 1), Catalogue()
cards = [np.ascontiguousarray(render_card_picture(seed, "easy")[0]) for seed in (611, 612, 613)]
print("reading", flush=True)
while True:
    for card in cards:
        read_picture(card, looker, known)
"""
"""Recognition, looping."""

WINDOW = """
import sys, threading, time
from pathlib import Path
from app.frames import FrameReader
def preview():
    reader, seq = FrameReader(Path(sys.argv[1])), 0
    while True:
        frame = reader.newest_half(seq)
        seq = seq if frame is None else frame.seq
        time.sleep(1 / 15)
threading.Thread(target=preview, daemon=True).start()
print("busy", flush=True)
n = 0
while True:
    n = (n * 31 + 7) % 1000003
"""
"""The window's process: its preview, and a busy loop."""

KEPT = Path("out/bench/video.kept.json")
W, H = 1920, 1080
CARD = ((500.0, 300.0), (1100.0, 300.0), (1100.0, 680.0), (500.0, 680.0))
PIN = ((600.0, 500.0), (900.0, 500.0), (900.0, 540.0), (600.0, 540.0))
TICKS = os.sysconf("SC_CLK_TCK")


def pictures(count: int = 30, black: bool = False) -> list[bytes]:
    """JPEGs of a desk with a little sensor noise, as a camera sends them (4:2:2); `black`: of the lens cap."""
    rng = np.random.default_rng(5)
    desk = rng.integers(40, 200, (H // 12 + 1, W // 12 + 8), np.uint8).repeat(12, 0).repeat(12, 1)
    codec = av.CodecContext.create("mjpeg", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = W, H, "yuvj422p", 1
    codec.options = {"qmin": "3", "qmax": "3"}
    made = []
    for n in range(count):
        luma = desk[:H, 2 * n : 2 * n + W].astype(np.int16) + rng.normal(0, 2, (H, W)).astype(np.int16)
        luma = luma // 100 + 16 if black else luma
        frame = av.VideoFrame.from_ndarray(np.clip(luma, 16, 235).astype(np.uint8), format="gray")
        made += [bytes(packet) for packet in codec.encode(frame.reformat(format="yuvj422p"))]
    return made


def parts(jpegs: list[bytes]) -> dict[str, float]:
    """CPU seconds per second of film (30 frames) of each step, on one thread."""
    shots = [Picture(n * 33_333 + 1, W, H, CAMERA, data) for n, data in enumerate(jpegs)]
    decoder, squeezer, encoder = Unsqueezer(), Squeezer(), PartEncoder(W, H)
    planes = [found for shot in shots if (found := decoder.planes(shot)) is not None]
    words = [Word(n * 66_000, CARD, False, True, (PIN,)) for n in range(40)]

    def cost(work: Any) -> float:
        began = time.process_time()
        for n in range(len(shots)):
            work(n)
        return round((time.process_time() - began) * 30 / len(shots), 4)

    with tempfile.TemporaryDirectory() as at:
        segment = RingSegment(Path(at), bytes(32), 1)
        lock = VaultLock("bench", X25519PrivateKey.generate().public_key().public_bytes_raw())
        side = SidePart(Path(at), "bench", 1, lock)
        figures = {
            "jpeg_to_planes": cost(lambda n: decoder.planes(shots[n])),
            "planes_to_jpeg": cost(lambda n: squeezer.squeeze(planes[n], W, H)),
            "ring": cost(lambda n: segment.append(shots[n])),
            "mask": cost(lambda n: paint(planes[n], W, H, cover(words, shots[n].mono_us, W, H).outlines)),
            "x264": cost(lambda n: encoder.encode(planes[n], n * 33_333)),
            "original": cost(lambda n: side.add(shots[n])),
        }
        segment.shred()
        side.close()
    return figures


def scene(level: int, noise: float, count: int = 90) -> dict[str, float]:
    """x264 as the recorder sets it on a panning desk of this brightness and sensor noise."""
    rng, encoder = np.random.default_rng(6), PartEncoder(W, H)
    desk = rng.integers(level // 2, level * 3 // 2, (H // 12 + 1, W // 12 + 60)).repeat(12, 0).repeat(12, 1)[:H]
    chroma, size, used_s = np.full(W * H // 2, 128, np.uint8), 0, 0.0
    for n in range(count):
        luma = desk[:, 2 * n : 2 * n + W] + rng.normal(0, noise, (H, W))
        planes = np.concatenate((np.clip(luma, 16, 235).astype(np.uint8).reshape(-1), chroma))
        began = time.process_time()
        size += sum(len(piece.data) for piece in encoder.encode(planes, n * 33_333))
        used_s += time.process_time() - began
    return {"ratio": round(used_s * 30 / count, 3), "mb_per_min": round(size * 1800 / count / 1e6, 1)}


@contextmanager
def loopback_camera(jpegs: list[bytes]) -> Iterator[str]:
    """An MJPEG camera at 30 fps, for any number of connections."""

    def answer(line: socket.socket) -> None:
        began, n = time.monotonic(), 0
        try:
            with line:
                line.recv(4096)
                line.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=f\r\n\r\n")
                while True:
                    data = jpegs[n % len(jpegs)]
                    line.sendall(b"--f\r\nContent-Length: %d\r\n\r\n" % len(data) + data + b"\r\n")
                    n += 1
                    time.sleep(max(0.0, began + n / 30 - time.monotonic()))
        except OSError:
            return

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    line, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=[line], daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/video"
        listener.shutdown(socket.SHUT_RDWR)


@contextmanager
def load(frames: Path | None) -> Iterator[None]:
    """Recognition looping at nice 10, and a window with a busy loop that looks at `frames`; None: no load."""
    argv = [] if frames is None else [[READING], [WINDOW, str(frames)]]
    busy = [subprocess.Popen([sys.executable, "-c", *one], stdout=subprocess.PIPE) for one in argv]
    try:
        for one in busy:
            assert one.stdout is not None
            assert one.stdout.readline()  # it has begun
        yield
    finally:
        for one in busy:
            one.kill()
            one.wait()


def cpu_s(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICKS


class Program:
    """The recorder program, or the label camera's, and one masked recording on it."""

    def __init__(self, root: Path, camera: str, label: bool = False) -> None:
        self._label, self._said_us = label, 0
        self.fps = LABEL_FPS if label else 30.0
        self._words = ["-m", "app", "label"] if label else ["-c", RUN]
        self.folder, self.key, self.seed = StationFolder(root), secrets.token_bytes(32), secrets.token_bytes(32)
        self.lock = self.folder.label_recorder_lock if label else self.folder.recorder_lock
        root.mkdir()
        self.start = told.Start(
            "bench", str(self.folder.recordings), camera, self.key.hex(), self.seed.hex(), "", True, masked=True,
            **sealed_to_somebody(),
        )  # fmt: skip
        self.line, self.pid = self._up()

    def _up(self) -> tuple[ProgramConnection, int]:
        pid = start_program([sys.executable, *self._words, "--folder", str(self.folder.root)], self.lock, 20)
        line = connect(self.lock, 5)
        assert line is not None
        line.send(told.to_wire(self.start))
        return line, pid

    def film(self, seconds: float) -> told.RecordingState:
        """For so long, with the eye's words; gives the last state heard."""
        return film_all([self], seconds)[0]

    def tend(self, state: told.RecordingState) -> told.RecordingState:
        """Say what the eye would (the label camera has a guard of its own), hear what there is to hear."""
        now_us = time.monotonic_ns() // 1000
        if not self._label and now_us - self._said_us > 66_000:
            self._said_us = now_us
            card, pin = [x for point in CARD for x in point], [x for point in PIN for x in point]
            self.line.send(told.to_wire(told.Zones(now_us, card, False, True, [pin])))
        wire = self.line.receive(0.02)
        message = None if wire is None else told.from_wire(wire)
        return message if isinstance(message, told.RecordingState) else state

    def close(self) -> told.RecordingClosed:
        self.line.send(told.to_wire(told.Stop("done")))
        while True:
            wire = self.line.receive(10)
            if wire is None or isinstance(message := told.from_wire(wire), told.RecordingClosed):
                self.line.close()
                stop_program(self.lock)
                assert wire is not None
                return message  # type: ignore[return-value]

    def kill(self) -> int:
        """kill -9; gives when (monotonic microseconds)."""
        at_us = time.monotonic_ns() // 1000
        os.kill(self.pid, signal.SIGKILL)
        self.line.close()
        return at_us

    def again(self) -> None:
        self.line, self.pid = self._up()


def film_all(programs: list[Program], seconds: float) -> list[told.RecordingState]:
    """Let all film at the same time for so long; gives the last state heard of each."""
    until, states = time.monotonic() + seconds, [told.RecordingState("off") for _ in programs]
    while time.monotonic() < until:
        states = [program.tend(state) for program, state in zip(programs, states, strict=True)]
    return states


def missed(folder: Path) -> dict[str, int]:
    """Frames that the chain tells are missing, by why."""
    found: Counter[str] = Counter()
    for record in map(json.loads, (folder / "journal.jsonl").read_text().splitlines()):
        if record["kind"] == "missed":
            found[record["reason"]] += record["frames"]
    return dict(found)


def camera(address: str, seconds: float, loaded: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as at:
        root = Path(at) / "station"
        with load(StationFolder(root).frames if loaded else None):
            return _measured([Program(root, address)], seconds)[0]


def beside(address: str, seconds: float) -> dict[str, Any]:
    """Both cameras' programs at once, as a station runs them."""
    with tempfile.TemporaryDirectory() as at:
        programs = [Program(Path(at) / name, address, label=name == "label") for name in ("overhead", "label")]
        return dict(zip(("overhead", "label"), _measured(programs, seconds), strict=True))


def _measured(programs: list[Program], seconds: float) -> list[dict[str, Any]]:
    film_all(programs, 2.0)
    before, began = [cpu_s(program.pid) for program in programs], time.monotonic()
    states = film_all(programs, seconds)
    took_s = time.monotonic() - began
    used = [(cpu_s(program.pid) - cpu) / took_s for program, cpu in zip(programs, before, strict=True)]
    return [_closed(program, cpu, state) for program, cpu, state in zip(programs, used, states, strict=True)]


def _closed(program: Program, used: float, state: told.RecordingState) -> dict[str, Any]:
    closed = program.close()
    folder = program.folder.recordings / "bench"
    parts_bytes = sum(path.stat().st_size for path in folder.glob("part-*"))
    return {
        "cpu_ratio": round(used, 3),
        "frames": closed.frames,
        "fps": round(closed.frames * 1e6 / max(1, closed.duration_us), 1),
        "dropped": closed.dropped,
        "never_came": max(0, round(closed.duration_us * program.fps / 1e6) - closed.frames - closed.dropped),
        "missed": missed(folder),
        "reviewable_mb_per_min": round(parts_bytes * 60 / max(1, closed.duration_us), 1),
        "behind_s": round(state.behind_us / 1e6, 2),
        "verified": verify_recording(folder, recording_key=program.key).ok,
    }


def kills(address: str, count: int) -> dict[str, Any]:
    """What each kill -9 cost, from the kill to the last picture that is in the recording afterwards."""
    with tempfile.TemporaryDirectory() as at, load(StationFolder(Path(at) / "station").frames):
        program, killed = Program(Path(at) / "station", address), []
        for _ in range(count):
            program.film(3.5)
            killed.append(program.kill())
            program.again()
        program.film(2.0)
        program.close()
        folder = program.folder.recordings / "bench"
        records = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
        first_us = next(record["base_mono_us"] for record in records if record["kind"] == "part")
        ends = [first_us + record["last_pts"] for record in records if record["kind"] == "fragment"]
        lost = [(at_us - max([end for end in ends if end <= at_us], default=first_us)) / 1e6 for at_us in killed]
        ok = verify_recording(folder, recording_key=program.key).ok
        exported = export_mp4(folder, program.key, Path(at) / "out.mp4").frames
        return {
            "kills": count,
            "unplayable": int(frames_in(Path(at) / "out.mp4") != exported),
            "lost_s_median": round(float(np.median(lost)), 2),
            "lost_s_max": round(max(lost), 2),
            "ok": ok,
        }


def proof(fragments: int) -> dict[str, Any]:
    """Half-second fragments of 300 kB, without encoding; 3,600 are half an hour."""
    with tempfile.TemporaryDirectory() as at:
        folder, keys = Path(at) / "r", RecordingKeys(bytes(32), bytes(range(32)))
        writer = create_recording(folder, keys, Origin("r", "file:x", True, True, "bench"))
        writer.begin_part(W, H, writer.pts(1))
        writer.add_init(b"header")
        data = secrets.token_bytes(300_000)
        for n in range(fragments):
            writer.add_fragment(data, n * 500_000, n * 500_000 + 466_666, 15, 0)
        writer.close("done")
        began, began_cpu = time.perf_counter(), time.process_time()
        verdict = verify_recording(folder, recording_key=bytes(32))
        took_s, took_cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
        leaves = [bytes([n % 256]) * 32 for n in range(3601)]
        return {
            "fragments": fragments,
            "verify_s": round(took_s, 2),
            "verify_30_min_cpu_s": round(took_cpu_s, 2),
            "ok": verdict.ok,
            "proof_bytes_60_s": 32 * len(range_proof(leaves, 1700, 1820)),
        }


def writing(fragments: int) -> dict[str, Any]:
    """CPU and clock seconds per second of film of each way to keep the same fragments (300 kB each, two a second)."""
    data, figures = secrets.token_bytes(300_000), {}

    def written(folder: Path, turn: Callable[[bytes], bytes]) -> Callable[[int], None]:
        file = os.open(folder / "part", os.O_CREAT | os.O_WRONLY)

        def write(_n: int) -> None:
            write_all(file, turn(data))
            fdatasync(file)

        return write

    def plain(folder: Path) -> Callable[[int], None]:
        return written(folder, lambda content: content)

    def sealed(folder: Path) -> Callable[[int], None]:
        return written(folder, PartSealer(bytes(32), bytes(PART_ID_BYTES)).seal)

    def kept(folder: Path) -> Callable[[int], None]:
        origin = Origin("r", "file:x", True, True, "bench")
        writer = create_recording(folder / "r", RecordingKeys(bytes(32), bytes(range(32))), origin)
        writer.begin_part(W, H, writer.pts(1))
        writer.add_init(b"header")
        return lambda n: writer.add_fragment(data, n * 500_000, n * 500_000 + 466_666, 15, 0)

    for way in (plain, sealed, kept):
        with tempfile.TemporaryDirectory(dir="out") as at:
            write = way(Path(at))
            began, began_cpu = time.perf_counter(), time.process_time()
            for n in range(fragments):
                write(n)
            used = time.process_time() - began_cpu, time.perf_counter() - began
            cpu, clock = (round(2 * one / fragments, 4) for one in used)
            figures[way.__name__] = {"cpu": cpu, "clock": clock}
    return {"fragments": fragments, **figures}


def groups(jpegs: list[bytes], address: str) -> dict[str, Callable[[], Any]]:
    """What there is to measure, by name."""
    return {
        "parts": lambda: {"jpeg_kb": round(sum(map(len, jpegs)) / len(jpegs) / 1000), **parts(jpegs)},
        "scenes": lambda: {"bright": scene(120, 2.0), "dim": scene(45, 3.0)},
        "camera": lambda: camera(address, share(60, 8), loaded=False),
        "label": lambda: beside(address, share(60, 8)),
        "loaded": lambda: camera(address, share(600, 8), loaded=True),
        "kills": lambda: kills(address, share(50, 3)),
        "peers": lambda: peers(jpegs, share(10, 1)),
        "writing": lambda: writing(share(3600, 120)),
        "proof": lambda: proof(share(3600, 180)),
    }


def main() -> dict[str, Any]:
    """Measure, print, give the figures."""
    jpegs = pictures()
    named = [name for name in os.environ.get("CARDINTAKE_BENCH_GROUPS", "").split(",") if name]
    kept: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.is_file() else {}
    figures: dict[str, Any] = kept["groups"] if kept.get("part") == PART else {}
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    with loopback_camera(jpegs) as address:
        known = groups(jpegs, address)
        for name in named or [one for one in known if one not in figures]:
            print(f"-- {name}", flush=True)
            figures[name] = known[name]()
            print(json.dumps(figures[name]), flush=True)
            KEPT.write_text(json.dumps({"part": PART, "groups": figures}))
    if figures.keys() == known.keys():
        KEPT.unlink()
    print(json.dumps(figures, indent=1))
    return {"video": figures}


if __name__ == "__main__":
    main()
