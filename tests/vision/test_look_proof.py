"""What proves that a value is the PIN where nothing is labelled and the card prints no number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from app.core.cards import PanelState
from app.vision.ends.beyond import Beyond
from app.vision.fields.places import choose
from app.vision.fields.sorting import Line, sort_lines
from app.vision.panel.finder import Panel, fills
from app.vision.panel.opening import EVERYWHERE, Opening
from app.vision.picture.area import Area
from app.vision.text.recognise import LineText, TextSign
from app.vision.text.textlines import LineBox

PANEL = Area(250.0, 300.0, 700.0, 120.0)


def opened(panel: Area, text: Area | None, pitch: float, groups: Sequence[int]) -> Opening:
    """Nothing of the panel is covered."""
    return Opening(PanelState.OPEN)


def line(text: str) -> Line:
    """A line of print in the middle of the panel."""
    signs = tuple(TextSign(c, i / len(text), (i + 1) / len(text), 0.99) for i, c in enumerate(text))
    return Line(LineBox(300, 320, 600, 80, 0.0, 0.9), LineText(signs, np.zeros((1, 39), np.float32)))


@pytest.mark.parametrize(
    ("text", "support", "proved"),
    [
        ("S5CW DJ", 0.95, True),  # letters in a clear panel: no number of an unknown product has any
        ("S5CW DJ", 0.7, False),  # perhaps no panel at all
        ("9689210999", 0.95, False),  # digits only may be the number
    ],
)
def test_letters_alone_in_a_clear_panel_are_the_pin(text: str, support: float, proved: bool) -> None:
    places = choose(sort_lines([line(text)], ()), [Panel(PANEL, support)], None, opened)
    assert places.number is None
    assert places.pin_proved is proved


@pytest.mark.parametrize(("below", "proved"), [("0865609338854355927", True), ("6974874085682", False)])
def test_digits_in_a_clear_panel_are_the_pin_where_the_number_stands_below_its_bars(below: str, proved: bool) -> None:
    """Nothing is labelled. A GTIN below bars says nothing of where the number is."""
    bars = Area(300.0, 800.0, 600.0, 100.0)
    digits = placed(below, LineBox(320, 910, 560, 60, 0.0, 0.9))
    places = choose(sort_lines([line("209508816340"), digits], [bars]), [Panel(PANEL, 0.95)], None, opened)
    assert places.pin_proved is proved


@pytest.mark.parametrize(
    ("text", "beside", "bare", "proved"),
    [
        ("4510 0348 05", Beyond.CLOSED, EVERYWHERE, True),  # no number lies below a scratch layer
        ("4510 0348 05", Beyond.UNTOLD, EVERYWHERE, False),
        ("4510 0348 05", Beyond.UNTOLD, (280.0, np.inf), True),  # too short for a number, layer seen before it
        ("4510 0348 0512 33", Beyond.CLOSED, EVERYWHERE, False),  # as long as a number is
        ("4510 0348 0512 33", Beyond.CLOSED, (280.0, np.inf), False),
        ("4510 0348 0512 33", Beyond.CLOSED, (280.0, 920.0), True),  # but layer on both sides
    ],
)
def test_digits_with_layer_right_beside_them_are_the_pin(
    text: str, beside: Beyond, bare: tuple[float, float], proved: bool
) -> None:
    def judge(panel: Area, text: Area | None, pitch: float, groups: Sequence[int]) -> Opening:
        return Opening(PanelState.OPEN, ends=(Beyond.UNTOLD, beside), bare=bare)

    assert choose(sort_lines([line(text)], ()), [Panel(PANEL, 0.95)], None, judge).pin_proved is proved


@pytest.mark.parametrize(
    ("text", "bare", "first", "last"),
    [
        ("NARE-J2 CR", (280.0, 760.0), 300, 780),
        ("CH NARE-J2", (460.0, 960.0), 440, 900),
        ("NARE-J2XCR", (-np.inf, np.inf), 300, 900),
    ],
)
def test_words_on_the_layer_are_no_part_of_the_pin(
    text: str, bare: tuple[float, float], first: float, last: float
) -> None:
    judged: list[Area | None] = []

    def judge(panel: Area, text: Area | None, pitch: float, groups: Sequence[int]) -> Opening:
        judged.append(text)
        return Opening(PanelState.OPEN, bare=bare)

    places = choose(sort_lines([line(text)], ()), [Panel(PANEL, 0.95)], None, judge)
    assert places.pin is not None
    assert first - 60 <= places.pin.x <= first + 60
    assert last - 60 <= places.pin.right <= last + 60
    assert judged[-1] is not None
    assert places.pin.x <= judged[-1].x <= judged[-1].right <= places.pin.right


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("NARE J2CR", (4, 4)),
        ("-NARE-J2CR-51", (4, 4, 2)),
        ("PIN:NAREJ2CR", (8,)),
        ("4510034805", (10,)),
    ],
)
def test_who_judges_a_panel_is_told_the_groups_of_its_print(text: str, groups: tuple[int, ...]) -> None:
    """Bare paper behind a full group may be the space before the next one."""
    told: list[Sequence[int]] = []

    def judge(panel: Area, text: Area | None, pitch: float, groups: Sequence[int]) -> Opening:
        told.append(groups)
        return Opening(PanelState.OPEN)

    choose(sort_lines([line(text)], ()), [Panel(PANEL, 0.95)], None, judge)
    assert told[-1] == groups


def test_a_gap_parts_print_where_no_space_was_read() -> None:
    signs = line("NARE J2CR").read.signs
    unsaid = LineText(tuple(sign for sign in signs if sign.text != " "), np.zeros((1, 39), np.float32))
    (value,) = sort_lines([Line(line("").box, unsaid)], ()).values
    assert value.groups == (4, 4)


def placed(text: str, box: LineBox) -> Line:
    return Line(box, line(text).read)


@pytest.mark.parametrize(
    ("said", "proved"), [("卡# 2268-6311-3057-5138-89", False), ("卡号 2268-6311-3057-5138-89", True)]
)
def test_a_value_in_a_panel_is_no_number_because_of_the_label_above_it(said: str, proved: bool) -> None:
    """Glare had taken the number, and of the PIN's label nobody could read the second sign."""
    above = placed("卡号", LineBox(99, 354, 109, 72, 0.0, 0.9))
    value = placed(said, LineBox(95, 471, 1133, 92, 0.0, 0.9))
    panel = Panel(Area(215.0, 454.0, 1054.0, 130.0), 0.96)
    places = choose(sort_lines([above, value], ()), [panel], None, opened)
    assert places.number is not None
    assert places.number_proved is proved


