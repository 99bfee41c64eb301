"""Whether a panel was scratched too hard: seen in the line as a whole, and what is doubted for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.core.cards import FieldState
from app.core.errors import BadInput
from app.core.products import Catalogue
from app.eye.oneshot import as_answer, conclude_picture
from app.rehearsal.dice import stream
from app.rehearsal.lines import LineStudio
from app.rehearsal.pictures import render_card_picture
from app.rehearsal.typefaces import load_faces
from app.vision.look import Looker
from app.vision.models import CHECKSUMS
from app.vision.panel.torn import MODEL, TORN, TornJudge


@pytest.fixture(scope="module")
def judge() -> TornJudge:
    return TornJudge()


def said(judge: TornJudge, state: str, count: int = 40) -> np.ndarray:
    """What is said of lines in faces that training never saw."""
    studio = LineStudio(tuple(face for face in load_faces(31) if face.held_out), 31, 64)
    kinds = ("mono", "sans", "ocr", "dot")
    lines = [studio.draw(stream(31, "torn", state, i), 0.3, kinds[i % 4], state).picture for i in range(count)]
    return np.array([judge.look(np.repeat(line[:, :, None], 3, axis=2)) for line in lines])


def test_scraped_lines_are_told_from_clean_ones_and_from_residue(judge: TornJudge) -> None:
    torn, clean, residue = (said(judge, state) for state in ("over", "plain", "residue"))
    assert (torn >= TORN).mean() >= 0.9
    assert (clean < TORN).mean() >= 0.8
    assert (residue < TORN).mean() >= 0.6


@pytest.mark.parametrize("size", [(1, 1), (8, 3), (300, 9), (20, 4000)])
def test_any_size_gets_a_probability(judge: TornJudge, size: tuple[int, int]) -> None:
    assert 0 <= judge.look(np.full((*size, 3), 200, np.uint8)) <= 1


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / MODEL).write_bytes(b"nothing")
    (tmp_path / CHECKSUMS).write_text(f"0 {MODEL}\n")
    with pytest.raises(BadInput, match="model_damaged"):
        TornJudge(tmp_path)


@pytest.mark.parametrize(
    ("seed", "state", "right"), [(5000348, FieldState.READ, True), (5000392, FieldState.DOUBTFUL, False)]
)
def test_a_stroke_is_missed_in_scraped_print_only(looker: Looker, seed: int, state: FieldState, right: bool) -> None:
    """Of an F below residue our views have a trace of an E, and of a C that scraping made of an O one of a zero."""
    picture, labels = render_card_picture(seed, "hard")
    found = conclude_picture(np.ascontiguousarray(picture), looker, Catalogue())
    assert found is not None
    assert found.pin.state is state
    assert ("".join(char.best.glyph for char in found.pin.chars) == labels["pin"]) is right


@pytest.mark.parametrize(("seed", "tier", "torn"), [(12000066, "typical", True), (5000348, "hard", False)])
def test_a_panel_that_was_scratched_too_hard_is_told(looker: Looker, seed: int, tier: str, torn: bool) -> None:
    picture, labels = render_card_picture(seed, tier)
    found = conclude_picture(np.ascontiguousarray(picture), looker, Catalogue())
    assert found is not None
    assert (labels["pin_state"] == "over") is torn
    assert found.torn is torn
    assert ("over-scratched" in as_answer(found)["warnings"]) is torn
