"""`cardintake export RECORDING OUT.mp4`: a rehearsal's recording as an ordinary MP4; prints {"paths", "frames", …}."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from app.commands.folders import opened_store
from app.core.errors import BadInput
from app.evidence.export import export_mp4
from app.paths import StationFolder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recording", type=Path, metavar="RECORDING", help="STATION/recordings/ID")
    parser.add_argument("out", type=Path, metavar="OUT.mp4")


def run(args: argparse.Namespace) -> int:
    recording = args.recording.resolve()
    if not recording.is_dir():
        raise BadInput("recording.missing", args.recording.name)
    with opened_store(StationFolder(recording.parent.parent)) as store:
        known = store.find_recording(recording.name)
    if known is None:
        raise BadInput("recording.unknown", recording.name)
    done = export_mp4(recording, known.key, args.out)
    paths = [str(path) for path in done.paths]
    print(json.dumps({"paths": paths, "frames": done.frames, "duration_s": round(done.duration_us / 1e6, 3)}))
    return 0
