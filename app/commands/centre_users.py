"""`cardintake centre users list|add|disable`: who may sign in at the stations. The passcode comes on stdin.

add ID --name NAME --role clerk|supervisor|admin [--badge CODE] [--station NAME]        disable ID
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from app.commands.centre_by import by_of
from app.core.cards import Secret
from app.core.errors import BadInput
from app.core.parcels import Role
from app.server.setup import open_centre
from app.server.users import add_user, disable_user, users


def add_actions(actions: Any) -> None:
    """The action of this module, for the parser of `cardintake centre`."""
    parser = actions.add_parser("users", help="who may sign in at the stations")
    parser.add_argument("what", choices=("list", "add", "disable"))
    parser.add_argument("id", nargs="?", default="", help="staff number")
    parser.add_argument("--name", default="", help="as it is shown")
    parser.add_argument("--role", choices=[role.value for role in Role], default=Role.CLERK.value)
    parser.add_argument("--badge", default="", metavar="CODE", help="as the scanner reads it")
    parser.add_argument("--station", default="", metavar="NAME", help="for this station only")


def done(args: argparse.Namespace) -> Any:
    """Do it. Raises BadInput as `app.server.users`."""
    if args.data is None:
        raise BadInput("serve.not_initialised", "--data DIR")
    if args.what != "list" and not args.id:
        raise BadInput("centre.unknown_user", "ID")
    now_ms = time.time_ns() // 1_000_000
    centre = open_centre(args.data, args.database, connections=1)
    try:
        if args.what == "add":
            passcode = Secret(sys.stdin.readline().rstrip("\r\n"))
            name, role = args.name or args.id, Role(args.role)
            add_user(centre, args.id, name, role, passcode, args.badge, args.station, now_ms, by_of(args))
        elif args.what == "disable":
            disable_user(centre, args.id, now_ms, by_of(args))
        return [told for told in users(centre) if args.what == "list" or told["id"] == args.id]
    finally:
        centre.engine.dispose()
