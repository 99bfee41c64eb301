"""Joins a station: store, recorder, eye, reader, sync and session, each started once and stopped in reverse order."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from app.catalog.shelf import SHIPPED, Sources
from app.core.effects import Sound
from app.core.errors import BadInput
from app.core.events import CardChanged, Event, ParcelResumed
from app.core.parcels import TrayCard
from app.core.products import Catalogue
from app.core.readiness import (
    REVOKED,
    DeviceFacts,
    DiskFacts,
    Level,
    RecMode,
    StampFacts,
    Surroundings,
    SyncFacts,
    SyncState,
)
from app.core.rules import Rules
from app.core.states import Idle, Locked, SignedOut
from app.eye import codec
from app.paths import StationFolder
from app.platform import free_bytes
from app.settings import Settings
from app.station.adopting import Adopt, Adopting
from app.station.backing import Backing, BackingPlan, backups_of
from app.station.beside import Beside, BesidePlan
from app.station.cataloguing import Cataloguing
from app.station.chips import Bench, ChipWork
from app.station.clock import Clock, system_clock
from app.station.clockwatch import ClockWatch
from app.station.cosigning import Cosigning
from app.station.diskwatch import DiskWatch
from app.station.filming import Filming
from app.station.idle import IdleWatch
from app.station.insisting import Insisting
from app.station.keeping import Keeping
from app.station.keeping import Rules as KeepingRules
from app.station.leakreading import leak_plan, leak_reading
from app.station.leakwatch import LeakWatch
from app.station.link import ProgramPlan
from app.station.looking import Looking
from app.station.perform import Cameras, Hands, Perform
from app.station.revealing import Revealing, RevealPlan
from app.station.reviewing import Reviewing
from app.station.rounds import Ground
from app.station.scanning import Scanning
from app.station.shielding import Shield
from app.station.stamping import Stamping, stamp_plan
from app.station.station import Station
from app.station.switching import Switching
from app.station.tapping import Tapping
from app.station.witnessing import Witnessing
from app.store.governing import policy_of
from app.store.revoked import is_ended
from app.store.store import Store
from app.store.writer import StoreWriter
from app.sync import worker as sync
from app.sync.client import CentreClient, Speaker, require_loopback
from app.sync.exchange import FOOTAGE
from app.sync.pace import FootageTerms
from hardware.catalog import open_nfc, open_scanner

_log = logging.getLogger(__name__)
_NOT_FITTED = "none:"
_TYPES_LIKE_A_KEYBOARD = "wedge:"
_RECORDER_QUIET_S = 5.0
"""The recorder tells its state twice a second."""


@dataclass(frozen=True, slots=True)
class StationPlan:
    """What a station is made of: where it lives, how it is set up, what it knows, where its centre is now.
    `label_later`: a rehearsal's label camera, which whoever plays it opens.
    """

    folder: StationFolder
    settings: Settings
    catalogue: Catalogue
    url: str
    rehearsal: bool
    sources: Sources = SHIPPED
    label_later: bool = False

    @property
    def spare(self) -> tuple[str, ...]:
        """Further addresses of the centre."""
        return (self.settings.server.spare_url,) if self.settings.server.spare_url else ()


@dataclass(frozen=True, slots=True)
class Parts:
    """A joined station's parts, for its window and its tests."""

    station: Station
    store: StoreWriter
    filming: Filming
    looking: Looking
    sync: sync.SyncWorker
    cameras: Cameras
    clock: Clock
    chips: ChipWork
    idle: IdleWatch
    insisting: Insisting
    reading: dict[str, Any]
    """The fields of the leak check's job that say by which catalogue it reads."""
    adopting: Adopting
    beside: Beside | None = None


@contextmanager
def joined_station(plan: StationPlan, store: Store, play: Callable[[Sound], None]) -> Iterator[Parts]:
    """A running station over an open store. On leaving everything is stopped, programs too, and the store closed."""
    clock = system_clock()
    with store.ledger.reading() as connection:
        rules = Rules(plan.catalogue).governed(policy_of(connection))
    station = Station(rules, clock.mono_us, clock.wall_us)
    resume = store.unfinished_parcel()
    with ExitStack() as stack:
        writer = StoreWriter(store, _crashed(station))
        writer.start()
        stack.callback(writer.stop)
        parts = _make(plan, station, writer, clock, play)
        revoked = is_ended(store.ledger)
        station.adjust(lambda around: _first_facts(plan, around, revoked))
        if resume is not None:
            station.post(ParcelResumed(resume))
        _start(plan, parts, stack)
        yield parts


