"""The footage screen with two cameras: the same instant by one key, and what neither filmed is said."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from app.evidence.ledger import load
from app.evidence.still import still_at
from app.paths import StationFolder
from app.station.clock import system_clock
from app.station.reviewing import Reviewing
from app.store.writer import StoreWriter
from tests.station.filmed import FilmedParcel, film_the_label, number_in
from tests.ui.review_seat import OFF, Seat
from ui import samples, samples_review
from ui.present_lanes import cuts
from ui.present_review import review
from ui.scene import Scene
from ui.views import Tone


@pytest.fixture
def own(parcel: FilmedParcel, tmp_path: Path) -> FilmedParcel:
    shutil.copytree(parcel.folder.root, tmp_path / "station")
    return replace(parcel, folder=StationFolder(tmp_path / "station"))


@pytest.fixture
def store(own: FilmedParcel) -> Iterator[StoreWriter]:
    bugs: list[Exception] = []
    one = StoreWriter(own.store(), bugs.append)
    one.start()
    yield one
    one.stop()
    assert bugs == []


@pytest.fixture
def two_cameras(own: FilmedParcel, store: StoreWriter, qtbot: QtBot) -> Iterator[Seat]:
    """The same parcel with a label camera's recording, which began a second later and has a gap."""
    bugs: list[Exception] = []
    film_the_label(store, own, 1_000_000)
    desk = Reviewing(store, own.folder.recordings, own.folder.exports, system_clock(), bugs.append)
    desk.start()
    seat = Seat(qtbot, desk)
    yield seat
    seat.window.close()
    desk.stop()
    assert bugs == []


def number_of(own: FilmedParcel, store: StoreWriter, at_us: int) -> int:
    """What stands in the overhead recording's picture of this time, without any player."""
    folder = own.folder.recordings / "r-1"
    known = store.call(lambda s: s.find_recording("r-1"))
    assert known is not None
    still = still_at(folder, known.key, load(folder), at_us)
    return number_in(np.asarray(Image.open(io.BytesIO(still.jpeg)).convert("L")))


def test_the_other_camera_shows_the_same_instant(two_cameras: Seat, own: FilmedParcel, store: StoreWriter) -> None:
    """To the frame: five a second there, thirty here. Pictures carry their number; here the film began earlier."""
    seat = two_cameras
    seat.enter()
    footage = seat.looking.footage
    assert footage is not None
    cut = [(gap.from_us - 100_000, gap.to_us + 300_000) for film in (footage, *footage.angles) for gap in film.gaps]
    wanted = [1_900_000, 2_450_000, 3_300_000, 4_600_000, 5_300_000]
    whole = [at_us for at_us in wanted if not any(start <= at_us <= end for start, end in cut)]
    assert len(whole) >= 2
    for at_us in whole:
        seat.review.reel.seek(at_us)
        before_us = seat.review.reel.at_us
        number = number_of(own, store, before_us)
        assert abs(before_us - at_us) < 40_000
        seat.until(lambda number=number: seat.number == number)
        seat.key("F4")
        seat.until(lambda: seat.looking.footage is not None and seat.looking.footage.role == "label")
        seat.until(lambda before_us=before_us: -40_000 <= before_us - seat.number * 1e6 / 30 <= 200_000)
        seat.still()
        assert -40_000 <= before_us - seat.number * 1e6 / 30 <= 200_000
        assert seat.looking.card is not None
        assert seat.looking.card.no == 1
        seat.key("F4")
        seat.until(lambda: seat.looking.footage is not None and seat.looking.footage.role == "overhead")
        assert seat.review.reel.at_us == before_us  # however long a picture there stands
        seat.until(lambda number=number: seat.number == number)


def test_where_the_other_camera_has_no_picture_it_is_said(two_cameras: Seat) -> None:
    """Before it began, and in its gap; the time line and the instant stay, and any key brings the picture back."""
    seat = two_cameras
    seat.enter()
    assert seat.looking.footage is not None
    (angle,) = seat.looking.footage.angles
    gap = angle.gaps[0]
    for at_us in (400_000, (gap.from_us + gap.to_us) // 2):
        seat.review.reel.seek(at_us)
        before_us = seat.review.reel.at_us
        whole = seat.window.reviewing.view.whole if seat.window.reviewing.view else None
        seat.key("F4")
        seat.until(lambda: seat.looking.blind)
        view = review(Scene(OFF, samples.catalogue(), "en"), seat.looking)
        assert view.film.message == "Label camera: no picture of this instant"
        assert "0:01 – " in view.side.foot
        assert view.whole == review(Scene(OFF, samples.catalogue(), "en"), replace(seat.looking, blind=False)).whole
        assert seat.review.reel.at_us == before_us
        assert seat.window.reviewing.view is not None
        assert seat.window.reviewing.view.whole == whole
        seat.key("F4")
        assert not seat.looking.blind
        assert seat.looking.footage.role == "overhead"
        assert seat.review.reel.at_us == before_us


def test_gaps_of_both_cameras_are_on_the_line_from_either(two_cameras: Seat) -> None:
    seat = two_cameras
    seat.enter()
    seat.review.reel.seek(2_000_000)
    for role, other in (("overhead", "Label"), ("label", "Overhead")):
        seat.until(lambda role=role: seat.looking.footage is not None and seat.looking.footage.role == role)
        footage = seat.looking.footage
        view = review(Scene(OFF, samples.catalogue(), "en"), seat.looking)
        assert footage is not None
        (angle,) = footage.angles
        assert view.whole.gaps
        assert view.whole.gaps == tuple((gap.from_us, gap.to_us) for gap in cuts(footage))
        assert view.whole.beside_gaps
        assert view.whole.beside_gaps == tuple((gap.from_us, gap.to_us) for gap in cuts(angle))
        assert view.whole.beside
        assert view.whole.legend[-1] == ("beside", other)
        lanes = seat.window.reviewing.lanes
        lanes.grab()
        assert {"gap0", "beside-gap0"} <= set(lanes.marks)
        seat.key("F4")


@pytest.mark.parametrize("why", ["footage.may_show_pin", "footage.gone", "footage.damaged", "evidence.no_pictures"])
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("camera", ["overhead", "label"])
def test_a_dossier_without_a_camera_says_which_and_why(why: str, language: str, camera: str) -> None:
    looking = replace(samples_review.looking(), armed="", done="d.zip", without=why, lacking=camera)
    scene = Scene(OFF, samples.catalogue(), language)
    side = review(scene, looking).side
    assert side.foot_tone is Tone.WARN
    assert scene.say(f"review.without.{why}") in side.foot
    assert scene.say(f"camera.role.{camera}") in side.foot
    assert review(scene, replace(looking, without="")).side.foot_tone is Tone.OK
    for unread in (replace(looking, unchecked=True), replace(looking, without="", unchecked=True)):
        side = review(scene, unread).side
        assert side.foot_tone is Tone.WARN
        assert scene.say("review.unchecked") in side.foot
