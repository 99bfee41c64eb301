"""What a headless rehearsal says while it runs, and its report when it is over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TextIO

from app.core.cards import CardState
from app.core.errors import EvidenceTrouble
from app.core.footage import LABEL, OVERHEAD
from app.core.money import yuan_text
from app.core.parcels import TrayCard
from app.core.products import Catalogue
from app.core.readiness import Surroundings
from app.core.states import ChipTray, Idle, Locked, SignedOut, State, Waiting
from app.evidence.verify import verify_recording
from app.frames import FrameReader
from app.paths import StationFolder
from app.platform import durable_write
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.store.verify import verify_audit
from app.store.writer import StoreWriter
from ui.shots import grab_state

_WORDS = {
    CardState.KEPT: "已存本机 kept",
    CardState.AT_CENTRE: "已到中心 at the centre",
    CardState.NOT_TAKEN: "中心没登记 not taken up",
    CardState.ACCEPTED: "通过 accepted",
    CardState.REVIEW: "复核 review",
    CardState.REJECTED: "拒收 rejected",
    CardState.WITHDRAWN: "已撤回 withdrawn",
}

_STEPS = {
    "SignedOut": "等工牌 waiting for a badge",
    "Idle": "等运单 waiting for a waybill",
    "Opening": "开始录像，开箱 recording, opening the parcel",
    "Waiting": "等下一张卡 waiting for a card",
    "Reading": "读卡 reading",
    "Asking": "问店员 asking the clerk",
    "Rejecting": "拒收确认 confirming a rejection",
    "Saving": "存卡 keeping the card",
    "Counting": "清点 counting",
    "Sealing": "封存 sealing",
    "ChipTray": "停用芯片 switching chips off",
    "Paused": "停手 hands off",
    "Faulted": "程序故障 a fault in the program",
}


class Progress:
    """Prints each change once: states of the session, and each card from kept to accepted."""

    def __init__(self, catalogue: Catalogue, out: TextIO) -> None:
        self._catalogue, self._out = catalogue, out
        self._state = ""
        self._cards: dict[str, CardState] = {}
        self.dropped = 0

    def say(self, line: str) -> None:
        print(line, file=self._out, flush=True)

    def show(self, state: State, around: Surroundings) -> None:
        self.dropped = max(self.dropped, around.rec.dropped)
        name = type(state).__name__
        if name != self._state:
            self._state = name
            self.say(f"[{around.rec.elapsed_us / 1e6:6.1f} s] {_STEPS[name]}")
        for card in _cards_of(state):
            if self._cards.get(card.card_id) is not card.state:
                self._cards[card.card_id] = card.state
                self.say(f"[{around.rec.elapsed_us / 1e6:6.1f} s]   {self._line(card)}")

    def _line(self, card: TrayCard) -> str:
        product = self._catalogue.by_id(card.product_id)
        name = product.name_zh if product else "未知商品 unknown product"
        value = yuan_text(card.face_value_fen) if card.face_value_fen is not None else ""
        return f"{card.no:2d}  {name} {value}  •••• {card.last4}  {_WORDS[card.state]}"


def _cards_of(state: State) -> tuple[TrayCard, ...]:
    match state:
        case SignedOut():
            return ()
        case Idle(last=last):
            return last.cards if last else ()
        case ChipTray(back_to=back) | Locked(back_to=back):
            return _cards_of(back)
        case _:
            under = getattr(state, "back_to", state)
            return under.visit.cards if hasattr(under, "visit") else ()


class Pictures:
    """Saves a picture of the window for each kind of state, as a clerk would have seen it."""

    def __init__(self, out: Path, catalogue: Catalogue, frames: FrameReader) -> None:
        self._out, self._catalogue, self._frames = out, catalogue, frames
        self._taken: set[str] = set()

    def show(self, state: State, around: Surroundings) -> None:
        name = type(state).__name__.lower()
        if name in self._taken or (isinstance(state, Waiting) and not state.visit.found):
            return
        if isinstance(state, ChipTray) and state.ended is None:
            return  # not before there is something to see
        self._taken.add(name)
        path = self._out / f"{len(self._taken):02d}-{name}.png"
        grab_state(state, around, self._catalogue, path, frame=self._frames.newest_half())


def write_report(folder: StationFolder, writer: StoreWriter, out: Path, progress: Progress) -> int:
    """Write OUT/report.json and print it; 0, or 5 when audit chain or recording do not verify."""
    report = writer.call(_facts)
    recording = folder.recordings / report["recording"]
    key = writer.call(lambda store: store.public_key.hex())
    video = verify_recording(recording, key)
    label = folder.recordings / report["label_recording"] if report["label_recording"] else None
    beside = verify_recording(label, key) if label else None
    audit = verify_audit(folder.root, REHEARSAL_PASSPHRASE)
    report |= {
        "dropped_frames": progress.dropped,
        "audit": "ok" if audit["ok"] else audit,
        "video": "ok" if video.ok else str(video.fault),
        "recording": str(recording),
        "label_recording": str(label) if label else "",
        "label_video": "" if beside is None else "ok" if beside.ok else str(beside.fault),
    }
    text = json.dumps(report, ensure_ascii=False, indent=1)
    durable_write(out / "report.json", text.encode(), mode=0o644)
    print(text)
    bad = recording if not video.ok else label if beside is not None and not beside.ok else None
    if not audit["ok"] or bad is not None:
        raise EvidenceTrouble("audit.broken" if not audit["ok"] else "recording.broken", str(bad or recording))
    return 0


def _facts(store: Store) -> dict[str, Any]:
    """Cards, events and receipts as the station's own chain tells them."""
    high = store.high_received()
    events = [json.loads(event.data) for event in _all_events(store)]
    kept = {e["body"]["card"]: e for e in events if e["kind"] == "card.kept"}
    sealed = [e for e in events if e["kind"] == "parcel.sealed"]
    tray = store.tray(sealed[-1]["body"]["parcel"]) if sealed else ()
    roles = {one.recording_id: one.role for one in store.known_recordings()}
    closed = [e["body"]["recording"] for e in events if e["kind"] == "recording.closed"]
    by_camera = {roles.get(recording, OVERHEAD): recording for recording in closed}
    return {
        "cards": [_card(card, kept[card.card_id], high) for card in tray],
        "events": len(events),
        "receipts": sum(e["seq"] <= high for e in events),
        "recording": by_camera.get(OVERHEAD, ""),
        "label_recording": by_camera.get(LABEL, ""),
    }


def _all_events(store: Store) -> list[Any]:
    events: list[Any] = []
    while batch := store.outbox_after(events[-1].seq if events else 0):
        events += batch
    return events


def _card(card: TrayCard, event: dict[str, Any], high: int) -> dict[str, Any]:
    return {
        "id": card.card_id,
        "t_video_s": round(card.t_video_us / 1e6, 3),
        "gtin": event["body"]["gtin"],
        "last4": card.last4,
        "verdict": card.state.value,
        "receipt": {"seq": event["seq"], "high": high} if event["seq"] <= high else None,
        "chip": card.tag.family if card.tag else None,
        "chip_stand": card.chip.value if card.chip else None,
    }
