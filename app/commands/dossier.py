"""`cardintake dossier RECORDING --out FILE.zip [--card ID | --from S --to S] [--c2pa]`: a stretch that proves itself.

From a station's store instead: `--data DIR --waybill W` (all recordings of the parcel; a second dossier goes into
FILE-2.zip) or `--data DIR --card ID` (the stretch in which the card was taken in, whichever recording it is on). What
the parcel's other camera filmed meanwhile is in the same dossier. Of a recording that may show a PIN, or whose pictures
were removed, a parcel's dossiers hold the records alone, and say so; where nothing else is left it is refused.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from app.commands.filmed import add_choice, for_dossiers
from app.commands.looked import warn
from app.commands.span import seconds
from app.commands.written import written
from app.evidence.dossier import kept_back, make_dossier
from app.evidence.export import numbered
from app.evidence.stretch import Stretch


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_choice(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.zip")
    parser.add_argument("--c2pa", action="store_true", help="viewing copies with C2PA manifests (package c2pa-python)")
    parser.add_argument("--from", dest="from_s", type=seconds, default=0.0, metavar="S")
    parser.add_argument("--to", dest="to_s", type=seconds, default=1e9, metavar="S")


def run(args: argparse.Namespace) -> int:
    for n, one in enumerate(for_dossiers(args, Stretch(int(args.from_s * 1e6), int(args.to_s * 1e6))), 1):
        out = numbered(args.out, n)
        with written(out):
            facts = make_dossier(one.folder, one.keys, out, one.stretch, one.beside, args.c2pa, one.looked)
        for name in one.unchecked(facts):
            warn(name)
        proof_bytes = 32 * len(facts.pop("proof"))
        withheld = [other["recording"] for other in kept_back(facts)]
        print(json.dumps({"path": str(out), **facts, "withheld": withheld, "proof_bytes": proof_bytes}))
        if withheld:
            print(f"没有给出画面 · without the pictures of: {' '.join(withheld)}", file=sys.stderr)
    return 0
