"""The label camera: what its guard lets be seen, and that it neither hurts the overhead recording nor is hurt by it."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from app.evidence.export import export_mp4
from app.evidence.journal import Signer
from app.evidence.ledger import load
from app.evidence.mask import Cover, cover, paint
from app.evidence.verify import verify_recording
from app.programs import connect
from app.recorder import protocol as told
from app.recorder.encoder import Fragment, PartEncoder
from app.recorder.guard import SEEN, Sentry
from app.recorder.masking import as_word
from app.recorder.run import EXIT_BUG
from app.rehearsal.camera import Layer, Pose, compose
from app.rehearsal.cards import print_back
from app.rehearsal.deck import DECKS, load_deck
from app.rehearsal.director import box_layers, card_sprite
from app.rehearsal.footage import SIZES, Scene, build_scene
from app.rehearsal.products import load_studio_products
from app.vision.symbols.barcode import read_zxing
from hardware.ports import Pace
from tests.recorder.test_masked import is_block
from tests.recording import gaps_of, records

KEY, SEED = bytes(range(32)), bytes(range(100, 132))
VAULT = X25519PrivateKey.from_private_bytes(bytes(range(7, 39)))
MASKED = {"masked": True, "vault_key_id": "vault-1", "vault_key": VAULT.public_key().public_bytes_raw().hex()}
SIZE = SIZES["720p"]


def now_us() -> int:
    return time.monotonic_ns() // 1000


@pytest.fixture(scope="module")
def scene() -> Scene:
    products = load_studio_products()
    return build_scene(load_deck(DECKS / "two_cards.toml", products), products, SIZE)


def shown(scene: Scene, box: Pose | None, card: Pose | None) -> np.ndarray:
    """A closed parcel with its label and a card, where they are wanted, as flat planes."""
    stage = scene.stage
    camera = replace(stage.camera, px_per_mm=stage.camera.px_per_mm * 0.62)
    picture = scene.table.copy()
    layers: list[Layer] = []
    if box is not None:
        layers += box_layers(stage.parcel, camera, box, 0, 0, True, (0, 0))
    if card is not None:
        sprite = card_sprite(print_back(scene.plans[0]), camera.px_per_mm * 1.2)
        layers.append(Layer(sprite, camera.project(card.place(sprite.corners_mm()))))
    compose(picture, layers)
    return planes_of(picture)


def planes_of(picture: np.ndarray) -> np.ndarray:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24").reformat(format="yuv420p")
    return frame.to_ndarray().reshape(-1)


def judged(planes: np.ndarray, out: bool) -> tuple[Cover, str]:
    """What is covered of a picture that lies still for two seconds, and the label that is told."""
    sentry, words, label = Sentry(), [], ""
    for n in range(11):
        zones, text = sentry.see(planes, n * 200_000, *SIZE, out)
        words.append(as_word(zones))
        label = label or text
    return cover(words, 1_400_000, *SIZE), label


def test_a_parcels_label_is_seen_and_told(scene: Scene) -> None:
    planes = shown(scene, Pose(0, 0), None)
    done, label = judged(planes, out=False)
    assert done.reason == "fields"
    assert label == scene.deck.waybill
    paint(planes, *SIZE, done.outlines)
    (code,) = read_zxing(planes[: SIZE[0] * SIZE[1]].reshape(SIZE[1], SIZE[0]), "test")
    assert code.text == label
    covered = planes[: SIZE[0] * SIZE[1]].reshape(SIZE[1], SIZE[0]) == 40
    camera = replace(scene.stage.camera, px_per_mm=scene.stage.camera.px_per_mm * 0.62)
    sender, order = camera.project(np.array([[-30.0, 5.5, 30], [-30, 29, 30]]))
    assert all(covered[int(y) - 4 : int(y) + 4, int(x) - 20 : int(x) + 20].all() for x, y in (sender, order))


def test_while_cards_are_taken_in_a_label_is_covered_like_a_card(scene: Scene) -> None:
    done, label = judged(shown(scene, Pose(0, 0), None), out=True)
    assert done.reason == "card"
    assert not label


def test_an_empty_table_is_seen(scene: Scene) -> None:
    assert not judged(shown(scene, None, None), out=True)[0].reason


@pytest.mark.parametrize(
    ("box", "card"),
    [
        (None, Pose(20, 10, 0.4)),
        (Pose(-60, -25), Pose(62, 40, 0.1)),  # beside the parcel
        (Pose(0, 0), Pose(-12, -22, 0.05, 30)),  # on it, beside the label
        (Pose(0, 0), Pose(30, 15, 0.3, 30)),  # on the label
    ],
)
@pytest.mark.parametrize("out", [True, False])
def test_a_card_is_covered_wherever_it_lies(scene: Scene, box: Pose | None, card: Pose, out: bool) -> None:
    done, _ = judged(shown(scene, box, card), out)
    assert done.reason
    corners = np.array([[-43, -27], [43, -27], [43, 27], [-43, 27], [0, 0]], float) * 0.9
    camera = replace(scene.stage.camera, px_per_mm=scene.stage.camera.px_per_mm * 0.62)
    for point in camera.project(card.place(corners)):
        assert any(_inside(outline, point) for outline in done.outlines)


def _inside(outline: tuple[tuple[float, float], ...], point: np.ndarray) -> bool:
    sides = zip(outline, (*outline[1:], outline[0]), strict=True)
    turns = [(bx - ax) * (point[1] - ay) - (by - ay) * (point[0] - ax) for (ax, ay), (bx, by) in sides]
    return all(turn >= -1 for turn in turns) or all(turn <= 1 for turn in turns)


def test_fewer_pictures_are_taken_evenly_whatever_the_camera_gives() -> None:
    for fps in (5, 10, 15, 25, 30, 60):
        pace = Pace()
        times = [n * 1_000_000 // fps + (n % 3) * 4_000 for n in range(fps * 20)]
        taken = [at for at in times if pace.is_due(at, 200_000)]
        assert abs(len(taken) - 100) <= 1
        assert max(b - a for a, b in pairwise(taken)) <= 300_000
    assert all(Pace().is_due(at, 0) for at in range(5))


def test_a_slow_cameras_film_can_be_entered_each_second() -> None:
    """Thirty frames from key to key were six seconds of this camera."""
    encoder, keys = PartEncoder(64, 48), []
    rng = np.random.default_rng(3)
    pieces = [piece for n in range(60) for piece in encoder.encode(rng.integers(20, 230, 4608, np.uint8), n * 200_000)]
    pieces += encoder.finish()
    with av.open(io.BytesIO(b"".join(piece.data for piece in pieces)), format="mp4") as film:
        keys = [packet.pts * packet.time_base for packet in film.demux(video=0) if packet.is_keyframe]
    assert sum(piece.frames for piece in pieces if isinstance(piece, Fragment)) == 60
    assert max(float(b - a) for a, b in pairwise(keys)) <= 1.21


@pytest.fixture(scope="module")
def label_film(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds at 10 fps: a label that lies there, then a card instead."""
    path = tmp_path_factory.mktemp("label") / "label.mp4"
    rng = np.random.default_rng(5)
    still = {True: shown(scene, Pose(0, 0), None), False: shown(scene, None, Pose(5, 5, 0.1))}
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10, options={"preset": "ultrafast", "g": "10"})
        (stream.width, stream.height), stream.pix_fmt = SIZE, "yuv420p"
        for n in range(80):
            noisy = still[n < 40].astype(np.int16)
            noisy[: 1280 * 720] += rng.integers(-2, 3, 1280 * 720, np.int16)
            planes = noisy.clip(0, 255).astype(np.uint8).reshape(1080, 1280)
            picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            picture.pts = n
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return path