def program_plan(name: str, folder: StationFolder) -> ProgramPlan:
    """How the recorder, the label camera's or the eye of this folder is started."""
    lock = {"recorder": folder.recorder_lock, "label": folder.label_recorder_lock, "eye": folder.eye_lock}[name]
    argv = (sys.executable, "-m", "app", name, "--folder", str(folder.root))
    quiet_s = 0.0 if name == "eye" else _RECORDER_QUIET_S  # the eye has nothing to say without a picture
    return ProgramPlan(name, argv, lock, folder.logs / f"{name}.log", quiet_s)


def _make(
    plan: StationPlan, station: Station, writer: StoreWriter, clock: Clock, play: Callable[[Sound], None]
) -> Parts:
    folder = plan.folder
    filming = Filming(program_plan("recorder", folder), station.post, station.adjust, clock)
    sources, threads = plan.sources, plan.settings.vision.threads
    configure = _configured(sources, threads, plan.rehearsal)
    shield = Shield(plan.catalogue, filming.tell)
    looking = Looking(program_plan("eye", folder), configure, folder.frames, station.post, station.adjust, shield)
    chips = _chip_work(plan, station, writer, filming, lambda: worker.nudge())
    shown, changed = _sync_shown(station, clock), _cards_changed(station, chips)
    adopting = Adopting(writer, folder)
    listeners = sync.SyncListeners(shown, changed, _crashed(station), station.govern, adopting.take_up)
    sync_plan = sync.SyncPlan(
        plan.url,
        recordings=folder.recordings,
        spare=plan.spare,
        catalogue=folder.catalogue,
        terms=FootageTerms.of(plan.settings.server),
        backups=backups_of(plan.folder, plan.settings),
    )
    worker = sync.SyncWorker(sync_plan, writer, clock.stamp, listeners)
    camera = plan.settings.camera
    cameras = Cameras(camera.overhead, "" if camera.spare == _NOT_FITTED else camera.spare)
    reserve_bytes = plan.settings.recording.footage_reserve_bytes
    insisting = Insisting(writer, _crashed(station))
    fitted = plan.label_later or camera.label != _NOT_FITTED
    beside = _beside(plan, station, writer, insisting, filming) if fitted else None
    hands = Hands(
        writer, filming, looking, cameras, folder.recordings, clock, plan.rehearsal, insisting, chips, reserve_bytes,
        beside,
    )  # fmt: skip
    perform = Perform(hands, station.post, lambda: station.around, play, worker.nudge)
    station.join(perform)
    filming.on_closed(perform.recording_closed)
    idle = IdleWatch(lambda: station.rules.idle_us, clock.mono_us, station.post)
    station.on_show(idle.show)
    reading = leak_reading(sources, plan.rehearsal)
    adopting.add(_reads_by(plan, station, looking, reading))
    return Parts(
        station, writer, filming, looking, worker, cameras, clock, chips, idle, insisting, reading, adopting, beside
    )


def _reads_by(plan: StationPlan, station: Station, looking: Looking, reading: dict[str, Any]) -> Adopt:
    """What of a station reads by a catalogue, told of another one."""

    def adopt(sources: Sources, catalogue: Catalogue) -> None:
        looking.read_by(_configured(sources, plan.settings.vision.threads, plan.rehearsal), catalogue)
        reading.update(leak_reading(sources, plan.rehearsal))
        station.judge_by(catalogue)

    return adopt


def _beside(plan: StationPlan, station: Station, writer: StoreWriter, insisting: Insisting, filming: Filming) -> Beside:
    """The label camera, which nothing waits for."""
    program = program_plan("label", plan.folder)
    beside_plan = BesidePlan(program, plan.folder.recordings, plan.rehearsal)
    beside = Beside(beside_plan, writer, insisting, system_clock(), station.adjust, filming.note)
    if not plan.label_later:
        beside.open_camera(plan.settings.camera.label)
    station.on_show(beside.show)
    return beside


def _chip_work(
    plan: StationPlan, station: Station, writer: StoreWriter, filming: Filming, nudge: Callable[[], None]
) -> ChipWork:
    bench = Bench(system_clock(), lambda: station.around, station.post, station.adjust, filming.note, nudge)
    return ChipWork(Switching(writer.call, plan.folder), writer, bench)


class _Runs(Protocol):
    def start(self) -> None: ...
    def stop(self) -> object: ...


