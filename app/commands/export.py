"""`cardintake export RECORDING OUT.mp4`: a rehearsal's recording as an ordinary MP4; prints {"paths", "frames", …}."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from app.commands.loose import keys_for
from app.evidence.export import export_mp4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recording", type=Path, metavar="RECORDING", help="STATION/recordings/ID, or what record made")
    parser.add_argument("out", type=Path, metavar="OUT.mp4")


def run(args: argparse.Namespace) -> int:
    done = export_mp4(args.recording, keys_for(args.recording).content, args.out)
    paths = [str(path) for path in done.paths]
    print(json.dumps({"paths": paths, "frames": done.frames, "duration_s": round(done.duration_us / 1e6, 3)}))
    return 0
