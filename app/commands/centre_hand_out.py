"""`cardintake centre expect|block|offer`: what the centre hands out for stations to work by, through the feed.

expect FILE.json            parcels on their way: [{"waybill", "declared", "order_no", "items"}], `declared` null: gone
block [--remove] [--note]   card numbers on stdin, one a line; they go out as keyed hashes, and nowhere else
offer BUNDLE.json           a catalogue that `catalog publish` signed
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from app.commands.centre_act import Act, acting
from app.core.cards import Secret
from app.core.errors import BadInput
from app.server.reference import blocked_cards, expected_parcels, hand_out, offer_catalogue

ACTIONS = ("expect", "block", "offer")


def add_actions(actions: Any) -> None:
    """The actions of this module, for the parser of `cardintake centre`."""
    actions.add_parser("expect", help="announce parcels").add_argument("file", type=Path, metavar="FILE.json")
    block = actions.add_parser("block", help="card numbers (stdin) go to review wherever they turn up")
    block.add_argument("--remove", action="store_true", help="take them off the list again")
    block.add_argument("--note", default="", help="why, without numbers")
    actions.add_parser("offer", help="let stations install a catalogue").add_argument("file", type=Path)
    for name in ACTIONS:
        text = "for this station only (a rehearsal gets only what is named for it)"
        actions.choices[name].add_argument("--station", default="", metavar="NAME", help=text)


def done(args: argparse.Namespace) -> dict[str, Any]:
    """Do one of the actions."""
    with acting(args) as act:
        return _done(args, act)


def _done(args: argparse.Namespace, act: Act) -> dict[str, Any]:
    match args.action:
        case "expect":
            try:
                items = expected_parcels(json.loads(_content(args.file)))
            except ValueError as wrong:  # of JSON and of pydantic too
                raise BadInput("centre.bad_parcels", f"{args.file.name}: {type(wrong).__name__}") from wrong
        case "block":
            items = blocked_cards(act.centre, _numbers(sys.stdin.read()), args.note, blocked=not args.remove)
        case _:
            offer = offer_catalogue(act.centre, _content(args.file), args.station, act.now_ms, act.by)
            return {"offered": offer.version, "serial": offer.serial}
    return {"named": len(items), "news": hand_out(act.centre, items, args.station, act.now_ms, act.by)}


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as missing:
        raise BadInput("input.missing", path.name) from missing


def _numbers(text: str) -> list[Secret]:
    """Card numbers, one a line, spaces and dashes left out. Raises BadInput("centre.bad_numbers")."""
    found = [line.translate(str.maketrans("", "", " -\t")) for line in text.splitlines() if line.strip()]
    wrong = [at for at, number in enumerate(found, 1) if not (number.isascii() and number.isalnum())]
    if wrong or not found:
        raise BadInput("centre.bad_numbers", f"line {wrong[0]}" if wrong else "stdin")
    return [Secret(number) for number in found]
