"""Both themes: enough contrast for every text, the three densities, icons for everything that is shown."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from itertools import product

import pytest

from app.paths import RESOURCES
from ui import samples
from ui.present import present
from ui.theme import COMPACT, LARGE, REGULAR, Themes, density_for, palette, style_sheet

TOKENS: dict[str, dict[str, str]] = json.loads((RESOURCES / "tokens.json").read_text("utf-8"))

PAIRS = [
    *product(("text", "text2", "text3"), ("window", "panel", "sunken")),
    *((tone, f"{tone}Tint") for tone in ("ok", "warn", "stop", "info", "train", "primary")),
    ("onPrimary", "primary"),
    ("panel", "stop"),
    ("onRec", "rec"),
    ("onCut", "cut"),
    ("onStage", "stage"),
    ("onStage2", "stage"),
    ("onStage2", "stagePanel"),
    ("onOverlay", "overlayOk"),
    ("onOverlay", "overlayWarn"),
    ("panel", "text"),
]


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_is_legible(theme: str) -> None:
    tokens = TOKENS[theme]
    low = {pair: round(contrast(tokens[pair[0]], tokens[pair[1]]), 2) for pair in PAIRS}
    assert {pair: value for pair, value in low.items() if value < 4.5} == {}


def test_control_borders_stand_out() -> None:
    for tokens in TOKENS.values():
        assert contrast(tokens["lineStrong"], tokens["panel"]) >= 3


def test_both_themes_have_the_same_tokens() -> None:
    assert set(TOKENS["light"]) == set(TOKENS["dark"])


@pytest.mark.parametrize(
    ("size", "density"),
    [((1366, 768), COMPACT), ((1440, 900), REGULAR), ((1399, 1000), COMPACT), ((1920, 1080), LARGE)],
)
def test_density_by_size(size: tuple[int, int], density: object) -> None:
    assert density_for(*size) is density


def _icons(value: object) -> set[str]:
    if isinstance(value, tuple):
        return {name for item in value for name in _icons(item)}
    if not is_dataclass(value):
        return set()
    own = {getattr(value, f.name) for f in fields(value) if f.name == "icon"}
    return own | {name for f in fields(value) for name in _icons(getattr(value, f.name))}


def test_every_icon_that_is_shown_is_there() -> None:
    names: set[str] = set()
    for sample in samples.samples():
        names |= _icons(present(sample.state, sample.around, samples.catalogue(), "zh"))
    there = {p.stem for p in (RESOURCES / "icons").glob("*.svg")}
    assert names - {""} <= there
    assert (RESOURCES / "icons" / "LICENSE.lucide").exists()


def test_style_sheet_and_palette_know_every_token() -> None:
    themes = Themes(RESOURCES)
    for theme in ("light", "dark"):
        look = themes.look(theme, REGULAR)
        assert TOKENS[theme]["lineStrong"] in style_sheet(look)
        assert palette(look).window().color().name().upper() == TOKENS[theme]["window"]
