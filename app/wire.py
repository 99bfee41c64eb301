"""What travels between a station and the centre. Shared by `app.sync` and `app.server`.

Whatever is signed travels as the exact text that was signed (`Signed`), so that neither side ever serialises again to
check a signature, and a newer side may add fields. `type` inside the text keeps one kind from passing for another.
"""

from __future__ import annotations

import base64
import hashlib
import json
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import (
    Base64Bytes,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)

from app.core.audit import SignedEvent, canonical
from app.core.cards import CardState
from app.core.errors import EvidenceTrouble
from app.core.parcels import Role
from app.keys import Verify, key_id, six_words, verifier

MOST_EVENTS = 500
MOST_BYTES = 1 << 20
"""The centre's limits for the events of one batch: their number and the sum of their bytes."""

MOST_BLOBS = 3 << 19
"""Bytes of the blobs that a station sends with a batch: with the events, and in base64, they fit a request."""

MOST_EXPIRED = 100
"""Decisions that a station asks for again in one request."""

MOST_CHUNK = 32 << 20
"""Bytes of one chunk of footage."""

DIGEST_HEADER = "Content-Digest"

Whole = Annotated[int, Field(ge=0, lt=1 << 53)]
"""A whole number that every database and every reader of JSON takes."""

Hex64 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class WireModel(BaseModel):
    """Frozen; unknown fields are ignored, so that an older reader understands a newer writer."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Statement(WireModel):
    """Something one side states and signs. Subclasses name their `TYPE`."""

    TYPE: ClassVar[str]


class Signed(WireModel):
    """The exact text (canonical JSON) of a statement and the Ed25519 signature over its UTF-8 bytes."""

    text: str
    sig: Base64Bytes


S = TypeVar("S", bound=Statement)


def sign_statement(statement: Statement, sign: Callable[[bytes], bytes]) -> Signed:
    """Write a statement as canonical text with its type, and sign that."""
    data = canonical({**statement.model_dump(mode="json"), "type": statement.TYPE})
    return Signed.model_construct(text=data.decode(), sig=sign(data))


def signed_fields(signed: Signed, verify: Verify) -> dict[str, Any]:
    """The fields of a statement of any type, when its signature holds. Raises EvidenceTrouble as below."""
    if not verify(signed.sig, signed.text.encode()):
        raise EvidenceTrouble("sync.untrusted_answer", "signature")
    try:
        fields = json.loads(signed.text)
    except (ValueError, RecursionError) as wrong:
        raise EvidenceTrouble("sync.untrusted_answer", "format") from wrong
    if not isinstance(fields, dict):
        raise EvidenceTrouble("sync.untrusted_answer", "format")
    return fields


def open_statement(kind: type[S], signed: Signed, verify: Verify) -> S:
    """Check the signature, then the type, then read it. Raises EvidenceTrouble("sync.untrusted_answer")."""
    fields = signed_fields(signed, verify)
    if fields.get("type") != kind.TYPE:
        raise EvidenceTrouble("sync.untrusted_answer", f"{kind.TYPE}: type")
    try:
        return kind.model_validate(fields)
    except ValidationError as wrong:
        raise EvidenceTrouble("sync.untrusted_answer", f"{kind.TYPE}: format") from wrong


def understood(kind: type[S], signed: Signed, verify: Verify) -> S | None:
    """A statement of this type, or None for one that a later release wrote in a way not known here.

    Raises EvidenceTrouble("sync.untrusted_answer") when its signature does not hold.
    """
    fields = signed_fields(signed, verify)
    try:
        return kind.model_validate(fields) if fields.get("type") == kind.TYPE else None
    except ValidationError:
        return None


class ServerCertificate(Statement):
    """The tenant root states which key signs for the centre. `public_key`: Ed25519, 32 bytes in hex."""

    TYPE = "server-key"
    tenant: Name
    public_key: Hex64
    from_ms: Annotated[int, Field(ge=0)] = 0
    """When the root named it: of two keys the later one is the newer."""

    alone_ms: Annotated[int, Field(ge=0)] = 0
    """From then on no earlier key's answer is believed any more."""


