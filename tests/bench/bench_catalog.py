"""The catalogue at capacity, and what learning a product from three photographs brings.

    python -m tests.bench catalog

`load_s`, `index_s`   10,000 fictional products from TOML, and the search index over them
`compile_s`, `compiled_s`, `compiled_mb`
                      the same made into compiled rows (once), loaded from them (each start), and their size
`search_ms`           one search by Chinese name, initials, English word, GTIN and nothing that fits: p50 and worst
`lookup_us`           a GTIN to its product
`learn`               per product of a small fictional catalogue: whether lengths, check digit, grouping and places of
                      letters were found, and how many fields of later cards are read as unknown and by the template
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from app.catalog.compiled import compile_products, products_of
from app.catalog.search import Finder
from app.catalog.templates import product_of, read_products
from app.core.cards import FieldState
from app.core.errors import BadInput
from app.core.products import Catalogue, FieldPattern, Product
from app.eye.oneshot import make_looker
from app.rehearsal.casting import plan_card
from app.rehearsal.catalogue import fictional_toml
from app.rehearsal.deck import DeckCard
from app.rehearsal.pictures import photograph
from app.rehearsal.products import StudioProduct, load_studio_products
from app.vision.card.locate import locate
from app.vision.conclude import conclude
from app.vision.learn import learn
from app.vision.look import Looker

QUERIES = ("云野超市", "礼品卡", "YYCSLPK", "gift", "Market", "690123412345", "没有这种卡")
LEARNED, LATER = 12, 3


def capacity(count: int = 10_000) -> dict[str, Any]:
    """Loading, searching and looking up among `count` products."""
    data = fictional_toml(7, count).encode()
    started = time.perf_counter()
    products = tuple(read_products("fictional.toml", data))
    loaded = time.perf_counter()
    rows = compile_products(products)
    compiled = time.perf_counter()
    again = products_of(rows)
    reloaded = time.perf_counter()
    if again != products:
        raise AssertionError("compiled products are not the same")
    began = time.perf_counter()
    finder, catalogue = Finder(products), Catalogue(products)
    indexed = time.perf_counter()
    took = [_timed(lambda q=query: finder.find(q)) for query in QUERIES for _ in range(5)]  # type: ignore[misc]
    gtins = [min(p.gtins) for p in products]
    begun = time.perf_counter()
    for gtin in gtins:
        catalogue.by_gtin(gtin)
    looked = (time.perf_counter() - begun) / count
    return {
        "products": count,
        "load_s": round(loaded - started, 2),
        "index_s": round(indexed - began, 2),
        "compile_s": round(compiled - loaded, 2),
        "compiled_s": round(reloaded - compiled, 2),
        "compiled_mb": round(len(rows) / 1e6, 1),
        "search_ms": {"p50": round(median(took) * 1e3, 1), "worst": round(max(took) * 1e3, 1)},
        "lookup_us": round(looked * 1e6, 2),
    }


def _timed(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def learning(count: int = LEARNED) -> dict[str, Any]:
    """Learn products that are in no catalogue and read further cards of them, with and without the template."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "f.toml"
        path.write_text(fictional_toml(11, count), encoding="utf-8")
        studio = list(load_studio_products(path).values())
    looker = make_looker(Catalogue(), threads=2)
    right = {"number_length": 0, "number_check": 0, "number_grouping": 0, "pin_length": 0, "pin_places": 0}
    fields = {"before": 0, "after": 0, "of": 0, "wrong_after": 0}
    refused: list[str] = []
    for product in studio:
        known = product_of("bench", {"id": "new", "name_zh": "新", "name_en": "New", "number": "unknown"}, True)
        try:
            lesson = learn([_shot(product, n) for n in range(3)], looker, known, {})
        except BadInput as trouble:
            refused.append(trouble.code)
            continue
        _judge(right, lesson.product, product)
        for card in range(3, 3 + LATER):
            _read_both(fields, looker, lesson.product, product, card)
    return {"products": count, "refused": refused, "right": right, "fields_read": fields}


def _shot(product: StudioProduct, card: int) -> Any:
    picture, _ = photograph(plan_card(product, DeckCard(product.id), 300 + card), 300 + card)
    return np.asarray(picture, np.uint8)


def _judge(right: dict[str, int], found: Product, true: StudioProduct) -> None:
    right["number_length"] += found.number.lengths == true.number.lengths
    right["number_check"] += found.number.check is true.number.check
    length = true.number.lengths[0]
    right["number_grouping"] += found.number.groups(length) == true.number.groups(length)
    right["pin_length"] += found.pin is not None and found.pin.lengths == true.pin.lengths
    right["pin_places"] += found.pin is not None and _kinds(found.pin) == _kinds(true.pin)


def _kinds(pattern: FieldPattern) -> tuple[str, ...]:
    return pattern.places


def _read_both(fields: dict[str, int], looker: Looker, found: Product, true: StudioProduct, card: int) -> None:
    plan = plan_card(true, DeckCard(true.id), 300 + card)
    picture = _shot(true, card)
    located = locate(picture)
    if located.corners is None:
        return
    for name, catalogue in (("before", Catalogue()), ("after", Catalogue((found,)))):
        looker.learn(catalogue)
        read = conclude([looker.look(picture, located)], catalogue)
        for reading, text in ((read.number, plan.content.number), (read.pin, plan.content.pin)):
            sure = reading.state is FieldState.READ
            same = "".join(c.best.glyph for c in reading.chars) == text
            fields[name] += sure and same
            fields["wrong_after"] += name == "after" and sure and not same
    fields["of"] += 2


def main() -> dict[str, Any]:
    """All figures."""
    return {"capacity": capacity(), "learn": learning()}


if __name__ == "__main__":
    json.dump(main(), sys.stdout, indent=1, ensure_ascii=False)
