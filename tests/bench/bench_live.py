"""How soon after it lies still a card of the sample film is answered, and whether every card is answered once.

The film of CARDINTAKE_DATA (`clip/`) is played against a clock of its own: while the eye works on one frame the film
goes on by the processor time that took (the eye has one thread, so that is what it takes beside a recorder that leaves
it a core), and the frames that pass meanwhile are never seen. A busy machine therefore changes little.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from statistics import median
from typing import Any

from app.catalog.templates import load_products
from app.core.cards import CardRead, FieldReading, FieldState
from app.core.products import Catalogue
from app.eye.oneshot import make_looker
from app.eye.replay import film
from app.eye.watcher import Watcher

GOAL_S = 1.5
US = 1_000_000

Read = tuple[float, CardRead]
"""A card's answer and the second of the film at which it came."""


def main() -> dict[str, Any]:
    """Measure, print a line a card, give the figures."""
    data = os.environ.get("CARDINTAKE_DATA")
    if not data:
        return {"skipped": "CARDINTAKE_DATA is not set"}
    folder = Path(data) / "clip"
    labels = json.loads((folder / "clip.json").read_text(encoding="utf-8"))
    reads, busy = play(folder / labels["file"])
    cards = [judged(card, reads) for card in labels["cards"]]
    for card in cards:
        print(json.dumps(card))
    waits = [card["after_still_s"] for card in cards if card["answers"]]
    return {
        "cards": len(cards),
        "answered_once": sum(card["answers"] == 1 for card in cards),
        "answers": len(reads),
        "wrong": sum(len(card["wrong"]) for card in cards),
        "asked": sum(len(card["asked"]) for card in cards),
        "open": sum(len(card["open"]) for card in cards),
        "after_still_s": {"median": median(waits), "most": max(waits)} if waits else None,
        "within_goal": sum(wait <= GOAL_S for wait in waits),
        "busy": busy,
        "each": cards,
    }


def play(video: Path) -> tuple[list[Read], float]:
    """Every answer with its time, and the share of the film in which the eye was at work."""
    known = Catalogue(load_products(Path(__file__).parents[2] / "resources" / "templates"))
    watcher = Watcher(make_looker(known, 1), known)
    reads: list[Read] = []
    free_us, worked_s, end_us = 0.0, 0.0, 0
    for glimpse in film(video):
        end_us = glimpse.at_us
        if glimpse.at_us < free_us:
            continue
        began = time.process_time()
        told = watcher.see(glimpse)
        cost_s = time.process_time() - began
        worked_s += cost_s
        free_us = glimpse.at_us + cost_s * US
        reads += [(free_us / US, message) for message in told if isinstance(message, CardRead)]
    return reads, round(worked_s / (end_us / US), 2)


def judged(label: dict[str, Any], reads: list[Read]) -> dict[str, Any]:
    """What was answered of one card of the film while it could be seen."""
    here = [(at, read) for at, read in reads if label["move_in"] <= read.best_us / US <= label["out_end"]]
    told: dict[str, Any] = {"order": label["order"], "answers": len(here), "wrong": [], "asked": [], "open": []}
    if not here:
        return told
    at, read = here[0]
    told["after_still_s"] = round(at - label["still_start"], 2)
    gtin = label["gtin"]
    wanted = {"gtin": gtin and gtin.zfill(14), **{name: label[name] for name in ("number", "pin", "expiry")}}
    wanted["face_value"] = label["face_value"] and label["face_value"] * 100
    got = {
        "gtin": read.gtin,
        "number": _clear(read.number),
        "pin": _clear(read.pin),
        "expiry": read.expiry and read.expiry.isoformat(),
        "face_value": read.face_value_fen,
    }
    doubtful = {n for n, r in (("number", read.number), ("pin", read.pin)) if r.state is FieldState.DOUBTFUL}
    for name, value in got.items():
        if value is not None and value != wanted[name]:
            told["wrong"].append(name)
        elif value is None and wanted[name] is not None:
            told["asked" if name in doubtful else "open"].append(name)
    return told


def _clear(reading: FieldReading) -> str | None:
    return "".join(c.best.glyph for c in reading.chars) if reading.state is FieldState.READ else None


if __name__ == "__main__":
    print(json.dumps(main(), indent=1))