class VaultCertificate(Statement):
    """The tenant root states a key that secrets are sealed to. `public_key`: X25519, 32 bytes in hex."""

    TYPE = "vault-key"
    tenant: Name
    key_id: Name
    public_key: Hex64
    serial: Annotated[int, Field(ge=0)] = 0
    """Counted by the root: what is sealed from now on is sealed to the highest that was not revoked."""


class Centre(WireModel):
    """What a station has to know of its centre, all of it public: handed over once and pinned from then on."""

    tenant: Name
    salt: Hex64  # of the tenant-wide slow hash of card numbers
    root_key: Hex64  # Ed25519, offline; signs vault keys
    server_key: Hex64  # Ed25519; signs receipts, feed pages, decisions, answers
    vault: Signed  # VaultCertificate
    server: Signed | None = None  # ServerCertificate; None: of a centre that was made before there were any
    earlier: tuple[Signed, ...] = ()  # ServerCertificate of the keys before: what they signed then still holds
    base_url: Annotated[str, StringConstraints(max_length=200)] = "https://centre.invalid"
    """What requests are signed for, whatever address leads there."""

    ca: Annotated[str, StringConstraints(max_length=4000)] = ""
    """The certificate (PEM) of the authority that the centre's TLS certificates come from; "" for none of its own."""

    def vault_certificate(self) -> VaultCertificate:
        """The vault key that is pinned. Raises as `certified`."""
        return self.certified(self.vault)

    def certified(self, told: Signed) -> VaultCertificate:
        """A vault key, when the pinned tenant root signed it. Raises EvidenceTrouble("sync.untrusted_answer")."""
        return _vault_key(self.tenant, self.root_key, told.text, told.sig)


@lru_cache(maxsize=64)
def _vault_key(tenant: str, root_key: str, text: str, sig: bytes) -> VaultCertificate:
    """What these very bytes certify; remembered, since each card that is kept asks."""
    signed = Signed.model_construct(text=text, sig=sig)
    stated = open_statement(VaultCertificate, signed, verifier(bytes.fromhex(root_key)))
    if stated.tenant != tenant or key_id(bytes.fromhex(stated.public_key)) != stated.key_id:
        raise EvidenceTrouble("sync.untrusted_answer", "vault-key: of somebody else")
    return stated


def words_to_compare(public_key: str, centre: Centre) -> str:
    """Six words that both sides show before a station joins: they speak of its key and of all it is going to pin."""
    pinned = [public_key, centre.tenant, centre.root_key, centre.server_key, centre.ca]
    return six_words(canonical(pinned))


def _read_base64(value: object) -> object:
    return a2b_base64(value) if isinstance(value, str) else value


RawBytes = Annotated[
    bytes,
    BeforeValidator(_read_base64),
    PlainSerializer(lambda raw: b2a_base64(raw, newline=False).decode(), return_type=str),
    WithJsonSchema({"type": "string", "format": "base64"}),
]
"""Bytes that are base64 in JSON and themselves in Python; a batch has hundreds, so each costs little."""


class WireEvent(WireModel):
    """One event of the chain: the exact bytes, their SHA-256 and the station's signature."""

    seq: int
    data: RawBytes
    hash: Hex64
    sig: RawBytes

    def signed_event(self) -> SignedEvent:
        return SignedEvent(self.seq, self.data, self.hash, self.sig)


class EventBatch(WireModel):
    """Events in the order of their numbers, and the blobs that they name by SHA-256 (or that were missed)."""

    station: Name
    events: tuple[WireEvent, ...]
    blobs: tuple[RawBytes, ...] = ()

    @classmethod
    def of(cls, station: str, events: Iterable[SignedEvent], blobs: Iterable[bytes] = ()) -> EventBatch:
        """The batch of what the store holds; it is ours and needs no validation."""
        wire = tuple(WireEvent(seq=e.seq, data=e.data, hash=e.hash, sig=e.sig) for e in events)
        return cls.model_construct(station=station, events=wire, blobs=tuple(blobs))


