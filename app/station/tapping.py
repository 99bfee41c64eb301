"""The NFC loop: a thread that asks the reader what lies in its field and tells the session what changed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from app.core.cards import Tag
from app.core.events import Device, DeviceBack, DeviceLost, Event, TagSeen
from app.core.readiness import DeviceFacts, Level, Surroundings
from hardware.errors import DeviceError
from hardware.ports import NfcReader, NfcSighting

Post = Callable[[Event], None]
Adjust = Callable[[Callable[[Surroundings], Surroundings]], None]
Open = Callable[[], NfcReader]

_POLL_S = 0.3
_PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0)


class Tapping:
    """Polls the reader; only ever lists chips, never writes. Reopens a lost reader with growing pauses."""

    def __init__(self, open_reader: Open, post: Post, adjust: Adjust, mono_us: Callable[[], int]) -> None:
        self._open, self._post, self._adjust, self._mono_us = open_reader, post, adjust, mono_us
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="nfc", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=3.0)

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                reader = self._open()
                try:
                    self._tell_ready(reader, was_lost=failures > 0)
                    failures = 0
                    self._watch(reader)
                finally:
                    reader.close()
            except DeviceError as trouble:
                self._tell_lost(trouble)
                self._stopping.wait(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)])
                failures += 1

    def _watch(self, reader: NfcReader) -> None:
        last: tuple[str, ...] = ()
        while not self._stopping.wait(_POLL_S / 3):
            seen = reader.poll(_POLL_S)
            uids = tuple(sorted(s.target.uid.hex() for s in seen))
            if uids != last:
                last = uids
                tag = _tag(seen[0], reader.info.simulated) if len(seen) == 1 else None
                self._post(TagSeen(tag, self._mono_us()))

    def _tell_ready(self, reader: NfcReader, was_lost: bool) -> None:
        info = reader.info
        facts = DeviceFacts(Level.OK, info.name, info.address, "", info.simulated)
        self._adjust(lambda around: replace(around, nfc=facts))
        if was_lost:
            self._post(DeviceBack(Device.NFC))

    def _tell_lost(self, trouble: DeviceError) -> None:
        code = f"nfc.{trouble.reason.value}"
        self._adjust(lambda around: replace(around, nfc=replace(around.nfc, level=Level.DOWN, code=code)))
        self._post(DeviceLost(Device.NFC, code))


def _tag(seen: NfcSighting, simulated: bool) -> Tag:
    target = seen.target
    return Tag(target.uid.hex().upper(), target.atqa.hex().upper(), f"{target.sak:02X}", seen.family, simulated)
