"""Writes one recording: encrypted fragments and their journal, in the order that survives a power cut.

A fragment: write, fdatasync, journal line, fdatasync. What the journal names is therefore on the disk; what a crash
leaves behind it is a torn tail that `recover` sets aside. After any failed write the part is over: its next index
must never meet other bytes.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.core.merkle import CompactTree, fragment_leaf
from app.evidence import journal
from app.evidence.crypt import PartSealer, new_part_id
from app.evidence.journal import NO_HASH, VERSION, Journal, Signer, Write
from app.evidence.ledger import Ledger, part_name
from app.evidence.recover import recover
from app.evidence.ring import Picture
from app.evidence.side import SidePart, VaultLock
from app.platform import boot_id, fdatasync, private_folder, sync_folder, write_all
from app.reserve import Reserve

RESERVE = "reserve"
"""A recording that stands alone has its reserve in its own folder, under this name."""

_SIDE_PART_US = 600_000_000
_CLOCK_STEP_US = 100_000  # NTP slews at most 0.5 ms a second; more between two fragments is a step


@dataclass(frozen=True, slots=True)
class RecordingKeys:
    """`content` 32 bytes for the footage; `signing` the Ed25519 seed of the station, None records unsigned; `side`
    what the originals of masked frames are sealed to, None keeps none.
    """

    content: bytes = field(repr=False)
    signing: bytes | None = field(repr=False)
    side: VaultLock | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """What the first record says of a recording. `previous`: final hash of the one before, NO_HASH for the first."""

    recording: str
    camera: str
    simulated: bool
    rehearsal: bool
    app_version: str
    previous: str = NO_HASH
    meta: Mapping[str, Any] = field(default_factory=dict)


class RecordingWriter:
    """One recording being written, by one thread. Every method raises OSError when the disk does; see `disk_failed`."""

    def __init__(
        self, folder: Path, keys: RecordingKeys, ledger: Ledger, write: Write, reserve: Reserve | None
    ) -> None:
        """For `create_recording` and `resume_recording`."""
        self._reserve = reserve or Reserve(folder / RESERVE, 0)
        self._folder = folder
        self._keys = keys
        self._write = write
        self._part: _PartFile | None = None
        self._parts, self.fragments = len(ledger.parts), ledger.fragments
        self._tree: CompactTree = ledger.tree
        self.noted = set(ledger.notes)
        self.frames, self.dropped, self.last_pts = ledger.frames, ledger.dropped, ledger.reached_pts
        self.missed_to = ledger.missed_to
        self._ledger_base = ledger.clock
        self._last_wall_us = ledger.last_wall_us
        self._boot = boot_id()
        self._base_mono_us = _base_for_this_boot(ledger)
        self._recording = str(ledger.genesis.get("recording", folder.name))
        self._side: _Side | None = None
        self._sides = len(ledger.sides)
        self._bytes = sum(part.size for part in ledger.parts)
        self._clock_offset_us = _offset_before(ledger)
        self._journal = Journal(folder, Signer(keys.signing), ledger.records, ledger.head, write)

    @property
    def head(self) -> str:
        """The chain's newest hash."""
        return self._journal.head

    @property
    def bytes_on_disk(self) -> int:
        return self._bytes + self._journal.size

    @property
    def first_mono_us(self) -> int:
        """The monotonic time of PTS 0; 0 before the first picture."""
        return self._base_mono_us or 0

    def note(self, kind: str, **body: Any) -> None:
        """Append a record of any kind that has no bytes (event, camera, gap, mask); see app.evidence.journal."""
        self._journal.append(kind, **body)

    def pts(self, mono_us: int) -> int:
        """A frame's place in the recording; the first one ever asked for becomes 0."""
        if self._base_mono_us is None:
            self._base_mono_us = mono_us
        return mono_us - self._base_mono_us

    def use_boot(self, boot: str) -> None:
        """Monotonic times that come now are of this boot of the machine (pictures left over by a crash have an older
        one). After a reboot only the wall clock knows how long the gap was.
        """
        if boot == self._boot:
            return
        self._boot = boot
        if self._ledger_base is not None and self._ledger_base[0] == boot:
            self._base_mono_us = self._ledger_base[1]
        elif boot == boot_id() and self._base_mono_us is not None:
            self._base_mono_us = _base_after(self.last_pts, self._last_wall_us)
        else:
            self._base_mono_us = None

    def add_side(self, picture: Picture, pts: int) -> None:
        """Keep the original of a masked picture, sealed to the vault; `sync_side` makes it durable."""
        if self._keys.side is None:
            return
        if self._side is not None and picture.key and pts - self._side.from_pts >= _SIDE_PART_US:
            self._end_side()
        if self._side is None:
            self._side = self._begin_side(self._keys.side, pts)
        self._side.part.add(picture)
        self._side.to_pts, self._bytes = pts, self._bytes + len(picture.data)

    def _begin_side(self, lock: VaultLock, pts: int) -> _Side:
        """Its number counts only once the chain names it: one that was refused leaves no hole in the count."""
        part = SidePart(self._folder, self._recording, self._sides + 1, lock, self._write)
        try:
            place = {"part": part.number, "file": part.name, "key_id": lock.key_id, "from_pts": pts}
            self._journal.append("side", **place, base_mono_us=self.first_mono_us, boot_id=self._boot)
        except OSError:
            part.close()
            (self._folder / part.name).unlink()
            raise
        self._sides = part.number
        return _Side(part, pts, pts)

    def sync_side(self) -> None:
        """Make the side stream durable; called at least once with each fragment, and without any each half second."""
        self.watch_clock()
        if self._side is not None:
            self._side.part.sync()

    def keep_side(self) -> None:
        """`sync_side` where there are no fragments to say how far the pictures go: a record says it, and vouches for
        the bytes so far, though a crash should let nobody end this part.
        """
        self.sync_side()
        if self._side is not None:
            self._journal.append("side_kept", **_bytes_of(self._side))
            self.last_pts = self._side.to_pts

    def begin_part(self, width: int, height: int, first_pts: int) -> None:
        """Begin a new part file, whose own times start with 0 at `first_pts`."""
        self.end_part()
        part_id, number = new_part_id(), self._parts + 1
        name = part_name(number, part_id.hex())
        place = {"part": number, "id": part_id.hex(), "file": name, "codec": "h264"}
        times = {"first_pts": first_pts, "base_mono_us": self.first_mono_us, "boot_id": self._boot}
        part = _PartFile(self._folder / name, number, PartSealer(self._keys.content, part_id), self._write)
        try:  # after the file: what the chain names is there
            self._journal.append("part", **place, width=width, height=height, **times)
        except OSError:
            part.close()
            (self._folder / name).unlink()
            raise
        self._part, self._parts = part, number

    def add_init(self, data: bytes) -> None:
        """Keep the part's MP4 header."""
        self._add("init", data, {})

    def add_fragment(self, data: bytes, first_pts: int, last_pts: int, frames: int, dropped: int) -> None:
        """Keep one fragment (moof + mdat) with `frames` frames; `dropped` counts over the whole recording."""
        self.sync_side()
        times = {"first_pts": first_pts, "last_pts": last_pts, "frames": frames, "dropped": dropped}
        self._add("fragment", data, times)
        self.last_pts, self.dropped = last_pts, dropped
        self.frames, self.fragments = self.frames + frames, self.fragments + 1

    def end_part(self) -> None:
        """No more bytes for this part."""
        part, self._part = self._part, None
        if part is not None:
            part.close()

    def disk_failed(self) -> None:
        """After an OSError: give up the part (its last fragment is dropped whole) and free the reserve."""
        self.end_part()
        side, self._side = self._side, None
        if side is not None:
            side.part.close()  # without its end record: what is in it stays readable for the vault
        self._reserve.spend()

    def spend_reserve(self) -> None:
        """Something else met a full disk: what comes now may need the room."""
        self._reserve.spend()

    def close(self, reason: str) -> str:
        """Seal the recording; gives the Merkle root in hex. Nothing may follow."""
        self.end_part()
        self._end_side()
        (self._folder / RESERVE).unlink(missing_ok=True)  # one of its own goes with it
        root = self._tree.root().hex()
        counts = {"leaves": self._tree.size, "frames": self.frames, "dropped": self.dropped}
        self._journal.append("close", reason=reason, root=root, **counts, duration_us=max(0, self.last_pts))
        self._journal.close()
        return root

    def abandon(self) -> None:
        """Let the files go without a close record; `resume_recording` can go on."""
        self.end_part()
        if self._side is not None:
            self._side.part.close()
        self._journal.close()

    def _end_side(self) -> None:
        side, self._side = self._side, None
        if side is None:
            return
        side.part.sync()
        side.part.close()
        self._journal.append("side_end", **_bytes_of(side))

    def _add(self, kind: str, data: bytes, times: Mapping[str, int]) -> None:
        if self._part is None:
            raise ValueError("no part has begun")
        leaf = fragment_leaf(self._tree.size, data)
        part, self._part = self._part, None  # stays so if the disk fails: this part takes no more
        try:
            place = part.append(data)
            self._journal.append(kind, **place, leaf=self._tree.size, h=leaf.hex(), **times)
        except OSError:
            part.drop()
            raise
        part.keep(place["len"])
        self._part = part
        self._tree = self._tree.grown([leaf])
        self._bytes += place["len"]

    def watch_clock(self) -> None:
        """Record a step of the wall clock since this was asked last, or since the last record before a crash."""
        offset_us = time.time_ns() // 1000 - time.monotonic_ns() // 1000
        old, self._clock_offset_us = self._clock_offset_us, offset_us
        if old is not None and abs(offset_us - old) > _CLOCK_STEP_US:
            self._journal.append("clock", old_offset_us=old, new_offset_us=offset_us)