Result = Literal["applied", "duplicate", "quarantined", "refused", "gap", "fork"]


class EventResult(WireModel):
    """What became of one event. After `refused`, `gap` or `fork` no later event of the batch was looked at.

    quarantined(code): stored, not acted on. refused(code): hash or signature wrong, not stored. gap: `expect` is the
    number the centre waits for. fork: another event with this number or past is there; a person has to look.
    """

    seq: int
    result: Result
    code: str = ""
    expect: int = 0


class HeldEvent(WireModel):
    """An event that lies at the centre and was not taken up (`code`: why), or was after all (`code` ""). Of two words
    on one event the one with the higher `revision` holds.
    """

    seq: Annotated[int, Field(ge=1)]
    event_hash: Hex64
    code: Annotated[str, StringConstraints(max_length=128)] = ""
    revision: int


class Held(HeldEvent, Statement):
    """The same in the feed, for a station's own event."""

    TYPE = "event.held"
    tenant: Name
    station: Name


class Receipt(Statement):
    """The centre has a station's events up to `high`, whose hash is `head_hash` ("" and 0: none yet).

    `root`: RFC 6962 tree hash over the centre's log of `log_size` entries. `epoch` changes when the centre's database
    was put back to an earlier state. `held`: those of the batch that lie here but were not taken up.
    """

    TYPE = "receipt"
    station: Name
    high: int
    head_hash: str
    log_size: int
    root: Hex64
    server_time_ms: int
    epoch: Name
    held: tuple[HeldEvent, ...] = ()


class BatchAnswer(WireModel):
    """A result per event, a receipt, and the SHA-256 of blobs that the centre still misses."""

    results: tuple[EventResult, ...]
    receipt: Signed
    missing_blobs: tuple[Hex64, ...] = ()


class Decision(Statement):
    """What the centre decided of a card. Holds for exactly the event that it names, and until `expires_ms`."""

    TYPE = "card.decided"
    tenant: Name
    station: Name
    card_id: Name
    event_hash: Hex64
    verdict: CardState
    revision: int
    expires_ms: int
    duplicate_of: str = ""  # "STATION/CARD" that had the number first


class DecisionsExpired(WireModel):
    """Decisions that ran out before the station heard of them, or before it acted on them: they are wanted again."""

    decisions: Annotated[tuple[Signed, ...], Field(max_length=MOST_EXPIRED)]


class DecisionsGiven(WireModel):
    """How many of them were given again; they come by the feed."""

    given: int


ReferenceKind = Literal["expected-parcel", "blocked-card", "catalogue", "user", "policy", "vault-key", "revocation"]


class Reference(Statement):
    """One thing that stations work by, whole. A later `revision` of the same kind and key replaces an earlier one.

    `station`: whom it is for, "" for all that take in real cards. `removed`: it counts no more; `body` is empty then.
    The body of each kind: Expected, Blocked, CatalogueOffer, User, core.policy.Policy, VaultKeyTold, Revoked. A kind
    that a reader does not know is passed over.
    """

    TYPE = "reference"
    tenant: Name
    station: str = ""
    kind: Name
    key: Name
    revision: int
    removed: bool = False
    body: dict[str, Any] = {}


class ExpectedItem(WireModel):
    """A product that the sender declared, and how many of it."""

    product_id: Name
    name_zh: str = ""
    name_en: str = ""
    face_value_fen: Whole = 0
    count: Annotated[Whole, Field(ge=1)] = 1


class Expected(WireModel):
    """A parcel that is on its way; its key is the waybill."""

    order_no: str = ""
    declared: Whole
    items: tuple[ExpectedItem, ...] = ()


class Blocked(WireModel):
    """A card number that is not simply taken; its key is `FeedPage.list_key`'s HMAC of the slow hash, in hex."""

    note: Annotated[str, StringConstraints(max_length=200)] = ""


class CatalogueOffer(WireModel):
    """The catalogue that stations are to read by; its key is "current"."""

    version: Hex64
    serial: Annotated[int, Field(ge=1)]


