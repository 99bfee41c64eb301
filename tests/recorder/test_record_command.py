"""`record`, killed three times, then `recover`, `export`, `verify`, `dossier`; every change to a dossier is found."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any, get_args

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.errors import BadInput, EvidenceTrouble
from app.evidence import mask
from app.evidence.dossier import VERIFIER, card_stretch, check_texts, make_dossier
from app.evidence.export import export_mp4
from app.evidence.journal import Signer
from app.evidence.loose import KEY_FILE
from app.evidence.ring import Picture, RingSegment, leftovers
from app.evidence.stretch import Stretch
from app.evidence.summary import REASONS
from app.evidence.verify import verify_recording
from app.evidence.writer import Origin, RecordingKeys, create_recording
from app.frames import join_planes
from app.recorder import sink
from app.recorder.missing import CAMERA, DISK, MEMORY, UNREADABLE
from app.recorder.opening import recover_recording
from app.recorder.protocol import CameraState, CameraWord
from app.recorder.sink import Take
from app.recorder.squeeze import PLANES, Squeezer
from hardware.camera.file import FileCamera
from tests.recording import ROOT, film_and_kill, gaps_of, ok, records, run

KEYS = RecordingKeys(bytes(range(32)), bytes(range(50, 82)))


def times_in(path: Path) -> list[float]:
    with av.open(str(path)) as film:
        return [float(frame.time) for frame in film.decode(video=0)]


def test_killed_three_times_it_still_plays_and_verifies(film: Path, tmp_path: Path) -> None:
    out = tmp_path / "r1"
    camera = f"file:{film}?loop=1&epoch_us={time.monotonic_ns() // 1000}"
    for _ in range(3):
        last_us = film_and_kill(camera, out, 40)
    assert leftovers(out)
    done = subprocess.run(
        [sys.executable, "-m", "app", "recover", str(out)], capture_output=True, text=True, cwd=ROOT, check=True
    )
    report = json.loads(done.stdout)
    assert (
        f"{report['frames']} frames, {report['saved_frames']} of them saved now; {report['gaps']} gaps" in done.stderr
    )
    assert f"共 {report['frames']} 帧" in done.stderr
    assert report["closed"]
    assert [gap["reason"] for gap in gaps_of(out)].count("recorder_restarted") == 2
    assert leftovers(out) == []
    assert ok("recover", str(out))["already_closed"]
    verdict = ok("verify", str(out))
    assert verdict["closed"]
    ok("export", str(out), str(tmp_path / "out.mp4"))
    times = times_in(tmp_path / "out.mp4")
    assert len(times) == verdict["frames"] >= 100
    last_start = gaps_of(out)[-1]["to_pts"]
    lost_s = (last_start + last_us) / 1e6 - times[-1]  # what was captured last against what plays last
    assert lost_s < 1.0
    probe = subprocess.run(["ffprobe", "-v", "error", str(tmp_path / "out.mp4")], capture_output=True, check=True)
    assert probe.stderr == b""


def test_it_ends_by_itself_and_refuses_what_it_may_not_keep(film: Path, tmp_path: Path) -> None:
    code, out = run("record", "--camera", f"file:{film}", "--out", str(tmp_path / "r2"), "--seconds", "1.5")
    assert code == 0
    assert out.splitlines()[0] == "start"
    closed = json.loads(out.splitlines()[-1])
    assert closed["reason"] == "done"
    assert closed["frames"] > 20
    assert run("record", "--camera", "http://127.0.0.1:9/x", "--out", str(tmp_path / "r3"))[0] == 2
    assert run("verify", str(tmp_path / "nothing"))[0] == 2
    data = bytearray((tmp_path / "r2" / "journal.jsonl").read_bytes())
    data[300] ^= 1
    (tmp_path / "r2" / "journal.jsonl").write_bytes(data)
    assert run("verify", str(tmp_path / "r2"))[0] == 5


def test_who_listened_may_go_and_it_films_on(film: Path, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "app", "record", "--camera", f"file:{film}?loop=1", "--out", str(tmp_path / "r1")]
    with subprocess.Popen([*argv, "--seconds", "2.5", "--print-frames"], stdout=subprocess.PIPE, cwd=ROOT) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"start\n"
        child.stdout.readline()
        child.stdout.close()
        assert child.wait(120) == 0
    verdict = verify_recording(tmp_path / "r1", None, None)
    assert (verdict.ok, verdict.closed) == (True, True)
    assert records(tmp_path / "r1", "close")[0]["duration_us"] > 1_500_000


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither signal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_dossier_that_is_ended_in_the_middle_leaves_no_half_file(closed: Path, tmp_path: Path, number: int) -> None:
    """By SIGTERM (somebody logs out) its half lay there for ever."""
    folder, out = tmp_path / "r1", tmp_path / "out"
    shutil.copytree(closed, folder)
    keys = {"recording_key": KEYS.content.hex(), "signing_key": (KEYS.signing or b"").hex(), "vault_key": ""}
    (folder / KEY_FILE).write_text(json.dumps(keys))
    out.mkdir()
    argv = [sys.executable, "-m", "app", "dossier", str(folder), "--out", str(out / "d.zip")]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT) as child:
        while child.poll() is None and not list(out.iterdir()):
            time.sleep(0.001)
        child.send_signal(number)
        code = child.wait(120)
    assert (code, [path.name for path in out.iterdir()]) in ((130, []), (0, ["d.zip"]))


_RECOVERED_UNTIL_CTRL_C = """
import signal, sys
from itertools import count
from pathlib import Path
from app.evidence.writer import RecordingKeys
from app.recorder import encoder
from app.recorder.opening import recover_recording

