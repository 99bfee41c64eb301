"""Letting stations join: one-time codes, confirmation by six words, revocation, release after a fork.

A code is bound to a station's name and role, holds for 15 minutes and joins one key. The same code with the same key
gives the same answer (the first may have been lost); with another key it is refused and leaves an alarm.
"""

from __future__ import annotations

import hmac
import json
import re
from typing import Any

from sqlalchemy import Connection, Engine, Row, and_, insert, select, update

from app.core.audit import GENESIS, CentreAct
from app.core.errors import BadInput, EvidenceTrouble
from app.keys import code_key, new_code, verifier
from app.server.log import OWN_ROLE, Deciding, note_act
from app.server.refusal import Refusal
from app.server.rotations import keys_of
from app.server.setup import OpenCentre
from app.server.tables import alarm, code, station
from app.store.db import reading, transaction
from app.wire import Centre, Signed, open_statement, sign_statement, words_to_compare
from app.wire_enrol import Enrolled, Enrolment, EnrolmentAnswer, EnrolRequest, enrolment_proof

CODE_LIFE_MS = 15 * 60 * 1000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
ROLES = ("store", "counter", "rehearsal", "vault", "acceptance")


def make_code(
    centre: OpenCentre, name: str, role: str, now_ms: int, *, confirm: bool = True, by: str = "centre"
) -> str:
    """A fresh code for one station, to be read out to it. `confirm`: it joins only after `confirm_station`.

    Raises BadInput: station.taken (there is such a station), station.role, station.bad_name.
    """
    if role not in ROLES:
        raise BadInput("station.role", role)
    require_name(name)
    fresh = new_code()
    row = {"key": code_key(fresh), "station": name, "role": role, "confirm": confirm}
    with transaction(centre.engine) as connection:
        if connection.execute(select(station.c.id).where(station.c.id == name)).first():
            raise BadInput("station.taken", name)
        connection.execute(insert(code), {**row, "expires_ms": now_ms + CODE_LIFE_MS})
        told = {"station": name, "role": role, "confirm": confirm}
        note_act(connection, Deciding.of(centre, now_ms, by), CentreAct.CODE_MADE, told)
    return fresh


def require_name(name: str) -> None:
    """Raises BadInput("station.bad_name"): requests are signed under it, and folders are named by it."""
    if _NAME.fullmatch(name) is None:
        raise BadInput("station.bad_name", name[:40])


def enrol(centre: OpenCentre, asked: Enrolment, now_ms: int) -> EnrolmentAnswer:
    """Let the station join whose request proves that it knows a code. One that seems to hold for far longer than codes
    do was made by a clock that has been put right since: it does not hold.

    Raises Refusal: enrol.code (unknown, expired, or proof wrong), enrol.used (by another key), enrol.request.
    """
    request = _request_of(asked.request)
    with transaction(centre.engine) as connection:
        known = _code_of(connection, asked)
        if known is None or (known.used_by is None and not 0 <= known.expires_ms - now_ms <= 2 * CODE_LIFE_MS):
            raise Refusal("enrol.code", 403)
        public_key = bytes.fromhex(request.public_key)
        taken = known.used_by not in (None, public_key)
        deciding = Deciding.of(centre, now_ms)
        if taken:
            _alarm(connection, known.station, asked, now_ms)
            note_act(connection, deciding, CentreAct.ALARM, {"station": known.station, "code": "enrol.used"})
        elif known.used_by is None:
            connection.execute(update(code).where(code.c.key == known.key).values(used_by=public_key))
            _add(connection, known, request, now_ms)
            note_act(connection, deciding, CentreAct.STATION_JOINED, _joined(known.station, known.role, public_key))
        state = connection.execute(select(station.c.state).where(station.c.id == known.station)).scalar()
    if taken:  # told after the commit: the alarm stays
        raise Refusal("enrol.used", 409)
    stated = Enrolled(
        station=known.station,
        public_key=request.public_key,
        role=known.role,
        state="pending" if state == "pending" else "active",
        centre=centre.centre,
    )
    signed = sign_statement(stated, centre.signer.sign)
    return EnrolmentAnswer.model_construct(enrolled=signed, proof=enrolment_proof(known.key, "centre", signed.text))


def _request_of(signed: Signed) -> EnrolRequest:
    try:
        claimed = EnrolRequest.model_validate(json.loads(signed.text))
        return open_statement(EnrolRequest, signed, verifier(bytes.fromhex(claimed.public_key)))
    except (ValueError, RecursionError, EvidenceTrouble) as wrong:
        raise Refusal("enrol.request") from wrong