def _begin(stack: ExitStack, part: _Runs) -> None:
    """Start it now, stop it when the stack is left."""
    part.start()
    stack.callback(part.stop)


def _start(plan: StationPlan, parts: Parts, stack: ExitStack) -> None:
    """Start what has a thread or a process; stopped in reverse order, the programs with their links."""
    station, crashed = parts.station, _crashed(parts.station)
    _begin(stack, parts.insisting.rounds)
    parts.filming.start()
    stack.callback(parts.filming.stop, end_program=True)
    if parts.beside is not None:
        _begin(stack, parts.beside)
    parts.looking.start()
    stack.callback(parts.looking.stop, end_program=True)
    _begin(stack, parts.sync)
    if plan.settings.nfc.address != _NOT_FITTED:
        stack.callback(start_tapping(parts, plan.settings.nfc.address).stop)
    if plan.settings.scanner.address not in (_NOT_FITTED, _TYPES_LIKE_A_KEYBOARD):
        opened = partial(open_scanner, plan.settings.scanner.address)
        _begin(stack, Scanning(opened, _by_hand(parts), station.adjust, crashed))
    _begin(stack, DiskWatch(plan.folder.root, station.adjust, crashed).rounds)
    _start_watching_footage(plan, parts, stack)
    _begin(stack, ClockWatch(_ground(parts)).rounds)
    _start_stamping(plan, parts, stack)
    _start_backing(plan, parts, stack)


def _ground(parts: Parts) -> Ground:
    return Ground(parts.store, parts.clock, parts.station.adjust, _crashed(parts.station))


def _start_watching_footage(plan: StationPlan, parts: Parts, stack: ExitStack) -> None:
    """What is done with recordings besides making them: kept, searched for leaks, their heads told to the centre."""
    ground, recordings = _ground(parts), plan.folder.recordings
    kept, read = plan.settings.recording, leak_plan(plan.folder.recordings, parts.reading)
    rules = KeepingRules(kept.keep_days, kept.keep_free_gb * 1_000_000_000)
    _begin(stack, Keeping(ground, recordings, rules).rounds)
    _begin(stack, LeakWatch(ground, read, _resting(parts.station)).rounds)
    _begin(stack, Witnessing(ground, recordings, parts.sync.nudge).rounds)


def _start_backing(plan: StationPlan, parts: Parts, stack: ExitStack) -> None:
    """Copies of the database while nobody works. A rehearsal's database is worth none."""
    if plan.rehearsal:
        return
    copied = BackingPlan(plan.folder.database, backups_of(plan.folder, plan.settings))
    _begin(stack, Backing(_ground(parts), copied, _resting(parts.station)).rounds)


def _by_hand(parts: Parts) -> Callable[[Event], None]:
    """Posts what a hand did, which is a sign of a person too."""

    def post(event: Event) -> None:
        parts.idle.touch()
        parts.station.post(event)

    return post


def _start_stamping(plan: StationPlan, parts: Parts, stack: ExitStack) -> None:
    """Where an authority is named. One that cannot be asked is told on the screen; work goes on without it."""
    station, folder = parts.station, plan.folder
    try:
        stamps = stamp_plan(plan.settings.recording, folder.root, folder.recordings, plan.rehearsal)
    except BadInput as wrong:
        facts = StampFacts(True, code=wrong.code)
        station.adjust(lambda around: replace(around, stamps=facts))
        return
    if stamps is not None:
        _begin(stack, Stamping(_ground(parts), stamps).rounds)


def _configured(sources: Sources, threads: int, rehearsal: bool) -> codec.Configure:
    return codec.Configure(
        sources.paths, threads, rehearsal, sources.bound, sources.version, sources.own, sources.compiled
    )


def _resting(station: Station) -> Callable[[], bool]:
    """Nobody works and nothing is filmed."""

    def resting() -> bool:
        state = station.state
        idle = isinstance(state, SignedOut | Idle) or (isinstance(state, Locked) and state.visit is None)
        return idle and station.around.rec.mode is RecMode.OFF

    return resting


def join_reviewing(folder: StationFolder, parts: Parts) -> Reviewing:
    """The review desk of a joined station, started. For the window; a station without one needs none."""
    crashed, post = _crashed(parts.station), parts.station.post
    reviewing = Reviewing(parts.store, folder.recordings, folder.exports, parts.clock, crashed, post)
    reviewing.start()
    return reviewing


