"""A new product on the screen: learned by the real program, regions moved by keys and mouse, published, taken back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.core.audit import EventKind
from app.core.lessons import LessonFailed, LessonJob, LessonNews
from app.core.products import Box, CheckDigit
from app.core.readiness import RecMode
from app.station.studying import Studying
from tests.station.filmed import SUPERVISOR
from tests.station.test_cataloguing import Asked
from tests.ui.test_products import Seat
from ui import samples, samples_products
from ui.present_lesson import lesson_side, slug
from ui.present_products import Task
from ui.scene import Scene
from ui.views import GoState, Tone

TAKE = """
import sys
from pathlib import Path
import cv2, numpy as np
from app.rehearsal.casting import plan_card
from app.rehearsal.catalogue import fictional_toml
from app.rehearsal.deck import DeckCard
from app.rehearsal.pictures import photograph
from app.rehearsal.products import load_studio_products
folder = Path(sys.argv[1])
table = folder / "f.toml"
table.write_text(fictional_toml(7, 10), encoding="utf-8")
product = next(iter(load_studio_products(table).values()))
for n in range(4):
    picture, _ = photograph(plan_card(product, DeckCard(product.id), 100 + n), 100 + n)
    cv2.imwrite(str(folder / f"{n}.jpg"), np.asarray(picture, np.uint8))
"""
"""OpenCV and a window do not meet in one process."""


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Four cards of a product that is in no catalogue."""
    folder = tmp_path_factory.mktemp("photographs")
    subprocess.run([sys.executable, "-c", TAKE, str(folder)], check=True)
    return tuple(str(folder / f"{n}.jpg") for n in range(4))


@pytest.fixture
def seat(qtbot: QtBot, asked: Asked) -> Iterator[Seat]:
    one = Seat(qtbot, asked, SUPERVISOR)
    one.enter()
    one.key("2")
    assert one.choosing.task is Task.NEW
    yield one
    one.window.close()


def learned(seat: Seat) -> None:
    """As if a lesson had come, without the program."""
    seat.products.lesson.learning = samples_products.learning().learning
    seat.products.lesson._look()


def test_three_photographs_become_a_product_and_go_back_in_one_step(seat: Seat, photographs: tuple[str, ...]) -> None:
    seat.products.lesson.take(photographs)
    assert seat.go.state is GoState.BUSY
    seat.qtbot.waitUntil(lambda: seat.choosing.learning.tried is not None, timeout=120_000)
    learning = seat.choosing.learning
    assert learning.taught is not None
    assert learning.tried is not None
    assert {name for name, _ in learning.regions} >= {"number", "panel", "barcode"}
    assert learning.taught.number is not None
    assert learning.taught.number.lengths == (16,)
    assert [one.field for one in learning.tried.fields if one.after.value == "read"], "the fourth card is read by it"
    gtin = learning.taught.gtins[0]
    assert "Number" in seat.window.choosing.regions.accessibleDescription() or seat.window.language == "zh"
    seat.key("F2")
    seat.type("夜市卡")
    seat.key("F2")
    seat.type("Night market card")
    seat.key("F6")
    seat.type("sold since May")
    assert seat.go.state is GoState.READY
    seat.key("Enter")
    seat.until(lambda: seat.choosing.task is Task.CHANGES and bool(seat.choosing.changes))
    product = seat.window._catalogue.by_gtin(gtin)
    assert product is not None
    assert (product.id, product.name_zh, product.initials, product.confirmed) == (
        "night-market-card", "夜市卡", "YSK", False,
    )  # fmt: skip
    assert seat.products.lesson.learning.cards == (), "nothing of the photographs stays"
    seat.key("F6")
    seat.type("only a sample")
    seat.key("Enter")
    seat.until(lambda: seat.choosing.changes == ())
    assert seat.window._catalogue.by_gtin(gtin) is None
    kinds = [kind for kind, _, _ in seat.asked.facts()]
    assert kinds == [EventKind.PRODUCT_ADDED, EventKind.PRODUCT_WITHDRAWN]


def test_a_region_is_picked_moved_and_sized_by_keys(seat: Seat) -> None:
    learned(seat)
    lesson = seat.products.lesson
    for _ in range(10):
        seat.key(",")
        if lesson.learning.field == "number":
            break
    box = lesson.learning.box
    assert box is not None
    seat.key("→")
    seat.key("↓")
    assert lesson.learning.box == Box(box.x + 0.5, round(box.y + 0.5, 1), box.w, box.h)
    assert lesson.learning.stale
    assert seat.go.state is GoState.BLOCKED, "what was drawn has to be learned first"
    seat.key("Space")
    seat.key("←")
    assert lesson.learning.box == Box(box.x + 0.5, round(box.y + 0.5, 1), box.w - 0.5, box.h)
    seat.key("⌫")
    assert lesson.learning.box == box
    seat.key(",")
    assert lesson.learning.field == "face_value"
    assert lesson.learning.box is None
    seat.key("↑")
    assert lesson.learning.box is not None, "one that nobody saw is put onto the card"


