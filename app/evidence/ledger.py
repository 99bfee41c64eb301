"""What a journal says, understood: parts, fragments, gaps, whether it is closed. Each record must fit those before.

Used by all who read a recording: recovery, verification, playback, export.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.core.errors import EvidenceTrouble
from app.core.footage import OVERHEAD
from app.core.merkle import CompactTree
from app.evidence import journal
from app.evidence.crypt import PART_ID_BYTES
from app.evidence.journal import NO_HASH, Record, parse_record


@dataclass(frozen=True, slots=True)
class Piece:
    """One encrypted piece of a part: the MP4 header (`index` 0, no frames) or a fragment. `record`: its record's n."""

    record: int
    part: int
    index: int
    leaf: int
    offset: int
    size: int
    h: str
    c: str
    first_pts: int = 0
    last_pts: int = 0
    frames: int = 0


@dataclass(slots=True)
class Part:
    """One part file. `first_pts`: where its own times, which begin at 0, lie in the recording (microseconds)."""

    number: int
    id: bytes
    file: str
    width: int
    height: int
    first_pts: int
    base_mono_us: int
    boot_id: str
    pieces: list[Piece] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes of the file that the journal vouches for."""
        return self.pieces[-1].offset + self.pieces[-1].size if self.pieces else 0


@dataclass(slots=True)
class Ledger:
    """The state of a recording after the records so far. `size` counts the journal's bytes they take."""

    head: str = NO_HASH
    records: int = 0
    size: int = 0
    genesis: Mapping[str, Any] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    tree: CompactTree = field(default_factory=CompactTree)
    notes: set[str] = field(default_factory=set)  # ids of the events that have one
    torn: dict[str, tuple[int, str]] = field(default_factory=dict)  # name -> bytes, SHA-256
    sides: dict[str, Mapping[str, Any] | None] = field(default_factory=dict)  # name -> its side_end record
    side_kept: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # name -> its newest side_kept record
    side_pts: int = -1  # up to which time pictures are in the side stream that are in no fragment
    clock: tuple[str, int] | None = None  # a boot, and the monotonic time of the first frame in its terms
    gaps: int = 0
    frames: int = 0
    dropped: int = 0  # as the fragments count
    missing: int = 0  # as records tell where; those of earlier releases did not
    missed_to: int = -1  # up to which time they do
    last_pts: int = -1
    last_wall_us: int = 0
    last_mono_us: int = 0  # of the boot that wrote it, `boot_id`
    boot_id: str = ""
    close: Mapping[str, Any] | None = None

    def read(self, line: bytes) -> Record:
        """Take the next line in. Raises EvidenceTrouble and is then unchanged; see `parse_record` and below:
        evidence.out_of_place (a record that cannot come here), evidence.root_differs."""
        record = parse_record(line, self.records, self.head)
        self._check_place(record.kind)
        self._take(record.n, record.kind, record.fields)
        self.head, self.records, self.size = record.chain, record.n + 1, self.size + record.size
        self.last_wall_us, self.last_mono_us = record.fields["wall_us"], record.fields["mono_us"]
        if record.kind in ("genesis", "recovered"):
            self.boot_id = record.fields["boot_id"]
        return record

    @property
    def role(self) -> str:
        """Of which camera it is; "" before the first record."""
        return str(self.genesis["meta"].get("role", OVERHEAD)) if self.genesis else ""

    @property
    def fragments(self) -> int:
        """Fragments with pictures, over all parts."""
        return sum(len(part.pieces) - 1 for part in self.parts if part.pieces)

    @property
    def reached_pts(self) -> int:
        """The time of the newest picture that it holds, to be reviewed or sealed; -1 before any."""
        return max(self.last_pts, self.side_pts)

    def _check_place(self, kind: str) -> None:
        if self.close is not None or (kind == "genesis") != (self.records == 0):
            raise EvidenceTrouble("evidence.out_of_place", f"record {self.records}, {kind}")

    def _take(self, n: int, kind: str, fields: Mapping[str, Any]) -> None:
        match kind:
            case "genesis":
                self._take_genesis(n, fields)
            case "part":
                self._take_part(n, fields)
            case "init":
                self._take_piece(n, fields, (0, 0, 0))
            case "fragment":
                self._take_fragment(n, fields)
            case "event":
                self.notes |= {note_id} if isinstance(note_id := fields["body"].get("id"), str) else set()
            case "gap":
                _require(fields["from_pts"] <= fields["to_pts"], n)
                self.gaps += 1
            case "missed":
                _require(fields["from_pts"] <= fields["to_pts"] and fields["frames"] > 0, n)
                self.missing += fields["frames"]
                self.missed_to = max(self.missed_to, fields["to_pts"])
            case "mask":
                self._check_mask(n, fields)
            case "side":
                self._take_side(n, fields)
            case "side_kept" | "side_end":
                self._take_side_bytes(n, kind, fields)
            case "recovered":
                self._take_recovered(n, fields)
            case "close":
                self._take_close(n, fields)

    def _take_genesis(self, n: int, fields: Mapping[str, Any]) -> None:
        _require(fields["v"] == journal.VERSION, n)
        self.genesis = fields

    def _take_part(self, n: int, fields: Mapping[str, Any]) -> None:
        name, number = fields["file"], fields["part"]
        _require(_is_hex(fields["id"], PART_ID_BYTES), n)
        _require(number == len(self.parts) + 1 and name == part_name(number, fields["id"]), n)
        _require(fields["first_pts"] > self.last_pts, n)
        self.parts.append(
            Part(
                number,
                bytes.fromhex(fields["id"]),
                name,
                fields["width"],
                fields["height"],
                fields["first_pts"],
                fields["base_mono_us"],
                fields["boot_id"],
            )
        )
        self.clock = fields["boot_id"], fields["base_mono_us"]

    def _take_side(self, n: int, fields: Mapping[str, Any]) -> None:
        """One of an earlier release says nothing of its clock: where nothing else does, its own time is near enough."""
        _require(fields["part"] == len(self.sides) + 1 and _is_side_name(fields["file"], fields["part"]), n)
        self.sides[fields["file"]] = None
        if "boot_id" in fields:
            self.clock = fields["boot_id"], fields["base_mono_us"]
        elif not self.parts:
            self.clock = self.boot_id, fields["mono_us"] - fields["from_pts"]
        if not self.parts:
            self.side_pts = max(self.side_pts, fields["from_pts"])

    def _take_side_bytes(self, n: int, kind: str, fields: Mapping[str, Any]) -> None:
        _require(self.sides.get(fields["file"], fields) is None and fields["part"] == len(self.sides), n)
        _require(_is_hex(fields["sha256"], 32) and fields["bytes"] > 0, n)
        if kind == "side_end":
            self.sides[fields["file"]] = fields
        else:
            self.side_kept[fields["file"]] = fields
        if kind == "side_kept" or not self.parts:  # beside fragments it is these that say how far it got
            self.side_pts = max(self.side_pts, fields["to_pts"])

    def _take_fragment(self, n: int, fields: Mapping[str, Any]) -> None:
        first, last, frames = fields["first_pts"], fields["last_pts"], fields["frames"]
        _require(self.last_pts < first <= last and frames > 0 and fields["dropped"] >= self.dropped, n)
        self._take_piece(n, fields, (first, last, frames))
        self.last_pts, self.dropped, self.frames = last, fields["dropped"], self.frames + frames

    def _take_piece(self, n: int, fields: Mapping[str, Any], times: tuple[int, int, int]) -> None:
        _require(bool(self.parts), n)
        part = self.parts[-1]
        is_init = fields["kind"] == "init"
        _require(fields["part"] == part.number and fields["index"] == len(part.pieces), n)
        _require(is_init == (not part.pieces) and fields["off"] == part.size and fields["len"] > 0, n)
        _require(fields["leaf"] == self.tree.size and _is_hex(fields["h"], 32) and _is_hex(fields["c"], 32), n)
        place = (fields["part"], fields["index"], fields["leaf"], fields["off"], fields["len"])
        part.pieces.append(Piece(n, *place, fields["h"], fields["c"], *times))
        self.tree = self.tree.grown([bytes.fromhex(fields["h"])])

    def _check_mask(self, n: int, fields: Mapping[str, Any]) -> None:
        _require(fields["from_pts"] <= fields["to_pts"], n)
        for zone in fields["zones"]:
            quad = zone.get("quad") if isinstance(zone, dict) else None
            _require(isinstance(quad, list) and len(quad) == 8 and all(type(x) is int for x in quad), n)

    def _take_recovered(self, n: int, fields: Mapping[str, Any]) -> None:
        for torn in fields["torn"]:
            whole = isinstance(torn, dict) and torn.keys() == {"name", "bytes", "sha256"}
            _require(whole and type(torn["bytes"]) is int and _is_hex(torn["sha256"], 32), n)
            _require(isinstance(torn["name"], str) and torn["name"] == Path(torn["name"]).name, n)
        self.torn.update({torn["name"]: (torn["bytes"], torn["sha256"]) for torn in fields["torn"]})

    def _take_close(self, n: int, fields: Mapping[str, Any]) -> None:
        _require(fields["leaves"] == self.tree.size and fields["frames"] == self.frames, n)
        if fields["root"] != self.tree.root().hex():
            raise EvidenceTrouble("evidence.root_differs", f"record {n}")
        self.close = fields


