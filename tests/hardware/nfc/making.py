"""A table for switching chips off: virtual line, driver, journal, and a judge that asks the chip and nobody else."""

from __future__ import annotations

import copy
import json
from typing import Any

from hardware.nfc.chips import Family
from hardware.nfc.chips.access import CLOSED
from hardware.nfc.chips.deactivate import Means, deactivate, survey
from hardware.nfc.chips.journal import Entry, Witness, entry_from_json, entry_to_json
from hardware.nfc.chips.layout import LAYOUTS
from hardware.nfc.chips.outcome import Outcome, Request, Stage
from hardware.nfc.chips.talk import trailer_told
from hardware.nfc.chips.tombstone import read_tombstone
from hardware.nfc.pn532 import Pn532
from hardware.sim.nfc_board import Faults
from hardware.sim.nfc_chip import RefusedError, SimulatedChip
from hardware.sim.nfc_chips import make_chip
from hardware.sim.nfc_classic import ClassicChip, access_of, blocks_of, sector_of
from hardware.sim.nfc_type2 import FAITHFUL, Quirks, Type2Chip
from hardware.sim.nfc_virtual import VirtualLine, virtual_reader

UID = "04A1B2C3D4E580"
OTHER_UID = "04A1B2C3D4E581"
CLASSIC_UID = "DEADBEEF"
TEXT = "VOID deactivated 2026-11-21 R-17"
CODE = b"6222 0212 3456 7890 / 83749261"
TYPE_2 = tuple(LAYOUTS)


class MemoryJournal:
    """Keeps entries as the text that would be on disk, and remembers each time it was told to."""

    def __init__(self) -> None:
        self.on_disk: dict[str, str] = {}
        self.saved: list[Entry] = []
        self.closed: dict[str, tuple[Witness, ...]] = {}
        self.unanswered: dict[str, int] = {}

    def load(self, uid: str) -> Entry | None:
        return entry_from_json(json.loads(self.on_disk[uid])) if uid in self.on_disk else None

    def begun(self, uid: str) -> bool:
        return uid in self.on_disk

    def save(self, entry: Entry) -> None:
        self.saved.append(entry)
        self.on_disk[entry.uid] = json.dumps(entry_to_json(entry))

    def unfinished(self) -> tuple[str, ...]:
        return tuple(self.on_disk)

    def witnesses(self, uid: str) -> tuple[Witness, ...]:
        return self.closed.get(uid, ())

    def silent(self, uid: str) -> int:
        return self.unanswered.get(uid, 0)

    def count_silent(self, uid: str, runs: int) -> None:
        self.unanswered[uid] = runs

    def done_with(self, outcome: Outcome) -> None:
        """What whoever keeps the journal does after a proved run."""
        self.on_disk.pop(outcome.uid, None)
        if outcome.witness is not None:
            kept = Witness(*outcome.witness, record=outcome.evidence["sha256"])
            self.closed[outcome.uid] = (*self.witnesses(outcome.uid), kept)


class Table:
    """A reader on a virtual line with what lies on it."""

    def __init__(self, faults: Faults = Faults()) -> None:  # noqa: B008  frozen
        self.line = VirtualLine()
        self.reader: Pn532 = virtual_reader(self.line)
        self.line.break_down(faults)
        self.journal = MemoryJournal()
        self.stages: list[Stage] = []
        self.request = Request(None, TEXT)

    def run(self, **changes: Any) -> Outcome:
        """One run by a program that has just started: only the journal is remembered."""
        self.stages = []
        return deactivate(self.reader, self._request(changes), self._means())

    def plan(self, **changes: Any) -> Outcome:
        return survey(self.reader, self._request(changes), self._means())

    def _request(self, changes: dict[str, Any]) -> Request:
        return Request(**({"uid": None, "text": TEXT} | changes))

    def _means(self) -> Means:
        return Means(
            self.journal,
            lambda stage, _number, _of: self.stages.append(stage),
            seal=lambda content: f"sealed {len(content)}",
            clock=self.line.clock,
            pause=self.line.pause,
        )


