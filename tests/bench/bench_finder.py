"""How exactly the card is found: overlap with the true outline, tier by tier and situation by situation.

On the sample data when CARDINTAKE_DATA names its folder, and on pictures rendered here with seeds used nowhere else.
`near` counts outlines that overlap the true one by at least 0.9; `said` right words (one, two, too far, cut off, none).
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from app.rehearsal.pictures import TIERS, render_card_picture
from app.rehearsal.scenes import SITUATIONS, render_scene
from app.vision.card.locate import Found, locate
from app.vision.card.outline import overlap
from app.vision.picture.pixels import Colour, load_picture

NEAR = 0.9
CARDS_A_TIER = int(os.environ.get("CARDINTAKE_BENCH_CARDS", "30"))
SCENES = int(os.environ.get("CARDINTAKE_BENCH_SCENES", "4"))
"""Rendered cards a tier, and pictures a situation and tier."""

Labels = dict[str, Any]


@dataclass
class Tally:
    """What was measured of one group of pictures."""

    overlaps: list[float] = field(default_factory=list)
    said: list[bool] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """Counts and shares as plain data."""
        seen = np.array(self.overlaps)
        return {
            "pictures": len(self.said),
            "near": round(float((seen >= NEAR).mean()), 3) if len(seen) else None,
            "median": round(float(np.median(seen)), 4) if len(seen) else None,
            "said": round(float(np.mean(self.said)), 3),
            "missed": self.missed,
        }


def main() -> dict[str, Any]:
    """Measure, print the table, give the figures."""
    tallies: dict[str, Tally] = defaultdict(Tally)
    cpu_ms: list[float] = []
    data = os.environ.get("CARDINTAKE_DATA")
    for group, name, picture, labels in (*(_sample(Path(data)) if data else ()), *_cards(), *_scenes()):
        start = time.process_time()
        located = locate(picture)
        cpu_ms.append((time.process_time() - start) * 1000)
        _score(tallies[group], name, labels, located.found, located.corners)
    figures = {group: tally.figures() for group, tally in sorted(tallies.items())}
    for group, row in figures.items():
        print(f"{group:22s} {row['pictures']:4d}  near {row['near']}  said {row['said']}", file=sys.stderr)
    p50, p95 = np.percentile(cpu_ms, (50, 95))
    return {"groups": figures, "cpu_ms": {"p50": round(float(p50), 1), "p95": round(float(p95), 1)}}


def _sample(data: Path) -> Iterator[tuple[str, str, Colour, Labels]]:
    for line in (data / "cards" / "labels.jsonl").read_text(encoding="utf-8").splitlines():
        labels = json.loads(line)
        yield f"sample {labels['tier']}", labels["file"], load_picture(data / "cards" / labels["file"]), labels


def _cards() -> Iterator[tuple[str, str, Colour, Labels]]:
    for tier in TIERS:
        for seed in range(83_000, 83_000 + CARDS_A_TIER):
            picture, labels = render_card_picture(seed, tier)
            yield f"rendered {tier}", f"{tier} {seed}", np.ascontiguousarray(picture), labels


def _scenes() -> Iterator[tuple[str, str, Colour, Labels]]:
    for situation in SITUATIONS:
        for tier in TIERS:
            for seed in range(84_000, 84_000 + SCENES):
                picture, labels = render_scene(seed, situation, tier)
                yield f"scene {situation}", f"{situation} {tier} {seed}", np.ascontiguousarray(picture), labels


def _score(tally: Tally, name: str, labels: Labels, found: Found, corners: Colour | None) -> None:
    said = found == labels.get("found", "one")
    tally.said.append(said)
    near = True
    if labels["card_quad"] is not None and found is not Found.TWO:
        seen = 0.0 if corners is None else overlap(np.array(labels["card_quad"], np.float32), corners)
        tally.overlaps.append(seen)
        near = seen >= NEAR
    if not (said and near):
        tally.missed.append(name)


if __name__ == "__main__":
    print(json.dumps(main(), ensure_ascii=False, indent=1))
