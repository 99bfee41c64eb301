"""A desk: real station, store and recorder program in a rehearsal folder; the eye is a double that is told what to say.

The cameras are small films of noise; what a card says comes from the test, which is what these tests are about.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import av
import numpy as np
import pytest

from app.core.cards import CardRead, Secret
from app.core.effects import Effect, Sound
from app.core.errors import StorageTrouble
from app.core.events import CardWasRead, CodeScanned, Event, Key, KeyPressed, ParcelResumed
from app.core.parcels import ExpectedParcel, Role
from app.core.readiness import Level, RecMode
from app.core.states import Idle, Opening, Paused, State
from app.eye import codec
from app.paths import StationFolder
from app.platform import free_bytes
from app.programs import find_program, stop_program
from app.server.enrol import admit_station
from app.server.folder import read_centre
from app.server.setup import init, open_centre
from app.station.beside import Beside, BesidePlan
from app.station.clock import Clock, system_clock
from app.station.filming import Filming
from app.station.insisting import Insisting
from app.station.link import ProgramPlan
from app.station.looking import Looking
from app.station.perform import Cameras, Hands, Perform
from app.station.shielding import Shield
from app.station.station import Station
from app.store.seal import IndexCost
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.store.writer import StoreWriter
from tests.core.making import BADGE, RULES, WAYBILL, card_read
from tests.station.review_desk import asked, own, parcel  # noqa: F401  fixtures

T = TypeVar("T")

SUPERVISOR_BADGE = "CIB-DEMO9001"
PASSCODE = "246810"

RECORDER = "import sys; from app.recorder.run import main; sys.exit(main(sys.argv[1:]))"
EYE = """
import json, os, sys
from pathlib import Path
from app.programs import ProgramDoor
folder = Path(sys.argv[1])
door = ProgramDoor(folder / "eye.lock", "eye")
door.open()
heard, say = (folder / "eye.heard").open("a"), folder / "eye.say"
while True:
    message = door.receive(0.05)
    if say.exists():
        said = say.replace(folder / "eye.said")  # taken first: more to be said may lie there at once
        for line in said.read_text().splitlines():
            door.send(json.loads(line))
    if door.alone_for_s() > 60 or (message and message["kind"] == "Quit"):
        break
    if message:
        print(json.dumps({"pid": os.getpid(), **message}), file=heard, flush=True)
        if message["kind"] == "Configure":
            door.send({"kind": "EyeReady", "body": {"detail": "a double"}})
door.close()
"""


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("film") / "film.mp4")


def make_film(path: Path) -> Path:
    """Thirty seconds of moving noise at 320x240, 30 fps."""
    noise = np.random.default_rng(7).integers(16, 235, (24, 640), np.uint8).repeat(10, axis=0)
    grey = np.full((120, 320), 128, np.uint8)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=30, options={"preset": "ultrafast", "g": "15"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for n in range(900):
            planes = np.concatenate((noise[:, n % 320 : n % 320 + 320], grey))
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(planes), format="yuv420p")
            picture.pts, picture.time_base = n, Fraction(1, 30)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StationFolder]:
    """A station folder whose programs have a runtime folder of their own and do not outlive the test."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    station_folder = StationFolder(tmp_path / "station")
    station_folder.root.mkdir()
    yield station_folder
    stop_program(station_folder.label_recorder_lock)
    stop_program(station_folder.recorder_lock)
    stop_program(station_folder.eye_lock)


def make_store(folder: StationFolder, *waybills: str) -> Store:
    """A rehearsal station with a clerk, a supervisor and announced parcels of two cards each."""
    centre = folder.root / "centre"
    init(centre)
    store = Store.create(
        folder.database, REHEARSAL_PASSPHRASE, station_id="desk-1", centre=read_centre(centre), rehearsal=True,
        index_cost=IndexCost(64, 1), reserve_bytes=65536,
    )  # fmt: skip
    opened = open_centre(centre)
    admit_station(opened, "desk-1", store.public_key, "rehearsal", 0)
    opened.engine.dispose()
    store.add_operator("1007", "林晓", Role.CLERK, BADGE, Secret(PASSCODE))
    store.add_operator("2001", "周敏", Role.SUPERVISOR, SUPERVISOR_BADGE, Secret("135790"))
    store.announce_parcels([ExpectedParcel(waybill, f"T-{n}", 2) for n, waybill in enumerate(waybills)])
    return store


