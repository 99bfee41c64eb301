"""What travels between the vault, the centre and who asks to see a secret; in the manner of `app.wire`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Base64Bytes, Field, StringConstraints

from app.wire import Hex64, Name, Signed, Statement, WireModel

MOST_PEOPLE = 500
"""Of whom the vault tells in one request."""

QUOTA_A_DAY = 20
"""So many secrets a person sees within 24 hours without a second one. The vault holds to it, whoever says otherwise."""


class Arrival(WireModel):
    """A card whose sealed number has come in, for the vault."""

    station: Name
    card: Name
    number: Base64Bytes


class Arrivals(WireModel):
    """Cards that the vault has not looked at, the earliest first; or, asked for `all`, whatever was found of them.

    `cursor`: where to go on with all; "" at their end.
    """

    cards: tuple[Arrival, ...]
    cursor: str = ""


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


class VaultPerson(WireModel):
    """A person who may ask the vault to see secrets, or whose key it took back. `public_key`: Ed25519, 32 bytes."""

    name: Annotated[str, StringConstraints(pattern=r"^[^\x00]{1,128}$")]
    public_key: Hex64
    taken_back: bool = False


class VaultPeople(WireModel):
    """Whom the vault let in and took back, all of them or what is new: what is known already changes nothing."""

    people: Annotated[tuple[VaultPerson, ...], Field(max_length=MOST_PEOPLE)]


class PeopleKept(WireModel):
    """How many of them were new to the centre."""

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


class RevealAsked(WireModel):
    """A person's request as a station brings it. `who`: the name that the vault knows the signing key by."""

    request: Signed  # RevealRequest
    who: Name


class RevealApproval(WireModel):
    """A second person's signature over "approve " (or "refuse ") and the request's text."""

    who: Name
    sig: Base64Bytes


class RevealState(WireModel):
    """How a request stands; its id is the SHA-256 of the request's text. `code`: why it was refused.

    `answer`: the secret, sealed to the request's one-time key (HPKE); comes once, with `shown`.
    """

    id: Hex64
    state: Literal["waiting", "needs-second", "granted", "shown", "refused", "taken"]
    code: str = ""
    answer: Base64Bytes = b""


class RevealsOpen(WireModel):
    """Requests that wait for a second person."""

    requests: tuple[RevealAsked, ...]


class RevealEntry(WireModel):
    """A request to see a secret as the centre's log has it. `at`: the station that brought it; `approver`: who signed
    or refused it besides.
    """

    id: Hex64
    who: str
    at: str
    station: str
    card: str
    field: str
    reason: str
    asked_ms: int
    state: str
    code: str = ""
    approver: str = ""


class RevealLog(WireModel):
    """Requests that concern a station, the latest first. `left`: how often a person may see one today without a second
    person, of `a_day`, by the centre's count; the vault counts itself.
    """

    entries: tuple[RevealEntry, ...]
    left: int
    a_day: int = QUOTA_A_DAY


class RevealTask(WireModel):
    """A request for the vault, and the sealed field that it is about."""

    id: Hex64
    request: Signed
    who: Name
    approval: RevealApproval | None = None
    blob: Base64Bytes


class RevealTasks(WireModel):
    """What the vault has not answered, the earliest first."""

    tasks: tuple[RevealTask, ...]


class RevealVerdict(WireModel):
    """The vault's next word on a request: `granted` before it opens anything, `shown` with the answer after."""

    state: Literal["needs-second", "granted", "shown", "refused"]
    code: Annotated[str, StringConstraints(max_length=80)] = ""
    answer: Base64Bytes = b""


class KeyChange(Statement):
    """A client without a chain of its own (the vault) speaks by another key from now on; the old one signs this."""

    TYPE = "client-key"
    tenant: Name
    client: Name
    old_key: Hex64
    new_key: Hex64


class KeyChanged(WireModel):
    """The statement by the old key, and the new key's signature over the same text."""

    change: Signed
    proof: Base64Bytes


class KeyKept(WireModel):
    """What the centre holds the client to."""

    public_key: Hex64
