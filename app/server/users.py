"""Who may sign in at the stations: kept at the centre, handed out by the feed.

The centre keeps of a passcode its argon2id verifier, of a badge its keyed hash.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import and_, select

from app.core.cards import Secret
from app.core.errors import BadInput
from app.core.parcels import Role
from app.server.decide import LISTS
from app.server.reference import Item, hand_out
from app.server.setup import OpenCentre
from app.server.tables import reference
from app.store.db import reading
from app.store.people import badge_index
from app.store.seal import passcode_verifier
from app.wire import User

SHORTEST_PASSCODE = 6


def users(centre: OpenCentre) -> list[dict[str, Any]]:
    """Every user with the station it is named for ("": all that take in real cards); no verifiers."""
    with reading(centre.engine) as connection:
        wanted = select(reference).where(reference.c.kind == "user")
        rows = connection.execute(wanted.order_by(reference.c.key, reference.c.station)).all()
    return [_told(row.key, row.station, row.removed, json.loads(row.body)) for row in rows]


def _told(key: str, station: str, disabled: bool, body: dict[str, Any]) -> dict[str, Any]:
    who = {"id": key, "name": body.get("name", ""), "role": body.get("role", ""), "badge": bool(body.get("badge"))}
    return {**who, "station": station, "disabled": disabled}


def add_user(
    centre: OpenCentre,
    user_id: str,
    name: str,
    role: Role,
    passcode: Secret,
    badge: str,
    station: str,
    now_ms: int,
    by: str = "centre",
) -> None:
    """Add a user, or replace what is known of this one. `badge` "" for none.

    Raises BadInput: centre.bad_passcode (too short), centre.badge_taken (another user's).
    """
    if len(passcode) < SHORTEST_PASSCODE:
        raise BadInput("centre.bad_passcode", user_id)
    index = badge_index(centre.derived(LISTS), badge).hex() if badge else ""
    if index and index in _badges_of_others(centre, user_id):
        raise BadInput("centre.badge_taken", user_id)
    body = User(name=name, role=role, verifier=passcode_verifier(passcode), badge=index)
    hand_out(centre, [Item("user", user_id, body)], station, now_ms, by)


def _badges_of_others(centre: OpenCentre, user_id: str) -> set[str]:
    others = and_(reference.c.kind == "user", reference.c.key != user_id, reference.c.removed.is_(False))
    with reading(centre.engine) as connection:
        bodies = connection.execute(select(reference.c.body).where(others)).scalars().all()
    return {json.loads(body)["badge"] for body in bodies}


def disable_user(centre: OpenCentre, user_id: str, now_ms: int, by: str = "centre") -> list[str]:
    """Nobody signs in by this number any more, once a station has heard it; for which stations that was news.

    Raises BadInput("centre.unknown_user").
    """
    mine = and_(reference.c.kind == "user", reference.c.key == user_id)
    with reading(centre.engine) as connection:
        stations = connection.execute(select(reference.c.station).where(mine)).scalars().all()
    if not stations:
        raise BadInput("centre.unknown_user", user_id)
    return [station for station in stations if hand_out(centre, [Item("user", user_id)], station, now_ms, by)]
