"""A station at its chip tray, from real parts: session, store, gate, reader loop, a board on a real pseudo-terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from app.core.audit import EventKind, Stamp
from app.core.cards import CardState, PanelState, Secret, Tag
from app.core.chips import ChipEnd, ChipStand
from app.core.effects import Sound
from app.core.events import ChipRunEnded, Event, Key, KeyHeld, KeyPressed, SignedIn
from app.core.parcels import CardDraft, ExpectedParcel, OpenParcel, Operator, Role
from app.core.rules import Rules
from app.core.states import ChipTray
from app.keys import Signer, key_id, new_seed
from app.paths import StationFolder
from app.station.chips import Bench, ChipWork
from app.station.clock import system_clock
from app.station.perform import Hands, Perform
from app.station.station import Station
from app.station.switching import Switching
from app.station.tapping import Tapping
from app.store.seal import IndexCost
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.store.writer import StoreWriter
from app.wire import Centre, Decision, VaultCertificate, sign_statement
from hardware.errors import DeviceError, DeviceReason
from hardware.nfc.pn532 import open_pn532
from hardware.ports import DeviceInfo, NfcReader
from hardware.sim.nfc import SimulatedBoard
from hardware.sim.nfc_chips import make_chip
from tests.hardware.nfc.making import OTHER_UID, UID, used_chip

FAMILY = "MIFARE Ultralight EV1 (MF0UL11)"
STAMP = Stamp(1_790_000_000_000_000, 5, "boot")
CLERK = Operator("1001", "x", Role.CLERK, rehearsal=True)
HOLD = KeyHeld(Key.SPACE)


def make_station(root: Path, *, decided: bool = True, uids: tuple[str, str] = (UID, OTHER_UID)) -> StationFolder:
    """A rehearsal station with two kept cards that have chips, and the centre's word on both."""
    folder, server, tenant = StationFolder(root), Signer(new_seed()), Signer(new_seed())
    vault = VaultCertificate(tenant="t", key_id=key_id(bytes(31) + b"\x09"), public_key=(bytes(31) + b"\x09").hex())
    centre = Centre(
        tenant="t",
        salt="00" * 32,
        root_key=tenant.public_key.hex(),
        server_key=server.public_key.hex(),
        vault=sign_statement(vault, tenant.sign),
    )
    root.mkdir()
    folder.rehearsal_mark.touch()
    made: dict[str, Any] = {"station_id": "st", "centre": centre, "rehearsal": True}
    cost = IndexCost(memory_kib=8, passes=1)
    store = Store.create(folder.database, REHEARSAL_PASSPHRASE, **made, index_cost=cost, reserve_bytes=0)
    store.open_parcel(OpenParcel("p", ExpectedParcel("SF1234567890123", "", 2), "rec", CLERK), STAMP)
    for no, uid in enumerate(uids, start=1):
        store.keep_card(_draft(no, uid), STAMP, "1001")
    if decided:
        kept = [e for e in store.outbox_after(0) if json.loads(e.data)["kind"] == EventKind.CARD_KEPT]
        told = [
            Decision(
                tenant="t", station="st", card_id=f"card-{no}", event_hash=event.hash,
                verdict=CardState.ACCEPTED, revision=1, expires_ms=1 << 52,
            )
            for no, event in enumerate(kept, start=1)
        ]  # fmt: skip
        store.apply_decisions([sign_statement(one, server.sign) for one in told], STAMP)
    store.close()
    return folder


def _draft(no: int, uid: str) -> CardDraft:
    number = Secret(f"622202123456789{no}")
    tag = Tag(uid, "0044", "00", FAMILY, True)
    return CardDraft(
        f"card-{no}", f"read-{no}", "p", no, "quxi-500", None, number, Secret("83749261"), PanelState.OPEN, None,
        50_000, "rec", 7_000_000, CardState.KEPT, (), tag,
    )  # fmt: skip


