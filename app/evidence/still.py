"""One frame of a recording as a picture file. What is reviewable is masked, so what is exported is masked."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import IO

import av
import av.error
from PIL import Image

from app.core.errors import BadInput, EvidenceTrouble
from app.evidence.ledger import Ledger, Piece
from app.evidence.reader import DecryptedRecording
from app.platform import interrupts_between_steps

QUALITY = 92


@dataclass(frozen=True, slots=True)
class Still:
    """A picture and where it comes from: the frame's time, the fragment's place in the Merkle tree and its leaf."""

    jpeg: bytes
    at_us: int
    leaf: int
    h: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.jpeg).hexdigest()


def still_at(folder: Path, recording_key: bytes, ledger: Ledger, at_us: int) -> Still:
    """The frame that shows at `at_us` (µs of the recording; in a gap the one before it).

    Raises BadInput("evidence.no_pictures"), EvidenceTrouble("evidence.not_decryptable"), OSError.
    """
    parts = [part for part in ledger.parts if len(part.pieces) > 1 and part.pieces[1].first_pts <= at_us]
    if not parts:
        raise BadInput("evidence.no_pictures", folder.name)
    part = parts[-1]
    with DecryptedRecording(folder, recording_key, part) as film:
        jpeg, frame_us = picture_at(film, at_us - part.first_pts)
    if not jpeg:
        raise BadInput("evidence.no_pictures", folder.name)
    piece = _piece_of(part.pieces, part.first_pts + frame_us)
    return Still(jpeg, part.first_pts + frame_us, piece.leaf, piece.h)


def picture_at(film: IO[bytes] | RawIOBase, wanted_us: int) -> tuple[bytes, int]:
    """The frame that is on the screen at this time of an MP4, as JPEG, and its own time; (b"", 0) without a frame.

    Raises EvidenceTrouble("evidence.not_decryptable") for a film that cannot be read.
    """
    with interrupts_between_steps():
        return _picture_at(film, wanted_us)


def _picture_at(film: IO[bytes] | RawIOBase, wanted_us: int) -> tuple[bytes, int]:
    picture = io.BytesIO()
    try:
        with av.open(film, "r", format="mp4") as container:
            stream = container.streams.video[0]
            container.seek(max(0, wanted_us))
            chosen = None
            for frame in container.decode(stream):
                if chosen is not None and frame.time is not None and frame.time * 1e6 > wanted_us + 0.5:
                    break
                chosen = frame
            if chosen is None:
                return b"", 0
            Image.fromarray(chosen.to_ndarray(format="rgb24")).save(picture, "JPEG", quality=QUALITY)
            return picture.getvalue(), round((chosen.time or 0.0) * 1e6)
    except av.error.FFmpegError as trouble:
        raise EvidenceTrouble("evidence.not_decryptable", str(trouble)) from trouble


def _piece_of(pieces: list[Piece], at_us: int) -> Piece:
    """The fragment that holds a frame; its times are told to the microsecond, ours may be one off."""
    return next((piece for piece in pieces[1:] if piece.last_pts + 1 >= at_us), pieces[-1])