def labels_seen(recording: Path) -> list[dict[str, Any]]:
    return [record["body"] for record in records(recording, "event") if record["event"] == SEEN]


def restarts(recording: Path) -> int:
    """How often its chain tells that a recorder began anew; a stalled camera is the machine's."""
    return sum(gap["reason"] == "recorder_restarted" for gap in gaps_of(recording))


def test_both_are_recorded_and_one_that_is_killed_hurts_only_itself(
    station, label, film: Path, label_film: Path, scene: Scene, tmp_path: Path
) -> None:
    overhead, beside = f"file:{film}?loop=1&epoch_us={now_us()}", f"file:{label_film}?loop=1&epoch_us={now_us()}"
    meta = {"waybill": scene.deck.waybill, "role": "label"}
    station.up()
    label.up()
    label.send(told.CardsOut(False))
    station.begin(overhead, **MASKED)
    label.begin(beside, meta=meta, **MASKED)
    station.until_fragments(2)
    label.until_fragments(2)
    os.kill(label.pid, signal.SIGKILL)
    station.until_fragments(6)
    label.up()
    label.send(told.CardsOut(False))
    label.begin(beside, meta=meta, **MASKED)
    fragments = 14
    while (
        not (seen := labels_seen(label.recording)) and fragments < 60
    ):  # a busy machine looks at fewer of its pictures
        fragments = label.until_fragments(fragments + 1).fragments
    for one in (station, label):
        one.send(told.Stop("sealed"))
        one.until_kind(told.RecordingClosed)
        verdict = verify_recording(one.recording, Signer(SEED).public_key, KEY)
        assert verdict.ok, verdict
        assert verdict.closed
    assert (restarts(station.recording), restarts(label.recording)) == (0, 1)
    assert seen
    assert all(body["fits"] and body["t_video_us"] >= 0 for body in seen)
    export_mp4(label.recording, KEY, tmp_path / "out.mp4")
    rate, cards = _watch(tmp_path / "out.mp4")
    assert rate < 5.6
    assert cards == 0


