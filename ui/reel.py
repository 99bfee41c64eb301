"""Plays a whole recording, part after part, and knows to the frame where it stands.

A part plays by QMediaPlayer on a decrypting device; each video frame says when it was taken. A seek goes to the middle
between two frames, so that rounding to milliseconds never shows a neighbour. Backwards is a row of seeks. Standing
still, no picture shows but that of the time that is told: a player that comes with another one is sent there again.
"""

from __future__ import annotations

from enum import Enum, auto
from functools import partial

from PySide6.QtCore import QElapsedTimer, QObject, QTimer, Signal
from PySide6.QtGui import QImage
from PySide6.QtMultimedia import QMediaPlayer, QVideoFrame

from app.core.footage import FilmPart, Footage, ReviewDesk, next_frame, shown_at
from ui.player import Engine, FileDevice

RATES = (-8.0, -4.0, -2.0, -1.0, 0.5, 1.0, 2.0, 4.0, 8.0)
_BACK_MS = 125
_FRAME_US = 33_333
_END_MARGIN_US = 20_000
_EARLY_US = 2_000  # by so much a picture's time may be rounded
_AGAIN_MS = 500  # a seek without its picture is asked for again after this, after twice this, and so on
_TRIES = 7  # half a minute
_FAST_SHOWN_MS = 25  # faster than the film was, no eye follows each picture, and each takes long to turn into an image


class _Stage(Enum):
    """How far the player is with a part: told to take it (what it says is about the one before), reading it, ready."""

    ORDERED = auto()
    LOADING = auto()
    LOADED = auto()


