"""A parcel that the real recorder filmed for a real store: masked, killed in the middle, closed. No camera, a film."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from app.core.audit import Stamp
from app.core.cards import CardState, PanelState, Secret
from app.core.parcels import CardDraft, ExpectedParcel, OpenParcel, Operator, Reason, Role
from app.evidence.ledger import load
from app.keys import Signer, key_id, new_seed
from app.paths import StationFolder
from app.platform import boot_id
from app.programs import ProgramConnection, connect, start_program, stop_program
from app.recorder import protocol as told
from app.recorder.opening import open_take
from app.store.seal import IndexCost
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.store.writer import StoreWriter
from app.wire import Centre, VaultCertificate, sign_statement

RUN = "import sys; from app.recorder.run import main; sys.exit(main(sys.argv[1:]))"
WAYBILL = "SF1420773101918"
CLERK = Operator("E10327", "陈敏", Role.CLERK, rehearsal=True)
SUPERVISOR = Operator("S20018", "周岚", Role.SUPERVISOR, rehearsal=True)
CARD = [80.0, 60.0, 240.0, 60.0, 240.0, 160.0, 80.0, 160.0]
PIN = [100.0, 100.0, 200.0, 100.0, 200.0, 120.0, 100.0, 120.0]
WIDTH, HEIGHT = 320, 240


@dataclass(frozen=True)
class FilmedParcel:
    """The station's folder and what was filmed there."""

    folder: StationFolder
    recording_id: str
    card_id: str
    read_us: int

    def store(self) -> Store:
        return Store.open(self.folder.database, REHEARSAL_PASSPHRASE, reserve_bytes=0)


def now_us() -> int:
    return time.monotonic_ns() // 1000


