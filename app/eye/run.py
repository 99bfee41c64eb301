"""The eye program: newest frame in, sightings and card reads out; a read is kept until the station has acknowledged it.

    cardintake eye --folder DIR [--orphan-s 60]

One thread looks (nice 10, so that recording goes first); the door has its own. A station that comes back is told
every read that was not acknowledged; it drops repeats by their id. Nothing here is written to a disk.
"""

from __future__ import annotations

import argparse
import logging
from functools import partial
from pathlib import Path

import cv2

from app.catalog.shelf import Sources, read_sources
from app.core.cards import CardRead
from app.core.errors import Trouble
from app.core.products import Catalogue
from app.eye import codec
from app.eye.oneshot import make_looker
from app.eye.watcher import Glimpse, Told, Watcher
from app.frames import Frame, FrameReader
from app.living import live
from app.paths import StationFolder
from app.platform import lower_priority
from app.programs import ProgramDoor
from app.vision.picture.pixels import from_planes

NICE = 10
_IDLE_S = 0.008
_UNCONFIGURED_S = 0.2
_MOST_KEPT = 200  # reads without acknowledgement; more than a parcel holds

log = logging.getLogger("cardintake.eye")


class Eye:
    """The program without its process: `run` looks until Quit, a signal, or too long alone."""

    def __init__(self, folder: StationFolder, orphan_s: float) -> None:
        self._door = ProgramDoor(folder.eye_lock, "eye")
        self._frames = FrameReader(folder.frames)
        self._orphan_s = orphan_s
        self._configured: codec.Configure | None = None
        self._watcher: Watcher | None = None
        self._kept: dict[str, CardRead] = {}
        self._seq = 0
        self._at_us = 0
        self._ending = ""

    def run(self) -> None:
        """Raises ProgramError("program.already_running") or OSError before anything has begun."""
        self._door.open()
        log.info("eye listens")
        try:
            while not self._ending:
                self._turn()
        finally:
            self._frames.close()
            self._door.close()
        log.info("eye ends: %s", self._ending)

    def end(self, reason: str) -> None:
        """Ask `run` to return; may be called from a signal."""
        self._ending = self._ending or reason

    def _turn(self) -> None:
        frame = None if self._watcher is None else self._frames.newest(self._seq)
        if frame is not None and self._watcher is not None:
            self._see(frame, self._watcher)
        idle_s = _UNCONFIGURED_S if self._watcher is None else _IDLE_S
        message = self._door.receive(0 if frame is not None else idle_s)
        if message is not None:
            self._hear(message)
        if self._door.alone_for_s() > self._orphan_s:
            self.end("station_gone")

    def _see(self, frame: Frame, watcher: Watcher) -> None:
        self._seq, self._at_us = frame.seq, frame.mono_us
        for told in watcher.see(Glimpse(frame.mono_us, frame.y, partial(from_planes, frame.y, frame.u, frame.v))):
            self._post(told)

    def _post(self, told: Told) -> None:
        if isinstance(told, CardRead):
            log.info("card read %s", told.read_id)
            self._kept[told.read_id] = told
            while len(self._kept) > _MOST_KEPT:
                del self._kept[next(iter(self._kept))]
        self._tell(told)

    def _tell(self, message: codec.FromEye) -> None:
        self._door.send(codec.to_wire(message))

    def _hear(self, wire: dict[str, object]) -> None:
        try:
            message = codec.from_wire(wire)
        except ValueError as wrong:
            self._tell(codec.EyeTrouble("eye.refused", str(wrong)))
            return
        match message:
            case codec.Configure():
                self._configure(message)
            case codec.Watch(frames_path):
                self._frames.close()
                self._frames, self._seq = FrameReader(Path(frames_path)), 0
            case codec.Ack(read_id):
                self._kept.pop(read_id, None)
            case codec.ReadAgain(_) if self._watcher is not None:
                self._watcher.read_again(self._at_us)
            case codec.Forget() if self._watcher is not None:
                self._watcher.forget()
            case codec.Quit():
                self.end("quit")

    def _ready_for(self, wanted: codec.Configure) -> None:
        """Know these products; warm models stay as they are. Raises Trouble."""
        catalogue = _catalogue(wanted)
        if self._watcher is not None and self._configured is not None and wanted.threads == self._configured.threads:
            self._watcher.learn(catalogue)
            return
        cv2.setNumThreads(wanted.threads)
        self._watcher = Watcher(make_looker(catalogue, wanted.threads), catalogue)

    def _configure(self, wanted: codec.Configure) -> None:
        """A station has come (perhaps again): be ready for it, and tell it what it may have missed."""
        if wanted != self._configured:
            try:
                self._ready_for(wanted)
            except Trouble as trouble:
                log.warning("%s", trouble)
                self._tell(codec.EyeTrouble(trouble.code, trouble.detail))
                return
            self._configured = wanted
        self._tell(codec.EyeReady(f"PP-OCRv6, OpenVINO, {wanted.threads} threads"))
        for read in self._kept.values():
            self._tell(read)


def _catalogue(wanted: codec.Configure) -> Catalogue:
    known = read_sources(Sources(wanted.templates, wanted.bound, wanted.catalogue, wanted.own, wanted.compiled))
    return Catalogue(tuple(p for p in known.products if wanted.rehearsal or not p.rehearsal), known.version)


def run(args: argparse.Namespace) -> int:
    """Run the program; exit codes as `app.living.live`."""
    lower_priority(NICE)
    return live(Eye(StationFolder(args.folder), args.orphan_s))
