"""What counts as a sight of a PIN: no slip of one engine, and nothing that a card or a parcel may show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from app.catalog.shelf import shipped
from app.eye.leaks import Curious, as_job
from app.eye.oneshot import make_looker
from app.eye.thief import HOUSE, TESSERACT, Held, Sight, Thief, believable
from app.rehearsal.deck import DECKS, load_deck
from app.rehearsal.footage import SIZES, Film, build_scene, scene_labels
from app.rehearsal.products import load_studio_products
from app.rehearsal.timeline import FPS
from app.vision.text import third_opinion


def sight(engine: str = HOUSE, how: str = "pattern", digits: int = 4, mark: str = "a") -> Sight:
    return Sight(engine, how, 8, digits, mark)


@pytest.mark.parametrize(
    ("seen", "before", "counts"),
    [
        ([sight()], [], 0),
        ([sight(how="field")], [], 1),
        ([sight(TESSERACT, "label")], [], 1),
        ([sight(), sight(TESSERACT)], [], 2),
        ([sight(), sight(TESSERACT, mark="b")], [], 0),
        ([sight()], [sight()], 1),
        ([sight(TESSERACT)], [sight(TESSERACT)], 1),
        ([sight(TESSERACT, digits=1)], [sight(TESSERACT, digits=1)], 0),
    ],
)
def test_one_engine_once_is_not_believed(seen: list[Sight], before: list[Sight], counts: int) -> None:
    assert len(believable(seen, before)) == counts


def test_a_doubtful_picture_is_followed_by_one_more_and_no_others() -> None:
    curious = Curious()
    told = []
    for doubtful in (True, True, False, True):
        curious.saw(doubtful)
        told.append(curious.left)
    assert told == [1, 0, 0, 1]


def test_a_job_does_not_print_its_key() -> None:
    job = as_job('{"folder": "r-1", "key": "c0ffee", "bound": [["1", "p"]], "harmless": ["SF1"]}')
    assert (job.harmless, job.bound, job.from_us) == (("SF1",), (("1", "p"),), 0)
    assert "c0ffee" not in repr(job)


@pytest.mark.skipif(not third_opinion.installed(), reason="no Tesseract here")
def test_tesseract_reads_a_picture_through_a_pipe_and_its_end_is_no_opinion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = np.full((200, 700, 3), 255, np.uint8)
    cv2.putText(picture, "PIN 83749261", (30, 120), cv2.FONT_HERSHEY_SIMPLEX, 2.4, (0, 0, 0), 5, cv2.LINE_AA)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    lines = third_opinion.all_lines(picture)
    assert lines is not None
    assert any("83749261" in line for line in lines)
    assert list(tmp_path.iterdir()) == []
    dying = tmp_path / "tesseract"
    dying.write_text("#!/bin/sh\nkill -FPE $$\n")
    dying.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert third_opinion.all_lines(picture) is None
    dying.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(third_opinion, "_PAGE_TIMEOUT_S", 0.2)
    assert third_opinion.all_lines(picture) is None


@pytest.fixture(scope="module")
def thief() -> Thief:
    catalogue = shipped()
    return Thief(make_looker(catalogue), catalogue)


READ = (
    ("482913", 1),
    ("4829 13", 1),
    ("2029-02-", 0),  # the day is covered
    ("2029-02", 0),
    ("2029 02", 1),
    ("2029-17", 1),
    ("有效期至 2029-02-14", 0),
    ("PIN 2029-02", 1),
    ("4829-1374-5561", 1),  # passed for a telephone number
    ("912345678901", 1),
    ("0755-8888-9999", 0),
    ("400-820-8888", 0),
    ("95588 123 4567", 0),
)


@pytest.mark.parametrize(("text", "sights"), READ)
def test_a_date_or_a_telephone_number_is_no_pin_and_no_pin_passes_for_one(
    thief: Thief, monkeypatch: pytest.MonkeyPatch, text: str, sights: int
) -> None:
    monkeypatch.setattr(third_opinion, "all_lines", lambda _picture: [text])
    assert len(thief.read(np.full((120, 160, 3), 120, np.uint8), ())) == sights


def card_on_the_table() -> tuple[np.ndarray, dict[str, Any]]:
    """A scratched card as the demo films it, and the truth."""
    products = load_studio_products()
    deck = load_deck(DECKS / "ten_cards.toml", products)
    scene = build_scene(replace(deck, cards=deck.cards[:1], declared_count=1), products, SIZES["720p"])
    card = scene_labels(scene, "", SIZES["720p"])["cards"][0]
    planes = Film(scene).frame(round((card["still_start_s"] + card["still_end_s"]) / 2 * FPS))
    return cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420), card


def covered(picture: np.ndarray, quad: list[list[float]], begin: float, end: float) -> np.ndarray:
    """The picture with a block over a field from so much of its length on, up to so much."""
    a, b, c, d = (np.array(point) for point in quad)
    block = [a + (b - a) * begin, a + (b - a) * end, d + (c - d) * end, d + (c - d) * begin]
    done = picture.copy()
    cv2.fillPoly(done, [np.round(np.array(block)).astype(np.int32)], (40, 40, 40))
    return done


def found_in(thief: Thief, *pictures: np.ndarray) -> list[list[Sight]]:
    """What the leak check would hold a recording of these pictures for."""
    before: list[Sight] = []
    held, told = Held(thief, 6), []
    for n, picture in enumerate(pictures):
        seen = thief.read(picture, ())
        told += held.put(n, believable(seen, before))
        before += seen
    return [found for _, found in (*told, *held.rest())]


@pytest.mark.timeout(900)
@pytest.mark.skipif(not third_opinion.installed(), reason="no Tesseract here")
def test_half_a_card_number_is_explained_by_the_whole_one_and_a_pin_is_not(thief: Thief) -> None:
    """Behind a mask that comes or goes. Without the whole number it stays a finding; so does the PIN, always."""
    picture, card = card_on_the_table()
    masked = covered(picture, card["panel_quad"], -0.1, 1.1)
    half = covered(masked, card["number_quad"], -0.6, 0.55)
    (alone,) = found_in(thief, half)
    assert alone
    assert found_in(thief, half, masked) == [[], []]
    open_half = covered(picture, card["number_quad"], -0.6, 0.55)
    shown = found_in(thief, open_half, masked)
    assert {sight.length for sight in shown[0]} == {len(card["pin"])}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("height", [14, 20, 32])
def test_a_pin_that_lies_beside_a_card_is_found_whatever_its_size(thief: Thief, height: int) -> None:
    picture, card = card_on_the_table()
    masked = covered(picture, card["panel_quad"], -0.1, 1.1)
    slip = np.full((3 * height, 12 * height, 3), 245, np.uint8)
    face, scale = cv2.FONT_HERSHEY_SIMPLEX, height / 22
    cv2.putText(slip, "83749261", (height, 2 * height), face, scale, (20, 20, 20), max(1, height // 10), cv2.LINE_AA)
    masked[20 : 20 + slip.shape[0], 20 : 20 + slip.shape[1]] = slip
    found = found_in(thief, masked, masked)
    assert any(sight.length == 8 for sights in found for sight in sights)
