"""A recording killed three times: recovered and exported it plays to its last frame in FFmpeg, Qt and Chromium."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from app.evidence.ring import leftovers

ROOT = Path(__file__).parents[2]
LEAST_FRAMES = 90
ONE_FRAME_S = 1 / 30

QT = """
import json, sys
from PySide6.QtCore import QTimer, QUrl
from PySide6.QtMultimedia import QMediaPlayer, QVideoSink
from PySide6.QtWidgets import QApplication
app = QApplication(sys.argv)
player, sink, starts = QMediaPlayer(), QVideoSink(), []
player.setVideoSink(sink)
told = {"error": "", "ended": False}
def framed(frame):
    if frame.isValid() and frame.startTime() >= 0 and not frame.toImage().isNull():
        starts.append(frame.startTime())
def status(now):
    if now == QMediaPlayer.MediaStatus.EndOfMedia:
        told["ended"] = True
        app.quit()
def failed(_code, words):
    told["error"] = words
    app.quit()
sink.videoFrameChanged.connect(framed)
player.mediaStatusChanged.connect(status)
player.errorOccurred.connect(failed)
QTimer.singleShot(60000, app.quit)
player.setSource(QUrl.fromLocalFile(sys.argv[1]))
player.setPlaybackRate(float(sys.argv[2]))
player.play()
app.exec()
player.stop()
print(json.dumps({**told, "frames": len(set(starts)), "last_us": max(starts, default=-1)}))
"""
"""Plays a film in a process of its own; counts the frames that reached the sink."""

PAGE = """<!doctype html><title>film</title><video id="film" muted src="out.mp4"></video><script>
const film = document.getElementById("film");
const say = (word) => fetch("told", {method: "POST", body: JSON.stringify({word, at: film.currentTime,
  length: film.duration, width: film.videoWidth, frames: film.getVideoPlaybackQuality().totalVideoFrames})});
film.onended = () => say("ended");
film.onerror = () => say("error " + film.error.code + " " + film.error.message);
film.play().catch((why) => say("refused " + why));
</script>"""


def ok(*words: str) -> Any:
    done = subprocess.run([sys.executable, "-m", "app", *words], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def film_and_kill(camera: str, out: Path, frames: int) -> None:
    """`record` until so many frames were captured, then kill -9."""
    argv = [sys.executable, "-m", "app", "record", "--camera", camera, "--out", str(out), "--print-frames"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT, stderr=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.split()[0].isdigit() and int(line.split()[0]) >= frames:
                break
        os.kill(child.pid, signal.SIGKILL)
        child.stdout.read()


@pytest.fixture(scope="module")
def exported(film: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, float]:
    """The MP4 of a recording killed three times, how many frames it must show, and its last frame's second."""
    root = tmp_path_factory.mktemp("killed")
    camera = f"file:{film}?loop=1&epoch_us={time.monotonic_ns() // 1000}"
    for _ in range(3):
        film_and_kill(camera, root / "r1", 40)
    assert leftovers(root / "r1")
    assert ok("recover", str(root / "r1"))["gaps"] == 2
    verdict = ok("verify", str(root / "r1"))
    assert verdict["closed"]
    assert verdict["frames"] >= LEAST_FRAMES
    ok("export", str(root / "r1"), str(root / "out.mp4"))
    argv = ["ffprobe", "-v", "error", "-show_entries", "frame=pts_time", "-of", "csv=p=0", str(root / "out.mp4")]
    told = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert told.stderr == ""
    times = [float(line.rstrip(",")) for line in told.stdout.split()]
    assert len(times) == verdict["frames"]
    return root / "out.mp4", len(times), times[-1]


def test_ffmpeg_decodes_every_frame_without_a_word(exported: tuple[Path, int, float]) -> None:
    film, frames, _last_s = exported
    argv = ["ffmpeg", "-v", "error", "-xerror", "-i", str(film), "-fps_mode", "passthrough", "-f", "framemd5", "-"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert sum(1 for line in done.stdout.splitlines() if not line.startswith("#")) == frames


def test_qt_plays_it_to_the_last_frame(exported: tuple[Path, int, float]) -> None:
    film, frames, last_s = exported
    env = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    argv = [sys.executable, "-c", QT, str(film), "0.5"]
    done = subprocess.run(argv, capture_output=True, text=True, env=env, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["error"] == ""
    assert told["ended"]
    assert told["last_us"] / 1e6 == pytest.approx(last_s, abs=2 * ONE_FRAME_S)
    assert frames // 2 < told["frames"] <= frames  # a busy machine shows fewer than there are, never more


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, queue.SimpleQueue[dict[str, Any]]]]:
    """The folder on a loopback web server, and what its page has said."""
    told: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    class Answer(SimpleHTTPRequestHandler):
        def __init__(self, *words: Any) -> None:
            super().__init__(*words, directory=str(folder))

        def do_POST(self) -> None:
            told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            return

        def handle(self) -> None:
            with suppress(ConnectionError):  # a browser that goes lets go of the film in the middle
                super().handle()

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/page.html", told
        server.shutdown()
        thread.join()


def test_chromium_plays_it_to_its_end(exported: tuple[Path, int, float], tmp_path: Path) -> None:
    """Where no Chromium is installed this is skipped, and says so."""
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next((found for name in names if (found := shutil.which(name))), "")
    if not program:
        pytest.skip("no Chromium on this machine: playing in it is not proved here")
    film, frames, last_s = exported
    folder = tmp_path / "page"
    folder.mkdir()
    shutil.copy(film, folder / "out.mp4")
    (folder / "page.html").write_text(PAGE, encoding="utf-8")
    argv = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--mute-audio"]
    argv += ["--autoplay-policy=no-user-gesture-required", f"--user-data-dir={tmp_path / 'profile'}"]
    argv += ["--proxy-server=direct://", "--remote-debugging-port=0"]
    with served(folder) as (address, heard):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen([*argv, address], **quiet, start_new_session=True) as browser:
            try:
                told = heard.get(timeout=90)
            finally:
                os.killpg(browser.pid, signal.SIGKILL)
    assert told["word"] == "ended"
    assert told["width"] == 320
    assert told["at"] == pytest.approx(told["length"], abs=2 * ONE_FRAME_S)
    assert told["length"] == pytest.approx(last_s, abs=0.2)
    assert told["frames"] > frames // 2
