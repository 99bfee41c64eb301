"""`cardintake centre ACTION --data DIR | --database URL`: what an administrator does at the centre. JSON on stdout.

code NAME [--role R] [--no-confirm]   a one-time code for a new station      confirm NAME   its six words were right
backup --to DIR      a copy, while it serves            restore --from DIR     into an empty place; the epoch changes
migrate              from file and files to --database and --objects; the log's root stays (--abandon: give it up)
export --to FILE     the log as JSON lines, with the program that checks them
admit NAME KEY       a station that joined after the backup was made
certificate [HOST …]                  a new TLS certificate by the centre's own authority
policy | vault-key | take-back        what stations are governed by      (`centre_govern`)
users list | add | disable           who may sign in at the stations
expect | block | offer                what stations work by      (`centre_hand_out`)
bucket --objects URL                  whether the bucket holds on to what is deleted      (`centre_bucket`)
footage STATION RECORDING             a recording's encrypted files, for the vault      (`centre_footage`)
waiting                               stations to be confirmed, with words   release NAME   go on after a fork
decide | accept-rule                  what becomes of real cards      (`centre_accept`)
cards | undecided | stations | objects | quarantine | acts      revoke NAME    its key counts no more
chips [--record SHA256]               what came of each chip; the record of a run, whole

Whatever changes something is signed into the log, in the name of `--by` (else of the operating system's user).
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.commands import centre_accept, centre_bucket, centre_footage, centre_govern, centre_hand_out, centre_users
from app.commands.centre_act import acting, add_by, folder_of
from app.core.errors import BadInput
from app.core.merkle import CompactTree
from app.keys import read_public
from app.server import enrol
from app.server.copying import Places, abandon, back_up, move, restore
from app.server.db import Database, open_engine
from app.server.export import export_log
from app.server.folder import CentreFolder, read_centre
from app.server.report import REPORTS, chip_record, report
from app.server.setup import OpenCentre
from app.server.tls import make_certificate

_BY_NAME = ("confirm", "release", "revoke")
_WHOLE = ("backup", "restore", "migrate")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    code = actions.add_parser("code", help="make a one-time code for a new station")
    code.add_argument("name", nargs="?", default="", help="what the station will be called")
    code.add_argument("--role", choices=enrol.ROLES, default="rehearsal")
    code.add_argument("--no-confirm", action="store_true", help="nobody compares the six words")
    for name in _BY_NAME:
        actions.add_parser(name).add_argument("name")
    actions.add_parser("certificate", help="a new TLS certificate").add_argument("names", nargs="*", metavar="HOST")
    for name in ("waiting", "migrate", centre_bucket.ACTION, *REPORTS):
        actions.add_parser(name)
    actions.choices["migrate"].add_argument("--abandon", action="store_true", help="give up one that was cut off")
    actions.choices["chips"].add_argument("--record", default="", metavar="SHA256", help="print this record")
    actions.add_parser("backup").add_argument("--to", type=Path, required=True, metavar="DIR")
    actions.add_parser("restore").add_argument("--from", type=Path, required=True, metavar="DIR", dest="backup")
    actions.add_parser("export").add_argument("--to", type=Path, required=True, metavar="FILE")
    admit = actions.add_parser("admit", help="let a key join again that joined after the backup")
    admit.add_argument("name")
    admit.add_argument("key", help="the station's public key, hex")
    admit.add_argument("--role", choices=enrol.ROLES, default="store")
    centre_hand_out.add_actions(actions)
    centre_users.add_actions(actions)
    centre_govern.add_actions(actions)
    centre_footage.add_actions(actions)
    centre_accept.add_actions(actions)
    for action in actions.choices.values():
        action.add_argument("--data", type=Path, metavar="DIR", help="the centre's folder")
        action.add_argument("--database", default="", metavar="URL", help="postgresql://…")
        action.add_argument("--objects", default="", metavar="URL", help="s3://…")
        add_by(action)
        action.add_argument("--json", action="store_true", help="(always so)")


def run(args: argparse.Namespace) -> int:
    if args.action in _WHOLE:
        print(json.dumps(_whole(args), ensure_ascii=False, indent=1))
        return 0
    for module in (centre_hand_out, centre_govern, centre_footage):
        if args.action in module.ACTIONS:
            print(json.dumps(module.done(args), ensure_ascii=False, indent=1))
            return 0
    if args.action in centre_accept.ACTIONS:
        code, told = centre_accept.done(args)
        print(json.dumps(told, ensure_ascii=False, indent=1))
        return code
    if args.action == centre_bucket.ACTION:
        print(json.dumps(centre_bucket.done(args), ensure_ascii=False, indent=1))
        return 0
    if args.action == "users":
        print(json.dumps(centre_users.done(args), ensure_ascii=False, indent=1))
        return 0
    print(json.dumps(_done(args), ensure_ascii=False, indent=1))
    return 0


def _whole(args: argparse.Namespace) -> dict[str, Any]:
    """What is done to a centre as a whole."""
    data = folder_of(args)
    places = Places(CentreFolder(data), args.database, args.objects)
    if args.action == "restore":
        return asdict(restore(args.backup, places))
    read_centre(data)
    if args.action == "migrate":
        if not args.database:
            raise BadInput("serve.database", "--database postgresql://…")
        if args.abandon:
            tree = abandon(places)
            return {"abandoned": True, "served_from": str(places.folder.database), **_log(tree)}
        return asdict(move(places))
    state, copied = back_up(places, args.to, datetime.now(UTC))
    return {"backup": str(state), **asdict(copied)}


def _log(tree: CompactTree) -> dict[str, Any]:
    return {"log_size": tree.size, "root": tree.root().hex()}


def _done(args: argparse.Namespace) -> Any:
    if args.action in REPORTS:
        engine = _to_look(args)
        try:
            record = args.action == "chips" and args.record
            return _record(engine, args.record) if record else report(engine, args.action)
        finally:
            engine.dispose()
    if args.action == "certificate":
        data = folder_of(args)
        read_centre(data)
        return {"names": make_certificate(CentreFolder(data).tls, args.names)}
    with acting(args, args.objects) as act:
        return _changed(args, act.centre, act.now_ms, act.by)


def _to_look(args: argparse.Namespace) -> Database:
    if args.database:
        return open_engine(args.database, 1)
    if args.data is None:
        raise BadInput("serve.database", "--data DIR or --database URL")
    read_centre(args.data)
    return open_engine(CentreFolder(args.data).database, 2)


def _changed(args: argparse.Namespace, centre: OpenCentre, now_ms: int, by: str) -> Any:
    match args.action:
        case "code":
            name = args.name or f"station-{now_ms // 1000 % 10**7:07d}"
            code = enrol.make_code(centre, name, args.role, now_ms, confirm=not args.no_confirm, by=by)
            return {"code": code, "station": name, "role": args.role, "expires_ms": now_ms + enrol.CODE_LIFE_MS}
        case "waiting":
            return enrol.waiting_words(centre.engine, centre.centre)
        case "admit":
            enrol.require_name(args.name)
            enrol.admit_station(centre, args.name, _public(args.key), args.role, now_ms, by)
        case "export":
            return {"entries": export_log(centre.engine, centre.centre, args.to), "file": str(args.to)}
        case "confirm":
            enrol.confirm_station(centre, args.name, now_ms, by)
        case "release":
            enrol.release_station(centre, args.name, now_ms, by)
        case _:
            enrol.revoke_station(centre, args.name, now_ms, by)
    return {args.action: args.name}


def _public(text: str) -> bytes:
    """A station's public key. Raises BadInput("centre.bad_key")."""
    try:
        return read_public(text)
    except ValueError as wrong:
        raise BadInput("centre.bad_key", "KEY") from wrong


def _record(engine: Database, sha256: str) -> Any:
    """Raises BadInput("serve.no_record")."""
    record = chip_record(engine, sha256)
    if record is None:
        raise BadInput("serve.no_record", sha256[:8])
    return record
