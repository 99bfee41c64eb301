"""A product that nobody knows is learned from three photographs; the cards after them read better than as unknown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.catalog.templates import box_of, product_of, read_products
from app.catalog.writing import table_of, to_toml
from app.core.cards import FieldState
from app.core.errors import BadInput
from app.core.products import Box, Catalogue, CheckDigit, Layout, Product
from app.eye.oneshot import make_looker
from app.rehearsal import variety
from app.rehearsal.cards import print_back
from app.rehearsal.casting import plan_card
from app.rehearsal.catalogue import fictional_toml
from app.rehearsal.deck import DeckCard
from app.rehearsal.pictures import photograph
from app.rehearsal.products import StudioProduct, load_studio_products
from app.vision.card.locate import locate
from app.vision.conclude import Conclusion, conclude
from app.vision.learn import Lesson, Study, _better, _box, layout_of, learn, try_on
from app.vision.look import Looker
from app.vision.picture.area import Area
from app.vision.picture.pixels import Colour
from app.vision.picture.rectify import CARD_H, CARD_W
from tests.known_products import upright_plan

KNOWN = product_of("test", {"id": "new", "name_zh": "新卡", "name_en": "New card", "number": "unknown"}, True)


@pytest.fixture(scope="module")
def looker() -> Looker:
    return make_looker(Catalogue(), threads=2)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> list[StudioProduct]:
    path: Path = tmp_path_factory.mktemp("studio") / "f.toml"
    path.write_text(fictional_toml(7, 10), encoding="utf-8")
    return list(load_studio_products(path).values())


@pytest.fixture(scope="module")
def shot(studio: list[StudioProduct]) -> Callable[[int, int], Colour]:
    """A photograph of a card of a product that is in no catalogue: (product, card)."""

    def take(product: int, card: int) -> Colour:
        made = studio[product]
        picture, _ = photograph(plan_card(made, DeckCard(made.id), 100 + card), 100 + card)
        return np.asarray(picture, np.uint8)

    return take


@pytest.fixture(scope="module")
def lesson(looker: Looker, shot: Callable[[int, int], Colour]) -> Lesson:
    return learn([shot(0, n) for n in range(3)], looker, KNOWN, {})


def read(picture: Colour, looker: Looker, catalogue: Catalogue) -> Conclusion:
    located = locate(picture)
    assert located.corners is not None
    looker.learn(catalogue)
    return conclude([looker.look(picture, located)], catalogue)


def test_patterns_and_places_are_found(lesson: Lesson, studio: list[StudioProduct]) -> None:
    product, true = lesson.product, studio[0]
    assert product.gtins == set(true.gtins)
    assert (product.number.lengths, product.number.check) == ((16,), CheckDigit.LUHN)
    assert product.number.grouping == (4, 4, 4, 4)
    assert product.pin is not None
    assert product.pin.lengths == (6,)
    assert product.face_values_fen == tuple(v * 100 for v in true.face_values_yuan)
    assert not product.confirmed
    assert product.layout is not None
    for name in ("number", "panel", "barcode"):
        found, drawn = getattr(product.layout, name), getattr(true.layout, name)
        assert found is not None
        assert found.x + found.w / 2 == pytest.approx(drawn.x + drawn.w / 2, abs=3)
        assert found.y + found.h / 2 == pytest.approx(drawn.y + drawn.h / 2, abs=3)


def test_the_next_cards_read_better_than_as_unknown(
    lesson: Lesson, looker: Looker, shot: Callable[[int, int], Colour]
) -> None:
    """The PIN is short for its panel: of an unknown product it may be half covered, of this one it is all there."""
    unknown, learned = Catalogue(), Catalogue((lesson.product,))
    before = [read(shot(0, n), looker, unknown) for n in (3, 4)]
    after = [read(shot(0, n), looker, learned) for n in (3, 4)]
    states = [[f.state for c in cards for f in (c.number, c.pin)] for cards in (before, after)]
    assert states[1].count(FieldState.READ) > states[0].count(FieldState.READ)
    assert not any(a is FieldState.READ and b is not FieldState.READ for a, b in zip(*states, strict=True))
    assert all(c.product is lesson.product for c in after)


def test_the_trial_tells_what_it_brings(lesson: Lesson, looker: Looker, shot: Callable[[int, int], Colour]) -> None:
    number, pin = try_on(shot(0, 3), looker, lesson.product)
    assert (number.after, number.doubts_after, number.fits) == (FieldState.READ, 0, True)
    assert (pin.before, pin.after) == (FieldState.COVERED, FieldState.READ)


def test_the_template_is_read_back_and_holds_no_secret(lesson: Lesson) -> None:
    text = to_toml([table_of(lesson.product)], rehearsal=True)
    assert tuple(read_products("new.toml", text.encode())) == (lesson.product,)
    for study in lesson.studies:
        assert study.number.text
        assert study.number.text not in text + repr(lesson)
        assert study.pin.text not in text + repr(lesson)


def test_a_drawn_region_goes_before_a_detected_one(lesson: Lesson) -> None:
    drawn = Box(10, 20, 50, 5)
    layout = layout_of(lesson.studies, {"number": drawn})
    assert layout.number == drawn
    assert layout.panel is not None


def test_cards_printed_upright_are_learned(looker: Looker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their fields stand further down than a lying card reaches."""
    plan = upright_plan(19000600, monkeypatch)
    pictures = []
    for n in range(3):
        content = replace(plan.content, number=plan.content.number[n:] + plan.content.number[:n])
        pin = plan.content.pin[n:] + plan.content.pin[:n]
        card = replace(plan, content=replace(content, pin=pin), pin_state="clean")
        monkeypatch.setattr(variety, "print_back", lambda _plan, card=card: print_back(card))
        pictures.append(np.asarray(variety.render_rare_picture(19000700 + n, "easy", upright=True)[0], np.uint8))
    product = learn(pictures, looker, KNOWN, {}).product
    assert product.layout is not None
    assert product.layout.upright
    for name in ("number", "expiry", "face_value", "barcode"):
        found, drawn = getattr(product.layout, name), getattr(plan.layout, name)
        assert found.y + found.h / 2 == pytest.approx(drawn.y + drawn.h / 2, abs=3), name
    assert tuple(read_products("new.toml", to_toml([table_of(product)], rehearsal=True).encode())) == (product,)


