"""Practice lines: repeatable, labelled with what is printed, and never in a face that is kept for measuring."""

from __future__ import annotations

import numpy as np
import pytest

from app.core.products import DIGITS, LATIN
from app.rehearsal.dice import stream
from app.rehearsal.errors import FontMissing
from app.rehearsal.lines import HEIGHT, KINDS, STATES, LineStudio, draw_text
from app.rehearsal.typefaces import ABOVE, BELOW, CAP, SIGNS, Face, load_faces, set_text


@pytest.fixture(scope="module")
def faces() -> tuple[Face, ...]:
    return load_faces(4)


@pytest.fixture(scope="module")
def studio(faces: tuple[Face, ...]) -> LineStudio:
    return LineStudio(faces, 4)


def test_every_face_has_every_sign_with_ink(faces: tuple[Face, ...]) -> None:
    assert {f.family for f in faces} >= {"mono", "ocr", "dot"}
    for face in faces:
        assert set(face.glyphs) == set(SIGNS)
        assert all(mask.shape[0] == ABOVE + CAP + BELOW for mask in face.glyphs.values())
        assert all(mask.max() > 100 for mask in face.glyphs.values()), face.name


def test_some_faces_are_kept_for_measuring_and_most_are_not(faces: tuple[Face, ...]) -> None:
    kept = [f.name for f in faces if f.held_out]
    assert {"strokes-held-out", "dot-held-out"} <= set(kept)
    assert len(kept) < len(faces) / 3


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("sans", "serif")])  # these need system fonts
@pytest.mark.parametrize("state", STATES)
def test_lines_of_every_kind_and_state_are_repeatable(studio: LineStudio, kind: str, state: str) -> None:
    first, second = (studio.draw(stream(9, kind, state), 1.0, kind, state) for _ in range(2))
    assert first.text == second.text
    assert np.array_equal(first.picture, second.picture)
    assert first.picture.shape[0] == HEIGHT
    assert first.picture.dtype == np.uint8
    assert first.picture.std() > 1
    assert set(first.text) <= set(DIGITS + LATIN)
    assert 4 <= len(first.text) <= 20


def test_faces_of_one_family_draw_the_kinds_they_can(faces: tuple[Face, ...]) -> None:
    """Training stopped where a system had no held-out serif face for its exam."""
    studio = LineStudio(tuple(face for face in faces if face.family == "dot"), 4)
    assert {studio.draw(stream(4, "few", index)).kind for index in range(12)} == {"dot"}
    with pytest.raises(FontMissing, match="serif"):
        studio.draw(stream(4, "few"), kind="serif")


def test_texts_are_numbers_and_mixed_grouped_and_not() -> None:
    texts = [draw_text(stream(1, "texts", i)) for i in range(200)]
    assert sum(t.replace(" ", "").replace("-", "").isdigit() for t in texts) > 70
    assert sum(" " in t for t in texts) > 40
    assert sum("-" in t for t in texts) > 10
    assert len({*"".join(texts)} - {" ", "-"}) == 36


def test_a_zero_and_an_o_of_the_dot_matrix_differ(faces: tuple[Face, ...]) -> None:
    face = next(f for f in faces if f.name == "dot")
    assert not np.array_equal(set_text(face, "0"), set_text(face, "O"))
    assert not np.array_equal(set_text(face, "Q"), set_text(face, "O"))
