"""The heads of the centre's log that this station has seen: checkpoints it verified, and receipts since the last."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from app.store.ledger import Ledger
from app.store.tables import receipt, tree_head

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
