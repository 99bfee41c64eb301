"""The write-ahead ring: compressed pictures on the disk, encrypted, before anything slow is done with them.

A ring is the set of segments `ring-*.bin` in a recording's folder. Each is written once from front to back by one
process, holds a few seconds, and is wiped as soon as its pictures are durable as fragments. What a crash leaves is
read once more by the next recorder, and its torn end is simply not there.

    segment   24 bytes  "CIRING1\\n", 16 random bytes: the segment's id
              48 bytes  the segment's own random key, AES-256-GCM under HKDF(recording key, id), nonce 0
    entry      4 bytes  length of what follows, big-endian
               ...      AES-256-GCM of head and body; nonce = number of the entry, associated data = id and number

The segment's key is nowhere else, so overwriting the first 72 bytes ends the readability of a segment whose other
blocks the disk may keep: it holds pictures that were never masked.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import struct
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import count, islice
from pathlib import Path
from typing import IO, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.evidence.journal import Write
from app.platform import boot_id, fdatasync, sync_folder, write_all

SEGMENT_GLOB = "ring-*.bin"

_MAGIC = b"CIRING1\n"
_PURPOSE = b"cardintake ring segment v1"
_ID_BYTES, _KEY_BYTES, _TAG_BYTES = 16, 32, 16
_HEAD_BYTES = len(_MAGIC) + _ID_BYTES + _KEY_BYTES + _TAG_BYTES
_MOST_BYTES = 64 << 20  # no entry is longer; a damaged length must not make us read for ever


@dataclass(frozen=True, slots=True)
class Picture:
    """A compressed frame. `codec`: "planes" (see `app.recorder.squeeze`) is our own, all others as the camera sent it.

    "mjpeg", "planes": each stands alone. "h264", "hevc": one that is no `key` needs those before it, back to a key.
    `missed`: so many came between it and the one before it and are in no ring, `why` in a word.
    """

    mono_us: int
    width: int
    height: int
    codec: str
    data: bytes = field(repr=False)
    key: bool = True
    missed: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """Anything else that must keep its place among the pictures: a camera's state, what the eye saw. Plain JSON."""

    kind: str
    body: dict[str, Any]


Entry = Picture | Note


@dataclass(frozen=True, slots=True)
class Spot:
    """Where an entry lies: `RingSegment.read` gets it back."""

    offset: int
    size: int
    number: int


class RingSegment:
    """One segment being written. `append` by one thread; `read` and `shred` by another. Raises OSError.

    One file position serves both, so a lock keeps them apart (not every system can read at a place without moving it);
    after `shred` and `leave` nobody touches the file's number again, which may be another file's by then.
    """

    def __init__(self, folder: Path, recording_key: bytes, number: int, write: Write = write_all) -> None:
        """Begin a new segment; `number` orders the segments of one folder."""
        self._id, key = secrets.token_bytes(_ID_BYTES), secrets.token_bytes(_KEY_BYTES)
        self.path = folder / f"ring-{number:06d}-{self._id[:4].hex()}.bin"
        self._cipher, self._write = AESGCM(key), write
        self._number = 0
        self.size = _HEAD_BYTES
        self.last_mono_us = 0
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self._fd = os.open(self.path, flags, 0o600)
        self._gone = False
        self._guard = threading.Lock()
        head = _MAGIC + self._id + _wrapper(recording_key, self._id).encrypt(bytes(12), key, self._id)
        try:
            write(self._fd, head)
            self.append(Note("boot", {"boot_id": boot_id()}))
            sync_folder(folder)
        except OSError:
            self.shred()
            raise

    def append(self, entry: Entry) -> Spot:
        """Write an entry; `sync` makes it durable. After an OSError nothing more may be appended."""
        sealed = self._cipher.encrypt(_nonce(self._number), pack(entry), self._id + _nonce(self._number))
        with self._guard:
            self._must_be_open()
            self._write(self._fd, struct.pack(">I", len(sealed)) + sealed)
        spot = Spot(self.size + 4, len(sealed), self._number)
        self.size, self._number = self.size + 4 + len(sealed), self._number + 1
        if isinstance(entry, Picture):
            self.last_mono_us = entry.mono_us
        return spot

    def sync(self) -> None:
        self._must_be_open()
        fdatasync(self._fd)

    def read(self, spot: Spot) -> Entry:
        """An entry that was appended before. Raises OSError when the segment has been given up."""
        with self._guard:
            self._must_be_open()
            os.lseek(self._fd, spot.offset, os.SEEK_SET)
            try:
                sealed = _read_exactly(self._fd, spot.size)
            finally:
                os.lseek(self._fd, 0, os.SEEK_END)
        return unpack(self._cipher.decrypt(_nonce(spot.number), sealed, self._id + _nonce(spot.number)))

    def shred(self) -> None:
        """Make it unreadable and remove it. Does nothing the second time."""
        if self._close():
            shred_segment(self.path)

    def leave(self) -> None:
        """Let go of it without removing it: the next recorder reads it."""
        self._close()

    def _close(self) -> bool:
        """False when that was done before."""
        with self._guard:
            gone, self._gone = self._gone, True
            if not gone:
                os.close(self._fd)
        return not gone

    def _must_be_open(self) -> None:
        if self._gone:
            raise OSError(errno.EBADF, "the segment has gone", self.path.name)


