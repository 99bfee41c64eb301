"""`cardintake dossier RECORDING --out FILE.zip [--card ID | --from S --to S]`: a stretch that proves itself."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from app.commands.loose import keys_for
from app.evidence.dossier import Stretch, card_stretch, make_dossier


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recording", type=Path, metavar="RECORDING", help="a parcel's recording: STATION/recordings/ID")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.zip")
    parser.add_argument("--card", default="", metavar="ID", help="only the stretch of this card")
    parser.add_argument("--from", dest="from_s", type=float, default=0.0, metavar="S")
    parser.add_argument("--to", dest="to_s", type=float, default=1e9, metavar="S")


def run(args: argparse.Namespace) -> int:
    recording = args.recording.resolve()
    keys = keys_for(recording)
    stretch = Stretch(int(args.from_s * 1e6), int(args.to_s * 1e6))
    if args.card:
        stretch = card_stretch(recording, args.card)
    facts = make_dossier(recording, keys.content, args.out, stretch)
    proof_bytes = 32 * len(facts.pop("proof"))
    print(json.dumps({"path": str(args.out), **facts, "proof_bytes": proof_bytes}))
    return 0