signal.signal(signal.SIGINT, signal.default_int_handler)
write, calls = encoder._Boxes.write, count(1)

def interrupted(boxes, data):
    if next(calls) == 3:
        signal.raise_signal(signal.SIGINT)
    return write(boxes, data)

encoder._Boxes.write = interrupted
try:
    recover_recording(Path(sys.argv[1]), RecordingKeys(*map(bytes.fromhex, sys.argv[2:])))
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_recover_that_is_ended_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    """Ctrl-C in the muxer's write was lost, with the bytes: the fragment was signed without them, the ring wiped."""
    folder, squeezer = tmp_path / "r1", Squeezer()
    create_recording(folder, KEYS, Origin("r1", "file:x", True, True, "0", meta={"masked": False})).abandon()
    ring = RingSegment(folder, KEYS.content, 1)
    for n in range(45):
        jpeg = squeezer.squeeze(np.full(64 * 48 * 3 // 2, 16 + n, np.uint8), 64, 48)
        ring.append(Picture(1_000_000 + n * 33_333, 64, 48, PLANES, jpeg))
    ring.leave()
    keys = [KEYS.content.hex(), (KEYS.signing or b"").hex()]
    argv = [sys.executable, "-c", _RECOVERED_UNTIL_CTRL_C, str(folder), *keys]
    assert subprocess.run(argv, cwd=ROOT, timeout=120, check=False).returncode == 130
    assert len(leftovers(folder)) == 1
    assert recover_recording(folder, KEYS)["frames"] == 45
    assert leftovers(folder) == []
    assert verify_recording(folder, Signer(KEYS.signing).public_key, KEYS.content).ok
    assert export_mp4(folder, KEYS.content, tmp_path / "out.mp4").frames == 45


@pytest.fixture(scope="session")
def closed(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of six seconds with two cards and a gap."""
    folder = tmp_path_factory.mktemp("dossier") / "r1"
    origin = Origin("r1", "file:x", True, True, "0.1.0", meta={"waybill": "SF1234567890123"})
    take = Take("r1", create_recording(folder, KEYS, origin), lambda _message: None)
    camera = FileCamera(f"file:{film}?pace=0&epoch_us=1000000")
    for n in range(180):
        frame = camera.read(1.0)
        if n in (60, 120):
            take.event("card.kept", {"card": f"card-{n}", "t_video_us": n * 33_333})
        if n == 90:
            take.interrupted("camera_lost")
        take.frame(join_planes(frame.y, frame.u, frame.v), frame.mono_us, frame.width, frame.height)
    camera.close()
    take.close("sealed")
    return folder


def test_a_new_part_begins_without_a_gap_and_no_fragment_is_longer_than_half_a_second(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sink._PART_US == 10 * 60 * 1_000_000
    monkeypatch.setattr(sink, "_PART_US", 1_500_000)
    folder = tmp_path / "r1"
    take = Take("r1", create_recording(folder, KEYS, Origin("r1", "file:x", True, True, "0.1.0")), lambda _told: None)
    camera = FileCamera(f"file:{film}?pace=0&epoch_us=1000000")
    for _ in range(120):
        frame = camera.read(1.0)
        take.frame(join_planes(frame.y, frame.u, frame.v), frame.mono_us, frame.width, frame.height)
    camera.close()
    take.close("sealed")
    verdict = verify_recording(folder, None, KEYS.content)
    assert (verdict.ok, verdict.frames, verdict.gaps, verdict.dropped) == (True, 120, 0, 0)
    parts = records(folder, "part")
    assert [part["first_pts"] // 1_500_000 for part in parts] == [0, 1, 2]
    assert len({part["id"] for part in parts}) == 3  # the key of a part comes from its id
    fragments = records(folder, "fragment")
    assert max(one["last_pts"] - one["first_pts"] for one in fragments) < 500_000
    assert export_mp4(folder, KEYS.content, tmp_path / "out.mp4").frames == 120
    apart = np.diff(times_in(tmp_path / "out.mp4"))
    assert len(apart) == 119
    assert float(apart.max()) < 0.04


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_what_was_damaged_when_it_was_sealed_is_not_cut_off_there(closed: Path, tmp_path: Path) -> None:
    shutil.copytree(closed, tmp_path / "r1")
    journal = tmp_path / "r1" / "journal.jsonl"
    flip(journal, journal.read_bytes().index(b'"n":6') + 4)
    before = {path.name: path.read_bytes() for path in (tmp_path / "r1").iterdir()}
    with pytest.raises(EvidenceTrouble, match=r"evidence\.sealed_damaged"):
        recover_recording(tmp_path / "r1", KEYS)
    assert {path.name: path.read_bytes() for path in (tmp_path / "r1").iterdir()} == before
    lines = before["journal.jsonl"].splitlines(keepends=True)
    stranger = Signer(bytes(32)).sign(json.loads(lines[-1])["chain"])
    forged = json.dumps(json.loads(lines[-1]) | {"sig": stranger}, separators=(",", ":")).encode() + b"\n"
    for end in (b"", forged):  # killed before its end, or somebody else's word that this was its end
        journal.write_bytes(b"".join(lines[:-1]) + end)
        report = recover_recording(tmp_path / "r1", KEYS)
        assert (report["already_closed"], report["closed"]) == (False, True)
        assert report["torn"]
        assert verify_recording(tmp_path / "r1", None, KEYS.content).ok
        shutil.rmtree(tmp_path / "r1")
        shutil.copytree(closed, tmp_path / "r1")
        flip(journal, journal.read_bytes().index(b'"n":6') + 4)


@pytest.fixture(scope="session")
def dossier(closed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpacked; the whole recording."""
    folder = tmp_path_factory.mktemp("unpacked")
    make_dossier(closed, KEYS, folder / "d.zip")
    with zipfile.ZipFile(folder / "d.zip") as data:
        data.extractall(folder / "d")
    return folder / "d"


def test_its_page_for_people_is_in_their_words(dossier: Path) -> None:
    for language, gap, kept in (
        ("zh", "相机断开 (camera_lost)", "一张卡已存好 (card.kept)"),
        ("en", "the camera was unplugged (camera_lost)", "a card was kept (card.kept)"),
    ):
        text = (dossier / f"summary.{language}.txt").read_text(encoding="utf-8")
        assert gap in text
        assert text.count(kept) == 2
    gaps = {f"camera_{word}" for word in get_args(CameraWord) if word not in ("starting", "live")}
    alarms = {"camera_frozen", "camera_black", "camera_changed"}
    covers = set(re.findall(r'"(\w+)"$', str(mask.__doc__), re.M)) - {"none"}
    assert len(covers) == 6
    assert gaps | alarms | covers | {CAMERA, MEMORY, DISK, UNREADABLE, "recorder_restarted", "no_pictures"} == set(
        REASONS
    )


def judge(path: Path) -> tuple[int, dict[str, Any]]:
    """By the verifier in a process that has nothing of ours, and tells what it imported."""
    code = (
        "import runpy, sys; sys.argv = sys.argv[1:]\n"
        "try:\n    runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "finally:\n    names = {m.partition('.')[0] for m in sys.modules} - set(sys.stdlib_module_names)\n"
        "    print(sorted(names), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(VERIFIER), str(path)],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    foreign = set(json.loads(done.stderr.splitlines()[-1].replace("'", '"')))
    assert not foreign & {"app", "hardware", "numpy", "av", "cv2", "pydantic"}, foreign
    return done.returncode, json.loads(done.stdout)


def test_a_stranger_verifies_a_dossier(closed: Path, dossier: Path, tmp_path: Path) -> None:
    code, report = judge(dossier)
    assert (code, report["ok"]) == (0, True), report
    assert len(report["gaps"]) == 1
    assert any("rehearsal" in line for line in report["not_proven"])
    assert any("no witness" in line for line in report["not_proven"])
    assert any("stills and summaries" in line for line in report["not_proven"])
    for start, end in ((0, 1_400_000), (1_600_000, 2_400_000), (3_200_000, 9_000_000), (2_500_000, 3_600_000)):
        facts = make_dossier(closed, KEYS, tmp_path / "part.zip", Stretch(start, end))
        assert 32 * len(facts["proof"]) < 2000
        code, report = judge(tmp_path / "part.zip")
        assert code == 0, report
        assert report["from_s"] * 1e6 <= max(start, 0) + 1_000_000
    card = card_stretch(closed, "card-120")
    assert card.from_pts <= 120 * 33_333 <= card.to_pts
    with pytest.raises(BadInput):
        card_stretch(closed, "card-7")
    names = {path.name for path in dossier.iterdir()}
    assert {"verify.py", "summary.zh.txt", "summary.en.txt", "viewing.mp4", "records.jsonl"} <= names
    assert len([name for name in names if name.startswith("still-")]) == 2
    assert times_in(dossier / "viewing.mp4")[0] == 0


def test_a_film_put_in_for_the_camera_is_told(film: Path, tmp_path: Path) -> None:
    """The recorder refuses it; whoever makes such a recording with a recorder of his own is found out."""
    folder = tmp_path / "r1"
    take = Take(
        "r1", create_recording(folder, KEYS, Origin("r1", "http:x", False, False, "0.1.0")), lambda _message: None
    )
    camera = FileCamera(f"file:{film}?pace=0&epoch_us=1000000")
    for n in range(40):
        frame = camera.read(1.0)
        if n in (0, 20):
            address = "http://x" if n == 0 else "file:x.mp4"
            take.camera(CameraState("live", "", address, 30.0, frame.width, frame.height))
        take.frame(join_planes(frame.y, frame.u, frame.v), frame.mono_us, frame.width, frame.height)
    camera.close()
    take.close("sealed")
    make_dossier(folder, KEYS, tmp_path / "d.zip")
    code, report = judge(tmp_path / "d.zip")
    assert (code, report["simulated"]) == (0, True)
    assert any("a film was put in" in line for line in report["not_proven"])
    assert verify_recording(folder, Signer(KEYS.signing).public_key, KEYS.content).simulated


def fragments(folder: Path) -> list[Path]:
    return sorted((folder / "fragments").iterdir())


def drop(folder: Path) -> None:
    fragments(folder)[3].unlink()


def drop_with_its_record(folder: Path) -> None:
    lines = (folder / "records.jsonl").read_text().splitlines()
    kept = [line for line in lines if '"leaf":3,' not in line]
    (folder / "records.jsonl").write_text("\n".join(kept) + "\n")
    fragments(folder)[3].unlink()


def swap(folder: Path) -> None:
    a, b = fragments(folder)[2:4]
    one, other = a.read_bytes(), b.read_bytes()
    a.write_bytes(other)
    b.write_bytes(one)


def edit_event(folder: Path) -> None:
    path = folder / "records.jsonl"
    path.write_text(path.read_text().replace('"card":"card-60"', '"card":"card-61"'))


def drop_event(folder: Path) -> None:
    lines = (folder / "records.jsonl").read_text().splitlines()
    (folder / "records.jsonl").write_text("\n".join(line for line in lines if '"card-60"' not in line) + "\n")


def cut_the_end(folder: Path) -> None:
    lines = (folder / "records.jsonl").read_text().splitlines()
    last = max(n for n, line in enumerate(lines) if '"kind":"fragment"' in line)
    (folder / "records.jsonl").write_text("\n".join(lines[:last] + lines[last + 1 :]) + "\n")


def other_film(folder: Path) -> None:
    data = bytearray((folder / "viewing.mp4").read_bytes())
    data[data.find(b"mdat") + 500] ^= 1
    (folder / "viewing.mp4").write_bytes(data)


def sign_anew(folder: Path) -> None:
    path = folder / "records.jsonl"
    path.write_text(path.read_text().replace('"reason":"sealed"', '"reason":"solved"'))


def other_still(folder: Path) -> None:
    first, second = sorted(folder.glob("still-*"))
    first.write_bytes(second.read_bytes())


def other_summary(folder: Path) -> None:
    path = folder / "summary.zh.txt"
    path.write_text(path.read_text(encoding="utf-8").replace("card.kept", "card.lost"), encoding="utf-8")


def one_still_more(folder: Path) -> None:
    shutil.copy(next(folder.glob("still-*")), folder / "still-99-9.000s.jpg")


def list_anew(folder: Path) -> None:
    """A swapped still, and its hash in the list; but nobody can sign that."""
    still = next(folder.glob("still-*"))
    still.write_bytes(still.read_bytes() + b"x")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][still.name] = hashlib.sha256(still.read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def unlist(folder: Path) -> None:
    (folder / "manifest.json").unlink()


LISTED = [other_still, other_summary, one_still_more, list_anew, unlist]


@pytest.mark.parametrize(
    "harm", [*LISTED, drop, drop_with_its_record, swap, edit_event, drop_event, cut_the_end, other_film, sign_anew]
)
def test_what_was_done_to_it_is_found(dossier: Path, tmp_path: Path, harm: Any) -> None:
    shutil.copytree(dossier, tmp_path / "d")
    harm(tmp_path / "d")
    code, report = judge(tmp_path / "d")
    assert code == 1
    assert not report["ok"]
    if harm in (drop, swap):
        assert "000002" in report["wrong"] or "000003" in report["wrong"]
        assert "hold up to" in report["wrong"]
    if harm in LISTED:
        assert any(name in report["wrong"] for name in ("still-", "summary.zh.txt", "manifest.json"))


def test_no_single_bit_goes_unnoticed(dossier: Path) -> None:
    """In-process, for speed: a bit of a fragment, of a record, of the proof."""
    scope: dict[str, Any] = {"__name__": "verifier"}
    exec(compile(VERIFIER.read_text(encoding="utf-8"), "verify.py", "exec"), scope)

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.data())
    def flip(data: st.DataObject) -> None:
        path = data.draw(st.sampled_from([*fragments(dossier), dossier / "records.jsonl"]))
        before = path.read_bytes()
        at = data.draw(st.integers(0, len(before) * 8 - 1))
        changed = bytearray(before)
        changed[at // 8] ^= 1 << at % 8
        path.write_bytes(changed)
        try:
            with pytest.raises((scope["Wrong"], ValueError, KeyError, TypeError)):
                scope["check"](dossier)
        finally:
            path.write_bytes(before)

    flip()
    assert scope["check"](dossier)["ok"]


def test_a_card_number_never_leaves_in_a_text() -> None:
    check_texts(["卡 •••• 8849 于 12.5 秒", "3f2c1a9e-1111-4222-8333-123456789012"], "SF1234567890123")
    for text in ("number 6222 0212 3456 7890", "PIN 1234567890"):
        with pytest.raises(EvidenceTrouble):
            check_texts([text], "")
