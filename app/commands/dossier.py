"""`cardintake dossier RECORDING --out FILE.zip [--card ID | --from S --to S] [--c2pa]`: a stretch that proves itself.

From a station's store instead: `--data DIR --waybill W` (all recordings of the parcel; a second dossier goes into
FILE-2.zip) or `--data DIR --card ID` (the stretch in which the card was taken in, whichever recording it is on). What
the parcel's other camera filmed meanwhile is in the same dossier.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from app.commands.filmed import add_choice, for_dossiers, numbered
from app.evidence.dossier import Stretch, make_dossier


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_choice(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.zip")
    parser.add_argument("--c2pa", action="store_true", help="viewing copies with C2PA manifests (package c2pa-python)")
    parser.add_argument("--from", dest="from_s", type=float, default=0.0, metavar="S")
    parser.add_argument("--to", dest="to_s", type=float, default=1e9, metavar="S")


def run(args: argparse.Namespace) -> int:
    for n, one in enumerate(for_dossiers(args, Stretch(int(args.from_s * 1e6), int(args.to_s * 1e6))), 1):
        out = numbered(args.out, n)
        facts = make_dossier(one.folder, one.keys, out, one.stretch, one.beside, args.c2pa)
        proof_bytes = 32 * len(facts.pop("proof"))
        print(json.dumps({"path": str(out), **facts, "proof_bytes": proof_bytes}))
    return 0
