"""The NFC loop: a thread that asks the reader what lies in its field and tells the session what changed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from app.core.cards import Tag
from app.core.events import Device, DeviceBack, DeviceLost, Event, TagSeen
from app.core.readiness import DeviceFacts, Level, Surroundings
from app.station.plugged import Plugged, Use
from hardware.errors import DeviceError
from hardware.ports import NfcReader, NfcSighting

Post = Callable[[Event], None]
Adjust = Callable[[Callable[[Surroundings], Surroundings]], None]
Open = Callable[[], NfcReader]

_POLL_S = 0.3


class Tapping:
    """Polls the reader; only ever lists chips, never writes. Reopens a lost reader with growing pauses."""

    def __init__(self, open_reader: Open, post: Post, adjust: Adjust, mono_us: Callable[[], int]) -> None:
        self._post, self._adjust, self._mono_us = post, adjust, mono_us
        use = Use(open_reader, self._tell_ready, self._watch, self._tell_lost)
        self._plugged: Plugged[NfcReader] = Plugged("nfc", use)
        self.start, self.stop = self._plugged.start, self._plugged.stop

    def _watch(self, reader: NfcReader, stopping: threading.Event) -> None:
        last: tuple[str, ...] = ()
        while not stopping.wait(_POLL_S / 3):
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
