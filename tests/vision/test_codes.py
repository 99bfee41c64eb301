"""Our recogniser: it reads clear lines in faces it never saw, refuses damaged weights, and doubts with PP-OCR."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.core.cards import FieldState
from app.core.errors import BadInput
from app.core.products import DIGITS, LATIN, FieldPattern
from app.paths import RESOURCES
from app.rehearsal.dice import stream
from app.rehearsal.lines import LineStudio
from app.rehearsal.typefaces import load_faces
from app.vision.decoding.decode import Decoded, decode, decode_views
from app.vision.decoding.fuse import fuse
from app.vision.fields.spots import SpotReader, settled
from app.vision.models import CHECKSUMS
from app.vision.text.codes import HEIGHT, MODEL, CodeReader, scaled
from app.vision.text.recognise import BLANK, GLYPHS, Engine, Recogniser, View

MIXED = FieldPattern(DIGITS + LATIN, tuple(range(4, 21)))
COLUMNS = len(GLYPHS) + 3


@pytest.fixture(scope="module")
def reader() -> CodeReader:
    return CodeReader()


def colour(picture: np.ndarray) -> np.ndarray:
    return np.repeat(picture[:, :, None], 3, axis=2)


def test_clear_lines_in_unknown_faces_are_read(reader: CodeReader) -> None:
    studio = LineStudio(tuple(f for f in load_faces(31) if f.held_out), 31)
    right = []
    for kind in ("ocr", "dot", "emboss"):
        for index in range(12):
            line = studio.draw(stream(31, kind, index), 0.1, kind, "plain")
            pattern = FieldPattern(DIGITS if line.text.isdigit() else MIXED.alphabet, MIXED.lengths)
            found = decode(reader.read([colour(line.picture)])[0].lattice, pattern)
            right.append(found is not None and found.text.replace("O", "0") == line.text.replace("O", "0"))
    assert np.mean(right) > 0.7


@pytest.mark.parametrize("size", [(1, 1), (8, 3), (300, 9), (20, 4000), (64, 640)])
def test_any_size_gives_a_lattice_whose_rows_add_to_one(reader: CodeReader, size: tuple[int, int]) -> None:
    found = reader.read([np.full((*size, 3), 7, np.uint8)])[0].lattice
    assert found.shape[1] == COLUMNS
    assert len(found) >= 16
    assert np.allclose(found.sum(axis=1), 1, atol=1e-3)
    assert (found.argmax(axis=1) == BLANK).all(), "a bare card says nothing"
    assert found[:, : len(GLYPHS)].max() < 0.2


def test_lines_get_the_height_of_the_network_and_a_tail_of_their_last_column() -> None:
    line = np.tile((np.arange(640) // 4).astype(np.uint8), (64, 1))
    found, used = scaled(line)
    assert used == 320
    assert found.shape == (1, 1, HEIGHT, 384)
    assert (found[0, 0, :, 320:] == found[0, 0, 0, 319]).all()


def test_a_list_of_checksums_that_is_missing_or_damaged_is_told_by_its_name(tmp_path: Path) -> None:
    """It said that the model was missing, which lay there whole."""
    shutil.copy(RESOURCES / "models" / MODEL, tmp_path / MODEL)
    with pytest.raises(BadInput, match=f"model_missing: {CHECKSUMS}"):
        CodeReader(tmp_path)
    whole = (RESOURCES / "models" / CHECKSUMS).read_text("ascii")
    for text in ("", "\0" * 90, whole.replace(MODEL, "other"), whole.replace("a", "_")):
        (tmp_path / CHECKSUMS).write_text(text)
        with pytest.raises(BadInput, match=f"model_damaged: {CHECKSUMS}"):
            CodeReader(tmp_path)


def test_a_missing_or_damaged_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="model_missing"):
        CodeReader(tmp_path)
    shutil.copy(RESOURCES / "models" / CHECKSUMS, tmp_path / CHECKSUMS)
    weights = bytearray((RESOURCES / "models" / MODEL).read_bytes())
    weights[len(weights) // 2] ^= 1
    (tmp_path / MODEL).write_bytes(weights)
    with pytest.raises(BadInput, match="damaged"):
        CodeReader(tmp_path)


@pytest.mark.parametrize("listed", [b"", b"\xff\xfe\x00", b"codes.onnx", b"0" * 64])
def test_a_damaged_list_of_checksums_is_told_too(tmp_path: Path, listed: bytes) -> None:
    shutil.copy(RESOURCES / "models" / MODEL, tmp_path / MODEL)
    (tmp_path / CHECKSUMS).write_bytes(listed)
    with pytest.raises(BadInput, match="damaged"):
        CodeReader(tmp_path)


def test_places_are_told_in_steps_of_the_picture_not_of_its_tail(reader: CodeReader) -> None:
    line = LineStudio(load_faces(31), 31).draw(stream(31, "place"), 0.0, "mono", "plain")
    view = reader.read([colour(line.picture)])[0]
    signs = reader.signs(colour(line.picture))
    assert view.steps < len(view.lattice)
    assert "".join(s.text for s in signs) == line.text
    assert signs[-1].end > 0.75, "the last glyph stands near the end of its picture"


def test_one_view_of_ppocr_is_enough_where_both_engines_agree(reader: CodeReader) -> None:
    studio, spots = LineStudio(load_faces(31), 31), SpotReader(Recogniser(), reader)
    taken = []
    for index in range(6):
        picture = colour(studio.draw(stream(31, "both", index), 0.0, "mono", "plain").picture)
        found = spots.views(picture, picture)
        engines = [view.engine for view in found]
        assert engines[:3] == [Engine.OWN, Engine.OWN, Engine.PPOCR]
        assert len(found) == (3 if settled(found[:3]) else 8)
        assert {view.lattice.shape[1] for view in found} == {COLUMNS}
        assert fuse(decode_views(found, MIXED), MIXED).reading.state is not FieldState.UNREADABLE
        taken.append(len(found))
    assert taken.count(3) >= 3
    smeared = np.asarray(cv2.GaussianBlur(picture, (0, 0), 5.0))
    assert len(spots.views(smeared, smeared)) == 8, "where there is doubt, all views are taken"


def sure_of(text: str, p: float = 0.999) -> View:
    """PP-OCR's reading of a whole line, as sure of each glyph as told."""
    rows = np.full((2 * len(text), COLUMNS), (1 - p) / (COLUMNS - 1), np.float32)
    for at, glyph in enumerate(text):
        rows[2 * at, GLYPHS.index(glyph)] = p
        rows[2 * at + 1, BLANK] = p
    return View(Engine.PPOCR, rows, len(rows))


