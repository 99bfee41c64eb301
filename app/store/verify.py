"""Checks an audit chain from outside: a station's folder, an export, or a centre's folder.

    {"ok", "what": "station|export|centre", "chains": [{"station", "key", "count", "head",
     "fault": {"seq", "code"} | null, "anchored": seq, …}]}

`damaged_signatures`, of a station at a centre: the events that came with a signature that does not hold, as the centre
noted in its own chain; a later one vouches for them (`damaged`), so they are a remark and no fault.

Fault codes: gap prev hash signature station format (`core.audit`); receipt (a receipt by another key, or of another
history), log (the centre's tree does not hold its events), checkpoint (nor the one it signed; at a station: one that
the centre did not sign), truncated (a receipt tells of more than there is), card (a card without its event, or the
other way round), key (what signs now is not the key that the chain ends with).
"""

from __future__ import annotations

import base64
import json
import runpy
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, repeat
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, TextClause, inspect, text

from app.centre_keys import server_keys
from app.core.audit import CENTRE, GENESIS, ChainFault, SignedEvent
from app.core.errors import BadInput, EvidenceTrouble, StorageTrouble
from app.core.merkle import CompactTree, leaf_hash
from app.keys import Signer, by_any_key, key_id
from app.rotation import by_key, chain_stands, parts_fault
from app.store.damaged import Noted, Pardoning, noted_in
from app.store.db import open_database, reading
from app.store.founding import is_gone
from app.store.keyfile import read_key
from app.store.notes import origin_of, read_checkpoint
from app.wire import Centre, Receipt, Signed, open_statement

LOG_VERIFIER = Path(__file__).resolve().parent.parent.parent / "resources" / "audit" / "verify.py"
"""Checks an exported log, for a stranger as for us."""

STATION_DATABASE = "station.db"
CENTRE_DATABASE = "centre.db"
_ROWS = 100


@dataclass(frozen=True, slots=True)
class Chain:
    """What is checked of one station: its events in order, its first key, the receipts it got and who signed them.

    `notes`: the checkpoints that it verified, each behind the log's name. `key_now`: what signs by now, as its owner
    says; None: nobody says.
    """

    station: str
    public_key: bytes
    events: Sequence[SignedEvent]
    server_keys: Sequence[bytes] = ()
    receipts: Sequence[Signed] = ()
    key_now: bytes | None = None
    notes: Sequence[tuple[str, str]] = ()


@dataclass(slots=True)
class _Finding:
    fault: ChainFault | None
    keys: Sequence[bytes]  # that signed, the first one first
    count: int
    head: str
    anchored: int = 0
    more: dict[str, Any] = field(default_factory=dict)


def verify_audit(path: Path, passphrase: str = "", *, every: bool = True) -> dict[str, Any]:
    """Check what lies at `path`; a report as in the module's head. Nothing is changed there.

    `passphrase` opens a station's database. `every`: each signature, not only those that vouch for the rest.
    Raises BadInput("audit.not_found") when it is none of the three; StorageTrouble as `Store.open` when the database
    cannot be opened.
    """
    if path.is_dir() and (path / STATION_DATABASE).exists():
        return _report("station", _verify_station(path / STATION_DATABASE, passphrase, every))
    if path.is_dir() and (path / CENTRE_DATABASE).exists():
        return verify_centre(open_database(path / CENTRE_DATABASE, must_exist=True), every=every)
    if path.is_file() and _is_log(path):
        report: dict[str, Any] = runpy.run_path(str(LOG_VERIFIER))["check"](str(path), every)
        return report
    if path.is_file():
        return _report("export", [_described(chain.station, _check(chain, every)) for chain in _read_export(path)])
    if path.is_dir() and is_gone(path / STATION_DATABASE):
        raise StorageTrouble("store.missing_over_enrolled_folder", path.name)
    raise BadInput("audit.not_found", path.name)


