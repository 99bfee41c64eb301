"""Each screen beside its mock-up at 1440x900: every panel within 8 pixels of where the design draws it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QPoint, QRectF
from PySide6.QtWidgets import QApplication, QTableView, QWidget

from app.core.products import Catalogue
from app.core.readiness import RecMode
from app.core.states import Asking, Counting, Notice, Waiting
from app.paths import RESOURCES
from ui import samples, samples_review
from ui.sample_pictures import crop
from ui.shots import quiet_window, review_screen, shoot
from ui.texts import notice
from ui.theme import REGULAR, Themes
from ui.widgets.count import DecisionPanel
from ui.widgets.ink import Ink, Painted
from ui.widgets.prompt import PromptPanel
from ui.widgets.tray import Tray
from ui.window import MINIMUM, Window


@pytest.fixture(autouse=True)
def _no_window_is_left() -> Iterator[None]:
    """One that lives on is dressed anew with each later one, and an open one keeps the application running."""
    yield
    for widget in QApplication.topLevelWidgets():
        widget.close()
        widget.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


TOLERANCE = 8
Rect = tuple[float, float, float, float]

FRAME: dict[str, Rect] = {
    "rail": (0, 0, 76, 900),
    "rail:package-open": (5.5, 126, 64, 62),
    "rail:graduation-cap": (5.5, 830, 64, 62),
    "top": (76, 0, 1364, 56),
    "rec": (88, 7.5, 246, 40),
    "top:title": (350, 0, 72, 55),
    "top:clock": (1337.6, 0, 86, 55),
    "parcel": (76, 56, 1364, 56),
    "parcel:step1": (901.9, 70.5, 98, 26),
    "parcel:step3": (1114, 70.5, 114, 26),
    "parcel:step5": (1342, 70.5, 82, 26),
    "keys": (76, 816, 1364, 84),
    "keys.go": (1044, 826.5, 380, 64),
}
"""Measured in the mock-ups (x, y, width, height): the frame that all workbench screens share."""

WAITING: dict[str, Rect] = {
    **FRAME,
    "key:F1": (92, 830.5, 133, 56),
    "stage": (92, 128, 816, 672),
    "wait.prompt": (924, 128, 500, 298),
    "wait.prompt:tip": (943, 353, 462, 56),
    "wait.checks": (924, 438, 500, 246),
    "wait.last": (924, 696, 500, 104),
}
READING: dict[str, Rect] = {
    **FRAME,
    "key:F2": (233, 830.5, 101, 56),
    "key:F5": (342.1, 830.5, 101, 56),
    "key:F6": (451.1, 830.5, 117, 56),
    "key:F7": (576.1, 830.5, 117, 56),
    "key:F9": (701.2, 830.5, 117, 56),
    "stage": (92, 128, 816, 568),
    "stage:picture": (96, 204.8, 808, 454.5),
    "cards.tray": (92, 708, 816, 92),
    "cards.tray:slot1": (103, 719, 92.3, 70),
    "cards.tray:slot5": (504, 719, 92.3, 70),
    "cards.tray:slot8": (804.8, 719, 92.3, 70),
    "cards.prompt": (924, 128, 500, 378),
    "cards.prompt:chip": (943, 145, 156.9, 30),
    "cards.prompt:prompt": (943, 189, 462, 35),
    "cards.prompt:strip": (943, 236, 462, 48),
    "cards.prompt:crop": (943, 298, 150, 112),
    "cards.prompt:alternative1": (1105, 298, 300, 52),
    "cards.prompt:alternative2": (1105, 358, 300, 52),
    "cards.prompt:secret": (943, 437, 462, 52),
    "cards.checks": (924, 518, 500, 282),
}
SUMMARY: dict[str, Rect] = {
    **FRAME,
    "key:F2": (233, 830.5, 133, 56),
    "key:F3": (374.1, 830.5, 117, 56),
    "key:F9": (499.1, 830.5, 149, 56),
    "count.figures": (92, 128, 816, 107.6),
    "count.table": (92, 247.6, 816, 552.4),
    "count.table.head": (93, 248.6, 814, 44),
    "count.table.table": (93, 292.6, 814, 451),
    "count.table.foot": (93, 743, 814, 56),
    "stage": (924, 128, 500, 300),
    "count.decision": (924, 440, 500, 360),
    "count.decision:question": (943, 455, 462, 32.5),
    "count.decision:option1": (943, 573.5, 462, 63.6),
    "count.decision:option2": (943, 645.1, 462, 61.6),
    "count.decision:option3": (943, 714.7, 462, 61.6),
}
LOST: dict[str, Rect] = {
    **FRAME,
    "key:F4": (233, 830.5, 149, 56),
    "key:F7": (390.1, 830.5, 165, 56),
    "lost.take_over": (92, 128, 816, 568),
    "lost.take_over:title": (206, 198, 664, 45.6),
    "lost.take_over:do": (130, 322, 363.8, 344),
    "lost.take_over:kept": (566.8, 322, 303.2, 344),
    "lost.tray": (92, 708, 816, 92),
    "lost.time": (924, 128, 500, 454),
    "lost.time:timer": (943, 185, 462, 82.8),
    "lost.time:bar": (943, 309, 462, 12),
    "lost.checks": (924, 594, 500, 206),
}
REJECT: dict[str, Rect] = {
    "banner": (76, 56, 1364, 36),
    "parcel": (76, 92, 1364, 56),
    "stage": (92, 156, 816, 548),
    "cards.tray": (92, 716, 816, 92),
    "reject:card": (398, 258.8, 720, 474.4),
    "reject:option1": (425, 358, 329, 50),
    "reject:option4": (762, 416, 329, 50),
    "reject:option5": (425, 474, 329, 50),
    "reject.go": (731, 656.2, 360, 60),
}
SIGN_IN: dict[str, Rect] = {
    "sign_in:card": (760, 133, 520, 582),
    "sign_in:badge": (801, 263, 438, 91),
    "sign_in:languages": (1270.6, 22, 145.4, 40),
    "sign_in:number": (801, 447, 438, 48),
    "sign_in:passcode": (801, 544, 438, 48),
    "sign_in:checks": (56, 430, 487, 220),
    "sign_in.go": (801, 614, 438, 64),
}


def _in_window(window: Window, widget: QWidget, rect: QRectF) -> Rect:
    origin = widget.mapTo(window, QPoint(0, 0))
    return (origin.x() + rect.x(), origin.y() + rect.y(), rect.width(), rect.height())


def _widget(window: Window, path: str) -> QWidget:
    work = window.work
    if path == "stage":
        return next(s for s in work.stages.values() if s.isVisible())
    found: QWidget = window if path.startswith("sign_in") else work
    for name in path.split("."):
        found = work.top.rec if name == "rec" else getattr(found, name)
    return found


def _measure(window: Window, name: str) -> Rect:
    path, _, mark = name.partition(":")
    if path == "key":
        button = next(b for b in window.work.keys.buttons if b.label.key == mark)
        return _in_window(window, button, QRectF(button.rect()))
    widget = _widget(window, path)
    if not mark:
        return _in_window(window, widget, QRectF(widget.rect()))
    if mark == "card":
        return _in_window(window, widget, widget.card)
    if path == "sign_in" and mark in ("number", "passcode"):
        return _in_window(window, widget, window.sign_in._inputs()[mark == "passcode"])
    assert isinstance(widget, Painted)
    return _in_window(window, widget, widget.marks[mark])


REVIEW: dict[str, Rect] = {
    "rail": (0, 0, 76, 900),
    "rail:film": (5.5, 258, 64, 62),
    "top": (76, 0, 1364, 56),
    "top:title": (88, 0, 90, 55),
    "top:clock": (1337.6, 0, 86, 55),
    "list": (92, 72, 270, 728),
    "list:seg": (103, 83, 248, 40),
    "list:tab1": (104, 84, 82.3, 38),
    "list:item0": (93, 133, 268, 88.6),
    "list:item4": (93, 487.3, 268, 88.6),
    "film": (378, 72, 620, 404),
    "film:picture": (382, 112, 612, 360),
    "controls": (378, 488, 620, 60),
    "controls:keySpace": (391, 496, 101, 44),
    "controls:keyJ": (500, 503, 34, 30),
    "controls:keyL": (580, 503, 34, 30),
    "controls:time": (855.8, 488, 129.2, 60),
    "lanes": (378, 560, 620, 240),
    "lanes:rail": (428, 616, 520, 10),
    "lanes:lane": (433, 712, 508, 13),
    "lanes:gap0": (723, 711, 30, 15),
    "lanes:block3": (596.5, 732, 70, 31),
    "lanes:head": (613, 705, 14, 62),
    "side": (1014, 72, 410, 728),
    "side:chip": (1031, 87, 112, 30),
    "side:row0": (1015, 202, 408, 40),
    "side:row4": (1015, 362, 408, 40),
    "side:optionA": (1031, 416, 376, 65),
    "side:optionR": (1031, 490, 376, 65),
    "side:optionH": (1031, 563, 376, 65),
    "side:reason": (1031, 667, 376, 40),
    "keys": (76, 816, 1364, 84),
    "keys.go": (1044, 826.5, 380, 64),
}
"""Review: measured in its mock-up, where the panel at the right holds the decision; here, what can be done."""

_NARROWER = {"side:chip": 2}
"""Whose word is shorter than the picture's: so many of the four numbers are compared."""

