"""The centre's log as JSON lines that anybody can check with `resources/audit/verify.py`, which goes with it.

Line 1: {"type": "centre-log", …keys}; then a line a station, an entry (in the log's order, with its exact bytes), a
checkpoint, a countersignature. A station's line has its first key; its events name those that follow. It holds no
sealed blob and no footage.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, and_, select

from app.core.errors import StorageTrouble
from app.platform import durable_write, sync_folder
from app.server.rotations import keys_of
from app.server.tables import checkpoint, checkpoint_token, cosignature, event, log_leaf, meta, station
from app.store.db import reading
from app.store.verify import LOG_VERIFIER
from app.wire import Centre

_ROWS = 500


def export_log(engine: Engine, centre: Centre, path: Path) -> int:
    """Write the export, complete or not at all, and the verifier beside it; the number of entries.

    Raises StorageTrouble.
    """
    partial, entries = path.with_name(path.name + ".part"), 0
    try:
        with reading(engine) as connection, partial.open("w", encoding="utf-8") as out:
            for line in _lines(connection, centre):
                out.write(json.dumps(line, sort_keys=True) + "\n")
                entries += line["type"] == "event"
            out.flush()
            os.fsync(out.fileno())
        durable_write(path.with_name("verify.py"), LOG_VERIFIER.read_bytes(), 0o644)
        _write_stamped(engine, path)
        partial.replace(path)
        sync_folder(path.parent)
    except OSError as full:
        partial.unlink(missing_ok=True)
        raise StorageTrouble("store.disk_full", path.name) from full
    return entries


def _write_stamped(engine: Engine, path: Path) -> None:
    """The newest stamped checkpoint and its token, beside the export: `openssl ts -verify` takes the two files."""
    same = checkpoint.c.size == checkpoint_token.c.size
    wanted = select(checkpoint.c.note, checkpoint_token.c.token).join(checkpoint_token, same)
    with reading(engine) as connection:
        row = connection.execute(wanted.order_by(checkpoint.c.size.desc()).limit(1)).first()
    if row is not None:
        durable_write(path.with_name("checkpoint.note"), row.note.encode(), 0o644)
        durable_write(path.with_name("checkpoint.tsr"), bytes(row.token), 0o644)


def _lines(connection: Connection, centre: Centre) -> Iterator[dict[str, Any]]:
    epoch = connection.execute(select(meta.c.epoch)).scalar_one()
    keys = {"server_key": centre.server_key, "root_key": centre.root_key}
    yield {"type": "centre-log", "v": 1, "tenant": centre.tenant, "epoch": epoch, **keys}
    for row in connection.execute(select(station).order_by(station.c.id)).all():
        first = keys_of(connection, row.id, bytes(row.public_key)).first
        yield {"type": "station", "id": row.id, "public_key": first.hex(), "state": row.state}
    same = and_(event.c.station == log_leaf.c.station, event.c.seq == log_leaf.c.seq)
    columns = (log_leaf.c.n, event.c.station, event.c.seq, event.c.data, event.c.hash, event.c.sig)
    rows = select(*columns).join(event, same).order_by(log_leaf.c.n)
    for row in connection.execution_options(stream_results=True, yield_per=_ROWS).execute(rows):
        told = {"type": "event", "n": row.n, "station": row.station, "seq": row.seq, "hash": row.hash}
        yield {**told, "data": _b64(row.data), "sig": _b64(row.sig)}
    for row in connection.execute(select(checkpoint).order_by(checkpoint.c.size)):
        yield {"type": "checkpoint", "size": row.size, "note": row.note}
    for row in connection.execute(select(checkpoint_token).order_by(checkpoint_token.c.size)):
        yield {"type": "time-token", "size": row.size, "token": _b64(row.token)}
    for row in connection.execute(select(cosignature).order_by(cosignature.c.size, cosignature.c.station)):
        yield {"type": "cosignature", "size": row.size, "station": row.station, "line": row.line}


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
