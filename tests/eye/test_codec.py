"""What eye and station say to each other comes through a JSON line unharmed; anything else is refused in silence."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.cards import (
    Barcode,
    Candidate,
    CardRead,
    CharReading,
    Crop,
    FieldReading,
    FieldState,
    Guidance,
    PanelState,
    Sighting,
    Whole,
    Zone,
)
from app.eye import codec

coordinates = st.floats(-5000, 5000, allow_nan=False)
points = st.tuples(coordinates, coordinates)
quads = st.tuples(points, points, points, points)
chances = st.floats(0, 1, allow_nan=False)
candidates = st.builds(Candidate, st.sampled_from("0123456789ABCXYZ"), chances)
chars = st.builds(CharReading, st.lists(candidates, min_size=1, max_size=3).map(tuple), st.booleans())
wholes = st.lists(
    st.builds(Whole, st.lists(chars, min_size=1, max_size=9).map(tuple), chances),
    min_size=1,
    max_size=3,
    unique_by=lambda whole: len(whole.chars),
).map(tuple)
readings = st.one_of(
    st.builds(FieldReading, st.sampled_from(FieldState), st.lists(chars, max_size=6).map(tuple), st.booleans()),
    wholes.map(lambda some: FieldReading(FieldState.DOUBTFUL, some[-1].chars, wholes=some)),
)
zones = st.lists(st.builds(Zone, st.sampled_from(("pin", "number")), quads, st.booleans()), max_size=3).map(tuple)
times = st.integers(0, 2**60)
crops = st.builds(Crop, st.just("pin"), st.integers(-1, 20), st.binary(max_size=40), st.integers(0, 20))
reads = st.builds(
    CardRead,
    read_id=st.uuids().map(str),
    first_us=times,
    best_us=times,
    product_id=st.none() | st.text(),
    gtin=st.none() | st.just("06924985861422"),
    barcodes=st.lists(st.builds(Barcode, st.sampled_from(("EAN13", "QR")), st.text()), max_size=3).map(tuple),
    number=readings,
    pin=readings,
    panel=st.sampled_from(PanelState),
    expiry=st.none() | st.dates(),
    face_value_fen=st.none() | st.integers(0, 10**7),
    quad=st.none() | quads,
    zones=zones,
    crops=st.lists(crops, max_size=2).map(tuple),
)
messages = st.one_of(
    reads,
    st.builds(Sighting, times, st.sampled_from(Guidance), st.none() | quads, zones, chances, chances),
    st.builds(codec.Configure, st.lists(st.text(), max_size=3).map(tuple), st.integers(1, 8), st.booleans()),
    st.builds(codec.Watch, st.text()),
    st.builds(codec.ReadAgain, st.text()),
    st.builds(codec.Ack, st.text()),
    st.just(codec.Forget()),
    st.just(codec.Quit()),
    st.builds(codec.LeftTooEarly, times, times),
    st.builds(codec.EyeReady, st.text()),
    st.builds(codec.EyeTrouble, st.text(), st.text()),
)


@given(message=messages)
def test_a_message_survives_the_line(message: codec.Message) -> None:
    assert codec.from_wire(json.loads(json.dumps(codec.to_wire(message)))) == message


@pytest.mark.parametrize(
    "wire",
    [
        {},
        {"kind": "Nonsense", "body": {}},
        {"kind": "Ack", "body": {}},
        {"kind": "Ack", "body": {"read_id": 7}},
        {"kind": "Ack", "body": {"read_id": "x", "more": 1}},
        {"kind": "Sighting", "body": []},
        {"kind": "Configure", "body": {"templates": "x", "threads": 1, "rehearsal": False}},
    ],
)
def test_anything_else_is_refused(wire: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not a message of the eye"):
        codec.from_wire(wire)


@pytest.mark.parametrize("count", [4, 5, 5000])
def test_more_whole_readings_than_are_ever_offered_are_refused(count: int) -> None:
    read = CardRead("r", 1, 2, None, None, (), _secret("8347"), _secret("4711"), PanelState.OPEN)
    wire = codec.to_wire(read)
    chars = wire["body"]["pin"]["chars"]
    wholes = [{"chars": chars * (n + 1), "p": 0.5} for n in range(min(count, 5))] * max(1, count // 5)
    wire["body"]["pin"] |= {"state": "doubtful", "wholes": wholes}
    with pytest.raises(ValueError, match="not a message of the eye"):
        codec.from_wire(wire)


def test_a_refusal_holds_no_word_of_the_content() -> None:
    read = CardRead("r", 1, 2, None, None, (), _secret("8347"), _secret("4711"), PanelState.OPEN, date(2030, 1, 1))
    wire = codec.to_wire(read)
    wire["body"]["panel"] = "unheard-of 4711"
    with pytest.raises(ValueError) as caught:
        codec.from_wire(wire)
    assert "4711" not in str(caught.value)
    assert caught.value.__cause__ is None


def _secret(text: str) -> FieldReading:
    return FieldReading(FieldState.READ, tuple(CharReading((Candidate(c, 1.0),), True) for c in text))