@dataclass(slots=True)
class _Side:
    """The side part being written, and the times of its first and newest picture."""

    part: SidePart
    from_pts: int
    to_pts: int


def _bytes_of(side: _Side) -> dict[str, Any]:
    part = side.part
    place = {"part": part.number, "file": part.name, "bytes": part.size, "sha256": part.sha256}
    return {**place, "pictures": part.pictures, "to_pts": side.to_pts}


class _PartFile:
    """A part file while it is written; made new, never opened again."""

    def __init__(self, path: Path, number: int, sealer: PartSealer, write: Write) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._fd = os.open(path, flags, 0o600)
        sync_folder(path.parent)
        self._number, self._sealer, self._write = number, sealer, write
        self._size = self._index = 0

    def append(self, data: bytes) -> dict[str, Any]:
        """Encrypt, write and sync one piece; says where it lies. Then either `keep` it or `drop` it."""
        sealed = self._sealer.seal(data)
        self._write(self._fd, sealed)
        fdatasync(self._fd)
        place = {"part": self._number, "index": self._index, "off": self._size, "len": len(sealed)}
        return {**place, "c": hashlib.sha256(sealed).hexdigest()}

    def keep(self, size: int) -> None:
        """The journal names the piece now."""
        self._size, self._index = self._size + size, self._index + 1

    def drop(self) -> None:
        """Cut off what the journal does not name, and close: this part takes no more."""
        os.ftruncate(self._fd, self._size)
        self.close()

    def close(self) -> None:
        os.close(self._fd)


