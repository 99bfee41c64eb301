"""What `make bench-reading` tells of each tier and each print style, from results of pictures that were read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.bench.reading_tables import figures

SURE, HALF = [0.9995, 1], [0.5, 0]


def result(tier: str, styles: tuple[str, str], number: list[Any], pin: list[Any], ms: float) -> dict[str, Any]:
    """One card: its number read, its PIN left open."""
    return {
        "name": f"{tier} 1",
        "source": "fresh",
        "tier": tier,
        "styles": dict(zip(("number", "pin"), styles, strict=True)),
        "hidden": False,
        "fields": {"number": "exact", "pin": "abstained"},
        "barcodes": {"exact": 1},
        "chars": {"number": number, "pin": pin},
        "ms": {"ours": ms},
        "cpu_s": {"ours": ms / 500},
    }


@pytest.fixture
def told(tmp_path: Path) -> dict[str, Any]:
    results = [
        result("easy", ("mono", "dot"), [SURE] * 16, [HALF, SURE], 100.0),
        result("hard", ("dot", "dot"), [SURE] * 12, [HALF] * 6, 300.0),
    ]
    found = figures(results, tmp_path)["fresh"]
    assert (tmp_path / "reliability_fresh.png").is_file()
    return dict(found)


def test_each_tier_and_style_has_its_calibration_and_its_time(told: dict[str, Any]) -> None:
    groups = told["groups"]
    assert set(groups) == {"easy", "hard", "number dot", "number mono", "pin dot"}
    assert (groups["easy"]["chars"], groups["hard"]["chars"]) == (18, 18)
    assert (groups["easy"]["ms"]["p50"], groups["easy"]["cpu_s_a_card"]) == (100.0, 0.2)
    assert groups["pin dot"]["ms"]["p50"] == 200.0


def test_a_style_counts_the_characters_of_its_own_field(told: dict[str, Any]) -> None:
    groups = told["groups"]
    assert (groups["number dot"]["chars"], groups["number dot"]["found"]) == (12, 1.0)
    assert (groups["pin dot"]["chars"], groups["pin dot"]["found"]) == (8, 0.125)
    assert groups["pin dot"]["off"] == pytest.approx(7 / 8 * 0.5 + 1 / 8 * 0.0005, abs=1e-4)
    assert groups["number mono"]["off"] == pytest.approx(0.0005)


def test_each_style_tells_what_came_of_its_field(told: dict[str, Any]) -> None:
    assert told["styles"] == {"number dot": {"exact": 1}, "number mono": {"exact": 1}, "pin dot": {"abstained": 2}}
