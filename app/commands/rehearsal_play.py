"""Playing a rehearsal: the footage as a live camera, the chips on the reader, the autopilot at the keys."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.commands import rehearsal_folder as folders
from app.commands.assembly import Parts, start_tapping
from app.core.cards import CardState
from app.core.products import Catalogue
from app.core.readiness import Level, SyncState
from app.core.states import Idle
from app.paths import StationFolder
from app.platform import boot_id
from app.station.autoplay import Autoplay

ROUNDS = 3
"""The footage begins again at its end; a card that a busy machine missed is met in a later round."""

_DECIDED = (CardState.ACCEPTED, CardState.REVIEW, CardState.REJECTED, CardState.WITHDRAWN)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """One rehearsal: its folder, its footage with labels, the products it is played with; what its label camera filmed,
    if it has one.
    """

    folder: StationFolder
    footage: Path
    labels: dict[str, Any]
    catalogue: Catalogue
    out: Path
    headless: bool
    label_film: Path | None = None

    @property
    def seconds(self) -> float:
        return float(self.labels["seconds"])


def start_footage(rehearsal: Rehearsal, parts: Parts, stack: ExitStack) -> int:
    """Let both cameras' footage begin (or join it where it now is, after a crash); gives its epoch, monotonic µs."""
    folder = rehearsal.folder
    mark = folders.read_mark(folder)
    epoch_us = mark.epoch_us if mark and mark.boot == boot_id() else 0
    if not epoch_us:
        epoch_us = parts.clock.mono_us() + 500_000
        folders.write_mark(folder, folders.Mark(str(rehearsal.footage), boot_id(), epoch_us))
    parts.cameras.overhead = f"file:{rehearsal.footage}?epoch_us={epoch_us}&loop=1"
    parts.filming.open_camera(parts.cameras.overhead)
    if parts.beside is not None and rehearsal.label_film is not None:
        parts.beside.open_camera(f"file:{rehearsal.label_film}?epoch_us={epoch_us}&loop=1")
    chips = folder.root / "chips.toml"
    table = folders.ChipTable(rehearsal.labels, chips, epoch_us, parts.clock.mono_us, ROUNDS)
    parts.chips.on_lay(table.lay)
    stack.callback(start_tapping(parts, f"sim:{chips}?epoch_us={epoch_us}&keep=1").stop)
    return epoch_us


def start_autoplay(rehearsal: Rehearsal, parts: Parts, epoch_us: int) -> Autoplay:
    """The autopilot, watching the screen from now on; a rehearsal that is gone on with has all its rounds before it."""
    end_us = max(epoch_us, parts.clock.mono_us()) + round(ROUNDS * rehearsal.seconds * 1e6)
    script = folders.script_of(rehearsal.labels)
    autoplay = Autoplay(script, parts.station.post, lambda: parts.clock.mono_us() > end_us)
    parts.station.on_show(autoplay.show)
    parts.station.adjust(lambda around: replace(around, autoplay=not autoplay.taken_over))
    return autoplay


def settled(parts: Parts, autoplay: Autoplay) -> bool:
    """Every event has its receipt, every card its decision, and every chip that can be is switched off."""
    state, around = parts.station.state, parts.station.around
    decided = isinstance(state, Idle) and state.last and all(card.state in _DECIDED for card in state.last.cards)
    if not decided or around.sync.state is not SyncState.SYNCED:
        return False
    # Decisions that were applied are events too.
    unsent, waiting = parts.store.call(lambda store: (store.queue().unsent, len(store.waiting_chips())))
    if parts.store.call(lambda store: store.unclosed_recordings()):
        return False  # the label camera's is closed a little later
    return unsent == 0 and (waiting == 0 or autoplay.left_chips or around.nfc.level is not Level.OK)