class User(WireModel):
    """A person who may sign in; the key is the staff number. `badge`: HMAC-SHA-256 of its code in hex, "" for none."""

    name: Name
    role: Role
    verifier: Annotated[str, StringConstraints(pattern=r"^\$argon2id\$", max_length=300)]
    badge: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")] = ""


class VaultKeyTold(WireModel):
    """A key of the vault; the reference's key is its key id. `certificate`: VaultCertificate, by the tenant root."""

    certificate: Signed


class Revoked(WireModel):
    """Taken back for good; the reference's key is "vault-key/ID", "user/NUMBER" or "station/NAME"."""

    reason: Annotated[str, StringConstraints(max_length=200)] = ""


class CatalogueBundle(WireModel):
    """The bytes of a published catalogue (`app.catalog.bundle`); its signature is inside."""

    bundle: Base64Bytes


class FeedPage(Statement):
    """What is new for a station after a cursor (`after`, "" from the start); `cursor` is opaque.

    `list_key` (32 bytes in hex) comes with a page that names blocked cards or users: their hashes are made with it.
    """

    TYPE = "feed-page"
    station: Name
    after: str
    cursor: str
    items: tuple[Signed, ...]
    more: bool
    server_time_ms: int
    epoch: str = ""
    list_key: str = Field("", repr=False)


class ObjectSize(WireModel):
    """An encrypted chunk: the SHA-256 of its bytes is its name."""

    oid: Hex64
    size: Annotated[int, Field(ge=1, le=MOST_CHUNK)]


class ObjectsWanted(WireModel):
    """Which of these the centre lacks? Shaped like the batch call of Git LFS."""

    operation: Literal["upload"] = "upload"
    objects: Annotated[tuple[ObjectSize, ...], Field(max_length=1000)]


class Transfer(WireModel):
    """Where the bytes go: a path of the centre, or a whole URL that holds for `expires_in` seconds."""

    href: str
    header: dict[str, str] = {}
    expires_in: int = 900


class ObjectPlace(ObjectSize):
    """What to do for one chunk; no actions: the centre has it."""

    actions: dict[Literal["upload", "verify"], Transfer] = {}


class ObjectsAnswer(WireModel):
    """A place for each chunk that was asked for."""

    transfer: Literal["basic"] = "basic"
    objects: tuple[ObjectPlace, ...]


class StoredObject(WireModel):
    """The chunk is on the centre's disk and its bytes were hashed."""

    oid: Hex64


class Piece(ObjectSize):
    """One chunk in its place: a run of whole encrypted fragments of `file`, from byte `offset`."""

    file: Name
    offset: Whole


class VideoManifest(Statement):
    """A recording as its chunks, in order. `key` is the recording's key, sealed to the vault."""

    TYPE = "video"
    station: Name
    recording: Name
    final_hash: str
    pieces: Annotated[tuple[Piece, ...], Field(max_length=30_000)]
    key: Base64Bytes


class Durable(Statement):
    """Every chunk of the recording lies at the centre, verified. Only this lets the station delete its footage."""

    TYPE = "durable"
    station: Name
    recording: Name
    final_hash: str
    pieces_hash: Hex64
    bytes: int
    server_time_ms: int
    epoch: Name


class VideoAnswer(WireModel):
    """Either what is missing still, or the statement that all of it is there."""

    missing: tuple[Hex64, ...] = ()
    durable: Signed | None = None


def hash_of_pieces(pieces: Iterable[Piece]) -> str:
    """What names a list of chunks in its order."""
    rows = [[piece.oid, piece.size, piece.file, piece.offset] for piece in pieces]
    return hashlib.sha256(canonical(rows)).hexdigest()


def content_digest(body: bytes) -> str:
    """The value of the Content-Digest header of a body (RFC 9530)."""
    return digest_field(hashlib.sha256(body).digest())


def digest_field(sha256: bytes) -> str:
    """The value of the Content-Digest header for a body whose SHA-256 is known already."""
    return f"sha-256=:{base64.b64encode(sha256).decode()}:"
