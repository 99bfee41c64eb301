"""A rehearsal's folder: the station, its embedded centre, the deck's footage; found again after a crash."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.core.errors import BadInput, Trouble
from app.core.parcels import DeclaredItem, ExpectedParcel
from app.core.products import Catalogue, normalise_gtin
from app.paths import StationFolder
from app.platform import durable_write
from app.station.autoplay import Script, TrueCard

DEMO_BADGE = "CIB-DEMO7001"
SUPERVISOR_BADGE = "CIB-DEMO9001"

_CHANGE_S = 0.25
"""Between lifting one card and laying the next."""
_HELD_S = 20.0
"""How long the hand holds a card to the reader, if it is not asked for another one before."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What the REHEARSAL file says: which footage is the camera, and when it began (monotonic µs of that boot)."""

    footage: str
    boot: str
    epoch_us: int = 0


def write_mark(folder: StationFolder, mark: Mark) -> None:
    """Mark the folder as a rehearsal, for ever."""
    folder.root.mkdir(parents=True, exist_ok=True)
    durable_write(folder.rehearsal_mark, json.dumps(asdict(mark), indent=1).encode())


def read_mark(folder: StationFolder) -> Mark | None:
    """The mark of a rehearsal folder; None where there is none. Raises BadInput("rehearsal.damaged_mark")."""
    if not folder.rehearsal_mark.exists():
        return None
    try:
        return Mark(**json.loads(folder.rehearsal_mark.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as wrong:
        raise BadInput("rehearsal.damaged_mark", folder.rehearsal_mark.name) from wrong


@dataclass(frozen=True, slots=True)
class Rendered:
    """Footage, what is true in it, and what the label camera filmed of it (None without that camera)."""

    footage: Path
    labels: Path
    label_film: Path | None = None


def render_footage(deck: Path, cache: Path, size: str, label_camera: bool = False) -> Rendered:
    """What the cameras film of a deck, from the cache or rendered by a child process that shows its progress.

    A child, because drawing needs OpenCV, which must not live in the window's process. Raises BadInput, Trouble.
    """
    argv = [sys.executable, "-m", "app", "render", "--deck", str(deck), "--cache", str(cache), "--size", size]
    argv += ["--label-camera"] if label_camera else []
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == BadInput.exit_code:
        raise SystemExit(BadInput.exit_code)  # the child has said on stderr what is wrong with the deck
    if done.returncode != 0:
        raise Trouble("rehearsal.render_failed", f"exit {done.returncode}")
    told = json.loads(done.stdout)
    film = told.get("label_film")
    return Rendered(Path(told["footage"]), Path(told["labels"]), Path(film) if film else None)


def read_labels(path: Path) -> dict[str, Any]:
    """What is true in the footage. Raises BadInput("rehearsal.damaged_labels")."""
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(labels, dict):
            raise ValueError("not an object")
    except (OSError, ValueError) as wrong:
        raise BadInput("rehearsal.damaged_labels", path.name) from wrong
    return labels


def put_away(path: Path, keep: int) -> None:
    """Move a finished rehearsal aside as `NAME-1` (older ones move on); beyond `keep` the oldest is removed."""
    oldest = path.with_name(f"{path.name}-{keep}")
    if oldest.exists() and (oldest / "REHEARSAL").exists():
        shutil.rmtree(oldest)
    for number in range(keep - 1, 0, -1):
        older = path.with_name(f"{path.name}-{number}")
        if older.exists():
            older.rename(path.with_name(f"{path.name}-{number + 1}"))
    path.rename(path.with_name(f"{path.name}-1"))


def script_of(labels: dict[str, Any]) -> Script:
    """What the autopilot knows."""
    cards = tuple(
        TrueCard(normalise_gtin(card["gtin"] or "") or "", card["number"] or "", card["pin"] or "")
        for card in labels["cards"]
    )
    return Script(DEMO_BADGE, labels["waybill"], cards)


def expected_of(labels: dict[str, Any], catalogue: Catalogue) -> ExpectedParcel:
    """The parcel as its sender declared it: the deck's products, face values and count."""
    items: dict[str, DeclaredItem] = {}
    for card in labels["cards"]:
        product = catalogue.by_id(card["product"])
        if product is None:
            continue
        count = items[product.id].count + 1 if product.id in items else 1
        face_fen = (card["face_value"] or 0) * 100
        items[product.id] = DeclaredItem(product.id, product.name_zh, product.name_en, face_fen, count)
    return ExpectedParcel(labels["waybill"], labels["order_number"], labels["declared_count"], tuple(items.values()))


class ChipTable:
    """The simulated reader's table: each chip lies there while its card lies still, and when the hand lays it there."""

    def __init__(
        self, labels: dict[str, Any], path: Path, epoch_us: int, mono_us: Callable[[], int], rounds: int = 1
    ) -> None:
        """Writes the deck's chips to `path`. `epoch_us`: when the deck began on the clock `mono_us`; it is played
        `rounds` times, and the chips come with their cards each time.
        """
        self._path, self._epoch_us, self._mono_us = path, epoch_us, mono_us
        self._begins_s = [round_ * float(labels["seconds"]) for round_ in range(rounds)]
        self._cards = [card for card in labels["cards"] if card["chip_uid"]]
        self._by_hand: list[tuple[float, float, dict[str, Any]]] = []
        self._write()

    def lay(self, uid: str) -> None:
        """The hand takes away what lies there and lays this card on the reader, for `_HELD_S` seconds."""
        card = next((card for card in self._cards if card["chip_uid"] == uid), None)
        if card is None:
            return
        now_s = (self._mono_us() - self._epoch_us) / 1e6
        self._by_hand = [(at, min(until, now_s), held) for at, until, held in self._by_hand]
        self._by_hand.append((now_s + _CHANGE_S, now_s + _HELD_S, card))
        self._write()

    def _write(self) -> None:
        lines: list[str] = []
        lifted_s = self._by_hand[0][0] if self._by_hand else None
        lying = [
            (begin_s + card["still_start_s"], begin_s + card["still_end_s"], card)
            for begin_s in self._begins_s
            for card in self._cards
        ]
        if lifted_s is not None:  # from then on only the hand lays cards down
            lying = [(at_s, min(until_s, lifted_s), card) for at_s, until_s, card in lying]
        for at_s, until_s, card in (*lying, *self._by_hand):
            if at_s < until_s:
                lines += _chip_entry(at_s, until_s, card)
        durable_write(self._path, ("\n".join(lines) + "\n").encode())


def _chip_entry(at_s: float, until_s: float, card: dict[str, Any]) -> Iterable[str]:
    return (
        "[[chip]]",
        f"at_s = {at_s:.3f}",
        f"until_s = {until_s:.3f}",
        f'uid = "{card["chip_uid"]}"',
        f'family = "{card["chip_family"]}"',
    )
