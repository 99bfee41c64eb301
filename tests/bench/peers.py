"""What other writers keep of the same camera after kill -9: ffmpeg into MP4 and MKV, OpenCV's VideoWriter."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

import av
import av.error

_SECONDS = 4.0
_CODEC = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "23", "-tune", "zerolatency", "-g", "30"]
_OPENCV = """
import struct, sys
import cv2, numpy as np
out = None
while head := sys.stdin.buffer.read(4):
    data = np.frombuffer(sys.stdin.buffer.read(struct.unpack(">I", head)[0]), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if out is None:
        size = picture.shape[1], picture.shape[0]
        out = cv2.VideoWriter(sys.argv[1], cv2.VideoWriter_fourcc(*"mp4v"), 30, size)
    out.write(picture)
"""


def frames_in(path: Path) -> int:
    """Frames that FFmpeg decodes; 0 for what it does not open."""
    frames = 0
    with suppress(av.error.FFmpegError, OSError), av.open(str(path)) as film:
        for _ in film.decode(video=0):
            frames += 1
    return frames


def peers(jpegs: list[bytes], count: int) -> dict[str, Any]:
    """Seconds lost of `_SECONDS` by each, median and most of `count` kills."""
    ffmpeg = ["ffmpeg", "-v", "quiet", "-f", "mjpeg", "-framerate", "30", "-i", "pipe:0", *_CODEC, "-y"]
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as at:
        writers = {
            "ffmpeg_mp4": ([*ffmpeg, str(Path(at) / "ffmpeg_mp4.mp4")], False),
            "ffmpeg_mkv": ([*ffmpeg, str(Path(at) / "ffmpeg_mkv.mkv")], False),
            "cv2_video_writer": ([sys.executable, "-c", _OPENCV, str(Path(at) / "cv2.mp4")], True),
        }
        for name, (argv, counted) in writers.items():
            lost = [_killed(argv, jpegs, counted) for _ in range(count)]
            figures[name] = {"lost_s_median": round(median(lost), 2), "lost_s_max": round(max(lost), 2)}
    return {"kills_each": count, "seconds": _SECONDS, **figures}


def _killed(argv: list[str], jpegs: list[bytes], counted: bool) -> float:
    """Feed a writer in real time, kill it, and tell how much of what it was given does not play."""
    sent, began = 0, time.monotonic()
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as writer:
        assert writer.stdin is not None
        while time.monotonic() < began + _SECONDS:
            data = jpegs[sent % len(jpegs)]
            writer.stdin.write((len(data).to_bytes(4, "big") if counted else b"") + data)
            writer.stdin.flush()
            sent += 1
            time.sleep(max(0.0, began + sent / 30 - time.monotonic()))
        writer.kill()
        with suppress(BrokenPipeError):
            writer.stdin.close()
    return max(0, sent - frames_in(Path(argv[-1]))) / 30
