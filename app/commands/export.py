"""`cardintake export RECORDING OUT.mp4`: a rehearsal's recording as an ordinary MP4; prints {"paths", "frames", …}.

From a station's store: `cardintake export --data DIR --waybill W OUT.mp4`, or `--card ID` for the recording it is on.
What does not go into one file (another recording, another picture size) becomes OUT-2.mp4, OUT-3.mp4, …
Of a parcel everything that can leave does; what cannot is named with the reason, and the exit status is 5.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from app.commands.filmed import Filmed, add_choice, chosen
from app.commands.looked import warn
from app.core.errors import BadInput, EvidenceTrouble, StorageTrouble, Trouble
from app.core.footage import UNCHECKED
from app.evidence.export import export_mp4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_choice(parser)
    parser.add_argument("out", type=Path, metavar="OUT.mp4")


def run(args: argparse.Namespace) -> int:
    choice = chosen(args)
    missing = dict(choice.withheld)
    written, first = 0, None
    for one in choice.given:
        try:
            written += _export(one, args.out, written + 1)
        except (BadInput, EvidenceTrouble, StorageTrouble) as wrong:
            if len(choice.given) + len(choice.withheld) == 1:
                raise
            first = first or wrong
            missing[one.folder.name] = wrong.code
    for name, why in missing.items():
        print(f"没有导出 · not exported: {name}  {why}", file=sys.stderr)
    if missing:
        raise _ends_with(first, written, missing)
    return 0


def _ends_with(first: Trouble | None, written: int, missing: dict[str, str]) -> Trouble:
    """Where nothing was written at all, what was wrong first says why."""
    if not written and first is not None:
        return first
    return EvidenceTrouble("export.incomplete", " ".join(missing))


def _export(one: Filmed, out: Path, first: int) -> int:
    """How many files it became: one a picture size."""
    done = export_mp4(one.folder, one.key, out, first)
    paths = [str(path) for path in done.paths]
    told = {"paths": paths, "frames": done.frames, "duration_s": round(done.duration_us / 1e6, 3)}
    print(json.dumps({**told, "recording": one.folder.name, "leak_check": one.looked}))
    if one.looked == UNCHECKED:
        warn(one.folder.name)
    return len(paths)
