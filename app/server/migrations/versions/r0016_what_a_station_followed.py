"""Policies as they were handed out, where a station says that it took one over, and its holds on footage.

And a station's last countersignature is found without reading those of all others. What the log already tells of the
three is taken over; of policies only those that still held can be.
"""

from __future__ import annotations

import json
from typing import Any

from alembic import op
from sqlalchemy import Connection, text

from app.server.migrations.dialect import guards, spelled

revision = "0016"
down_revision = "0015"

TABLES = (
    "CREATE TABLE policy_told (station TEXT NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL, "
    "PRIMARY KEY (station, revision))",
    "CREATE TABLE policy_applied (station TEXT NOT NULL, seq INTEGER NOT NULL, revision INTEGER NOT NULL, "
    "PRIMARY KEY (station, seq))",
    "CREATE TABLE footage_hold (station TEXT NOT NULL, recording TEXT NOT NULL, seq INTEGER NOT NULL, "
    "PRIMARY KEY (station, recording))",
)
_TOLD = "INSERT INTO policy_told SELECT station, revision, body FROM reference WHERE kind = 'policy'"
_EVENTS = (
    "SELECT station, seq, kind, data FROM event WHERE quarantine = '' AND kind IN "
    "('centre.reference-applied', 'footage.held', 'footage.released') ORDER BY station, seq"
)


_LONGEST_NAME = 200


def upgrade() -> None:
    connection = op.get_bind()
    for table in TABLES:
        op.execute(spelled(table, connection.dialect.name))
    for statement in guards(("policy_told", "policy_applied"), connection.dialect.name):
        op.execute(statement)
    op.execute("CREATE INDEX cosignature_of_station ON cosignature (station, size)")
    op.execute(_TOLD)
    _take_over(connection)


def _is_policy(item: Any) -> bool:
    """Nobody looked at these bodies before."""
    match item:
        case ["policy", "current", int(revision)]:
            return not isinstance(revision, bool) and 0 <= revision < 1 << 63
    return False


def _take_over(connection: Connection) -> None:
    holds: dict[tuple[str, str], int] = {}
    applied: list[dict[str, Any]] = []
    for row in connection.execute(text(_EVENTS)):
        body = json.loads(bytes(row.data))["body"]
        match row.kind, body:
            case "footage.held", {"recording": str(name)} if len(name) <= _LONGEST_NAME:
                holds.setdefault((row.station, name), row.seq)
            case "footage.released", {"recording": str(name)}:
                holds.pop((row.station, name), None)
            case "centre.reference-applied", {"items": [*items]}:
                newest = [one[2] for one in items if _is_policy(one)]
                applied += [{"station": row.station, "seq": row.seq, "revision": newest[-1]}] if newest else []
    held = [{"station": name, "recording": recording, "seq": seq} for (name, recording), seq in holds.items()]
    for table, rows in (("policy_applied", applied), ("footage_hold", held)):
        if rows:
            names = list(rows[0])
            values = ", ".join(f":{name}" for name in names)
            connection.execute(text(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values})"), rows)