class MoodyWriter(StoreWriter):
    """The real writer; while `trouble` is set work fails with that code instead, where it calls what `fails` says."""

    trouble = ""
    fails: Callable[[Sequence[str]], bool] = staticmethod(lambda _calls: True)

    def ask(self, work: Callable[[Store], T]) -> Future[T]:
        function: Any = work.func if isinstance(work, partial) else work
        if self.trouble and self.fails(function.__code__.co_names):
            refused: Future[T] = Future()
            refused.set_exception(StorageTrouble(self.trouble))
            return refused
        return super().ask(work)


def recorder_plan(folder: StationFolder, orphan_s: float = 60.0, quiet_s: float = 0.0) -> ProgramPlan:
    argv = (sys.executable, "-c", RECORDER, "--folder", str(folder.root), "--orphan-s", str(orphan_s))
    return ProgramPlan("recorder", argv, folder.recorder_lock, folder.logs / "recorder.log", quiet_s)


def label_plan(folder: StationFolder) -> ProgramPlan:
    argv = (sys.executable, "-m", "app", "label", "--folder", str(folder.root))
    return ProgramPlan("label", argv, folder.label_recorder_lock, folder.logs / "label.log")


def eye_plan(folder: StationFolder) -> ProgramPlan:
    argv = (sys.executable, "-c", EYE, str(folder.runtime))
    return ProgramPlan("eye", argv, folder.eye_lock, folder.logs / "eye.log")


@dataclass
class Desk:
    """The joined station, and what a clerk does at it."""

    folder: StationFolder
    station: Station
    writer: MoodyWriter
    filming: Filming
    looking: Looking
    cameras: Cameras
    clock: Clock
    insisting: Insisting
    events: list[Event] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    sounds: list[Sound] = field(default_factory=list)
    crashes: list[Exception] = field(default_factory=list)
    beside: Beside | None = None

    @property
    def state(self) -> State:
        return self.station.state

    def until(self, done: Callable[[], bool], timeout_s: float = 25.0) -> None:
        assert self.station.run_until(done, timeout_s), f"waited in vain in {self.station.state!r}"

    def until_in(self, *kinds: type) -> None:
        self.until(lambda: isinstance(self.station.state, kinds))

    def press(self, key: Key, digit: int = 0) -> None:
        self.station.post(KeyPressed(key, digit))

    def scan(self, code: str) -> None:
        self.station.post(CodeScanned(code))

    def show_card(self, read_id: str, **changes: Any) -> CardRead:
        """Let the eye have read a card just now."""
        now_us = self.clock.mono_us()
        read = card_read(read_id, first_us=now_us - 200_000, best_us=now_us, **changes)
        self.station.post(CardWasRead(read))
        return read

    def sign_in(self) -> None:
        self.scan(BADGE)
        self.until_in(Idle, Opening)

    def begin_parcel(self, waybill: str = WAYBILL) -> None:
        """Wait for the camera, scan the waybill, wait for the first bytes on disk."""
        self.until(lambda: self.station.around.camera.level is Level.OK)
        self.scan(waybill)
        self.until_filmed()

    def until_filmed(self) -> None:
        self.until(lambda: isinstance(self.state, Opening) and self.state.began)
        self.until(lambda: self.station.around.rec.mode is RecMode.ON)

    def keep(self, read_id: str, **changes: Any) -> None:
        """Show a clean card and wait until it is kept."""
        before = len(self.cards())
        self.show_card(read_id, **changes)
        self.until(lambda: len(self.cards()) == before + 1)

    def cards(self) -> tuple[Any, ...]:
        state = self.state.back_to if isinstance(self.state, Paused) else self.state
        return state.visit.counted if hasattr(state, "visit") else ()

    def recorder_pid(self) -> int:
        note = find_program(self.folder.recorder_lock)
        return note.pid if note else 0

    def heard(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]

    def eye_heard(self, kind: str) -> list[dict[str, Any]]:
        path = self.folder.runtime / "eye.heard"
        whole, _, _ = path.read_text().rpartition("\n") if path.exists() else ("", "", "")  # it may be writing the next
        return [message for line in whole.splitlines() if (message := json.loads(line))["kind"] == kind]

    def eye_says(self, *messages: codec.FromEye) -> None:
        self.until(lambda: not (self.folder.runtime / "eye.say").exists())  # what was to be said before is on its way
        partial = self.folder.runtime / "eye.saying"
        partial.write_text("".join(json.dumps(codec.to_wire(message)) + "\n" for message in messages))
        partial.rename(self.folder.runtime / "eye.say")

    def chain(self) -> list[dict[str, Any]]:
        """The events of the station's chain, as they will reach the centre."""
        return [json.loads(event.data) for event in self.writer.call(lambda store: store.outbox_after(0))]

    def kinds(self) -> list[str]:
        return [event["kind"] for event in self.chain()]


