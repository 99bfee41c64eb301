"""The recorder program: joins door, capture and encoding; goes on alone for a while when the station vanishes.

    python -m app recorder --folder DIR [--orphan-s 60]

Threads: main (commands, state twice a second), capture, encode, and the door's. Keys come by the connection and live
in memory only. Reviewable pictures of a real camera are masked; unmasked ones leave memory only encrypted in the ring
or sealed to the vault.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from app.living import EXIT_OK, add_arguments, live
from app.paths import StationFolder
from app.platform import give_back_free_memory
from app.programs import ProgramDoor
from app.recorder import protocol as told
from app.recorder.capture import Capture, FrameTaker, OpenCamera
from app.recorder.line import Line
from hardware.catalog import open_camera

EXIT_BUG = 1

_TELL_EVERY_S = 0.4
_TIDY_EVERY_S = 60.0
_BUG = "bug"

log = logging.getLogger("cardintake.recorder")


LABEL_FPS = 5.0
"""More than this the label camera gives to no recording: what is on a label does not move."""


class Guarding(FrameTaker, Protocol):
    """What stands between the label camera and the line (`app.recorder.guard`)."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def cards_out(self, out: bool) -> None: ...

    @property
    def alive(self) -> bool: ...


MakeGuard = Callable[[Line], Guarding]


class Recorder:
    """The program without its process: `run` serves the station until Quit, a signal, or too long alone."""

    def __init__(
        self,
        folder: StationFolder,
        orphan_s: float,
        open_device: OpenCamera = open_camera,
        make_guard: MakeGuard | None = None,
    ) -> None:
        """`make_guard`: this is the label camera's recorder, which masks by what the guard sees, and takes less."""
        self._line = Line(self._tell, self._tell)
        self._guard = None if make_guard is None else make_guard(self._line)
        if self._guard is None:
            self._door = ProgramDoor(folder.recorder_lock, "recorder")
            self._capture = Capture(folder.frames, self._line, open_device)
        else:
            self._door = ProgramDoor(folder.label_recorder_lock, "label-recorder")
            self._capture = Capture(folder.frames, self._guard, open_device, share=False, most_fps=LABEL_FPS)
        self._orphan_s = orphan_s
        self._ending = ""

    def run(self) -> None:
        """Raises ProgramError("program.already_running") or OSError before anything has begun."""
        self._door.open()
        self._capture.start()
        self._line.start()
        if self._guard is not None:
            self._guard.start()
        log.info("recorder is ready")
        try:
            self._serve()
        finally:
            self._close()
        log.info("recorder ends: %s", self._ending)

    @property
    def failed(self) -> bool:
        """Whether a thread of it ended by a bug."""
        return self._ending == _BUG

    def end(self, reason: str) -> None:
        """Ask `run` to close the recording and return; may be called from a signal."""
        self._ending = self._ending or reason

    def _serve(self) -> None:
        tell_at_s = tidy_at_s = 0.0
        while not self._ending:
            message = self._door.receive(0.1)
            if message is not None:
                self._hear(message)
            now_s = time.monotonic()
            if now_s >= tell_at_s:
                tell_at_s = now_s + _TELL_EVERY_S
                self._tell(self._capture.refreshed_state())
                self._tell(self._line.state())
            if now_s >= tidy_at_s:
                tidy_at_s = now_s + _TIDY_EVERY_S
                give_back_free_memory()
            if self._door.alone_for_s() > self._orphan_s:
                self.end("station_gone")
            guarded = self._guard is None or self._guard.alive
            if not (self._line.alive and self._capture.alive and guarded):
                self.end(_BUG)

    def _close(self) -> None:
        if self._line.recording_id and self._ending != _BUG:  # after a bug the next recorder goes on with it
            self._line.end(self._ending)
        self._capture.stop()
        if self._guard is not None:
            self._guard.stop()
        self._line.stop()
        self._door.close()

    def _tell(self, message: told.FromRecorder) -> None:
        self._door.send(told.to_wire(message))

    def _hear(self, wire: dict[str, object]) -> None:
        try:
            message = told.from_wire(wire)
        except ValueError as wrong:
            self._tell(told.Trouble("recorder.refused", str(wrong)))
            return
        match message:
            case told.Start():
                self._begin(message)
            case told.Stop(reason):
                self._line.end(reason)
            case told.Zones():
                self._line.zones(message)
            case told.NoteEvent(event, body):
                self._line.note(event, body)
            case told.OpenCamera(address):
                self._preview(address)
            case told.CardsOut(out) if self._guard is not None:
                self._guard.cards_out(out)
            case told.Quit():
                self.end("quit")
            case _:
                self._tell(told.Trouble("recorder.refused", "not for the recorder"))

    def _begin(self, start: told.Start) -> None:
        """Begin, or go on with the same recording; the same one with another camera changes the camera."""
        running = self._line.recording_id
        reviewable = start.masked or (start.rehearsal and told.is_film(start.camera))
        if not reviewable and not start.vault_key:
            self._tell(told.Trouble("recorder.refused", "unmasked pictures are kept only sealed to a vault key"))
        elif running not in ("", start.recording_id):
            self._tell(told.Trouble("recorder.refused", f"{running} is being recorded"))
        elif running and told.is_film(start.camera) and not told.is_film(self._line.began_with):
            self._tell(told.Trouble("recorder.refused", "no film goes on with what a camera began"))
        elif running and start.aside and told.is_film(self._line.began_with):
            self._tell(told.Trouble("recorder.refused", "no camera goes on unmasked with what a film began"))
        else:
            self._capture.use(start.camera)
            if not running:
                self._line.begin(start)

    def _preview(self, address: str) -> None:
        running = self._line.recording_id
        if running and address != self._capture.state.address:
            self._tell(told.Trouble("recorder.refused", f"{running} is being recorded"))
        else:
            self._capture.use(address)


def main(argv: Sequence[str]) -> int:
    """Run the program with these arguments; see `run`."""
    parser = argparse.ArgumentParser(prog="cardintake recorder")
    add_arguments(parser)
    return run(parser.parse_args(argv))


def run(args: argparse.Namespace) -> int:
    """Run the program; what `serve` gives."""
    return serve(Recorder(StationFolder(args.folder), args.orphan_s))


def serve(recorder: Recorder) -> int:
    """Run it as this process; exit codes as `app.living.live`, and 1: ended by a bug."""
    code = live(recorder)
    return EXIT_BUG if code == EXIT_OK and recorder.failed else code
