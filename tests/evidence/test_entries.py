"""Where a part can be entered is told from the journal alone, and a player that is told so reads little."""

from __future__ import annotations

import io
import random
import struct
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import EvidenceTrouble
from app.evidence.entries import index_of, joined, passages, size_of
from app.evidence.ledger import Part, Piece
from app.evidence.reader import DecryptedRecording, recording_parts
from app.evidence.writer import RecordingKeys
from app.recorder.encoder import Fragment, Header, PartEncoder

W, H = 64, 48
_TAG = 16


def picture(n: int) -> np.ndarray:
    return np.full(W * H * 3 // 2, 16 + n % 200, np.uint8)


def encoded(times: list[int]) -> list[Header | Fragment]:
    encoder = PartEncoder(W, H)
    made = [piece for n, at in enumerate(times) for piece in encoder.encode(picture(n), at)]
    return made + encoder.finish()


def as_part(pieces: list[Header | Fragment]) -> Part:
    part = Part(1, b"id", "part", W, H, 0, 0, "")
    for n, one in enumerate(pieces):
        times = (one.first_pts, one.last_pts, one.frames) if isinstance(one, Fragment) else (0, 0, 0)
        part.pieces.append(Piece(n + 1, 1, n, n, 0, len(one.data) + _TAG, "", "", *times))
    return part


def as_shown(part: Part, pieces: list[Header | Fragment]) -> bytes:
    """What the reader gives of it."""
    film = passages(part)
    whole = [pieces[0].data, index_of(part, film)]
    for one in film:
        whole.append(joined(one, [pieces[piece.index].data for piece in one]))
        assert len(whole[-1]) == size_of(one)
        assert boxes(whole[-1])[-1] == b"mdat", "what FFmpeg finds behind the pictures it takes for a new fragment"
    return b"".join(whole)


def boxes(data: bytes) -> list[bytes]:
    """The outermost boxes."""
    kinds, at = [], 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        kinds.append(kind)
        at += size
    assert at == len(data)
    return kinds


def packets(film: bytes) -> list[tuple[object, ...]]:
    """Each picture: when, how long, whether it stands alone, and its bytes."""
    with av.open(io.BytesIO(film), "r", format="mp4") as container:
        return [(p.pts, p.duration, p.is_keyframe, bytes(p)) for p in container.demux(video=0) if p.pts is not None]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.integers(15_000, 70_000), st.integers(100_000, 3_000_000)), min_size=1, max_size=120))
def test_the_rule_tells_which_fragments_begin_with_a_key_frame(apart: list[int]) -> None:
    """At any rate, with pauses: as the muxer has it, no more and no fewer."""
    times = [sum(apart[:n]) for n in range(len(apart))]
    pieces = encoded(times)
    fragments = [one for one in pieces if isinstance(one, Fragment)]
    with av.open(io.BytesIO(b"".join(one.data for one in pieces)), "r", format="mp4") as film:
        keys = {int(p.pts) for p in film.demux(video=0) if p.pts is not None and p.is_keyframe}
    firsts = [one.first_pts for one in fragments]
    assert keys <= set(firsts), "each key frame begins a fragment"
    part = as_part(pieces)
    assert [one[0].first_pts for one in passages(part)] == sorted(keys)
    shown = as_shown(part, pieces)
    assert packets(shown) == packets(b"".join(one.data for one in pieces))


class Counted(DecryptedRecording):
    read_bytes = 0

    def read(self, size: int = -1) -> bytes:
        data = super().read(size)
        self.read_bytes += len(data)
        return data


def test_a_part_opens_and_seeks_without_being_read_whole_and_each_seek_hits(minute: Path, keys: RecordingKeys) -> None:
    part = recording_parts(minute)[0]
    dice = random.Random(3)
    with Counted(minute, keys.content, part) as film, av.open(film, "r", format="mp4") as container:
        assert film.read_bytes < film.size / 8
        stream = container.streams.video[0]
        assert abs(int(container.duration or 0) - 60_000_000) < 100_000
        for _ in range(20):
            n = dice.randrange(60 * 30)
            container.seek(n * 33_333, stream=stream)
            first = next(container.decode(video=0))
            assert first.key_frame
            assert first.pts is not None
            assert n * 33_333 - 1_000_000 <= first.pts <= n * 33_333
        container.seek(0, stream=stream)
        assert sum(1 for _ in container.decode(video=0)) == 60 * 30


def test_a_stretch_that_begins_later_has_no_index_and_stays_as_it_was(minute: Path, keys: RecordingKeys) -> None:
    """Whether its first fragment begins with a key frame is then not known."""
    part = recording_parts(minute)[0]
    assert len(passages(part)) == 60
    assert index_of(part, passages(part))
    part.pieces[1:3] = []
    film = passages(part)
    assert film == [[one] for one in part.pieces[1:]]
    assert index_of(part, film) == b""
    with DecryptedRecording(minute, keys.content, part) as shown, av.open(shown, "r", format="mp4") as container:
        assert sum(1 for _ in container.decode(video=0)) == 59 * 30
    part.pieces[1:] = []
    assert index_of(part, passages(part)) == b""


@given(st.binary(max_size=400), st.integers(0, 12), st.integers(0, 255))
def test_what_is_no_fragment_is_refused(noise: bytes, at: int, value: int) -> None:
    pieces = encoded([n * 33_333 for n in range(30)])
    part = as_part(pieces)
    (one,) = passages(part)
    whole = [pieces[piece.index].data for piece in one]
    changed = bytearray(whole[1])
    changed[at * 8 % len(changed)] = value
    for contents in ([whole[0], noise], [whole[0], whole[0][: len(noise)]], [whole[0], bytes(changed)]):
        with suppress(EvidenceTrouble):  # or it happens to be one
            assert len(joined(one, contents)) == size_of(one)
