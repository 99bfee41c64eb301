"""`cardintake centre policy|vault-key|server-key|take-back`: what stations are governed by, through the feed.

policy [FIELD=NUMBER …] [--station NAME]        shows the policy, changed or not (app.core.policy)
vault-key PUBLIC --root FILE                    certify a key that `cardintake vault new-key` made; FILE: the root's key
server-key --root FILE [--at-once]              another key signs for the centre; at once: the old one was stolen
take-back vault-key|user|station NAME           for good [--reason TEXT]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from app.commands.centre_act import acting
from app.core.errors import BadInput
from app.keys import key_id
from app.server.governing import REVOCABLE, add_vault_key, policy_told, read_root, revoke, set_policy
from app.server.rotate import rotate_server_key
from app.server.setup import OpenCentre

_TO_ONE = ("policy", "vault-key", "take-back")
ACTIONS = (*_TO_ONE, "server-key")


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
    own = actions.add_parser("server-key", help="let another key sign for the centre")
    own.add_argument("--root", type=Path, required=True, metavar="FILE", help="the tenant root's key")
    own.add_argument("--at-once", action="store_true", help="the old one was stolen: its answers count no more")
    for name in _TO_ONE:
        actions.choices[name].add_argument("--station", default="", metavar="NAME", help="tell this station only")


def done(args: argparse.Namespace) -> dict[str, Any]:
    """Do one of the actions."""
    with acting(args) as act:
        return _done(args, act.centre, act.now_ms, act.by)


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
        case "server-key":
            before, root = key_id(centre.signer.public_key), read_root(args.root, centre.centre)
            new = rotate_server_key(centre, root, now_ms, by, at_once=args.at_once)
            return {"server_key": key_id(new), "before": before}
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
