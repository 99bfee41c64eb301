"""`cardintake station person|reveal|approve`: a person sees one secret through the vault; the second person's part.

person  --key FILE                                a person's own key; `cardintake vault person` lets it ask
reveal  --key FILE --who NAME --of STATION --card ID --field number|pin --reason TEXT
approve --key FILE --who NAME [ID [--refuse]]     what waits for a second person; with ID: sign or refuse that

The secret is shown on the terminal and wiped from it after the policy's time (`reveal_shown_s`), or when something
ends the program before (`uncovered`). Without a terminal it goes to `--out-fd N`, and nowhere else: never to stdout, a
file or a log.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from app.commands.opening import add_passphrase, open_station
from app.commands.persons import person_signer
from app.commands.uncovered import uncover
from app.core.audit import digest
from app.core.cards import Secret
from app.core.errors import BadInput
from app.paths import StationFolder
from app.settings import load_settings
from app.store.governing import policy_of
from app.store.store import Store
from app.sync.client import CentreClient, Speaker
from app.sync.reveal import Person, Wish, approve, refuse, reveal
from app.wire_vault import RevealRequest, RevealState

ACTIONS = ("person", "reveal", "approve")


def add_actions(actions: Any) -> None:
    """The actions of this module, for the parser of `cardintake station`."""
    person = actions.add_parser("person", help="make a person's own key, or tell its public half")
    show = actions.add_parser("reveal", help="see one secret, through the vault")
    show.add_argument("--of", required=True, metavar="STATION", help="that took the card")
    show.add_argument("--card", required=True, metavar="ID")
    show.add_argument("--field", required=True, choices=("number", "pin"))
    show.add_argument("--reason", required=True, help="goes into the log for good")
    show.add_argument("--out-fd", type=int, metavar="N", help="without a terminal: where the secret goes")
    second = actions.add_parser("approve", help="what waits for a second person; with ID: sign it")
    second.add_argument("id", nargs="?", default="")
    second.add_argument("--refuse", action="store_true", help="say no to the request of this ID")
    for action in (person, show, second):
        action.add_argument("--key", type=Path, required=True, metavar="FILE", help="the person's key")
        action.add_argument("--key-passphrase-fd", type=int, metavar="N")
    for action in (show, second):
        action.add_argument("--who", required=True, metavar="NAME", help="the person, as the vault knows it")
        action.add_argument("--server", default="", metavar="URL")
        action.add_argument("--data", type=Path, required=True, metavar="DIR", help="the station's folder")
        add_passphrase(action)


def run(args: argparse.Namespace) -> int:
    """Do one of the actions."""
    if args.action == "person":
        print(json.dumps({"public_key": person_signer(args.key, args.key_passphrase_fd, new=True).public_key.hex()}))
        return 0
    person = Person(args.who, person_signer(args.key, args.key_passphrase_fd))
    folder = StationFolder(args.data.resolve())
    store = open_station(folder, args.passphrase_fd)
    try:
        if args.action == "reveal":
            return _reveal(args, folder, store, person)
        print(json.dumps(asyncio.run(_second(args, folder, store, person)), ensure_ascii=False, indent=1))
        return 0
    finally:
        store.close()


def _client(args: argparse.Namespace, folder: StationFolder, store: Store) -> CentreClient:
    url = args.server or load_settings(folder.settings).server.url
    if not url:
        raise BadInput("sync.no_address", folder.root.name)
    return CentreClient(url, None, Speaker.of(store))


def _reveal(args: argparse.Namespace, folder: StationFolder, store: Store, person: Person) -> int:
    _require_screen(args.out_fd)
    wish = Wish(args.of, args.card, args.field, args.reason)

    async def ask() -> Secret:
        async with _client(args, folder, store) as client:
            now_ms = time.time_ns() // 1_000_000
            return await reveal(client, person, wish, store.centre.tenant, now_ms, _tell)

    secret = asyncio.run(ask())
    with store.ledger.reading() as connection:
        shown_s = policy_of(connection).reveal_shown_s
    if args.out_fd is not None:
        os.write(args.out_fd, secret.reveal().encode())  # whose reader answers for it
    else:
        uncover(secret, shown_s, sys.stdout.fileno())
    return 0


def _tell(state: RevealState) -> None:
    print(json.dumps({"reveal": state.id, "state": state.state}), file=sys.stderr, flush=True)


def _require_screen(out_fd: int | None) -> None:
    """Before anything is asked for. Raises BadInput("reveal.no_screen"): no terminal, or nothing to write to."""
    try:
        if os.fstat(out_fd) if out_fd is not None else sys.stdout.isatty():
            return
    except OSError:
        pass
    raise BadInput("reveal.no_screen", "--out-fd N")


async def _second(
    args: argparse.Namespace, folder: StationFolder, store: Store, person: Person
) -> list[dict[str, Any]]:
    async with _client(args, folder, store) as client:
        waiting = {digest(one.request.text.encode()): one for one in (await client.open_reveals()).requests}
        if args.id:
            if args.id not in waiting:
                raise BadInput("reveal.state", args.id[:12])
            say = refuse if args.refuse else approve
            state = await say(client, person, waiting[args.id].request, args.id)
            return [{"reveal": state.id, "state": state.state}]
    listed = []
    for name, one in waiting.items():
        told = RevealRequest.model_validate_json(one.request.text)
        named = {"who": one.who, "station": told.station, "card": told.card}
        listed.append({"reveal": name, **named, "field": told.field, "reason": told.reason})
    return listed
