"""The rehearsal in its window: it plays by itself until a key is touched; then the person has the desk."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import BinaryIO, cast

from app import __version__
from app.commands import rehearsal_folder as folders
from app.commands.assembly import (
    Parts,
    StationPlan,
    join_cataloguing,
    join_revealing,
    join_reviewing,
    joined_station,
)
from app.commands.demo_report import Progress, write_report
from app.commands.rehearsal_play import Rehearsal, settled, start_autoplay, start_footage
from app.core.events import SecretShown
from app.core.footage import OVERHEAD
from app.evidence.reader import DecryptedRecording, recording_parts
from app.frames import FrameReader, HalfFrame
from app.station.autoplay import Autoplay
from app.store.store import Store
from ui.bridge import Bridge
from ui.run import application, run_window
from ui.scene import Desk
from ui.window import WindowSettings

_DAY_S = 24 * 3600.0


def play_in_window(rehearsal: Rehearsal, plan: StationPlan, store: Store, stack: ExitStack) -> int:
    """Show the window until it is closed; gives the exit status. The station runs in a thread of its own."""
    application()
    player = Player(rehearsal)
    bridge = Bridge(
        lambda event: player.parts.station.post(event),
        take_over=player.take_over,
        touched=lambda: player.parts.idle.touch(),
        secret_shown=lambda field: player.parts.station.post(SecretShown(field)),
    )
    player.parts = stack.enter_context(joined_station(plan, store, bridge.play))
    player.parts.station.on_show(bridge.show)
    stack.callback(player.stop)
    player.start()
    frames = FrameReader(rehearsal.folder.frames)
    stack.callback(frames.close)
    reviewing = join_reviewing(plan.folder, player.parts)
    stack.callback(reviewing.stop)
    cataloguing = join_cataloguing(plan, player.parts, bridge.learn)
    stack.callback(cataloguing.stop)
    revealing = join_revealing(plan, player.parts, stack)
    looks = plan.settings.ui
    settings = WindowSettings(
        language=looks.language,
        theme=looks.theme,
        volume=looks.volume,
        hold_s=looks.hold_s,
        scanner_prefix=plan.settings.scanner.prefix,
        desk=Desk(version=__version__, demo_badge=folders.DEMO_BADGE),
    )
    return run_window(
        bridge,
        plan.catalogue,
        settings=settings,
        frame_source=NewestFrame(frames),
        open_recording=player.open_recording,
        on_crash=player.seal_after_crash,
        review_desk=reviewing,
        catalogue_desk=cataloguing,
        reveal_desk=revealing,
    )


class NewestFrame:
    """Gives each frame once."""

    def __init__(self, frames: FrameReader) -> None:
        self._frames, self._seq = frames, 0

    def __call__(self) -> HalfFrame | None:
        frame = self._frames.newest_half(self._seq)
        if frame is not None:
            self._seq = frame.seq
        return frame


class Player:
    """The thread that owns the station while its window is open: warms up, plays, reports, then just serves."""

    parts: Parts

    def __init__(self, rehearsal: Rehearsal) -> None:
        self._rehearsal = rehearsal
        self._autoplay: Autoplay | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="station", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; the station's parts are stopped by whoever joined them."""
        self._closing.set()
        self._thread.join(timeout=3.0)

    def take_over(self) -> None:
        """A key was touched: the autopilot lets go."""
        if self._autoplay is not None:
            self._autoplay.take_over()
        self.parts.station.adjust(lambda around: replace(around, autoplay=False))

    def seal_after_crash(self, _bug: BaseException) -> None:
        """The window met a bug: the recording is closed before anything is said."""
        filming = self.parts.filming
        filming.end(filming.recording_id, "crash")

    def open_recording(self, recording_id: str) -> BinaryIO | None:
        """The recording ("" for the newest) as a decrypting file, its last part; None while nothing can be played."""
        folder = self._rehearsal.folder.recordings / (recording_id or self._newest_recording())
        known = self.parts.store.call(lambda store: store.find_recording(folder.name))
        if known is None or not folder.is_dir() or not (pieces := recording_parts(folder)):
            return None
        return cast(BinaryIO, DecryptedRecording(folder, known.key, pieces[-1]))

    def _newest_recording(self) -> str:
        """The overhead camera's."""
        known = self.parts.store.call(lambda store: store.known_recordings())
        recordings = self._rehearsal.folder.recordings
        found = [recordings / one.recording_id for one in known if one.role == OVERHEAD]
        newest = max((path for path in found if path.is_dir()), key=lambda path: path.stat().st_mtime, default=None)
        return newest.name if newest else ""

    def _run(self) -> None:
        station = self.parts.station
        progress = Progress(self._rehearsal.catalogue, sys.stderr)
        station.on_show(progress.show)
        if not station.run_until(lambda: self.parts.looking.ready or self._closing.is_set(), _DAY_S):
            return
        with ExitStack() as stack:
            epoch_us = start_footage(self._rehearsal, self.parts, stack)
            autoplay = self._autoplay = start_autoplay(self._rehearsal, self.parts, epoch_us)
            if self._until(lambda: settled(self.parts, autoplay)) and not autoplay.taken_over:
                write_report(self._rehearsal.folder, self.parts.store, self._rehearsal.out, progress)
            self._until(lambda: False)

    def _until(self, done: Callable[[], bool]) -> bool:
        """Serve the window until `done()`; False when it is closing."""
        self.parts.station.run_until(lambda: self._closing.is_set() or done(), _DAY_S)
        return not self._closing.is_set()
