"""`cardintake centre footage STATION RECORDING --to DIR --reason TEXT`: what the centre holds of a recording, as files.

They are encrypted as they were brought; `cardintake vault footage` opens them. The log tells who had them given out.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from app.commands.centre_act import acting
from app.server.footage import give_out
from app.server.log import Deciding

ACTIONS = ("footage",)


def add_actions(actions: Any) -> None:
    """The action of this module, for the parser of `cardintake centre`."""
    footage = actions.add_parser("footage", help="a recording's encrypted files, for `cardintake vault footage`")
    footage.add_argument("station")
    footage.add_argument("recording", metavar="RECORDING")
    footage.add_argument("--to", type=Path, required=True, metavar="DIR", help="a new folder")
    footage.add_argument("--reason", required=True, help="goes into the log for good")


def done(args: argparse.Namespace) -> dict[str, Any]:
    """Do it."""
    with acting(args, args.objects) as act:
        deciding = Deciding.of(act.centre, act.now_ms, act.by)
        size = give_out(act.centre, args.station, args.recording, args.to, args.reason, deciding)
    return {"recording": args.recording, "station": args.station, "bytes": size, "to": str(args.to)}