def _is_log(path: Path) -> bool:
    with path.open("rb") as lines:
        return bool(_fields(lines.readline()).get("type") == "centre-log")


def _report(what: str, chains: Iterable[dict[str, Any]]) -> dict[str, Any]:
    listed = list(chains)
    return {"ok": all(chain["fault"] is None for chain in listed), "what": what, "chains": listed}


def _described(station: str, found: _Finding) -> dict[str, Any]:
    fault = _told(found.fault) if found.fault else None
    keys = [key_id(key) for key in found.keys]
    described = {"station": station, "key": keys[-1], "count": found.count, "head": found.head}
    if len(keys) > 1:
        described["keys_before"] = keys[:-1]
    return {**described, "fault": fault, "anchored": found.anchored, **found.more}


def _told(fault: ChainFault) -> dict[str, Any]:
    return {"seq": fault.seq, "code": fault.code}


def _check(chain: Chain, every: bool, noted: Mapping[int, str] | None = None) -> _Finding:
    """The chain's own links, then every receipt against it. `anchored`: how far receipts vouch for it.

    `noted`: signatures that may be damaged, as in `damaged.Noted`.
    """
    parts = by_key(chain.events, chain.public_key)
    pardoning = Pardoning(noted or {})
    fault, key = parts_fault(parts, station=chain.station, every=every, check_of=pardoning.check_of)
    if fault is None and chain.key_now not in (None, key):
        fault = ChainFault(len(chain.events), "key")
    keys, head = [part.key for part in parts], chain.events[-1].hash if chain.events else GENESIS
    finding = _Finding(fault, keys, len(chain.events), head, more={"receipts": len(chain.receipts)})
    if pardoning.seqs:
        finding.more["damaged_signatures"] = pardoning.seqs
    if not chain.server_keys or fault is not None:
        return finding
    for signed in chain.receipts:
        high, code = _receipt_fault(chain, signed)
        if code:
            finding.fault = ChainFault(high, code)
            return finding
        finding.anchored = max(finding.anchored, high)
    if any(_is_strange(origin, note, chain.server_keys) for origin, note in chain.notes):
        finding.fault = ChainFault(0, "checkpoint")
    return finding


def _is_strange(origin: str, note: str, keys: Sequence[bytes]) -> bool:
    try:
        read_checkpoint(note, origin, keys)
    except EvidenceTrouble:
        return True
    return False


def _receipt_fault(chain: Chain, signed: Signed) -> tuple[int, str]:
    try:
        told = open_statement(Receipt, signed, by_any_key(chain.server_keys))
    except EvidenceTrouble:
        return 0, "receipt"
    if told.high > len(chain.events):
        return told.high, "truncated"
    fits = told.station == chain.station and (told.high == 0 or chain.events[told.high - 1].hash == told.head_hash)
    return told.high, "" if fits else "receipt"


def _verify_station(database: Path, passphrase: str, every: bool) -> Iterator[dict[str, Any]]:
    engine = open_database(database, read_key(database, passphrase), must_exist=True)
    try:
        with reading(engine) as connection:
            chain = _station_chain(connection)
            finding = _check(chain, every)
            finding.fault = finding.fault or _cards_fault(connection)
    finally:
        engine.dispose()
    yield _described(chain.station, finding)


def station_events(folder: Path, passphrase: str) -> Sequence[SignedEvent]:
    """All events of a station's own chain, each link and signature checked.

    Raises EvidenceTrouble("evidence.chain_broken") where it does not hold; StorageTrouble as `verify_audit`.
    """
    database = folder / STATION_DATABASE
    engine = open_database(database, read_key(database, passphrase), must_exist=True)
    try:
        with reading(engine) as connection:
            chain = _station_chain(connection)
            fault = _check(chain, every=True).fault
    finally:
        engine.dispose()
    if fault is not None:
        raise EvidenceTrouble("evidence.chain_broken", f"event {fault.seq}, {fault.code}")
    return chain.events


