"""The leak check of an idle station: what a mask missed is found and held; it steps aside and goes on."""

from __future__ import annotations

import json
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from app.__main__ import main
from app.catalog.shelf import SHIPPED
from app.core.cards import Quad
from app.core.errors import BadInput
from app.core.footage import CHECKED, JUDGED, LABEL, OVERHEAD, UNCHECKED
from app.core.parcels import ExpectedParcel, OpenParcel
from app.core.readiness import Surroundings
from app.evidence.mask import CLEAR, Cover, Word, cover, paint
from app.evidence.stretch import Stretch
from app.evidence.writer import Origin, RecordingKeys, create_recording
from app.eye.leaks import Curious, pictures
from app.paths import StationFolder
from app.platform import process_alive
from app.recorder import protocol as told
from app.recorder.guard import Sentry
from app.recorder.masking import as_word
from app.recorder.sink import Take
from app.rehearsal.deck import DECKS, Timing, load_deck
from app.rehearsal.footage import SIZES, labels_path, render_unboxing
from app.rehearsal.products import load_studio_products
from app.station.clock import system_clock
from app.station.dossiers import as_read_so_far, dossier_of
from app.station.leakreading import LeakPlan, LeakReader, Look
from app.station.leakwatch import LeakWatch
from app.station.rounds import Ground
from app.store import leaks
from app.store.leaks import MOST_FAILURES
from app.store.store import Store
from app.store.writer import StoreWriter
from tests.station.filmed import CLERK, SUPERVISOR, new_store, stamp

PROGRAM = (sys.executable, "-m", "app", "leaks")
QUICK = Timing(0.2, 0.2, 0.1, 0.1, 0.2, 0.2, 0.9, 0.2, 0.1, 0.2)
W, H = SIZES["1080p"]
READ_S = 500.0
"""How long the real program may take: it has what others leave of the machine (nice 15)."""

patient = pytest.mark.timeout(READ_S + 100)


@dataclass
class Idle:
    """A station that rests or not, as a test says; what its surroundings became."""

    store: Store
    recordings: Path
    resting: bool = True
    around: Surroundings = field(default_factory=Surroundings)
    bugs: list[Exception] = field(default_factory=list)

    def adjust(self, change: Callable[[Surroundings], Surroundings]) -> None:
        self.around = change(self.around)

    def ground(self, writer: StoreWriter) -> Ground:
        return Ground(writer, system_clock(), self.adjust, self.bugs.append)

    def film(
        self, recording_id: str, frames: list[tuple[np.ndarray, Cover]], waybill: str = "SF1", beside: str = ""
    ) -> None:
        """A closed recording of these pictures (planes), made by the recorder's own take, known to the store; by the
        label camera, five a second, when it is `beside` another.
        """
        parcel, role = f"p-{beside or recording_id}", LABEL if beside else OVERHEAD
        known = self.store.new_recording(recording_id, parcel, stamp(), CLERK.id, role)
        if not beside:
            expected = ExpectedParcel(waybill, "DD-1", 1)
            self.store.open_parcel(OpenParcel(parcel, expected, recording_id, CLERK), stamp())
        apart_us = 200_000 if beside else 33_333
        keys = RecordingKeys(known.key, self.store.signing_seed)
        origin = Origin(recording_id, "sim:", True, True, "0.1.0", "", {"waybill": waybill})
        closed: list[Any] = []
        take = Take(recording_id, create_recording(self.recordings / recording_id, keys, origin), closed.append)
        for n, (planes, done) in enumerate(frames):
            take.frame(planes, 10_000_000 + n * apart_us, W, H, done)
        take.close("sealed")
        end = next(one for one in closed if isinstance(one, told.RecordingClosed))
        self.store.close_recording(recording_id, end.head, end.root, end.frames, stamp(), CLERK.id)

    def watch(self, argv: tuple[str, ...] = PROGRAM, patience_s: float = 120.0) -> tuple[LeakWatch, StoreWriter]:
        writer = StoreWriter(self.store, self.bugs.append)
        writer.start()
        plan = LeakPlan(argv, self.recordings, {"templates": SHIPPED.paths, "rehearsal": True}, 0.01, patience_s)
        watch = LeakWatch(self.ground(writer), plan, lambda: self.resting)
        watch.rounds.start()
        return watch, writer


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[Idle]:
    folder = StationFolder(tmp_path / "station")
    one = Idle(new_store(folder), folder.recordings)
    one.recordings.mkdir(parents=True, exist_ok=True)
    yield one
    one.store.close()
    assert one.bugs == []


