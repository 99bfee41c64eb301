"""Plays a recording without writing anything decrypted: one part as a read-only file that can be sought in."""

from __future__ import annotations

import hashlib
import io
import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path
from typing import IO

from app.core.errors import EvidenceTrouble
from app.evidence.crypt import PartOpener
from app.evidence.entries import index_of, joined, passages, size_of
from app.evidence.ledger import Part, Piece, load

_KEPT = 4  # passages decrypted at a time; a player reads forward and jumps


def recording_parts(folder: Path) -> list[Part]:
    """The parts that hold pictures, in order. Raises EvidenceTrouble("evidence.no_recording")."""
    return [part for part in load(folder).parts if len(part.pieces) > 1]


def read_piece(file: IO[bytes], opener: PartOpener, piece: Piece) -> bytes:
    """One fragment of a part's file, decrypted.

    Raises EvidenceTrouble: evidence.bytes_missing, evidence.bytes_changed, evidence.not_decryptable (another key).
    """
    file.seek(piece.offset)
    sealed = file.read(piece.size)
    try:
        return opener.open(piece.index, sealed)
    except EvidenceTrouble as wrong:
        where = f"{Path(file.name).name}: fragment {piece.index}"
        if len(sealed) < piece.size:
            raise EvidenceTrouble("evidence.bytes_missing", where) from wrong
        if hashlib.sha256(sealed).hexdigest() != piece.c:
            raise EvidenceTrouble("evidence.bytes_changed", where) from wrong
        raise


def must_be_readable(folder: Path, parts: Iterable[Part]) -> None:
    """Before a film is made of them. Raises EvidenceTrouble: evidence.bytes_missing, evidence.cannot_read."""
    for part in parts:
        try:
            (folder / part.file).open("rb").close()
        except FileNotFoundError as gone:
            raise EvidenceTrouble("evidence.bytes_missing", part.file) from gone
        except OSError as wrong:
            raise EvidenceTrouble("evidence.cannot_read", f"{part.file}: {wrong.strerror}") from wrong


class DecryptedRecording(io.RawIOBase):
    """One part of a recording as a fragmented MP4 that can be entered anywhere, decrypted as it is read: header, index,
    and a fragment from each key frame to the next.

    Holds what the journal named when it was opened; of a part with some of its pieces only those. `read` raises
    what `read_piece` does. Times inside begin at 0;
    `Part.first_pts` says where that lies in the recording.
    """

    def __init__(self, folder: Path, recording_key: bytes, part: Part) -> None:
        """Raises OSError when the part file is gone."""
        super().__init__()
        self._opener = PartOpener(recording_key, part.id)
        self._film = passages(part)
        self._head, self._index = part.pieces[:1], index_of(part, self._film)
        ends = list(accumulate([size_of(self._head), len(self._index), *map(size_of, self._film)]))
        self._starts, self.size = [0, *ends[:-1]], ends[-1]
        self._at = 0
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._file = (folder / part.file).open("rb")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        if start + offset < 0:
            raise ValueError("before the beginning")
        self._at = start + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes (all that is left when negative); b"" at the end."""
        left = self.size - self._at if size < 0 else min(size, self.size - self._at)
        chunks = []
        while left > 0:
            index = bisect_right(self._starts, self._at) - 1
            inside = self._at - self._starts[index]
            chunk = self._stretch(index)[inside : inside + left]
            chunks.append(chunk)
            self._at, left = self._at + len(chunk), left - len(chunk)
        return b"".join(chunks)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
            self._kept.clear()
        super().close()

    def _stretch(self, index: int) -> bytes:
        """The header, the index, or a passage."""
        if index == 1:
            return self._index
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index]
        pieces = self._film[index - 2] if index else self._head
        content = joined(pieces, [self._piece(piece) for piece in pieces])
        self._kept[index] = content
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return content

    def _piece(self, piece: Piece) -> bytes:
        return read_piece(self._file, self._opener, piece)