def join_revealing(plan: StationPlan, parts: Parts, stack: ExitStack) -> Revealing:
    """The desk for seeing secrets of a joined station, started until the stack is left; and who looks, while a
    supervisor is there, whether somebody waits for a second signature.
    """
    keys = Path(plan.settings.station.people_keys) if plan.settings.station.people_keys else plan.folder.people
    revealing_plan = RevealPlan(_reveal_line(plan), keys)
    revealing = Revealing(revealing_plan, parts.store, parts.clock, _crashed(parts.station), parts.station.post)
    _begin(stack, revealing)
    if plan.url:
        cosigning = Cosigning(_ground(parts), revealing.waiting_for)
        parts.station.on_show(cosigning.show)
        _begin(stack, cosigning.rounds)
    return revealing


def _reveal_line(plan: StationPlan) -> Callable[[Speaker], CentreClient]:
    def line(speaker: Speaker) -> CentreClient:
        if not plan.url:
            raise BadInput("sync.no_address", plan.folder.root.name)
        if plan.rehearsal:
            require_loopback(plan.url)
        return CentreClient(plan.url, None, speaker, spare=plan.spare)

    return line


def join_cataloguing(plan: StationPlan, parts: Parts, show: Callable[[Catalogue], None]) -> Cataloguing:
    """The catalogue desk of a joined station, started; `show` is told of a new catalogue, in any thread."""
    parts.adopting.add(lambda _sources, catalogue: show(catalogue))
    cataloguing = Cataloguing(
        parts.store,
        plan.folder,
        parts.clock,
        parts.adopting.take_up,
        _crashed(parts.station),
        post=parts.station.post,
    )
    cataloguing.start()
    return cataloguing


def start_tapping(parts: Parts, address: str) -> Tapping:
    """Begin to poll the NFC reader at an address; it is the one that chips are switched off on."""
    station = parts.station
    tapping = Tapping(lambda: open_nfc(address), station.post, station.adjust, parts.clock.mono_us, _crashed(station))
    parts.chips.attach(tapping)
    tapping.start()
    parts.chips.count()
    return tapping


def _first_facts(plan: StationPlan, around: Surroundings, revoked: bool) -> Surroundings:
    """`revoked`: the centre said so before this start; that is not waited for again."""
    station = plan.settings.station
    sync = SyncFacts(SyncState.STOPPED, code=REVOKED) if revoked else around.sync
    return replace(
        around,
        station_name=station.name,
        centre_name=station.centre,
        rehearsal=plan.rehearsal,
        scanner=DeviceFacts(Level.OK, "keyboard", plan.settings.scanner.address),
        disk=DiskFacts(free_bytes(plan.folder.root)),
        sync=sync,
    )


def _crashed(station: Station) -> Callable[[Exception], None]:
    """What a worker's bug leads to: the session stops taking in; what is kept stays kept."""

    def crashed(bug: Exception) -> None:
        _log.error("bug in a worker thread", exc_info=bug)
        station.fail("bug", type(bug).__name__)

    return crashed


def _sync_shown(station: Station, clock: Clock) -> Callable[[sync.SyncReport], None]:
    def show(facts: sync.SyncReport) -> None:
        now_us = clock.wall_us()
        oldest_s = (now_us - facts.queue.oldest_wall_us) // 1_000_000 if facts.queue.oldest_wall_us else 0
        next_s = max(0, facts.next_try_ms // 1000 - now_us // 1_000_000) if facts.next_try_ms else 0
        why = facts.stuck[0][1] if facts.stuck else next((one.code for one in facts.waits if one.lane == FOOTAGE), "")
        queue = facts.queue
        ages_s = {state: max(0, (now_us - kept_us) // 1_000_000) for state, kept_us in queue.oldest.items()}
        cards = tuple((state, number, ages_s.get(state, 0)) for state, number in queue.cards.items())
        shown = SyncFacts(
            facts.state, queue.unsent, max(0, oldest_s), next_s, facts.clock_offset_ms, facts.code,
            len(facts.stuck), why, queue.footage, cards, facts.silent,
            tuple(queue.held.items()), facts.misdirected,
        )  # fmt: skip
        station.adjust(lambda around: replace(around, sync=shown))

    return show


def _cards_changed(station: Station, chips: ChipWork) -> Callable[[tuple[TrayCard, ...]], None]:
    def changed(cards: tuple[TrayCard, ...]) -> None:
        for card in cards:
            station.post(CardChanged(card))
        chips.count()

    return changed
