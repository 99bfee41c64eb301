"""The station's side of the eye: what it shall look at, what it saw, which reads are settled."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from app.core.cards import CardRead, Guidance, Sighting
from app.core.events import CardLeftTooEarly, CardSighted, CardWasRead, Device, DeviceBack, DeviceLost
from app.core.products import Catalogue
from app.eye import codec
from app.programs import Message
from app.station.link import ProgramLink, ProgramPlan
from app.station.shielding import Shield
from app.station.station import Adjust, Post

_log = logging.getLogger(__name__)


class Looking:
    """Drives the eye program. A restarted eye is configured again; reads not acknowledged come again by themselves."""

    def __init__(
        self, plan: ProgramPlan, configure: codec.Configure, frames: Path, post: Post, adjust: Adjust, shield: Shield
    ) -> None:
        self._configure, self._frames, self._shield = configure, frames, shield
        self._post, self._adjust = post, adjust
        self._watching = False
        self._last_read_id = ""
        self._again = False  # the eye was away when it should have read once more
        self._link = ProgramLink(plan, self._say_all_again, self._hear, self._gone)
        self.ready = False

    def start(self) -> None:
        self._link.start()

    def stop(self, end_program: bool) -> None:
        self._link.stop(end_program)

    def watch(self, on: bool) -> None:
        """Read cards from now on, or rest. The eye looks all the time (its boxes guide the clerk)."""
        if on and not self._watching:
            self._send(codec.Forget())
        self._watching = on

    def read_by(self, configure: codec.Configure, catalogue: Catalogue) -> None:
        """Have cards read by another catalogue from now on; an eye that is away is told when it is back."""
        self._configure = configure
        self._shield.know(catalogue)
        self._send(configure)

    def read_again(self) -> None:
        """Have the card that lies there read once more; an eye that is away is told when it is back."""
        self._again = not self._send(codec.ReadAgain(self._last_read_id))

    def acknowledge(self, read_id: str) -> None:
        self._send(codec.Ack(read_id))

    def _send(self, message: codec.ToEye) -> bool:
        return self._link.send(codec.to_wire(message))

    def _say_all_again(self) -> None:
        self._send(self._configure)
        self._send(codec.Watch(str(self._frames)))
        if self._again:
            self.read_again()

    def _hear(self, message: Message) -> None:
        match codec.from_wire(message):
            case Sighting() as sighting:
                self._saw(sighting)
            case CardRead() as read:
                self._read(read)
            case codec.LeftTooEarly():
                if self._watching:
                    self._post(CardLeftTooEarly())
            case codec.EyeReady():
                self.ready = True
                self._post(DeviceBack(Device.EYE))
            case codec.EyeTrouble(code, _):
                self._post(DeviceLost(Device.EYE, code))

    def _saw(self, sighting: Sighting) -> None:
        self._shield.saw(sighting)
        glare = None if sighting.guidance is Guidance.EMPTY else sighting.glare
        sharpness = None if sighting.guidance is Guidance.EMPTY else sighting.sharpness
        self._adjust(lambda around: replace(around, camera=replace(around.camera, sharpness=sharpness, glare=glare)))
        self._post(CardSighted(sighting))

    def _read(self, read: CardRead) -> None:
        self._last_read_id = read.read_id
        self._shield.read(read)
        self._post(CardWasRead(read))

    def _gone(self, code: str) -> None:
        _log.error("eye: %s", code)
        self.ready = False
        self._post(DeviceLost(Device.EYE, "eye.garbled" if code == "program.garbled" else "eye.gone"))