def _station_chain(connection: Connection) -> Chain:
    row = connection.exec_driver_sql("SELECT station, signing_seed, centre FROM meta").one()
    centre = Centre.model_validate_json(_newest_centre(connection) or row.centre)
    first, newest = _public_keys(connection, _raw(row.signing_seed))
    receipts = connection.exec_driver_sql("SELECT text, sig FROM receipt ORDER BY id")
    return Chain(
        row.station,
        first,
        _events(connection, "SELECT seq, data, hash, sig FROM outbox ORDER BY seq"),
        server_keys(centre),
        [Signed.model_construct(text=receipt.text, sig=receipt.sig) for receipt in receipts],
        newest,
        list(_notes(connection, centre.tenant)),
    )


def _notes(connection: Connection, tenant: str) -> Iterator[tuple[str, str]]:
    if inspect(connection).has_table("tree_head"):  # else of a release before
        for row in connection.exec_driver_sql("SELECT epoch, note FROM tree_head WHERE note <> ''"):
            yield origin_of(tenant, row.epoch), row.note


def _newest_centre(connection: Connection) -> str | None:
    """What is pinned since the centre's key changed; None: it did not, as far as was heard."""
    if not inspect(connection).has_table("followed_centre"):  # of a release before
        return None
    wanted = "SELECT centre FROM followed_centre ORDER BY id DESC LIMIT 1"
    found = connection.exec_driver_sql(wanted).scalar()
    return None if found is None else str(found)


def _public_keys(connection: Connection, first: bytes) -> tuple[bytes, bytes]:
    """The station's first key and its newest. Where the seeds were shredded, as they were kept then."""
    if first:
        return Signer(first).public_key, Signer(_newest_seed(connection) or first).public_key
    kept = json.loads(str(connection.exec_driver_sql("SELECT public_keys FROM revoked").scalar_one()))
    return bytes.fromhex(kept[0]), bytes.fromhex(kept[-1])


def _newest_seed(connection: Connection) -> bytes | None:
    """Of the key that followed last; None: the first one signs still."""
    if not inspect(connection).has_table("rotated_key"):  # of a release before
        return None
    found = connection.exec_driver_sql("SELECT seed FROM rotated_key ORDER BY seq DESC LIMIT 1").scalar()
    return None if found is None else _raw(found)


def _events(connection: Connection, query: str) -> list[SignedEvent]:
    return [event for part in _parts(connection, text(query)) for event in _signed(part)]


def _rows(connection: Connection, query: TextClause) -> Iterator[Any]:
    for part in _parts(connection, query):
        yield from part


def _parts(connection: Connection, query: TextClause, **parameters: Any) -> Iterator[list[Any]]:
    """The rows of a long answer as the driver gives them, so many at a time: an object for each takes longer than
    what is done with it.
    """
    with connection.execute(query, parameters) as result:
        cursor: Any = result.cursor
        while part := cursor.fetchmany(_ROWS):
            yield part


def _signed(rows: Sequence[Any]) -> list[SignedEvent]:
    """Events of the rows of a database: who meddles with the file may also have changed the type of a value."""
    _, *columns = zip(*rows, strict=True)
    if all({*map(type, column)} == {kind} for column, kind in zip(columns, (bytes, str, bytes), strict=True)):
        return [*map(SignedEvent._make, rows)]
    return [SignedEvent(seq, _raw(data), str(own), _raw(sig)) for seq, data, own, sig in rows]


def _raw(value: Any) -> bytes:
    return bytes(value) if isinstance(value, (bytes, memoryview)) else str(value).encode()


def _cards_fault(connection: Connection) -> ChainFault | None:
    """Every `card.kept` has its card and every card its `card.kept`."""
    lonely = connection.exec_driver_sql(
        "SELECT o.seq FROM outbox o LEFT JOIN card c ON c.kept_seq = o.seq "
        "WHERE (o.kind = 'card.kept') <> (c.id IS NOT NULL) ORDER BY o.seq LIMIT 1"
    ).scalar()
    return None if lonely is None else ChainFault(int(lonely), "card")


