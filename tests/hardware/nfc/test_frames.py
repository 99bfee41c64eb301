"""The frame codec: round trip, arrival in any pieces, noise, and damage that must not pass for data."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from hardware.nfc.frames import ACK, ERROR, LONGEST_BODY, NACK, Frame, FrameKind, FrameParser, encode

bodies = st.binary(min_size=1, max_size=LONGEST_BODY).filter(lambda body: body != b"\x7f")


def data(body: bytes) -> Frame:
    return Frame(FrameKind.DATA, body)


def parse(*pieces: bytes) -> list[Frame]:
    parser = FrameParser()
    frames = [frame for piece in pieces for frame in parser.feed(piece)]
    return frames + parser.give_up()


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("D402", "0000FF02FED4022A00"),
        ("D41401", "0000FF03FDD414011700"),
        ("D43205000102", "0000FF06FAD43205000102F200"),
        ("D44A0200", "0000FF04FCD44A0200E000"),
        ("D44A01008804A1B2C3D4E580", "0000FF0CF4D44A01008804A1B2C3D4E5800600"),
        ("D44260", "0000FF03FDD442608A00"),
    ],
)
def test_frames_are_those_of_the_manual(body: str, line: str) -> None:
    assert encode(bytes.fromhex(body)) == bytes.fromhex(line)


def test_control_frames_are_told_apart() -> None:
    kinds = [frame.kind for frame in parse(ACK + NACK + ERROR)]
    assert kinds == [FrameKind.ACK, FrameKind.NACK, FrameKind.ERROR]


@pytest.mark.parametrize("size", [0, LONGEST_BODY + 1])
def test_a_body_that_does_not_fit_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="frame body"):
        encode(bytes(size))


@given(bodies)
@example(bytes(255))
@example(bytes(256))
@example(bytes(LONGEST_BODY))
def test_round_trip(body: bytes) -> None:
    assert parse(encode(body)) == [data(body)]


@given(st.lists(bodies, max_size=3))
def test_bytes_may_come_one_at_a_time(many: list[bytes]) -> None:
    line = b"".join(ACK + encode(body) for body in many)
    wanted = [frame for body in many for frame in (Frame(FrameKind.ACK), data(body))]
    assert parse(*(bytes((byte,)) for byte in line)) == wanted


@given(bodies)
def test_preamble_and_postamble_may_be_missing(body: bytes) -> None:
    bare = encode(body)[1:-1]
    assert parse(bare + bare) == [data(body), data(body)]


@given(st.binary(max_size=40), bodies)
@example(b"\x00\x00\xff", b"\xd5\x03")
@example(b"\x00\x00\xff\x20\xe0", b"\xd5\x03")
@example(b"\x00\xff\xff\xff\x01\x00\xff", b"\xd5\x03")
@example(b"\x00\xff\xff", b"\xd5\x03")
def test_the_frame_behind_noise_is_found(noise: bytes, body: bytes) -> None:
    found = parse(noise, encode(body))
    assume(not any(frame.kind is FrameKind.DATA for frame in parse(noise)))
    assert data(body) in found


@given(bodies, st.data())
def test_one_damaged_byte_never_passes_for_other_data(body: bytes, draw: st.DataObject) -> None:
    line = bytearray(encode(body))
    at = draw.draw(st.integers(0, len(line) - 1), label="position")
    line[at] ^= draw.draw(st.integers(1, 255), label="flipped bits")
    # A body may carry a whole frame of its own; with the outer one damaged, nothing tells the two apart.
    assume(bytes(line).find(b"\x00\xff", 3) < 0)
    assert all(frame == data(body) for frame in parse(bytes(line)) if frame.kind is FrameKind.DATA)


@given(st.binary(max_size=300))
def test_the_parser_never_holds_more_than_one_frame(noise: bytes) -> None:
    parser = FrameParser()
    parser.feed(noise)
    parser.give_up()
    assert not parser.unfinished
