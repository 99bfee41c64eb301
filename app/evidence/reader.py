"""Plays a recording without writing anything decrypted: one part as a read-only file that can be sought in."""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from collections import OrderedDict
from itertools import accumulate
from pathlib import Path

from app.evidence.crypt import TAG_BYTES, PartOpener
from app.evidence.ledger import Part, load

_KEPT_PIECES = 4  # decrypted at a time; a player reads forward and jumps


def recording_parts(folder: Path) -> list[Part]:
    """The parts that hold pictures, in order. Raises EvidenceTrouble("evidence.no_recording")."""
    return [part for part in load(folder).parts if len(part.pieces) > 1]


class DecryptedRecording(io.RawIOBase):
    """One part of a recording as the fragmented MP4 it was: header and fragments, decrypted as they are read.

    Holds what the journal named when it was opened; of a part with some of its pieces only those. `read` raises
    EvidenceTrouble("evidence.not_decryptable") for a wrong key or changed bytes. Times inside begin at 0;
    `Part.first_pts` says where that lies in the recording.
    """

    def __init__(self, folder: Path, recording_key: bytes, part: Part) -> None:
        """Raises OSError when the part file is gone."""
        super().__init__()
        self._opener = PartOpener(recording_key, part.id)
        self._pieces = part.pieces
        ends = list(accumulate(piece.size - TAG_BYTES for piece in part.pieces))
        self._starts, self.size = [0, *ends[:-1]], ends[-1] if ends else 0
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
            chunk = self._piece(index)[inside : inside + left]
            chunks.append(chunk)
            self._at, left = self._at + len(chunk), left - len(chunk)
        return b"".join(chunks)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
            self._kept.clear()
        super().close()

    def _piece(self, index: int) -> bytes:
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index]
        piece = self._pieces[index]
        self._file.seek(piece.offset)
        content = self._opener.open(piece.index, self._file.read(piece.size))
        self._kept[index] = content
        if len(self._kept) > _KEPT_PIECES:
            self._kept.popitem(last=False)
        return content
