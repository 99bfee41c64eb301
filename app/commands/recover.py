"""`cardintake recover DIR`: finishes a recording that was cut off: torn ends aside, the ring's remainder encoded.

Also those that the parcel's other camera made ("beside"): each with its own keys and chain. One that a recorder still
films is left to it: two who write one journal would destroy it. Prints what was found as JSON, and in words on the
other output. A recording that is closed already is left as it is, also one that was damaged after that.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from app.commands.loose import filmed_by_nobody, keys_for
from app.core.errors import Unavailable
from app.evidence.ledger import load
from app.evidence.together import lying_beside
from app.recorder.opening import recover_recording


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recording", type=Path, metavar="DIR", help="the recording's folder")


def run(args: argparse.Namespace) -> int:
    folder = args.recording.resolve()
    report = _finished(folder)
    others = [_recovered(one) for one in lying_beside(folder)]
    print(json.dumps({**report, "camera": load(folder).role, "beside": others}, ensure_ascii=False, indent=1))
    for one in (report, *others):
        print(*_in_words(one), sep="\n", file=sys.stderr)
    return 0


def _in_words(report: dict[str, Any]) -> tuple[str, str]:
    """The report for people: Chinese, English."""
    name = report["recording"]
    if report.get("recorder_runs"):
        return f"{name}：录像程序还在录，没有动", f"{name}: its recorder runs, it was left alone"
    if report["already_closed"]:
        return f"{name}：早已封存，没有动", f"{name}: was sealed already, it was left as it is"
    frames, saved, gaps, torn = report["frames"], report["saved_frames"], report["gaps"], len(report["torn"])
    return (
        f"{name}：共 {frames} 帧，其中 {saved} 帧是这次补回的；中断 {gaps} 处；残尾 {torn} 个，另存未删；已封存",
        f"{name}: {frames} frames, {saved} of them saved now; {gaps} gaps; {torn} torn ends, kept aside; sealed",
    )


def _recovered(folder: Path) -> dict[str, Any]:
    camera = load(folder).role
    try:
        return {**_finished(folder), "camera": camera}
    except Unavailable:
        return {"recording": folder.name, "camera": camera, "recorder_runs": True}


def _finished(folder: Path) -> dict[str, Any]:
    """Raises Unavailable("recording.in_use") and what `recover_recording` and `keys_for` raise."""
    keys = keys_for(folder)
    ledger = load(folder)
    if ledger.close is not None:
        return recover_recording(folder, keys)  # nothing is written
    with filmed_by_nobody(folder, ledger.role):
        return recover_recording(folder, keys)
