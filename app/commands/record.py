"""`cardintake record --camera ADDRESS --out DIR`: films without a station and without the eye.

Prints `start`, with --print-frames then `<frame> <pts µs>` for each captured frame, and at the end one JSON object.
Exit 3: the camera gave no picture; 2: there is no such film, or it is none. A film (`file:`, `sim:`) becomes a
recording marked as rehearsal, keys beside it.
Of a real camera only the side stream is kept, sealed to --vault-key. A recording that was cut off goes on when the
command is given again.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from app.commands.loose import GIVEN, filmed_by_nobody, loose_keys
from app.commands.span import seconds
from app.commands.written import written
from app.core.errors import BadInput, EvidenceTrouble, StorageTrouble, Unavailable
from app.core.footage import OVERHEAD
from app.evidence.ledger import load
from app.evidence.recover import is_sealed_but_damaged
from app.evidence.writer import RESERVE, RecordingKeys
from app.frames import Plane
from app.recorder import protocol as told
from app.recorder.capture import Capture
from app.recorder.line import Line
from app.recorder.protocol import is_film
from app.reserve import OWN_RESERVE_BYTES
from hardware.catalog import is_camera, open_camera, shown_address
from hardware.errors import DeviceError, DeviceReason
from hardware.ports import Packet

_CLOSE_S = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--camera", required=True, metavar="ADDRESS")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the recording's folder")
    parser.add_argument("--seconds", type=seconds, default=0.0, help="stop after so long (0: at the end, or Ctrl-C)")
    parser.add_argument("--print-frames", action="store_true")
    parser.add_argument("--vault-key", default="", metavar="HEX", help="X25519 key that a real camera is sealed to")


class _Printer:
    """Stands between capture and line and prints each frame as it is captured."""

    def __init__(self, line: Line, print_frames: bool) -> None:
        self._line, self._print = line, print_frames
        self._first_us = self._count = 0
        self.ended = threading.Event()

    def take_frame(self, planes: Plane, mono_us: int, width: int, height: int, packet: Packet | None = None) -> None:
        self._line.take_frame(planes, mono_us, width, height, packet)
        self._first_us = self._first_us or mono_us
        if self._print:
            _say(f"{self._count} {mono_us - self._first_us}")
        self._count += 1

    @property
    def frames(self) -> int:
        """How many the camera gave."""
        return self._count

    def missed_frames(self, count: int) -> None:
        self._line.missed_frames(count)

    def camera_changed(self, state: told.CameraState) -> None:
        self._line.camera_changed(state)
        if state.state == "ended":
            self.ended.set()


def run(args: argparse.Namespace) -> int:
    _must_be_playable(args.camera)
    if not is_film(args.camera) and not args.vault_key:
        raise BadInput("record.no_vault_key", args.camera.partition(":")[0])
    folder = args.out.resolve()
    with written(folder):
        keys = loose_keys(folder, make=True, vault_key=_checked(args.vault_key))
    assert keys is not None
    with filmed_by_nobody(folder, OVERHEAD):
        closed, why = _film(_start(args, folder, keys), args.seconds, args.print_frames)
    _say(json.dumps(asdict(closed)))
    if why:
        raise Unavailable(f"camera.{why}", shown_address(args.camera))
    return 0


def _checked(vault_key: str) -> str:
    """The key as it is, if something can be sealed to it; "" for none. Raises BadInput("record.bad_vault_key")."""
    try:
        if vault_key:
            X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(bytes.fromhex(vault_key)))
    except ValueError as wrong:
        raise BadInput("record.bad_vault_key") from wrong
    return vault_key


def _say(line: str) -> None:
    """To who started it. One who has gone (a pipe that nobody reads any more) does not end the recording."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _must_be_playable(address: str) -> None:
    """A camera may be plugged in later; what is no film never becomes one. Raises BadInput("record.not_playable")."""
    if not is_camera(address):
        raise BadInput("record.not_playable", shown_address(address))
    if not is_film(address):
        return
    try:
        open_camera(address).close()
    except DeviceError as wrong:
        pulled = wrong.reason is DeviceReason.MISSING and not wrong.detail  # a rehearsed fault: it comes back
        if not pulled:
            raise BadInput("record.not_playable", wrong.detail or wrong.reason.value) from wrong


def _start(args: argparse.Namespace, folder: Path, keys: RecordingKeys) -> told.Start:
    """Raises BadInput (evidence.closed, evidence.sealed_damaged): nothing can be added to it any more."""
    if _is_closed(folder):
        raise BadInput("evidence.closed", folder.name)
    if is_sealed_but_damaged(folder):
        raise BadInput("evidence.sealed_damaged", folder.name)
    return told.Start(
        recording_id=folder.name,
        folder=str(folder.parent),
        camera=args.camera,
        recording_key=keys.content.hex(),
        signing_key=(keys.signing or b"").hex(),
        previous_hash="",
        rehearsal=is_film(args.camera),
        vault_key_id=GIVEN if args.vault_key else "",
        vault_key=args.vault_key,
        reserve=str(folder / RESERVE),
        reserve_bytes=OWN_RESERVE_BYTES,
    )


def _is_closed(folder: Path) -> bool:
    try:
        return load(folder).close is not None
    except EvidenceTrouble:
        return False  # nothing there yet


def _film(start: told.Start, seconds: float, print_frames: bool) -> tuple[told.RecordingClosed, str]:
    """How it was closed; and why the camera gave no single picture, "" where it did.

    Raises StorageTrouble(the recorder's code) when the disk does not take it.
    """
    heard: queue.SimpleQueue[told.FromRecorder] = queue.SimpleQueue()
    line = Line(heard.put, heard.put)
    printer = _Printer(line, print_frames)
    capture = Capture(Path(start.folder) / start.recording_id / ".no-frames", printer, open_camera, share=False)
    over = _on_signals(printer.ended)
    line.start()
    line.begin(start)
    capture.start()
    _say("start")
    capture.use(start.camera)
    over.wait(seconds or None)
    capture.stop()
    line.end("done")
    try:
        return _closed(heard), "" if printer.frames else capture.state.reason or DeviceReason.TIMEOUT.value
    finally:
        line.stop()


def _on_signals(over: threading.Event) -> threading.Event:
    def end(_number: int, _frame: FrameType | None) -> None:
        over.set()

    handler: Callable[[int, FrameType | None], None] = end
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, handler)
        signal.signal(signal.SIGTERM, handler)
    return over


def _closed(heard: queue.SimpleQueue[told.FromRecorder]) -> told.RecordingClosed:
    deadline_s = time.monotonic() + _CLOSE_S
    while time.monotonic() < deadline_s:
        try:
            message = heard.get(timeout=1.0)
        except queue.Empty:
            continue
        if isinstance(message, told.RecordingClosed):
            return message
        if isinstance(message, told.Trouble):
            print(f"{message.code} {message.detail}", file=sys.stderr)
            if message.code.startswith(("recorder.disk", "evidence.")):
                raise StorageTrouble(message.code, message.detail)
    raise StorageTrouble("recorder.not_closed")
