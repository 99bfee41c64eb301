"""How fast the store keeps cards, beside the bare database in the same run; the centre is `bench_intake`.

    python tests/bench/bench_store.py [SECONDS]

Figures are ratios first: the bare database does the same rows on the same disk, with the same durability (WAL, FULL).
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlcipher3 import dbapi2

from app.core.audit import Stamp
from app.core.cards import CardState, PanelState, Secret
from app.core.parcels import CardDraft, ExpectedParcel, OpenParcel, Operator, Role
from app.server.folder import read_centre
from app.server.setup import init
from app.store.seal import IndexCost, keyed, slow_hash
from app.store.store import REHEARSAL_PASSPHRASE, Store

STAMP = Stamp(1_790_000_000_000_000, 5, "boot")
CARD_SQL = (
    "INSERT INTO outbox VALUES (?, ?, 'card.kept', 0, ?, ?, ?, ?)",
    "INSERT INTO card VALUES (?, ?, 'p-1', 1, 'quxi-500', NULL, '5678', ?, 1, 'open', NULL, 50000, 'r', 0, NULL)",
    "INSERT INTO sealed VALUES (?, ?, ?, 'number', 'k', ?)",
    "INSERT INTO sealed VALUES (?, ?, ?, 'pin', 'k', ?)",
)
TABLES = """
    CREATE TABLE outbox (seq INTEGER PRIMARY KEY, id TEXT UNIQUE, kind, at, data BLOB, hash TEXT, sig BLOB, prev TEXT);
    CREATE TABLE card (id TEXT PRIMARY KEY, read_id TEXT UNIQUE, parcel, no, product, gtin, last4, dedupe BLOB UNIQUE,
                       claims, panel, expiry, face, recording, t_us, tag);
    CREATE TABLE sealed (ref TEXT PRIMARY KEY, seq INTEGER, card TEXT, field TEXT, key TEXT, blob BLOB);
"""


def bare(path: Path, key: bytes | None = None) -> Any:
    connection = dbapi2.connect(str(path), isolation_level=None)
    if key:
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
    connection.executescript(TABLES)
    return connection


def timed(work: Callable[[int], None], seconds: float) -> list[float]:
    """Seconds each call took, for about `seconds`."""
    took, n, end = [], 0, time.perf_counter() + seconds
    while (begin := time.perf_counter()) < end:
        work(n)
        took.append(time.perf_counter() - begin)
        n += 1
    return took


def rate(took: list[float]) -> float:
    return len(took) / sum(took)


def p99_ms(took: list[float]) -> float:
    return statistics.quantiles(took, n=100)[98] * 1000


def bare_cards(connection: Any, seconds: float) -> list[float]:
    data, sig, blob = os.urandom(900), os.urandom(64), os.urandom(188)

    def keep(n: int) -> None:
        one, two = uuid.uuid4().hex, uuid.uuid4().hex
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(CARD_SQL[0], (n + 1, one, data, one + two, sig, one + two))
        connection.execute(CARD_SQL[1], (one, two, os.urandom(32)))
        connection.execute(CARD_SQL[2], (one + two, n + 1, one, blob))
        connection.execute(CARD_SQL[3], (two + one, n + 1, one, blob))
        connection.execute("COMMIT")

    return timed(keep, seconds)


def scan_s(connection: Any) -> float:
    begin = time.perf_counter()
    for _ in range(5):
        connection.execute("SELECT sum(length(data)), max(hash) FROM outbox").fetchone()
    return (time.perf_counter() - begin) / 5


def store_cards(store: Store, seconds: float) -> list[float]:
    operator = Operator("1001", "x", Role.CLERK, rehearsal=True)
    store.open_parcel(OpenParcel("p-1", ExpectedParcel("SF1234567890123", "", 9), "r", operator), STAMP)

    def keep(n: int) -> None:
        store.keep_card(draft(n), STAMP, "1001")

    return timed(keep, seconds)


def draft(n: int) -> CardDraft:
    number, pin = Secret(f"{6222020000000000 + n}"), Secret("83749261")
    ids = {"card_id": str(uuid.uuid4()), "read_id": str(uuid.uuid4()), "parcel_id": "p-1", "recording_id": "r"}
    read: dict[str, Any] = {"product_id": "quxi-500", "gtin": None, "number": number, "pin": pin}
    read |= {"panel": PanelState.OPEN, "expiry": None, "face_value_fen": 50_000, "t_video_us": n}
    return CardDraft(**ids, no=n, **read, verdict=CardState.KEPT)


def bench_station(folder: Path, seconds: float) -> dict[str, float]:
    init(folder / "centre")
    made = {"station_id": "st", "centre": read_centre(folder / "centre"), "rehearsal": True}
    store = Store.create(
        folder / "station.db", REHEARSAL_PASSPHRASE, **made, index_cost=IndexCost(8, 1), reserve_bytes=0
    )
    plain, locked = bare(folder / "plain.db"), bare(folder / "keyed.db", os.urandom(32))
    raw, cipher = bare_cards(plain, seconds), bare_cards(locked, seconds)
    kept = store_cards(store, seconds)
    slow = timed(lambda n: void(keyed(slow_hash(Secret(f"{n:016}"), b"s" * 32, IndexCost()), b"k" * 32)), seconds / 3)
    rows = (len(raw), len(cipher))
    scans = (scan_s(plain) / rows[0], scan_s(locked) / rows[1])
    store.close()
    return {
        "raw_tx_s": rate(raw),
        "raw_p99_ms": p99_ms(raw),
        "store_tx_s": rate(kept),
        "store_p99_ms": p99_ms(kept),
        "store/raw": rate(kept) / rate(raw),
        "store_p99/raw_p99": p99_ms(kept) / p99_ms(raw),
        "sqlcipher/plain commits": rate(cipher) / rate(raw),
        "sqlcipher/plain scan time": scans[1] / scans[0],
        "slow_index_ms": 1000 / rate(slow),
    }


def void(_value: object) -> None:
    """A value that only had to be made."""


def main() -> dict[str, float]:
    """Run everything; prints a table on stderr and the figures as JSON on stdout."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = bench_station(folder, seconds)
    for label, value in figures.items():
        print(f"{label:32} {value:12,.3f}", file=sys.stderr)
    print(json.dumps({label: round(value, 4) for label, value in figures.items()}))
    return figures


if __name__ == "__main__":
    main()