class Reel(QObject):
    """`moved`: another frame shows, or the way of playing changed. `framed`: its picture. `failed`: not playable."""

    moved = Signal()
    framed = Signal(QImage)
    failed = Signal()

    def __init__(self, desk: ReviewDesk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._footage: Footage | None = None
        self._part: FilmPart | None = None
        self._device: FileDevice | None = None
        self._stage = _Stage.LOADED
        self._waiting = False  # for the picture of the last seek
        self._middle_us = 0  # where in the frame of `at_us` the last seek went
        self._tries = 0
        self._passed: QVideoFrame | None = None  # the newest, when it was not shown for it went by too fast
        self._since_shown = QElapsedTimer()
        self.at_us, self.rate, self.playing = 0, 1.0, False
        self._engine = Engine(self)
        self._engine.sink.videoFrameChanged.connect(self._frame)
        self._engine.player.mediaStatusChanged.connect(self._status)
        self._engine.player.errorOccurred.connect(lambda *_what: self.failed.emit())
        self._again = QTimer(self, singleShot=True)
        self._again.timeout.connect(self._seek_again)
        self._back = QTimer(self, interval=_BACK_MS)
        self._back.timeout.connect(self._go_back)

    def load(self, footage: Footage, at_us: int) -> None:
        """Show this recording at this time, standing still."""
        self.close()
        self._footage = footage
        self.at_us = at_us
        if footage.parts:
            self.seek(at_us)

    def finish(self) -> None:
        """Let the film go for good, before this object may go."""
        self.close()
        self._engine.finish()

    def close(self) -> None:
        """Let the film go."""
        self._halt()
        if self._device is not None:
            self._drop_part()
        self._footage = None
        self.at_us = 0

    # What is asked for

    def seek(self, at_us: int) -> None:
        """Show the frame of this time: the one that was taken last before it."""
        footage = self._footage
        if footage is None or (part := footage.part_at(at_us)) is None:
            return
        at_us = min(max(0, at_us), footage.duration_us)
        times = self._desk.frame_times(footage.recording_id, at_us)
        frame_us = max((time for time in times if time <= at_us), default=part.from_us)
        self._show(shown_at(times, frame_us, _FRAME_US), frame_us)

    def step(self, forward: bool) -> None:
        """One frame on or back."""
        footage = self._footage
        if footage is None or not footage.parts:
            return
        self._halt()
        times = self._desk.frame_times(footage.recording_id, self.at_us)
        frame_us = next_frame(times, self.at_us + 1, forward)
        if frame_us is not None:
            self._show(shown_at(times, frame_us, _FRAME_US), frame_us)

    def jump(self, forward: bool) -> None:
        """To the event after or before."""
        if self._footage is not None:
            self.seek(self._footage.jump(self.at_us, forward))

    def play_pause(self) -> None:
        """Space: at normal speed, or still."""
        if self.playing:
            self.stop()
        else:
            self._run(1.0)

    def stop(self) -> None:
        """K: stand still."""
        self._halt()
        self.moved.emit()

    def shift(self, up: bool) -> None:
        """L and J: to the next faster or slower way; slower than half is backwards."""
        if not self.playing:
            self._run(1.0 if up else -1.0)
            return
        place = RATES.index(self.rate) + (1 if up else -1)
        self._run(RATES[min(len(RATES) - 1, max(0, place))])

    # How it is done

    def _run(self, rate: float) -> None:
        if self._part is None:
            return
        self.rate, self.playing = rate, True
        if rate < 0:
            self._engine.pause.emit()
            self._back.start()
        else:
            self._back.stop()
            self._engine.rate.emit(rate)
            self._engine.play.emit()
        self.moved.emit()

    def _halt(self) -> None:
        self._back.stop()
        self.rate, self.playing = 1.0, False
        if self._part is not None:
            self._engine.pause.emit()
        if self._passed is not None:
            self._picture(self._passed)

    def _go_back(self) -> None:
        if self._waiting:
            return  # the last picture is still being looked for
        target_us = self.at_us + round(self.rate * _BACK_MS * 1000)
        if target_us <= 0:
            self._halt()
        self.seek(max(0, target_us))

    def _show(self, middle_us: int, frame_us: int) -> None:
        """Go to a time inside a frame."""
        assert self._footage is not None
        part = self._footage.part_at(frame_us)
        if part is None:
            return
        self.at_us, self._middle_us, self._waiting = frame_us, middle_us, True
        if part is not self._part:
            self._take_part(part)
        elif self._stage is _Stage.LOADED:
            self._tries = 0
            self._send_there(part)
        self.moved.emit()

    def _send_there(self, part: FilmPart) -> None:
        self._engine.seek.emit(round((self._middle_us - part.from_us) / 1000))
        self._again.start(_AGAIN_MS << self._tries)

    def _seek_again(self) -> None:
        """The picture did not come: the player lost the order, or went elsewhere after it."""
        if self._part is None or not self._waiting:
            return
        self._tries += 1
        if self._tries < _TRIES:
            self._send_there(self._part)
        else:
            self.failed.emit()

    def _take_part(self, part: FilmPart) -> None:
        assert self._footage is not None
        self._drop_part()
        file = self._desk.film(self._footage.recording_id, part.number)
        if file is None:
            self.failed.emit()
            return
        self._part, self._stage, self._device = part, _Stage.ORDERED, FileDevice(file)
        self._engine.take(self._device, partial(self._begin_loading, self._device))
        self._engine.rate.emit(max(self.rate, 0.5))
        if not (self.playing and self.rate > 0):
            self._engine.pause.emit()  # a stopped player shows nothing

    def _begin_loading(self, device: FileDevice) -> None:
        """What the player says from now on is about the part that it reads from here."""
        if device is self._device:
            self._stage = _Stage.LOADING

    def _drop_part(self) -> None:
        self._engine.let_go(self._device)
        self._part, self._device, self._passed, self._stage = None, None, None, _Stage.LOADED
        self._again.stop()

    def _status(self, status: QMediaPlayer.MediaStatus) -> None:
        loaded = (QMediaPlayer.MediaStatus.LoadedMedia, QMediaPlayer.MediaStatus.BufferedMedia)
        if status in loaded and self._stage is _Stage.LOADING and self._part is not None:
            self._stage, self._tries = _Stage.LOADED, 0
            self._send_there(self._part)
            if self.playing and self.rate > 0:
                self._engine.play.emit()
        elif status is QMediaPlayer.MediaStatus.EndOfMedia:
            QTimer.singleShot(0, self._part_over)  # not from inside the player's own call

    def _part_over(self) -> None:
        """On to the next part, or still at the end."""
        if self._footage is None or self._part is None or not self.playing:
            return
        later = [part for part in self._footage.parts if part.from_us > self._part.from_us]
        if later:
            self._show(later[0].from_us + _END_MARGIN_US // 2, later[0].from_us)
        else:
            self._halt()
            self.seek(self._footage.duration_us)  # a player that has ended goes back to its beginning

    def _frame(self, frame: QVideoFrame) -> None:
        timed = frame.isValid() and frame.startTime() >= 0
        if not timed or self._part is None or self._stage is not _Stage.LOADED:
            return
        taken_us = self._part.from_us + frame.startTime()
        runs = self.playing and self.rate > 0
        if not runs and not self.at_us - _EARLY_US <= taken_us <= max(self.at_us, self._middle_us):
            return  # a late picture of an earlier seek, or the first of the part
        self._waiting = False
        self._again.stop()
        if runs:
            self.at_us = self._middle_us = taken_us
            if self.rate > 1 and self._since_shown.isValid() and self._since_shown.elapsed() < _FAST_SHOWN_MS:
                self._passed = frame
                return
        self._picture(frame)

    def _picture(self, frame: QVideoFrame) -> None:
        self._passed = None
        self._since_shown.start()
        self.framed.emit(frame.toImage())
        self.moved.emit()
