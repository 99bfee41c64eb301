"""A recording plays in the window through a QIODevice over a file object that decrypts as it is read."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
from PySide6.QtCore import QIODevice
from PySide6.QtMultimedia import QMediaPlayer, QVideoFrame
from pytestqt.qtbot import QtBot

from app.paths import RESOURCES
from ui.player import FileDevice, Player
from ui.theme import REGULAR, Themes

_KEY = 0x5A


class Veiled(io.BytesIO):
    """Bytes that are plain only when read: stands for a decrypting reader."""

    def read(self, size: int | None = -1) -> bytes:
        return bytes(b ^ _KEY for b in super().read(size))


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Two seconds of fragmented MP4, as the recorder writes it."""
    path: Path = tmp_path_factory.mktemp("video") / "small.mp4"
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    with av.open(str(path), "w", options=options) as out:
        stream = out.add_stream("libx264", rate=15)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for n in range(30):
            picture = np.full((120, 160, 3), 8 * n % 256, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
    return path.read_bytes()


def veiled(data: bytes) -> Veiled:
    return Veiled(bytes(b ^ _KEY for b in data))


def test_device_reads_and_seeks_like_the_file(recording: bytes) -> None:
    device = FileDevice(veiled(recording))
    assert device.open(QIODevice.OpenModeFlag.ReadOnly)
    assert device.size() == len(recording)
    assert device.read(16).data() == recording[:16]
    assert device.seek(100)
    assert device.read(50).data() == recording[100:150]
    assert device.seek(len(recording))
    assert device.atEnd()
    device.close()


def test_recording_plays_pauses_and_seeks(qtbot: QtBot, recording: bytes) -> None:
    look = Themes(RESOURCES).look("light", REGULAR)
    player = Player(look, "zh", veiled(recording))
    qtbot.addWidget(player)
    frames: list[QVideoFrame] = []
    player.sink.videoFrameChanged.connect(frames.append)
    player.show()
    qtbot.waitUntil(lambda: len(frames) > 2 and frames[-1].isValid(), timeout=60_000)
    assert (frames[-1].width(), frames[-1].height()) == (160, 120)
    player.key("Space")
    qtbot.waitUntil(lambda: player.player.playbackState() is QMediaPlayer.PlaybackState.PausedState, timeout=60_000)
    player.key("→")
    player.key("Esc")
    assert not player.isVisible()


def test_no_recording_is_said_in_words(qtbot: QtBot) -> None:
    look = Themes(RESOURCES).look("dark", REGULAR)
    player = Player(look, "en", None)
    qtbot.addWidget(player)
    player.show()
    assert player._screen.message == "There is no video to show."
    player.key("Esc")


def test_broken_recording_is_said_in_words(qtbot: QtBot) -> None:
    look = Themes(RESOURCES).look("light", REGULAR)
    player = Player(look, "zh", io.BytesIO(b"not a video at all" * 50))
    qtbot.addWidget(player)
    with qtbot.waitSignal(player.failed, timeout=60_000):
        player.show()
    assert player._screen.message == "这段录像放不出来。"
    player.close()
