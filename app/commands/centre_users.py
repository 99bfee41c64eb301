"""`cardintake centre users list|add|disable`: who may sign in at the stations. On stdin, or asked: passcode, badge.

add ID --name NAME --role clerk|supervisor|admin [--badge] [--station NAME]        disable ID

Neither is a word of the command (`untold`).
"""

from __future__ import annotations

import argparse
from typing import Any

from app.commands.centre_act import acting
from app.commands.untold import PASSCODE, badge_told, told_aside
from app.core.cards import Secret
from app.core.errors import BadInput
from app.core.parcels import Role
from app.server.users import add_user, disable_user, users


def add_actions(actions: Any) -> None:
    """The action of this module, for the parser of `cardintake centre`."""
    parser = actions.add_parser("users", help="who may sign in at the stations")
    parser.add_argument("what", choices=("list", "add", "disable"))
    parser.add_argument("id", nargs="?", default="", help="staff number")
    parser.add_argument("--name", default="", help="as it is shown")
    parser.add_argument("--role", choices=[role.value for role in Role], default=Role.CLERK.value)
    parser.add_argument("--badge", action="store_true", help="asked for too, or the second line on stdin")
    parser.add_argument("--station", default="", metavar="NAME", help="for this station only")


def done(args: argparse.Namespace) -> Any:
    """Do it. Raises BadInput as `app.server.users`."""
    if args.what != "list" and not args.id:
        raise BadInput("centre.unknown_user", "ID")
    with acting(args) as act:
        if args.what == "add":
            passcode, badge = Secret(told_aside(PASSCODE)), badge_told() if args.badge else ""
            name, role = args.name or args.id, Role(args.role)
            add_user(act.centre, args.id, name, role, passcode, badge, args.station, act.now_ms, act.by)
        elif args.what == "disable":
            disable_user(act.centre, args.id, act.now_ms, act.by)
        return [told for told in users(act.centre) if args.what == "list" or told["id"] == args.id]