class Desks:
    """Sits down at a desk; leaves it as a window that closes does, or as one that is killed."""

    def __init__(self, folder: StationFolder, film: Path, begun: ExitStack) -> None:
        self.folder, self.film, self._begun = folder, film, begun
        self.epoch_us = time.monotonic_ns() // 1000
        self.camera = f"file:{film}?epoch_us={self.epoch_us}&loop=1"

    def sit_down(
        self, *, camera: str | None = None, spare: str = "", recorder: ProgramPlan | None = None, open_now: bool = True,
        reserve_bytes: int = 0, label: str = "",
    ) -> Desk:  # fmt: skip
        """`label`: a camera beside it, with a recorder of its own."""
        folder = self.folder
        folder.recordings.mkdir(exist_ok=True)
        fresh = not folder.database.exists()
        store = make_store(folder, WAYBILL) if fresh else Store.open(folder.database, REHEARSAL_PASSPHRASE)
        clock = system_clock()
        station = Station(RULES, clock.mono_us, clock.wall_us)
        cameras = Cameras("", spare)
        desk = self._joined(station, store, clock, recorder or recorder_plan(folder), cameras, reserve_bytes, label)
        if (unfinished := desk.writer.call(lambda store: store.unfinished_parcel())) is not None:
            station.post(ParcelResumed(unfinished))
        desk.cameras.overhead = self.camera if camera is None else camera
        if open_now:
            desk.filming.open_camera(desk.cameras.overhead)
        return desk

    def _joined(
        self,
        station: Station,
        store: Store,
        clock: Clock,
        recorder: ProgramPlan,
        cameras: Cameras,
        reserve_bytes: int,
        label: str,
    ) -> Desk:
        folder, events = self.folder, []
        plainly = station.post

        def post(event: Event) -> None:
            events.append(event)
            plainly(event)

        crashes: list[Exception] = []
        writer = MoodyWriter(store, crashes.append)
        filming = Filming(recorder, post, station.adjust, clock)
        shield = Shield(RULES.catalogue, filming.tell)
        configure = codec.Configure(("templates",))
        looking = Looking(eye_plan(folder), configure, folder.frames, post, station.adjust, shield)
        insisting, beside = Insisting(writer, crashes.append, again_s=0.2), None
        if label:
            plan = BesidePlan(label_plan(folder), folder.recordings, rehearsal=True)
            beside = Beside(plan, writer, insisting, clock, station.adjust, filming.note)
            beside.open_camera(label)
            station.on_show(beside.show)
        hands = Hands(
            writer, filming, looking, cameras, folder.recordings, clock, True, insisting,
            reserve_bytes=reserve_bytes, beside=beside,
        )  # fmt: skip
        desk = Desk(
            folder, station, writer, filming, looking, cameras, clock, insisting, events, crashes=crashes, beside=beside
        )
        perform = Perform(hands, post, lambda: station.around, desk.sounds.append, lambda: None)

        def carry_out(effect: Effect) -> None:
            desk.effects.append(effect)
            perform(effect)

        station.join(carry_out)
        filming.on_closed(perform.recording_closed)
        station.adjust(_with_free(free_bytes(folder.root)))
        for begin in (
            writer.start,
            insisting.rounds.start,
            filming.start,
            looking.start,
            *([beside.start] if beside else ()),
        ):
            begin()
        self._begun.callback(self.leave, desk)
        return desk

    def leave_all(self) -> None:
        """Leave every desk now: what lies below its folder is about to go."""
        self._begun.close()

    def leave(self, desk: Desk, end_programs: bool = True) -> None:
        """`end_programs=False`: as after kill -9 of the station, its programs live on."""
        if desk.beside is not None:
            desk.beside.stop(end_program=False)
        desk.filming.stop(end_program=False)
        desk.looking.stop(end_program=False)
        if end_programs:  # with more patience than a window has: a busy machine takes its time to seal
            for lock in (self.folder.label_recorder_lock, self.folder.recorder_lock, self.folder.eye_lock):
                stop_program(lock, 30)
        desk.insisting.rounds.stop()
        desk.writer.stop()
        assert desk.crashes == []


def _with_free(free: int) -> Callable[[Any], Any]:
    return lambda around: replace(around, disk=replace(around.disk, free_bytes=free))


@pytest.fixture
def desks(folder: StationFolder, film: Path) -> Iterator[Desks]:
    with ExitStack() as begun:
        yield Desks(folder, film, begun)


@pytest.fixture
def desk(desks: Desks) -> Desk:
    """A desk with a camera, nobody signed in."""
    return desks.sit_down()
