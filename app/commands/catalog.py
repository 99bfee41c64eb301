"""`cardintake catalog ACTION`: what card products there are. JSON on stdout, all else on stderr.

check [PATH…]              read templates, say what is wrong and what is missing
search WORDS [--in PATH]   by Chinese or English name, pinyin initials, GTIN
import FILE --into FOLDER  CSV or TOML; all of it, or nothing and what is wrong in which line; what was there under the
                           same name is replaced, with --replace also where products would be gone
export OUT [--in PATH]     .toml or .csv
fictional OUT              fictional products from a seed
learn A B C [--try D]      a template from three photographs        (`catalog_learn`)
publish install rollback bind release add withdraw standing         (`catalog_station`)
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from app.catalog.importing import Wrong, read_incoming
from app.catalog.search import Finder
from app.catalog.templates import read_products, refuse_duplicates, template_files, version_of
from app.catalog.writing import table_of, to_csv, to_toml
from app.commands import catalog_learn, catalog_station
from app.commands.readable import bytes_of, readable, templates_at
from app.commands.written import written
from app.core.errors import BadInput
from app.core.products import UNKNOWN_NUMBER, UNKNOWN_PIN, Product
from app.paths import TEMPLATES
from app.platform import durable_write
from app.rehearsal.catalogue import fictional_toml

_ENDINGS = (".toml", ".csv")
_ACTIONS = ("check", "search", "import", "export", "fictional")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    check = actions.add_parser("check", help="read templates and say what is wrong and what is missing")
    check.add_argument("paths", nargs="*", type=Path, default=[TEMPLATES], metavar="PATH")
    search = actions.add_parser("search", help="by name, pinyin initials or GTIN")
    search.add_argument("words")
    search.add_argument("--most", type=int, default=10)
    bring = actions.add_parser("import", help="CSV or TOML; all or nothing")
    bring.add_argument("file", type=Path)
    bring.add_argument("--into", type=Path, required=True, metavar="FOLDER", help="a folder of templates")
    bring.add_argument("--replace", action="store_true", help="also where products of the file before would be gone")
    bring.add_argument("--dry-run", action="store_true", help="judge it, write nothing")
    export = actions.add_parser("export", help="as .toml or .csv")
    export.add_argument("out", type=Path)
    for action in (search, export):
        action.add_argument("--in", dest="paths", nargs="+", type=Path, default=[TEMPLATES], metavar="PATH")
    fictional = actions.add_parser("fictional", help="fictional products, for capacity and rehearsal")
    fictional.add_argument("out", type=Path)
    fictional.add_argument("--count", type=int, default=400)
    fictional.add_argument("--seed", type=int, default=7)
    catalog_learn.add_learn_action(actions)
    catalog_station.add_station_actions(actions)


def run(args: argparse.Namespace) -> int:
    if args.action in _ACTIONS:
        answer, code = {"check": _check, "search": _search, "import": _import, "export": _export}.get(
            args.action, _fictional
        )(args)
    elif args.action == "learn":
        answer, code = catalog_learn.learn(args), 0
    else:
        answer, code = getattr(catalog_station, args.action)(args), 0
    print(json.dumps(answer, ensure_ascii=False, indent=1))
    return code


def _loaded(paths: list[Path]) -> tuple[Product, ...]:
    products: list[Product] = []
    for path in paths:
        with readable(path):
            files = template_files(path)
        products += (product for file in files for product in read_products(file.name, bytes_of(file)))
    refuse_duplicates(products)
    return tuple(products)


def _check(args: argparse.Namespace) -> tuple[dict[str, Any], int]:
    files = [file for path in args.paths for file in templates_at(path)]
    products: list[Product] = []
    wrong: list[Wrong] = []
    for file in files:
        judged = read_incoming(file.name, bytes_of(file), products)
        products += judged.products
        wrong += judged.wrong
    if wrong:
        return {"ok": False, "files": len(files), "wrong": [_told(w) for w in wrong]}, BadInput.exit_code
    stored = _loaded(args.paths)
    real = [p for p in stored if not p.rehearsal]
    return {
        "ok": True,
        "files": len(files),
        "version": version_of({file.name: bytes_of(file) for file in files}),
        "products": len(stored),
        "real": len(real),
        "fictional": len(stored) - len(real),
        "confirmed": sum(p.confirmed for p in stored),
        "categories": dict(Counter(p.category for p in real)),
        "missing": {
            "source": [p.id for p in real if not p.source],
            "gtin": [p.id for p in real if not p.gtins],
            "initials": [p.id for p in stored if not p.initials],
            "number_pattern": [p.id for p in real if p.number == UNKNOWN_NUMBER],
            "pin_pattern": [p.id for p in real if p.pin == UNKNOWN_PIN],
        },
    }, 0


def _told(wrong: Wrong) -> dict[str, str]:
    return {"where": wrong.where, "why": wrong.why}


def _search(args: argparse.Namespace) -> tuple[dict[str, Any], int]:
    if args.most < 1:
        raise BadInput("usage.count", f"--most {args.most}: 1 or more")
    found = Finder(_loaded(args.paths)).find(args.words, args.most)
    keys = ("id", "name_zh", "name_en", "initials", "category", "confirmed")
    products = [{**{key: getattr(p, key) for key in keys}, "gtins": sorted(p.gtins)} for p in found]
    return {"found": len(products), "products": products}, 0


def _import(args: argparse.Namespace) -> tuple[dict[str, Any], int]:
    with readable(args.file):
        if args.file.exists() and not args.file.is_file():
            raise BadInput("input.not_a_file", args.file.name)  # a pipe or device would be waited for
    data = bytes_of(args.file)
    target = args.into / f"{args.file.stem}.toml"
    others = [file for file in sorted(args.into.glob("**/*.toml")) if file != target]
    known = [product for file in others for product in _loaded([file])]
    judged = read_incoming(args.file.name, data, known)
    there = {p.id for p in known}
    wrong = [
        *judged.wrong,
        *(Wrong(args.file.name, f"{p.id} is in another file") for p in judged.products if p.id in there),
    ]
    if wrong:
        return {"imported": 0, "wrong": [_told(w) for w in wrong]}, BadInput.exit_code
    replaced, removed = _overwritten(target, {p.id for p in judged.products}, args.replace)
    if not args.dry_run:
        with written(args.into):
            args.into.mkdir(parents=True, exist_ok=True)
            durable_write(target, to_toml(map(dict, judged.tables), judged.rehearsal).encode(), mode=0o644)
    return {
        "imported": 0 if args.dry_run else len(judged.products),
        "judged": len(judged.products),
        "replaced": replaced,
        "removed": removed,
        "wrong": [],
    }, 0


def _overwritten(target: Path, coming: set[str], replace: bool) -> tuple[int, list[str]]:
    """Of the products that stand in the file to be written: how many come again, and which will be gone.

    Raises BadInput: catalog.would_remove where any would be gone and nobody said so.
    """
    try:
        there = {product.id for product in _loaded([target])} if os.path.lexists(target) else set()
    except BadInput:
        if not replace:
            raise
        there = set()  # damaged: what it held cannot be told
    removed = sorted(there - coming)
    if removed and not replace:
        some = ", ".join(removed[:3]) + (" …" if len(removed) > 3 else "")
        raise BadInput("catalog.would_remove", f"{target.name}: {len(removed)} of {len(there)}: {some}")
    return len(there & coming), removed


def _export(args: argparse.Namespace) -> tuple[dict[str, Any], int]:
    if args.out.suffix.lower() not in _ENDINGS:
        raise BadInput("catalog.bad_ending", f"{args.out.name}: {' or '.join(_ENDINGS)}")
    products = _loaded(args.paths)
    tables = [{**table_of(p), **({"rehearsal": True} if p.rehearsal else {})} for p in products]
    text = to_csv(tables) if args.out.suffix.lower() == ".csv" else to_toml(tables)
    with written(args.out):
        durable_write(args.out, text.encode(), mode=0o644)
    return {"exported": len(products), "file": args.out.name}, 0


def _fictional(args: argparse.Namespace) -> tuple[dict[str, Any], int]:
    try:
        text = fictional_toml(args.seed, args.count)
    except ValueError as wrong:
        raise BadInput("usage.count", str(wrong)) from wrong
    with written(args.out):
        durable_write(args.out, text.encode(), mode=0o644)
    return {"products": args.count, "file": args.out.name}, 0
