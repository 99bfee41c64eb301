"""Holds what several witnesses of one centre's log have from it against each other; the centre is not asked.

A witness is a station (its folder or export: receipts, and checkpoints that it verified) or the log itself (a centre's
folder, database or export). Two roots for one size of one epoch, each signed by the centre, prove that it showed two
logs. Stations alone can be compared where they saw logs of the same size, as published checkpoints are; beside the log
each size can. What each witness says for itself was verified before (`store.verify`).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, inspect

from app.core.merkle import CompactTree, leaf_hash
from app.store.db import open_database, reading
from app.store.keyfile import read_key
from app.store.verify import CENTRE_DATABASE, STATION_DATABASE
from app.wire import Receipt

Head = tuple[str, int]
"""An epoch of the centre, and a size of its log."""

Roots = dict[Head, set[str]]
"""In hexadecimal; of one witness several for one head where it was shown two logs itself."""

_EXACT = b'"event":'
"""Before an event's exact bytes, with which the line of its entry ends."""

_ENTRIES = "SELECT e.data FROM log_leaf l JOIN event e ON e.station = l.station AND e.seq = l.seq ORDER BY l.n"


def compare(places: Mapping[str, Path | Engine], passphrases: Mapping[str, str]) -> dict[str, Any]:
    """What witnesses, each by a name of its own, have of the log: {"compared", "apart", "ok"}.

    `compared`: heads that at least two of them have, or one has twice; `apart`: those on which they differ, with the
    roots of each, "" for a log that is too short for what a station saw. A log is held at its own end and checkpoints
    too: of two logs the shorter one has to be the longer one's beginning. `passphrases` open stations' folders;
    engines are of centres, and are closed.
    """
    saw: dict[Head, dict[str, set[str]]] = {}
    logs: dict[str, _Log] = {}
    for name, place in places.items():
        found = _read(place, passphrases.get(name, ""))
        if isinstance(found, _Log):
            logs[name] = found
            continue
        for head, roots in found.items():
            saw.setdefault(head, {})[name] = roots
    promised, wanted = set(saw), set(saw).union(*(log.heads for log in logs.values()))
    for name, log in logs.items():
        for head, root in log.roots_at(list(wanted)).items():
            if root or head in promised:  # a log may be older than another one
                saw.setdefault(head, {})[name] = {root}
    several = {head: by for head, by in saw.items() if len(by) > 1 or len(_all(by)) > 1}
    apart = [
        {"epoch": epoch, "size": size, "roots": {name: sorted(roots) for name, roots in by.items()}}
        for (epoch, size), by in sorted(several.items())
        if len(_all(by)) > 1
    ]
    return {"ok": not apart, "compared": len(several), "apart": apart}


def _all(by: Mapping[str, set[str]]) -> set[str]:
    return set().union(*by.values())


@dataclass(frozen=True, slots=True)
class _Log:
    """The log itself: where it ends and has checkpoints, and its roots at heads of its own epoch."""

    heads: frozenset[Head]
    roots_at: Callable[[Sequence[Head]], dict[Head, str]]


def _read(place: Path | Engine, passphrase: str) -> Roots | _Log:
    if isinstance(place, Engine):
        return _log_of_database(place)
    if (place / STATION_DATABASE).exists():
        return _of_station(place / STATION_DATABASE, passphrase)
    if (place / CENTRE_DATABASE).exists():
        return _log_of_database(open_database(place / CENTRE_DATABASE, must_exist=True))
    with place.open(encoding="utf-8") as lines:
        first = json.loads(next(lines))
    if first["type"] == "chain":
        return _gathered(_of_export(place))
    heads = frozenset((first["epoch"], size) for size in _sizes_of_export(place))
    return _Log(heads, lambda heads: _grown(_entries_of_export(place), first["epoch"], heads))


def _gathered(found: Iterable[tuple[Head, str]]) -> Roots:
    roots: Roots = {}
    for head, root in found:
        roots.setdefault(head, set()).add(root)
    return roots


def _of_station(database: Path, passphrase: str) -> Roots:
    engine = open_database(database, read_key(database, passphrase), must_exist=True)
    try:
        with reading(engine) as connection:
            receipts = connection.exec_driver_sql("SELECT text FROM receipt").scalars()
            return _gathered(chain(_of_receipts(receipts), _noted(connection)))
    finally:
        engine.dispose()


def _noted(connection: Connection) -> Iterator[tuple[Head, str]]:
    if inspect(connection).has_table("tree_head"):  # else of a release before
        for row in connection.exec_driver_sql("SELECT epoch, note FROM tree_head WHERE note <> ''"):
            yield _of_note(row.epoch, row.note)


def _of_note(epoch: str, note: str) -> tuple[Head, str]:
    _, size, root = note.split("\n")[:3]
    return (epoch, int(size)), base64.b64decode(root).hex()


def _of_export(path: Path) -> Iterator[tuple[Head, str]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            told = json.loads(line)
            if "text" in told:
                yield from _of_receipts([told["text"]])
            elif "note" in told:
                yield _of_note(told["epoch"], told["note"])


def _of_receipts(texts: Iterable[str]) -> Iterator[tuple[Head, str]]:
    for text in texts:
        told = Receipt.model_validate_json(text)
        yield (told.epoch, told.log_size), told.root


def _log_of_database(engine: Engine) -> _Log:
    with reading(engine) as connection:
        epoch, size = connection.exec_driver_sql("SELECT epoch, log_size FROM meta").one()
        sizes = connection.exec_driver_sql("SELECT size FROM checkpoint").scalars().all()
    return _Log(frozenset((epoch, one) for one in (size, *sizes)), lambda heads: _of_database(engine, heads))


def _of_database(engine: Engine, heads: Sequence[Head]) -> dict[Head, str]:
    try:
        with reading(engine) as connection:
            epoch = connection.exec_driver_sql("SELECT epoch FROM meta").scalar_one()
            return _grown((bytes(data) for data in connection.exec_driver_sql(_ENTRIES).scalars()), epoch, heads)
    finally:
        engine.dispose()


def _sizes_of_export(path: Path) -> Iterator[int]:
    """Of its checkpoints, and its own."""
    entries = 0
    with path.open("rb") as lines:
        for line in lines:
            told = json.loads(line)
            if told["type"] == "checkpoint":
                yield int(told["size"])
            entries += told["type"] == "event"
    yield entries


def _entries_of_export(path: Path) -> Iterator[bytes]:
    with path.open("rb") as lines:
        for line in map(bytes.rstrip, lines):
            told = json.loads(line)
            if "event" in told:
                yield line[line.index(_EXACT) + len(_EXACT) : -1]
            elif told["type"] == "event":
                yield base64.b64decode(told["data"])


def _grown(entries: Iterable[bytes], epoch: str, heads: Sequence[Head]) -> dict[Head, str]:
    """The log's roots at those of the heads that are of this epoch; "" beyond its end."""
    wanted = sorted({size for of, size in heads if of == epoch})
    leaves, tree, roots = (leaf_hash(entry) for entry in entries), CompactTree(), dict[Head, str]()
    for size in wanted:
        tree = tree.grown(islice(leaves, size - tree.size))
        roots[epoch, size] = tree.root().hex() if tree.size == size else ""
    return roots
