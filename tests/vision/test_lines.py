"""Lines of a card: pieces of one line are put together, and none is read dearer than it deserves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.rehearsal.pictures import render_card_picture
from app.vision.fields.sorting import inside, split, with_pieces
from app.vision.fields.wording import Wording, _holds_value
from app.vision.picture.area import Area
from app.vision.picture.pixels import Colour
from app.vision.picture.rectify import rectify, turn
from app.vision.text.codes import CodeReader
from app.vision.text.lines import Line, said_in
from app.vision.text.recognise import NO_STEPS, LineText, Recogniser, TextSign
from app.vision.text.textlines import LineBox, LineFinder, join

NUMBER = LineBox(100, 400, 330, 74, 0.0, 0.9)


class Counting(Recogniser):
    """PP-OCR that remembers the widths of what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.heights_wide: list[float] = []

    def read(self, lines: list[Colour]) -> list[LineText]:  # type: ignore[override]
        self.heights_wide += [line.shape[1] / line.shape[0] for line in lines]
        return super().read(lines)


@pytest.fixture(scope="module")
def card() -> Colour:
    picture, labels = render_card_picture(611, "easy")
    return rectify(np.ascontiguousarray(picture), np.array(labels["card_quad"], np.float32))


def test_pieces_of_one_line_become_one() -> None:
    behind = LineBox(450, 402, 500, 78, 0.0, 0.8)
    (whole,) = join([behind, NUMBER])
    assert (whole.x, whole.right) == (100, 950)
    assert whole.score == 0.8


@pytest.mark.parametrize(
    "other",
    [
        LineBox(450, 520, 500, 74, 0.0, 0.9),  # the line below
        LineBox(640, 400, 500, 74, 0.0, 0.9),  # too far behind
        LineBox(450, 415, 300, 30, 0.0, 0.9),  # small print beside it
    ],
)
def test_what_is_no_piece_stays_alone(other: LineBox) -> None:
    assert len(join([NUMBER, other])) == 2


def test_a_tilted_line_goes_on_where_it_points() -> None:
    tilted = replace(NUMBER, tilt=0.1)
    assert len(join([tilted, LineBox(450, 435, 330, 74, 0.1, 0.9)])) == 1


def said(text: str, area: Area) -> Line:
    signs = tuple(TextSign(c, i / len(text), (i + 1) / len(text), 0.99) for i, c in enumerate(text))
    return Line(LineBox(area.x, area.y, area.w, area.h, 0.0, 0.9), LineText(signs, np.zeros((1, 39), np.float32)))


def test_groups_that_stand_far_apart_belong_to_the_number() -> None:
    first, rest = Area(100, 400, 300, 70), Area(540, 402, 200, 66)
    assert with_pieces(first, [said("2500 4934", first), said("6436", rest)]).right == 740
    assert with_pieces(first, [said("2500 4934", first), said("面值", rest)]) == first
    assert with_pieces(first, [said("2500 4934", first), said("6436", replace(rest, y=600.0))]) == first


@pytest.mark.parametrize(
    ("text", "edge", "value", "label"),
    [
        ("PINUCJ7QVGJ", 230, "UCJ7QVGJ", "pin"),  # the label stood too close for a space
        ("卡HRTM D5NI", 130, "HRTMD5NI", ""),  # nobody could read the label
        ("  HRTM D5NI", 170, "HRTMD5NI", ""),  # nor any sign of it
        ("A5HRTM D5NI", 220, "A5HRTMD5NI", ""),  # no label: a part of the panel was not seen
        ("HRTMD5NI", 90, "HRTMD5NI", ""),
    ],
)
def test_a_pin_begins_where_its_panel_does(text: str, edge: float, value: str, label: str) -> None:
    whole = Area(100, 400, 50 * len(text), 70)
    found = inside(split(said(text, whole))[0], Area(edge, 390, 900, 90))
    assert (found.glyphs, found.label) == (value, label)
    first = whole.x + 50 * text.index(value[0])
    assert min(edge, first) - 35 <= found.area.x <= first, "none of its ink is cut off"
    assert found.area.x >= edge - 35 or found.glyphs == text.replace(" ", ""), "the label is"
    assert found.area.right == whole.right