def study_of(lesson: Lesson, **boxes: Box) -> Study:
    return replace(lesson.studies[0], boxes=boxes)


def test_a_place_that_is_no_fields_own_is_left_out(lesson: Lesson) -> None:
    """A line that says number and expiry both; a PIN seen far from its panel; another card's way up."""
    line, panel = Box(10, 12, 70, 4), Box(14, 18, 46, 8)
    seen = [study_of(lesson, number=line, expiry=Box(8, 11, 74, 5), panel=panel, pin=Box(14, 30, 40, 4))] * 3
    assert layout_of(seen, {}) == Layout(number=line, panel=panel)
    drawn = {"pin": Box(14, 30, 40, 4)}
    assert layout_of(seen, drawn) == Layout(number=line, pin=drawn["pin"])
    assert layout_of([study_of(lesson, barcode=Box(6, 66, 32, 10), number=line)] * 3, {}).number is None


def test_a_detected_place_stays_on_the_card_as_it_is_printed() -> None:
    beyond = Area(CARD_H - 3.0, CARD_W - 3.0, 100.0, 100.0)
    for size in ((CARD_W, CARD_H), (CARD_H, CARD_W)):
        for area in (beyond, Area(-50.0, -50.0, 10.0, 10.0), Area(0.0, 0.0, 5000.0, 5000.0)):
            box = _box(area, size)
            assert box_of("detected", [box.x, box.y, box.w, box.h]) == box
            assert Layout(number=box).upright == (size == (CARD_H, CARD_W) and box.y + box.h > 60)


def test_regions_that_are_not_of_one_card_are_refused(looker: Looker) -> None:
    for drawn in (
        {"number": Box(10, 20, 50, 5), "pin": Box(10, 21, 50, 5)},
        {"panel": Box(10, 20, 50, 8), "pin": Box(10, 40, 50, 5)},
        {"number": Box(10, 20, 70, 5), "barcode": Box(6, 66, 32, 10)},
    ):
        with pytest.raises(BadInput, match=r"learn\.bad_regions"):
            learn([], looker, KNOWN, drawn)


def test_a_drawn_region_that_leaves_out_the_first_group_shortens_no_number(
    lesson: Lesson, looker: Looker, shot: Callable[[int, int], Colour]
) -> None:
    assert lesson.product.layout is not None
    assert lesson.product.layout.number is not None
    place = lesson.product.layout.number
    late = Box(round(place.x + 0.27 * place.w, 1), place.y, round(0.73 * place.w, 1), place.h)
    again = learn([shot(0, n) for n in range(3)], looker, KNOWN, {"number": late})
    assert again.product.number.lengths == (16,)
    whole = lesson.studies[0]
    part = replace(whole, number=replace(whole.number, text=whole.number.text[4:]))
    assert _better(whole, part) is whole
    assert _better(part, whole) is whole


def test_what_cannot_be_learned_from(looker: Looker, shot: Callable[[int, int], Colour]) -> None:
    empty = np.full((720, 1280, 3), 90, np.uint8)
    for pictures, code in (
        ([shot(0, 0), empty], "learn.no_card"),
        ([shot(0, 0), shot(0, 0)], "learn.same_card"),
        ([shot(0, 1), shot(3, 0)], "learn.different_products"),
    ):
        with pytest.raises(BadInput) as caught:
            learn(pictures, looker, KNOWN, {})
        assert caught.value.code == code


def test_a_wrong_template_is_shown_by_the_trial(
    lesson: Lesson, looker: Looker, shot: Callable[[int, int], Colour]
) -> None:
    wrong: Product = replace(lesson.product, number=replace(lesson.product.number, lengths=(15,), grouping=()))
    number, _ = try_on(shot(0, 3), looker, wrong)
    assert not number.fits
    assert isinstance(wrong.layout, Layout)