def test_a_label_beside_a_panel_is_not_that_of_the_number_below() -> None:
    """Nothing could be read in the panel, and the number's own label was lost."""
    label = placed("PIN:", LineBox(104, 389, 107, 68, 0.0, 0.9))
    value = placed("1475 7668 3649 8033 36", LineBox(218, 503, 718, 85, 0.0, 0.9))
    places = choose(sort_lines([label, value], ()), [Panel(Area(242.0, 356.0, 437.0, 134.0), 0.87)], None, opened)
    assert places.number is not None
    assert places.number_proved
    assert places.pin is None


def test_a_label_with_the_open_beginning_of_its_pin_is_not_that_of_the_number_below() -> None:
    """密码：SL, the rest covered; the number right below was taken for the PIN."""
    label = placed("密码：SL", LineBox(90, 227, 306, 110, 0.0, 0.9))
    value = placed("8857 0615 8032 063", LineBox(225, 371, 954, 88, 0.0, 0.9))
    panel = Panel(Area(227.0, 219.0, 480.0, 131.0), 0.9)
    places = choose(sort_lines([label, value], ()), [panel], None, opened)
    assert places.pin is None
    assert places.number is not None
    assert places.number_proved


@pytest.mark.parametrize(
    ("state", "other", "proved"),
    [
        (PanelState.COVERED, "NOVA PLAZA", True),
        (PanelState.PARTIAL, "NOVA PLAZA", True),
        (PanelState.OPEN, "NOVA PLAZA", False),  # nothing was read in it: perhaps it is no panel
        (PanelState.COVERED, "2028 8899 4", False),  # which of the two?
    ],
)
def test_what_alone_holds_digits_beside_a_covered_panel_is_the_number(
    state: PanelState, other: str, proved: bool
) -> None:
    """Of an unknown product, without a label."""
    value = placed("7834 1218 8547 8302", LineBox(220, 500, 690, 71, 0.0, 0.9))
    beside = placed(other, LineBox(70, 50, 560, 86, 0.0, 0.9))

    def judge(panel: Area, text: Area | None, pitch: float, groups: Sequence[int]) -> Opening:
        return Opening(state)

    places = choose(sort_lines([value, beside], ()), [Panel(PANEL, 0.93)], None, judge)
    assert places.number is not None
    assert places.number_proved is proved


def test_a_line_that_runs_through_a_panel_seen_in_part_is_its_text() -> None:
    """The piece of the line within that part was read as a PIN of six of its twelve characters once."""
    part = Area(225.0, 230.0, 284.0, 104.0)
    assert fills(Area(253.0, 245.0, 554.0, 75.0), part)
    assert fills(Area(240.0, 250.0, 200.0, 60.0), part)
    assert not fills(Area(420.0, 245.0, 554.0, 75.0), part)
    assert not fills(Area(253.0, 345.0, 554.0, 75.0), part)
