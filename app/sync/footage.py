"""Brings closed recordings to the centre in encrypted chunks: asks what is missing, puts each once, hands in the list.

A chunk is a run of whole encrypted fragments of one part file, as they lie on the disk; the journal goes last, closed
with a key of its own that follows from the recording's. Cutting and closing give the same bytes every time, so nothing
has to be remembered: after a crash the centre says which chunks it lacks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.core.errors import EvidenceTrouble
from app.evidence import journal
from app.evidence.ledger import Part, load
from app.wire import Piece

CHUNK_BYTES = 8 << 20


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


def chunks_of(folder: Path, recording_key: bytes) -> list[Chunk]:
    """A closed recording as its chunks, in order. Raises EvidenceTrouble (`load`), OSError when a file is gone."""
    found = [chunk for part in load(folder).parts for chunk in _chunks_of_part(folder / part.file, part)]
    return [*found, _journal_chunk(folder / journal.NAME, recording_key)]


def _chunks_of_part(path: Path, part: Part) -> Iterator[Chunk]:
    offset, size = 0, 0
    for piece in part.pieces:
        if size and size + piece.size > CHUNK_BYTES:
            yield _chunk(path, offset, size)
            offset, size = offset + size, 0
        size += piece.size
    if size:
        yield _chunk(path, offset, size)


def _chunk(path: Path, offset: int, size: int) -> Chunk:
    with path.open("rb") as file:
        file.seek(offset)
        oid = hashlib.sha256(file.read(size)).hexdigest()
    return Chunk(Piece(oid=oid, size=size, file=path.name, offset=offset), path)


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
