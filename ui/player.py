"""Watching a recording: QMediaPlayer on a QIODevice over a file-like object, which may decrypt as it is read."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import BinaryIO

from PySide6.QtCore import QCoreApplication, QEventLoop, QIODevice, QObject, QRectF, Qt, QUrl, Signal
from PySide6.QtGui import QCloseEvent, QImage
from PySide6.QtMultimedia import QMediaPlayer, QVideoFrame, QVideoSink
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget

from ui.scene import minutes_seconds
from ui.texts import say
from ui.theme import Look
from ui.widgets.ink import CENTRE, Ink, Painted

OpenRecording = Callable[[str], BinaryIO | None]
"""A readable, seekable binary file of a recording by its id ("" for the newest); None when there is none."""


class FileDevice(QIODevice):
    """A random-access QIODevice over a binary file object."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._size = file.seek(0, io.SEEK_END)
        file.seek(0)

    def isSequential(self) -> bool:
        return False

    def size(self) -> int:
        return self._size

    def seek(self, pos: int) -> bool:
        super().seek(pos)
        return self._file.seek(pos) == pos

    def atEnd(self) -> bool:
        return self.pos() >= self._size

    def readData(self, maxlen: int) -> object:
        self._file.seek(self.pos())
        return self._file.read(min(maxlen, max(0, self._size - self.pos())))

    def writeData(self, _data: object, _maxSize: int) -> int:
        return -1

    def close(self) -> None:
        super().close()
        self._file.close()


class Engine(QObject):
    """A QMediaPlayer that is told what to do by queued signals only, which reach its slots from Qt's own event loop.

    Called directly, it would wait for its reading thread with Python locked, while that thread waits for Python to read
    a piece of the film: both for ever. Orders are carried out in the order they were given.
    """

    play, pause, stop = Signal(), Signal(), Signal()
    rate, seek = Signal(float), Signal("qlonglong")  # type: ignore[arg-type]  # Qt takes names of its types, too
    _device = Signal(QIODevice, QUrl)
    _then = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.player, self.sink = QMediaPlayer(self), QVideoSink(self)
        self.player.setVideoSink(self.sink)
        queued = Qt.ConnectionType.QueuedConnection
        self.play.connect(self.player.play, queued)
        self.pause.connect(self.player.pause, queued)
        self.stop.connect(self.player.stop, queued)
        self.rate.connect(self.player.setPlaybackRate, queued)
        self.seek.connect(self.player.setPosition, queued)
        self._device.connect(self.player.setSourceDevice, queued)
        self._then.connect(lambda work: work(), queued)

    def take(self, device: FileDevice, then: Callable[[], None] = lambda: None) -> None:
        """Play from this device; `then` is called just before, when the one before it has been let go."""
        device.open(QIODevice.OpenModeFlag.ReadOnly)
        self._then.emit(then)
        self._device.emit(device, QUrl("recording.mp4"))

    def let_go(self, device: FileDevice | None) -> None:
        """Stop, forget the device and close it."""
        self.stop.emit()
        self._device.emit(None, QUrl())
        if device is not None:
            self._then.emit(device.close)

    def finish(self) -> None:
        """Carry out what was ordered, now: before this object may go."""
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)


class _Screen(Painted):
    """Letter-boxes the newest video frame."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._image = QImage()
        self.message = ""

    def show_frame(self, frame: QVideoFrame) -> None:
        self._image = frame.toImage()
        self.update()

    def draw(self, ink: Ink) -> None:
        room = QRectF(self.rect())
        ink.fill(room, "stage")
        if self._image.isNull():
            ink.text(room, self.message, 18, colour="onStage2", align=CENTRE)
            return
        scale = min(room.width() / self._image.width(), room.height() / self._image.height())
        width, height = self._image.width() * scale, self._image.height() * scale
        centre = room.center()
        ink.p.drawImage(QRectF(centre.x() - width / 2, centre.y() - height / 2, width, height), self._image)


class Player(QDialog):
    """Plays one recording. Space plays and pauses, arrows seek by 5 s, Esc closes."""

    failed = Signal(str)

    def __init__(self, look: Look, language: str, file: BinaryIO | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._language = language
        self.setWindowTitle(say("player.title", language))
        self.resize(look.px(980), look.px(640))
        self._device = FileDevice(file) if file is not None else None
        self._engine = Engine(self)
        self.player, self.sink = self._engine.player, self._engine.sink
        self._screen = _Screen(look)
        self._time = QLabel("00:00 / 00:00")
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._lay_out()
        self._join()
        self._start()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(QLabel(f"[{say('cap.space', self._language)}] {say('player.play', self._language)}"))
        row.addWidget(self._slider, 1)
        row.addWidget(self._time)
        layout = QVBoxLayout(self)
        layout.addWidget(self._screen, 1)
        layout.addLayout(row)

    def _join(self) -> None:
        self.sink.videoFrameChanged.connect(self._screen.show_frame)
        self.player.positionChanged.connect(self._moved)
        self.player.durationChanged.connect(lambda ms: self._slider.setMaximum(ms))
        self.player.errorOccurred.connect(self._broken)
        self._slider.sliderMoved.connect(lambda ms: self._engine.seek.emit(ms))

    def _start(self) -> None:
        if self._device is None:
            self._screen.message = say("player.none", self._language)
            return
        self._engine.take(self._device)
        self._engine.play.emit()

    def _moved(self, ms: int) -> None:
        self._slider.setValue(ms)
        length = self.player.duration()
        self._time.setText(f"{minutes_seconds(ms * 1000)} / {minutes_seconds(length * 1000)}")

    def _broken(self, _error: object, text: str) -> None:
        self._screen.message = say("player.failed", self._language)
        self._screen.update()
        self.failed.emit(text)

    def key(self, name: str) -> None:
        """A key by the name printed on it."""
        match name:
            case "Space":
                playing = self.player.playbackState() is QMediaPlayer.PlaybackState.PlayingState
                (self._engine.pause if playing else self._engine.play).emit()
            case "←" | "→":
                step = 5000 if name == "→" else -5000
                self._engine.seek.emit(max(0, self.player.position() + step))
            case "Esc" | "F3":
                self.close()

    def closeEvent(self, event: QCloseEvent) -> None:
        self._engine.let_go(self._device)
        self._engine.finish()
        super().closeEvent(event)
