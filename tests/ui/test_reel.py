"""What stands on the review screen is the picture of the time that it tells, whatever the player comes with."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor, QImage
from PySide6.QtMultimedia import QVideoFrame

from app.station.reviewing import Reviewing
from tests.ui.review_seat import Seat


def last_part(seat: Seat, desk: Reviewing) -> tuple[int, tuple[int, ...]]:
    """Where the part behind the gap begins, where nothing is masked, and the times of its pictures."""
    seat.enter()
    footage = seat.looking.footage
    assert footage is not None
    begin_us = footage.parts[-1].from_us
    return begin_us, tuple(t for t in desk.frame_times("r-1", begin_us + 900_000) if t >= begin_us)


def test_a_late_picture_of_elsewhere_does_not_show(seat: Seat, desk: Reviewing) -> None:
    begin_us, times = last_part(seat, desk)
    reel = seat.review.reel
    number = seat.shown(times[6])
    seat.still()
    seat.pictures.clear()
    for at_us in (times[0], times[5], times[7], times[12]):
        image = QImage(320, 240, QImage.Format.Format_RGB32)
        image.fill(QColor("white"))
        late = QVideoFrame(image)
        late.setStartTime(at_us - begin_us)
        reel._engine.sink.setVideoFrame(late)
    assert seat.pictures == []
    assert reel.at_us == times[6]
    assert seat.shown(times[7]) == number + round((times[7] - times[6]) / 33_333.3)


def test_a_player_that_went_elsewhere_is_sent_there_again(seat: Seat, desk: Reviewing) -> None:
    begin_us, times = last_part(seat, desk)
    reel = seat.review.reel
    first = seat.shown(begin_us)
    for n in (9, 4):
        seat.pictures.clear()
        reel.seek(times[n])
        reel._engine.seek.emit(0)  # as a part that shows its first picture after the seek
        assert seat.next_number() == first + round((times[n] - begin_us) / 33_333.3)
        seat.still()
        assert reel.at_us == times[n]
        assert {seat.number} == {first + round((times[n] - begin_us) / 33_333.3)}


def test_a_player_that_never_comes_is_told(
    seat: Seat,
    desk: Reviewing,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The seek's picture is asked for again, ever later, and not for ever."""
    _begin_us, times = last_part(seat, desk)
    seat.shown(times[0])
    seat.still()
    monkeypatch.setattr("ui.reel._AGAIN_MS", 5)
    reel = seat.review.reel
    asked: list[int] = []
    reel._engine.seek.disconnect()
    reel._engine.seek.connect(asked.append)
    reel.seek(times[8])
    assert seat.looking.trouble == ""
    seat.until(lambda: seat.looking.trouble == "review.cannot_read")
    assert len(asked) == 7
    assert len(set(asked)) == 1
