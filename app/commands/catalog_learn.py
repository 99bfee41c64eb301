"""`cardintake catalog learn A B C --id ID --zh NAME --en NAME [--try D] [--region FIELD=X,Y,W,H] [--out FILE.toml]`.

Three photographs of three different cards of a product; a fourth to try the template on. What is printed on the cards
goes neither into the template nor into the report.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.catalog.infer import Inferred
from app.catalog.templates import box_of
from app.catalog.writing import pattern_table
from app.commands.bounds import add_threads, refuse_threads
from app.commands.written import written
from app.core.errors import BadInput
from app.core.lessons import REGIONS
from app.core.products import Box, Catalogue
from app.eye.lessons import photographs_of, product_to_learn, template_of
from app.eye.oneshot import make_looker
from app.platform import durable_write
from app.vision.learn import Lesson, try_on
from app.vision.learn import learn as learn_from
from app.vision.picture.pixels import load_picture


def add_learn_action(actions: Any) -> None:
    """The action, for the parser of `cardintake catalog`."""
    parser = actions.add_parser("learn", help="a template from three photographs of three cards")
    parser.add_argument("photographs", nargs="+", type=Path, metavar="PHOTOGRAPH")
    parser.add_argument("--try", dest="trial", type=Path, metavar="PHOTOGRAPH", help="of a fourth card")
    parser.add_argument("--id", required=True, help="small letters, digits and dashes")
    parser.add_argument("--zh", required=True, metavar="NAME")
    parser.add_argument("--en", required=True, metavar="NAME")
    parser.add_argument("--category", default="")
    parser.add_argument(
        "--region", action="append", default=[], metavar="FIELD=X,Y,W,H",
        help=f"a region drawn by hand, in mm from the top left: {', '.join(REGIONS)}",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="FILE.toml", help="where the template goes")
    parser.add_argument("--rehearsal", action="store_true", help="a product of a rehearsal")
    add_threads(parser)


def learn(args: argparse.Namespace) -> dict[str, Any]:
    """Learn, try, write. Raises BadInput for pictures that are none, and as `app.vision.learn.learn`."""
    refuse_threads(args.threads)
    known = product_to_learn(args.id, args.zh, args.en, args.category, args.rehearsal)
    drawn = dict(_drawn(text) for text in args.region)
    pictures = photographs_of(args.photographs)
    trial = None if args.trial is None else load_picture(args.trial)
    looker = make_looker(Catalogue(), args.threads)
    lesson = learn_from(pictures, looker, known, drawn)
    report = _report(lesson)
    if trial is not None:
        report["trial"] = [asdict(field) for field in try_on(trial, looker, lesson.product)]
    if args.out is not None:
        with written(args.out):
            durable_write(args.out, template_of(lesson).encode(), mode=0o644)
    return report


def _drawn(text: str) -> tuple[str, Box]:
    name, _, numbers = text.partition("=")
    try:
        values = [float(part) for part in numbers.split(",")]
    except ValueError:
        values = []
    if name not in REGIONS:
        raise BadInput("catalog.bad_template", f"--region {text}: known are {', '.join(REGIONS)}")
    return name, box_of(f"--region {name}", values)


def _report(lesson: Lesson) -> dict[str, Any]:
    layout = lesson.product.layout
    return {
        "id": lesson.product.id,
        "gtins": list(lesson.gtins),
        "number": _told(lesson.number),
        "pin": _told(lesson.pin),
        "regions": [name for name in REGIONS if layout is not None and getattr(layout, name) is not None],
        "face_values_yuan": [fen // 100 for fen in lesson.product.face_values_fen],
        "confirmed": False,
    }


def _told(found: Inferred | None) -> dict[str, Any] | None:
    """A pattern with its reasons; a fixed beginning is told by its length, its glyphs stand in the template only."""
    if found is None:
        return None
    table = pattern_table(found.pattern)
    table.pop("places", None)
    findings = [{"what": f.what, "chance": float(f"{f.chance:.1e}")} for f in found.findings]
    return {**table, "length": list(found.pattern.lengths), "samples": found.samples, "findings": findings}
