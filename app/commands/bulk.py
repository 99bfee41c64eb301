"""Rehearsal cards without a camera: chance makes the reads, the session machine and the store do the rest."""

from __future__ import annotations

import os
import random
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

from stdnum import luhn

from app import __version__
from app.catalog.templates import load_products
from app.core.audit import Stamp
from app.core.cards import CardRead, FieldReading, FieldState, PanelState, typed
from app.core.effects import Effect, OpenParcelRecord, SaveCard
from app.core.errors import Trouble
from app.core.events import (
    CardSaved,
    CardWasRead,
    CodeScanned,
    Event,
    Key,
    KeyPressed,
    ParcelFound,
    RecordingBegan,
    SignedIn,
)
from app.core.parcels import ExpectedParcel, Operator, Role, WayOut
from app.core.products import Catalogue, CheckDigit, FieldPattern, Product
from app.core.rules import Rules
from app.core.session import step
from app.core.states import SignedOut, State
from app.evidence.journal import NO_HASH
from app.evidence.writer import Origin, RecordingKeys, create_recording
from app.paths import TEMPLATES
from app.platform import boot_id
from app.store.results import Kept
from app.store.store import Store

CLERK = Operator("R00001", "演练 rehearsal", Role.CLERK, rehearsal=True)


class BulkSession:
    """One parcel, card after card, by the same steps as at the table."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._catalogue = Catalogue(
            tuple(p for p in load_products(TEMPLATES) if p.number.check in _MAKERS and p.rehearsal)
        )
        self._rules = Rules(self._catalogue)
        self._state: State = SignedOut()
        self._began_us = time.monotonic_ns() // 1000
        self.parcel_id, self.recording_id = str(uuid4()), str(uuid4())

    def open(self, declared: int) -> None:
        """Sign in and open a fresh parcel with its recording."""
        waybill = f"SF{secrets.randbelow(10**13):013d}"
        expected = ExpectedParcel(waybill, f"T-{secrets.randbelow(10**6)}", declared)
        self._store.announce_parcels([expected])
        self._on(SignedIn(CLERK))
        self._on(CodeScanned(waybill))
        for effect in self._on(ParcelFound(expected, self.parcel_id, self.recording_id)):
            if isinstance(effect, OpenParcelRecord):
                self._store.open_parcel(effect.parcel, stamp())
        self._on(RecordingBegan(self.recording_id, self._began_us))
        self._on(KeyPressed(Key.SPACE))

    def take(self) -> str:
        """Take one more card through session, sealing and store; its id, once it is on disk."""
        while True:
            for effect in self._on(CardWasRead(self._read())):
                if isinstance(effect, SaveCard):
                    kept = self._store.keep_card(effect.draft, stamp(), CLERK.id)
                    if isinstance(kept, Kept):
                        self._on(CardSaved(kept.card))
                        return kept.card.card_id
                    raise Trouble("store.duplicate", type(kept).__name__)

    def film(self, folder: Path, video_mb: int) -> None:
        """A closed recording of `video_mb` megabytes; its fragments hold chance instead of pictures."""
        recording = self._store.new_recording(self.recording_id, self.parcel_id, stamp(), CLERK.id)
        keys = RecordingKeys(recording.key, self._store.signing_seed)
        origin = Origin(
            self.recording_id, "none:", True, True, __version__, self._store.last_recording_hash() or NO_HASH
        )
        writer = create_recording(folder / self.recording_id, keys, origin)
        writer.begin_part(1280, 720, writer.pts(self._began_us))
        writer.add_init(os.urandom(800))
        for n in range(2 * video_mb):
            writer.add_fragment(os.urandom(500_000), n * 500_000, n * 500_000 + 499_999, 15, 0)
        root = writer.close("bulk")
        self._store.close_recording(self.recording_id, writer.head, root, writer.frames, stamp(), CLERK.id)

    def close(self, found: int) -> None:
        """Seal the parcel."""
        self._store.count_parcel(self.parcel_id, found, stamp(), CLERK.id)
        self._store.seal_parcel(self.parcel_id, WayOut.EQUAL, stamp(), CLERK.id)

    def _on(self, event: Event) -> tuple[Effect, ...]:
        outcome = step(self._state, event, self._rules)
        if not outcome.expected:
            raise Trouble("bug", f"{type(self._state).__name__} does not expect {type(event).__name__}")
        self._state = outcome.state
        return outcome.effects

    def _read(self) -> CardRead:
        product = random.choice(self._catalogue.products)
        now_us = time.monotonic_ns() // 1000
        return CardRead(
            read_id=str(uuid4()),
            first_us=now_us,
            best_us=now_us,
            product_id=product.id,
            gtin=min(product.gtins, default=None),
            barcodes=(),
            number=_drawn(product.number),
            pin=_pin(product),
            panel=PanelState.OPEN if product.pin else PanelState.NONE,
            face_value_fen=product.face_values_fen[0] if product.face_values_fen else None,
        )


_MAKERS: dict[CheckDigit, Callable[[str], str]] = {
    CheckDigit.NONE: lambda text: text,
    CheckDigit.LUHN: lambda text: text[:-1] + str(luhn.calc_check_digit(text[:-1])),
}


def _drawn(pattern: FieldPattern) -> FieldReading:
    text = "".join(secrets.choice(pattern.alphabet) for _ in range(pattern.lengths[0]))
    return typed(_MAKERS[pattern.check](text))


def _pin(product: Product) -> FieldReading:
    return _drawn(product.pin) if product.pin else FieldReading(FieldState.ABSENT)


def stamp() -> Stamp:
    """Now, by this machine's clocks."""
    return Stamp(time.time_ns() // 1000, time.monotonic_ns() // 1000, boot_id())


def captured(store: Store, cards: int, recordings: Path, video_mb: int = 0) -> Iterator[str]:
    """Take `cards` cards, with footage of `video_mb` megabytes; gives the id of each card after its commit."""
    session = BulkSession(store)
    session.open(cards)
    if video_mb:
        session.film(recordings, video_mb)
    for _ in range(cards):
        yield session.take()
    session.close(cards)
