"""The chip tray on the screen: the hold that arms, what keys send, plain words for every end in both languages."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.core.chips import ChipStand
from app.core.events import Key, KeyHeld, KeyPressed
from app.core.readiness import RecMode, Surroundings
from app.core.states import ChipTray, Idle, Waiting
from hardware.deactivation import Stage, Verdict, Why
from tests.ui.test_window import Station, press, station, window  # noqa: F401  fixtures
from ui import samples
from ui.present import present
from ui.views import GoState, Tone
from ui.widgets.buttons import HOLD_MS
from ui.window import Window
from ui.work_views import BigPrompt, CardBody, WorkView

ON = replace(samples.around(RecMode.ON), chips=4)
LANGUAGES = ("zh", "en")
PLANNED = replace(samples.chip_tray(), at=samples.CHIPS[0].card_id, plan=samples.PLAN)


def view(state: ChipTray | Waiting | Idle, language: str = "zh", around: Surroundings = ON) -> WorkView:
    shown = present(state, around, samples.catalogue(), language)
    assert isinstance(shown, WorkView)
    return shown


def body(shown: WorkView) -> CardBody:
    assert isinstance(shown.body, CardBody)
    return shown.body


def prompt(shown: WorkView) -> BigPrompt:
    now = body(shown).now
    assert isinstance(now, BigPrompt)
    return now


def test_the_reader_is_armed_by_a_whole_second_only(window: Window, station: Station, qtbot: QtBot) -> None:  # noqa: F811
    window.show_state(samples.chip_tray(), ON)
    go = window.work.keys.go
    assert go.view.state is GoState.HOLD
    press(window, Qt.Key.Key_Space)  # pressed and let go
    assert station.events == []
    go._hold.setDuration(40)
    press(window, Qt.Key.Key_Space, release=False)
    qtbot.waitUntil(lambda: station.events == [KeyHeld(Key.SPACE)])


def test_the_hold_takes_a_second() -> None:

    assert HOLD_MS == 1000


def test_a_hold_that_is_no_longer_offered_is_taken_back(window: Window, station: Station, qtbot: QtBot) -> None:  # noqa: F811
    """The reader goes in the middle of the second: nothing is armed."""
    window.show_state(samples.chip_tray(), ON)
    window.work.keys.go._hold.setDuration(60)
    press(window, Qt.Key.Key_Space, release=False)
    window.show_state(replace(samples.chip_tray(), reader="nfc.lost"), ON)
    qtbot.wait(120)
    assert station.events == []


def test_keys_of_the_tray(window: Window, station: Station) -> None:  # noqa: F811
    window.show_state(samples.chip_tray(), ON)
    for key in (Qt.Key.Key_2, Qt.Key.Key_Escape, Qt.Key.Key_F2):
        press(window, key)
    assert station.events == [KeyPressed(Key.DIGIT, 2), KeyPressed(Key.ESC), KeyPressed(Key.F2)]


def test_the_tray_is_opened_by_the_key_of_the_device_at_hand(window: Window, station: Station) -> None:  # noqa: F811
    window.show_state(Waiting(samples.visit(8), settled=True), ON)
    press(window, Qt.Key.Key_F4)
    assert station.events == [KeyPressed(Key.F4)]
    keys = [key.key for key in view(Waiting(samples.visit(8))).keys]
    assert "F4" in keys
    assert "F4" not in [key.key for key in view(Waiting(samples.visit(8)), around=replace(ON, chips=0)).keys]


def test_while_a_run_is_on_space_does_nothing(window: Window, station: Station) -> None:  # noqa: F811
    window.show_state(replace(PLANNED, armed=True, running=True, stage="data", number=2, of=8), ON)
    press(window, Qt.Key.Key_Space)
    assert station.events == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_plan_shows_from_where_there_is_no_way_back(language: str) -> None:
    shown = view(PLANNED, language)
    rows = body(shown).checks
    assert len(rows) == 7
    border = next(i for i, row in enumerate(rows) if row.chip.tone is Tone.WARN)
    assert rows[border].chip.text in ("不能撤销", "Cannot be undone")
    assert [bool(row.value) for row in rows[border + 1 :]] == [True, False]  # the locks are written, the proof is not
    assert shown.go.state is GoState.HOLD


@pytest.mark.parametrize("stage", list(Stage))
def test_each_stage_is_somewhere_in_the_rows(stage: Stage) -> None:
    running = replace(PLANNED, armed=True, running=True, stage=stage.value, number=3, of=8)
    rows = body(view(running)).checks
    assert sum(row.current for row in rows) == 1
    assert view(running).go.state is GoState.BUSY


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("why", [*Why])
def test_every_end_has_plain_words(why: Why, language: str) -> None:
    stands = {ChipStand.OFF, ChipStand.UNFINISHED, ChipStand.DESTROY, ChipStand.REFUSED, ChipStand.WAITING}
    for stand in stands:
        told = prompt(view(samples.chip_tray(stand, f"why.{why.value}", begun=True), language))
        assert told.title
        assert all(told.lines)


@pytest.mark.parametrize("verdict", [Verdict.DEACTIVATED, Verdict.ALREADY])
def test_off_is_said_of_a_proved_chip_only(verdict: Verdict) -> None:
    done = samples.chip_tray(ChipStand.OFF, "why.proved")
    assert done.ended is not None
    done = replace(done, ended=replace(done.ended, verdict=verdict.value))
    assert "已停用" in prompt(view(done)).title
    for stand in ChipStand:
        if stand is not ChipStand.OFF:
            assert "已停用" not in prompt(view(samples.chip_tray(stand, "why.chip-gone", begun=True))).title


def test_a_partial_run_says_not_off_yet_and_names_both_cards() -> None:
    torn = samples.chip_tray(ChipStand.UNFINISHED, "why.chip-gone", begun=True)
    torn = replace(torn, insist=torn.at)
    assert "还没有停用" in prompt(view(torn)).title
    assert "F2" in [key.key for key in view(torn).keys]


def test_esc_is_named_only_while_it_leads_out() -> None:
    """While a chip is written it does nothing, unless the reader is gone and the run with it."""
    running = replace(samples.chip_tray(), at=samples.CHIPS[0].card_id, running=True, stage="identify")
    assert "Esc" not in [key.key for key in view(running).keys]
    for free in (replace(running, running=False), replace(running, adrift=True), replace(running, reader="nfc.lost")):
        assert "Esc" in [key.key for key in view(free).keys]


def test_punching_waits_for_the_video() -> None:
    copy = samples.chip_tray(ChipStand.DESTROY, "why.writes-accepted")
    assert view(copy).go.state is GoState.READY
    assert view(replace(copy, back_to=Idle(samples.OPERATOR))).go.state is GoState.BLOCKED
    assert view(replace(copy, shots=(1,))).go.label != view(copy).go.label


def test_an_empty_tray_offers_no_digit() -> None:
    empty = view(ChipTray(samples.chip_tray().back_to, listed=True), "en")
    assert prompt(empty).lines == ("Only accepted cards come here.",)
    done = replace(samples.chip_tray(), cards=tuple(replace(c, stand=ChipStand.OFF) for c in samples.CHIPS))
    assert prompt(view(done, "en")).lines == ("Only accepted cards come here. A digit picks one.",)


def test_no_reader_no_hold() -> None:
    gone = replace(samples.chip_tray(), reader="nfc.timeout")
    assert view(gone).go.state is GoState.WAITING
    assert "NFC" in prompt(view(gone)).title or "读写器" in prompt(view(gone)).title


def test_help_names_the_cards_that_digits_take_in_hand(window: Window) -> None:  # noqa: F811
    window.show_state(samples.chip_tray(), ON)
    press(window, Qt.Key.Key_F1)
    words = window.work.help._words
    shown = [f"{slot.last4} {slot.word}" for slot in body(view(samples.chip_tray())).slots]
    assert [words[str(no)] for no in range(1, len(shown) + 1)] == shown
    assert str(len(shown) + 1) not in words
    window.show_state(samples.counting(), ON)
    press(window, Qt.Key.Key_F9)
    press(window, Qt.Key.Key_F1)
    assert window.work.help._words["1"] not in shown


@pytest.mark.parametrize(
    ("name", "does"),
    [
        ("workbench-1-waiting", None),
        ("next-card", "去清点"),
        ("workbench-2-reading", "是 8，继续"),
        ("three-ways", None),
        ("saving", None),
        ("chips-hold", "启用读写器 · 1 秒"),
    ],
)
def test_help_lights_space_only_where_it_does_something(window: Window, name: str, does: str | None) -> None:  # noqa: F811
    sample = next(s for s in samples.samples() if s.name == name)
    window.show_state(sample.state, sample.around)
    press(window, Qt.Key.Key_F1)
    assert window.work.help._words.get("Space") == does