SCREENS = {
    "workbench-1-waiting": WAITING,
    "workbench-2-reading": READING,
    "workbench-3-summary": SUMMARY,
    "error-camera-lost": LOST,
    "reject-dialog": REJECT,
    "sign-in": SIGN_IN,
}


@pytest.mark.parametrize("screen", SCREENS)
def test_screen_stands_where_the_mock_up_has_it(screen: str) -> None:
    sample = next(s for s in samples.samples(crop()) if s.name == screen)
    window = quiet_window(samples.catalogue(), (1440, 900))
    shoot(window, sample.state, sample.around)
    off = {}
    for name, expected in SCREENS[screen].items():
        found = _measure(window, name)
        if any(abs(a - b) > TOLERANCE for a, b in zip(found, expected, strict=True)):
            off[name] = (tuple(round(v, 1) for v in found), expected)
    window.close()
    assert not off


def test_review_stands_where_the_mock_up_has_it() -> None:
    screen = review_screen((1440, 900))
    off = {}
    for name, expected in REVIEW.items():
        path, _, mark = name.partition(":")
        widget: QWidget = screen
        for part in path.split("."):
            widget = getattr(widget, part)
        if mark:
            assert isinstance(widget, Painted)
        rect = widget.marks[mark] if mark else QRectF(widget.rect())
        origin = widget.mapTo(screen, QPoint(0, 0))
        found = (origin.x() + rect.x(), origin.y() + rect.y(), rect.width(), rect.height())
        known = _NARROWER.get(name, 4)
        if any(abs(a - b) > TOLERANCE for a, b in zip(found[:known], expected[:known], strict=True)):
            off[name] = (tuple(round(v, 1) for v in found), expected)
    screen.close()
    assert not off


