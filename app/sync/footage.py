"""Brings closed recordings to the centre in encrypted chunks: asks what is missing, puts each once, hands in the list.

A chunk is a run of whole encrypted fragments of one part file, or a run of bytes of a part of the side stream (sealed
to the vault), as they lie on the disk; the journal goes last, closed with a key of its own that follows from the
recording's. Cutting and closing give the same bytes every time, so nothing has to be remembered: after a crash the
centre says which chunks it lacks. Nothing is cut from a recording that is not what its journal says, or whose journal
is not the one that was closed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.core.errors import EvidenceTrouble
from app.evidence import journal
from app.evidence import ledger as written
from app.evidence.side import SIDE_GLOB
from app.wire import Piece

CHUNK_BYTES = 8 << 20
_SEAL_BYTES = 48  # what the journal is longer by when it is sealed: its hash and a tag


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk and where its bytes come from; `content` only for those that do not lie on the disk as they are."""

    piece: Piece
    path: Path
    content: bytes | None = None

    def read(self) -> bytes:
        """The bytes. Raises EvidenceTrouble("evidence.content_differs") when they are no longer what they were."""
        if self.content is not None:
            return self.content
        with self.path.open("rb") as file:
            file.seek(self.piece.offset)
            data = file.read(self.piece.size)
        if hashlib.sha256(data).hexdigest() != self.piece.oid:
            raise EvidenceTrouble("evidence.content_differs", self.path.name)
        return data


def chunks_of(folder: Path, recording_key: bytes, final_hash: str) -> list[Chunk]:
    """A closed recording as its chunks, in order. `final_hash`: its journal's head when it was closed.

    Raises EvidenceTrouble: evidence.no_recording, evidence.journal_differs (it does not end with that hash),
    evidence.bytes_missing, evidence.bytes_changed; OSError.
    """
    ledger = written.load(folder)
    if ledger.head != final_hash or (folder / journal.NAME).stat().st_size != ledger.size:
        raise EvidenceTrouble("evidence.journal_differs", f"{folder.name}, record {ledger.records}")
    found = [chunk for part in ledger.parts for chunk in _chunks_of_part(folder / part.file, part)]
    sides = {path.name for path in folder.glob(SIDE_GLOB)} | set(ledger.sides)
    found += [chunk for name in sorted(sides) for chunk in _chunks_of_side(folder / name, ledger.sides.get(name))]
    return [*found, _journal_chunk(folder / journal.NAME, recording_key)]


def lacks_originals(folder: Path, held_bytes: int) -> bool:
    """Whether the sealed originals of a recording lie here and not at a centre that holds so many bytes of it: earlier
    releases did not bring them. By sizes alone.
    """
    sides = sum(path.stat().st_size for path in folder.glob(SIDE_GLOB))
    others = sum(path.stat().st_size for path in (*folder.glob("part-*.bin"), folder / journal.NAME))
    return sides > 0 and held_bytes <= others + _SEAL_BYTES


def _chunks_of_part(path: Path, part: written.Part) -> Iterator[Chunk]:
    run: list[written.Piece] = []
    with _opened(path) as file:
        for piece in part.pieces:
            if run and sum(one.size for one in run) + piece.size > CHUNK_BYTES:
                yield _chunk(path, file, run)
                run = []
            run.append(piece)
        if run:
            yield _chunk(path, file, run)


def _chunk(path: Path, file: BinaryIO, run: list[written.Piece]) -> Chunk:
    """The chunk of these pieces, each of which must still be what the journal says."""
    whole = hashlib.sha256()
    file.seek(run[0].offset)
    for piece in run:
        data = file.read(piece.size)
        if len(data) < piece.size:
            raise EvidenceTrouble("evidence.bytes_missing", path.name)
        if hashlib.sha256(data).hexdigest() != piece.c:
            raise EvidenceTrouble("evidence.bytes_changed", path.name)
        whole.update(data)
    size = sum(piece.size for piece in run)
    return Chunk(Piece(oid=whole.hexdigest(), size=size, file=path.name, offset=run[0].offset), path)


def _chunks_of_side(path: Path, end: Mapping[str, Any] | None) -> list[Chunk]:
    """A part of the side stream; one that a full disk or a crash cut short has no end record and goes as it is."""
    chunks, whole, offset = [], hashlib.sha256(), 0
    with _opened(path) as file:
        while data := file.read(CHUNK_BYTES):
            oid = hashlib.sha256(data).hexdigest()
            chunks.append(Chunk(Piece(oid=oid, size=len(data), file=path.name, offset=offset), path))
            whole.update(data)
            offset += len(data)
    if end is not None and offset < end["bytes"]:
        raise EvidenceTrouble("evidence.bytes_missing", path.name)
    if end is not None and whole.hexdigest() != end["sha256"]:
        raise EvidenceTrouble("evidence.bytes_changed", path.name)
    return chunks


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError as gone:
        raise EvidenceTrouble("evidence.bytes_missing", path.name) from gone


def _journal_chunk(path: Path, recording_key: bytes) -> Chunk:
    """The whole journal, sealed. It is closed and never changes, so key and nonce meet one text only."""
    plain = path.read_bytes()
    salt = hashlib.sha256(plain).digest()
    key = HKDF(SHA256(), 32, salt, b"cardintake recording journal v1").derive(recording_key)
    sealed = salt + AESGCM(key).encrypt(bytes(12), plain, b"journal")
    oid = hashlib.sha256(sealed).hexdigest()
    return Chunk(Piece(oid=oid, size=len(sealed), file=path.name, offset=0), path, sealed)


def open_journal(sealed: bytes, recording_key: bytes) -> bytes:
    """The journal from its chunk. Raises EvidenceTrouble("evidence.not_decryptable")."""
    key = HKDF(SHA256(), 32, sealed[:32], b"cardintake recording journal v1").derive(recording_key)
    try:
        return AESGCM(key).decrypt(bytes(12), sealed[32:], b"journal")
    except InvalidTag as wrong:
        raise EvidenceTrouble("evidence.not_decryptable", "journal") from wrong
