"""The centre's log as JSON lines that anybody can check with `resources/audit/verify.py`, which goes with it.

Line 1: {"type": "centre-log", …keys}; then a line a station, an entry, a countersignature; a checkpoint stands behind
the last entry that it holds. A station's line has its first key; its events name those that follow. An entry's line
ends with the event's exact bytes, so whoever checks it cuts them out and need not read the JSON; where they are no JSON
in one line (of a database that was tampered with, say), they are base64 under `data`. It holds no sealed blob and no
footage.
"""

from __future__ import annotations

import base64
import json
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, and_, select

from app.platform import disk_trouble, durable_write, sync_folder
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
        with reading(engine) as connection, partial.open("wb") as out:
            for line in _head(connection, centre):
                out.write(_written(line))
            for entry, of_event in _log(connection):
                out.write(entry)
                entries += of_event
            for line in _words(connection):
                out.write(_written(line))
            out.flush()
            os.fsync(out.fileno())
        durable_write(path.with_name("verify.py"), LOG_VERIFIER.read_bytes(), 0o644)
        _write_stamped(engine, path)
        partial.replace(path)
        sync_folder(path.parent)
    except OSError as trouble:
        partial.unlink(missing_ok=True)
        raise disk_trouble(trouble, path.name) from trouble
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


def _head(connection: Connection, centre: Centre) -> Iterator[dict[str, Any]]:
    epoch = connection.execute(select(meta.c.epoch)).scalar_one()
    keys = {"server_key": centre.server_key, "root_key": centre.root_key}
    yield {"type": "centre-log", "v": 2, "tenant": centre.tenant, "epoch": epoch, **keys}
    for row in connection.execute(select(station).order_by(station.c.id)).all():
        first = keys_of(connection, row.id, bytes(row.public_key)).first
        yield {"type": "station", "id": row.id, "public_key": first.hex(), "state": row.state}


def _log(connection: Connection) -> Iterator[tuple[bytes, bool]]:
    """The entries' lines, and those of the checkpoints over them; whether it is an entry's."""
    notes = deque(connection.execute(select(checkpoint).order_by(checkpoint.c.size)).all())
    same = and_(event.c.station == log_leaf.c.station, event.c.seq == log_leaf.c.seq)
    columns = (log_leaf.c.n, event.c.station, event.c.seq, event.c.data, event.c.hash, event.c.sig)
    rows = select(*columns).join(event, same).order_by(log_leaf.c.n)
    for row in connection.execution_options(stream_results=True, yield_per=_ROWS).execute(rows):
        yield _entry(row), True
        while notes and notes[0].size <= row.n + 1:
            yield _checkpoint(notes.popleft()), False
    for late in notes:
        yield _checkpoint(late), False


def _entry(row: Any) -> bytes:
    data, told = bytes(row.data), {"sig": _b64(row.sig), "hash": row.hash, "station": row.station}
    told |= {"n": row.n, "seq": row.seq, "type": "event"}
    if not _in_one_line(data):
        return _written({**told, "data": _b64(data)})
    return json.dumps(told, separators=(",", ":")).encode()[:-1] + b',"event":' + data + b"}\n"


def _in_one_line(data: bytes) -> bool:
    """Whether it is JSON that a line can end with."""
    try:
        return data[:1] == b"{" and b"\n" not in data and isinstance(json.loads(data.decode()), dict)
    except (ValueError, RecursionError):
        return False


def _checkpoint(row: Any) -> bytes:
    return _written({"type": "checkpoint", "size": row.size, "note": row.note})


def _words(connection: Connection) -> Iterator[dict[str, Any]]:
    for row in connection.execute(select(checkpoint_token).order_by(checkpoint_token.c.size)):
        yield {"type": "time-token", "size": row.size, "token": _b64(row.token)}
    for row in connection.execute(select(cosignature).order_by(cosignature.c.size, cosignature.c.station)):
        yield {"type": "cosignature", "size": row.size, "station": row.station, "line": row.line}


def _written(line: dict[str, Any]) -> bytes:
    return json.dumps(line, sort_keys=True).encode() + b"\n"


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
