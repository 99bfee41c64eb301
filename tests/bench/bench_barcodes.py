"""How many symbols are found, beside zxing-cpp and zbar alone on the same pictures in the same run.

Real photographs when CARDINTAKE_DATA names the sample data, and cards rendered here with seeds that nothing was tuned
on. The photographs are split by the hash of their name: thresholds were set on the half called `tuned`, so `judged`
is the half that proves something. `false` counts texts that are on no label; `gtin wrong` is the unforgivable one.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from app.rehearsal.pictures import render_card_picture
from app.vision.card.locate import Found, locate
from app.vision.picture.pixels import Colour, grey, load_picture
from app.vision.picture.rectify import rectify
from app.vision.symbols.barcode import Hit, distinct, gtin, read_zbar, read_zxing
from app.vision.symbols.cardcodes import read_card_codes
from app.vision.symbols.search import search_codes

TIERS = ("easy", "typical", "hard")
FIRST_SEED = 41_000

Counts = dict[str, Counter[str]]


def main() -> dict[str, Any]:
    """Measure, print the tables, give the figures."""
    data = os.environ.get("CARDINTAKE_DATA")
    a_tier = int(os.environ.get("CARDINTAKE_BENCH_CARDS", "12"))
    times: dict[str, list[float]] = defaultdict(list)
    figures: dict[str, Any] = {"cards a tier": a_tier, "rendered": _rendered(a_tier, times)}
    if data:
        figures["photographs"] = _photographs(Path(data) / "barcodes", times)
    figures["cpu ms"] = {k: [round(float(q), 1) for q in np.percentile(v, (50, 95))] for k, v in times.items()}
    print(json.dumps(figures["cpu ms"]), file=sys.stderr)
    return figures


def read_codes(picture: Colour) -> list[Hit]:
    """The symbols of one picture, in the order of readers that `cardintake read` has."""
    located = locate(picture)
    hits: list[Hit] = []
    if located.corners is not None and located.found is not Found.TOO_FAR:
        card = rectify(picture, located.corners)
        hits = list(read_card_codes(grey(picture), grey(card), located.corners).hits)
    return hits or search_codes(grey(picture))


def _rendered(a_tier: int, times: dict[str, list[float]]) -> dict[str, Any]:
    counts: Counts = defaultdict(Counter)
    for tier in TIERS:
        for seed in range(FIRST_SEED, FIRST_SEED + a_tier):
            picture, labels = render_card_picture(seed, tier)
            wanted = {b["text"]: b["format"] for b in labels["barcodes"]}
            right = {labels["gtin"].zfill(14)} if labels["gtin"] else set()
            rows = {text: (tier, f"{tier} {format}") for text, format in wanted.items()}
            _count(counts, np.ascontiguousarray(picture), rows, set(), right, tier, times)
    return _told(counts)


def _photographs(folder: Path, times: dict[str, list[float]]) -> dict[str, Any]:
    counts: Counts = defaultdict(Counter)
    for line in (folder / "labels.jsonl").read_text(encoding="utf-8").splitlines():
        labels = json.loads(line)
        half = "tuned" if hashlib.sha256(labels["file"].encode()).digest()[0] % 2 == 0 else "judged"
        name = f"{labels['tier']} {half}"
        also = {b["text"] for b in labels["also"]}
        rows = {b["text"]: (name, f"all {half}") for b in labels["barcodes"]}
        right = {text.zfill(14) for text in (also | set(rows)) if text.isdigit()}
        _count(counts, load_picture(folder / labels["file"]), rows, also, right, name, times)
    return _told(counts)


def _count(
    counts: Counts,
    picture: Colour,
    rows: dict[str, tuple[str, ...]],
    also: set[str],
    right: set[str],
    name: str,
    times: dict[str, list[float]],
) -> None:
    """Count one picture's symbols: `rows` says into which rows a label's text counts."""
    start = time.process_time()
    hits = read_codes(picture)
    times[f"ours {name}"].append((time.process_time() - start) * 1000)
    seen = {"ours": {b.text for b in distinct(hits)}}
    for peer, reader in (("zxing", read_zxing), ("zbar", read_zbar)):
        start = time.process_time()
        seen[peer] = {h.text for h in reader(grey(picture), "raw")}
        times[peer].append((time.process_time() - start) * 1000)
    for text, tables in rows.items():
        for table in tables:
            counts[table].update({"symbols": 1, **{who: int(text in texts) for who, texts in seen.items()}})
    for who, texts in seen.items():
        counts[name][f"{who} false"] += len(texts - set(rows) - also)
    found = gtin(hits)
    if found is not None:
        counts[name]["gtin right" if found in right else "gtin wrong"] += 1


def _told(counts: Counts) -> dict[str, Any]:
    for name, row in sorted(counts.items()):
        print(f"{name:20s}", dict(row), file=sys.stderr)
    return {name: dict(row) for name, row in sorted(counts.items())}


if __name__ == "__main__":
    print(json.dumps(main(), ensure_ascii=False, indent=1))