@pytest.mark.parametrize("space", [0.125, 0.095])
def test_a_value_is_cut_off_its_label_without_a_part_of_its_first_sign(space: float) -> None:
    """A space was read right before the first digit: cut midway between them, 5107 began with half a five."""
    places = [("卡", 0.02), ("号", 0.06), (" ", space), ("5", 0.128), ("1", 0.16), ("0", 0.19), ("7", 0.22)]
    signs = tuple(TextSign(text, at, at + 0.005, 0.99) for text, at in places)
    line = Line(LineBox(106, 361, 955, 72, 0.0, 0.9), LineText(signs, np.zeros((1, 39), np.float32)))
    value, label = split(line)
    assert (value.glyphs, label) == ("5107", "number")
    first, last_of_label = 106 + 0.128 * 955, 106 + 0.065 * 955
    assert last_of_label < value.area.x < first - 0.15 * 72


@pytest.mark.parametrize(
    ("text", "value"),
    [("*9:0561 0943 2465 75", "05610943246575"), ("0561:0943 2465 75", "05610943246575"), ("*90561", "90561")],
)
def test_what_ends_with_a_colon_is_a_label_though_nobody_could_read_it(text: str, value: str) -> None:
    """Of 卡号: a nine was read, which some views of the number then began with."""
    found, label = split(said(text, Area(100, 400, 50 * len(text), 70)))
    assert (found.glyphs, label) == (value, "")


def test_small_print_is_read_by_its_first_words_only(card: Colour) -> None:
    finder, recogniser, codes = LineFinder(), Counting(), CodeReader()
    wording = Wording(finder, recogniser, codes)
    standing = wording.find(card)
    assert standing.quarters == 0
    assert len(recogniser.heights_wide) <= 2  # one clear line settles which way up
    recogniser.heights_wide.clear()
    lines = wording.read(card, standing.boxes, standing.known, ())
    sentences = [line for line in lines if "本卡不记名" in line.read.text or "刮开" in line.read.text]
    assert all(wide < 25 for wide in recogniser.heights_wide)
    for line in sentences:
        assert len(line.read.text) < 14
        assert line.read.signs[-1].end < 0.9


def test_a_hotline_makes_no_small_print_worth_reading() -> None:
    def signs(text: str) -> list[TextSign]:
        return [TextSign(c, i / len(text), (i + 1) / len(text), 0.99) for i, c in enumerate(text)]

    assert not _holds_value(signs("TMS4008209867"), 40.0)
    assert _holds_value(signs("TMS20291231"), 40.0)
    assert _holds_value(signs("202912314008209867"), 60.0), "a date beside the hotline"
    assert _holds_value(signs("7304008209867123"), 60.0)
    assert _holds_value(signs("4008209867"), 12.0), "a line of nothing but digits"
    assert not _holds_value(signs("TMSMOLQM6OFCR4008204961"), 16.7), "letters of English terms before the hotline"
    assert _holds_value(signs("LYR4S34008204961"), 12.0), "a code that ends like a hotline"


def test_what_was_read_of_a_field_is_cut_out_of_its_line() -> None:
    whole = Area(100, 400, 600, 70)
    line = said("NO.1234567", whole)
    full = Line(line.box, LineText(line.read.signs, np.eye(20, 39, dtype=np.float32)))
    value = Area(280, 400, 420, 70)
    found = said_in(value, [full])
    assert found is not None
    assert (found.steps, found.lattice[0, 6]) == (14, 1.0)
    assert said_in(replace(value, y=401.0), [full]) is None
    assert said_in(replace(value, w=500.0), [full]) is None
    part = Line(line.box, LineText(line.read.signs, NO_STEPS))
    assert said_in(value, [part]) is None, "only its first words were read"


def test_a_card_upside_down_is_turned_and_reads_the_same(card: Colour) -> None:
    wording = Wording(LineFinder(), Recogniser(), CodeReader())
    level = wording.find(card)
    upright = {line.read.text for line in wording.read(card, level.boxes, level.known, ())}
    turned = wording.find(turn(card, 2))
    assert turned.quarters == 2
    again = {line.read.text for line in wording.read(card, turned.boxes, turned.known, ())}
    assert len(upright & again) >= 0.7 * len(upright)
