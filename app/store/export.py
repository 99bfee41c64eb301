"""The audit chain as a file of JSON lines that anybody can check with the station's public key.

Line 1: {"type": "chain", "v", "station", "public_key", "server_key", "server_keys_before", "tenant"}; the public key is
the station's first, events name those that follow it (`app.rotation`); the centre's key of now and those before it.
Then one line per event {"seq", "data", "hash", "sig"} (data and sig in base64: the exact bytes), then the receipts as
they were signed {"text", "sig"}, then the checkpoints of the centre's log that the station verified {"note", "epoch"}.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from app.centre_keys import server_keys
from app.platform import sync_folder
from app.store.ledger import Identity
from app.store.tables import outbox, receipt, tree_head


def export_chain(connection: Connection, identity: Identity, path: Path) -> int:
    """Write the export; it appears complete or not at all. Gives back the number of events. Raises OSError."""
    partial = path.with_name(path.name + ".part")
    events = 0
    try:
        with partial.open("w", encoding="utf-8") as out:
            for line in _lines(connection, identity):
                out.write(json.dumps(line, sort_keys=True) + "\n")
                events += "seq" in line
            out.flush()
            os.fsync(out.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return events


def _lines(connection: Connection, identity: Identity) -> Iterator[dict[str, Any]]:
    yield {
        "type": "chain",
        "v": 1,
        "station": identity.station,
        "tenant": identity.centre.tenant,
        "public_key": identity.signers[-1].public_key.hex(),
        "server_key": identity.centre.server_key,
        "server_keys_before": [key.hex() for key in server_keys(identity.centre)[1:]],
    }
    for row in connection.execute(select(outbox).order_by(outbox.c.seq)):
        yield {"seq": row.seq, "data": _b64(row.data), "hash": row.hash, "sig": _b64(row.sig)}
    for row in connection.execute(select(receipt).order_by(receipt.c.id)):
        yield {"text": row.text, "sig": _b64(row.sig)}
    for row in connection.execute(select(tree_head).where(tree_head.c.note != "").order_by(tree_head.c.size)):
        yield {"note": row.note, "epoch": row.epoch}


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