def _read_exactly(fd: int, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        more = os.read(fd, size - len(data))
        if not more:
            raise OSError(errno.EIO, "the segment is shorter than it was")
        data += more
    return bytes(data)


@dataclass(frozen=True, slots=True)
class Leftover:
    """What a crash left of a segment, and the boot that it comes from ("" where nothing of it can be read)."""

    path: Path
    boot_id: str
    _key: bytes = field(repr=False)

    def entries(self) -> Iterator[Entry]:
        """What it still gives, up to the first entry that is torn; one at a time, since a ring may be far larger than
        the memory. Each call reads it anew. Raises OSError.
        """
        return islice(_entries(self.path, self._key), 1, None)


def leftovers(folder: Path) -> list[Path]:
    """The segments in a folder, oldest first."""
    return sorted(folder.glob(SEGMENT_GLOB))


def read_segment(path: Path, recording_key: bytes) -> Leftover:
    """A segment that a crash left. One that is torn in its head, or of another key, gives nothing. Raises OSError."""
    first = next(_entries(path, recording_key), None)
    return Leftover(path, str(first.body["boot_id"]) if isinstance(first, Note) else "", recording_key)


def shred_segment(path: Path) -> None:
    """Overwrite a segment's key, durably, and remove it. Nothing happens when it is not there. Raises OSError."""
    try:
        fd = os.open(path, os.O_WRONLY | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        return
    try:
        os.write(fd, bytes(_HEAD_BYTES))
        fdatasync(fd)
    finally:
        os.close(fd)
    path.unlink(missing_ok=True)


def _entries(path: Path, recording_key: bytes) -> Iterator[Entry]:
    """All that is whole in a segment, in its order."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if len(head) < _HEAD_BYTES or not head.startswith(_MAGIC):
            return
        segment_id, wrapped = head[len(_MAGIC) : len(_MAGIC) + _ID_BYTES], head[len(_MAGIC) + _ID_BYTES :]
        try:
            cipher = AESGCM(_wrapper(recording_key, segment_id).decrypt(bytes(12), wrapped, segment_id))
            for number in count():
                sealed = _next_sealed(file)
                if sealed is None:
                    return
                yield unpack(cipher.decrypt(_nonce(number), sealed, segment_id + _nonce(number)))
        except InvalidTag:
            return  # from here on it is torn


def _next_sealed(file: IO[bytes]) -> bytes | None:
    """The next entry's bytes; None at the end, or where they are not all there."""
    length = file.read(4)
    if len(length) < 4:
        return None
    (size,) = struct.unpack(">I", length)
    if not _TAG_BYTES < size <= _MOST_BYTES:
        return None
    sealed = file.read(size)
    return sealed if len(sealed) == size else None


def pack(entry: Entry) -> bytes:
    """An entry as bytes: length of its head, head as JSON, the compressed picture."""
    body = b""
    if isinstance(entry, Picture):
        head = asdict(entry)
        body = head.pop("data")
        if not entry.missed:  # as earlier releases wrote them, and read them
            del head["missed"], head["why"]
    else:
        head = {"note": entry.kind, "body": entry.body}
    text = json.dumps(head, separators=(",", ":")).encode()
    return struct.pack(">I", len(text)) + text + body


def unpack(plain: bytes) -> Entry:
    """The other way, for bytes that were authentic."""
    (size,) = struct.unpack_from(">I", plain)
    head = json.loads(plain[4 : 4 + size])
    if "note" in head:
        return Note(head["note"], head["body"])
    return Picture(**head, data=plain[4 + size :])


def _wrapper(recording_key: bytes, segment_id: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), _KEY_BYTES, segment_id, _PURPOSE).derive(recording_key))


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")
