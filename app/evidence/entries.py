"""A part of a film as a player wants it: one fragment from each key frame to the next, and an index of them.

On the disk a fragment is half a second and a key frame comes each second. A player can go to key frames only, and goes
to fragments only; without an index it reads the whole part first, which for ten minutes at 1080p means decrypting
130 MB. So the fragments between two key frames are shown as one (ISO/IEC 14496-12, 8.8), and an index stands before
them (8.16.3). The pictures' bytes, times and flags stay what they are.

The journal tells where key frames are: the encoder's rule needs nothing but times and numbers of frames, and each key
frame begins a fragment.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.core.errors import EvidenceTrouble
from app.evidence.crypt import TAG_BYTES
from app.evidence.ledger import Part, Piece

KEY_FRAME_EVERY = 30
_KEY_FRAME_US = 1_200_000  # at the latest, for cameras that give fewer than 25 a second
NOMINAL_US = 33_333  # a last frame's length, whose successor is not known yet
_TRACK, _TIMESCALE = 1, 1_000_000  # as the encoder's muxer has them
_STARTS_WITH_SAP = 0x90000000  # of type 1: the first frame stands alone
_MOST_ENTRIES = 0xFFFF
_MOOF_BYTES, _SAMPLE_BYTES, _BOX_BYTES = 88, 12, 8


def is_key_due(frames: int, us: int) -> bool:
    """Whether the frame that comes so many frames and microseconds after a key frame has to be one."""
    return frames >= KEY_FRAME_EVERY or us >= _KEY_FRAME_US


def passages(part: Part) -> list[list[Piece]]:
    """The fragments of a part from each key frame to the next.

    Each alone where it does not begin with its first fragment: where key frames are is then not known.
    """
    fragments = part.pieces[1:]
    if not has_index(part):
        return [[one] for one in fragments]
    found: list[list[Piece]] = []
    key_us, frames = 0, KEY_FRAME_EVERY
    for one in fragments:
        if is_key_due(frames, one.first_pts - key_us):
            key_us, frames = one.first_pts, 0
            found.append([])
        found[-1].append(one)
        frames += one.frames
    return found


def has_index(part: Part) -> bool:
    """Whether an index can be made for it."""
    return len(part.pieces) > 1 and part.pieces[1].index == 1 and len(part.pieces) <= _MOST_ENTRIES


def size_of(passage: Sequence[Piece]) -> int:
    """How many bytes `joined` gives for it."""
    content = sum(one.size - TAG_BYTES for one in passage)
    if len(passage) <= 1:
        return content
    return _MOOF_BYTES + _SAMPLE_BYTES * sum(one.frames for one in passage) + _BOX_BYTES + content


def index_of(part: Part, film: Sequence[Sequence[Piece]]) -> bytes:
    """A segment index box over all passages, to stand right before the first. Empty where none can be made."""
    if not has_index(part):
        return b""
    ends = [one[0].first_pts for one in film] + [film[-1][-1].last_pts + NOMINAL_US]
    references = b"".join(
        struct.pack(">III", size_of(one), to_us - from_us, _STARTS_WITH_SAP)
        for one, (from_us, to_us) in zip(film, pairwise(ends), strict=True)
    )
    begins_us = film[0][0].first_pts - part.first_pts
    return _box(b"sidx", 1 << 24, struct.pack(">IIQQHH", _TRACK, _TIMESCALE, begins_us, 0, 0, len(film)), references)


@dataclass(frozen=True, slots=True)
class _Run:
    """What a fragment holds: when it begins, its samples as (duration, size, flags), their bytes one after another."""

    number: int
    begins: int
    samples: list[tuple[int, int, int]]
    payload: bytes


def joined(passage: Sequence[Piece], contents: Sequence[bytes]) -> bytes:
    """One fragment of all these, `size_of` bytes long. Raises EvidenceTrouble("evidence.not_decryptable")."""
    if len(passage) == 1:
        return contents[0]
    try:
        runs = [_run(content, piece.frames) for piece, content in zip(passage, contents, strict=True)]
        return _written(runs, size_of(passage))
    except (struct.error, KeyError, ValueError) as trouble:
        raise EvidenceTrouble("evidence.not_decryptable", "not the fragment that the journal names") from trouble


def _written(runs: Sequence[_Run], room: int) -> bytes:
    """Headers, what is left of the room (headers that one fragment needs only once), pictures.

    The pictures stand last: a player goes on right behind them, and looks whether it knows the fragment that is there.
    """
    samples = []
    for run, after in zip(runs, [*runs[1:], None], strict=True):
        *rest, (duration, size, flags) = run.samples
        if after is not None:  # the next one says when its first picture comes
            duration = after.begins - run.begins - sum(sample[0] for sample in rest)
        samples += [*rest, (duration, size, flags)]
    payload = b"".join(run.payload for run in runs)
    table = b"".join(struct.pack(">III", *sample) for sample in samples)
    head = struct.pack(">II", len(samples), room - len(payload))
    traf = _box(b"tfhd", 0x020000, struct.pack(">I", _TRACK)) + _box(
        b"tfdt", 1 << 24, struct.pack(">Q", runs[0].begins)
    )
    traf += _box(b"trun", 0x000701, head, table)
    moof = _box(b"mfhd", 0, struct.pack(">I", runs[0].number)) + _plain(b"traf", traf)
    heads, pictures = _plain(b"moof", moof), _plain(b"mdat", payload)
    return heads + _plain(b"free", bytes(room - len(heads) - len(pictures) - _BOX_BYTES)) + pictures


def _plain(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", _BOX_BYTES + len(content), kind) + content


def _box(kind: bytes, version_flags: int, *content: bytes) -> bytes:
    return _plain(kind, struct.pack(">I", version_flags) + b"".join(content))


def _boxes(data: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """(kind, where it begins, content) of each box."""
    at = 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < _BOX_BYTES:
            raise struct.error("a box without a size")
        yield kind, at, data[at + _BOX_BYTES : at + size]
        at += size


def frames_in(moof: bytes) -> int:
    """How many pictures a movie fragment's box says it has: what its track runs count (8.8.8). Raises struct.error."""
    ((_, _, inside),) = _boxes(moof)
    tracks = (content for kind, _, content in _boxes(inside) if kind == b"traf")
    return sum(_counted(content)[1] for track in tracks for kind, _, content in _boxes(track) if kind == b"trun")


