"""Question and answer on a bad line, to the byte and on a clock of the test's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hardware.errors import DeviceError, DeviceReason
from hardware.nfc.exchange import CancelledError, Exchange
from hardware.nfc.frames import ACK, ERROR, NACK, encode

CODE = 0x40
TIMEOUT_S = 1.0
Reply = list[tuple[float, bytes]]  # what arrives how long after


def answer(data: bytes) -> bytes:
    return encode(bytes((0xD5, CODE + 1)) + data)


def damaged(frame: bytes) -> bytes:
    return frame[:-2] + bytes((frame[-2] ^ 1, 0))


class ScriptedLink:
    """A line whose far end is a function, and whose clock goes on only while somebody reads."""

    address = "line"

    def __init__(self, far_end: Callable[[bytes], Reply]) -> None:
        self._far_end = far_end
        self._coming: Reply = []
        self.now_s = 0.0
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)
        self._coming += [(self.now_s + delay_s, reply) for delay_s, reply in self._far_end(data)]
        self._coming.sort(key=lambda reply: reply[0])

    def read(self, timeout_s: float) -> bytes:
        if self._coming and self._coming[0][0] <= self.now_s + timeout_s:
            at_s, data = self._coming.pop(0)
            self.now_s = max(self.now_s, at_s)
            return data
        self.now_s += timeout_s
        return b""

    def flush_input(self) -> None:
        self._coming = [reply for reply in self._coming if reply[0] > self.now_s]

    def close(self) -> None:
        self._coming.clear()


def ask(far_end: Callable[[bytes], Reply]) -> tuple[ScriptedLink, Exchange]:
    link = ScriptedLink(far_end)
    return link, Exchange(link, lambda: link.now_s)


def in_turn(*replies: Reply) -> Callable[[bytes], Reply]:
    """A far end that gives one reply after the other, whatever it is told."""
    left = iter(replies)
    return lambda _: next(left, [])


def is_question(data: bytes) -> bool:
    return data[5:7] == bytes((0xD4, CODE))


@pytest.mark.parametrize(
    "replies",
    [
        [[(0.01, ACK), (0.9, answer(b"x"))]],
        [[(0.01, ACK + answer(b"x"))]],
        [[(0.05, answer(b"x"))]],
        [[], [], [(0.2, ACK), (0.2, answer(b"x"))]],
        [[(0.01, ACK), (0.1, damaged(answer(b"x")))], [(0.1, damaged(answer(b"x")))], [(0.1, answer(b"x"))]],
        [[(0.01, ACK), (0.02, answer(b"")[:6] + b"\x00\x00\xff\x10" + answer(b"x"))]],
        [[(0.01, ACK), (0.02, b"\x00\x00\xff\x30\xd0"), (0.02, answer(b"x"))]],
        [[(0.01, ACK), (0.02, encode(b"\xd5\x4b\x00")), (0.03, answer(b"x"))]],
    ],
)
def test_the_answer_gets_through(replies: list[Reply]) -> None:
    _, exchange = ask(in_turn(*replies))
    assert exchange.ask(CODE, b"q", TIMEOUT_S) == b"x"


def test_a_question_that_nobody_hears_is_put_three_times() -> None:
    link, exchange = ask(lambda _: [])
    with pytest.raises(DeviceError) as trouble:
        exchange.ask(CODE, b"q", TIMEOUT_S)
    assert trouble.value.reason is DeviceReason.TIMEOUT
    assert [is_question(data) for data in link.written] == [True] * 3


def test_a_question_without_an_answer_is_called_off() -> None:
    link, exchange = ask(in_turn([(0.01, ACK)]))
    with pytest.raises(DeviceError) as trouble:
        exchange.ask(CODE, b"q", TIMEOUT_S)
    assert trouble.value.reason is DeviceReason.TIMEOUT
    assert link.written[1:] == [ACK]


def test_a_damaged_answer_is_asked_for_twice_again_and_then_called_off() -> None:
    link, exchange = ask(lambda data: [(0.01, damaged(answer(b"x")))] if data != ACK else [])
    with pytest.raises(DeviceError) as trouble:
        exchange.ask(CODE, b"q", TIMEOUT_S)
    assert trouble.value.reason is DeviceReason.GARBLED
    assert link.written[1:] == [NACK, NACK, ACK]


def test_a_refused_command_is_garbled() -> None:
    _, exchange = ask(in_turn([(0.01, ACK + ERROR)]))
    with pytest.raises(DeviceError) as trouble:
        exchange.ask(CODE, b"q", TIMEOUT_S)
    assert trouble.value.reason is DeviceReason.GARBLED


def test_a_late_answer_is_not_taken_for_the_next_one() -> None:
    late = [(0.01, ACK), (0.01 + TIMEOUT_S + 0.03, answer(b"late"))]
    _, exchange = ask(in_turn(late, [], [(0.01, ACK), (0.1, answer(b"next"))]))
    with pytest.raises(DeviceError):
        exchange.ask(CODE, b"1", TIMEOUT_S)
    assert exchange.ask(CODE, b"2", TIMEOUT_S) == b"next"


def test_cancelling_calls_the_question_off() -> None:
    def far_end(data: bytes) -> Reply:
        if is_question(data):
            exchange.cancel()
        return []

    link, exchange = ask(far_end)
    with pytest.raises(CancelledError):
        exchange.ask(CODE, b"q", TIMEOUT_S)
    assert link.written[1:] == [ACK]


class BadBoard:
    """Answers question n with n, after the faults drawn for it; an answer is late by less than the line settles."""

    def __init__(self, faults: list[str]) -> None:
        self._faults = faults
        self._last = b""

    def __call__(self, data: bytes) -> Reply:
        if data == NACK:
            return [(0.01, self._last)]
        if not is_question(data):
            return []
        fault = self._faults.pop() if self._faults else "none"
        self._last = answer(data[7:8])
        good: Reply = [(0.01, ACK), (0.02, self._last)]
        return {
            "none": good,
            "deaf": [],
            "no ack": good[1:],
            "ack late": [(0.32, ACK), (0.33, self._last)],
            "no answer": good[:1],
            "answer late": [(0.01, ACK), (0.01 + TIMEOUT_S + 0.03, self._last)],
            "damaged": [(0.01, ACK), (0.02, damaged(self._last))],
            "damaged, then again": [(0.01, ACK), (0.02, damaged(self._last)), (0.03, self._last)],
            "noise": [(0.01, b"\x00\x00\xff\x00\x00" + ACK), (0.02, b"\xff\x00\xff\x55" + self._last)],
        }[fault]


FAULTS = ["none", "deaf", "no ack", "ack late", "no answer", "answer late", "damaged", "damaged, then again", "noise"]


@given(st.lists(st.sampled_from(FAULTS), max_size=20))
@example(["no answer", "answer late", "ack late"])
def test_no_question_ever_gets_the_answer_of_another(faults: list[str]) -> None:
    _, exchange = ask(BadBoard(faults))
    for number in range(8):
        try:
            told = exchange.ask(CODE, bytes((number,)), TIMEOUT_S)
        except DeviceError:
            continue
        assert told == bytes((number,))
