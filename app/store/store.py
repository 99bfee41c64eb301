"""The station's store: everything the station asks its database for. Synchronous; used by one thread (`writer`).

Where a call changes something, the fact is in the outbox by the same transaction when it returns.
Every call may raise StorageTrouble (store.disk_full, store.damaged, store.locked, store.io); then nothing was written.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from app.core.audit import EventKind, SignedEvent, Stamp
from app.core.cards import CardState, Secret
from app.core.chips import ChipCard
from app.core.errors import BadInput, StorageTrouble
from app.core.footage import OVERHEAD, FilmedCard, Hold, Lines, Pile
from app.core.parcels import (
    CardDraft,
    EarlierParcel,
    ExpectedParcel,
    OpenParcel,
    Operator,
    Reason,
    Role,
    TrayCard,
    WayOut,
)
from app.keys import Signer, new_seed
from app.reserve import RESERVE_BYTES, Reserve
from app.store import cards, chips, exchange, footage, parcels, people, recordings, reference
from app.store.chips import ChipFact, ChipGate, Closed
from app.store.db import checkpoint, open_database, transaction
from app.store.export import export_chain
from app.store.footage import KnownRecording
from app.store.founding import is_gone, make_database
from app.store.keyfile import read_key
from app.store.ledger import Ledger, is_frozen, read_identity
from app.store.migrate import upgrade
from app.store.people import Locked
from app.store.results import AlreadyKept, Duplicate, Kept, QueueFacts, Recording, RetryState, Room, Totals
from app.store.seal import IndexCost
from app.wire import CatalogueOffer, Centre, Receipt, Signed

REHEARSAL_PASSPHRASE = "rehearsal"
"""Published: a rehearsal folder keeps nothing that is worth a secret, and is marked so for ever."""

_LANE = "centre"


class Store:
    """One station database. Made by `create` or `open`."""

    def __init__(self, engine: Engine, ledger: Ledger) -> None:
        self._engine = engine
        self._ledger = ledger
        self._closed = False

    @classmethod
    def create(
        cls,
        path: Path,
        passphrase: str,
        *,
        station_id: str,
        centre: Centre,
        rehearsal: bool,
        signing_seed: bytes | None = None,
        index_cost: IndexCost = IndexCost(),  # noqa: B008  frozen
        reserve_bytes: int = RESERVE_BYTES,
    ) -> Store:
        """Make the database file `path` for a new station, with fresh keys, its key file and its reserve beside it.

        `signing_seed`: the key that was enrolled; None makes one.

        Raises BadInput: store.exists; store.rehearsal_passphrase (the published passphrase goes with rehearsal, and
        only with it). EvidenceTrouble("sync.untrusted_answer"): the vault key is not signed by the tenant root.
        """
        if path.exists() or is_gone(path):
            raise BadInput("store.exists", path.name)
        if rehearsal != (passphrase == REHEARSAL_PASSPHRASE):
            raise BadInput("store.rehearsal_passphrase")
        centre.vault_certificate()
        path.parent.mkdir(parents=True, exist_ok=True)
        row = {"id": 1, "station": station_id, "rehearsal": rehearsal, "centre": centre.model_dump_json()}
        row |= {"signing_seed": signing_seed or new_seed(), "index_key": os.urandom(32)}
        row |= {"index_memory_kib": index_cost.memory_kib, "index_passes": index_cost.passes}
        make_database(path, passphrase, row, published=rehearsal)
        return cls.open(path, passphrase, reserve_bytes=reserve_bytes)

    @classmethod
    def open(cls, path: Path, passphrase: str, *, reserve_bytes: int = RESERVE_BYTES) -> Store:
        """Open an existing database; an older one is copied, upgraded and checked first.

        Raises StorageTrouble: store.missing (there is nothing), store.missing_over_enrolled_folder (a key file but no
        database: never made anew), store.key_missing, store.wrong_key, store.damaged, store.newer_database.
        """
        if not path.exists():
            raise StorageTrouble("store.missing_over_enrolled_folder" if is_gone(path) else "store.missing", path.name)
        engine = open_database(path, read_key(path, passphrase), must_exist=True)
        try:
            upgrade(engine, path)
            with transaction(engine) as connection:
                identity, frozen = read_identity(connection), is_frozen(connection)
        except BaseException:
            engine.dispose()
            raise
        reserve = Reserve(path.with_suffix(".reserve"), reserve_bytes)
        reserve.fill()
        return cls(engine, Ledger(engine, identity, reserve, frozen))

    def close(self) -> None:
        """Bring the write-ahead log into the file and close it. A closed store stays closed."""
        if self._closed:
            return
        self._closed = True
        checkpoint(self._engine)
        self._engine.dispose()

    @property
    def ledger(self) -> Ledger:
        """What the store's rooms without a call of their own here (leaks, rulings, tokens, witnessed …) work on."""
        return self._ledger

    @property
    def station(self) -> str:
        return self._ledger.identity.station

    @property
    def rehearsal(self) -> bool:
        return self._ledger.identity.rehearsal

    @property
    def centre(self) -> Centre:
        """What is pinned of the centre."""
        return self._ledger.identity.centre

    @property
    def public_key(self) -> bytes:
        """The station's Ed25519 public key of now, 32 bytes."""
        return self._ledger.identity_now().signer.public_key

    @property
    def signing_seed(self) -> bytes:
        """The station's Ed25519 seed of now, for the recorder's journal. Goes over the private connection only."""
        return self._ledger.identity_now().signing_seed

    def speaker(self) -> tuple[str, Signer, Centre]:
        """Who signs requests to whom: the station's name, its key, and what is pinned of the centre."""
        identity = self._ledger.identity_now()
        return identity.station, identity.signer, identity.centre

    def room(self) -> Room:
        """Space left; a spent reserve is made whole again when the disk allows it."""
        self._ledger.reserve.fill()
        return Room(self._ledger.reserve.free_bytes, self._ledger.reserve.intact)

    # Parcels

    def announce_parcels(self, expected: Iterable[ExpectedParcel]) -> None:
        """Learn of parcels to come; a waybill told again replaces what was known."""
        parcels.announce(self._ledger, tuple(expected))

    def find_parcel(self, waybill: str) -> ExpectedParcel | EarlierParcel | None:
        """What is known of a waybill: done before, announced, or nothing."""
        with self._ledger.reading() as connection:
            return parcels.find(connection, waybill)

    def open_parcel(self, parcel: OpenParcel, stamp: Stamp) -> int:
        """Write a parcel down as in work (its cards are ignored); the event's number. Again: changes nothing."""
        return parcels.open_one(self._ledger, parcel, stamp)

    def unfinished_parcel(self) -> OpenParcel | None:
        """The parcel that was neither sealed nor stopped, with its cards in order: where to go on after a crash."""
        with self._ledger.reading() as connection:
            return parcels.unfinished(connection, self.rehearsal)

    def mark_shot(self, parcel_id: str, t_video_us: int) -> None:
        """Note an evidence shot of the count. Raises BadInput("store.parcel_not_open")."""
        parcels.mark_shot(self._ledger, parcel_id, t_video_us)

    def count_parcel(self, parcel_id: str, found: int, stamp: Stamp, actor: str) -> int:
        """Record the clerk's count; the event's number. Raises BadInput("store.parcel_not_open")."""
        return parcels.count(self._ledger, parcel_id, found, stamp, actor)

    def seal_parcel(self, parcel_id: str, way_out: WayOut, stamp: Stamp, actor: str, *, approved_by: str = "") -> int:
        """Seal a parcel with the store's own totals; the event's number. Raises BadInput("store.parcel_not_open")."""
        return parcels.close(self._ledger, parcel_id, way_out, stamp, actor, approved_by)

    def totals(self, parcel_id: str) -> Totals:
        """The store's own count of a parcel."""
        with self._ledger.reading() as connection:
            return parcels.totals(connection, parcel_id)

    # Cards

    def keep_card(self, draft: CardDraft, stamp: Stamp, actor: str) -> Kept | AlreadyKept | Duplicate:
        """Keep a card: row, sealed number and PIN, event `card.kept`, in one transaction.

        The same `read_id` again is harmless; a number that another card holds is refused (unless the verdict is
        REJECTED: then it is only written down).
        """
        return cards.keep(self._ledger, draft, stamp, actor)

    def change_card(
        self, card_id: str, state: CardState, reasons: Sequence[Reason], stamp: Stamp, actor: str
    ) -> TrayCard:
        """Send a kept card to REVIEW or reject it, by a compensating event. Raises BadInput("store.unknown_card")."""
        return cards.change(self._ledger, card_id, state, reasons, stamp, actor)

    def withdraw_card(self, card_id: str, reasons: Sequence[Reason], stamp: Stamp, actor: str) -> TrayCard:
        """Take a card out of the tray again; its number may be read anew. Raises BadInput("store.unknown_card")."""
        return cards.withdraw(self._ledger, card_id, reasons, stamp, actor)

    def tray(self, parcel_id: str) -> tuple[TrayCard, ...]:
        """The cards of a parcel in order."""
        with self._ledger.reading() as connection:
            return cards.tray_of(connection, parcel_id)

    def chip_gate(self, card_id: str, stamp: Stamp) -> ChipGate | Closed:
        """Whether the chip of a card may be switched off now, by a decision that is checked anew; or why not."""
        with self._ledger.reading() as connection:
            return chips.chip_gate(self._ledger, connection, card_id, stamp)

    def seal_chip_content(self, card_id: str, content: bytes) -> str:
        """What a card's chip held, sealed to the vault; base64."""
        return chips.seal_content(self._ledger, card_id, content)

    def keep_chip_fact(self, fact: ChipFact, stamp: Stamp, actor: str) -> TrayCard:
        """What came of a card's chip: on the card and in the chain. Raises BadInput("store.unknown_card")."""
        return chips.keep_fact(self._ledger, fact, stamp, actor)

    def waiting_chips(self) -> tuple[ChipCard, ...]:
        """Accepted cards with a chip that is still to be dealt with, the oldest first."""
        with self._ledger.reading() as connection:
            return chips.waiting_chips(connection)

    def proved_record(self, card_id: str) -> str:
        """The SHA-256 of the record by which this card's chip was proved off here; "" where there is none."""
        with self._ledger.reading() as connection:
            return chips.proved_record(connection, card_id)

    def chip_journal_key(self) -> bytes:
        """The key under which the journal of unproved runs lies on the disk."""
        return chips.journal_key(self._ledger)

    # Facts and people

    def record(self, kind: EventKind, body: Mapping[str, Any], stamp: Stamp, actor: str) -> int:
        """Add a fact of its own to the chain; its number. `body`: JSON values without floats or secrets."""
        return self._ledger.write(lambda connection: self._ledger.append(connection, kind, body, stamp, actor).seq)

    def add_operator(self, operator_id: str, name: str, role: Role, badge: str, passcode: Secret) -> None:
        """Add or replace a user; `badge` "" for none."""
        people.add(self._ledger, operator_id, name, role, badge, passcode)

    def sign_in(self, operator_id: str, passcode: Secret, now_us: int) -> Operator | Locked | None:
        """The user, when number and passcode belong together, or how long to wait. `now_us`: the wall clock."""
        return people.sign_in(self._ledger, operator_id, passcode, now_us)

    def by_badge(self, code: str, now_us: int) -> Operator | None:
        """The user of a badge. `now_us`: the wall clock."""
        with self._ledger.reading() as connection:
            return people.by_badge(self._ledger, connection, code, now_us)

    # Recordings

    def new_recording(
        self, recording_id: str, parcel_id: str, stamp: Stamp, actor: str, role: str = OVERHEAD
    ) -> Recording:
        """Make a recording with a fresh key and record its start. Again: gives what is there."""
        return recordings.begin(self._ledger, recording_id, parcel_id, stamp, actor, role)

    def find_recording(self, recording_id: str) -> Recording | None:
        with self._ledger.reading() as connection:
            return recordings.find(connection, recording_id)

    def unclosed_recordings(self) -> tuple[Recording, ...]:
        """Recordings that were begun and not closed: to be recovered."""
        with self._ledger.reading() as connection:
            return recordings.unclosed(connection)

    def last_recording_hash(self, role: str = OVERHEAD) -> str:
        """The final hash of the camera's recording closed last; "" before any. The next one's genesis names it."""
        with self._ledger.reading() as connection:
            return recordings.last_hash(connection, role)

    def close_recording(
        self, recording_id: str, final_hash: str, root: str, frames: int, stamp: Stamp, actor: str
    ) -> int:
        """Record that a recording is closed; the event's number. Again: changes nothing."""
        return recordings.close(self._ledger, recording_id, final_hash, root, frames, stamp, actor)

    def waiting_footage(self) -> tuple[Recording, ...]:
        """Closed recordings that the centre does not hold yet, the oldest first."""
        with self._ledger.reading() as connection:
            return recordings.waiting_footage(connection)

    def sealed_key(self, found: Recording) -> bytes:
        """A recording's key, sealed to the vault."""
        return recordings.sealed_key(self._ledger, found)

    def save_durable(self, signed: Signed, pieces_hash: str) -> None:
        """Keep the centre's word that it holds a recording. Raises EvidenceTrouble("sync.untrusted_answer")."""
        recordings.save_durable(self._ledger, signed, pieces_hash)

    def is_durable(self, recording_id: str) -> bool:
        """Whether the centre holds this recording; only then may its footage be deleted here."""
        with self._ledger.reading() as connection:
            return recordings.is_durable(connection, recording_id)

    # Footage

    def footage_lines(self, pile: Pile, query: str, now_wall_us: int) -> Lines:
        """What a reviewer may choose from; with a query (waybill, last four, time) whatever fits it."""
        with self._ledger.reading() as connection:
            return footage.lines(connection, pile, query, now_wall_us)

    def known_recordings(self) -> tuple[KnownRecording, ...]:
        """Every recording with its parcel, the oldest first."""
        with self._ledger.reading() as connection:
            return footage.known(connection)

    def filmed_cards(self, recording_id: str) -> tuple[FilmedCard, ...]:
        """The cards that were read on a recording, in order of time."""
        with self._ledger.reading() as connection:
            return footage.filmed_cards(connection, recording_id)

    def recording_of_card(self, card_id: str) -> str | None:
        """The recording that a card is on."""
        with self._ledger.reading() as connection:
            return footage.place_of_card(connection, card_id)

    def recordings_of_waybill(self, waybill: str) -> tuple[str, ...]:
        """The recordings of a waybill, in order."""
        with self._ledger.reading() as connection:
            return footage.of_waybill(connection, waybill)

    def hold_footage(self, recording_id: str, reason: str, stamp: Stamp, actor: str) -> Hold:
        """Keep a recording from being removed. Raises BadInput("recording.unknown", "hold.no_reason")."""
        return footage.keep(self._ledger, recording_id, reason, stamp, actor)

    def release_footage(self, recording_id: str, reason: str, stamp: Stamp, actor: str) -> None:
        """Let a held recording go again. Raises BadInput("hold.no_reason") where that judges that no PIN is seen."""
        footage.release(self._ledger, recording_id, reason, stamp, actor)

    def hold_on(self, recording_id: str) -> Hold | None:
        """Who holds a recording, and why; None when nobody does."""
        with self._ledger.reading() as connection:
            return footage.hold_on(connection, recording_id)

    def note_removed(self, recording_id: str, size: int, stamp: Stamp) -> int:
        """Record that a recording's pictures go now; the event's number. Raises BadInput("footage.must_stay")."""
        return footage.note_removed(self._ledger, recording_id, size, stamp)

    # The centre

    def outbox_after(self, seq: int, limit_events: int = 500, limit_bytes: int = 1 << 20) -> list[SignedEvent]:
        """Events after number `seq`, as many as fit the limits, but at least one."""
        with self._ledger.reading() as connection:
            return exchange.outbox_after(connection, seq, limit_events, limit_bytes)

    def blobs_between(self, first: int, last: int) -> list[bytes]:
        """The blobs that events `first` to `last` speak of."""
        with self._ledger.reading() as connection:
            return exchange.blobs_between(connection, first, last)

    def blobs_named(self, refs: Collection[str], limit_bytes: int = 1 << 20) -> list[bytes]:
        """Blobs by the SHA-256 of each, as many as fit the limit, but at least one."""
        with self._ledger.reading() as connection:
            return exchange.blobs_named(connection, refs, limit_bytes)

    def high_received(self) -> int:
        """The highest event number that the centre acknowledged."""
        with self._ledger.reading() as connection:
            return exchange.high_received(connection)

    def epoch_known(self) -> str:
        """The centre's epoch by its last receipt; "" before any."""
        with self._ledger.reading() as connection:
            return exchange.epoch_known(connection)

    def save_receipt(self, signed: Signed) -> tuple[Receipt, tuple[TrayCard, ...]]:
        """Keep a receipt; gives it back with the cards that are now AT_CENTRE. Raises EvidenceTrouble."""
        return exchange.save_receipt(self._ledger, signed)

    def feed_cursor(self) -> str:
        """Where the feed was read up to; "" from the start."""
        with self._ledger.reading() as connection:
            return exchange.feed_cursor(connection)

    def forget_cursor(self) -> None:
        """Read the feed from its start again."""
        exchange.forget_cursor(self._ledger)

    def apply_page(self, signed: Signed, stamp: Stamp) -> exchange.Applied:
        """Apply a page of the feed and move the cursor. Raises EvidenceTrouble when anything in it is not signed."""
        return exchange.apply_page(self._ledger, signed, stamp)

    def apply_decisions(self, items: Sequence[Signed], stamp: Stamp) -> exchange.Applied:
        """Apply decisions, each checked against the pinned server key. Raises EvidenceTrouble, then applies none."""
        return exchange.apply_decisions(self._ledger, items, stamp)

    def expired_decisions(self, stamp: Stamp) -> list[Signed]:
        """Decisions that ran out before they were heard of or acted on, to be asked for again."""
        with self._ledger.reading() as connection:
            return exchange.expired(connection, stamp)

    def catalogue_offer(self) -> CatalogueOffer | None:
        """The catalogue that the centre wants this station to read by; None when it named none."""
        with self._ledger.reading() as connection:
            return reference.catalogue_offer(connection)

    def queue(self) -> QueueFacts:
        """How far the outbox is, and the cards by state."""
        with self._ledger.reading() as connection:
            return exchange.queue_facts(connection)

    def retry_state(self, lane: str = _LANE) -> RetryState:
        """When to try the centre again; footage has a lane of its own."""
        with self._ledger.reading() as connection:
            return exchange.retry_state(connection, lane)

    def save_retry(self, state: RetryState, lane: str = _LANE) -> None:
        """Remember when to try again, so that a crash does not shorten the wait."""
        exchange.save_retry(self._ledger, lane, state)

    def export_chain(self, path: Path) -> int:
        """Write the whole chain with its receipts as JSON lines; the number of events. Raises OSError."""
        with self._ledger.reading() as connection:
            return export_chain(connection, self._ledger.identity, path)
