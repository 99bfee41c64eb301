"""The review screen on what the real recorder filmed: to the frame, by keyboard alone, for supervisors only."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from app.core.cards import CardState, Secret
from app.core.footage import Angle, Footage, Hold, Moment, Pile, Proof, Span
from app.core.parcels import Role
from app.core.policy import Policy
from app.core.readiness import DiskFacts, RecMode
from app.core.states import SignedOut
from app.station.clock import system_clock
from app.station.reviewing import Reviewing
from app.store.writer import StoreWriter
from tests.station.filmed import CLERK, SUPERVISOR, WAYBILL, FilmedParcel
from tests.ui.review_seat import OFF, Seat
from ui import samples, samples_review
from ui.present import present
from ui.present_review import HOLD, Looking, Matter, review
from ui.scene import Scene
from ui.views import GoState, Tone
from ui.widgets.overlays import REVIEW_BOARD
from ui.work_views import WorkView


def test_a_clerk_does_not_get_in(qtbot: QtBot, desk: Reviewing) -> None:
    seat = Seat(qtbot, desk, CLERK)
    seat.key("Ctrl 4")
    assert not seat.review.open
    assert seat.window.pages.currentWidget() is seat.window.work
    assert not next(item for item in seat.window.work.rail.items if item.icon == "film").live
    seat.window.close()


def test_a_supervisor_comes_by_key_and_leaves_by_key(seat: Seat) -> None:
    for way in ("Esc", "Ctrl 2"):
        seat.enter()
        assert seat.window.pages.currentWidget() is seat.window.reviewing
        assert seat.looking.line is not None
        assert seat.looking.line.waybill == WAYBILL
        seat.key(way)
        assert not seat.review.open
        assert seat.window.pages.currentWidget() is seat.window.work
        seat.pictures.clear()
    assert seat.events == []  # nothing of it reached the session


def test_signing_out_closes_the_footage(seat: Seat) -> None:
    seat.enter()
    seat.window.show_state(SignedOut(), OFF)
    assert not seat.review.open
    assert seat.window.pages.currentWidget() is seat.window.sign_in


def test_seeks_and_steps_are_exact_to_the_frame(seat: Seat, desk: Reviewing) -> None:
    """Each picture carries its number; where nothing is masked it can be read off the screen."""
    seat.enter()
    footage = seat.looking.footage
    assert footage is not None
    last = footage.parts[-1]
    times = [t for t in desk.frame_times("r-1", last.from_us + 900_000) if t >= last.from_us]
    origin = seat.shown(times[0])
    numbers = [round((t - times[0]) / 33_333.3) + origin for t in times]
    rng = np.random.default_rng(5)
    for n in rng.permutation(len(times))[:20]:
        assert seat.shown(times[n]) == numbers[n]
        assert abs(seat.review.reel.at_us - times[n]) < 2_000
    assert seat.shown(times[4]) == numbers[4]
    for name, n in ((".", 5), (".", 6), (".", 7), (",", 6), (",", 5), (",", 4), (",", 3)):
        seat.pictures.clear()
        seat.key(name)
        assert seat.next_number() == numbers[n]


def killed_in(footage: Footage) -> Span:
    """The gap that the kill left; on a busy machine there may be frames missing elsewhere too."""
    return next(gap for gap in footage.gaps if gap.reason == "recorder_restarted")


def test_it_plays_over_the_gap_into_the_next_part(seat: Seat) -> None:
    seat.enter()
    footage = seat.looking.footage
    assert footage is not None
    gap = killed_in(footage)
    seat.review.reel.seek(gap.from_us - 300_000)
    seat.key("Space")
    assert seat.review.reel.playing
    seat.until(lambda: seat.review.reel.at_us > gap.to_us + 200_000)
    seat.key("K")
    assert not seat.review.reel.playing


def test_eight_times_as_fast_not_each_picture_is_drawn_but_the_one_it_stops_at(seat: Seat) -> None:
    seat.enter()
    footage = seat.looking.footage
    assert footage is not None
    reel = seat.review.reel
    reel.seek(footage.parts[0].from_us)
    seat.still()
    drawn: list[int] = []
    reel.framed.connect(lambda _image: drawn.append(reel.at_us))
    for name in "LLLL":
        seat.key(name)
    assert reel.rate == 8
    seat.until(lambda: reel.at_us > footage.parts[0].from_us + 1_500_000)
    seat.key("K")
    seat.still()
    assert drawn[-1] == reel.at_us, "what stands there is what the time says"
    assert len(drawn) < (reel.at_us - footage.parts[0].from_us) / 33_333


def test_speeds_and_backwards(seat: Seat) -> None:
    seat.enter()
    footage = seat.looking.footage
    assert footage is not None
    reel = seat.review.reel
    rates = []
    for name in "LLLLLJJJJJJJJJ":
        seat.key(name)
        rates.append(reel.rate)
    assert rates == [1, 2, 4, 8, 8, 4, 2, 1, 0.5, -1, -2, -4, -8, -8]
    seat.key("K")
    reel.seek(footage.duration_us)
    before = reel.at_us
    seat.key("J")
    seat.until(lambda: reel.at_us < before - 500_000)
    seat.key("K")


def test_jumps_and_typed_times(seat: Seat, qtbot: QtBot) -> None:
    seat.enter()
    footage, reel = seat.looking.footage, seat.review.reel
    assert footage is not None
    from_us = killed_in(footage).from_us
    stops = [stop for stop in footage.stops() if stop > from_us - 50_000]
    reel.seek(from_us - 400_000)
    seat.key("→")
    seat.until(lambda: abs(reel.at_us - from_us) < 60_000)
    assert stops
    seat.key("T")
    typing = seat.window.reviewing.typing
    assert typing.isVisible()
    typing.field.setText("0:02")
    seat.key("Enter")
    assert abs(reel.at_us - 2_000_000) < 40_000
    seat.key("T")
    seat.key("Esc")
    assert seat.review.open
    assert not typing.isVisible()


def test_search_by_key_and_by_scanner(seat: Seat) -> None:
    seat.enter()
    seat.key("F3")
    seat.window.reviewing.typing.field.setText("9140")
    seat.key("Enter")
    seat.until(lambda: seat.looking.lines is not None and seat.looking.lines.query == "9140")
    assert [line.last4 for line in seat.looking.lines.lines if seat.looking.lines] == ["9140"]
    seat.window.keys.scanned.emit("SF0000000000")
    seat.until(lambda: seat.looking.lines is not None and seat.looking.lines.query == "SF0000000000")
    assert seat.looking.lines.lines == ()
    seat.key("Esc")
    seat.until(lambda: seat.looking.lines is not None and seat.looking.lines.query == "")
    assert seat.review.open
    assert seat.events == []


def test_the_badge_is_green_only_after_the_last_fragment(seat: Seat) -> None:
    seat.enter()
    seat.until(lambda: seat.looking.proof is not None and seat.looking.proof.done)
    view = seat.window.reviewing.film.view
    assert (view.badge_tone, view.badge_icon) == (Tone.OK, "shield-check")


def test_still_and_dossier_by_keyboard(seat: Seat, parcel: FilmedParcel) -> None:
    seat.enter()
    for name, ending in (("S", ".jpg"), ("E", ".zip")):
        seat.key(name)
        assert seat.window.reviewing.keys.go.view.state is GoState.READY
        seat.key("Enter")
        seat.until(lambda: not seat.looking.busy)
        assert seat.looking.done.endswith(ending)
        assert (parcel.folder.exports / seat.looking.done).is_file()


def test_a_hold_asks_for_its_reason_first(seat: Seat) -> None:
    seat.enter()
    field, go = seat.window.reviewing.side.reason, seat.window.reviewing.keys.go
    seat.key(HOLD)
    assert field.hasFocus()
    assert go.view.state is GoState.BLOCKED
    seat.key("Enter")
    assert not seat.looking.busy
    field.setText("customer complains")
    assert go.view.state is GoState.READY
    seat.key("Enter")
    seat.until(lambda: seat.looking.footage is not None and seat.looking.footage.hold is not None)
    assert not field.hasFocus()
    seat.key("4")
    seat.until(lambda: seat.looking.pile is Pile.HELD and bool(seat.looking.lines and seat.looking.lines.lines))
    seat.key(HOLD)
    seat.key("Enter")
    seat.until(lambda: seat.looking.footage is not None and seat.looking.footage.hold is None)


@pytest.fixture
def strict(qtbot: QtBot, parcel: FilmedParcel, monkeypatch: pytest.MonkeyPatch) -> Iterator[Seat]:
    """A seat where every card needs two supervisors; the second one is known by badge and passcode."""
    monkeypatch.setattr("app.station.reviewing.policy_now", lambda _store: Policy(ruling_second_above_fen=0))
    bugs: list[Exception] = []
    store = StoreWriter(parcel.store(), bugs.append)
    store.start()
    store.call(lambda s: s.add_operator("S2", "王敏", Role.SUPERVISOR, "CIB-S2", Secret("246810")))
    folder = parcel.folder
    desk = Reviewing(store, folder.recordings, folder.exports, system_clock(), bugs.append)
    desk.start()
    one = Seat(qtbot, desk)
    yield one
    one.window.close()
    desk.stop()
    store.stop()
    assert bugs == []


def test_a_ruling_by_keyboard_with_two_signatures_and_taken_back(strict: Seat) -> None:
    seat, typing, go = strict, strict.window.reviewing.typing, strict.window.reviewing.keys.go
    field = seat.window.reviewing.side.reason
    seat.enter()
    assert seat.looking.acts == ("A", "R", "H")
    assert go.view.state is GoState.BLOCKED
    seat.key("A")
    assert go.view.state is GoState.BLOCKED  # the clerk sent it here: it has to be said why
    field.setText("the balance is untouched")
    assert go.view.state is GoState.READY
    assert "¥0" in seat.window.reviewing.side.view.foot
    seat.key("Enter")
    assert (typing.isVisible(), typing.kind) == (True, "second")
    typing.field.setText("S2")
    seat.key("Enter")
    assert typing.field.echoMode() is QLineEdit.EchoMode.Password
    typing.field.setText("000000")
    seat.key("Enter")
    seat.until(lambda: seat.looking.trouble == "review.second_unknown")
    assert seat.looking.card is not None
    assert field.text() == "the balance is untouched"  # nothing is lost
    seat.key("Enter")
    seat.window.keys.scanned.emit("CIB-S2")
    seat.until(lambda: seat.looking.ruled == "card.a")
    seat.until(lambda: seat.looking.lines is not None and not seat.looking.lines.lines)
    assert not typing.isVisible()
    seat.key("F2")
    seat.until(lambda: seat.looking.ruled == "undone")
    seat.until(lambda: bool(seat.looking.lines and seat.looking.lines.lines))
    assert seat.looking.line is not None
    assert seat.looking.line.state is CardState.REVIEW
    assert seat.events == []


def test_a_dispute_is_opened_fed_and_settled_by_keyboard(seat: Seat) -> None:
    field = seat.window.reviewing.side.reason
    seat.enter()
    seat.key("D")
    assert field.hasFocus()
    field.setText("you swapped my card")
    seat.key("Enter")
    seat.until(lambda: seat.looking.ruled == "dispute")
    seat.key("E")
    seat.key("Enter")
    seat.until(lambda: seat.looking.done.endswith(".zip"))
    seat.key("3")
    seat.until(lambda: seat.looking.pile is Pile.DISPUTE and bool(seat.looking.line and seat.looking.line.evidence))
    assert seat.looking.matter is Matter.DISPUTE
    seat.until(lambda: seat.looking.footage is not None)
    assert "you swapped my card" in seat.window.reviewing.side.view.headline
    seat.key("R")
    field.setText("the video shows the same card")
    seat.key("Enter")
    seat.until(lambda: seat.looking.ruled == "contest.r")
    seat.until(lambda: seat.looking.lines is not None and not seat.looking.lines.lines)


def middle_of_the_film(seat: Seat) -> str:
    """The colour in the middle of the picture; of a film that shows none, that of the stage."""
    picture = seat.window.reviewing.film.grab().toImage()
    return picture.pixelColor(picture.rect().center()).name()


def test_theme_and_language_change_under_the_film(seat: Seat) -> None:
    seat.enter()
    at, shown = seat.review.reel.at_us, middle_of_the_film(seat)
    seat.key("Ctrl D")
    seat.key("Ctrl L")
    assert seat.window.pages.currentWidget() is seat.window.reviewing
    assert middle_of_the_film(seat) == shown
    assert seat.review.reel.at_us == at
    assert seat.window.reviewing.top.view is not None
    assert seat.window.reviewing.top.view.title == "Review and video"


def test_letters_reach_the_screen_through_the_filter(seat: Seat) -> None:
    seat.enter()
    handle = seat.window.windowHandle()
    assert handle is not None
    QTest.keyClick(handle, Qt.Key.Key_L)
    seat.until(lambda: seat.review.reel.playing)
    seat.until(lambda: not seat.window.keys.busy)
    time.sleep(0.06)
    QTest.keyClick(handle, Qt.Key.Key_K)
    seat.until(lambda: not seat.review.reel.playing)


def test_a_secret_is_the_vaults_to_show_and_the_key_leads_there(seat: Seat) -> None:
    asked: list[str] = []
    seat.review.secret_asked.connect(lambda: asked.append("asked"))
    QGuiApplication.clipboard().setText("before")
    seat.enter()
    assert "F8" in [label.key for label in seat.window.reviewing.keys.keys]
    seat.key("F8")
    assert asked == ["asked"]
    assert QGuiApplication.clipboard().text() == "before"


def test_help_tells_the_keys_of_this_screen(seat: Seat) -> None:
    """All that do something, and nothing cut off, in either language."""
    seat.enter()
    for _ in range(2):
        screen, cut = seat.window.reviewing, list[str]()
        screen.look.on_cut = lambda text, _widget, cut=cut: cut.append(text)
        seat.key("F1")
        words = screen.help._words
        player = {"Space", "J", "K", "L", ",", ".", "←", "→"}
        others = {"F1", "F3", "F4", "F6", "F8", "T", "E", "S", "P", "D", "A", "R", "H", "↑", "↓", "5", "Esc", "Ctrl 2"}
        assert player | others <= set(words)
        assert set(words) <= {name for row in REVIEW_BOARD for group in row for name in group}, "every key is drawn"
        screen.help.grab()
        assert cut == []
        seat.key("J")
        assert not seat.review.reel.playing
        assert not screen.help.isVisible()
        seat.key("Ctrl L")


def scene(language: str = "zh") -> Scene:
    return Scene(OFF, samples.catalogue(), language)


def test_gaps_masks_and_clock_steps_are_always_on_the_lane() -> None:
    looking = samples_review.looking()
    assert looking.footage is not None
    footage = replace(looking.footage, moments=(*looking.footage.moments, Moment(500_000_000, "clock", "+3.000")))
    view = review(scene("en"), replace(looking, footage=footage))
    assert view.whole.gaps == ((411_000_000, 452_000_000),)
    assert view.whole.clocks == (500_000_000,)
    assert len(view.whole.masks) == 7
    assert [note.text for note in view.whole.notes[:2]] == ["Cut 41.0 s", "Clock +3.000 s"]


def test_a_changed_fragment_is_told_loud_and_shown_where() -> None:
    proof = Proof("sample", 500, 1366, 10, True, "evidence.bytes_changed", (250_000_000, 250_500_000))
    view = review(scene(), replace(samples_review.looking(), proof=proof))
    assert (view.film.badge_tone, view.whole.wrong) == (Tone.STOP, (250_000_000, 250_500_000))
    assert "04:10" in view.film.badge
    half = replace(proof, done=False, fault="", fault_us=None)
    assert review(scene(), replace(samples_review.looking(), proof=half)).film.badge_tone is Tone.INFO
    seen = replace(half, checked=1366, done=True)
    badges = [review(scene(), replace(samples_review.looking(), proof=one)).film.badge for one in (
        seen, replace(seen, notes=("no_witness",))
    )]  # fmt: skip
    assert len(set(badges)) == 2  # whether the centre saw it is told


def test_a_card_with_a_gap_in_its_stretch_is_marked_cut() -> None:
    looking = samples_review.looking()
    assert looking.footage is not None
    gap = replace(looking.footage.gaps[0], from_us=240_000_000, to_us=241_000_000)
    view = review(scene("en"), replace(looking, footage=replace(looking.footage, gaps=(gap,))))
    film = next(row for row in view.side.rows if row.icon == "film")
    assert (film.value, film.chip.tone) == ("1.0 s missing", Tone.STOP)
    told = (gap, replace(gap, to_us=gap.to_us + 500_000, reason="memory"))  # of one stretch by two records
    view = review(scene("en"), replace(looking, footage=replace(looking.footage, gaps=told)))
    assert next(row for row in view.side.rows if row.icon == "film").value == "1.5 s missing"
    assert view.whole.gaps == ((240_000_000, 241_500_000),)
    assert view.whole.notes[0].text == "Cut 1.5 s"


def test_pictures_that_were_removed_are_said_in_words() -> None:
    looking = samples_review.looking()
    assert looking.footage is not None
    view = review(scene("en"), replace(looking, footage=replace(looking.footage, there=False, parts=())))
    assert view.film.message == "Pictures removed by the rules; the records stay"
    assert view.whole.gaps


def test_nothing_can_be_done_before_something_is_looked_at() -> None:
    assert review(scene(), Looking(SUPERVISOR)).go.state is GoState.BLOCKED


@pytest.mark.parametrize(("minutes", "told"), [(59, True), (60, False)])
def test_less_than_an_hour_of_room_is_told_and_the_hours_always(minutes: int, told: bool) -> None:
    around = replace(samples.around(RecMode.ON), disk=DiskFacts(minutes * 100_000_000, 100_000_000))
    view = present(samples.asking(), around, samples.catalogue(), "en")
    assert isinstance(view, WorkView)
    assert (view.frame.banner is not None and "59 min" in view.frame.banner.text) == told
    assert view.parcel.quiet == f"Room for {minutes} min"


def test_a_pin_that_may_be_seen_is_an_alarm_and_must_be_judged_with_a_reason_before_anything_is_exported() -> None:
    disk = DiskFacts(10**12, 10**8, missing_recordings=4, leaks=2)
    view = present(samples.asking(), replace(samples.around(RecMode.ON), disk=disk), samples.catalogue(), "en")
    assert isinstance(view, WorkView)
    assert view.frame.banner is not None
    assert "Recordings: 2" in view.frame.banner.text
    assert "Review" in view.frame.banner.detail
    looking = samples_review.looking()
    assert looking.footage is not None
    held = replace(looking.footage, hold=Hold("leak.found", "", 0, leak=True))
    looking = replace(looking, footage=held, armed="E")
    assert review(scene("en"), looking).go.state is GoState.BLOCKED
    both = replace(looking, footage=replace(held, angles=(Angle("r-2", "label", 0),)))
    go = review(scene("en"), both).go  # what the other one filmed may go
    assert (go.state, go.label) == (GoState.READY, "Confirm: export without this camera")
    assert review(scene("en"), replace(both, armed="S")).go.state is GoState.BLOCKED
    assert review(scene("en"), replace(looking, armed="P", reason_there=False)).go.state is GoState.BLOCKED
    go = review(scene("en"), replace(looking, armed="P", reason_there=True)).go
    assert (go.state, go.label) == (GoState.READY, "Confirm: no PIN is visible")


def test_many_missing_recordings_are_told_before_all_else() -> None:
    disk = DiskFacts(10**12, 10**8, missing_recordings=4, keeping_stopped=True)
    view = present(samples.asking(), replace(samples.around(RecMode.ON), disk=disk), samples.catalogue(), "en")
    assert isinstance(view, WorkView)
    assert view.frame.banner is not None
    assert "4 recordings" in view.frame.banner.text


def test_without_a_second_camera_that_is_said_too(seat: Seat) -> None:
    seat.enter()
    seat.key("F4")
    assert seat.looking.blind
    view = review(Scene(OFF, samples.catalogue(), "zh"), seat.looking)
    assert view.side.foot == "面单相机没有拍这个包裹"
    seat.key("K")
    assert not seat.looking.blind
