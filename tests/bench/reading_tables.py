"""Tables of what `bench_reading` measured: fields, print styles, reliability, what was offered, times, failures.

Fields are told by tier and by print style; so are (`groups`) the calibration of the characters and what a card takes.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

BINS = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.001)
_SIDE = 360

Result = dict[str, Any]
Pair = tuple[float, int]


def figures(results: list[Result], folder: Path) -> dict[str, Any]:
    """All figures; the tables are printed, the reliability diagram is drawn into the folder."""
    found: dict[str, Any] = {}
    for source in sorted({r["source"] for r in results}):
        part = [r for r in results if r["source"] == source]
        rows = reliability(_chars(part))
        found[source] = {
            "fields": _counted((f"{name} {r['tier']}", told) for r in part for name, told in r["fields"].items()),
            "styles": _counted((f"{f} {r['styles'][f]}", r["fields"][f]) for r in part for f in ("number", "pin")),
            "hidden": _counted((r["tier"], r["fields"]["pin"]) for r in part if r["hidden"]),
            "barcodes": _summed((r["tier"], r["barcodes"]) for r in part),
            "offered": _counted((f"{f} {r['tier']}", how) for r in part for f, how in r.get("offered", {}).items()),
            "reliability": rows,
            "groups": groups(part),
            "peers": _summed((f"{n} {r['tier']}", told) for r in part for n, told in r.get("peers", {}).items()),
            "times": times(part),
            "failures": _failures(part),
        }
        draw(rows, folder / f"reliability_{source}.png")
        _print(source, found[source])
    return found


def _counted(pairs: Any) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for name, told in pairs:
        counts[name][told] += 1
    return {name: dict(row) for name, row in sorted(counts.items())}


def _summed(pairs: Any) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for name, told in pairs:
        counts[name].update(told)
    return {name: dict(row) for name, row in sorted(counts.items())}


def _chars(results: list[Result], *fields: str) -> list[Pair]:
    """Of these fields, or all: each character's stated probability, and 1 where it is right."""
    told = [by_field for r in results for name, by_field in r.get("chars", {}).items() if not fields or name in fields]
    return [(p, right) for pairs in told for p, right in pairs]


def reliability(pairs: list[Pair]) -> list[dict[str, float]]:
    """Stated against found probability of the characters of fields that were read in their true length."""
    rows = []
    for low, high in pairwise(BINS):
        inside = [(p, right) for p, right in pairs if low <= p < high]
        if inside:
            stated, found = (float(np.mean(side)) for side in zip(*inside, strict=True))
            rows.append({"n": len(inside), "stated": round(stated, 4), "found": round(found, 4)})
    return rows


def groups(results: list[Result]) -> dict[str, Any]:
    """Each tier, and each print style of number and PIN: how far the characters' stated probabilities are off, and the
    time of a card.
    """
    told = {}
    for tier in sorted({r["tier"] for r in results}):
        part = [r for r in results if r["tier"] == tier]
        told[tier] = _group(part, _chars(part))
    for field in ("number", "pin"):
        for style in sorted({str(r["styles"][field]) for r in results}):
            part = [r for r in results if str(r["styles"][field]) == style]
            told[f"{field} {style}"] = _group(part, _chars(part, field))
    return told


def _group(part: list[Result], pairs: list[Pair]) -> dict[str, Any]:
    rows, calibration = reliability(pairs), {}
    if pairs:
        off = sum(abs(row["stated"] - row["found"]) * row["n"] for row in rows) / len(pairs)
        stated, found = (round(float(np.mean(side)), 4) for side in zip(*pairs, strict=True))
        calibration = {"stated": stated, "found": found, "off": round(off, 4)}
    return {
        "n": len(part),
        "chars": len(pairs),
        **calibration,
        "reliability": rows,
        "ms": _spread(part, "ms", "ours"),
        "cpu_s_a_card": _mean_cpu(part, "ours"),
    }


def _mean_cpu(part: list[Result], name: str) -> float:
    return round(float(np.mean([r["cpu_s"][name] for r in part])), 3)


def times(results: list[Result]) -> dict[str, Any]:
    """Milliseconds and processor seconds, and ours against each peer on the pictures that both read."""
    told: dict[str, Any] = {}
    for name in ("ours", "zxing", "zbar", "rapidocr", "tesseract"):
        part = [r for r in results if name in r["ms"]]
        if not part:
            continue
        told[name] = {"n": len(part), "ms": _spread(part, "ms", name), "cpu_s": _spread(part, "cpu_s", name)}
        told[name]["cpu_s_a_card"] = _mean_cpu(part, name)
        if name != "ours":
            told[name]["ours_of_it"] = {
                kind: {
                    q: round(_spread(part, kind, "ours")[q] / max(1e-9, _spread(part, kind, name)[q]), 3)
                    for q in ("p50", "p95")
                }
                for kind in ("ms", "cpu_s")
            }
    return told


def _spread(part: list[Result], kind: str, name: str) -> dict[str, float]:
    p50, p95 = np.percentile([r[kind][name] for r in part], (50, 95))
    return {"p50": round(float(p50), 3), "p95": round(float(p95), 3)}


def _failures(results: list[Result]) -> dict[str, list[str]]:
    failures: dict[str, list[str]] = defaultdict(list)
    for r in results:
        for name, told in r["fields"].items():
            if told in ("wrong", "false", "abstained"):
                failures[f"{name} {told}"].append(r["name"])
    return dict(sorted(failures.items()))


def draw(rows: list[dict[str, float]], path: Path) -> None:
    """The reliability diagram: stated to the right, found upwards, the line of truth between."""
    canvas = np.full((_SIDE + 40, _SIDE + 40, 3), 255, np.uint8)
    cv2.rectangle(canvas, (20, 20), (20 + _SIDE, 20 + _SIDE), (90, 90, 90), 1)
    cv2.line(canvas, (20, 20 + _SIDE), (20 + _SIDE, 20), (200, 200, 200), 1, cv2.LINE_AA)
    points = [(round(20 + _SIDE * r["stated"]), round(20 + _SIDE * (1 - r["found"]))) for r in rows]
    for (x, y), row in zip(points, rows, strict=True):
        cv2.circle(canvas, (x, y), int(2 + np.log10(row["n"] + 1)), (180, 90, 20), -1, cv2.LINE_AA)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), canvas)


def _print(source: str, found: dict[str, Any]) -> None:
    print(f"== {source}", file=sys.stderr)
    for part in ("fields", "styles", "hidden", "barcodes", "offered", "peers"):
        for name, row in found[part].items():
            print(f"{part:9s} {name:28s} " + "  ".join(f"{k} {v}" for k, v in sorted(row.items())), file=sys.stderr)
    for row in found["reliability"]:
        print(f"stated {row['stated']:.4f}  found {row['found']:.4f}  of {row['n']}", file=sys.stderr)
    for name, told in found["groups"].items():
        shown = {key: value for key, value in told.items() if key != "reliability"}
        print(f"{name:28s} {shown}", file=sys.stderr)
    for name, told in found["times"].items():
        print(f"{name:10s} {told}", file=sys.stderr)