def clear_line(wanted: str, reader: CodeReader) -> tuple[str, np.ndarray]:
    """A line that our recogniser reads rightly without doubt: digits, or a zero among letters."""
    studio = LineStudio(tuple(f for f in load_faces(31) if f.family == "mono"), 31)
    for index in range(400):
        line = studio.draw(stream(31, "clear", index), 0.0, "mono", "plain")
        picture = colour(line.picture)
        digits = line.text.isdigit()
        fits = digits if wanted == "digits" else not digits and "0" in line.text and "1" not in line.text
        if fits and settled([*reader.read([picture]), sure_of(line.text)], 0.98):
            return line.text, picture
    raise AssertionError(wanted)


def test_what_was_read_in_the_line_already_counts_as_a_view_unless_twins_have_to_be_told(reader: CodeReader) -> None:
    spots = SpotReader(Recogniser(), reader)
    number, picture = clear_line("digits", reader)
    known = sure_of(number)
    assert spots.views(picture, picture, known)[-1] is known
    for other in (sure_of(number, 0.95), sure_of(number[:-1])):
        found = spots.views(picture, picture, other)
        assert all(view is not other for view in found), "PP-OCR looks again, closer"
    pin, picture = clear_line("twins", reader)
    known = sure_of(pin)
    assert all(view is not known for view in spots.views(picture, picture, known))


def spoken(text: str, p: float, engine: Engine) -> Decoded:
    """A reading of `text` with probability `p` for each glyph, the rest spread."""
    steps = 5 if engine is Engine.OWN else 2
    rows = []
    for glyph in text:
        row = np.full(COLUMNS, (1 - p) / (COLUMNS - 1), np.float32)
        row[GLYPHS.index(glyph)] = p
        blank = np.full(COLUMNS, 1e-5, np.float32)
        blank[BLANK] = 1
        rows += [blank] * (steps - 1) + [row]
    lattice = np.array(rows, np.float32)
    (found,) = decode_views([View(engine, lattice / lattice.sum(axis=1, keepdims=True), len(rows))], MIXED)
    assert found.steps == len(rows)
    return found


def test_engines_that_agree_are_surer_than_one() -> None:
    own, other = spoken("7K4W9HXT", 0.97, Engine.OWN), spoken("7K4W9HXT", 0.97, Engine.PPOCR)
    weakest = [min(c.best.p for c in fuse(readings, MIXED).reading.chars) for readings in ([own], [own, other])]
    assert weakest[1] > weakest[0]


def test_where_engines_differ_there_is_doubt_and_both_are_offered() -> None:
    own = [spoken("7K4V9HXT", 0.9999, Engine.OWN)] * 2
    reading = fuse([*own, *[spoken("7K4U9HXT", 0.9999, Engine.PPOCR)] * 4], MIXED).reading
    assert reading.state is FieldState.DOUBTFUL
    assert reading.doubts == (3,)
    assert {c.glyph for c in reading.chars[3].candidates[:2]} == {"U", "V"}
    agreed = fuse([*own, *[spoken("7K4V9HXT", 0.9999, Engine.PPOCR)] * 4], MIXED).reading
    assert "".join(c.best.glyph for c in agreed.chars) == "7K4V9HXT"
    assert agreed.doubts in ((), (3,)), "V is often taken for U or W, so it may stay open; the others may not"