def until(true: Callable[[], bool], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def checked(store: Store) -> list[dict[str, Any]]:
    events = [json.loads(event.data) for event in store.outbox_after(0)]
    return [event["body"] for event in events if event["kind"] == "footage.checked"]


def card_film(tmp_path: Path) -> tuple[list[np.ndarray], list[Word], dict[str, Any]]:
    """One scratched card laid down and taken away: pictures, what an eye that errs in nothing would say, the truth."""
    products = load_studio_products()
    deck = load_deck(DECKS / "two_cards.toml", products)
    deck = replace(deck, timing=QUICK, cards=deck.cards[:1], declared_count=1)
    film = render_unboxing(deck, products, tmp_path / "film.mp4", SIZES["1080p"])
    truth = json.loads(labels_path(film).read_text())
    with av.open(str(film)) as container:
        frames = [frame.to_ndarray(format="yuv420p").reshape(-1).copy() for frame in container.decode(video=0)]
    return frames, [_word(truth["cards"][0], at) for at in range(-1_000_000, 8_000_000, 66_000)], truth


def _word(card: dict[str, Any], at_us: int) -> Word:
    def quad(name: str) -> Quad:
        a, b, c, d = (tuple(point) for point in card[name])
        return a, b, c, d

    if not card["move_in_s"] <= at_us / 1e6 <= card["out_end_s"]:
        return Word(at_us, None, True, True)
    calm = card["still_start_s"] <= at_us / 1e6 <= card["still_end_s"]
    return Word(at_us, quad("card_quad"), False, calm, (quad("pin_quad"), quad("panel_quad")) if calm else ())


@patient
def test_a_masked_recording_is_clear_and_one_with_the_masks_off_is_found_held_and_not_exported(
    idle: Idle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames, words, truth = card_film(tmp_path)
    masked = []
    short = range(24, 58)  # the hand comes, the card lies there
    for n in short:
        planes = frames[n]
        done, painted = cover(words, n * 33_333, W, H), planes.copy()
        paint(painted, W, H, done.outlines)
        masked.append((painted, done))
    assert {done.reason for _, done in masked} >= {"fields", "passing"}
    idle.film("r-1", masked, truth["waybill"])
    idle.film("r-2", [(frames[n], CLEAR) for n in short], truth["waybill"])
    watch, writer = idle.watch()
    until(lambda: len(writer.call(checked)) == 2, READ_S)
    until(lambda: idle.around.disk.leaks == 1)
    watch.rounds.stop()
    first, second = writer.call(checked)
    writer.stop()
    assert (first["recording"], first["result"], first["sights"]) == ("r-1", "clear", [])
    assert first["frames"] >= 3
    assert (second["recording"], second["result"], second["engines"]) == ("r-2", "found", ["ppocr", "tesseract"])
    card = truth["cards"][0]
    assert {sight["length"] for sight in second["sights"]} == {len(card["pin"])}
    assert card["pin"] not in json.dumps(second)
    store = idle.store
    held = store.hold_on("r-2")
    assert held is not None
    assert held.leak
    with pytest.raises(BadInput, match=r"footage\.may_show_pin"):
        leaks.must_be_exportable(store.ledger, "r-2")
    leaks.must_be_exportable(store.ledger, "r-1")
    with pytest.raises(BadInput, match=r"hold\.no_reason"):
        store.release_footage("r-2", " ", stamp(), SUPERVISOR.id)
    look_before_it_leaves(idle, frames, tmp_path, capsys)
    store.release_footage("r-2", "a rehearsal filmed without masks", stamp(), SUPERVISOR.id)
    leaks.must_be_exportable(store.ledger, "r-2")
    assert leaks.unjudged(store.ledger) == 1  # r-3 was found by the commands: a judgement on another says nothing of it
    store.release_footage("r-3", "a rehearsal filmed without masks", stamp(), SUPERVISOR.id)
    assert leaks.unjudged(store.ledger) == 0


def look_before_it_leaves(idle: Idle, frames: list[np.ndarray], out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the commands, with the real program: a recording that nobody has read, without masks."""
    idle.film("r-3", [(frames[n], CLEAR) for n in range(48, 52)], "SF3")
    asked = ["--data", str(idle.recordings.parent), "--waybill", "SF3"]
    assert main(["dossier", *asked, "--out", str(out / "un.zip")]) == 0
    assert json.loads(capsys.readouterr().out)["leak_check"] == UNCHECKED
    with zipfile.ZipFile(out / "un.zip") as bundle:
        assert "NOT done" in bundle.read("summary.en.txt").decode()
    for words in (["dossier", *asked, "--out", str(out / "d.zip")], ["export", *asked, str(out / "f.mp4")]):
        assert main([*words, "--leak-check", "yes"]) == 2
        said = capsys.readouterr().err
        assert "footage.may_show_pin" in said
        assert ("reading for PINs: r-3" in said) == (words[0] == "dossier")  # the second time it was known
    assert not [name for name in ("d.zip", "f.mp4") if (out / name).exists()]


@patient
def test_the_label_cameras_recordings_are_read_too(idle: Idle, tmp_path: Path) -> None:
    """Its guard leaves no PIN in one; one without its masks is found, and the other camera's is held with it."""
    frames, _words, _truth = card_film(tmp_path)
    still = [frames[n] for n in range(36, 54, 3)]
    sentry = Sentry()
    words = [as_word(sentry.see(planes, n * 200_000, W, H, True)[0]) for n, planes in enumerate(still)]
    guarded = []
    for n, planes in enumerate(still):
        done, painted = cover(words, n * 200_000, W, H), planes.copy()
        paint(painted, W, H, done.outlines)
        guarded.append((painted, done))
    assert all(done.reason for _, done in guarded)
    blank(idle)
    idle.film("r-2", guarded, beside="r-1")
    idle.film("r-3", [(planes, CLEAR) for planes in still], beside="r-1")
    watch, writer = idle.watch()
    until(lambda: len(writer.call(checked)) == 3, READ_S)
    watch.rounds.stop()
    results = {one["recording"]: one["result"] for one in writer.call(checked)}
    writer.stop()
    assert results == {"r-1": "clear", "r-2": "clear", "r-3": "found"}
    with pytest.raises(BadInput, match=r"footage\.may_show_pin"):
        leaks.must_be_exportable(idle.store.ledger, "r-3")
    leaks.must_be_exportable(idle.store.ledger, "r-2")
    held = idle.store.hold_on("r-1")
    assert held is not None
    assert not held.leak


def test_what_stands_still_for_a_tenth_of_a_second_is_read_and_what_moves_is_not_read_each_time(idle: Idle) -> None:
    """Frames 20 to 22, between two looks and away from any mask; then something that moves all the time."""
    empty = np.full(W * H * 3 // 2, 120, np.uint8)
    face = np.random.default_rng(3).integers(30, 220, (8, 14), np.uint8).repeat(16, axis=0).repeat(16, axis=1)
    frames = []
    for n in range(75):
        planes = empty.copy()
        luma = planes[: W * H].reshape(H, W)
        if 20 <= n <= 22:
            luma[500:530, 800:1000:8] = 20
            luma[500:530, 801:1000:8] = 20
        if n >= 40:
            x, y = 36 * (n - 39), 200 + 13 * (n - 39)
            luma[y : y + 128, x : x + 224] = face
        frames.append((planes, CLEAR))
    idle.film("r-1", frames)
    known = idle.store.find_recording("r-1")
    assert known is not None
    read = [round(at / 33_333) for at, _ in pictures(idle.recordings / "r-1", known.key, Stretch(), Curious())]
    assert {20, 21, 22} & set(read), read
    moving = [n for n in read if n >= 40]
    assert 2 <= len(moving) <= 8, read
    again = [round(at / 33_333) for at, _ in pictures(idle.recordings / "r-1", known.key, Stretch(640_000), Curious())]
    assert again[0] in (19, 20)  # gone on with in the middle, as after a restart
    assert {20, 21, 22} & set(again)
    assert again[-1] > 60
    apart = [round(at / 33_333) for at, _ in pictures(idle.recordings / "r-1", known.key, LATE, Curious())]
    assert apart == [n for n in apart if 45 <= n <= 65]  # cut out of the part: its times are the recording's
    assert len(apart) >= 2


SCRIPTED = """
import json, os, sys, time
job = json.loads(sys.stdin.readline())
log, mode = sys.argv[1], sys.argv[2]
with open(log, "a") as out:
    out.write(json.dumps([os.getpid(), job["from_us"]]) + "\\n")
seen = [{"engine": "ppocr", "how": "pattern", "length": 8}] if mode == "finds" else []
for at in range(job["from_us"], min(5_000_000, job.get("to_us", 2**62)), 500_000):
    print(json.dumps({"at_us": at, "sights": seen}), flush=True)
    if mode == "hang":
        time.sleep(600)
    if mode == "die":
        os.abort()
    if mode == "slow" and at >= 1_000_000 and job["from_us"] == 0:
        time.sleep(600)
print(json.dumps({"done": True, "engines": ["ppocr"]}), flush=True)
"""
"""Speaks as the reading program does, and fails as it might."""


def scripted(tmp_path: Path, mode: str) -> tuple[tuple[str, ...], Callable[[], list[list[int]]]]:
    log = tmp_path / "starts"
    log.touch()
    argv = (sys.executable, "-c", SCRIPTED, str(log), mode)
    return argv, lambda: [json.loads(line) for line in log.read_text().splitlines()]


def blank(idle: Idle, recording_id: str = "r-1") -> None:
    idle.film(recording_id, [(np.full(W * H * 3 // 2, 120, np.uint8), CLEAR)])


LATE = Stretch(1_500_000, 2_000_000)


def look_first(idle: Idle, tmp_path: Path, mode: str) -> tuple[Look, Callable[[], list[list[int]]], list[int]]:
    """Somebody hands out pictures of which nobody knows anything; a program that is not the real one reads them."""
    argv, starts = scripted(tmp_path, mode)
    shown: list[int] = []
    reader = LeakReader(lambda work: work(idle.store), system_clock(), LeakPlan(argv, idle.recordings, {}, 0.01))
    return Look(lambda work: work(idle.store), reader, lambda _name, done_us, _of: shown.append(done_us)), starts, shown


def test_what_is_handed_out_is_read_first_and_only_what_was_not_read_before(idle: Idle, tmp_path: Path) -> None:
    idle.film("r-1", [(np.full(W * H * 3 // 2, 120, np.uint8), CLEAR)] * 90)
    folder = idle.recordings / "r-1"
    look, starts, shown = look_first(idle, tmp_path, "well")
    so_far = as_read_so_far(look.ask)
    assert so_far(folder, Stretch()) == so_far(folder, LATE) == UNCHECKED
    assert look(folder, LATE) == CHECKED  # it lies apart: nothing is known of what comes before it
    assert so_far(folder, LATE) == UNCHECKED
    assert look(folder, Stretch(0, 400_000)) == CHECKED
    assert so_far(folder, Stretch(0, 400_000)) == CHECKED
    assert so_far(folder, Stretch()) == UNCHECKED
    assert checked(idle.store) == []
    assert look(folder, Stretch()) == CHECKED
    assert look(folder, Stretch()) == so_far(folder, LATE) == CHECKED
    began = [start[1] for start in starts()]
    assert len(began) == 3
    assert began[0] >= 900_000  # its fragments, from a key frame on
    assert began[1] == 0 < began[2] <= 1_000_001
    assert [one["result"] for one in checked(idle.store)] == ["clear"]
    assert shown[0] == 0 < max(shown)


@pytest.mark.parametrize(("mode", "word"), [("finds", ""), ("die", UNCHECKED)])
def test_what_is_found_then_bars_it_and_a_reader_that_fails_leaves_it_unchecked(
    idle: Idle, tmp_path: Path, mode: str, word: str
) -> None:
    idle.film("r-1", [(np.full(W * H * 3 // 2, 120, np.uint8), CLEAR)] * 60)
    look, _, _ = look_first(idle, tmp_path, mode)
    if word:
        assert dossier_of(look.ask, idle.recordings, "r-1", stretch=LATE, looked=look).looked == word
        return
    with pytest.raises(BadInput, match=r"footage\.may_show_pin"):
        dossier_of(look.ask, idle.recordings, "r-1", stretch=LATE, looked=look)
    held = idle.store.hold_on("r-1")
    assert held is not None
    assert held.leak
    idle.store.release_footage("r-1", "a batch number", stamp(), SUPERVISOR.id)
    assert dossier_of(look.ask, idle.recordings, "r-1", stretch=LATE, looked=look).looked == JUDGED


def test_it_steps_aside_at_once_and_goes_on_where_it_was_after_a_restart(idle: Idle, tmp_path: Path) -> None:
    blank(idle)
    argv, starts = scripted(tmp_path, "slow")
    watch, writer = idle.watch(argv)
    until(
        lambda: (job := writer.call(lambda store: leaks.next_job(store.ledger))) is not None and job.from_us > 1_000_000
    )
    idle.resting = False
    until(lambda: not process_alive(starts()[0][0]))  # it would go on for ten minutes
    assert writer.call(checked) == []
    watch.rounds.stop()
    idle.resting = True
    plan = LeakPlan(argv, idle.recordings, {}, 0.01)
    watch = LeakWatch(idle.ground(writer), plan, lambda: idle.resting)
    watch.rounds.start()
    until(lambda: len(writer.call(checked)) == 1)
    watch.rounds.stop()
    (result,) = writer.call(checked)
    writer.stop()
    assert [start[1] for start in starts()] == [0, 1_000_001]
    assert result["result"] == "clear"
    assert result["frames"] == 11


@pytest.mark.warns
@pytest.mark.parametrize("mode", ["die", "hang"])
def test_a_reader_that_dies_or_hangs_is_tried_again_and_then_told(
    idle: Idle, tmp_path: Path, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    blank(idle)
    argv, starts = scripted(tmp_path, mode)
    watch, writer = idle.watch(argv, patience_s=2.0 if mode == "hang" else 120.0)
    until(lambda: len(writer.call(checked)) == 1)
    watch.rounds.stop()
    (result,) = writer.call(checked)
    writer.stop()
    failures = [one.message for one in caplog.records if "the reader failed" in one.message]
    assert (result["result"], len(failures)) == ("unreadable", MOST_FAILURES)
    assert len(starts()) <= MOST_FAILURES  # on a busy machine it is given up before it has said a word
    assert not any(process_alive(pid) for pid, _ in starts())


def test_nothing_is_read_while_somebody_works(idle: Idle, tmp_path: Path) -> None:
    blank(idle)
    argv, starts = scripted(tmp_path, "well")
    idle.resting = False
    watch, writer = idle.watch(argv)
    threading.Event().wait(0.5)
    assert starts() == []
    idle.resting = True
    until(lambda: len(writer.call(checked)) == 1)
    watch.rounds.stop()
    writer.stop()
