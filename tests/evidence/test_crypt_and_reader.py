"""Encryption opens only what was sealed, where it was sealed; reading is as if nothing were encrypted."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import EvidenceTrouble
from app.evidence.crypt import TAG_BYTES, PartOpener, PartSealer, new_part_id
from app.evidence.export import export_mp4
from app.evidence.journal import Signer, parse_record, seal_record
from app.evidence.reader import DecryptedRecording, recording_parts
from app.evidence.writer import Origin, RecordingKeys, create_recording
from app.recorder.sink import Take

KEY = bytes(range(32))


@given(fragments=st.lists(st.binary(max_size=300), min_size=1, max_size=6))
def test_sealed_opens_at_its_place_only(fragments: list[bytes]) -> None:
    part = new_part_id()
    sealer, opener, other = PartSealer(KEY, part), PartOpener(KEY, part), PartOpener(KEY, new_part_id())
    sealed = [sealer.seal(fragment) for fragment in fragments]
    for n, one in enumerate(sealed):
        assert opener.open(n, one) == fragments[n]
        assert len(one) == len(fragments[n]) + TAG_BYTES
        for wrong, index in ((opener, n + 1), (other, n)):
            with pytest.raises(EvidenceTrouble, match=r"evidence\.not_decryptable"):
                wrong.open(index, one)
    assert len({PartSealer(KEY, new_part_id()).seal(b"same") for _ in range(4)}) == 4


@given(data=st.binary(min_size=1, max_size=100), at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_flipped_bit_does_not_decrypt(data: bytes, at: int, bit: int) -> None:
    part = new_part_id()
    sealed = bytearray(PartSealer(KEY, part).seal(data))
    sealed[at % len(sealed)] ^= 1 << bit
    with pytest.raises(EvidenceTrouble):
        PartOpener(KEY, part).open(0, bytes(sealed))


@given(
    body=st.dictionaries(
        st.text(max_size=8), st.none() | st.booleans() | st.integers() | st.text(max_size=20), max_size=4
    )
)
def test_records_read_back_and_have_one_spelling(body: dict) -> None:
    signer = Signer(bytes(32))
    fields = {"n": 3, "kind": "event", "prev": "ab", "mono_us": 1, "wall_us": 2, "event": "x", "body": body}
    line = seal_record(fields, signer)
    record = parse_record(line[:-1], 3, "ab")
    assert dict(record.fields) == fields
    assert record.signed_by(signer.public_key)
    assert not record.signed_by(Signer(bytes(31) + b"\x01").public_key)
    with pytest.raises(EvidenceTrouble, match=r"evidence\.record_malformed"):
        parse_record(line[:-1].replace(b'{"body"', b'{ "body"'), 3, "ab")


@given(line=st.binary(max_size=80))
def test_no_bytes_upset_the_record_reader(line: bytes) -> None:
    with pytest.raises(EvidenceTrouble):
        parse_record(line, 0, "")


@settings(max_examples=60, deadline=None)
@given(moves=st.lists(st.tuples(st.sampled_from(["seek", "end", "read"]), st.integers(0, 70_000)), max_size=20))
def test_reads_and_seeks_like_a_plain_file(minute: Path, keys: RecordingKeys, moves: list[tuple[str, int]]) -> None:
    part = recording_parts(minute)[0]
    with DecryptedRecording(minute, keys.content, part) as film:
        plain = io.BytesIO(film.read())
        assert film.size == len(plain.getvalue()) > 700_000
        assert plain.getvalue()[4:8] == b"ftyp"
        film.seek(0)
        for move, amount in moves:
            if move == "read":
                assert film.read(amount) == plain.read(amount)
            elif move == "seek":
                assert film.seek(amount) == plain.seek(amount)
            else:
                assert film.seek(-min(amount, film.size), io.SEEK_END) == plain.seek(
                    -min(amount, film.size), io.SEEK_END
                )
            assert film.tell() == plain.tell()


def test_wrong_key_reads_nothing_and_real_footage_is_not_exported(
    closed: Path, tmp_path: Path, record, keys: RecordingKeys
) -> None:
    part = recording_parts(closed)[0]
    with DecryptedRecording(closed, bytes(32), part) as film, pytest.raises(EvidenceTrouble):
        film.read(10)
    with pytest.raises(EvidenceTrouble, match=r"evidence\.not_decryptable"):
        export_mp4(closed, bytes(32), tmp_path / "out.mp4")
    record(tmp_path / "real", rehearsal=False).close("sealed")
    with pytest.raises(EvidenceTrouble, match=r"evidence\.not_rehearsal"):
        export_mp4(tmp_path / "real", keys.content, tmp_path / "out.mp4")
    with pytest.raises(EvidenceTrouble, match=r"evidence\.no_recording"):
        export_mp4(tmp_path / "none", keys.content, tmp_path / "out.mp4")
    assert list(tmp_path.glob("out*")) == []
    assert repr(keys).count("00") == 0


def sizes_filmed(folder: Path, keys: RecordingKeys, sizes: tuple[int, ...] = (64, 128, 64)) -> Path:
    """A camera that gave twenty pictures of each of these widths, one after the other."""
    take = Take("r", create_recording(folder, keys, Origin("r", "file:t", True, True, "t")), lambda _told: None)
    for n in range(20 * len(sizes)):
        width = sizes[n // 20]
        planes = np.full(width * width * 3 // 2, 16 + n, np.uint8)
        take.frame(planes, 1_000_000 + n * 33_333, width, width)
    take.close("done")
    return folder


def test_a_camera_that_changes_its_size_becomes_a_film_each(tmp_path: Path, keys: RecordingKeys) -> None:
    done = export_mp4(sizes_filmed(tmp_path / "r", keys), keys.content, tmp_path / "out.mp4", first=2)
    assert [path.name for path in done.paths] == ["out-2.mp4", "out-3.mp4", "out-4.mp4"]
    assert done.frames == 60
    assert {path.name for path in tmp_path.iterdir()} == {"r", *(path.name for path in done.paths)}


_EXPORTED_UNTIL_CTRL_C = """
import signal, sys
from pathlib import Path
from app.evidence.export import export_mp4
from app.evidence.reader import DecryptedRecording

