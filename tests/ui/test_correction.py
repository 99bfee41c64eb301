"""The correction as a clerk meets it: a real session behind the window, keys only."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.core.cards import LINE, Candidate, CardState, CharReading, Crop, FieldReading, FieldState, Whole
from app.core.effects import Effect, RecordFact, SaveCard
from app.core.events import CardWasRead, Event
from app.core.readiness import RecMode
from app.core.rules import Rules
from app.core.session import step
from app.core.states import Asking, State, Waiting
from app.paths import RESOURCES
from tests.ui.test_window import press
from ui import samples
from ui.bridge import Bridge
from ui.sample_pictures import crop
from ui.window import Window, WindowSettings
from ui.work_views import CardBody, CardPrompt

ON = samples.around(RecMode.ON)
RULES = Rules(samples.catalogue())


@dataclass
class Desk:
    """A session whose only clerk is the window's keyboard."""

    state: State = field(default_factory=lambda: Waiting(replace(samples.visit(), first_us=0)))
    effects: list[Effect] = field(default_factory=list)

    def post(self, event: Event) -> None:
        outcome = step(self.state, event, RULES)
        assert outcome.expected
        self.state = outcome.state
        self.effects += outcome.effects


def doubtful_pin() -> FieldReading:
    """48217730 with its second and sixth character in doubt."""
    chars = [CharReading((Candidate(g, 0.99),), sure=True) for g in "48217730"]
    chars[1] = CharReading((Candidate("8", 0.6), Candidate("3", 0.3), Candidate("6", 0.1)), sure=False)
    chars[5] = CharReading((Candidate("1", 0.5), Candidate("7", 0.4)), sure=False)
    return FieldReading(FieldState.DOUBTFUL, tuple(chars))


@pytest.fixture
def desk() -> Desk:
    made = Desk()
    whole = samples.read(number=samples.doubtful_number(("8", 0.62), ("3", 0.36)), pin=doubtful_pin(), crop=crop())
    made.post(CardWasRead(replace(whole, first_us=1, best_us=2)))
    return made


@pytest.fixture(params=["zh", "en"])
def window(qtbot: QtBot, desk: Desk, request: pytest.FixtureRequest) -> Window:
    made = Window(Bridge(desk.post), samples.catalogue(), RESOURCES, WindowSettings(volume=0.0, language=request.param))
    qtbot.addWidget(made)
    made.resize(1440, 900)
    made.show()
    qtbot.waitExposed(made)
    made.show_state(desk.state, ON)
    return made


def keys(window: Window, desk: Desk, *pressed: Qt.Key) -> CardPrompt:
    """Press keys, each followed by what the session made of it; gives what the screen says now."""
    for key in pressed:
        press(window, key)
        window.show_state(desk.state, ON)
    view = window.view
    assert view is not None
    assert isinstance(view.body, CardBody)
    assert isinstance(view.body.now, CardPrompt)
    return view.body.now


def typed(window: Window, desk: Desk, text: str) -> None:
    press(window, Qt.Key.Key_F6)
    window.work.typing.field.setText(text)
    press(window, Qt.Key.Key_Return)
    window.show_state(desk.state, ON)


def test_the_check_digit_settled_the_number_and_the_pin_is_asked_about(window: Window, desk: Desk) -> None:
    prompt = keys(window, desk)
    assert isinstance(desk.state, Asking)
    assert desk.state.question.field == "pin"
    assert [a.glyph for a in prompt.alternatives] == ["8", "3", "6"]
    assert not any(a.picked for a in prompt.alternatives)
    assert [cell.current for cell in prompt.cells].index(True) == 1


def test_a_card_is_corrected_with_the_arrows_alone(window: Window, desk: Desk) -> None:
    prompt = keys(window, desk, Qt.Key.Key_Down, Qt.Key.Key_Down)
    assert [a.picked for a in prompt.alternatives] == [False, True, False]
    prompt = keys(window, desk, Qt.Key.Key_Space)
    assert [cell.current for cell in prompt.cells].index(True) == 5
    prompt = keys(window, desk, Qt.Key.Key_Left)
    assert [a.picked for a in prompt.alternatives] == [False, True, False], "the answer can be seen and changed"
    assert prompt.cells[1].current
    keys(window, desk, Qt.Key.Key_Right, Qt.Key.Key_Backspace)
    assert isinstance(desk.state, Asking)
    assert desk.state.question.position == 1
    assert desk.state.decided == ()


def test_one_typed_character_goes_in_its_place(window: Window, desk: Desk) -> None:
    typed(window, desk, "9")
    assert isinstance(desk.state, Asking)
    assert desk.state.question.position == 5
    assert desk.state.read.pin.by_hand
    press(window, Qt.Key.Key_1)
    press(window, Qt.Key.Key_Space)
    (saved,) = [e for e in desk.effects if isinstance(e, SaveCard)]
    assert [r.value for r in saved.draft.reasons] == ["pin-by-hand", "pin-confirmed"]


