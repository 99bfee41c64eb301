"""Who may speak with the centre: a signed request of a known station, made about now, never seen before."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select

from app.keys import verifier
from app.server.db import insert_missing, run
from app.server.known import Locked
from app.server.refusal import Refusal
from app.server.setup import OpenCentre
from app.server.tables import nonce, station
from app.signing import LIFETIME_S, SKEW_S, ReadSignature, in_time
from app.store.db import reading

KNOWN_STATION = select(station).where(station.c.id == bindparam("name"))
_SWEEPERS = frozenset("0AQg")
"""One request in sixteen takes away what expired: as a rule the letter is drawn by chance."""

_EXPIRED = delete(nonce).where(nonce.c.expires_ms < bindparam("now_ms"))


@dataclass(frozen=True, slots=True)
class Caller:
    """A request's signature and where it came from."""

    signature: ReadSignature
    host: str = "127.0.0.1"

    @property
    def station(self) -> str:
        return self.signature.marks.key_id


def identify(centre: OpenCentre, caller: Caller, now_ms: int, *, even_revoked: bool = False) -> Row[Any]:
    """The station that signed the request. `even_revoked`: what it says is kept, if only as evidence.

    Raises Refusal: station.unknown, station.pending, station.revoked, station.loopback_only, auth.signature,
    auth.clock.
    """
    with reading(centre.engine) as connection:
        row = connection.execute(KNOWN_STATION, {"name": caller.station}).first()
    if row is None:
        raise Refusal("station.unknown", 404)
    if not caller.signature.holds(verifier(row.public_key)):
        raise Refusal("auth.signature", 401)
    if row.state == "revoked" and not even_revoked:
        raise Refusal("station.revoked", 403)
    may_speak(row, caller, now_ms)
    return row


def may_speak(row: Row[Any] | Locked, caller: Caller, now_ms: int) -> None:
    """Whether a station whose signature holds may speak from there and now.

    Raises Refusal: station.pending, station.loopback_only, auth.clock.
    """
    if row.state == "pending":
        raise Refusal("station.pending", 403)
    if row.rehearsal and not is_loopback(caller.host):
        raise Refusal("station.loopback_only", 403)
    if not in_time(caller.signature.marks, now_ms // 1000):
        raise Refusal("auth.clock", 401)


def spend_nonce(connection: Connection, caller: Caller, now_ms: int) -> None:
    """Take the request's nonce, inside the transaction of its work. Raises Refusal("auth.replay")."""
    if insert_missing(connection, nonce, nonces_of(connection, [caller], now_ms)) == 0:
        raise Refusal("auth.replay", 401)


def nonces_of(connection: Connection, callers: Sequence[Caller], now_ms: int) -> list[dict[str, Any]]:
    """What is to be kept of the nonces of requests that are done together, as rows of `nonce`."""
    if any(caller.signature.marks.nonce[-1] in _SWEEPERS for caller in callers[:1]):
        run(connection, _EXPIRED, {"now_ms": now_ms})
    return [_spent(caller) for caller in callers]


def _spent(caller: Caller) -> dict[str, Any]:
    marks = caller.signature.marks
    expires_ms = (marks.expires_s + SKEW_S + LIFETIME_S) * 1000
    return {"station": caller.station, "nonce": marks.nonce, "expires_ms": expires_ms}


def is_loopback(host: str) -> bool:
    """Whether an address is of this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
