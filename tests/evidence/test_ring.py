"""The ring gives back what was written, up to any torn byte, to nobody without the key; wiped, it leaves nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import EvidenceTrouble
from app.evidence.ring import Note, Picture, RingSegment, leftovers, read_segment, shred_segment
from app.evidence.side import SidePart, VaultLock, open_side
from app.platform import boot_id

KEY = bytes(range(32))
pictures = st.builds(
    Picture, st.integers(1, 2**50), st.just(64), st.just(48), st.just("mjpeg"), st.binary(max_size=300)
)
notes = st.builds(Note, st.just("zones"), st.dictionaries(st.text(max_size=5), st.integers(), max_size=3))


@settings(max_examples=40)
@given(st.lists(pictures | notes, max_size=8), st.floats(0, 1))
def test_what_is_whole_comes_back(quick: str | None, entries: list[Picture | Note], cut: float) -> None:
    with tempfile.TemporaryDirectory(dir=quick) as at:
        segment = RingSegment(Path(at), KEY, 1)
        spots = [segment.append(entry) for entry in entries]
        segment.sync()
        assert [segment.read(spot) for spot in reversed(spots)] == entries[::-1]
        whole = read_segment(segment.path, KEY)
        assert (list(whole.entries()), whole.boot_id) == (entries, boot_id())
        data = segment.path.read_bytes()
        segment.path.write_bytes(data[: int(len(data) * cut)])
        some = list(read_segment(segment.path, KEY).entries())
        assert some == entries[: len(some)]
        segment.leave()


def test_nobody_reads_it_without_the_key_nor_after_it_was_wiped(tmp_path: Path) -> None:
    segment = RingSegment(tmp_path, KEY, 3)
    segment.append(Picture(5, 64, 48, "mjpeg", b"a freshly scratched card"))
    segment.sync()
    data = segment.path.read_bytes()
    assert b"scratched" not in data
    assert not list(read_segment(segment.path, bytes(32)).entries())
    assert leftovers(tmp_path) == [segment.path]
    kept = tmp_path / "kept"
    kept.hardlink_to(segment.path)  # as a disk that does not reuse its blocks would keep them
    segment.shred()
    segment.shred()
    assert leftovers(tmp_path) == []
    assert not list(read_segment(kept, KEY).entries())
    shred_segment(segment.path)


@pytest.mark.parametrize("flip", [30, 100, 150])
def test_a_flipped_bit_ends_it_there(tmp_path: Path, flip: int) -> None:
    segment = RingSegment(tmp_path, KEY, 1)
    for n in range(3):
        segment.append(Picture(n + 1, 64, 48, "mjpeg", bytes(50)))
    segment.leave()
    data = bytearray(segment.path.read_bytes())
    data[flip] ^= 4
    segment.path.write_bytes(data)
    assert len(list(read_segment(segment.path, KEY).entries())) < 3


def test_only_the_vault_opens_a_side_part(tmp_path: Path) -> None:
    vault, other = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    part = SidePart(tmp_path, "r1", 1, VaultLock("vault-1", vault.public_key().public_bytes_raw()))
    kept = [Picture(n, 64, 48, "mjpeg", bytes([n]) * 40) for n in range(1, 4)]
    for picture in kept:
        part.add(picture)
    part.sync()
    part.close()
    path = tmp_path / part.name
    assert list(open_side(path, vault)) == kept
    with pytest.raises(EvidenceTrouble):
        open_side(path, other)
    path.write_bytes(path.read_bytes()[:-10])
    assert list(open_side(path, vault)) == kept[:2]
    path.write_bytes(path.read_bytes().replace(b'"recording":"r1"', b'"recording":"r2"'))
    with pytest.raises(EvidenceTrouble):
        open_side(path, vault)