def part_name(number: int, part_id: str) -> str:
    """The file name of a part; `part_id` in hex."""
    return f"part-{number:04d}-{part_id[:8]}.bin"


def longest_run(data: bytes) -> Ledger:
    """The longest run of whole records at the beginning of a journal's bytes."""
    ledger = Ledger()
    try:
        for line in data.split(b"\n")[:-1]:
            ledger.read(line)
    except EvidenceTrouble:
        pass  # up to here it is good; `verify` is who names what is wrong behind
    return ledger


def load(folder: Path) -> Ledger:
    """A recording's longest run of whole records; what follows it (a torn line, damage) is left out.

    Raises EvidenceTrouble("evidence.no_recording") when there is no journal or its first record cannot be read.
    """
    try:
        ledger = longest_run((folder / journal.NAME).read_bytes())
    except (FileNotFoundError, NotADirectoryError) as trouble:
        raise EvidenceTrouble("evidence.no_recording", folder.name) from trouble
    if ledger.records == 0:
        raise EvidenceTrouble("evidence.no_recording", folder.name)
    return ledger


def _is_hex(text: Any, size: int) -> bool:
    return isinstance(text, str) and re.fullmatch(f"[0-9a-f]{{{2 * size}}}", text) is not None


def _is_side_name(name: Any, part: int) -> bool:
    return isinstance(name, str) and re.fullmatch(f"side-{part:04d}-[0-9a-f]{{8}}\\.bin", name) is not None


def _require(fits: bool, n: int) -> None:
    if not fits:
        raise EvidenceTrouble("evidence.out_of_place", f"record {n}")
