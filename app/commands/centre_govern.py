"""`cardintake centre policy|vault-key|take-back`: what stations are governed by, through the feed.

policy [FIELD=NUMBER …] [--station NAME]        shows the policy, changed or not (app.core.policy)
vault-key PUBLIC --root FILE                    certify a key that `cardintake vault new-key` made; FILE: the root's key
take-back vault-key|user|station NAME           for good [--reason TEXT]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from app.commands.centre_by import by_of
from app.core.errors import BadInput
from app.server.governing import REVOCABLE, add_vault_key, policy_told, read_root, revoke, set_policy
from app.server.setup import OpenCentre, open_centre

ACTIONS = ("policy", "vault-key", "take-back")


def add_actions(actions: Any) -> None:
    """The actions of this module, for the parser of `cardintake centre`."""
    policy = actions.add_parser("policy", help="limits that stations work by")
    policy.add_argument("changes", nargs="*", metavar="FIELD=NUMBER")
    key = actions.add_parser("vault-key", help="let stations seal to a new key of the vault")
    key.add_argument("public", help="the public key in hex, as `cardintake vault new-key` prints it")
    key.add_argument("--root", type=Path, required=True, metavar="FILE", help="the tenant root's key")
    back = actions.add_parser("take-back", help="revoke a vault key, a user or a station for good")
    back.add_argument("what", choices=REVOCABLE)
    back.add_argument("name")
    back.add_argument("--reason", default="")
    for name in ACTIONS:
        actions.choices[name].add_argument("--station", default="", metavar="NAME", help="tell this station only")


def done(args: argparse.Namespace) -> dict[str, Any]:
    """Do one of the actions."""
    if args.data is None:
        raise BadInput("serve.not_initialised", "--data DIR")
    centre = open_centre(args.data, args.database, connections=1)
    try:
        return _done(args, centre, time.time_ns() // 1_000_000, by_of(args))
    finally:
        centre.engine.dispose()


def _done(args: argparse.Namespace, centre: OpenCentre, now_ms: int, by: str) -> dict[str, Any]:
    match args.action:
        case "policy" if args.changes:
            return set_policy(centre, _changes(args.changes), args.station, now_ms, by).as_fields()
        case "policy":
            return policy_told(centre, args.station).as_fields()
        case "vault-key":
            try:
                public = bytes.fromhex(args.public)
            except ValueError as wrong:
                raise BadInput("centre.bad_key", "PUBLIC") from wrong
            if len(public) != 32:
                raise BadInput("centre.bad_key", "PUBLIC")
            root = read_root(args.root, centre.centre)
            return {"vault_key": add_vault_key(centre, public, root, args.station, now_ms, by)}
    revoke(centre, args.what, args.name, args.reason, args.station, now_ms, by)
    return {"taken_back": f"{args.what}/{args.name}"}


def _changes(words: list[str]) -> dict[str, int]:
    """FIELD=NUMBER words. Raises BadInput("centre.bad_policy")."""
    told = {}
    for word in words:
        name, _, value = word.partition("=")
        if not value.isascii() or not value.isdigit():
            raise BadInput("centre.bad_policy", word)
        told[name] = int(value)
    return told
