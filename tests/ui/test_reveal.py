"""The screen for seeing secrets, by keys, before a real centre and a real vault; and what it never lets out."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from app.core.cards import Secret
from app.core.errors import Unavailable
from app.core.reveals import Overview, Stage, Why
from app.core.states import Idle, Locked, SignedOut
from tests.station.reveal_house import CLERK, FIRST, PASSPHRASE, PIN, SECOND, RevealHouse
from tests.ui.reveal_chair import OFF, Chair
from ui import samples, samples_reveal
from ui.present_reveal import reveals
from ui.scene import Scene
from ui.shots import reveal_screen
from ui.views import GoState
from ui.widgets.overlays import REVEAL_BOARD


@pytest.fixture
def house(tmp_path: Path) -> Iterator[RevealHouse]:
    made = RevealHouse(tmp_path)
    yield made
    made.close()


@pytest.fixture
def chair(qtbot: QtBot, house: RevealHouse) -> Iterator[Chair]:
    made = Chair(qtbot, house)
    yield made
    made.close()


@pytest.fixture(scope="module")
def lasting_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RevealHouse]:
    """One for all the ways in which a secret goes; they are fewer than a day's quota."""
    made = RevealHouse(tmp_path_factory.mktemp("house"))
    made.open_vault()
    yield made
    made.close()


def test_a_supervisor_sees_a_pin_while_the_key_is_down(chair: Chair, house: RevealHouse) -> None:
    secret = chair.see()
    assert chair.seeing.length == len(PIN)
    assert house.house.acts() == ["asked", "granted", "shown", "taken"]
    covered = chair.on_screen()
    handle = chair.window.windowHandle()
    assert handle is not None
    QTest.keyPress(handle, Qt.Key.Key_F8)
    assert chair.screen.panel.uncovered
    assert chair.on_screen() != covered
    QTest.keyRelease(handle, Qt.Key.Key_F8)
    assert not chair.screen.panel.uncovered
    assert chair.on_screen() == covered
    assert secret == Secret(PIN)
    view = chair.screen.panel.view.cover
    assert view is not None
    assert view.left.split()[1] == str(chair.seeing.left_s)
    chair.until(lambda: chair.seeing.left_s < 20)


def test_a_press_on_the_cover_shows_it_too_and_a_click_on_the_key_does_not(chair: Chair) -> None:
    chair.see()
    QTest.qWait(30)
    panel = chair.screen.panel
    at = panel.marks["cover"].center().toPoint()
    QTest.mousePress(panel, Qt.MouseButton.LeftButton, pos=at)
    assert panel.uncovered
    QTest.mouseRelease(panel, Qt.MouseButton.LeftButton, pos=at)
    assert not panel.uncovered
    chair.screen.keys.pressed.emit("F8")
    assert not panel.uncovered, "a click has no end"