signal.signal(signal.SIGINT, signal.default_int_handler)
read = DecryptedRecording._piece

def interrupted(film, piece):
    signal.raise_signal(signal.SIGINT)  # FFmpeg took it for the end of the film, and the export was well
    return read(film, piece)

DecryptedRecording._piece = interrupted
try:
    export_mp4(Path(sys.argv[1]), bytes.fromhex(sys.argv[2]), Path(sys.argv[3]))
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("harm", ["damaged", "Ctrl-C"])
def test_what_ends_an_export_in_the_middle_leaves_no_part_of_it(tmp_path: Path, keys: RecordingKeys, harm: str) -> None:
    """One of two films is not the recording, and half a film is none; one that was there stays as it was."""
    folder, out = sizes_filmed(tmp_path / "r", keys, (64, 128)), tmp_path / "out.mp4"
    out.write_bytes(b"of yesterday")
    if harm == "damaged":
        last = max(folder.glob("part-0002*"))
        last.write_bytes(last.read_bytes()[:-40] + bytes(40))
        with pytest.raises(EvidenceTrouble, match=r"evidence\.bytes_changed"):
            export_mp4(folder, keys.content, out)
    else:
        argv = [sys.executable, "-c", _EXPORTED_UNTIL_CTRL_C, str(folder), keys.content.hex(), str(out)]
        assert subprocess.run(argv, timeout=120, check=False).returncode == 130
    assert {path.name for path in tmp_path.iterdir()} == {"r", "out.mp4"}
    assert out.read_bytes() == b"of yesterday"
