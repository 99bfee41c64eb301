"""The window as a clerk meets it: keys become events, secrets stay covered, language and theme change at once."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from app.core.effects import Sound
from app.core.events import (
    CodeScanned,
    Event,
    FieldTyped,
    Key,
    KeyHeld,
    KeyPressed,
    PasscodeEntered,
    WaybillTyped,
)
from app.core.readiness import RecMode
from app.core.states import Locked, Rejecting, SignedOut, Waiting
from app.frames import HalfFrame
from app.paths import RESOURCES
from ui import samples, samples_reveal
from ui.bridge import Bridge
from ui.run import CrashHook, run_window
from ui.sample_pictures import crop
from ui.scene import Desk
from ui.shots import PRODUCTS, SIZES, grab_state, quiet_window, render_shots, review_screen, shoot
from ui.views import GoState
from ui.widgets.overlays import TypeWords
from ui.window import Window, WindowSettings

ON = samples.around(RecMode.ON)


@dataclass
class Station:
    """Stands for the hallway: keeps what the window sends."""

    events: list[Event] = field(default_factory=list)
    taken_over: int = 0
    uncovered: list[str] = field(default_factory=list)

    def take_over(self) -> None:
        self.taken_over += 1


@pytest.fixture
def station() -> Station:
    return Station()


@pytest.fixture
def window(qtbot: QtBot, station: Station) -> Window:
    bridge = Bridge(station.events.append, take_over=station.take_over, secret_shown=station.uncovered.append)
    settings = WindowSettings(volume=0.0, desk=Desk("0.1.0", demo_badge="CIB-DEMO01"))
    made = Window(bridge, samples.catalogue(), RESOURCES, settings)
    qtbot.addWidget(made)
    made.resize(1440, 900)
    made.show()
    qtbot.waitExposed(made)
    return made


def press(window: Window, key: Qt.Key, *, release: bool = True) -> None:
    """A key as the keyboard sends it; what the filter held back is given out."""
    handle = window.windowHandle()
    assert handle is not None
    QTest.keyPress(handle, key)
    window.keys._flush()
    if release:
        QTest.keyRelease(handle, key)


def test_keys_of_the_question_become_events(window: Window, station: Station) -> None:
    window.show_state(samples.asking(crop()), ON)
    for key in (Qt.Key.Key_1, Qt.Key.Key_Space, Qt.Key.Key_F5, Qt.Key.Key_F7, Qt.Key.Key_F9, Qt.Key.Key_Escape):
        press(window, key)
    assert station.events == [
        KeyPressed(Key.DIGIT, 1),
        KeyPressed(Key.SPACE),
        KeyPressed(Key.F5),
        KeyPressed(Key.F7),
        KeyPressed(Key.F9),
        KeyPressed(Key.ESC),
    ]


def test_scan_reaches_the_station_from_every_screen(window: Window, station: Station) -> None:
    handle = window.windowHandle()
    assert handle is not None
    window.keys._clock = lambda: 5.0  # a burst however slow this machine is
    for sample in samples.samples():
        window.show_state(sample.state, replace(sample.around, autoplay=False))
        window.keys._last_code = ("", -1e9)
        station.events.clear()
        for char in "SF14207731918":
            QTest.keyClick(handle, char)
        QTest.keyClick(handle, Qt.Key.Key_Return)
        assert [e.text for e in station.events if isinstance(e, CodeScanned)] == ["SF14207731918"], sample.name
        assert len(station.events) == 1, sample.name


def test_busy_blue_key_ignores_space(window: Window, station: Station) -> None:
    saving = next(s for s in samples.samples() if s.name == "saving")
    window.show_state(saving.state, saving.around)
    press(window, Qt.Key.Key_Space)
    window.work.keys.go.click()
    assert [e for e in station.events if e == KeyPressed(Key.SPACE)] == []


def test_clicks_say_the_same_as_keys(window: Window, station: Station) -> None:
    window.show_state(samples.asking(crop()), ON)
    window.work.keys.go.click()
    next(b for b in window.work.keys.buttons if b.label.key == "F7").click()
    window.grab()
    QTest.mouseClick(
        window.work.cards.prompt,
        Qt.MouseButton.LeftButton,
        pos=window.work.cards.prompt.marks["alternative1"].center().toPoint(),
    )
    assert station.events == [KeyPressed(Key.SPACE), KeyPressed(Key.F7), KeyPressed(Key.DIGIT, 1)]


def test_rejecting_needs_the_whole_second(window: Window, station: Station, qtbot: QtBot) -> None:
    window.show_state(Rejecting(samples.visit(), samples.asking(), 2), ON)
    go = window.work.reject.go
    assert go.view.state is GoState.HOLD
    press(window, Qt.Key.Key_Space)  # pressed and let go: nothing
    assert station.events == []
    go._hold.setDuration(40)
    press(window, Qt.Key.Key_Space, release=False)
    qtbot.waitUntil(lambda: station.events == [KeyHeld(Key.SPACE)])


def test_how_long_a_rejection_is_held_is_set_and_arming_a_reader_always_takes_a_second(
    qtbot: QtBot, station: Station
) -> None:
    made = Window(Bridge(station.events.append), samples.catalogue(), RESOURCES, WindowSettings(volume=0.0, hold_s=0.6))
    qtbot.addWidget(made)
    for theme in ("dark", "light"):
        made.set_theme(theme)
        assert (made.work.reject.go._hold.duration(), made.work.keys.go._hold.duration()) == (600, 1000)


def test_reject_without_a_reason_cannot_be_held(window: Window, station: Station) -> None:
    window.show_state(Rejecting(samples.visit(), samples.asking(), None), ON)
    go = window.work.reject.go
    go._hold.setDuration(1)
    press(window, Qt.Key.Key_Space, release=False)
    assert go.view.state is GoState.BLOCKED
    assert go._fill == 0.0
    assert station.events == []


def test_secret_is_shown_only_while_f8_is_down(window: Window, station: Station) -> None:
    window.show_state(samples.asking(), ON)
    prompt = window.work.cards.prompt
    press(window, Qt.Key.Key_F8, release=False)
    assert prompt.revealed
    assert station.uncovered == ["pin"]
    handle = window.windowHandle()
    assert handle is not None
    QTest.keyRelease(handle, Qt.Key.Key_F8)
    assert not prompt.revealed


def test_secret_is_covered_when_the_screen_changes(window: Window) -> None:
    window.show_state(samples.asking(), ON)
    press(window, Qt.Key.Key_F8, release=False)
    window.show_state(samples.paused(), samples.around(RecMode.CUT))
    window.show_state(samples.asking(), ON)
    assert not window.work.cards.prompt.revealed


def test_any_key_takes_over_and_does_nothing_else(window: Window, station: Station) -> None:
    window.show_state(samples.asking(), samples.rehearsal(ON, autoplay=True))
    press(window, Qt.Key.Key_Space)
    press(window, Qt.Key.Key_X)
    assert station.taken_over == 2
    assert station.events == []


def test_number_typed_by_hand(window: Window, station: Station) -> None:
    window.show_state(samples.asking(), ON)
    press(window, Qt.Key.Key_F6)
    window.work.typing.field.setText("6009 3512 4178 2106")
    press(window, Qt.Key.Key_Return)
    (event,) = station.events
    assert isinstance(event, FieldTyped)
    assert event.field == "number"
    assert event.reading.by_hand
    assert len(event.reading.chars) == 16
    assert window.work.typing.field.text() == ""
    assert not window.work.typing.isVisible()


@pytest.mark.parametrize("which", ["typing", "passcode"])
def test_what_is_typed_by_hand_is_neither_copied_nor_brought_back(window: Window, which: str) -> None:
    """Ctrl+C laid a PIN into the clipboard, and Ctrl+Z gave it to whoever typed there next."""
    QGuiApplication.clipboard().setText("before")
    window.show_state(samples.asking() if which == "typing" else SignedOut(), ON)
    if which == "typing":
        press(window, Qt.Key.Key_F6)
    else:
        window.sign_in.reveal(True)  # F8 held: it stands there in clear
    field = window.work.typing.field if which == "typing" else window.sign_in.passcode
    QTest.keyClicks(field, "6009351241782106")
    control, shift = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
    for key in (Qt.Key.Key_A, Qt.Key.Key_C, Qt.Key.Key_X, Qt.Key.Key_Insert, Qt.Key.Key_K, Qt.Key.Key_U):
        QTest.keyClick(field, key, control)
    QTest.keyClick(field, Qt.Key.Key_Home, shift)
    assert (field.text(), field.selectedText()) == ("6009351241782106", "")
    assert field.contextMenuPolicy() is Qt.ContextMenuPolicy.NoContextMenu
    field.forget()
    QTest.keyClick(field, Qt.Key.Key_Z, control)
    field.undo()
    assert field.text() == ""
    assert QGuiApplication.clipboard().text() == "before"


def test_waybill_typed_by_hand_and_escape_forgets(window: Window, station: Station) -> None:
    window.show_state(samples.idle(), samples.around())
    press(window, Qt.Key.Key_F6)
    window.work.typing.field.setText("SF1420")
    press(window, Qt.Key.Key_Escape)
    assert station.events == []
    press(window, Qt.Key.Key_F6)
    assert window.work.typing.field.text() == ""
    window.work.typing.field.setText("SF14207731918")
    press(window, Qt.Key.Key_Return)
    assert station.events == [WaybillTyped("SF14207731918")]


def test_what_was_typed_is_dropped_when_the_screen_changes(window: Window, station: Station) -> None:
    window.show_state(samples.asking(), ON)
    press(window, Qt.Key.Key_F6)
    window.work.typing.field.setText("6009")
    window.show_state(samples.paused(), samples.around(RecMode.CUT))
    assert not window.work.typing.isVisible()
    assert window.work.typing.field.text() == ""


def test_sign_in_by_keyboard_alone(window: Window, station: Station) -> None:
    window.show_state(*samples.signed_out())
    window.activateWindow()
    window.sign_in.number.setFocus()
    window.sign_in.number.setText("E10327")
    press(window, Qt.Key.Key_Return)
    assert window.sign_in.passcode.hasFocus()
    window.sign_in.passcode.setText("2468")
    press(window, Qt.Key.Key_Return)
    assert station.events == [PasscodeEntered("E10327", "2468")]
    assert window.sign_in.passcode.text() == ""


def test_a_revoked_desk_offers_no_field_to_type_in(window: Window) -> None:
    fields = (window.sign_in.number, window.sign_in.passcode)
    for revoked in (False, True, False):
        window.show_state(SignedOut(revoked=revoked), samples.around())
        assert [field.isHidden() for field in fields] == [revoked, revoked]


def test_locked_sign_in_takes_no_passcode(window: Window, station: Station) -> None:
    window.show_state(SignedOut(3, 60_000_000, 1_000_000, True), samples.around())
    window.sign_in.put("E10327", "2468")
    press(window, Qt.Key.Key_Return)
    assert station.events == []


def test_rehearsal_badge_by_key(window: Window, station: Station) -> None:
    out, around = samples.signed_out()
    window.show_state(out, samples.rehearsal(around))
    press(window, Qt.Key.Key_F2)
    assert station.events == [CodeScanned("CIB-DEMO01")]


def test_language_and_theme_change_while_typing(window: Window) -> None:
    window.show_state(*samples.signed_out())
    window.sign_in.put("E10327", "2468")
    handle = window.windowHandle()
    assert handle is not None
    QTest.keyClick(handle, Qt.Key.Key_L, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(handle, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    assert (window.language, window.theme) == ("en", "dark")
    assert window.sign_in.view is not None
    assert window.sign_in.view.title == "Scan your badge"
    assert window.sign_in.typed() == ("E10327", "2468")


def test_help_shows_the_live_keys_and_any_key_closes_it(window: Window, station: Station) -> None:
    window.show_state(samples.asking(), ON)
    press(window, Qt.Key.Key_F1)
    assert window.work.help.isVisible()
    assert window.work.help._words["F7"] == "转复核"
    press(window, Qt.Key.Key_F9)
    assert not window.work.help.isVisible()
    assert station.events == []


def test_alarm_sounds_until_the_picture_is_back(window: Window) -> None:
    window.show_state(samples.paused(), samples.around(RecMode.CUT))
    assert window._sounds.alarming
    window.show_state(samples.asking(), ON)
    assert not window._sounds.alarming


def test_states_from_another_thread_arrive_and_the_newest_wins(qtbot: QtBot, station: Station, window: Window) -> None:
    def show() -> None:
        for second in range(500):
            window._bridge.show(samples.idle(), replace(ON, wall_us=samples.NOW_US + second * 1_000_000))

    thread = threading.Thread(target=show)
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: window._around.wall_us == samples.NOW_US + 499_000_000)


def test_window_runs_until_the_station_closes_it(station: Station) -> None:
    bridge = Bridge(station.events.append)

    def play() -> None:
        for sample in samples.samples():
            bridge.show(sample.state, sample.around)
            bridge.play(Sound.TICK)
        bridge.close()

    thread = threading.Thread(target=play)
    thread.start()
    code = run_window(bridge, samples.catalogue(), settings=WindowSettings(volume=0.0))
    thread.join()
    assert code == 0


def test_bridge_closes_the_window(qtbot: QtBot, window: Window) -> None:
    window._bridge.close()
    qtbot.waitUntil(lambda: not window.isVisible())


def test_no_word_is_cut_at_the_promised_sizes() -> None:
    cut: set[tuple[object, ...]] = set()
    picture = crop()
    for size in SIZES:
        for language in ("zh", "en"):
            window = quiet_window(samples.catalogue(), size, language=language)
            for sample in samples.samples(picture):
                where = (size, language, sample.name)
                window.look.on_cut = lambda text, widget, where=where: cut.add((*where, type(widget).__name__, text))
                shoot(window, sample.state, sample.around, key=sample.key)
            window.close()
            screen = review_screen(size, language=language)
            where = (size, language, "review")
            screen.look.on_cut = lambda text, widget, where=where: cut.add((*where, type(widget).__name__, text))
            screen.grab()
            screen.close()
    assert cut == set()


def test_frame_is_painted_in_its_colours(window: Window) -> None:
    window.show_state(samples.asking(), ON)
    grey = np.full((540, 960), 81, np.uint8)
    frame = HalfFrame(1, 1, grey, np.full_like(grey, 90), np.full_like(grey, 240))
    window.show_frame(frame)
    stage = window.work.cards.findChild(type(next(iter(window.work.stages.values()))))
    assert stage is not None
    colour = stage.grab().toImage().pixelColor(30, 200)
    assert (colour.red() > 240, colour.green() < 20, colour.blue() < 20) == (True, True, True)


def test_small_window_is_compact_and_a_large_one_large(window: Window) -> None:
    window.show_state(samples.asking(), ON)
    names = []
    for size in ((1366, 768), (1440, 900), (1920, 1080)):
        window.resize(*size)
        QApplication.processEvents()
        names.append(window.density.name)
    assert names == ["compact", "regular", "large"]
    assert window.work.top.rec.width() == round(246 * 1.2)


def test_grab_state_for_the_headless_demo(tmp_path: Path) -> None:
    path = tmp_path / "shots" / "one.png"
    made = grab_state(samples.asking(), ON, samples.catalogue(), path, size=(1366, 768))
    assert made.stat().st_size > 20_000


@pytest.mark.warns
def test_crash_is_told_once_after_the_recording_was_sealed(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    hook = CrashHook(window, lambda error: order.append(f"sealed {error}"))
    box = hook.dialog("ValueError")
    assert "ValueError" in box.informativeText()
    assert box.text() == "程序出错，已停下"
    monkeypatch.setattr(type(box), "exec", lambda self: order.append("told"))
    error = ValueError("x")
    hook(ValueError, error, None)
    hook(ValueError, error, None)
    assert order == ["sealed x", "told"]
    assert hook.exit_code == 1


def test_two_hundred_thousand_calls_into_qt_survive() -> None:
    """PySide 6.12.0 on Python 3.11 loses references to True and None with each call and dies of it."""
    label = QLabel()
    for _ in range(50_000):
        label.setEnabled(True)
        label.isEnabled()
        label.setText("")
        label.parent()
    assert label.isEnabled() is True


def test_shots_cover_every_sample(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The whole series takes a while; here six screens in one theme, one language and one size."""
    first = samples.samples()[:6]
    monkeypatch.setattr("ui.samples.samples", lambda _crop, _line: first)
    monkeypatch.setattr("ui.samples_reveal.SAMPLES", {"reveal-ask": samples_reveal.asking})
    monkeypatch.setattr("ui.shots.SIZES", ((1440, 900),))
    monkeypatch.setattr("ui.shots.THEMES", ("dark",))
    monkeypatch.setattr("ui.shots.LANGUAGES", ("zh",))
    paths = render_shots(tmp_path)
    assert len(paths) == len(first) + 3 + 2 * len(PRODUCTS) + 2  # two sizes, the large one has three screens
    assert all(p.stat().st_size > 5_000 for p in paths)
    assert paths[0].name == "sign-in-zh-dark-1440x900.png"