class Quiet:
    """The eye and the recorder, which have no part in this."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, dict[str, Any]]] = []

    def watch(self, _on: bool) -> None:
        """Rest or look."""

    def note(self, event: str, body: dict[str, Any]) -> None:
        self.notes.append((event, body))


@dataclass
class Table:
    """A station at the chip tray; `board` is what its reader's cable leads to."""

    folder: StationFolder
    board: SimulatedBoard | None = None
    heard: list[Event] = field(default_factory=list)
    sounds: list[Sound] = field(default_factory=list)
    quiet: Quiet = field(default_factory=Quiet)
    simulated: bool = True

    def __post_init__(self) -> None:
        self.plug_in()
        clock = system_clock()
        self.station = Station(Rules(), clock.mono_us, clock.wall_us)
        store = Store.open(self.folder.database, REHEARSAL_PASSPHRASE, reserve_bytes=0)
        self.crashes: list[Exception] = []
        self.writer = StoreWriter(store, self.crashes.append)
        self.writer.start()
        bench = Bench(clock, lambda: self.station.around, self.post, self.station.adjust, self.quiet.note, lambda: None)
        self.work = ChipWork(Switching(self.writer.call, self.folder), self.writer, bench)
        quiet = cast(Any, self.quiet)
        hands = Hands(self.writer, quiet, quiet, cast(Any, None), Path(), clock, True, quiet, chips=self.work)
        self.station.join(Perform(hands, self.post, lambda: self.station.around, self.sounds.append, lambda: None))
        self.tapping = Tapping(self.open, self.post, self.station.adjust, clock.mono_us, self.crashes.append)
        self.work.attach(self.tapping)
        self.tapping.start()

    def plug_in(self) -> SimulatedBoard:
        self.board = SimulatedBoard()
        self.board.start()
        return self.board

    def pull(self) -> None:
        assert self.board is not None
        self.board.stop()
        self.board = None

    def open(self) -> NfcReader:
        if self.board is None:
            raise DeviceError(DeviceReason.MISSING, "plug")
        return open_pn532(self.board.address, DeviceInfo("plug", "board", simulated=self.simulated))

    def post(self, event: Event) -> None:
        self.heard.append(event)
        self.station.post(event)

    def close(self) -> None:
        self.tapping.stop()
        self.writer.stop()
        if self.board is not None:
            self.board.stop()
        assert self.crashes == []

    @property
    def tray(self) -> ChipTray:
        assert isinstance(self.station.state, ChipTray)
        return self.station.state

    def until(self, done: Callable[[], bool]) -> None:
        assert self.station.run_until(done, 30.0), self.station.state

    def open_tray(self, cards: int = 2) -> None:
        self.post(SignedIn(CLERK))
        self.post(KeyPressed(Key.F4))
        self.until(lambda: isinstance(self.station.state, ChipTray) and len(self.tray.cards) == cards)

    def hold(self) -> None:
        self.post(HOLD)
        self.until(lambda: self.tray.armed)

    def tap(self, chip: Any) -> None:
        """Lay a card down, wait for the end of what that brings about, take it away again."""
        assert self.board is not None
        ended = len(self.ends)
        chip.put_back()
        self.board.put(chip)
        self.until(lambda: len(self.ends) > ended and not self.tray.running)
        self.board.clear()
        self.until(lambda: self.tray.on_reader == "")

    @property
    def ends(self) -> list[ChipEnd]:
        return [event.end for event in self.heard if isinstance(event, ChipRunEnded)]

    def stands(self) -> list[ChipStand]:
        return [card.stand for card in self.tray.cards]

    def facts(self) -> list[dict[str, Any]]:
        events = self.writer.call(lambda store: [json.loads(e.data) for e in store.outbox_after(0)])
        return [e for e in events if e["kind"].startswith("chip.")]

    def journal(self) -> list[Path]:
        return list((self.folder.chips / "journal").glob("*"))


def chips() -> tuple[Any, Any]:
    """The chips of card 1 and card 2."""
    first, second = used_chip(FAMILY), make_chip(FAMILY, OTHER_UID)
    return first, second
