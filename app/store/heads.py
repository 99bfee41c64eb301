"""The heads of the centre's log that this station has seen: checkpoints it verified, and receipts since the last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.sqlite import insert

from app.core.audit import EventKind, Stamp
from app.store.ledger import Ledger
from app.store.tables import epoch_account, receipt, tree_head

_MOST_RECEIPTS = 24


@dataclass(frozen=True, slots=True)
class TreeHead:
    """So many entries had this root (32 bytes), by the centre's word. `note`: a checkpoint; "" for a receipt."""

    size: int
    epoch: str
    root: bytes
    note: str = ""


def seen(connection: Connection) -> tuple[TreeHead, ...]:
    """The last checkpoint and the newest receipts after it, of the centre's epoch of now, the smallest first."""
    last = connection.execute(select(receipt.c.epoch).order_by(receipt.c.id.desc()).limit(1)).scalar()
    if last is None:
        return ()
    newest = select(tree_head).where(tree_head.c.epoch == last).order_by(tree_head.c.size.desc()).limit(1)
    found = [TreeHead(row.size, row.epoch, bytes(row.root), row.note) for row in connection.execute(newest)]
    after = found[0].size if found else 0
    rows = select(receipt.c.text).where(receipt.c.epoch == last).order_by(receipt.c.id.desc()).limit(_MOST_RECEIPTS)
    told = [json.loads(text) for text in connection.execute(rows).scalars()]
    heads = {one["log_size"]: one["root"] for one in told if one["log_size"] >= after}
    found += [TreeHead(size, last, bytes.fromhex(root)) for size, root in heads.items()]
    return tuple(sorted(found, key=lambda head: head.size))


def keep(ledger: Ledger, head: TreeHead) -> bool:
    """Keep a checkpoint that was verified; False when it was kept before."""
    row = {"size": head.size, "epoch": head.epoch, "root": head.root, "note": head.note}
    done = ledger.write(lambda connection: connection.execute(insert(tree_head).on_conflict_do_nothing(), row))
    return bool(done.rowcount)


def epochs_over(connection: Connection, epoch: str) -> tuple[str, ...]:
    """Epochs of the centre that we saw, are over, and were not accounted for yet; `epoch`: the one of now."""
    told = set(connection.execute(select(receipt.c.epoch).distinct()).scalars())
    told |= set(connection.execute(select(tree_head.c.epoch).distinct()).scalars())
    known = set(connection.execute(select(epoch_account.c.epoch)).scalars())
    return tuple(sorted(told - known - {epoch}))


def of_epoch(connection: Connection, epoch: str) -> tuple[TreeHead, ...]:
    """Every head of an epoch that we hold, the smallest first: checkpoints, and what receipts told."""
    rows = connection.execute(select(tree_head).where(tree_head.c.epoch == epoch))
    found = {row.size: TreeHead(row.size, epoch, bytes(row.root), row.note) for row in rows}
    for text in connection.execute(select(receipt.c.text).where(receipt.c.epoch == epoch)).scalars():
        told = json.loads(text)
        head = TreeHead(told["log_size"], epoch, bytes.fromhex(told["root"]))
        found.setdefault(head.size, head)
    return tuple(found[size] for size in sorted(found))


def high_in(connection: Connection, epoch: str) -> int:
    """The highest of our events that the centre acknowledged in an epoch."""
    wanted = select(func.max(receipt.c.high)).where(receipt.c.epoch == epoch)
    return connection.execute(wanted).scalar() or 0


def account(ledger: Ledger, epoch: str, kept: int, seen: int, body: Mapping[str, Any], stamp: Stamp) -> None:
    """Write down what became of an epoch's log, in our chain too."""

    def work(connection: Connection) -> None:
        event = ledger.append(connection, EventKind.LOG_PUT_BACK, body, stamp, "sync")
        row = {"epoch": epoch, "kept": kept, "seen": seen, "seq": event.seq}
        connection.execute(insert(epoch_account), row)

    ledger.write(work)
