"""What is stated of cards of which a picture hides the end of a line: cropped through number or PIN, or covered there.

Fresh easy and typical cards, unknown products, each hidden in fourteen ways (`tests/hiding.py`). `wrong`: a number or a
PIN that is not the card's, stated as sure; `right`: the hidden field read all the same, from a symbol, or that of the
card above.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from app.core.products import Catalogue
from app.eye.oneshot import make_looker, read_picture
from app.rehearsal.pictures import render_card_picture
from app.vision.picture.pixels import Colour
from tests.hiding import TONES, Labels, covered, cropped, under_a_card, under_a_finger, under_slanting_paper

CARDS = int(os.environ.get("CARDINTAKE_BENCH_CARDS", "15"))
"""Cards a tier."""

SEED = 20_400_000
SHARES = {"number": 0.78, "pin": 0.6}
SLANT = 0.6  # radians


def main() -> dict[str, Any]:
    """Read, print the table, give the figures."""
    looker, counts, wrong = make_looker(Catalogue(), 2), dict[str, Counter[str]](), list[str]()
    for tier in ("easy", "typical"):
        for seed in range(SEED, SEED + CARDS):
            picture, labels = render_card_picture(seed, tier, "clean")
            for kind, field, hidden, above in _hidden(np.ascontiguousarray(picture), labels, seed):
                said = read_picture(hidden, looker, Catalogue())
                result = _judged(said, labels, above, field)
                counts.setdefault(kind, Counter())[result] += 1
                if result == "wrong":
                    wrong.append(f"{tier} {seed} {field} {kind}")
    for kind, row in counts.items():
        print(f"{kind:8s} wrong {row['wrong']}  right {row['right']}  open {row['open']}", file=sys.stderr)
    return {"kinds": {kind: dict(row) for kind, row in counts.items()}, "wrong": wrong}


def _hidden(picture: Colour, labels: Labels, seed: int) -> Iterator[tuple[str, str, Colour, Labels]]:
    """Ways to hide the card's lines: kind, field, picture, and the labels of a card that lies above."""
    above, its = render_card_picture(seed + 500_000, "easy", "clean")
    for field in [name for name in SHARES if labels.get(name) and labels.get(f"{name}_quad")]:
        share = SHARES[field]
        yield "cropped", field, cropped(picture, labels, field, share), {}
        for kind in TONES:
            yield kind, field, covered(picture, labels, field, kind, share), {}
        yield "finger", field, under_a_finger(picture, labels, field, share), {}
        yield "slant", field, under_slanting_paper(picture, labels, field, share, SLANT), {}
        yield "card", field, under_a_card(picture, labels, field, (np.ascontiguousarray(above), its), share), its


def _judged(said: dict[str, Any], labels: Labels, above: Labels, hidden: str) -> str:
    wrong = any(said[name] not in (None, labels[name], above.get(name)) for name in SHARES)
    mixed = above and said["number"] == labels["number"] and said["pin"] == above["pin"]
    if wrong or mixed:
        return "wrong"
    return "open" if said[hidden] is None else "right"


if __name__ == "__main__":
    print(json.dumps(main(), ensure_ascii=False, indent=1))
