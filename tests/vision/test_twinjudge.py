"""Zero or O, one or I, by the glyph alone: in faces that the judge never saw, whatever stands beside them."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from app.core.errors import BadInput
from app.rehearsal.dice import stream
from app.rehearsal.lines import LineStudio
from app.rehearsal.typefaces import load_faces
from app.vision.decoding.decode import places_of
from app.vision.decoding.twinjudge import HEIGHT, KINDS, SIGNS, WIDTH, TwinJudge, places_seen, sign_of, windows
from app.vision.text.closeup import close_up
from app.vision.text.codes import CodeReader
from app.vision.text.recognise import BLANK, GLYPHS, Engine, View

TEXTS = ("O0472918", "70O1I352", "I1XKHTOW", "0OKRWX1I")


@cache
def judge() -> TwinJudge:
    return TwinJudge()


def test_glyphs_are_told_by_their_print_in_held_out_faces() -> None:
    """Among digits, among letters and beside their twins alike."""
    faces = tuple(f for f in load_faces(71) if f.held_out and f.family == "mono")
    studio, codes, counts = LineStudio(faces, 71), CodeReader(), Counter[str]()
    for number in range(24):
        text = TEXTS[number % len(TEXTS)]
        line = studio.draw(stream(71, number), 0.2, "mono", "plain", text)
        picture = np.repeat(line.picture[..., None], 3, 2)
        view = codes.read([close_up(picture, 0.82)])[0]
        places = places_of(view, text)
        for glance in judge().look(picture, view):
            at = int(np.argmin([abs(place - glance.at) for place in places]))
            if text[at] in KINDS:
                odds = glance.zero if text[at] in "0O" else glance.one
                right = (odds > 0) == (text[at] in "01")
                counts["sure" if abs(odds) > 4 else "doubt"] += 1
                counts["wrong"] += int(abs(odds) > 4 and not right)
    assert counts["wrong"] == 0
    assert counts["sure"] > 2 * counts["doubt"]


def liberation(text: str, number: int) -> dict[str, list[float]]:
    """What the judge says of the zeros and Os of a line whose face it never saw: its zero has a dot."""
    faces = tuple(f for f in load_faces(71) if f.name in ("LiberationMono-Regular.ttf", "LiberationMono-Bold.ttf"))
    line = LineStudio(faces, 71, 48).draw(stream(71, "lone", number), 0.1, "mono", "plain", text)
    picture = np.repeat(line.picture[..., None], 3, 2)
    view = reader().read([close_up(picture, 0.82)])[0]
    places, odds = places_of(view, text), dict[str, list[float]]()
    for glance in judge().look(picture, view):
        glyph = text[int(np.argmin([abs(place - glance.at) for place in places]))]
        odds.setdefault(glyph, []).append(glance.zero)
    return odds


@cache
def reader() -> CodeReader:
    return CodeReader()


def test_a_lone_o_is_told_by_the_face_of_its_line() -> None:
    """An O without a zero beside it looks like the zero of other faces; here a zero would show a dot (910203e)."""
    texts = ("KQO2A5C7", "MFC8T4AO", "RJTUBQ3O", "9ZOPVTEH") * 4
    odds = [value for number, text in enumerate(texts) for value in liberation(text, number)["O"]]
    assert max(odds) < 0
    assert float(np.median(odds)) < -2.5


def test_what_lacks_the_mark_of_a_zero_in_its_line_is_an_o() -> None:
    """T1SO 07LH: the second of the two has a dot, the first has none."""
    beside = [liberation("T7SO07LH", number) for number in range(8)]
    assert min(value for odds in beside for value in odds["0"]) > 4
    assert max(value for odds in beside for value in odds["O"]) < -4


def test_no_twin_is_told_by_what_it_was_read_as() -> None:
    assert sign_of("0") == sign_of("O")
    assert sign_of("1") == sign_of("I")
    assert {sign_of(glyph) for glyph in GLYPHS} == set(range(SIGNS))


def view_of(text: str, steps_a_glyph: int = 6) -> View:
    lattice = np.zeros((steps_a_glyph * len(text) + 8, BLANK + 1), np.float32)
    lattice[:, BLANK] = 1
    for at, glyph in enumerate(text):
        lattice[steps_a_glyph * at + 2 : steps_a_glyph * at + 4, [BLANK, GLYPHS.index(glyph)]] = (0, 1)
    return View(Engine.OWN, lattice, steps_a_glyph * len(text))


def test_every_glyph_is_seen_where_it_stands() -> None:
    assert [glyph for _, glyph in places_seen(view_of("K0X1"))] == list("K0X1")
    assert [at for at, _ in places_seen(view_of("K0X1"))] == pytest.approx([3 / 24, 9 / 24, 15 / 24, 21 / 24])


def test_only_twins_are_told_and_a_line_without_them_is_not_looked_at() -> None:
    line = np.full((32, 200, 3), 200, np.uint8)
    assert [round(glance.at * 24) for glance in judge().look(line, view_of("K0X1"))] == [9, 21]
    assert judge().look(line, view_of("KWXH")) == ()
    assert judge().look(line, view_of("")) == ()


@pytest.mark.parametrize("size", [(8, 8), (9, 40), (64, 300), (20, 900)])
def test_pictures_of_any_size_have_windows(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(3).integers(0, 255, (*size, 3), np.uint8)
    for window in windows(picture, [0.0, 0.5, 1.0]):
        assert window.shape == (HEIGHT, WIDTH)
        assert 0 <= window.min() <= window.max() <= 255


def test_a_damaged_network_is_told(tmp_path: Path) -> None:
    (tmp_path / "twins.onnx").write_bytes(b"nothing")
    (tmp_path / "SHA256SUMS").write_text("0 twins.onnx\n")
    with pytest.raises(BadInput, match="model_damaged"):
        TwinJudge(tmp_path)
