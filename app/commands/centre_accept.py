"""`cardintake centre decide|accept-rule`: what becomes of real cards, by a person's word or by rule.

decide STATION CARD accepted|review|rejected --reason TEXT [--second NAME] [--event HASH]
decide --from FILE             JSON lines {"station", "card", "verdict", "reason", "second", "event"}; "-": stdin
accept-rule [PRODUCT=FEN …]    accept by themselves cards up to that value whose number is new; `*`: any other product;
                               =0: never, = (nothing): no rule; without PRODUCT they are shown

`centre undecided` lists the cards that wait.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.commands.centre_act import acting
from app.core.errors import BadInput
from app.server.acceptance import rules
from app.server.deciding import Wish, change_rule, decide_as_person
from app.store.db import reading
from app.wire_accept import MOST_WISHES

ACTIONS = ("decide", "accept-rule")
_VERDICTS = ("accepted", "review", "rejected")
_WORDS = ("station", "card", "verdict", "reason", "second", "event")
_MOST_FEN = 1 << 53
_STDIN = Path("-")


def add_actions(actions: Any) -> None:
    """The actions of this module, for the parser of `cardintake centre`."""
    decide = actions.add_parser("decide", help="accept or reject a real card, or have it reviewed")
    decide.add_argument("station", nargs="?", default="")
    decide.add_argument("card", nargs="?", default="")
    decide.add_argument("verdict", nargs="?", choices=_VERDICTS, default="review")
    decide.add_argument("--reason", default="", help="why, for the log")
    decide.add_argument("--second", default="", metavar="NAME", help="who else says so, for cards of great value")
    decide.add_argument("--event", default="", metavar="HASH", help="only as it was listed, not if it changed since")
    decide.add_argument("--from", type=Path, default=None, metavar="FILE", dest="file", help="JSON lines; -: stdin")
    rule = actions.add_parser("accept-rule", help="cards that are accepted without anybody being asked")
    rule.add_argument("changes", nargs="*", metavar="PRODUCT=FEN")


def done(args: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    """Do one of the actions; exit status (1: something was refused) and what to tell."""
    if args.action == "accept-rule":
        return 0, _rules(args)
    wishes = list(_wishes(args))
    results = []
    with acting(args) as act:
        for at in range(0, len(wishes), MOST_WISHES):
            results += decide_as_person(act.centre, wishes[at : at + MOST_WISHES], act.now_ms, act.by)
    refused = any(one.result == "refused" for one in results)
    return int(refused), {"results": [one.model_dump() for one in results]}


def _rules(args: argparse.Namespace) -> dict[str, Any]:
    changes, accepted = [_change(word) for word in args.changes], 0
    with acting(args) as act:
        for product, up_to_fen in changes:
            accepted += change_rule(act.centre, product, up_to_fen, act.now_ms, act.by)
        with reading(act.centre.engine) as connection:
            return {"rules": rules(connection), "accepted": accepted}


def _change(word: str) -> tuple[str, int | None]:
    """PRODUCT=FEN. Raises BadInput("centre.bad_rule")."""
    product, is_told, value = word.rpartition("=")
    if not product or not is_told or len(product) > 128 or (value and not (value.isascii() and value.isdigit())):
        raise BadInput("centre.bad_rule", word)
    if len(value) > 16 or int(value or 0) >= _MOST_FEN:
        raise BadInput("centre.bad_rule", word)
    return product, int(value) if value else None


def _wishes(args: argparse.Namespace) -> Iterator[Wish]:
    """Raises BadInput: centre.bad_decision, input.missing."""
    if args.file is None:
        yield _wish({name: getattr(args, name) for name in _WORDS}, args.card)
        return
    try:
        told = sys.stdin.read() if args.file == _STDIN else args.file.read_text(encoding="utf-8")
    except OSError as missing:
        raise BadInput("input.missing", args.file.name) from missing
    except ValueError as wrong:
        raise BadInput("centre.bad_decision", args.file.name) from wrong
    for number, line in enumerate(told.split("\n"), 1):
        if line.strip():
            try:
                yield _wish(json.loads(line), f"{args.file.name}:{number}")
            except (ValueError, RecursionError) as wrong:
                raise BadInput("centre.bad_decision", f"{args.file.name}:{number}") from wrong


def _wish(told: Any, where: str) -> Wish:
    if not isinstance(told, dict):
        raise BadInput("centre.bad_decision", where)
    texts = {name: told.get(name, "") for name in _WORDS}
    if not all(isinstance(text, str) and len(text) <= 400 and "\0" not in text for text in texts.values()):
        raise BadInput("centre.bad_decision", where)
    event_hash = texts.pop("event")
    if not (texts["station"] and texts["card"] and texts["reason"].strip()) or texts["verdict"] not in _VERDICTS:
        raise BadInput("centre.bad_decision", where)
    return Wish(**texts, event_hash=event_hash)