def create_recording(
    folder: Path, keys: RecordingKeys, origin: Origin, write: Write = write_all, reserve: Reserve | None = None
) -> RecordingWriter:
    """Begin a recording in a new folder; `reserve` is spent when the disk refuses something.

    Raises FileExistsError if one is there; OSError when the disk does, and then nothing of it remains.
    """
    private_folder(folder)
    if (folder / journal.NAME).exists():
        raise FileExistsError(errno.EEXIST, "a recording is there", folder.name)
    try:
        return _begin(RecordingWriter(folder, keys, Ledger(), write, reserve), keys, origin)
    except OSError:
        (folder / journal.NAME).unlink(missing_ok=True)
        with suppress(OSError):  # what else lies in it is not ours to remove
            folder.rmdir()
        raise


def _begin(writer: RecordingWriter, keys: RecordingKeys, origin: Origin) -> RecordingWriter:
    place = {"recording": origin.recording, "camera": origin.camera, "boot_id": boot_id()}
    marks = {"simulated": origin.simulated, "rehearsal": origin.rehearsal}
    rest = {"app_version": origin.app_version, "previous": origin.previous, "meta": dict(origin.meta)}
    try:
        writer.note("genesis", v=VERSION, station_key=Signer(keys.signing).public_key, **place, **marks, **rest)
    except OSError:
        writer.abandon()
        raise
    return writer


def resume_recording(
    folder: Path, keys: RecordingKeys, write: Write = write_all, reserve: Reserve | None = None
) -> RecordingWriter:
    """Go on with a recording after a crash, in a new part; a signed record tells what was set aside.

    Raises EvidenceTrouble: evidence.no_recording, evidence.closed, evidence.other_key (another station's); OSError.
    """
    ledger, torn = recover(folder, Signer(keys.signing).public_key)
    writer = RecordingWriter(folder, keys, ledger, write, reserve)
    try:
        writer.note("recovered", torn=torn, boot_id=boot_id())
        writer.watch_clock()
    except OSError:
        writer.abandon()
        raise
    return writer


def _offset_before(ledger: Ledger) -> int | None:
    """How far the wall clock was ahead of this boot's monotonic clock at the last record. Of an earlier boot only the
    wall clock is known, which cannot have gone back: then it counts as far as it shows that it did.
    """
    if ledger.records == 0:
        return None
    if ledger.boot_id == boot_id():
        return ledger.last_wall_us - ledger.last_mono_us
    behind_us = ledger.last_wall_us - time.time_ns() // 1000
    return ledger.last_wall_us - time.monotonic_ns() // 1000 if behind_us > 0 else None


def _base_for_this_boot(ledger: Ledger) -> int | None:
    """PTS 0 in today's monotonic time. After a reboot only the wall clock knows how long the gap was."""
    if ledger.clock is None:
        return None
    boot, base_mono_us = ledger.clock
    return base_mono_us if boot == boot_id() else _base_after(ledger.reached_pts, ledger.last_wall_us)


def _base_after(last_pts: int, last_wall_us: int) -> int:
    away_us = max(1_000_000, time.time_ns() // 1000 - last_wall_us)
    return time.monotonic_ns() // 1000 - max(0, last_pts) - away_us