def test_what_the_template_refuses_can_be_kept_as_printed(window: Window, desk: Desk) -> None:
    typed(window, desk, "48A17730")
    view = window.view
    assert view is not None
    assert [k.key for k in view.keys][-1] == "9"
    press(window, Qt.Key.Key_9)
    (saved,) = [e for e in desk.effects if isinstance(e, SaveCard)]
    (fact,) = [e for e in desk.effects if isinstance(e, RecordFact)]
    assert saved.draft.verdict is CardState.REVIEW
    assert dict(fact.body)["shape"] == "99A99999"


def test_the_board_of_keys_shows_the_arrows_while_a_character_is_asked_about(window: Window) -> None:
    press(window, Qt.Key.Key_F1)
    words = window.work.help._words
    assert all(words[cap] for cap in ("←", "→", "↑", "↓", "⌫"))


def open_pin() -> FieldReading:
    """48217730, or 4821730, all of it in doubt until somebody says which."""
    wholes = tuple(
        Whole(tuple(CharReading((Candidate(g, 0.99),), sure=True) for g in text), p)
        for text, p in (("48217730", 0.6), ("4821730", 0.4))
    )
    chars = tuple(replace(char, sure=False) for char in wholes[0].chars)
    return FieldReading(FieldState.DOUBTFUL, chars, wholes=wholes)


@pytest.fixture
def length_desk(desk: Desk) -> Desk:
    """The same card, of a product that nobody knows."""
    desk.state = Waiting(replace(samples.visit(), first_us=0))
    desk.effects.clear()
    card = samples.read(number=samples.doubtful_number(("8", 0.62)).resolve(samples.DOUBT_AT, "8"), pin=open_pin())
    card = replace(card, product_id=None, gtin=None, first_us=1, best_us=2, crops=(Crop("pin", LINE, crop()),))
    desk.post(CardWasRead(card))
    return desk


def test_a_length_is_picked_by_one_key_before_any_character(length_desk: Desk, window: Window) -> None:
    prompt = keys(window, length_desk)
    assert [(row.length[0], row.picked, row.open) for row in prompt.wholes] == [("8", False, True), ("7", False, True)]
    assert prompt.alternatives == ()
    assert [row.text for row in prompt.wholes] == ["4821 7730", "4821 730"]
    assert [row.covered for row in prompt.wholes] == ["•••• •7••", "•••• •••"], "only where they differ"
    assert "4821" not in repr(prompt)
    prompt = keys(window, length_desk, Qt.Key.Key_2)
    assert [row.picked for row in prompt.wholes] == [False, True]
    assert window.view is not None
    assert "7" in window.view.go.label
    press(window, Qt.Key.Key_Space)
    (saved,) = [e for e in length_desk.effects if isinstance(e, SaveCard)]
    assert saved.draft.pin is not None
    assert saved.draft.pin.reveal() == "4821730"
    assert "pin-length" in [r.value for r in saved.draft.reasons]


def test_one_whole_reading_is_asked_without_percent_and_wants_its_key(length_desk: Desk, window: Window) -> None:
    state = length_desk.state
    assert isinstance(state, Asking)
    alone = replace(state, question=replace(state.question, wholes=state.question.wholes[:1]))
    length_desk.state = alone
    window.show_state(alone, ON)
    prompt = keys(window, length_desk)
    assert [(row.percent, row.covered) for row in prompt.wholes] == [("", "•••• ••••")]
    assert prompt.prompt in ("卡密一共 8 位？", "PIN: 8 characters in all?")
    assert window.view is not None
    assert window.view.go.label in ("先选 1", "Choose 1 first")


def test_a_pin_of_open_length_is_covered_until_f8_and_a_click_picks_it(length_desk: Desk, window: Window) -> None:
    keys(window, length_desk)
    panel = window.work.cards.prompt
    assert panel.has_secret
    covered = panel.grab().toImage()
    panel.reveal(True)
    assert panel.grab().toImage() != covered
    panel.reveal(False)
    assert panel.grab().toImage() == covered
    panel.chosen.emit(2)
    assert isinstance(length_desk.state, Asking)
    assert length_desk.state.choice == 1
    assert set(panel.marks) >= {"alternative1", "alternative2", "crop"}


def test_the_board_of_keys_shows_how_a_length_is_picked(length_desk: Desk, window: Window) -> None:
    press(window, Qt.Key.Key_F1)
    words = window.work.help._words
    assert all(words[cap] for cap in ("1", "2", "↑", "↓", "⌫"))
    assert not words.get("←")
