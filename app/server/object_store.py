"""Where encrypted chunks of footage lie: files of this machine, or a bucket (app.server.s3).

Each chunk is named by the SHA-256 of its bytes. A place never believes what it was sent: bytes are hashed where they
lie, and nothing that was stored is ever overwritten.
"""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from starlette.concurrency import run_in_threadpool

from app.core.errors import EvidenceTrouble
from app.platform import disk_trouble, sync_folder, write_all
from app.server.refusal import Refusal
from app.wire import MOST_CHUNK, ObjectSize, Transfer

VERIFY_PATH = "/v1/objects/verify"
_PIECE = 1 << 20
_UPLOAD_LASTS_S = 24 * 3600


Versioning = Literal["on", "suspended", "off", "unknown"]


@dataclass(frozen=True, slots=True)
class Keeping:
    """Whether a bucket holds on to what is deleted or written over there.

    `versioning`: older versions stay. `lock`: object lock; `days` and `mode` of its default retention (0 and "": none).
    `unseen`: why the bucket does not tell what is "unknown".
    """

    versioning: Versioning
    lock: Literal["on", "off", "unknown"]
    days: int = 0
    mode: str = ""
    unseen: str = ""


class Objects(Protocol):
    """A place for chunks. Every call may raise StorageTrouble."""

    def actions(self, one: ObjectSize) -> dict[str, Transfer]:
        """What a station does to bring this chunk: where to upload it, and whom to ask to verify it."""
        ...

    def held(self, wanted: Collection[ObjectSize]) -> set[str]:
        """Which of these lie here with their size, without reading them."""
        ...

    def verified(self, one: ObjectSize) -> bool:
        """Whether the chunk lies here and its bytes hash to its name: they are read."""
        ...

    def read(self, oid: str) -> Iterator[bytes]:
        """The bytes, in pieces."""
        ...

    def put(self, oid: str, pieces: Iterable[bytes]) -> None:
        """Store what another place held. Raises EvidenceTrouble("evidence.content_differs")."""
        ...

    def keeping(self) -> Keeping | None:
        """How a bucket is set; None for files of this machine. No trouble: what cannot be seen is said to be so."""
        ...


class LocalObjects:
    """Chunks as files: `objects/ab/abcd…`. What a killed server left half-written in `tmp` goes after a day."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._is_named = False  # the folder's own name is on the disk for sure
        self._sweep()

    def _sweep(self) -> None:
        """Another server process may be writing there now: only what no upload can still be at is taken away."""
        oldest_s = time.time() - _UPLOAD_LASTS_S
        for partial in (self._folder / "tmp").glob("*"):
            with suppress(OSError):
                if partial.stat().st_mtime < oldest_s:
                    partial.unlink()

    def keeping(self) -> None:
        return None

    def path(self, oid: str) -> Path:
        return self._folder / oid[:2] / oid

    def actions(self, one: ObjectSize) -> dict[str, Transfer]:
        return {"upload": Transfer(href=f"/v1/objects/{one.oid}")}

    def held(self, wanted: Collection[ObjectSize]) -> set[str]:
        return {one.oid for one in wanted if self._holds(one)}

    def _holds(self, one: ObjectSize) -> bool:
        place = self.path(one.oid)
        return place.is_file() and place.stat().st_size == one.size

    def verified(self, one: ObjectSize) -> bool:
        return self._holds(one) and hash_of(self.read(one.oid)) == one.oid

    def read(self, oid: str) -> Iterator[bytes]:
        try:
            with self.path(oid).open("rb") as file:
                while piece := file.read(_PIECE):
                    yield piece
        except OSError as gone:
            raise disk_trouble(gone, "objects") from gone

    def put(self, oid: str, pieces: Iterable[bytes]) -> None:
        if self.path(oid).is_file() and hash_of(self.read(oid)) == oid:
            return
        partial = self._partial()
        try:
            with partial.open("xb") as file:
                hashed = hashlib.sha256()
                for piece in pieces:
                    hashed.update(piece)
                    file.write(piece)
                if hashed.hexdigest() != oid:
                    raise EvidenceTrouble("evidence.content_differs", oid[:16])
                file.flush()
                os.fsync(file.fileno())
            self._settle(partial, oid)
        except OSError as trouble:
            raise disk_trouble(trouble, "objects") from trouble
        finally:
            partial.unlink(missing_ok=True)

    async def take(self, oid: str, body: AsyncIterator[bytes]) -> int:
        """Write the bytes beside their place, hash, sync, move; the size.

        Raises Refusal: digest (the bytes are others), too_large; StorageTrouble: store.disk_full, store.io.
        """
        partial = self._partial()
        try:
            size = await _write(partial, oid, body)
            await run_in_threadpool(self._settle, partial, oid)
        except OSError as trouble:
            raise disk_trouble(trouble, "objects") from trouble
        finally:
            partial.unlink(missing_ok=True)
        return size

    def _partial(self) -> Path:
        partial = self._folder / "tmp" / uuid.uuid4().hex
        try:
            partial.parent.mkdir(parents=True, exist_ok=True)
        except OSError as trouble:
            raise disk_trouble(trouble, "objects") from trouble
        return partial

    def _settle(self, partial: Path, oid: str) -> None:
        place = self.path(oid)
        place.parent.mkdir(parents=True, exist_ok=True)
        partial.replace(place)
        sync_folder(place.parent)
        sync_folder(self._folder)
        if not self._is_named:  # whoever made it, this process or another, may not have come so far
            sync_folder(self._folder.parent)
            self._is_named = True


def hash_of(pieces: Iterable[bytes]) -> str:
    """SHA-256 (hex) of bytes that come in pieces."""
    hashed = hashlib.sha256()
    for piece in pieces:
        hashed.update(piece)
    return hashed.hexdigest()


async def _write(partial: Path, oid: str, body: AsyncIterator[bytes]) -> int:
    hashed, size = hashlib.sha256(), 0
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        async for part in body:
            size += len(part)
            if size > MOST_CHUNK:
                raise Refusal("too_large", 413)
            hashed.update(part)
            await run_in_threadpool(write_all, fd, part)
        if hashed.hexdigest() != oid:
            raise Refusal("digest")
        await run_in_threadpool(os.fsync, fd)
    finally:
        os.close(fd)
    return size
