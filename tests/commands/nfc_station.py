"""A station with a kept card that has a chip, for tests of `cardintake nfc`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.core.audit import EventKind, Stamp
from app.core.cards import CardState, PanelState, Secret, Tag
from app.core.parcels import CardDraft, ExpectedParcel, OpenParcel, Operator, Role
from app.keys import Signer, key_id, new_seed
from app.paths import StationFolder
from app.store.seal import IndexCost
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.wire import Centre, Decision, VaultCertificate, sign_statement
from tests.hardware.nfc.making import UID

FAMILY = "MIFARE Ultralight EV1 (MF0UL11)"
STAMP = Stamp(1_790_000_000_000_000, 5, "boot")


class Station:
    """A rehearsal station with one kept card that has a chip, and the centre's keys."""

    def __init__(self, root: Path, passphrase: str = "", *, simulated: bool | None = None) -> None:
        """A rehearsal, or with a passphrase a real one. `simulated`: the reader at intake, by itself as the station."""
        self.passphrase = passphrase or REHEARSAL_PASSPHRASE
        self.folder, self.server = StationFolder(root), Signer(new_seed())
        tenant = Signer(new_seed())
        vault = VaultCertificate(tenant="t", key_id=key_id(bytes(31) + b"\x09"), public_key=(bytes(31) + b"\x09").hex())
        centre = Centre(
            tenant="t",
            salt="00" * 32,
            root_key=tenant.public_key.hex(),
            server_key=self.server.public_key.hex(),
            vault=sign_statement(vault, tenant.sign),
        )
        root.mkdir()
        if not passphrase:
            self.folder.rehearsal_mark.touch()
        made: dict[str, Any] = {"station_id": "st", "centre": centre, "rehearsal": not passphrase}
        cost = IndexCost(memory_kib=8, passes=1)
        store = Store.create(self.folder.database, self.passphrase, **made, index_cost=cost, reserve_bytes=0)
        clerk = Operator("1001", "x", Role.CLERK, rehearsal=not passphrase)
        store.open_parcel(OpenParcel("p", ExpectedParcel("SF1234567890123", "", 1), "rec", clerk), STAMP)
        store.keep_card(_draft(not passphrase if simulated is None else simulated), STAMP, "1001")
        store.close()

    def decide(self, verdict: CardState = CardState.ACCEPTED, revision: int = 1, **changes: Any) -> None:
        """The centre's word on the card, signed and applied."""
        store = Store.open(self.folder.database, self.passphrase, reserve_bytes=0)
        card_id = changes.get("card_id", "card-1")
        kept = [e for e in store.outbox_after(0) if json.loads(e.data)["kind"] == EventKind.CARD_KEPT]
        (event,) = [e for e in kept if json.loads(e.data)["body"]["card"] == card_id]
        told: dict[str, Any] = {"tenant": "t", "station": "st", "card_id": card_id, "event_hash": event.hash}
        told |= {"verdict": verdict, "revision": revision, "expires_ms": 1 << 52} | changes
        store.apply_decisions([sign_statement(Decision(**told), self.server.sign)], STAMP)
        store.close()

    def keep(self, card_id: str, uid: str = UID, family: str = FAMILY) -> None:
        """One more card in the parcel, another number, and its chip."""
        store = Store.open(self.folder.database, self.passphrase, reserve_bytes=0)
        told = {"card_id": card_id, "read_id": f"read-{card_id}", "no": 2, "number": Secret("6222021234567999")}
        draft = replace(_draft(simulated=True), **told)  # type: ignore[arg-type]
        store.keep_card(replace(draft, tag=Tag(uid, "0044", "00", family, True)), STAMP, "1001")
        store.close()

    def waits(self) -> list[str]:
        """The cards in the chip tray."""
        store = Store.open(self.folder.database, self.passphrase, reserve_bytes=0)
        waiting = [card.card_id for card in store.waiting_chips()]
        store.close()
        return waiting

    def events(self) -> list[dict[str, Any]]:
        """The chain."""
        store = Store.open(self.folder.database, self.passphrase, reserve_bytes=0)
        events = [json.loads(e.data) for e in store.outbox_after(0)]
        store.close()
        return events

    def facts(self) -> list[dict[str, Any]]:
        return [e for e in self.events() if e["kind"].startswith("chip.")]


def _draft(simulated: bool) -> CardDraft:
    return CardDraft(
        "card-1",
        "read-1",
        "p",
        1,
        "quxi-500",
        None,
        Secret("6222021234567890"),
        Secret("83749261"),
        PanelState.OPEN,
        None,
        50_000,
        "rec",
        7_000_000,
        CardState.KEPT,
        (),
        Tag(UID, "0044", "00", FAMILY, simulated),
    )