def test_a_desk_that_was_left_shows_nothing_of_its_cards_and_the_recording_goes_on(
    window: Window, station: Station
) -> None:
    window.show_state(samples.asking(crop()), ON)
    window.work.typing.open("number", TypeWords("t", "n", "g", "e", "b"))
    held = window.work
    touched: list[int] = []
    window._bridge.touched = lambda: touched.append(1)
    window.show_state(Locked(samples.OPERATOR, Waiting(samples.visit())), ON)
    assert window.pages.currentWidget() is window.sign_in
    assert window.work is not held  # with what it held
    assert window.sign_in.view is not None
    assert window.sign_in.view.rec is not None
    assert window.sign_in.rec.view.mode is RecMode.ON
    assert not window.sign_in.rec.isHidden()
    press(window, Qt.Key.Key_F8)
    press(window, Qt.Key.Key_F1)
    assert not window.work.help.isVisible()
    assert touched
    window.sign_in.put("1007", "2468")
    window.sign_in.submit()
    assert station.events == [PasscodeEntered("1007", "2468")]
    window.show_state(Locked(samples.OPERATOR, samples.paused()), samples.around(RecMode.CUT))
    assert window._sounds.alarming


def test_what_is_only_here_is_shown_and_before_somebody_leaves_told_once(window: Window, station: Station) -> None:
    behind = replace(samples.around(), sync=samples.BEHIND)
    window.show_state(samples.idle(), behind)
    press(window, Qt.Key.Key_F5)
    sheet = window.work.sync
    assert sheet.isVisible()
    assert not sheet.leaving
    shown = {row.name: (row.chip.text, row.value) for row in sheet.rows.rows}
    assert shown["卡 · 只在本机"] == ("5", "最早的等了 71 分钟")
    assert shown["录像没到中心"][0] == "2"
    assert shown["到中心的网络"] == ("不通", "连不上中心，40 秒后再试。")
    window.show_state(samples.idle(), replace(behind, sync=replace(samples.BEHIND, unsent=11)))
    assert {row.name: row.chip.text for row in sheet.rows.rows}["记录没到中心"] == "11"
    press(window, Qt.Key.Key_F12)  # any key closes it, and does nothing else
    assert not sheet.isVisible()
    assert station.events == []
    press(window, Qt.Key.Key_F12)
    assert sheet.leaving
    assert station.events == []
    press(window, Qt.Key.Key_F9)
    assert not sheet.isVisible()
    press(window, Qt.Key.Key_F12)
    press(window, Qt.Key.Key_F12)
    assert station.events == [KeyPressed(Key.F12)]


def test_with_everything_at_the_centre_nobody_is_held_up(window: Window, station: Station) -> None:
    window.show_state(samples.idle(), samples.around())
    press(window, Qt.Key.Key_F12)
    assert station.events == [KeyPressed(Key.F12)]
    window.show_state(samples.counting(), replace(samples.around(RecMode.ON), sync=samples.BEHIND))
    press(window, Qt.Key.Key_F5)
    assert not window.work.sync.isVisible()
