"""How well, how surely and how fast cards are read, beside zxing-cpp, zbar, RapidOCR and Tesseract in the same run.

On freshly rendered cards (seeds kept for this; every other one printed in faces that training never saw): as cards of
products that nobody knows ("fresh"), and read again as cards whose product has a template, its layout up to half a
millimetre off ("known"). And, when CARDINTAKE_DATA names its folder, on the sample data. CARDINTAKE_BENCH_PICTURES:
cards a tier (500); CARDINTAKE_BENCH_PEERS=6: the peers read every sixth picture; CARDINTAKE_BENCH_STEP=3: every third
sample picture.
A run that was stopped goes on where it was: each picture's result is kept in out/bench/reading.jsonl until the end.
`wrong` means an answer given as sure that is not the label: the only unforgivable result.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import pytesseract
from rapidocr import RapidOCR

from app.catalog.templates import load_products
from app.core.asking import field_of, next_question, settled_by_check
from app.core.cards import CardRead, FieldState
from app.core.products import Catalogue, Product
from app.core.session_correct import Decision, decision, with_decisions
from app.eye.oneshot import conclude_picture, make_looker, told
from app.eye.watcher import as_card_read
from app.rehearsal import fonts, lettering
from app.rehearsal.errors import FontMissing
from app.rehearsal.pictures import TIERS, render_card_picture
from app.vision.conclude import Conclusion
from app.vision.look import Looker
from app.vision.picture.pixels import Colour, grey, load_picture
from app.vision.symbols.barcode import read_zbar, read_zxing
from tests.bench.reading_tables import figures
from tests.known_products import astray, plan_of, product_of

SEED = 17_000_000
THREADS = 2
KEPT = Path("out/bench/reading.jsonl")
FIELDS = ("gtin", "number", "pin", "expiry", "face_value", "pin_state")
STATES = {"clean": "open", "residue": "open", "over": "open"}
HELD_OUT = {
    "held-mono": ("LiberationMono-Bold.ttf", 0),
    "held-regular": ("LiberationMono-Regular.ttf", 0),
    "held-sans": ("LiberationSans-Bold.ttf", 0),
}
"""Faces that no recogniser was trained on here (`app.rehearsal.typefaces.HELD_OUT`)."""

HELD_OUT_STYLES = {"mono": "held-mono", "sans": "held-sans", "light": "held-regular", "thermal": "held-regular"}

Labels = dict[str, Any]
Result = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """One picture to be read: its name, where it comes from, and how to get it."""

    name: str
    source: str
    load: Callable[[], tuple[Colour, Labels]]
    with_peers: bool
    product: Callable[[], Product] | None = None  # that of the card, had it a template


def main() -> dict[str, Any]:
    """Measure, print the tables, give the figures."""
    data = os.environ.get("CARDINTAKE_DATA")
    count = int(os.environ.get("CARDINTAKE_BENCH_PICTURES", "500"))
    peers = int(os.environ.get("CARDINTAKE_BENCH_PEERS", "6"))
    step = int(os.environ.get("CARDINTAKE_BENCH_STEP", "1"))
    products = load_products(Path(__file__).parents[2] / "resources" / "templates")
    reader = Reader(Catalogue(products))
    tasks = list(fresh(count, peers))
    if data:
        tasks += sample(Path(data) / "cards", step, peers)
    results = run(tasks, reader)
    told_all: dict[str, Any] = {"threads": THREADS, "cards_a_tier": count, **figures(results, Path("out/bench"))}
    if data:
        told_all["photographs"] = photographs(reader, Path(data) / "barcodes", step)
    KEPT.unlink(missing_ok=True)  # complete: the next run begins anew
    return told_all


def fresh(count: int, peers: int) -> Iterator[Task]:
    """Cards rendered here; those of odd seeds in faces held out, where this system has them."""
    held_out = _has_held_out()
    for index in range(count):
        for tier in TIERS:
            odd = held_out and index % 2 == 1
            yield Task(
                f"{tier} {SEED + index}",
                "fresh",
                lambda index=index, tier=tier, odd=odd: _render(SEED + index, tier, odd),  # type: ignore[misc]
                index % peers == 0,
                lambda index=index, tier=tier: product_of(plan_of(SEED + index, tier), astray(SEED + index)),  # type: ignore[misc]
            )


def _has_held_out() -> bool:
    try:
        return all(fonts.find_font(name).is_file() for name, _ in HELD_OUT.values())
    except FontMissing:
        print("without the held-out faces: fonts-liberation is not installed", file=sys.stderr)
        return False


def _render(seed: int, tier: str, held_out: bool) -> tuple[Colour, Labels]:
    if not held_out:
        picture, labels = render_card_picture(seed, tier)
        return np.ascontiguousarray(picture), {**labels, "tier": tier}
    with patch.dict(fonts.FACES, HELD_OUT), patch.dict(lettering.FACE_OF_STYLE, HELD_OUT_STYLES):
        picture, labels = render_card_picture(seed, tier)
    for field in ("number_style", "pin_style"):
        if labels.get(field) in HELD_OUT_STYLES:
            labels[field] += " (held out)"
    return np.ascontiguousarray(picture), {**labels, "tier": tier}


def sample(folder: Path, step: int, peers: int) -> Iterator[Task]:
    """The labelled sample pictures."""
    lines = (folder / "labels.jsonl").read_text(encoding="utf-8").splitlines()
    for at, line in enumerate(lines[::step]):
        labels = json.loads(line)
        path = folder / labels["file"]
        load = lambda path=path, labels=labels: (load_picture(path), labels)  # noqa: E731
        yield Task(labels["file"], "sample", load, at % peers == 0)


def run(tasks: list[Task], reader: Reader) -> list[Result]:
    """Every task's result, those kept from a run that was stopped included."""
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    kept = [json.loads(line) for line in KEPT.read_text("utf-8").splitlines()] if KEPT.is_file() else []
    done = {result["name"]: result for result in kept}
    with KEPT.open("a", encoding="utf-8") as file:
        for at, task in enumerate(tasks):
            if task.name not in done:
                done[task.name] = reader.measure(task)
                file.write(json.dumps(done[task.name]) + "\n")
                file.flush()
            print(f"\r{at + 1} of {len(tasks)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    read = [done[task.name] for task in tasks]
    return read + [result["known"] for result in read if "known" in result]


class Reader:
    """Ours and the peers, warm."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.looker: Looker = make_looker(catalogue, THREADS)
        self._ocr = RapidOCR(params={"Global.log_level": "critical"})
        self._ocr(np.full((720, 1280, 3), 90, np.uint8))

    def measure(self, task: Task) -> Result:
        """One picture read by us and, where it is its turn, by the peers."""
        picture, labels = task.load()
        result = self._read(picture, labels, self.catalogue)
        result |= {"name": task.name, "source": task.source}
        if task.with_peers:
            result["peers"] = self._peers(picture, labels, result)
        if task.product is not None:
            known = self._read(picture, labels, Catalogue((task.product(),)))
            of_peers = {kind: {**result[kind], **known[kind]} for kind in ("ms", "cpu_s")}
            result["known"] = {**known, "name": task.name, "source": "known", **of_peers}
        return result

    def _read(self, picture: Colour, labels: Labels, catalogue: Catalogue) -> Result:
        """What we make of a picture, knowing these products."""
        self.looker.learn(catalogue)
        began, began_cpu = time.perf_counter(), time.process_time()
        found = conclude_picture(picture, self.looker, catalogue)
        answer = told(picture, found)
        ms, cpu_s = (time.perf_counter() - began) * 1000, time.process_time() - began_cpu
        wanted = wanted_of(labels)
        result: Result = {
            "tier": labels["tier"],
            "styles": {"number": labels["number_style"], "pin": labels["pin_style"]},
            "hidden": labels["pin_state"] in ("covered", "partial"),
            "fields": {name: judged(answer[name], wanted[name]) for name in FIELDS},
            "barcodes": _codes(answer, labels),
            "ms": {"ours": round(ms, 1)},
            "cpu_s": {"ours": round(cpu_s, 3)},
        }
        if found is not None:
            result["chars"], result["offered"] = told_chars(found, wanted, catalogue)
        return result

    def _peers(self, picture: Colour, labels: Labels, result: Result) -> dict[str, Any]:
        shade = grey(picture)
        codes = {b["text"] for b in labels["barcodes"]}
        peers: dict[str, Any] = {}
        for name, reader in (("zxing", read_zxing), ("zbar", read_zbar)):
            hits = self._timed(name, result, lambda reader=reader: reader(shade, "raw"))  # type: ignore[misc]
            texts = {h.text for h in hits}
            peers[name] = {"exact": len(codes & texts), "wrong": len(texts - codes), "all": len(codes)}
        lines = self._timed("rapidocr", result, lambda: self._ocr(picture)).txts or ()
        peers["rapidocr"] = _any_line(lines, labels)
        words = self._timed("tesseract", result, lambda: _tesseract(picture))
        peers["tesseract"] = {"died": 1} if words is None else _any_line(words.splitlines(), labels)
        return peers

    def _timed(self, name: str, result: Result, work: Callable[[], Any]) -> Any:
        began, began_cpu = time.perf_counter(), time.process_time() + os.times().children_user
        found = work()
        result["ms"][name] = round((time.perf_counter() - began) * 1000, 1)
        result["cpu_s"][name] = round(time.process_time() + os.times().children_user - began_cpu, 3)
        return found


def _tesseract(picture: Colour) -> str | None:
    """The whole picture by Tesseract as a child process; None when it died or was too slow."""
    try:
        return str(pytesseract.image_to_string(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), lang="eng", timeout=60))
    except (pytesseract.TesseractError, pytesseract.TesseractNotFoundError, RuntimeError, OSError):
        return None


def _any_line(lines: Any, labels: Labels) -> dict[str, int]:
    """Whether the value ends any line at all: a kind measure, as these engines do not say which line is which field."""
    plain = {_plain(line) for line in lines}
    right = {f: int(any(p.endswith(_plain(labels[f])) for p in plain)) for f in ("number", "pin") if labels.get(f)}
    return {**right, **{f"{field} all": 1 for field in right}}


def wanted_of(labels: Labels) -> dict[str, Any]:
    """What should be answered."""
    gtin = labels.get("gtin")
    return {
        **{name: labels.get(name) for name in ("number", "pin", "expiry", "face_value")},
        "gtin": gtin.zfill(14) if gtin else None,
        "pin_state": STATES.get(labels["pin_state"], labels["pin_state"]),
    }


def judged(got: Any, right: Any) -> str:
    """exact | wrong | abstained, and for what cannot be read: rightly open | false."""
    if right is None:
        return "rightly open" if got is None else "false"
    if got is None:
        return "abstained"
    return "exact" if _plain(got) == _plain(right) else "wrong"


def _plain(value: Any) -> str:
    return re.sub(r"[^0-9A-Z]", "", str(value).upper())


def _codes(answer: dict[str, Any], labels: Labels) -> dict[str, int]:
    codes, seen = {b["text"] for b in labels["barcodes"]}, {b["text"] for b in answer["barcodes"]}
    return {"exact": len(codes & seen), "wrong": len(seen - codes), "abstained": len(codes - seen)}


def told_chars(
    found: Conclusion, wanted: dict[str, Any], catalogue: Catalogue
) -> tuple[dict[str, list[Any]], dict[str, str]]:
    """Of each field read in its true length the stated probability and rightness of its characters; and for each field
    that was left open what a clerk who knows the card comes to by the keys 1 to 3 alone.
    """
    chars, offered = {}, {}
    came = as_card_read(found, 0, 0)
    read = settled_by_check(came, catalogue)
    for name in ("number", "pin"):
        truth, said, reading = wanted[name], field_of(came, name).chars, field_of(read, name)
        if truth is None:
            continue
        if len(said) == len(truth):
            chars[name] = [[round(c.best.p, 5), int(c.best.glyph == t)] for c, t in zip(said, truth, strict=True)]
        if reading.state is FieldState.DOUBTFUL:
            offered[name] = corrected(read, name, truth, catalogue)
        elif reading.state is not FieldState.READ:
            offered[name] = "unread"
    return chars, offered


def corrected(read: CardRead, name: str, truth: str, catalogue: Catalogue) -> str:
    """What comes of a field when each question of the screen is answered with what is right among its options: "asked"
    when that is the truth, "wrong" when it is not; else the question that had no right option ("length", "character").
    """
    other = frozenset({"number", "pin"} - {name})  # whatever it is, it is not asked about here
    decided: tuple[Decision, ...] = ()
    while (question := next_question(with_decisions(read, decided, catalogue), catalogue, other)) is not None:
        right = question.option_of(truth)
        if right is None:
            return question.ask.value
        decided = (*decided, decision(question, right))
    return "asked" if field_of(with_decisions(read, decided, catalogue), name).secret().reveal() == truth else "wrong"


def photographs(reader: Reader, folder: Path, step: int) -> dict[str, dict[str, int]]:
    """Real photographs of symbols, per kind of symbol: found by us and by each reader alone, false reads, GTINs."""
    counts: dict[str, dict[str, int]] = {}
    reader.looker.learn(reader.catalogue)
    for line in (folder / "labels.jsonl").read_text(encoding="utf-8").splitlines()[::step]:
        labels = json.loads(line)
        picture = load_picture(folder / labels["file"])
        right = {b["text"] for b in labels["barcodes"]}
        allowed = right | {b["text"] for b in labels["also"]}
        answer = told(picture, conclude_picture(picture, reader.looker, reader.catalogue))
        seen = {"ours": {b["text"] for b in answer["barcodes"]}}
        for name, read in (("zxing", read_zxing), ("zbar", read_zbar)):
            seen[name] = {h.text for h in read(grey(picture), "raw")}
        kind = labels["barcodes"][0]["format"] if labels["barcodes"] else "none"
        row = counts.setdefault(kind, {})
        _add(row, "all", len(right))
        for name, texts in seen.items():
            _add(row, f"{name} exact", len(right & texts))
            _add(row, f"{name} false", len(texts - allowed))
        if answer["gtin"] is not None:
            fine = {text.zfill(14) for text in allowed if text.isdigit()}
            _add(row, "gtin right" if answer["gtin"] in fine else "gtin wrong", 1)
    print("real photographs", json.dumps(counts), file=sys.stderr)
    return counts


def _add(row: dict[str, int], name: str, amount: int) -> None:
    row[name] = row.get(name, 0) + amount


if __name__ == "__main__":
    print(json.dumps(main(), ensure_ascii=False, indent=1))