def used_chip(family: str, quirks: Quirks = FAITHFUL) -> Any:
    """A chip as it comes in a parcel: a redeem code in its memory."""
    if family in LAYOUTS:
        chip = Type2Chip(Family(family), bytes.fromhex(UID), quirks)
        layout = LAYOUTS[Family(family)]
        content = (CODE * 40)[: layout.capacity]
        for page in range(4, layout.last_user + 1):
            chip.set_page(page, content[(page - 4) * 4 : (page - 3) * 4])
        return chip
    classic = make_chip(family, CLASSIC_UID)
    assert isinstance(classic, ClassicChip)
    for block in (1, 4, 62):
        classic.set_block(block, CODE[:16])
    return classic


def short_classic() -> ClassicChip:
    """A Classic 1K with three sectors: the maker's one, one between, the last; the driver has to be told of it."""
    chip = ClassicChip(Family.CLASSIC_1K, bytes.fromhex(CLASSIC_UID), 0x08, "0004", 12)
    for block in (1, 4, 10):
        chip.set_block(block, CODE[:16])
    return chip


def is_dead(chip: SimulatedChip) -> bool:
    """Whether the chip cannot be changed any more and says nothing of what it held: asked of a copy of it."""
    return _type_2_is_dead(chip) if isinstance(chip, Type2Chip) else _classic_is_dead(chip)


def _type_2_is_dead(chip: Type2Chip) -> bool:
    layout, probe = LAYOUTS[Family(chip.family)], copy.deepcopy(chip)
    probe.put_back()
    probe.power_on()
    user = bytes(chip.memory[16 : (layout.last_user + 1) * 4])
    if read_tombstone(user) is None:
        return False
    pages = [*range(3, layout.last_user + 1)]
    if layout.config is not None:
        pages += [layout.config, layout.config + 1]
        if chip.page(layout.config + 2) == b"\xff" * 4 or chip.page(layout.config)[3] < layout.pages:
            return False
    return not any(_accepts(probe, bytes((0xA2, page)) + b"\x12\x34\x56\x78") for page in pages)


def _accepts(chip: SimulatedChip, command: bytes) -> bool:
    chip.power_on()
    try:
        return chip.answer(command) is not None
    except RefusedError:
        return False


def _classic_is_dead(chip: SimulatedChip) -> bool:
    assert isinstance(chip, ClassicChip)
    sectors = range(sector_of(len(chip.memory) // 16 - 1) + 1)
    trailers = [chip.block(blocks_of(sector)[-1]) for sector in sectors]
    data = [chip.block(b) for sector in sectors for b in blocks_of(sector)[:-1] if b]
    closed = all(access_of(trailer) in (None, (7, 7, 7, 7)) for trailer in trailers)
    return closed and not any(any(block) for block in data)


def writes_heard(chip: Any) -> int:
    """How often the chip was told to write, whether it did or not."""
    return sum(command[0] in (0xA2, 0xA0) for command in chip.heard)


def irreversible(chip: Any) -> set[str]:
    """The writes a chip heard that nothing undoes, in hex, as the evidence tells them."""
    if isinstance(chip, ClassicChip):
        told = [c for c in chip.heard if c[0] == 0xA0 and c[1] % 4 == 3 and c[8:11] == CLOSED[:3]]
        return {trailer_told(command[1], command[2:]) for command in told}
    config = LAYOUTS[Family(chip.family)].config
    locks = LAYOUTS[Family(chip.family)].locks
    pages = {2, 3, locks.page if locks else 2}
    told = [c for c in chip.heard if c[0] == 0xA2]
    return {c.hex().upper() for c in told if c[1] in pages or (config and c[1] == config + 1 and c[2] & 0x40)}


def holds_code(chip: Any) -> bool:
    """Whether the redeem code can still be found in the chip."""
    return CODE[:8] in bytes(chip.memory)
