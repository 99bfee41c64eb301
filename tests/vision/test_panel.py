"""A scratch panel's place from pixels."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from app.core.errors import BadInput
from app.rehearsal.pictures import render_card_picture
from app.vision.panel.finder import PanelFinder, PanelMap, find_text
from app.vision.picture.area import Area
from app.vision.picture.pixels import Colour, grey
from app.vision.picture.rectify import CARD_H, CARD_W, rectify

CELL_W, CELL_H = CARD_W / 160, CARD_H / 100
PANEL = Area(20 * CELL_W, 30 * CELL_H, 80 * CELL_W, 16 * CELL_H)


def drawn(*opened: tuple[int, int]) -> PanelMap:
    """A map with one panel whose cells between these columns lie open over its middle rows."""
    coat = np.full((100, 160), 0.01, np.float32)
    free = np.full((100, 160), 0.01, np.float32)
    coat[30:46, 20:100] = 0.97
    for first, end in opened:
        coat[33:43, first:end], free[33:43, first:end] = 0.03, 0.96
    return PanelMap(coat, free)


def test_a_panel_is_found_to_a_fraction_of_a_cell() -> None:
    (panel,) = drawn((24, 96)).panels()
    assert abs(panel.area.x - PANEL.x) < CELL_W / 2
    assert abs(panel.area.right - PANEL.right) < CELL_W / 2
    assert abs(panel.area.y - PANEL.y) < CELL_H / 2
    assert panel.support > 0.9


def test_specks_and_lines_are_no_panels() -> None:
    nothing = np.full((100, 160), 0.01, np.float32)
    speck = nothing.copy()
    speck[10:13, 10:13] = 0.9
    speck[50:51, 10:150] = 0.9
    assert PanelMap(speck, nothing).panels() == ()


@cache
def finder() -> PanelFinder:
    return PanelFinder()


def card_of(seed: int, state: str, any_panel: bool = True) -> tuple[Colour, Area, Area]:
    """A rendered card straightened at its true corners, its panel and its PIN."""
    picture, labels = render_card_picture(seed, "easy", state, any_panel)
    corners = np.array(labels["card_quad"], np.float32)
    card = rectify(np.ascontiguousarray(picture), corners)
    return card, _area(corners, labels["panel_quad"]), _area(corners, labels["pin_quad"])


def _area(corners: np.ndarray, quad: list[list[float]]) -> Area:
    """A quad of the picture as an upright area of the straightened card."""
    low, high = corners[0], corners[2]
    along, down = corners[1] - low, corners[3] - low
    places = np.linalg.solve(np.stack([along, down], axis=1), (np.array(quad) - low).T).T * (CARD_W, CARD_H)
    x, y = places.min(axis=0)
    right, bottom = places.max(axis=0)
    assert np.linalg.norm(high - low - along - down) < 40  # nearly a parallelogram: good for a few pixels
    return Area(float(x), float(y), float(right - x), float(bottom - y))


def overlap(one: Area, other: Area) -> float:
    shared = one.share_of(other) * other.w * other.h
    return shared / (one.w * one.h + other.w * other.h - shared)


@pytest.mark.parametrize("state", ["covered", "marked", "partial", "clean", "residue", "over", "cleared"])
def test_the_network_finds_rendered_panels_of_any_coat(state: str) -> None:
    card, truth, _ = card_of(4100, state)
    found = finder().see(card).panels()
    assert found
    assert max(overlap(p.area, truth) for p in found) > 0.6


def test_either_way_up() -> None:
    card, truth, _ = card_of(4101, "clean", any_panel=False)
    turned = np.ascontiguousarray(card[::-1, ::-1])
    there = Area(CARD_W - truth.right, CARD_H - truth.bottom, truth.w, truth.h)
    assert max(overlap(p.area, there) for p in finder().see(turned).panels()) > 0.6


def test_a_line_that_the_line_finder_missed_is_found_by_its_ink() -> None:
    card, truth, pin = card_of(4104, "clean", any_panel=False)
    found = find_text(card, truth, finder().see(card))
    assert found is not None
    assert abs(found.mid_y - pin.mid_y) < 0.35 * pin.h
    assert found.share_of(pin) > 0.75


def test_no_panel_on_plain_ground() -> None:
    assert finder().see(np.full((CARD_H, CARD_W, 3), 200, np.uint8)).panels() == ()


def test_a_damaged_network_is_told(tmp_path: Path) -> None:
    (tmp_path / "panel.onnx").write_bytes(b"nothing")
    (tmp_path / "SHA256SUMS").write_text("0 panel.onnx\n")
    with pytest.raises(BadInput, match="model_damaged"):
        PanelFinder(tmp_path)


def test_grey_cards_are_seen_too() -> None:
    card, truth, _ = card_of(4105, "clean", any_panel=False)
    flat = np.repeat(grey(card)[:, :, None], 3, axis=2)
    assert max((overlap(p.area, truth) for p in finder().see(flat).panels()), default=0.0) > 0.5