def _code_of(connection: Connection, asked: Enrolment) -> Row[Any] | None:
    """The code that the proof was made with. Few are open at a time, so each is tried."""
    for row in connection.execute(select(code)):
        if hmac.compare_digest(enrolment_proof(row.key, "station", asked.request.text), asked.proof):
            return row
    return None


def _add(connection: Connection, known: Row[Any], request: EnrolRequest, now_ms: int) -> None:
    if request.rehearsal != (known.role == "rehearsal"):
        raise Refusal("enrol.kind", 409)
    state = "pending" if known.confirm else "active"
    row = station_row(known.station, bytes.fromhex(request.public_key), known.role, state, now_ms)
    connection.execute(insert(station), row)


def station_row(name: str, public_key: bytes, role: str, state: str, now_ms: int) -> dict[str, Any]:
    """The row of a station that has not sent anything yet."""
    row = {"id": name, "public_key": public_key, "rehearsal": role == "rehearsal", "registered_ms": now_ms}
    return {**row, "high": 0, "head_hash": GENESIS, "state": state, "role": role, "revoked_ms": None}


def _joined(name: str, role: str, public_key: bytes) -> dict[str, Any]:
    return {"station": name, "role": role, "public_key": public_key.hex()}


def admit_station(centre: OpenCentre, name: str, public_key: bytes, role: str, now_ms: int, by: str = "centre") -> None:
    """Let a key join without a code: after a restore from before its enrolment. Again: changes nothing.

    `public_key`: the station's first one; its own events say which followed.

    Raises BadInput("station.taken") when the name belongs to another key.
    """
    with transaction(centre.engine) as connection:
        known = connection.execute(select(station.c.public_key).where(station.c.id == name)).scalar()
        if known is None:
            connection.execute(insert(station), station_row(name, public_key, role, "active", now_ms))
            told = _joined(name, role, public_key)
            note_act(connection, Deciding.of(centre, now_ms, by), CentreAct.STATION_JOINED, told)
        elif public_key not in (known, keys_of(connection, name, known).first):
            raise BadInput("station.taken", name)


def _alarm(connection: Connection, name: str, asked: Enrolment, now_ms: int) -> None:
    data = asked.request.text.encode()
    row = {"station": name, "code": "enrol.used", "seq": 0, "data": data, "hash": "", "sig": asked.request.sig}
    connection.execute(insert(alarm), {**row, "at_ms": now_ms})


def waiting_words(engine: Engine, centre: Centre) -> dict[str, str]:
    """Stations that wait for confirmation, each with the six words that it shows too."""
    with reading(engine) as connection:
        rows = connection.execute(select(station.c.id, station.c.public_key).where(station.c.state == "pending")).all()
    return {row.id: words_to_compare(row.public_key.hex(), centre) for row in rows}


def confirm_station(centre: OpenCentre, name: str, now_ms: int, by: str = "centre") -> None:
    """The six words were the same on both sides. Raises BadInput("station.state")."""
    deciding = Deciding.of(centre, now_ms, by)
    _change(centre, name, ("pending",), {"state": "active"}, deciding, CentreAct.STATION_CONFIRMED)


def release_station(centre: OpenCentre, name: str, now_ms: int, by: str = "centre") -> None:
    """A person looked at the fork and lets the station go on. Raises BadInput("station.state")."""
    deciding = Deciding.of(centre, now_ms, by)
    _change(centre, name, ("locked",), {"state": "active"}, deciding, CentreAct.STATION_RELEASED)


def revoke_station(centre: OpenCentre, name: str, now_ms: int, by: str = "centre") -> None:
    """The station's key counts no more from now on; what it still sends is kept, not acted on."""
    values = {"state": "revoked", "revoked_ms": now_ms}
    before, deciding = ("pending", "active", "locked"), Deciding.of(centre, now_ms, by)
    _change(centre, name, before, values, deciding, CentreAct.STATION_REVOKED)


def _change(
    centre: OpenCentre,
    name: str,
    before: tuple[str, ...],
    values: dict[str, Any],
    deciding: Deciding,
    act: CentreAct,
) -> None:
    wanted = and_(station.c.id == name, station.c.role != OWN_ROLE, station.c.state.in_(before))
    with transaction(centre.engine) as connection:
        if connection.execute(update(station).where(wanted).values(**values)).rowcount != 1:
            raise BadInput("station.state", name)
        note_act(connection, deciding, act, {"station": name})
