"""Players that know nothing of us, for exported films: FFmpeg, QMediaPlayer, headless Chromium; and the browser."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--proxy-server=direct://"]
"""How a browser is started here: no screen, no questions, no network but the loopback."""

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
QTimer.singleShot(int(sys.argv[3]), app.quit)
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


def browser() -> str:
    """The browser of this machine, "" when there is none."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), "")


def browser_or_skip() -> str:
    """The browser of this machine; without one the test is skipped, and says so."""
    found = browser()
    if not found:
        pytest.skip("no Chromium on this machine (setup installs it where the distribution has it)")
    return found


def times_by_ffprobe(film: Path) -> list[float]:
    """The second of each frame. Asserts that FFmpeg has nothing to complain of."""
    argv = ["ffprobe", "-v", "error", "-show_entries", "frame=pts_time", "-of", "csv=p=0", str(film)]
    told = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert told.stderr == ""
    return [float(line.rstrip(",")) for line in told.stdout.split()]


def decoded_by_ffmpeg(film: Path) -> tuple[int, str]:
    """How many frames FFmpeg decodes, stopping at the first error, and what it said."""
    argv = ["ffmpeg", "-v", "error", "-xerror", "-i", str(film), "-fps_mode", "passthrough", "-f", "framemd5", "-"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return sum(1 for line in done.stdout.splitlines() if not line.startswith("#")), done.stderr


def played_by_qt(film: Path, rate: float, timeout_s: float) -> dict[str, Any]:
    """`error`, `ended`, `frames` that reached the sink, `last_us`; played at `rate` in a process of its own."""
    env = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    argv = [sys.executable, "-c", QT, str(film), str(rate), str(round(timeout_s * 1000))]
    done = subprocess.run(argv, capture_output=True, text=True, env=env, check=False, timeout=timeout_s + 60)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


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


def played_by_chromium(program: str, film: Path, folder: Path, timeout_s: float) -> dict[str, Any]:
    """`word` ("ended" when all is well), `at`, `length`, `width`, `frames`; `folder` is made, for page and profile."""
    folder.mkdir()
    shutil.copy(film, folder / "out.mp4")
    (folder / "page.html").write_text(PAGE, encoding="utf-8")
    argv = [program, *QUIET, "--mute-audio", "--autoplay-policy=no-user-gesture-required"]
    argv += [f"--user-data-dir={folder / 'profile'}", "--remote-debugging-port=0"]
    with served(folder) as (address, heard):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen([*argv, address], **quiet, start_new_session=True) as shown:
            try:
                return heard.get(timeout=timeout_s)
            finally:
                os.killpg(shown.pid, signal.SIGKILL)
