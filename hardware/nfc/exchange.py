"""One question and one answer with a PN532: acknowledgement, resending, damaged answers, time-outs, cancelling.

The chip is silent towards a damaged question, so a missing ACK means "send again"; a damaged answer is asked for again
with a NACK; a question given up is called off with an ACK from the host (UM0701-02 section 6.2.1.3 and 6.2.2).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from hardware.errors import DeviceError, DeviceReason
from hardware.nfc.frames import ACK, CHIP_TO_HOST, HOST_TO_CHIP, NACK, Frame, FrameKind, FrameParser, encode
from hardware.ports import Link

SENDS = 3  # the question itself and two resends
NACKS = 2
# The manual says 15 ms; behind USB adapters (16 ms latency timer, busy bus) it takes up to ten times as long.
ACK_TIMEOUT_S = 0.3
NOT_HEARD = "no acknowledgement"
"""The detail of a TIMEOUT when the question itself was not taken, however often it was sent."""
_SLICE_S = 0.05
# How long the line has to be quiet before the next question, where an answer nobody waits for may be on its way.
_QUIET_S = 0.05
_QUIET_AFTER_RESEND_S = ACK_TIMEOUT_S + 0.1  # the ACK came late, so the resent question's answer will, too
_LONGEST_SETTLING_S = 1.0
# What an answer has of its time when the quiet before the question took a part, and what all of it may take together.
_LEAST_SHARE = 0.5
_LONGEST_QUESTION_S = 1.75


class CancelledError(DeviceError):
    """`Exchange.cancel` ended the question. A TIMEOUT for those who do not tell it apart."""

    def __init__(self, address: str) -> None:
        super().__init__(DeviceReason.TIMEOUT, address, "cancelled")


class Exchange:
    """The conversation over one link. One thread asks; `cancel` may come from another."""

    def __init__(self, link: Link, clock: Callable[[], float] = time.monotonic) -> None:
        self._link = link
        self._clock = clock
        self._parser = FrameParser()
        self._waiting: deque[Frame] = deque()
        self._cancelled = threading.Event()
        self._settle_for_s = 0.0
        self._heard = 0

    def ask(self, code: int, data: bytes, timeout_s: float, sends: int = SENDS, ack_s: float = ACK_TIMEOUT_S) -> bytes:
        """The data after the code of the chip's answer to one command.

        `timeout_s` runs from the acknowledgement on; but the quiet that a question sent twice before made necessary is
        taken from it, down to its half, since a hung reader is named within two seconds. The command may reach the chip
        up to `sends` times, so it has to be harmless when repeated; each time its acknowledgement is awaited for up to
        `ack_s`. Raises DeviceError: LOST; TIMEOUT when nothing answers in time or it was cancelled; GARBLED when the
        chip calls it a syntax error or what arrives is no PN532 frame.
        """
        began_s = self._clock()
        self._start_clean()
        asked_s = self._clock()
        left_s = max(timeout_s - (asked_s - began_s), _LEAST_SHARE * timeout_s)
        ack_s = min(ack_s, left_s / sends)
        latest_s = min(asked_s + left_s + (sends - 1) * ack_s, began_s + _LONGEST_QUESTION_S)
        question = encode(bytes((HOST_TO_CHIP, code)) + data)
        first = self._send_until_heard(question, code, sends, timeout_s, ack_s)
        heard_s = self._clock()
        try:
            return self._answer(first, code, min(heard_s + left_s, latest_s))
        except DeviceError as trouble:
            if trouble.reason is DeviceReason.TIMEOUT and not isinstance(trouble, CancelledError):
                # Given up before its time: until then its answer may still come, and must not be taken for another's.
                due_s = heard_s + max(timeout_s, _LONGEST_SETTLING_S) + _QUIET_S
                self._settle_for_s = max(self._settle_for_s, due_s - self._clock())
            raise

    def wake(self, preamble: bytes) -> None:
        """Send bytes that ask for nothing. Raises DeviceError(LOST)."""
        self._link.write(preamble)

    def acknowledge(self) -> None:
        """Send an ACK to the chip: ends a running command, confirms a change of speed. Raises DeviceError(LOST)."""
        self._link.write(ACK)

    def cancel(self) -> None:
        """End the question now running, or else the next one, with CancelledError."""
        self._cancelled.set()

    def _start_clean(self) -> None:
        self._settle()
        self._link.flush_input()
        self._parser.clear()
        self._waiting.clear()
        self._heard = 0

    def _settle(self) -> None:
        """Let late answers run out, so that none of them passes for the answer to the next question."""
        until_s = self._clock() + _LONGEST_SETTLING_S
        while self._settle_for_s and self._link.read(self._settle_for_s) and self._clock() < until_s:
            pass
        self._settle_for_s = 0.0

    def _send_until_heard(self, question: bytes, code: int, sends: int, timeout_s: float, ack_s: float) -> Frame:
        """The first frame that belongs to the question: its ACK or, where that was lost, the answer itself."""
        for attempt in range(sends):
            # A question that was sent twice may be answered twice, the second time as late as any answer may come.
            self._settle_for_s = max(_QUIET_AFTER_RESEND_S, timeout_s + _QUIET_S) if attempt else 0.0
            self._link.write(question)
            frame = self._next(code, self._clock() + ack_s)
            if frame is not None:
                return frame
        self._expect_strays()
        if self._heard:
            raise self._error(DeviceReason.GARBLED, "what answers is not a PN532")
        raise self._error(DeviceReason.TIMEOUT, NOT_HEARD)

    def _answer(self, frame: Frame | None, code: int, until_s: float) -> bytes:
        nacks = 0
        while frame is not None and frame.kind is not FrameKind.DATA:
            if frame.kind is FrameKind.ERROR:
                raise self._error(DeviceReason.GARBLED, f"command {code:02X}h refused as a syntax error")
            if frame.kind is FrameKind.BROKEN:
                nacks += 1
                self._ask_again(nacks)
            frame = self._next(code, until_s)
        if frame is None:
            self._call_off()
            raise self._error(DeviceReason.TIMEOUT, f"no answer to command {code:02X}h")
        return frame.body[2:]

    def _ask_again(self, nacks: int) -> None:
        if nacks > NACKS:
            self._call_off()
            raise self._error(DeviceReason.GARBLED, "answers arrive damaged")
        self._link.write(NACK)
        self._expect_strays()

    def _call_off(self) -> None:
        self.acknowledge()
        self._expect_strays()

    def _expect_strays(self) -> None:
        self._settle_for_s = max(self._settle_for_s, _QUIET_S)

    def _next(self, code: int, until_s: float) -> Frame | None:
        """The next frame that matters to a question with `code`, or None when none came in time."""
        while not self._waiting:
            self._refuse_when_cancelled()
            left_s = until_s - self._clock()
            if left_s <= 0:
                self._waiting += _relevant(self._parser.give_up(), code)
                break
            data = self._link.read(min(left_s, _SLICE_S))
            self._heard += len(data)
            self._waiting += _relevant(self._parser.feed(data), code)
        return self._waiting.popleft() if self._waiting else None

    def _refuse_when_cancelled(self) -> None:
        if self._cancelled.is_set():
            self._cancelled.clear()
            self._call_off()
            raise CancelledError(self._link.address)

    def _error(self, reason: DeviceReason, detail: str) -> DeviceError:
        return DeviceError(reason, self._link.address, detail)


def _relevant(frames: list[Frame], code: int) -> list[Frame]:
    """The frames that belong to a question with `code`; damaged ones only where no sound answer came with them."""
    head = bytes((CHIP_TO_HOST, code + 1))
    mine = [f for f in frames if f.kind is not FrameKind.DATA or f.body.startswith(head)]
    answered = any(f.kind is FrameKind.DATA for f in mine)
    return [f for f in mine if f.kind is not FrameKind.NACK and not (answered and f.kind is FrameKind.BROKEN)]
