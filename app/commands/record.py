"""`cardintake record --camera ADDRESS --out DIR`: films without a station and without the eye.

Prints `start`, with --print-frames then `<frame> <pts µs>` for each captured frame, and at the end one JSON object.
A film (`file:`, `sim:`) becomes a recording marked as rehearsal, its keys beside it. Of a real camera only the side
stream is kept, sealed to --vault-key. A recording that was cut off goes on when the command is given again.
"""

from __future__ import annotations

import argparse
import json
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from app.commands.loose import GIVEN, loose_keys
from app.core.errors import BadInput, StorageTrouble
from app.evidence.writer import RESERVE
from app.frames import Plane
from app.recorder import protocol as told
from app.recorder.capture import Capture
from app.recorder.line import Line
from app.recorder.protocol import is_film
from app.reserve import OWN_RESERVE_BYTES
from hardware.catalog import open_camera
from hardware.ports import Packet

_CLOSE_S = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--camera", required=True, metavar="ADDRESS")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the recording's folder")
    parser.add_argument("--seconds", type=float, default=0.0, help="stop after so long (0: at the end, or Ctrl-C)")
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
            print(self._count, mono_us - self._first_us, flush=True)
        self._count += 1

    def missed_frames(self, count: int) -> None:
        self._line.missed_frames(count)

    def camera_changed(self, state: told.CameraState) -> None:
        self._line.camera_changed(state)
        if state.state == "ended":
            self.ended.set()


def run(args: argparse.Namespace) -> int:
    film = is_film(args.camera)
    if not film and not args.vault_key:
        raise BadInput("record.no_vault_key", args.camera.partition(":")[0])
    folder = args.out.resolve()
    keys = loose_keys(folder, make=True, vault_key=args.vault_key)
    assert keys is not None
    start = told.Start(
        recording_id=folder.name,
        folder=str(folder.parent),
        camera=args.camera,
        recording_key=keys.content.hex(),
        signing_key=(keys.signing or b"").hex(),
        previous_hash="",
        rehearsal=film,
        vault_key_id=GIVEN if args.vault_key else "",
        vault_key=args.vault_key,
        reserve=str(folder / RESERVE),
        reserve_bytes=OWN_RESERVE_BYTES,
    )
    closed = _film(start, args.seconds, args.print_frames)
    print(json.dumps(asdict(closed)))
    return 0


def _film(start: told.Start, seconds: float, print_frames: bool) -> told.RecordingClosed:
    """Raises StorageTrouble(the recorder's code) when the disk does not take it."""
    heard: queue.SimpleQueue[told.FromRecorder] = queue.SimpleQueue()
    line = Line(heard.put, heard.put)
    printer = _Printer(line, print_frames)
    capture = Capture(Path(start.folder) / start.recording_id / ".no-frames", printer, open_camera, share=False)
    over = _on_signals(printer.ended)
    line.start()
    line.begin(start)
    capture.start()
    print("start", flush=True)
    capture.use(start.camera)
    over.wait(seconds or None)
    capture.stop()
    line.end("done")
    try:
        return _closed(heard)
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
