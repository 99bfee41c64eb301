"""A station's catalogue from the command line: publish, install, roll back, bind, add. Each step is audited.

A supervisor's badge is scanned at the prompt, or is a line on stdin.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.catalog.bundle import make_bundle, read_bundle
from app.catalog.shelf import read_sources
from app.commands.bulk import stamp
from app.commands.opening import add_passphrase, open_station
from app.commands.readable import bytes_of, templates_at
from app.commands.untold import badge_told
from app.commands.written import written
from app.core.audit import EventKind
from app.core.errors import BadInput
from app.core.parcels import Operator
from app.keys import Signer
from app.paths import StationFolder
from app.platform import durable_write
from app.server.folder import CentreFolder, read_centre, read_seed
from app.station.rights import must_be_supervisor
from app.station.shelving import Shelving, shelf_of, station_sources
from app.store.store import Store

Answer = dict[str, Any]


def add_station_actions(actions: Any) -> None:
    """The actions of this module, for the parser of `cardintake catalog`."""
    publish = actions.add_parser("publish", help="sign templates as a new version of the centre's catalogue")
    publish.add_argument("source", type=Path, nargs="+", metavar="TOML|FOLDER")
    publish.add_argument("--data", type=Path, required=True, metavar="DIR", help="the centre's folder")
    publish.add_argument("--out", type=Path, required=True, metavar="BUNDLE.json")
    install = actions.add_parser("install", help="take a published version into use at a station")
    install.add_argument("bundle", type=Path, metavar="BUNDLE.json")
    rollback = actions.add_parser("rollback", help="use the version before again, in one step")
    bind = actions.add_parser("bind", help="an unknown barcode belongs to a product (supervisor)")
    bind.add_argument("gtin", metavar="GTIN")
    bind.add_argument("product", metavar="PRODUCT-ID")
    release = actions.add_parser("release", help="take a binding back (supervisor)")
    release.add_argument("gtin", metavar="GTIN", help="14 digits")
    add = actions.add_parser("add", help="read by a learned template at this station (supervisor)")
    add.add_argument("template", type=Path, metavar="NEW.toml")
    withdraw = actions.add_parser("withdraw", help="take a product back that was added at this station (supervisor)")
    withdraw.add_argument("product", metavar="PRODUCT-ID")
    for action in (rollback, bind, release, add, withdraw):
        action.add_argument("--reason", required=True)
    standing = actions.add_parser("standing", help="which version a station reads by")
    for action in (install, rollback, bind, release, add, withdraw, standing):
        action.add_argument("--data", type=Path, required=True, metavar="DIR", help="the station's folder")
        add_passphrase(action)


def publish(args: argparse.Namespace) -> Answer:
    """Sign the templates; the serial counts on from what the centre published before."""
    centre, folder = read_centre(args.data), CentreFolder(args.data)
    signer = Signer(read_seed(folder.server_key))
    kept = folder.root / "catalogue"
    serial = 1 + max((read_bundle(p.read_bytes()).stated.serial for p in kept.glob("*.json")), default=0)
    found = [file for source in args.source for file in templates_at(source)]
    files = {file.name: bytes_of(file) for file in found}
    if len(files) < len(found):
        raise BadInput("catalog.bad_template", "two template files of the same name")
    bundle = make_bundle(files, centre.tenant, serial, time.time_ns() // 1_000_000, signer.sign)
    kept.mkdir(parents=True, exist_ok=True)
    durable_write(kept / f"{serial:06d}-{bundle.version[:16]}.json", bundle.to_bytes())
    with written(args.out):
        durable_write(args.out, bundle.to_bytes(), mode=0o644)
    return {"published": bundle.version, "serial": serial, "products": len(bundle.products())}


def install(args: argparse.Namespace) -> Answer:
    """Verify and take into use; the version before is kept."""

    def work(folder: StationFolder, store: Store) -> Answer:
        data = bytes_of(args.bundle)
        shelf = shelf_of(folder, store)
        before = shelf.standing.current
        bundle = shelf.install(data)
        if bundle.version != before:
            body = {"version": bundle.version, "serial": bundle.stated.serial, "before": before}
            store.record(EventKind.CATALOGUE_INSTALLED, body, stamp(), "centre")
        return {"installed": bundle.version, "before": before}

    return _at_station(args, work)


def rollback(args: argparse.Namespace) -> Answer:
    """One step back, by a supervisor."""

    def work(folder: StationFolder, store: Store) -> Answer:
        now, before = Shelving(folder, store).roll_back(args.reason, _supervisor(store), stamp())
        return {"version": now, "before": before}

    return _at_station(args, work)


def bind(args: argparse.Namespace) -> Answer:
    """Bind an unknown GTIN to a product that this station knows, by a supervisor and with a reason."""

    def work(folder: StationFolder, store: Store) -> Answer:
        person = _supervisor(store)
        gtin = Shelving(folder, store).bind(args.gtin, args.product, args.reason, person, stamp())
        return {"bound": gtin, "product": args.product, "by": person.id}

    return _at_station(args, work)


def release(args: argparse.Namespace) -> Answer:
    """Take a binding back."""

    def work(folder: StationFolder, store: Store) -> Answer:
        person = _supervisor(store)
        product = Shelving(folder, store).release(args.gtin, args.reason, person, stamp())
        return {"released": args.gtin, "product": product, "by": person.id}

    return _at_station(args, work)


def add(args: argparse.Namespace) -> Answer:
    """Read by a learned template at this station alone, until the centre publishes the product."""

    def work(folder: StationFolder, store: Store) -> Answer:
        person = _supervisor(store)
        try:
            template = bytes_of(args.template).decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadInput("catalog.bad_template", f"{args.template.name}: not UTF-8 (byte {error.start})") from error
        product = Shelving(folder, store).add(template, args.reason, person, stamp())
        return {"added": product.id, "by": person.id}

    return _at_station(args, work)


def withdraw(args: argparse.Namespace) -> Answer:
    """Take a product back that was added at this station."""

    def work(folder: StationFolder, store: Store) -> Answer:
        person = _supervisor(store)
        Shelving(folder, store).withdraw(args.product, args.reason, person, stamp())
        return {"withdrawn": args.product, "by": person.id}

    return _at_station(args, work)


def standing(args: argparse.Namespace) -> Answer:
    """Which version is in use, which one `rollback` would go to, and how many products it has."""

    def work(folder: StationFolder, store: Store) -> Answer:
        now = shelf_of(folder, store).standing
        sources = station_sources(folder, store)
        products = len(read_sources(sources).products)
        return {"version": sources.version, "published": now.current, "before": list(now.before), "products": products}

    return _at_station(args, work)


def _at_station(args: argparse.Namespace, work: Callable[[StationFolder, Store], Answer]) -> Answer:
    folder = StationFolder(args.data.resolve())
    store = open_station(folder, args.passphrase_fd)
    try:
        return work(folder, store)
    finally:
        store.close()


def _supervisor(store: Store) -> Operator:
    """Whoever's badge is told, beside the command. Raises BadInput: centre.no_badge, catalog.not_supervisor."""
    return must_be_supervisor(store.by_badge(badge_told(), stamp().wall_us), "catalog.not_supervisor")
