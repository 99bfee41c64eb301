"""A scratch panel's state from pixels: the layer must be gone wherever a character may stand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from app.core.cards import PanelState
from app.rehearsal.pictures import render_scratch_sequence
from app.vision.panel import Area, find_panel, judge, prepare
from app.vision.rectify import CARD_H, CARD_W, PX_PER_MM

PANEL = Area(14 * PX_PER_MM, 18 * PX_PER_MM, 46 * PX_PER_MM, 8 * PX_PER_MM)
PITCH = 2.4 * PX_PER_MM


def card(scratched: tuple[float, float] | None) -> np.ndarray:
    """A card with a grey panel, paper showing between two shares of its length; "8" in every place that lies open."""
    rng = np.random.default_rng(5)
    picture = np.full((CARD_H, CARD_W, 3), (196, 214, 205), np.uint8)
    cv2.rectangle(picture, *_ends(PANEL), (150, 148, 146), -1)
    if scratched is not None:
        low, high = (PANEL.x + share * PANEL.w for share in scratched)
        inner = Area(low, PANEL.y + 0.16 * PANEL.h, high - low, 0.68 * PANEL.h)
        cv2.rectangle(picture, *_ends(inner), (236, 240, 238), -1)
        for x in np.arange(low + 0.4 * PITCH, high - 0.8 * PITCH, PITCH):
            cv2.putText(picture, "8", (int(x), int(PANEL.mid_y + 20)), cv2.FONT_HERSHEY_SIMPLEX, 1.9, (40, 38, 42), 4)
    return np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)


def _ends(area: Area) -> tuple[tuple[int, int], tuple[int, int]]:
    return (int(area.x), int(area.y)), (int(area.right), int(area.bottom))


def text_of(scratched: tuple[float, float]) -> Area:
    low, high = (PANEL.x + share * PANEL.w for share in scratched)
    return Area(low + 0.4 * PITCH, PANEL.mid_y - 24, high - low - 0.8 * PITCH, 48)


@pytest.mark.parametrize("scratched", [(0.05, 0.95), (0.1, 0.92)])
def test_an_open_panel(scratched: tuple[float, float]) -> None:
    lab = prepare(card(scratched))
    panel = find_panel(lab, text_of(scratched))
    assert panel is not None
    assert abs(panel.area.x - PANEL.x) < 8
    assert abs(panel.area.right - PANEL.right) < 8
    assert judge(lab, panel, text_of(scratched), PITCH) is PanelState.OPEN


@pytest.mark.parametrize("scratched", [(0.05, 0.55), (0.4, 0.95)])
def test_a_panel_open_at_one_end_only(scratched: tuple[float, float]) -> None:
    lab = prepare(card(scratched))
    panel = find_panel(lab, text_of(scratched))
    assert panel is not None
    assert judge(lab, panel, text_of(scratched), PITCH) is PanelState.PARTIAL


def test_an_untouched_panel() -> None:
    lab = prepare(card(None))
    panel = find_panel(lab, Area(PANEL.x + 3 * PX_PER_MM, PANEL.mid_y - 30, 12 * PX_PER_MM, 60))
    assert panel is not None
    assert judge(lab, panel, None, 0) is PanelState.COVERED


def test_scratches_without_legible_text_are_no_cover() -> None:
    lab = prepare(card((0.05, 0.95)))
    panel = find_panel(lab, text_of((0.05, 0.95)))
    assert panel is not None
    assert judge(lab, panel, None, 0) is PanelState.OPEN


def test_no_panel_on_plain_ground() -> None:
    plain = np.full((CARD_H, CARD_W, 3), 200, np.uint8)
    assert find_panel(prepare(plain), text_of((0.05, 0.95))) is None


def test_the_studio_offers_a_sequence_of_scratching() -> None:
    picture, labels = next(iter(render_scratch_sequence(3)))
    assert picture.ndim == 3
    assert labels["pin_state"] in {"covered", "partial"}
