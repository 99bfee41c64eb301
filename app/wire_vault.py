"""What travels between the vault, the centre and who asks to see a secret; in the manner of `app.wire`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Base64Bytes, Field, StringConstraints

from app.wire import Hex64, Name, Statement, WireModel


class Arrival(WireModel):
    """A card whose sealed number has come in, for the vault."""

    station: Name
    card: Name
    number: Base64Bytes


class Arrivals(WireModel):
    """Cards that the vault has not looked at, the earliest first."""

    cards: tuple[Arrival, ...]


class Finding(WireModel):
    """What the vault found. `code`: "" the first of its number, duplicate (of the card named), not-openable."""

    station: Name
    card: Name
    code: Literal["", "duplicate", "not-openable"] = ""
    of_station: str = ""
    of_card: str = ""


class Findings(WireModel):
    """What the vault found of several cards."""

    findings: Annotated[tuple[Finding, ...], Field(max_length=1000)]


class FindingsKept(WireModel):
    """How many findings were new to the centre."""

    kept: int


class RevealRequest(Statement):
    """A person asks the vault to show one secret. `to_key`: a one-time X25519 key."""

    TYPE = "reveal"
    tenant: Name
    station: Name
    card: Name
    field: Literal["number", "pin"]
    reason: Annotated[str, StringConstraints(max_length=400)]
    to_key: Hex64
    made_ms: int