def test_layout_does_not_jump_with_language_or_theme() -> None:
    window = quiet_window(samples.catalogue(), (1440, 900))
    sample = next(s for s in samples.samples() if s.name == "workbench-2-reading")
    shoot(window, sample.state, sample.around)
    names = [n for n in READING if not n.startswith(("key:", "parcel:", "top:", "cards.prompt:chip"))]
    before = {n: _measure(window, n) for n in names}
    window.set_language("en")
    window.set_theme("dark")
    shoot(window, sample.state, sample.around)
    assert {n: _measure(window, n) for n in names} == before
    assert window.view is not None
    assert window.view.go.label == "It is 8, go on"
    window.close()


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("size", [(1366, 768), (1440, 900)])
@pytest.mark.parametrize("code", ["choose.first", "option.breaks-check"])
def test_a_notice_below_whole_readings_covers_nothing(size: tuple[int, int], language: str, code: str) -> None:
    sample = next(s for s in samples.samples() if s.name == "length-number")
    assert isinstance(sample.state, Asking)
    window = quiet_window(samples.catalogue(), size, language=language)
    shoot(window, replace(sample.state, notice=Notice(code)), sample.around)
    marks = window.work.cards.prompt.marks
    assert marks["alternative3"].bottom() <= marks["notice"].top()
    assert marks["notice"].bottom() <= marks["secret"].top() + 1
    window.close()


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("size", [(1366, 768), (1440, 900)])
def test_a_trouble_at_the_foot_is_told_in_full(
    size: tuple[int, int], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It grows over the lines that it needs; it was cut in its middle."""
    looking = replace(samples_review.looking(), trouble="people.lapsed", armed="", done="")
    told = notice(Notice("people.lapsed"), language)
    monkeypatch.setattr(samples_review, "looking", lambda: looking)
    tops: list[float] = []
    wrapped = Ink.wrapped

    def heard(ink: Ink, rect: QRectF, text: str, *more: Any, **named: Any) -> float:
        if text == told:
            tops.append(rect.top())
        return wrapped(ink, rect, text, *more, **named)

    screen = review_screen(size, "light", language)
    monkeypatch.setattr(Ink, "wrapped", heard)
    screen.side.grab()
    assert tops
    assert min(tops) > screen.side.reason.geometry().bottom()
    screen.close()


@pytest.mark.parametrize("size", [22, 28, 32, 38])
def test_a_title_keeps_the_feet_of_its_letters(size: int) -> None:
    """Its line is lower than its font's own height; the clip of the line took the feet off g, p and y."""

    class Title(Painted):
        height_of_line = 1.2

        def draw(self, ink: Ink) -> None:
            height = size * self.height_of_line
            ink.text(QRectF(10, 100 - height / 2, 300, height), "gyp", size, weight=700)

    title = Title(Themes(RESOURCES).look("light", REGULAR))
    title.resize(320, 200)
    low = title.grab().toImage()
    title.height_of_line = 3.0
    assert title.grab().toImage() == low


WINDOWS = [(1440, 900), (1366, 768), (1280, 720)]


@pytest.mark.parametrize("banner", [False, True])
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("size", WINDOWS)
def test_the_notice_of_a_count_is_seen_whole(size: tuple[int, int], language: str, banner: bool) -> None:
    sample = next(s for s in samples.samples() if s.name == "count-nothing-chosen")
    window = quiet_window(samples.catalogue(), size, language=language)
    shoot(window, sample.state, samples.rehearsal(sample.around) if banner else sample.around)
    panel = window.work.count.decision
    assert panel.marks["option3"].bottom() <= panel.marks["notice"].top()
    assert panel.marks["notice"].bottom() <= panel.height() - 2
    assert panel.marks["option1"].height() >= 40
    window.close()


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("size", WINDOWS)
def test_a_notice_below_alternatives_covers_nothing(size: tuple[int, int], language: str) -> None:
    window = quiet_window(samples.catalogue(), size, language=language)
    shoot(window, samples.refused(), samples.around(RecMode.ON))
    marks = window.work.cards.prompt.marks
    assert marks["alternative2"].bottom() <= marks["notice"].top()
    assert marks["notice"].bottom() <= marks["secret"].top() + 1
    window.close()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_key_lies_under_the_blue_one_in_a_small_window(language: str) -> None:
    window = quiet_window(samples.catalogue(), (1280, 720), language=language)
    for sample in samples.samples():
        shoot(window, sample.state, sample.around)
        keys = window.work.keys
        if window.view is not None:
            assert keys.buttons[-1].geometry().right() < keys.go.x(), sample.name
            assert keys.go.width() >= keys.go.least, sample.name
    window.close()
    screen = review_screen((1280, 720), language=language)
    assert screen.keys.buttons[-1].geometry().right() < screen.keys.go.x()
    screen.close()


@pytest.mark.parametrize("size", [*WINDOWS, MINIMUM])
def test_the_rehearsal_badge_is_seen_in_every_window(size: tuple[int, int]) -> None:
    """Who opens a rehearsal first has no other way in."""
    sample = next(s for s in samples.samples() if s.name == "sign-in-rehearsal")
    window = quiet_window(samples.catalogue(), size)
    shoot(window, sample.state, sample.around)
    screen = window.sign_in
    assert screen.marks["languages"].bottom() <= screen.card.top()
    assert screen.card.bottom() <= screen.marks["demo"].top()
    assert screen.marks["demo"].bottom() <= screen.height()
    assert screen.card.contains(QRectF(screen.go.geometry()))
    window.close()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_the_hands_shall_do_is_told_in_full_below_a_banner(language: str) -> None:
    cut: list[tuple[str, str]] = []
    window = quiet_window(samples.catalogue(), (1280, 720), language=language)
    for sample in samples.samples(crop()):
        window.look.on_cut = lambda text, widget, name=sample.name: (
            cut.append((name, text)) if isinstance(widget, PromptPanel | DecisionPanel) else None
        )
        shoot(window, sample.state, samples.rehearsal(sample.around))
    window.close()
    assert cut == []


LONG = "（华东区域联名限量纪念版电子礼品卡）"


def many(found: int, declared: int) -> Counting:
    """So many cards of one product with a long name."""
    first = samples.cards(1)[0]
    tray = tuple(replace(first, no=no, card_id=f"card-{no}", read_id=f"read-{no}") for no in range(1, found + 1))
    shots = (712_000_000, 718_000_000)
    base = replace(samples.visit(), cards=tray, shots=shots)
    return Counting(replace(base, expected=replace(samples.EXPECTED, declared=declared)), None)


def long_named() -> Catalogue:
    known = samples.catalogue().products
    return Catalogue(tuple(replace(p, name_zh=p.name_zh + LONG, name_en=p.name_en + " limited edition") for p in known))


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("size", WINDOWS)
def test_two_hundred_cards_keep_their_numbers_sums_and_times(size: tuple[int, int], language: str) -> None:
    """What is too long for the table are names and reasons; a number cut short is worth nothing."""
    cut: set[str] = set()
    window = quiet_window(long_named(), size, language=language)
    window.look.on_cut = lambda text, widget: cut.add(text) if isinstance(widget, QTableView | Painted) else None
    state = many(199, 200)
    shoot(window, state, samples.around(RecMode.ON))
    window.close()
    assert {text for text in cut if any(char.isdigit() for char in text)} == set()


@pytest.mark.parametrize("size", WINDOWS)
def test_the_headline_of_a_count_stays_in_its_panel(size: tuple[int, int]) -> None:
    window = quiet_window(long_named(), size, language="en")
    shoot(window, many(199, 200), samples.around(RecMode.ON))
    panel = window.work.count.figures
    assert QRectF(panel.rect()).contains(panel.marks["headline"])
    window.close()


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(("found", "marks"), [(0, {"after"}), (100, {"before", "after"}), (199, {"before"})])
def test_what_the_tray_hides_is_told_beside_its_slots(found: int, marks: set[str], language: str) -> None:
    cut: list[str] = []
    window = quiet_window(samples.catalogue(), (1440, 900), language=language)
    window.look.on_cut = lambda text, widget: cut.append(text) if isinstance(widget, Tray) else None
    shoot(window, Waiting(many(found, 200).visit), samples.around(RecMode.ON))
    drawn = window.work.cards.tray.marks
    assert {"before", "after"} & set(drawn) == marks
    slots = [rect for name, rect in drawn.items() if name.startswith("slot")]
    assert len(slots) >= 8
    assert f"slot{found + 1}" in drawn
    assert not any(drawn[mark].intersects(slot) for mark in marks for slot in slots)
    assert cut == []
    window.close()


def test_a_long_name_of_a_station_keeps_its_number() -> None:
    cut: list[str] = []
    sample = next(s for s in samples.samples() if s.name == "sign-in")
    window = quiet_window(samples.catalogue(), (1440, 900))
    window.look.on_cut = lambda text, _widget: cut.append(text)
    shoot(window, sample.state, replace(sample.around, station_name="华东第三验卡中心二楼东侧工位 03"))
    window.close()
    assert cut == []
