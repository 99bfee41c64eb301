"""Opening footage that nobody else can: a recording as the centre held it, and the originals of what is covered.

The key of each recording is sealed to the vault, and so is that of each part of the originals. Two people sign for it
at the vault's own machine; it stands in the vault's log before anything is opened (`app.vault.reveal`).
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
from PIL import Image
from pydantic import ValidationError

from app.core.errors import EvidenceTrouble
from app.evidence import journal
from app.evidence.ledger import load
from app.evidence.loose import GIVEN_JOURNAL, GIVEN_LIST
from app.evidence.ring import Picture
from app.evidence.side import SIDE_GLOB, key_id_of, open_side, recording_of
from app.evidence.still import QUALITY
from app.frames import Plane
from app.platform import durable_write
from app.recorder.squeeze import CAMERA, Unsqueezer
from app.store.seal import Context
from app.sync.footage import open_journal
from app.vault.keys import Vault
from app.wire import VideoManifest


@dataclass(frozen=True, slots=True)
class Original:
    """One picture as the camera gave it: of which part, when (µs of the recording), as JPEG; b"" where it cannot be
    decoded.
    """

    part: str
    at_us: int
    jpeg: bytes


def manifest_in(folder: Path) -> VideoManifest | None:
    """The station's list of what the centre gave out; None for a station's own folder.

    Raises EvidenceTrouble("evidence.no_recording").
    """
    try:
        return VideoManifest.model_validate_json((folder / GIVEN_LIST).read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as wrong:
        raise EvidenceTrouble("evidence.no_recording", folder.name) from wrong


def open_recording(vault: Vault, folder: Path, manifest: VideoManifest) -> bytes:
    """The key of a recording that the centre gave out; its journal lies open beside the pictures afterwards.

    Raises EvidenceTrouble: vault.not_openable, evidence.not_decryptable, evidence.journal_differs (it is not the one
    that was closed); OSError.
    """
    place = Context(vault.centre.tenant, manifest.station, manifest.recording, "recording-key")
    key = bytes.fromhex(vault.open(manifest.key, place).reveal())
    plain = open_journal((folder / GIVEN_JOURNAL).read_bytes(), key)
    durable_write(folder / journal.NAME, plain)
    written = load(folder)
    if written.head != manifest.final_hash or written.genesis["recording"] != manifest.recording:
        raise EvidenceTrouble("evidence.journal_differs", manifest.recording)
    return key


def originals(vault: Vault, folder: Path, recording: str) -> Iterator[Original]:
    """The originals of the recording that was signed for, whose journal lies open, part after part.

    Raises EvidenceTrouble: evidence.content_differs (a part of another recording lies among them: none is opened, and
    that at once), vault.not_openable (sealed to another vault's key), evidence.not_decryptable; OSError.
    """
    paths = sorted(folder.glob(SIDE_GLOB))
    for path in paths:
        if recording_of(path) != recording:  # what it says is part of what its key is sealed with
            raise EvidenceTrouble("evidence.content_differs", path.name)
    return _originals(vault, paths, _begins(folder))


def _originals(vault: Vault, paths: Sequence[Path], begins: Mapping[str, int]) -> Iterator[Original]:
    for path in paths:
        name = key_id_of(path)
        key = vault.key_called(name)
        if key is None:
            raise EvidenceTrouble("vault.not_openable", name)
        decoder, first_us = Unsqueezer(), None
        for picture in open_side(path, key):
            first_us = picture.mono_us if first_us is None else first_us
            at_us = begins.get(path.name, 0) + picture.mono_us - first_us
            yield Original(path.stem, at_us, _jpeg_of(picture, decoder))


def _begins(folder: Path) -> dict[str, int]:
    """The time of each part's first picture."""
    lines = (folder / journal.NAME).read_bytes().split(b"\n")[: load(folder).records]
    records = (json.loads(line) for line in lines if b'"kind":"side"' in line)
    return {str(record["file"]): int(record["from_pts"]) for record in records}


def _jpeg_of(picture: Picture, decoder: Unsqueezer) -> bytes:
    """What a camera sent as JPEG stays as it came."""
    if picture.codec == CAMERA:
        return picture.data
    planes = decoder.planes(picture)
    return b"" if planes is None else _jpeg(planes, picture.width, picture.height)


def _jpeg(planes: Plane, width: int, height: int) -> bytes:
    frame = av.VideoFrame.from_numpy_buffer(planes.reshape(height * 3 // 2, width), format="yuv420p")
    into = io.BytesIO()
    Image.fromarray(frame.to_ndarray(format="rgb24")).save(into, "JPEG", quality=QUALITY)
    return into.getvalue()