def _watch(path: Path) -> tuple[float, int]:
    """Frames a second, and how many frames show the middle of the card with anything on it."""
    times, cards = [], 0
    with av.open(str(path)) as film:
        for frame in film.decode(video=0):
            times.append(float(frame.pts * frame.time_base))
            grey = frame.reformat(format="gray").to_ndarray()
            label_lies_there = grey[470:540, 500:780].max() > 180
            cards += 0 if label_lies_there or is_block(grey[330:400, 620:720]) else 1
    apart = [b - a for a, b in pairwise(times) if b - a < 1]
    return len(apart) / sum(apart), cards


BUGGY = """
import argparse, sys
from app import living
from app.recorder import guard
from app.recorder.label import run
see, looks = guard.Sentry.see, []
def see_until_the_bug(*words):
    looks.append(1)
    return see(*words) if len(looks) < 12 else 1 / 0
guard.Sentry.see = see_until_the_bug
parser = argparse.ArgumentParser()
living.add_arguments(parser)
sys.exit(run(parser.parse_args(sys.argv[1:])))
"""
"""The label camera's recorder with a guard that has a bug two seconds on."""


def test_a_guard_that_dies_of_a_bug_ends_its_recorder_and_the_next_one_goes_on(
    label, label_film: Path, tmp_path: Path
) -> None:
    camera = f"file:{label_film}?loop=1&epoch_us={now_us()}"
    child = subprocess.Popen([sys.executable, "-c", BUGGY, "--folder", str(label.folder.root)])
    while child.poll() is None and (line := connect(label.lock, 0.5)) is None:
        time.sleep(0.05)
    label.line = line
    label.send(told.CardsOut(False))
    label.begin(camera, **MASKED)
    assert child.wait(120) == EXIT_BUG
    line.close()
    before = load(label.recording)
    assert before.close is None
    label.up()
    label.send(told.CardsOut(False))
    label.begin(camera, **MASKED)
    label.until_fragments(before.fragments + 8)
    label.send(told.Stop("sealed"))
    label.until_kind(told.RecordingClosed)
    verdict = verify_recording(label.recording, Signer(SEED).public_key, KEY)
    assert verdict.ok, verdict
    assert verdict.closed
    assert [gap["reason"] for gap in gaps_of(label.recording)] == ["recorder_restarted"]
    export_mp4(label.recording, KEY, tmp_path / "out.mp4")
    assert _watch(tmp_path / "out.mp4")[1] == 0  # nobody looked for a while; no card is to be seen for that


def test_without_its_guards_word_nothing_is_shown(tmp_path: Path) -> None:
    words = [as_word(told.Zones(at, [], True, True)) for at in range(0, 1_000_000, 200_000)]
    assert cover(words, 4_000_000, *SIZE).reason == "silent"


def test_an_events_time_is_that_of_the_frame_it_is_seen_in(label, label_film: Path, scene: Scene) -> None:
    label.up()
    label.send(told.CardsOut(False))
    epoch_us = now_us()
    camera = f"file:{label_film}?loop=1&epoch_us={epoch_us}"
    label.begin(camera, meta={"waybill": "SF0000000000000"}, **MASKED)
    fragments = label.until_fragments(5).fragments
    while not labels_seen(label.recording) and fragments < 60:  # as above
        fragments = label.until_fragments(fragments + 1).fragments
    first_us = label.until_kind(told.RecordingState).first_mono_us
    label.send(told.Stop("sealed"))
    label.until_kind(told.RecordingClosed)
    body = next(record["body"] for record in records(label.recording, "event"))
    assert body["fits"] is False
    assert body["t_video_us"] >= 0
    assert (first_us - epoch_us + body["t_video_us"]) % 8_000_000 < 4_000_000, "when a label lay there"
