"""`cardintake vault init|new-key|person|rotate|run --data DIR`: the one process that can open secrets. JSON on stdout.

init   join the centre as its vault and take the private keys over from where `serve --init` left them
new-key                 make a further key to seal to; its public half
person [NAME PUBLIC | NAME --take-back]     let a person ask to see secrets, or never again; alone: who may
reveals                 its own log of what it was asked to show
rotate                  another key to sign requests by (not the one that secrets are sealed to)
footage DIR             two people see a recording's film, or the originals of what is covered in it (`vault_footage`)
backup --to DIR         a copy of database and wrapped key, also while it runs
run    look at what arrived, again and again (`--once`: one look; `--again`: first at every card there is)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.commands import vault_footage
from app.commands.complaint import complain
from app.commands.enrolling import enrolling_seed, forget_enrolling, look_at
from app.commands.opening import add_passphrase
from app.core.errors import BadInput, StorageTrouble, Unavailable
from app.keys import Signer, key_id, read_public
from app.living import end_with_stdin
from app.platform import private_folder
from app.store.unlock import ask_passphrase, find_passphrase
from app.sync.client import CentreClient, CentreRefused
from app.sync.enrol import Applicant, ask_to_join, require_active
from app.vault.backup import back_up, look_again
from app.vault.keys import DATABASE, Vault, make_vault, open_vault
from app.vault.reveal import add_person, people, reveals, take_back_person
from app.vault.run import answer_once, look_once, require_newest_key, tell_people
from app.vault.speaking import change_key, follow_centre, speaker_of, told_of_vault
from app.wire import Centre
from app.wire_enrol import Enrolled
from app.wire_vault import VaultPerson


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    init = actions.add_parser("init", help="join the centre and take its private keys over")
    init.add_argument("--code", required=True, help="of `cardintake centre code NAME --role vault`")
    init.add_argument("--keys", type=Path, required=True, metavar="DIR", help="the folder vault/ of the centre")
    fresh = actions.add_parser("new-key", help="make a further key; `cardintake centre vault-key` certifies it")
    person = actions.add_parser("person", help="let a person ask to see secrets, or no longer; alone: who may")
    person.add_argument("name", nargs="?", default="")
    person.add_argument("public", nargs="?", default="", help="as `cardintake station person` prints it")
    person.add_argument("--take-back", action="store_true", help="for good: a dismissed person, a lost stick")
    log = actions.add_parser("reveals", help="the vault's own log of what it was asked to show, and showed")
    rotate = actions.add_parser("rotate", help="another signing key from now on; the centre hears of it at once")
    backup = actions.add_parser("backup", help="copy the vault, also while it runs")
    backup.add_argument("--to", type=Path, required=True, metavar="DIR")
    run_ = actions.add_parser("run", help="look at what arrived")
    run_.add_argument("--once", action="store_true", help="end when nothing waits")
    run_.add_argument("--again", action="store_true", help="first look at every card anew: this is a copy put back")
    run_.add_argument("--until-stdin-closes", action="store_true", help="end with whoever started it")
    run_.add_argument("--every-s", type=float, default=2.0)
    footage = actions.add_parser("footage", help="two people see a recording's film, or the pictures below its masks")
    vault_footage.add_arguments(footage)
    for action in (init, run_, fresh, person, log, rotate, backup, footage):
        action.add_argument("--data", type=Path, required=True, metavar="DIR", help="the vault's own folder")
        if action in (init, run_, rotate):
            action.add_argument("--server", required=True, metavar="URL")
        add_passphrase(action)


def run(args: argparse.Namespace) -> int:
    passphrase = find_passphrase(args.data, args.passphrase_fd) or ask_passphrase(twice=args.action == "init")
    if not passphrase:
        raise BadInput("store.no_passphrase", args.data.name)
    if args.action == "init":
        return _init(args, passphrase)
    vault = open_vault(args.data, passphrase)
    if args.action == "rotate":
        print(json.dumps(asyncio.run(_rotate(vault, args))))
        vault.close()
        return 0
    if args.action in ("new-key", "person", "reveals", "backup", "footage"):
        try:
            print(json.dumps(_done(vault, args, passphrase), ensure_ascii=False))
        finally:
            vault.close()
        return 0
    if args.until_stdin_closes:
        end_with_stdin()  # what was found is already at the centre, and each step may be done again
    try:
        asyncio.run(_look(vault, args))
    finally:
        vault.close()
    return 0


def _done(vault: Vault, args: argparse.Namespace, passphrase: str) -> dict[str, Any]:
    if args.action == "footage":
        return vault_footage.done(vault, args)
    if args.action == "backup":
        return {"backup": str(back_up(vault, args.data, passphrase, args.to, datetime.now(UTC)))}
    if args.action == "reveals":
        return {"reveals": reveals(vault)}
    if args.action == "new-key":
        return {"public_key": vault.new_key().hex()}
    return _person(vault, args)


def _person(vault: Vault, args: argparse.Namespace) -> dict[str, Any]:
    if args.take_back:
        take_back_person(vault, args.name, _now_ms())
    elif args.name:
        try:
            add_person(vault, args.name, read_public(args.public))
        except ValueError as wrong:
            raise BadInput("centre.bad_key", "PUBLIC") from wrong
    return {**({"person": args.name} if args.name else {}), **people(vault)}


def _init(args: argparse.Namespace, passphrase: str) -> int:
    """Broken off, the same call goes on where it ended: the key that it joins with is kept before the first request."""
    if (args.data / DATABASE).exists():
        raise BadInput("vault.exists", args.data.name)
    seed = enrolling_seed(args.data, passphrase)
    private_folder(args.data)
    told = asyncio.run(_join(args.server, Signer(seed), args.code, look_at(args.server)))
    make_vault(args.data, passphrase, told.station, told.centre, seed, args.keys)
    forget_enrolling(args.data)
    print(json.dumps({"vault": told.station, "tenant": told.centre.tenant}))
    return 0


async def _join(url: str, signer: Signer, code: str, centre: Centre) -> Enrolled:
    async with CentreClient(url) as client:
        applicant = Applicant(signer, code, rehearsal=False, centre=centre)
        return require_active(await ask_to_join(client, applicant))


async def _look(vault: Vault, args: argparse.Namespace) -> None:
    said, again, fits = "", args.again, False
    people_told: set[VaultPerson] = set()
    async with _client(vault, args.server) as client:
        while True:
            wait_s = args.every_s
            try:
                client.speak_as(speaker_of(vault))
                if not fits:
                    await require_newest_key(vault, client)
                    fits = True
                if again:
                    print(json.dumps({"looked_again": await look_again(vault, client)}), flush=True)
                    again = False
                await tell_people(vault, client, people_told)
                done = await look_once(vault, client)
                shown = await answer_once(vault, client, lambda: _now_ms() + client.offset.ms)
                print(json.dumps({"looked_up": done, "answered": shown, "at_ms": _now_ms()}), flush=True)
                said = ""
            except Unavailable as trouble:
                away = told_of_vault(trouble)
                if args.once:
                    raise away from trouble
                if (told := str(away)) != said:
                    complain(away)  # once; that it goes on is seen by the lines on stdout
                said, wait_s = told, max(args.every_s, away.wait_ms / 1000 if isinstance(away, CentreRefused) else 0)
            except StorageTrouble as full:
                if args.once or full.code not in ("store.disk_full", "store.io"):
                    raise
                complain(full)  # nothing was told that is not written; it is looked at again when there is room
            if args.once:
                return
            await asyncio.sleep(wait_s)


def _client(vault: Vault, url: str) -> CentreClient:
    client = CentreClient(url, None, speaker_of(vault))

    async def keep(told: Centre) -> None:
        follow_centre(vault, told)

    client.on_newer_key = keep
    return client


async def _rotate(vault: Vault, args: argparse.Namespace) -> dict[str, str]:
    before = key_id(vault.signer.public_key)
    try:
        async with _client(vault, args.server) as client:
            return {"key": key_id(await change_key(vault, client)), "before": before}
    except Unavailable as trouble:
        raise told_of_vault(trouble) from trouble


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
