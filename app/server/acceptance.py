"""Which real cards may be accepted: what stands against it, and the rules by which nobody has to be asked.

Without a rule no real card is accepted by itself: a person at the centre decides, or the system that knows prices
(`deciding`). A rule says up to which value cards of a product are accepted once the vault has found that their number
is new. Whoever decides, a number is accepted once at a time in the whole chain.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, exists, func, select, text, true, tuple_

from app.core.audit import CentreAct, EventKind
from app.core.cards import CardState
from app.server.db import insert_or_update
from app.server.log import Log
from app.server.tables import accept_rule, card, chip_fact, finding, station
from app.wire_accept import CardToDecide

ANY = "*"
"""The product that a rule names for all that have none of their own."""

Key = tuple[str, str]
"""Station and card."""

_UNDECIDED = text("card.decided_hash <> card.event_hash AND card.verdict IN ('kept', 'review')")
_TWINS = text("finding.duplicate_of <> ''")
"""In the words of their indexes (migration 0019): with parameters they would not be used."""

_GONE = (EventKind.CHIP_DEACTIVATED.value, EventKind.CHIP_DESTROYED.value)
_FOUND = and_(finding.c.station == card.c.station, finding.c.card == card.c.id)
WITH_FINDING = select(card, finding.c.code.label("found"), finding.c.duplicate_of).outerjoin(finding, _FOUND)


def rules(connection: Connection) -> dict[str, int]:
    """Up to which value (fen) cards of a product are accepted by themselves; 0: never, whatever holds for `ANY`."""
    rows = connection.execute(select(accept_rule).order_by(accept_rule.c.product))
    return {row.product: row.up_to_fen for row in rows}


def set_rule(log: Log, product: str, up_to_fen: int | None) -> None:
    """Change a rule, or (None) take it back; it goes into the log."""
    connection = log.connection
    if up_to_fen is None:
        connection.execute(delete(accept_rule).where(accept_rule.c.product == product))
    else:
        row = {"product": product, "up_to_fen": up_to_fen, "at_ms": log.deciding.now_ms}
        insert_or_update(connection, accept_rule, [row], ("up_to_fen", "at_ms"))
    log.act(CentreAct.ACCEPT_RULE, {"product": product, "up_to_fen": up_to_fen})


def accepted_by_rule(connection: Connection, station_id: str, rows: Sequence[Row[Any]]) -> list[tuple[Row[Any], int]]:
    """Those of a station's cards (rows of `card`, whole and undecided) that a rule accepts, each with its limit."""
    limits = rules(connection) if rows else {}
    if not limits or not _takes_in(connection, station_id):
        return []
    within = [(row, _limit(limits, row)) for row in rows if row.verdict == CardState.KEPT.value and row.number_ref]
    within = [(row, limit_fen) for row, limit_fen in within if 0 < (row.face_value_fen or 0) <= limit_fen]
    names = [row.id for row, _ in within]
    new = and_(finding.c.station == station_id, finding.c.card.in_(names), finding.c.code == "")
    first = set(connection.execute(select(finding.c.card).where(new)).scalars()) if names else set()
    taken = twice(connection, [(station_id, name) for name in first])
    return [(row, limit) for row, limit in within if row.id in first and (station_id, row.id) not in taken]


def _limit(limits: Mapping[str, int], row: Row[Any]) -> int:
    return limits.get(row.product, limits.get(ANY, 0))


def _takes_in(connection: Connection, station_id: str) -> bool:
    active = and_(station.c.id == station_id, station.c.state == "active", station.c.rehearsal.is_(False))
    return connection.execute(select(station.c.id).where(active)).first() is not None


def twins(connection: Connection, keys: Collection[Key]) -> dict[Key, set[Key]]:
    """The other cards of the same number as each of these, by what the vault found."""
    if not keys:
        return {}
    own = and_(tuple_(finding.c.station, finding.c.card).in_(keys), finding.c.code == "duplicate")
    named = {(row.station, row.card): row.duplicate_of for row in connection.execute(select(finding).where(own))}
    first = {key: named.get(key, "/".join(key)) for key in keys}
    later = and_(_TWINS, finding.c.duplicate_of.in_(set(first.values())))
    alike: dict[str, set[Key]] = {name: {_key(name)} for name in first.values()}
    for row in connection.execute(select(finding).where(later)):
        alike[row.duplicate_of].add((row.station, row.card))
    return {key: alike[name] - {key} for key, name in first.items()}


def _key(name: str) -> Key:
    where, _, which = name.partition("/")  # a station's name holds none
    return where, which


def twice(connection: Connection, keys: Collection[Key]) -> set[Key]:
    """Those of which another card with the same number is accepted as it stands."""
    others = twins(connection, keys)
    all_others = set().union(*others.values())
    if not all_others:
        return set()
    stands = and_(card.c.decided == CardState.ACCEPTED.value, card.c.decided_hash == card.c.event_hash)
    named = tuple_(card.c.station, card.c.id).in_(all_others)
    accepted = {(row.station, row.id) for row in connection.execute(select(card).where(and_(named, stands)))}
    return {key for key, some in others.items() if some & accepted}


def chip_is_gone(connection: Connection, key: Key) -> bool:
    """Whether the station told that the card's chip was switched off or destroyed."""
    told = and_(chip_fact.c.station == key[0], chip_fact.c.card == key[1], chip_fact.c.kind.in_(_GONE))
    return connection.execute(select(exists().where(told))).scalar_one()


def undecided(connection: Connection, after: str = "", most: int | None = None) -> list[CardToDecide]:
    """Real cards that wait for a decision, behind that cursor, the `most` first."""
    real = and_(station.c.id == card.c.station, station.c.rehearsal.is_(False), station.c.state == "active")
    later = tuple_(card.c.station, card.c.id) > tuple_(*_key(after)) if after else true()
    wanted = WITH_FINDING.join(station, real).where(and_(_UNDECIDED, later))
    rows = connection.execute(wanted.order_by(card.c.station, card.c.id).limit(most))
    return [_told(row) for row in rows]


def how_many_wait(connection: Connection) -> dict[str, int]:
    """How many of `undecided` there are of each station."""
    real = and_(station.c.id == card.c.station, station.c.rehearsal.is_(False), station.c.state == "active")
    counted = select(card.c.station, func.count()).join(station, real).where(_UNDECIDED).group_by(card.c.station)
    return {name: int(number) for name, number in connection.execute(counted)}


def _told(row: Row[Any]) -> CardToDecide:
    return CardToDecide(
        station=row.station,
        card=row.id,
        event_hash=row.event_hash,
        verdict=row.verdict,
        product=row.product,
        face_value_fen=row.face_value_fen,
        finding="no-number" if row.number_ref is None else "waiting" if row.found is None else row.found or "first",
        duplicate_of=row.duplicate_of or "",
    )
