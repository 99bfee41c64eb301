"""`cardintake recover DIR`: finishes a recording that was cut off: torn ends aside, the ring's remainder encoded.

Prints what was found as JSON. A recording that is closed already is left as it is.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from app.commands.loose import keys_for
from app.recorder.opening import recover_recording


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recording", type=Path, metavar="DIR", help="the recording's folder")


def run(args: argparse.Namespace) -> int:
    folder = args.recording.resolve()
    report = recover_recording(folder, keys_for(folder))
    print(json.dumps(report, ensure_ascii=False, indent=1))
    return 0
