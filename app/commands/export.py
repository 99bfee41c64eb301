"""`cardintake export RECORDING OUT.mp4`: a rehearsal's recording as an ordinary MP4; prints {"paths", "frames", …}.

From a station's store: `cardintake export --data DIR --waybill W OUT.mp4`, or `--card ID` for the recording it is on.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from app.commands.filmed import add_choice, chosen, numbered
from app.evidence.export import export_mp4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_choice(parser)
    parser.add_argument("out", type=Path, metavar="OUT.mp4")


def run(args: argparse.Namespace) -> int:
    for n, one in enumerate(chosen(args), 1):
        done = export_mp4(one.folder, one.key, numbered(args.out, n))
        paths = [str(path) for path in done.paths]
        print(json.dumps({"paths": paths, "frames": done.frames, "duration_s": round(done.duration_us / 1e6, 3)}))
    return 0
