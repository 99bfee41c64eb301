"""The NFC loop: a thread that asks the reader what lies in its field, and does what is asked of the chip there.

Nobody waits for it: what it finds and does comes back as events. A reader that hangs in the middle of a command is
named by a second thread within two seconds, whatever the driver is stuck in.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from app.core.cards import Tag
from app.core.events import Device, DeviceBack, DeviceLost, TagSeen
from app.core.readiness import DeviceFacts, Level
from app.station.plugged import Plugged, Use
from app.station.rounds import Rounds
from app.station.station import Adjust, Post
from hardware.errors import DeviceError
from hardware.ports import DeviceInfo, NfcReader, NfcSighting

T = TypeVar("T")

Open = Callable[[], NfcReader]

_POLL_S = 0.3
HUNG_S = 1.75
"""A command that takes so long hangs; with the look-out's pause it is named within two seconds."""

LOOK_OUT_S = 0.2
_FINISH_S = 1.5
"""How long a run that is under way when the station stops may take to come to its end before it is called off."""


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do with the reader, in its thread; `gone` is called when there is none or it is lost in the job."""

    run: Callable[[NfcReader], None]
    gone: Callable[[], None]


class Tapping:
    """Polls the reader and does jobs. Reopens a lost reader with growing pauses. It never writes but in a job."""

    def __init__(
        self,
        open_reader: Open,
        post: Post,
        adjust: Adjust,
        mono_us: Callable[[], int],
        crashed: Callable[[Exception], None],
    ) -> None:
        """`crashed` is told of a bug in this thread (any exception but a DeviceError)."""
        self._open, self._post, self._adjust, self._mono_us = open_reader, post, adjust, mono_us
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._reader: _Timed | None = None
        self._tell_anew = threading.Event()
        use = Use(self._open_timed, self._tell_ready, self._watch, self._tell_lost)
        self._plugged: Plugged[_Timed] = Plugged("nfc", use, crashed)
        self._look_out = LookOut(lambda: self._reader, self._tell_hung, self._tell_awake, crashed)

    def start(self) -> None:
        self._plugged.start()
        self._look_out.rounds.start()

    def stop(self) -> None:
        """End the loop; a run under way gets a moment to finish, then it is called off and its journal stays."""
        self._look_out.rounds.stop()
        self._plugged.stop(_FINISH_S, self._call_off)

    def ask(self, job: Job) -> None:
        """Do a job as soon as the reader is free. Any thread."""
        self._jobs.put(job)

    def _call_off(self) -> None:
        if self._reader is not None:
            self._reader.cancel()

    def _open_timed(self) -> _Timed:
        return _Timed(self._open())

    def _watch(self, reader: _Timed, stopping: threading.Event) -> None:
        self._reader = reader
        last: tuple[str, ...] = ()
        while not stopping.wait(_POLL_S / 3):
            self._work(reader, stopping)
            seen = reader.poll(_POLL_S)
            uids = tuple(sorted(s.target.uid.hex() for s in seen))
            if uids != last or self._tell_anew.is_set():
                self._tell_anew.clear()
                last = uids
                tag = _tag(seen[0], reader.info.simulated) if len(seen) == 1 else None
                self._post(TagSeen(tag, self._mono_us(), several=len(seen) > 1))

    def _work(self, reader: NfcReader, stopping: threading.Event) -> None:
        while not stopping.is_set():
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            try:
                job.run(reader)
            except DeviceError:
                job.gone()  # whoever asked waits for an end
                raise

    def _tell_ready(self, reader: _Timed, was_lost: bool) -> None:
        info = reader.info
        facts = DeviceFacts(Level.OK, info.name, info.address, "", info.simulated)
        self._adjust(lambda around: replace(around, nfc=facts))
        if was_lost:
            self._post(DeviceBack(Device.NFC))

    def _tell_lost(self, trouble: DeviceError) -> None:
        self._reader = None
        self._tell_down(f"nfc.{trouble.reason.value}")
        while not self._jobs.empty():
            self._jobs.get_nowait().gone()

    def _tell_hung(self) -> None:
        self._tell_down("nfc.timeout")

    def _tell_down(self, code: str) -> None:
        self._adjust(lambda around: replace(around, nfc=replace(around.nfc, level=Level.DOWN, code=code)))
        self._post(DeviceLost(Device.NFC, code))

    def _tell_awake(self) -> None:
        """It came back by itself: what lies there is told anew, for whoever was told that the reader was gone."""
        self._adjust(lambda around: replace(around, nfc=replace(around.nfc, level=Level.OK, code="")))
        self._post(DeviceBack(Device.NFC))
        self._tell_anew.set()


class _Timed:
    """A reader that says since when it has been busy with one command."""

    def __init__(self, reader: NfcReader) -> None:
        self._reader = reader
        self.busy_since_s = 0.0  # 0: idle

    @property
    def info(self) -> DeviceInfo:
        return self._reader.info

    @property
    def firmware(self) -> str:
        return self._reader.firmware

    def poll(self, timeout_s: float) -> list[NfcSighting]:
        return self._timed(lambda: self._reader.poll(timeout_s))

    def command(self, code: int, data: bytes, timeout_s: float) -> bytes:
        return self._timed(lambda: self._reader.command(code, data, timeout_s))

    def cancel(self) -> None:
        self._reader.cancel()

    def close(self) -> None:
        self._reader.close()

    def _timed(self, work: Callable[[], T]) -> T:
        self.busy_since_s = time.monotonic()
        try:
            return work()
        finally:
            self.busy_since_s = 0.0


class LookOut:
    """Sees when a reader hangs, and when it comes back by itself; `on_bug` is told of bugs."""

    def __init__(
        self,
        reader: Callable[[], _Timed | None],
        hung: Callable[[], None],
        awake: Callable[[], None],
        on_bug: Callable[[Exception], None],
    ) -> None:
        self._reader, self._hung, self._awake = reader, hung, awake
        self._told: _Timed | None = None  # of which it was said that it hangs
        self.rounds = Rounds("nfc-look-out", self._go_round, LOOK_OUT_S, on_bug, first_s=LOOK_OUT_S)

    def _go_round(self) -> None:
        reader, told = self._reader(), self._told
        since_s = reader.busy_since_s if reader is not None else 0.0
        hangs = since_s > 0 and time.monotonic() - since_s > HUNG_S
        if hangs and told is None:
            self._told = reader
            self._hung()
        elif told is not None and not hangs:
            self._told = None
            if reader is told:  # else it was lost, and whoever opens it anew says so
                self._awake()


def _tag(seen: NfcSighting, simulated: bool) -> Tag:
    target = seen.target
    return Tag(target.uid.hex().upper(), target.atqa.hex().upper(), f"{target.sak:02X}", seen.family, simulated)