def verify_centre(engine: Engine, *, every: bool = True) -> dict[str, Any]:
    """Check an open database of a centre, and close it; a report as in the module's head."""
    return _report("centre", _verify_centre(engine, every))


Leaves = dict[tuple[str, int], bytes]
"""By station and number of the event: what the log's tree is made of."""


def _verify_centre(engine: Engine, every: bool) -> Iterator[dict[str, Any]]:
    """Each event is read once, for its chain and for the log."""
    try:
        with reading(engine) as connection:
            stations = connection.exec_driver_sql(
                "SELECT id, public_key, role, high, head_hash FROM station ORDER BY role <> 'centre', id"
            )
            if engine.dialect.name == "sqlite":  # with room for all of it each page is brought into memory of its own
                connection.exec_driver_sql("PRAGMA cache_size = -2000")
            reader = _Reader(connection, every)
            chains = [reader.chain(row) for row in stations.all()]
            chains.sort(key=lambda one: one["station"] == CENTRE)
            fault, _ = _log_fault(connection, reader.leaves)
    finally:
        engine.dispose()
    for chain in chains:
        yield chain if chain["fault"] or fault is None else {**chain, "fault": _told(fault)}


_OF_STATION = text("SELECT seq, data, hash, sig FROM event WHERE station = :station ORDER BY seq")
_QUARANTINED = "SELECT station, count(*) FROM event WHERE quarantine <> '' GROUP BY station"
_ALARMS = "SELECT station, count(*) FROM alarm GROUP BY station"


class _Reader:
    """Reads the chains of a centre, its own first; `leaves` gets those of their events."""

    def __init__(self, connection: Connection, every: bool) -> None:
        self._connection, self._every = connection, every
        self._first_keys = _first_keys(connection)
        self._quarantined = {name: int(count) for name, count in connection.exec_driver_sql(_QUARANTINED)}
        self._alarms = {name: int(count) for name, count in connection.exec_driver_sql(_ALARMS)}
        self._noted: Noted = {}  # what the centre says of damaged signatures
        self.leaves: Leaves = {}

    def chain(self, row: Any) -> dict[str, Any]:
        """What is found of one station's chain."""
        finding = self._found(row)
        if finding.fault is None and (finding.count, finding.head) != (row.high, row.head_hash):
            finding.fault = ChainFault(row.high, "truncated")
        finding.more["quarantined"] = self._quarantined.get(row.id, 0)
        finding.more["alarms"] = self._alarms.get(row.id, 0)
        return _described(row.id, finding)

    def _found(self, row: Any) -> _Finding:
        now = bytes(row.public_key)
        first = now if row.role == "vault" else self._first_keys.get(row.id) or now  # a vault has no chain to say it in
        if not self._every and row.role != "centre":
            stood = chain_stands(self._pieces(row.id), station=row.id, key=first)
            if stood is not None and stood.keys[-1] == now:
                return _Finding(None, stood.keys, stood.count, stood.head)
        events = [event for piece in self._pieces(row.id) for event in piece]
        finding = _check(Chain(row.id, first, events, key_now=now), self._every, self._noted.get(row.id))
        del finding.more["receipts"]  # a centre gives them
        if row.role == "centre":
            self._noted = noted_in(events) if finding.fault is None else {}
            finding.more["acts"] = _acts(events)
        return finding

    def _pieces(self, name: str) -> Iterator[Sequence[SignedEvent]]:
        """The events of a station, as they are read: a piece at a time goes through all that is done with it while the
        processor has it at hand.
        """
        for part in _parts(self._connection, _OF_STATION, station=name):
            events = _signed(part)
            hashes = [leaf_hash(event.data) for event in events]
            self.leaves.update(zip(zip(repeat(name), [event.seq for event in events]), hashes, strict=True))
            yield events