def test_a_region_is_moved_and_drawn_with_the_mouse(seat: Seat) -> None:
    learned(seat)
    lesson, panel = seat.products.lesson, seat.window.choosing.regions
    lesson.show_photograph(0)
    panel.grab()
    card = panel.card_rect()
    scale = card.width() / 85.6

    def at(x: float, y: float) -> QPoint:
        return QPointF(card.x() + x * scale, card.y() + y * scale).toPoint()

    number = dict(lesson.learning.regions)["number"]
    QTest.mousePress(panel, Qt.MouseButton.LeftButton, pos=at(number.x + 5, number.y + 2))
    assert lesson.learning.field == "number"
    QTest.mouseMove(panel, at(number.x + 9, number.y - 3))
    QTest.mouseRelease(panel, Qt.MouseButton.LeftButton, pos=at(number.x + 9, number.y - 3))
    there = dict(lesson.learning.regions)["number"]
    assert there.x == pytest.approx(number.x + 4, abs=0.4)
    assert there.y == pytest.approx(number.y - 5, abs=0.4)
    seat.key(",")
    assert lesson.learning.field == "face_value"
    QTest.mousePress(panel, Qt.MouseButton.LeftButton, pos=at(60, 3))
    QTest.mouseMove(panel, at(80, 9))
    QTest.mouseRelease(panel, Qt.MouseButton.LeftButton, pos=at(80, 9))
    drawn = dict(lesson.learning.drawn)["face_value"]
    assert (drawn.x, drawn.w) == (pytest.approx(60, abs=0.4), pytest.approx(20, abs=0.6))


def test_a_card_printed_upright_is_shown_so_and_drawn_on_to_its_lower_edge(seat: Seat) -> None:
    learned(seat)
    lesson, panel = seat.products.lesson, seat.window.choosing.regions
    cards = tuple(replace(card, size_mm=(54.0, 85.6)) for card in lesson.learning.cards)
    lesson._look(cards=cards, regions=(("barcode", Box(6.0, 66.0, 32.0, 10.0)),), field="barcode")
    lesson.show_photograph(0)
    panel.grab()
    card = panel.card_rect()
    assert card.width() / card.height() == pytest.approx(54.0 / 85.6)
    seat.key("↓")
    assert lesson.learning.box == Box(6.0, 66.5, 32.0, 10.0)
    place = panel.marks["regionbarcode"]
    panel.grab()
    start, scale = place.center().toPoint(), card.width() / 54.0
    QTest.mousePress(panel, Qt.MouseButton.LeftButton, pos=start)
    there = start + QPointF(90 * scale, 90 * scale).toPoint()
    QTest.mouseMove(panel, there)
    QTest.mouseRelease(panel, Qt.MouseButton.LeftButton, pos=there)
    box = lesson.learning.box
    assert box is not None
    assert (box.x + box.w, box.y + box.h) == (pytest.approx(54.0, abs=0.2), pytest.approx(85.6, abs=0.2))


def test_what_stands_under_the_panel_is_covered_until_the_key_is_held(seat: Seat) -> None:
    learned(seat)
    panel = seat.window.choosing.regions
    seat.products.lesson.show_photograph(0)
    covered = panel.grab().toImage()
    spot = panel.marks["regionpanel"].center().toPoint()
    shown: list[str] = []
    seat.window._bridge.secret_shown = shown.append
    seat.key("F8")
    assert panel.grab().toImage().pixelColor(spot) != covered.pixelColor(spot)
    assert shown == ["pin"], "showing is recorded"
    seat.window._released("F8")
    assert panel.grab().toImage().pixelColor(spot) == covered.pixelColor(spot)


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (("/nowhere/python",), "learn.broke_off"),
        (("true",), "learn.broke_off"),
        (("echo", '{"kind": "Poem", "body": {}}'), "learn.broke_off"),
    ],
)
def test_a_learner_that_dies_is_told(argv: tuple[str, ...], code: str, qtbot: QtBot) -> None:
    heard: list[LessonNews] = []
    bugs: list[Exception] = []
    study = Studying(argv, LessonJob(("a.jpg",) * 3), heard.append, bugs.append)
    study.start()
    qtbot.waitUntil(lambda: bool(heard), timeout=60_000)
    study.stop()
    assert heard == [LessonFailed(code)]
    assert bugs == []


def test_an_english_name_becomes_an_id() -> None:
    assert slug("  Night Market — gift card (¥500) ") == "night-market-gift-card-500"
    assert slug("夜市") == ""


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("rule", [rule for rule in CheckDigit if rule])
def test_a_check_digit_is_called_by_its_name(rule: CheckDigit, language: str) -> None:
    learning = samples_products.learning().learning
    assert learning.taught is not None
    assert learning.taught.number is not None
    taught = replace(learning.taught, number=replace(learning.taught.number, check=rule.value))
    scene = Scene(samples.around(RecMode.OFF), samples.catalogue(), language)
    side = lesson_side(scene, replace(learning, taught=taught), ("", "", Tone.IDLE))
    chips = {row.chip.text for row in side.rows}
    assert rule.value not in chips, "the word of the template's file is none for people"
    assert any(text.replace(" ", "").lower() in rule.value.replace("7064-mod", "") for text in chips - {""})
