"""Makes an ordinary MP4 of a recording: decrypts, copies the pictures as they are, keeps the times of capture.

From a station only rehearsals leave this way. Real footage is exported masked, as a dossier with its proof.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from io import RawIOBase
from pathlib import Path
from typing import IO

import av
import av.error
from av.container import OutputContainer

from app.core.errors import BadInput, EvidenceTrouble, StorageTrouble
from app.evidence.ledger import Part, load
from app.evidence.reader import DecryptedRecording, must_be_readable
from app.platform import interrupts_between_steps, sync_folder

_TIME_BASE = Fraction(1, 1_000_000)


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written. A recording whose picture size changed on the way becomes one file a size."""

    paths: tuple[Path, ...]
    frames: int
    duration_us: int


def export_mp4(folder: Path, recording_key: bytes, out: Path, first: int = 1) -> Exported:
    """Write the recording in `folder` to `out`; times in the file are microseconds since the first frame. `first`: the
    number of its first file, where others are there already.

    Raises EvidenceTrouble (evidence.no_recording, evidence.not_rehearsal, evidence.not_decryptable,
    evidence.content_differs), BadInput("evidence.no_pictures"), StorageTrouble("evidence.cannot_write").
    """
    must_be_rehearsal(folder)
    return write_films(folder, recording_key, out, first)


def must_be_rehearsal(folder: Path) -> None:
    """Raises EvidenceTrouble: evidence.not_rehearsal, evidence.no_recording."""
    if load(folder).genesis["rehearsal"] is not True:
        raise EvidenceTrouble("evidence.not_rehearsal", folder.name)


def write_films(folder: Path, recording_key: bytes, out: Path, first: int = 1) -> Exported:
    """`export_mp4` of any recording, for who has seen to it that it may leave: two people at the vault. The files
    appear under their names when all of them are whole; where it is cut off (Ctrl-C too), none is left.
    """
    ledger = load(folder)
    groups = same_size([part for part in ledger.parts if len(part.pieces) > 1])
    if not groups:
        raise BadInput("evidence.no_pictures", folder.name)
    must_be_readable(folder, (part for group in groups for part in group))
    names = [numbered(out, first + n) for n in range(len(groups))]
    partials = [name.with_name(f"{name.name}.{os.getpid()}.part") for name in names]
    try:
        done = [_write(folder, recording_key, parts, path) for parts, path in zip(groups, partials, strict=True)]
        with interrupts_between_steps():  # all of them or none
            for partial, name in zip(partials, names, strict=True):
                os.replace(partial, name)
            sync_folder(out.parent)
    except OSError as trouble:
        raise StorageTrouble("evidence.cannot_write", str(trouble)) from trouble
    finally:
        for partial in partials:
            with suppress(OSError):
                partial.unlink()
    return Exported(tuple(names), sum(frames for frames, _ in done), max(end for _, end in done))


def numbered(out: Path, n: int) -> Path:
    """FILE.zip, FILE-2.zip, …"""
    return out if n == 1 else out.with_name(f"{out.stem}-{n}{out.suffix}")


def same_size(parts: list[Part]) -> list[list[Part]]:
    """The parts in runs of one picture size: each run fits into one ordinary file."""
    groups: list[list[Part]] = []
    for part in parts:
        if groups and (groups[-1][0].width, groups[-1][0].height) == (part.width, part.height):
            groups[-1].append(part)
        else:
            groups.append([part])
    return groups


def _write(folder: Path, recording_key: bytes, parts: list[Part], out: Path) -> tuple[int, int]:
    """One file, durably. Gives (frames, end in microseconds). Raises EvidenceTrouble, OSError."""
    with (
        interrupts_between_steps(),
        av.open(str(out), "w", format="mp4", options={"movflags": "faststart"}) as container,
    ):
        done = _copy(folder, recording_key, parts, container)
    with out.open("r+b") as file:
        os.fsync(file.fileno())
    return done


def _copy(folder: Path, key: bytes, parts: list[Part], out: OutputContainer) -> tuple[int, int]:
    """Gives (frames, end in microseconds)."""
    with ExitStack() as stack:
        films = [(part.first_pts, stack.enter_context(DecryptedRecording(folder, key, part))) for part in parts]
        return copy_parts(films, out)


def copy_parts(films: Iterable[tuple[int, IO[bytes] | RawIOBase]], out: OutputContainer) -> tuple[int, int]:
    """Stream-copy fragmented MP4s of one picture size into one container. `films`: where each one's first picture lies
    (microseconds), and the film. Gives (frames, end in microseconds).
    """
    with interrupts_between_steps() as check:
        return _copy_parts(films, out, check)


def _copy_parts(
    films: Iterable[tuple[int, IO[bytes] | RawIOBase]], out: OutputContainer, check: Callable[[], None]
) -> tuple[int, int]:
    target: av.VideoStream | None = None
    frames = end_us = 0
    for first_pts, film in films:
        with av.open(film, "r", format="mp4") as source:
            stream = source.streams.video[0]
            scale = (stream.time_base or _TIME_BASE) / _TIME_BASE
            if target is None:
                target = out.add_stream_from_template(stream)
                target.time_base = _TIME_BASE
            own_us: int | None = None  # what its first picture is called in its own time
            for packet in source.demux(stream):
                check()
                if packet.pts is None or packet.dts is None:
                    continue  # the demuxer's closing word
                at_us = int(packet.pts * scale)
                own_us = at_us if own_us is None else own_us
                packet.pts = packet.dts = first_pts + at_us - own_us
                packet.duration = int((packet.duration or 0) * scale)
                packet.time_base, packet.stream = _TIME_BASE, target
                frames, end_us = frames + 1, packet.pts + packet.duration
                out.mux(packet)
    return frames, end_us