def _first_keys(connection: Connection) -> dict[str, bytes]:
    """The keys that stations joined with, of those that have another one by now."""
    if not inspect(connection).has_table("station_rotation"):
        return {}
    rows = connection.exec_driver_sql("SELECT station, old_key FROM station_rotation ORDER BY station, seq DESC")
    return {station: _raw(key) for station, key in rows}


def _acts(events: Iterable[SignedEvent]) -> dict[str, int]:
    """Who did what at the centre, and how often."""
    told = (_fields(event.data) for event in events)
    return dict(Counter(f"{one.get('actor')} {one.get('kind')}" for one in told))


def log_fault(connection: Connection) -> tuple[ChainFault | None, CompactTree]:
    """The tree of a centre's log, grown again from its events: it must be the one that receipts were signed over."""
    leaves: Leaves = {}
    for name, seq, data in _rows(connection, text("SELECT station, seq, data FROM event")):
        leaves[name, seq] = leaf_hash(_raw(data))
    return _log_fault(connection, leaves)


def _log_fault(connection: Connection, leaves: Leaves) -> tuple[ChainFault | None, CompactTree]:
    told = connection.exec_driver_sql("SELECT log_size, log_peaks FROM meta").one()
    checkpoints = connection.exec_driver_sql("SELECT size, note FROM checkpoint ORDER BY size").all()
    entries = filter(None, map(leaves.get, _rows(connection, text("SELECT station, seq FROM log_leaf ORDER BY n"))))
    grown = CompactTree()
    for size, note in checkpoints:
        grown = grown.grown(islice(entries, size - grown.size))
        if (grown.size, base64.b64encode(grown.root()).decode()) != (size, str(note).split("\n")[2]):
            return ChainFault(size, "checkpoint"), grown
    grown = grown.grown(entries)
    if (len(leaves), grown.size, grown.to_bytes()) == (grown.size, told.log_size, told.log_peaks):
        return None, grown
    return ChainFault(grown.size, "log"), grown


def _read_export(path: Path) -> Iterator[Chain]:
    """One chain. A line that is no JSON, or has not what it should, becomes an event that cannot verify."""
    head: dict[str, Any] = {}
    events: list[SignedEvent] = []
    receipts: list[Signed] = []
    notes: list[tuple[str, str]] = []
    with path.open("rb") as lines:
        for line in lines:
            fields = _fields(line)
            if not head:
                head = _export_head(fields, path)
            elif "text" in fields and "sig" in fields:
                receipts.append(Signed.model_construct(text=str(fields["text"]), sig=_bytes(fields["sig"])))
            elif "note" in fields:
                notes.append((origin_of(str(head.get("tenant")), str(fields.get("epoch"))), str(fields["note"])))
            else:
                events.append(_event(fields, len(events) + 1))
    if not head:
        raise BadInput("audit.not_found", path.name)
    named = [head["server_key"], *head.get("server_keys_before", [])]
    servers = [bytes.fromhex(key) for key in named]
    first = bytes.fromhex(head["public_key"])
    yield Chain(str(head["station"]), first, events, servers, receipts, notes=notes)


def _export_head(fields: dict[str, Any], path: Path) -> dict[str, Any]:
    try:
        named = (fields["public_key"], fields["server_key"], *fields.get("server_keys_before", []))
        keys = [bytes.fromhex(key) for key in named]
        good = fields["type"] == "chain" and all(len(key) == 32 for key in keys)
    except (KeyError, TypeError, ValueError):
        good = False
    if not good or "station" not in fields:
        raise BadInput("audit.not_found", path.name)
    return fields


def _fields(line: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(line)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _event(fields: dict[str, Any], place: int) -> SignedEvent:
    seq = fields.get("seq")
    data, sig = _bytes(fields.get("data")), _bytes(fields.get("sig"))
    return SignedEvent(seq if isinstance(seq, int) else place, data, str(fields.get("hash", "")), sig)


def _bytes(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError):
        return b""
