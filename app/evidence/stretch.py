"""A stretch of a recording: which fragments it takes to show it, and these decrypted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.evidence.crypt import PartOpener
from app.evidence.ledger import Ledger, Part, Piece
from app.evidence.reader import must_be_readable, read_piece


@dataclass(frozen=True, slots=True)
class Stretch:
    """From when to when, microseconds since the recording's first frame; whole fragments are taken."""

    from_pts: int = 0
    to_pts: int = 2**62

    def touches(self, piece: Piece) -> bool:
        return self.from_pts <= piece.last_pts and piece.first_pts <= self.to_pts


def parts_in(folder: Path, recording_key: bytes, ledger: Ledger, wanted: Stretch) -> list[Part]:
    """The parts with those of their fragments that touch the stretch, and each part's header.

    A stretch begins with a fragment that can be decoded by itself; that may be some fragments earlier. A part between
    two others of which a crash left the header only is in it too: its leaf is one of the run's.
    """
    begun = [part for part in ledger.parts if part.pieces]
    touched = [[n for n, piece in enumerate(part.pieces) if n and wanted.touches(piece)] for part in begun]
    shown = [n for n, fragments in enumerate(touched) if fragments]
    if not shown:
        return []
    run = slice(shown[0], shown[-1] + 1)
    must_be_readable(folder, begun[run])
    return [_cut_out(folder, recording_key, *one) for one in zip(begun[run], touched[run], strict=True)]


def _cut_out(folder: Path, recording_key: bytes, part: Part, touched: list[int]) -> Part:
    """The part with its header and these fragments, from one on that stands alone."""
    first = touched[0] if touched else 1
    while first > 1 and not _stands_alone(folder, recording_key, part, first):
        first -= 1
    last = touched[-1] if touched else 0
    place = part.number, part.id, part.file, part.width, part.height, part.first_pts
    pieces = [part.pieces[0], *part.pieces[first : last + 1]]
    return Part(*place, part.base_mono_us, part.boot_id, pieces)


def _stands_alone(folder: Path, recording_key: bytes, part: Part, n: int) -> bool:
    return any(_begins_with_key(data) for _, data in contents(folder, recording_key, part, part.pieces[n : n + 1]))


def _begins_with_key(fragment: bytes) -> bool:
    """Whether a fragment's first picture is an H.264 IDR (ISO/IEC 14496-10 table 7-1; units with 4 bytes of length)."""
    at = fragment.find(b"mdat") + 4
    while at + 5 <= len(fragment):
        kind = fragment[at + 4] & 31
        if kind in (1, 5):
            return kind == 5
        at += 4 + int.from_bytes(fragment[at : at + 4], "big")
    return False


def contents(
    folder: Path, recording_key: bytes, part: Part, pieces: Sequence[Piece] | None = None
) -> Iterator[tuple[Piece, bytes]]:
    """The pieces (all of the part's, or these), decrypted. Raises EvidenceTrouble, OSError."""
    opener = PartOpener(recording_key, part.id)
    with (folder / part.file).open("rb") as file:
        for piece in part.pieces if pieces is None else pieces:
            yield piece, read_piece(file, opener, piece)
