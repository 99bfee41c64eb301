"""How well and how fast cards are read, beside zxing-cpp, zbar and RapidOCR alone on the same pictures in the same run.

On the sample data when CARDINTAKE_DATA names its folder, else on cards rendered here. CARDINTAKE_BENCH_STEP=3 takes
every third picture. `wrong` means an answer given as sure that is not the label: the only unforgivable result.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rapidocr import RapidOCR

from app.catalog.templates import load_products
from app.core.products import Catalogue
from app.eye.oneshot import make_looker, read_picture
from app.rehearsal.pictures import render_card_picture
from app.vision.barcode import read_zbar, read_zxing
from app.vision.pixels import Colour, grey, load_picture

FIELDS = ("gtin", "number", "pin", "expiry", "face_value", "pin_state")
TIERS = ("easy", "typical", "hard")
STATES = {"clean": "open", "residue": "open", "over": "open"}
RENDERED_A_TIER = 12
THREADS = 2

Labels = dict[str, Any]


def main() -> dict[str, Any]:
    """Measure, print the tables, give the figures."""
    data = os.environ.get("CARDINTAKE_DATA")
    step = int(os.environ.get("CARDINTAKE_BENCH_STEP", "1"))
    products = load_products(Path(__file__).parents[2] / "resources" / "templates")
    catalogue = Catalogue(products)
    looker = make_looker(catalogue, THREADS)

    def ours(picture: Colour) -> dict[str, Any]:
        return read_picture(picture, looker, catalogue)

    figures: dict[str, Any] = {"pictures": "sample data" if data else "rendered", "threads": THREADS}
    figures["cards"] = _cards(ours, _sample_cards(Path(data), step) if data else _rendered_cards())
    if data:
        figures["barcodes"] = _barcodes(ours, Path(data) / "barcodes", step)
    return figures


def _sample_cards(data: Path, step: int) -> Iterator[tuple[Colour, Labels]]:
    folder = data / "cards"
    lines = (folder / "labels.jsonl").read_text(encoding="utf-8").splitlines()
    for line in lines[::step]:
        labels = json.loads(line)
        yield load_picture(folder / labels["file"]), labels


def _rendered_cards() -> Iterator[tuple[Colour, Labels]]:
    for tier in TIERS:
        for seed in range(9000, 9000 + RENDERED_A_TIER):
            picture, labels = render_card_picture(seed, tier)
            yield np.ascontiguousarray(picture), {**labels, "tier": tier, "file": f"{tier} {seed}"}


def _cards(ours: Callable[[Colour], dict[str, Any]], cards: Iterator[tuple[Colour, Labels]]) -> dict[str, Any]:
    ocr = RapidOCR(params={"Global.log_level": "critical"})
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    peers: dict[str, Counter[str]] = defaultdict(Counter)
    times: dict[str, list[float]] = defaultdict(list)
    failures: dict[str, list[str]] = defaultdict(list)
    for picture, labels in cards:
        answer = _timed(times["ours"], lambda picture=picture: ours(picture))
        _compare(answer, labels, counts, failures)
        _ask_peers(ocr, picture, labels, peers, times)
    _print_table(counts, peers, times)
    return {
        "fields": {k: dict(v) for k, v in sorted(counts.items())},
        "peers": {k: dict(v) for k, v in sorted(peers.items())},
        "ms": {k: _quantiles(v) for k, v in times.items()},
        "of_rapidocr": round(statistics.median(times["ours"]) / statistics.median(times["rapidocr"]), 2),
        "failures": dict(sorted(failures.items())),
    }


def _wanted(labels: Labels) -> dict[str, Any]:
    gtin = labels.get("gtin")
    return {
        **{name: labels.get(name) for name in ("number", "pin", "expiry", "face_value")},
        "gtin": gtin.zfill(14) if gtin else None,
        "pin_state": STATES.get(labels["pin_state"], labels["pin_state"]),
    }


def _compare(
    answer: dict[str, Any], labels: Labels, counts: dict[str, Counter[str]], failures: dict[str, list[str]]
) -> None:
    wanted = _wanted(labels)
    for name in FIELDS:
        got, right = answer[name], wanted[name]
        result = "exact" if got == right else "abstained" if got is None else "wrong"
        counts[f"{name} {labels['tier']}"][result] += 1
        if result != "exact":
            failures[f"{name} {result}"].append(labels["file"])
    codes = {b["text"] for b in labels["barcodes"]}
    seen = {b["text"] for b in answer["barcodes"]}
    counts[f"barcodes {labels['tier']}"].update(
        exact=len(codes & seen), abstained=len(codes - seen), wrong=len(seen - codes)
    )


def _ask_peers(
    ocr: RapidOCR, picture: Colour, labels: Labels, peers: dict[str, Counter[str]], times: dict[str, list[float]]
) -> None:
    shade, tier = grey(picture), labels["tier"]
    codes = {b["text"] for b in labels["barcodes"]}
    for name, reader in (("zxing", read_zxing), ("zbar", read_zbar)):
        hits = _timed(times[name], lambda reader=reader: reader(shade, "raw"))
        peers[f"{name} {tier}"].update(exact=len(codes & {h.text for h in hits}), all=len(codes))
    texts = _timed(times["rapidocr"], lambda: ocr(picture)).txts or ()
    plain = {re.sub(r"[^0-9A-Z]", "", text.upper()) for text in texts}
    for field in ("number", "pin"):
        if labels.get(field):
            found = any(p.endswith(labels[field]) for p in plain)
            peers[f"rapidocr {field}, any line, {tier}"].update(exact=int(found), all=1)


def _barcodes(ours: Callable[[Colour], dict[str, Any]], folder: Path, step: int) -> dict[str, Any]:
    """Real photographs of symbols: found by us, by each reader alone; false reads; wrong GTINs."""
    counts: Counter[str] = Counter()
    for line in (folder / "labels.jsonl").read_text(encoding="utf-8").splitlines()[::step]:
        labels = json.loads(line)
        picture = load_picture(folder / labels["file"])
        right = {b["text"] for b in labels["barcodes"]}
        allowed = right | {b["text"] for b in labels["also"]}
        answer = ours(picture)
        seen = {"ours": {b["text"] for b in answer["barcodes"]}}
        for name, reader in (("zxing", read_zxing), ("zbar", read_zbar)):
            seen[name] = {h.text for h in reader(grey(picture), "raw")}
        counts["all"] += len(right)
        for name, texts in seen.items():
            counts[f"{name} exact"] += len(right & texts)
            counts[f"{name} false"] += len(texts - allowed)
        if answer["gtin"] is not None:
            fine = {text.zfill(14) for text in allowed if text.isdigit()}
            counts["gtin right" if answer["gtin"] in fine else "gtin wrong"] += 1
    print("real photographs", dict(counts), file=sys.stderr)
    return dict(counts)


def _timed(times: list[float], work: Callable[[], Any]) -> Any:
    start = time.perf_counter()
    result = work()
    times.append((time.perf_counter() - start) * 1000)
    return result


def _quantiles(times: list[float]) -> dict[str, float]:
    p50, p95 = np.percentile(times, (50, 95))
    return {"p50": round(float(p50), 1), "p95": round(float(p95), 1)}


def _print_table(
    counts: dict[str, Counter[str]], peers: dict[str, Counter[str]], times: dict[str, list[float]]
) -> None:
    for name, counter in sorted(counts.items()):
        cells = "  ".join(f"{k} {counter[k]:3d}" for k in ("exact", "wrong", "abstained"))
        print(f"{name:22s} {cells}", file=sys.stderr)
    for name, counter in sorted(peers.items()):
        print(f"{name:40s} {counter['exact']:3d} of {counter['all']}", file=sys.stderr)
    for name, values in times.items():
        print(f"{name:22s} ms {_quantiles(values)}", file=sys.stderr)


if __name__ == "__main__":
    print(json.dumps(main(), ensure_ascii=False, indent=1))
