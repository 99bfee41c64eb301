"""Codes from a scanner on a real pty, and the cutting of its bytes into codes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.errors import DeviceError, DeviceReason
from hardware.scanner.serial import CodeSplitter
from hardware.sim.scanner import SimulatedScanner, open_simulated_scanner

codes = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=40)


@pytest.fixture
def scanner() -> Iterator[SimulatedScanner]:
    scanner = open_simulated_scanner()
    yield scanner
    scanner.close()


def test_a_scanned_code_is_read_once(scanner: SimulatedScanner) -> None:
    scanner.scan("6901234567892")
    scanner.scan("6901234567892")
    scanner.scan("A-1")
    assert [scanner.read(1.0), scanner.read(1.0), scanner.read(0.05)] == ["6901234567892", "A-1", None]


def test_codes_scanned_in_one_go_are_read_one_by_one(scanner: SimulatedScanner) -> None:
    scanner.gun.send(b"1\r\n2\n3\r")
    assert [scanner.read(1.0) for _ in range(3)] == ["1", "2", "3"]


def test_nothing_scanned_is_none(scanner: SimulatedScanner) -> None:
    assert scanner.read(0.0) is None


def test_noise_is_garbled_and_the_next_code_is_read(scanner: SimulatedScanner) -> None:
    scanner.gun.send(b"\xff\xfe\x80\r")
    with pytest.raises(DeviceError) as trouble:
        scanner.read(1.0)
    assert trouble.value.reason is DeviceReason.GARBLED
    scanner.scan("7")
    assert scanner.read(1.0) == "7"


def test_an_unplugged_scanner_is_lost(scanner: SimulatedScanner) -> None:
    scanner.gun.stop()
    with pytest.raises(DeviceError) as trouble:
        scanner.read(1.0)
    assert trouble.value.reason is DeviceReason.LOST


@given(st.lists(codes, max_size=8, unique=True), st.sampled_from(["\r", "\n", "\r\n"]), st.integers(1, 7))
def test_codes_survive_arrival_in_any_pieces(many: list[str], end: str, piece: int) -> None:
    splitter = CodeSplitter()
    line = "".join(code + end for code in many).encode()
    found = [code for at in range(0, len(line), piece) for code in splitter.feed(line[at : at + piece], 0.0)]
    assert found == many


def test_a_code_seen_again_within_800_ms_counts_once() -> None:
    splitter = CodeSplitter()
    times_s = [0.0, 0.7, 1.4, 2.3]  # held over the card until 1.4, shown again at 2.3
    assert [splitter.feed(b"1\r", at_s) for at_s in times_s] == [["1"], [], [], ["1"]]


def test_another_code_in_between_makes_it_count_again() -> None:
    assert CodeSplitter().feed(b"1\r2\r1\r", 0.0) == ["1", "2", "1"]


def test_the_remains_of_a_code_are_dropped() -> None:
    splitter = CodeSplitter()
    assert splitter.feed(b"12", 0.0) == []
    assert splitter.feed(b"34\r", 0.6) == ["34"]


@pytest.mark.parametrize("line", ["~690\r", "\x02~690\x03\r", "~]E0690\r"])
def test_what_stands_in_front_is_not_part_of_the_code(line: str) -> None:
    assert CodeSplitter(prefix="~").feed(line.encode(), 0.0) == ["690"]


def test_a_stream_without_end_is_refused() -> None:
    splitter = CodeSplitter()
    with pytest.raises(ValueError, match="no end"):
        splitter.feed(b"9" * 5000, 0.0)
    assert splitter.feed(b"1\r", 0.1) == ["1"]