def test_pictures_clipboard_and_screen_readers_get_dots(chair: Chair, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    clipboard = QGuiApplication.clipboard()
    clipboard.setText("before")
    chair.see()
    covered, in_a_picture = chair.on_screen(), chair.in_a_picture()
    chair.key("F8")
    assert chair.screen.panel.uncovered
    assert chair.on_screen() != covered
    assert chair.in_a_picture() == in_a_picture, "a picture of the window has dots"
    handle = chair.window.windowHandle()
    for stroke in (Qt.Key.Key_A, Qt.Key.Key_C, Qt.Key.Key_X):
        QTest.keyClick(handle, stroke, Qt.KeyboardModifier.ControlModifier)
    assert clipboard.text() == "before"
    told = [
        text
        for widget in (chair.window, *chair.window.findChildren(QWidget))
        for text in (widget.accessibleName(), widget.accessibleDescription(), widget.toolTip(), widget.windowTitle())
    ]
    told += [field.text() for field in chair.window.findChildren(QLineEdit)]
    told += [repr(chair.seeing), repr(chair.screen.view), caplog.text]
    assert not [text for text in told if PIN in text.replace(" ", "")]
    assert not [text for text in told if PASSPHRASE in text]


def _wait_out(chair: Chair) -> None:
    chair.reveals._until_s -= 60


def _lose_focus(chair: Chair) -> None:
    QApplication.sendEvent(chair.window, QEvent(QEvent.Type.WindowDeactivate))


CAUSES: dict[str, Callable[[Chair], object]] = {
    "time": _wait_out,
    "focus": _lose_focus,
    "hidden": lambda chair: chair.window.hide(),
    "esc": lambda chair: chair.key("Esc"),
    "lock": lambda chair: chair.show(Locked(chair.who, Idle(chair.who))),
    "sign-out": lambda chair: chair.show(SignedOut()),
    "home": lambda chair: chair.key("Ctrl 2"),
    "theme": lambda chair: chair.key("Ctrl D"),
    "size": lambda chair: chair.window.resize(1366, 768),
    "rights": lambda chair: chair.show(Idle(replace(chair.who, role=CLERK.role))),
    "closed": lambda chair: chair.window.close(),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_it_is_gone_when_somebody_else_might_look(qtbot: QtBot, lasting_house: RevealHouse, cause: str) -> None:
    chair = Chair(qtbot, lasting_house)
    secret = chair.see()
    chair.key("F8")
    assert chair.screen.panel.uncovered
    CAUSES[cause](chair)
    chair.until(lambda: chair.reveals._secret is None)
    assert not chair.screen.panel.uncovered
    assert secret.reveal() == "", "whoever holds it still holds nothing"
    chair.key("F8")
    assert not chair.screen.panel.uncovered
    if chair.reveals.seeing is not None:
        assert chair.seeing.length == 0
        assert chair.seeing.hidden in ("time", "focus", "esc", "screen")
    chair.close()


def test_another_language_does_not_take_it_away(chair: Chair) -> None:
    chair.see()
    chair.key("Ctrl L")
    assert chair.seeing.length == len(PIN)
    assert "Hold F8" in chair.screen.panel.view.prompt


def test_nothing_of_it_is_left_in_the_windows_objects(chair: Chair) -> None:
    chair.see()
    chair.key("F8", "Esc", "Esc")
    assert not chair.reveals.open
    gc.collect()
    held = [one for one in gc.get_objects() if type(one) is str and one == PIN]
    assert held == [] or all(one is PIN for one in held)
    kept = [one for one in gc.get_objects() if isinstance(one, Secret) and one.reveal() == PIN]
    assert kept == []


def test_a_clerk_never_gets_there(qtbot: QtBot, house: RevealHouse) -> None:
    chair = Chair(qtbot, house, CLERK)
    chair.key("Ctrl 4", "F8")
    chair.window._open_reveals()
    assert not chair.reveals.open
    assert chair.window.pages.currentWidget() is chair.window.work
    chair.close()


def test_who_becomes_a_clerk_is_out_at_once(chair: Chair) -> None:
    chair.enter()
    chair.show(Idle(replace(FIRST, role=CLERK.role)))
    assert not chair.reveals.open
    assert chair.window.pages.currentWidget() is chair.window.work


def test_a_reason_is_chosen_and_own_words_are_written_where_they_are_needed(chair: Chair) -> None:
    chair.enter()
    go = chair.screen.keys.go
    chair.key("Enter")
    assert not chair.screen.typing.isVisible(), "without a reason nothing is asked"
    chair.key("6")
    assert chair.seeing.why is Why.OTHER
    assert go.view.state is GoState.BLOCKED
    chair.key("F6")
    chair.screen.side.reason.setText("柜台复核 88")
    assert go.view.state is GoState.READY
    chair.house.open_vault()
    chair.key("Enter")
    chair.give(PASSPHRASE)
    chair.until(lambda: chair.seeing.length > 0)
    assert chair.screen.side.reason.text() == ""
    chair.until(lambda: chair.seeing.overview is not None and len(chair.seeing.overview.asked) == 1)
    assert chair.seeing.overview is not None
    assert chair.seeing.overview.asked[0].reason == "other: 柜台复核 88"
    assert chair.seeing.overview.left == 19


def test_digits_choose_the_reason_and_no_field_takes_them(chair: Chair) -> None:
    handle = chair.window.windowHandle()
    assert handle is not None
    chair.key("Ctrl 4")
    review = chair.window.review
    assert review is not None
    chair.until(lambda: review.looking is not None and review.looking.line is not None)
    chair.key("F6")
    chair.until(chair.window.reviewing.side.reason.hasFocus)
    chair.key("F8")
    QTest.keyClick(handle, Qt.Key.Key_2)
    chair.until(lambda: chair.seeing.why is Why.DISPUTE)
    chair.key("Ctrl D")
    QTest.keyClick(handle, Qt.Key.Key_5)
    chair.until(lambda: chair.seeing.why is Why.AUDIT)
    assert chair.screen.side.reason.text() == ""


def test_esc_at_the_passphrase_asks_for_nothing(chair: Chair, house: RevealHouse) -> None:
    chair.enter()
    chair.key("1", "Enter")
    chair.screen.typing.field.setText(PASSPHRASE)
    chair.key("Esc")
    assert not chair.seeing.running
    assert chair.screen.typing.field.text() == ""
    assert house.house.acts() == []


def test_a_wrong_passphrase_is_told_and_may_be_typed_again(chair: Chair, house: RevealHouse) -> None:
    chair.enter()
    chair.ask("guessed")
    chair.until(lambda: chair.seeing.trouble == "reveal.passphrase")
    assert chair.screen.panel.view.prompt == "钥匙口令不对"
    assert house.house.acts() == []
    house.open_vault()
    chair.key("Enter")
    chair.give(PASSPHRASE)
    chair.until(lambda: chair.seeing.length > 0)


def test_esc_while_it_waits_takes_the_request_back(chair: Chair, house: RevealHouse) -> None:
    chair.enter()
    chair.ask()
    chair.until(lambda: chair.seeing.stage is Stage.SENT)
    assert chair.screen.panel.view.prompt == "已送出，等保险库答复"
    chair.key("↓", "2")
    assert chair.seeing.why is Why.COMPLAINT, "while it waits nothing else is chosen"
    chair.key("Esc")
    assert not chair.seeing.running
    chair.until(lambda: house.house.acts() == ["asked", "refused"])
    assert chair.reveals.open
    house.open_vault()
    QTest.qWait(300)
    assert chair.seeing.length == 0


def test_leaving_while_it_waits_takes_the_request_back(chair: Chair, house: RevealHouse) -> None:
    chair.enter()
    chair.ask()
    chair.until(lambda: chair.seeing.stage is Stage.SENT)
    chair.show(Locked(FIRST, Idle(FIRST)))
    assert not chair.reveals.open
    chair.until(lambda: house.house.acts() == ["asked", "refused"])


def test_an_answer_that_comes_too_late_is_let_go(chair: Chair) -> None:
    chair.enter()
    late = Secret(PIN)
    chair.reveals._news_came(chair.reveals._turn, late)
    assert (late.reveal(), chair.seeing.length) == ("", 0)


def test_a_second_supervisor_agrees_at_another_screen(qtbot: QtBot, chair: Chair, house: RevealHouse) -> None:
    house.use_up()
    house.open_vault()
    chair.enter()
    chair.ask()
    chair.until(lambda: chair.seeing.stage is Stage.SECOND)
    assert "第二位主管" in chair.screen.panel.view.prompt
    other = Chair(qtbot, house, SECOND)
    other.enter()
    other.key("↓")
    other.until(lambda: other.seeing.request is not None)
    assert other.seeing.may_sign
    assert other.screen.side.view.headline == "卖家说兑不了"
    other.key("Enter")
    assert not other.screen.typing.isVisible(), "nothing is armed"
    other.key("A", "Enter")
    other.give("guessed")
    other.until(lambda: other.seeing.trouble == "reveal.passphrase")
    other.key("Enter")
    other.give(PASSPHRASE)
    chair.window.activateWindow()
    other.until(lambda: other.seeing.done == "agree")
    chair.until(lambda: chair.seeing.length > 0)
    other.close()


def test_a_second_supervisor_refuses_and_the_first_is_told(qtbot: QtBot, chair: Chair, house: RevealHouse) -> None:
    house.use_up()
    house.open_vault()
    chair.enter()
    chair.ask()
    chair.until(lambda: chair.seeing.stage is Stage.SECOND)
    other = Chair(qtbot, house, SECOND)
    other.enter()
    other.key("↓", "R", "Enter")
    other.give(PASSPHRASE)
    other.until(lambda: other.seeing.done == "refuse")
    chair.until(lambda: chair.seeing.trouble == "reveal.second_refused")
    assert chair.screen.panel.view.prompt == "第二位主管拒绝了"
    assert "granted" not in house.house.acts()
    other.close()


def _of_others(chair: Chair) -> Overview:
    """Two requests of another person wait, and nothing else is heard of meanwhile."""
    chair.reveals._news.stop()
    chair.until(lambda: not chair.reveals._looking)
    one = samples_reveal.signing().request
    assert one is not None
    both = (replace(one, id="a" * 64, who=SECOND.id), replace(one, id="b" * 64, who=SECOND.id))
    assert chair.seeing.overview is not None
    return replace(chair.seeing.overview, asked=both)


def test_a_request_that_vanished_hands_its_signature_to_no_other(chair: Chair) -> None:
    chair.enter()
    both = _of_others(chair)
    chair.reveals.seeing = replace(chair.seeing, card=None)
    chair.reveals._overview_came(both)
    chair.key("A", "Enter")
    assert chair.screen.typing.isVisible()
    chair.screen.typing.field.setText(PASSPHRASE)
    chair.reveals._overview_came(both)
    assert (chair.seeing.armed, chair.screen.typing.isVisible()) == ("A", True), "still the same one"
    chair.reveals._overview_came(replace(both, asked=both.asked[1:]))
    assert chair.seeing.request == both.asked[1]
    assert (chair.seeing.armed, chair.seeing.trouble) == ("", "reveal.state")
    assert (chair.screen.typing.isVisible(), chair.screen.typing.field.text()) == (False, "")
    chair.key("Enter")
    assert not chair.seeing.busy


def test_what_is_signed_is_what_the_passphrase_was_asked_for(chair: Chair) -> None:
    chair.enter()
    both = _of_others(chair)
    chair.reveals.seeing = replace(chair.seeing, card=None)
    chair.reveals._overview_came(both)
    chair.key("A", "Enter")
    chair.reveals.seeing = replace(chair.seeing, chosen=1)
    chair.give(PASSPHRASE)
    assert not chair.seeing.busy


def test_a_late_word_on_a_signature_is_told_to_who_gave_it(chair: Chair) -> None:
    chair.enter()
    both = _of_others(chair)
    chair.reveals._overview_came(both)
    chair.reveals._signed(SECOND, True, Unavailable("sync.offline"))
    chair.reveals._signed(SECOND, True, replace(both, asked=()))
    assert (chair.seeing.trouble, chair.seeing.done, chair.seeing.overview) == ("", "", both)
    chair.reveals.seeing = replace(chair.seeing, busy=True)
    chair.reveals._overview_came(Unavailable("sync.offline"))
    assert chair.seeing.busy, "the signature is under way still"
    chair.reveals._signed(FIRST, True, both)
    assert (chair.seeing.busy, chair.seeing.done) == (False, "agree")


def test_a_secret_that_comes_to_a_window_nobody_works_at_is_let_go(
    chair: Chair, house: RevealHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.open_vault()
    chair.enter()
    monkeypatch.setattr(chair.window, "isActiveWindow", lambda: False)
    chair.ask()
    chair.until(lambda: chair.seeing.hidden == "focus")
    assert chair.seeing.length == 0
    assert chair.reveals._secret is None


def test_nobody_signs_an_own_request(qtbot: QtBot, chair: Chair, house: RevealHouse) -> None:
    house.use_up()
    house.open_vault()
    chair.enter()
    chair.ask()
    chair.until(lambda: chair.seeing.stage is Stage.SECOND)
    same = Chair(qtbot, house, FIRST)
    same.enter()
    same.key("↓", "A", "Enter")
    assert same.seeing.request is not None
    assert same.seeing.request.waits
    assert same.seeing.armed == ""
    assert not same.screen.typing.isVisible()
    assert "自己的申请" in same.screen.panel.view.help
    same.close()


def test_without_a_line_the_screen_says_so(chair: Chair, house: RevealHouse) -> None:
    house.away = True
    chair.enter()
    assert chair.seeing.away == "sync.offline"
    assert chair.screen.panel.view.prompt == "连不上中心，现在看不了"
    chair.key("1", "Enter")
    assert not chair.screen.typing.isVisible()
    house.away = False
    chair.reveals._look_anew()
    chair.until(lambda: chair.seeing.away == "" and chair.seeing.overview is not None)
    house.away = True
    chair.key("Enter")
    chair.give(PASSPHRASE)
    chair.until(lambda: chair.seeing.trouble == "sync.offline")
    assert chair.screen.panel.view.prompt == "连不上中心，现在看不了"


def test_a_vault_that_is_killed_in_between_is_told_as_no_answer(qtbot: QtBot, tmp_path: Path) -> None:
    house = RevealHouse(tmp_path, longest_s=1.0)
    chair = Chair(qtbot, house)
    house.open_vault().kill()
    chair.enter()
    chair.ask()
    chair.until(lambda: chair.seeing.trouble == "vault.no_answer")
    assert chair.screen.panel.view.prompt == "保险库没有回答"
    assert not chair.seeing.running
    chair.close()
    house.close()


def test_the_card_of_the_review_is_the_one_and_esc_leads_back_to_it(chair: Chair, house: RevealHouse) -> None:
    chair.enter()
    assert chair.seeing.card is not None
    assert chair.seeing.card.card_id == house.card_id
    assert chair.window.pages.currentWidget() is chair.window.asking
    chair.key("Esc")
    assert chair.window.pages.currentWidget() is chair.window.reviewing
    chair.key("F8", "Ctrl 2")
    assert chair.window.pages.currentWidget() is chair.window.work


def test_help_names_the_keys(chair: Chair) -> None:
    chair.enter()
    chair.key("F1")
    words = chair.screen.help._words
    assert {"1", "6", "P", "N", "F6", "Esc"} <= set(words)
    board = {name for row in REVEAL_BOARD for group in row for name in group}
    assert set(words) - board == {"1–6"}, "every key is drawn"
    chair.key("F1")
    assert not chair.screen.help.isVisible()


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("size", [(1366, 768), (1440, 900)])
@pytest.mark.parametrize("name", samples_reveal.SAMPLES)
def test_every_word_fits(name: str, size: tuple[int, int], language: str) -> None:
    cut: list[str] = []
    screen = reveal_screen(samples_reveal.SAMPLES[name](), size, "light", language)
    screen.look.on_cut = lambda text, _widget: cut.append(text)
    screen.grab()
    screen.close()
    assert cut == []


def test_a_request_is_told_in_the_screens_language() -> None:
    seeing = samples_reveal.signing()
    scene = Scene(OFF, samples.catalogue(), "en")
    view = reveals(scene, seeing)
    assert view.side.headline.startswith("Sender says it fails: ")
    assert isinstance(seeing.overview, Overview)
    empty = replace(seeing, card=None, overview=replace(seeing.overview, asked=()), chosen=0)
    assert reveals(scene, empty).panel.prompt == "Nobody asked to see anything yet"


@pytest.mark.parametrize("away", ["", "sync.offline"])
def test_before_the_centre_has_told_nothing_is_said_of_the_log(away: str) -> None:
    """No "0", no "nobody", no "nothing to sign": nobody knows yet."""
    for card in (None, samples_reveal.asking().card):
        unknown = replace(samples_reveal.offline(), card=card, chosen=0, away=away)
        told = reveals(Scene(OFF, samples.catalogue(), "en"), unknown)
        assert told.list.tabs[0].text == "Reveals"
        said = (told.panel.prompt, told.go.label, told.list.empty)
        assert not {"Nobody asked to see anything yet", "Nothing to sign", "Nobody asked yet"} & set(said)


@pytest.mark.parametrize("stage", Stage)
def test_the_waiting_slot_names_what_is_waited_for_and_not_the_key_that_takes_it_back(stage: Stage) -> None:
    view = reveals(Scene(OFF, samples.catalogue(), "zh"), replace(samples_reveal.asking(), stage=stage))
    assert view.go.state is GoState.WAITING
    assert view.go.cap in ("钥匙", "保险库", "主管")
    assert ("Esc", "撤回申请") in [(key.key, key.label) for key in view.keys]
