"""`cardintake recover DIR`: finishes a recording that was cut off: torn ends aside, the ring's remainder encoded.

Also those that the parcel's other camera made ("beside"): each with its own keys and chain. One that a recorder still
films is left to it. Prints what was found as JSON. A recording that is closed already is left as it is.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from app.commands.loose import keys_for
from app.core.footage import LABEL
from app.evidence.together import camera_of, lying_beside
from app.paths import StationFolder
from app.programs import find_program
from app.recorder.opening import recover_recording


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recording", type=Path, metavar="DIR", help="the recording's folder")


def run(args: argparse.Namespace) -> int:
    folder = args.recording.resolve()
    report = recover_recording(folder, keys_for(folder))
    others = [_recovered(one) for one in lying_beside(folder)]
    print(json.dumps({**report, "camera": camera_of(folder), "beside": others}, ensure_ascii=False, indent=1))
    return 0


def _recovered(folder: Path) -> dict[str, Any]:
    station, camera = StationFolder(folder.parent.parent), camera_of(folder)
    recorder = station.label_recorder_lock if camera == LABEL else station.recorder_lock
    if find_program(recorder) is not None:
        return {"recording": folder.name, "camera": camera, "recorder_runs": True}
    return {**recover_recording(folder, keys_for(folder)), "camera": camera}