def _run(fragment: bytes, frames: int) -> _Run:
    """What a fragment of one run with so many frames holds (8.8.7, 8.8.8, 8.8.12)."""
    (_, moof_at, moof), *_rest = (box for box in _boxes(fragment) if box[0] == b"moof")
    inside = {kind: content for kind, _, content in _boxes(moof)}
    track = {kind: content for kind, _, content in _boxes(inside[b"traf"])}
    defaults = _defaults(track[b"tfhd"])
    (begins,) = struct.unpack_from(">Q", track[b"tfdt"], 4)
    (number,) = struct.unpack_from(">I", inside[b"mfhd"], 4)
    offset, samples = _samples(track[b"trun"], frames, defaults)
    start = moof_at + offset
    payload = fragment[start : start + sum(size for _, size, _ in samples)]
    return _Run(number, begins, samples, payload)


def _defaults(tfhd: bytes) -> dict[int, int]:
    """Duration, size and flags by the bit that announces them."""
    (flags,) = struct.unpack_from(">I", tfhd)
    at, found = 8, {0x08: 0, 0x10: 0, 0x20: 0}
    for bit, size in ((0x01, 8), (0x02, 4), (0x08, 4), (0x10, 4), (0x20, 4)):
        if flags & bit:
            if bit in found:
                (found[bit],) = struct.unpack_from(">I", tfhd, at)
            at += size
    return found


def _counted(trun: bytes) -> tuple[int, int]:
    """A track run's flags, and how many samples it has."""
    flags, count = struct.unpack_from(">II", trun)
    return flags, count


def _samples(trun: bytes, frames: int, defaults: dict[int, int]) -> tuple[int, list[tuple[int, int, int]]]:
    """Where the bytes begin, from the start of the moof, and each sample. ValueError for what ours never writes."""
    flags, count = _counted(trun)
    if flags & 0x800 or not flags & 0x01 or count != frames:
        raise ValueError("composition offsets, no offset of the data, or other frames than were meant")
    (offset,) = struct.unpack_from(">i", trun, 8)
    at, first = 12, None
    if flags & 0x04:
        ((first,), at) = struct.unpack_from(">I", trun, at), at + 4
    samples = []
    for n in range(count):
        values = []
        for own, default in ((0x100, 0x08), (0x200, 0x10), (0x400, 0x20)):
            if flags & own:
                values.append(struct.unpack_from(">I", trun, at)[0])
                at += 4
            else:
                values.append(defaults[default])
        if n == 0 and first is not None:
            values[2] = first
        samples.append((values[0], values[1], values[2]))
    return offset, samples