def stamp() -> Stamp:
    return Stamp(time.time_ns() // 1000, now_us(), boot_id())


def new_store(folder: StationFolder) -> Store:
    """A rehearsal store with a centre that is only pinned."""
    root, server, vault = Signer(new_seed()), Signer(new_seed()), X25519PrivateKey.generate()
    public = vault.public_key().public_bytes_raw()
    stated = VaultCertificate(tenant="t-1", key_id=key_id(public), public_key=public.hex())
    centre = Centre(
        tenant="t-1", salt="ab" * 32, root_key=root.public_key.hex(), server_key=server.public_key.hex(),
        vault=sign_statement(stated, root.sign),
    )  # fmt: skip
    folder.root.mkdir(parents=True)
    folder.rehearsal_mark.write_text('{"footage": "", "boot": ""}')
    cheap = IndexCost(memory_kib=8, passes=1)
    store = Store.create(
        folder.database, REHEARSAL_PASSPHRASE, station_id="st-1", centre=centre, rehearsal=True, index_cost=cheap,
        reserve_bytes=0,
    )  # fmt: skip
    for one in (CLERK, SUPERVISOR):
        store.add_operator(one.id, one.name, one.role, "", Secret("135790"))
    return store


def numbered_film(path: Path, frames: int = 1200) -> Path:
    """Frames whose upper left corner tells their number in twelve squares, bright or dark; 30 a second."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=30, options={"preset": "ultrafast", "g": "15", "crf": "10"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for n in range(frames):
            planes = np.concatenate((numbered(n), np.full((HEIGHT // 2, WIDTH), 128, np.uint8)))
            picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            picture.pts, picture.time_base = n, Fraction(1, 30)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return path


def numbered(n: int) -> np.ndarray[Any, Any]:
    """The lightness of the frame of this number."""
    luma = np.full((HEIGHT, WIDTH), 90 + n % 40, np.uint8)
    for bit in range(12):
        luma[:20, bit * 20 : bit * 20 + 20] = 235 if n >> bit & 1 else 16
    return luma


def number_in(luma: np.ndarray[Any, Any]) -> int:
    """The number of a frame, by its squares."""
    return sum(1 << bit for bit in range(12) if luma[4:16, bit * 20 + 4 : bit * 20 + 16].mean() > 125)


class _Recorder:
    """The recorder program and the line to it."""

    def __init__(self, folder: StationFolder) -> None:
        self._folder = folder
        argv = [sys.executable, "-c", RUN, "--folder", str(folder.root)]
        self.pid = start_program(argv, folder.recorder_lock, 60, folder.logs / "recorder.log")
        line = connect(folder.recorder_lock, 30)
        assert line is not None
        self.line: ProgramConnection = line

    def send(self, message: told.ToRecorder) -> None:
        self.line.send(told.to_wire(message))

    def until(self, kind: type, good: Any = lambda _message: True) -> Any:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            wire = self.line.receive(0.5)
            message = None if wire is None else told.from_wire(wire)
            if isinstance(message, kind) and good(message):
                return message
        raise AssertionError(f"waited in vain for {kind.__name__}")

    def fragments(self, count: int) -> None:
        self.until(told.RecordingState, lambda state: state.fragments >= count)


def filmed_parcel(root: Path) -> FilmedParcel:
    """Film for some seconds with a card in the picture, kill the recorder, go on, close; all known to the store."""
    folder = StationFolder(root / "station")
    store = new_store(folder)
    try:
        parcel = OpenParcel("p-1", ExpectedParcel(WAYBILL, "O-1", 2), "r-1", CLERK)
        recording = store.new_recording("r-1", "p-1", stamp(), CLERK.id)
        store.open_parcel(parcel, stamp())
        film = numbered_film(root / "film.mp4")
        began_us = now_us()
        start = told.Start(
            "r-1", str(folder.recordings), f"file:{film}?epoch_us={began_us}",
            recording.key.hex(), store.signing_seed.hex(), "", True, {"waybill": WAYBILL}, masked=True,
        )  # fmt: skip
        card = CardDraft(
            "c-1", "read-1", "p-1", 1, None, None, Secret("6222020012349140"), Secret("83749261"), PanelState.OPEN,
            None, 50_000, "r-1", 500_000, CardState.REVIEW, (Reason.OPERATOR_REVIEW,),
        )  # fmt: skip
        closed = _film(folder, start, began_us)
        store.keep_card(card, stamp(), CLERK.id)
        store.close_recording("r-1", closed.head, closed.root, closed.frames, stamp(), CLERK.id)
    finally:
        store.close()
    return FilmedParcel(folder, "r-1", "c-1", card.t_video_us)


def _say(recorder: _Recorder, began_us: int) -> None:
    """What the eye would say: a card lies there until four seconds after the beginning (which takes its time on a busy
    machine), then nothing.
    """
    for at in range(began_us - 500_000, began_us + 25_000_000, 66_000):
        lies = at < began_us + 4_000_000
        recorder.send(told.Zones(at, CARD if lies else [], not lies, True, [PIN] if lies else []))


def _film(folder: StationFolder, start: told.Start, began_us: int) -> told.RecordingClosed:
    recorder = _Recorder(folder)
    recorder.send(start)
    _say(recorder, began_us)
    recorder.fragments(3)
    recorder.send(told.NoteEvent("card.kept", {"card": "c-1", "no": 1, "t_video_us": 500_000}))
    recorder.fragments(6)
    os.kill(recorder.pid, signal.SIGKILL)
    recorder.line.close()
    recorder = _Recorder(folder)
    recorder.send(start)
    _say(recorder, began_us)
    recorder.until(told.RecordingState, lambda state: state.state == "on" and state.fragments >= 12)
    recorder.send(told.Stop("sealed"))
    closed: told.RecordingClosed = recorder.until(told.RecordingClosed)
    recorder.line.close()
    stop_program(folder.recorder_lock)
    return closed


@dataclass(frozen=True)
class LabelKeys:
    """What a label recording is checked by."""

    public: str
    content: bytes


def film_the_label(
    store: StoreWriter,
    own: FilmedParcel,
    later_us: int,
    beside: str = "r-1",
    cut: bool = False,
    role: str = "label",
    name: str = "r-2",
) -> LabelKeys:
    """A label camera's recording `name` of the parcel, so much later than the overhead one: five numbered pictures a
    second for six seconds, one of them missing in the middle. A picture's number is the time of `r-1` in thirtieths.
    `cut`: nobody closed it. `role`: by which camera instead.
    """
    base_us = load(own.folder.recordings / "r-1").parts[0].base_mono_us
    known = store.call(lambda s: s.new_recording(name, "p-1", stamp(), CLERK.id, role))
    seed = store.call(lambda s: s.signing_seed)
    start = told.Start(
        name, str(own.folder.recordings), "file:label", known.key.hex(), seed.hex(), "", True,
        {"waybill": WAYBILL, "role": role, "beside": beside},
    )  # fmt: skip
    heard: list[told.FromRecorder] = []
    take = open_take(start, heard.append)
    assert take is not None
    for n in range(30):
        at_us = base_us + later_us + n * 200_000
        if n == 15:
            take.interrupted("camera_lost")
        elif at_us >= base_us or later_us < 0:
            planes = np.concatenate((numbered(max(0, round((at_us - base_us) * 30 / 1e6))), np.full((120, 320), 128)))
            take.frame(planes.astype(np.uint8).reshape(-1), at_us, WIDTH, HEIGHT)
    keys = LabelKeys(Signer(seed).public_key.hex(), known.key)
    if cut:
        take.give_up()
        return keys
    take.close("sealed")
    closed = next(one for one in heard if isinstance(one, told.RecordingClosed))
    counts = closed.head, closed.root, closed.frames
    store.call(lambda s: s.close_recording(name, *counts, stamp(), CLERK.id))
    return keys
