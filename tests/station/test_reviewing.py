"""The review desk on what the real recorder filmed: time line, stills, dossier, holds, verification, retention."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rfc3161_client import TimestampRequestBuilder
from sqlalchemy import delete, insert, update

from app.__main__ import main
from app.core.errors import BadInput, Trouble
from app.core.events import RightsChanged
from app.core.footage import Exported, Hold, Lines, Pile, next_frame
from app.core.parcels import Role
from app.core.readiness import Surroundings
from app.evidence.dossier import make_dossier
from app.evidence.ledger import load
from app.evidence.storage import footage_in
from app.evidence.timestamp import stamp_recording
from app.evidence.writer import RecordingKeys
from app.platform import private_folder
from app.station.clock import system_clock
from app.station.keeping import Keeping, Rules
from app.station.rounds import Ground
from app.station.station import Adjust
from app.store import leaks
from app.store.leaks import LeakSight
from app.store.store import Store
from app.store.tables import durable, operator
from tests.evidence.authority import Authority
from tests.station.filmed import (
    CLERK,
    SUPERVISOR,
    WAYBILL,
    FilmedParcel,
    number_in,
    stamp,
)
from tests.station.review_desk import Asked

HOUSE = Path(__file__).resolve().parents[2]


def test_a_supervisor_whose_word_runs_out_while_signed_in_loses_the_rights_at_the_next_act(asked: Asked) -> None:
    assert not isinstance(asked.answer(asked.desk.lines, SUPERVISOR, Pile.ALL, ""), BadInput)
    asked.store.call(_made_by_the_centre)
    refused = asked.answer(asked.desk.lines, SUPERVISOR, Pile.ALL, "")
    assert isinstance(refused, BadInput)
    assert refused.code == "people.lapsed"
    (told,) = asked.told
    assert isinstance(told, RightsChanged)
    assert (told.operator.id, told.operator.role, told.operator.lapsed) == (SUPERVISOR.id, Role.CLERK, True)


def test_a_supervisor_who_was_removed_is_answered_no_more(asked: Asked) -> None:
    asked.store.call(lambda store: store.ledger.write(lambda connection: connection.execute(delete(operator))))
    refused = asked.answer(asked.desk.footage, SUPERVISOR, "r-1")
    assert isinstance(refused, BadInput)
    assert refused.code == "review.not_allowed"
    (told,) = asked.told
    assert isinstance(told, RightsChanged)
    assert told.operator.role is Role.CLERK


def _made_by_the_centre(store: Store) -> None:
    """As if the centre had named this supervisor, and was never heard since."""
    central = update(operator).where(operator.c.id == SUPERVISOR.id).values(central=True)
    store.ledger.write(lambda connection: connection.execute(central))


def test_only_supervisors_are_answered(asked: Asked) -> None:
    desk = asked.desk
    for ask, *what in (
        (desk.lines, CLERK, Pile.ALL, ""), (desk.footage, CLERK, "r-1"), (desk.still, CLERK, "r-1", 0),
        (desk.dossier, CLERK, "r-1", ""), (desk.hold, CLERK, "r-1", True, "why"),
    ):  # fmt: skip
        refused = asked.answer(ask, *what)
        assert isinstance(refused, BadInput)
        assert refused.code == "review.not_allowed"
    assert desk.film("r-1", 1) is None
    assert not asked.folder.exports.exists()


def test_the_time_line_shows_the_gap_the_masks_and_the_card(asked: Asked) -> None:
    footage = asked.footage()
    assert (footage.waybill, footage.operator, footage.closed, footage.there) == (WAYBILL, CLERK.name, True, True)
    assert len(footage.parts) == 3  # until the kill, what the ring still held, after the restart
    (gap,) = [one for one in footage.gaps if one.reason == "recorder_restarted"]
    assert gap.from_us < gap.to_us == footage.parts[2].from_us
    assert footage.masks
    (card,) = footage.cards
    assert card.from_us < card.read_us == 500_000 <= card.kept_us <= card.to_us
    assert set(footage.stops()) >= {0, gap.from_us, gap.to_us, card.from_us, card.read_us, footage.duration_us}
    assert isinstance(asked.answer(asked.desk.footage, SUPERVISOR, "r-9"), BadInput)


def test_the_list_finds_the_card_by_its_last_four(asked: Asked) -> None:
    found = asked.answer(asked.desk.lines, SUPERVISOR, Pile.REVIEW, "9140")
    assert isinstance(found, Lines)
    assert [(line.recording_id, line.card_id) for line in found.lines] == [("r-1", "c-1")]


def test_every_frame_is_stepped_over_once(asked: Asked, own: FilmedParcel) -> None:
    footage = asked.footage()
    times, at = [0], 0
    while (after := next_frame(asked.desk.frame_times("r-1", at), at, forward=True)) is not None:
        times.append(after)
        at = after
    with_frames = [piece for part in load(own.folder.recordings / "r-1").parts for piece in part.pieces if piece.frames]
    assert len(times) == sum(piece.frames for piece in with_frames)
    assert times == sorted(set(times))
    assert {piece.first_pts for piece in with_frames} | {piece.last_pts for piece in with_frames} <= set(times)
    assert footage.fragments == len(with_frames)


def luma_of(jpeg: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("L"))


@pytest.mark.parametrize("left", [0, 8192])
def test_what_leaves_onto_a_full_disk_is_whole_or_not_there(asked: Asked, left: int) -> None:
    """A real small disk under the exports: it is called full, and the same works when there is room."""
    exports = private_folder(asked.folder.exports)
    argv = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(exports)]
    if subprocess.run(argv, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk is not allowed here")
    filler = exports / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as out:
        while True:
            out.write(bytes(4096))
    with filler.open("r+b") as out:
        out.truncate(filler.stat().st_size - left)
    footage = asked.footage()
    at_us = footage.parts[2].from_us + 400_000
    for ask, what in ((asked.desk.still, at_us), (asked.desk.dossier, "")):
        refused = asked.answer(ask, SUPERVISOR, "r-1", what)
        if isinstance(refused, Trouble):
            assert refused.code == "store.disk_full"
            assert [path.name for path in exports.iterdir()] == ["filler"]
        else:  # a small picture may fit; the dossier does not
            assert what == at_us
            for path in (Path(refused.path), Path(refused.path).with_suffix(".jpg.json")):
                path.unlink()
    assert isinstance(refused, Trouble)
    filler.unlink()
    for ask, what in ((asked.desk.still, at_us), (asked.desk.dossier, "")):
        assert isinstance(asked.answer(ask, SUPERVISOR, "r-1", what), Exported)
    assert not list(exports.glob("*.part"))
    subprocess.run(["umount", "-l", str(exports)], check=True)


def test_a_still_is_the_masked_frame_of_that_time_and_has_its_event(asked: Asked) -> None:
    footage = asked.footage()
    clear_us = footage.parts[2].from_us + 400_000
    done = asked.answer(asked.desk.still, SUPERVISOR, "r-1", clear_us)
    assert isinstance(done, Exported)
    path = Path(done.path)
    assert path.parent == asked.folder.exports
    assert path.name.startswith(f"{WAYBILL}-00m")
    picture = path.read_bytes()
    at_us = max(time for time in asked.desk.frame_times("r-1", clear_us) if time <= clear_us)
    first = number_in(luma_of(picture)) - round(at_us / 33_333.3)
    later = asked.answer(asked.desk.still, SUPERVISOR, "r-1", clear_us + 100_000)
    assert number_in(luma_of(Path(later.path).read_bytes())) - round((at_us + 100_000) / 33_333.3) in (first, first + 1)
    covered = asked.answer(asked.desk.still, SUPERVISOR, "r-1", 700_000)
    assert luma_of(Path(covered.path).read_bytes())[101:119, 102:198].std() < 3
    told = json.loads(path.with_suffix(".jpg.json").read_text())
    event = json.loads(told["event"])
    assert event["kind"] == "still.exported"
    assert event["actor"] == SUPERVISOR.id
    assert event["body"]["sha256"] == hashlib.sha256(picture).hexdigest()
    assert hashlib.sha256(told["event"].encode()).hexdigest() == told["hash"]


def test_a_dossier_of_the_card_verifies_at_a_strangers(asked: Asked) -> None:
    asked.footage()
    done = asked.answer(asked.desk.dossier, SUPERVISOR, "r-1", "c-1")
    assert isinstance(done, Exported)
    assert checked(Path(done.path))["ok"] is True
    event = json.loads(asked.store.call(lambda store: store.outbox_after(done.seq - 1, 1))[0].data)
    assert event["kind"] == "dossier.exported"
    assert done.unchecked  # nobody has read it for PINs: that is told everywhere
    assert event["body"]["unchecked"] == ["r-1"]
    assert any("no PIN" in line for line in checked(Path(done.path))["not_proven"])
    assert event["body"]["sha256"] == hashlib.sha256(Path(done.path).read_bytes()).hexdigest()
    assert not list(asked.folder.exports.glob("*.part"))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to be an authority")
def test_a_dossier_carries_the_time_token_and_no_other_recordings(own: FilmedParcel, tmp_path: Path) -> None:
    """A stranger checks it with openssl alone; a token for something else is refused."""
    authority, folder = Authority(tmp_path / "tsa"), own.folder.recordings / "r-1"
    stamp_recording(folder, authority.answer, [authority.root])
    store = own.store()
    known = store.find_recording("r-1")
    seed = store.signing_seed
    store.close()
    assert known is not None
    make_dossier(folder, RecordingKeys(known.key, seed), tmp_path / "d.zip")
    with zipfile.ZipFile(tmp_path / "d.zip") as made:
        made.extractall(tmp_path / "d")
    assert checked(tmp_path / "d")["time_token"] is True
    files = ["-data", str(tmp_path / "d" / "root.statement"), "-in", str(tmp_path / "d" / "root.tsr")]
    authority.openssl("ts", "-verify", *files, "-CAfile", "ca.pem")  # raises when it does not hold
    token = (tmp_path / "d" / "root.tsr").read_bytes()
    other = authority.answer(TimestampRequestBuilder().data(b"something else").build().as_bytes())
    (tmp_path / "d" / "root.tsr").write_bytes(other)
    assert "root.tsr" in checked(tmp_path / "d")["wrong"]
    (tmp_path / "d" / "root.tsr").write_bytes(token)
    (tmp_path / "d" / "root.statement").write_bytes(b"another")
    assert "root.statement" in checked(tmp_path / "d")["wrong"]


def checked(path: Path) -> dict[str, Any]:
    """What the verifier says that travels with dossiers."""
    argv = [sys.executable, str(HOUSE / "resources" / "dossier" / "verify.py"), str(path)]
    found: dict[str, Any] = json.loads(subprocess.run(argv, capture_output=True, text=True, check=False).stdout)
    return found


def test_verification_tells_how_far_it_is_and_that_all_holds(asked: Asked) -> None:
    footage = asked.footage()
    told = asked.proof()
    assert [proof.checked for proof in told] == sorted(proof.checked for proof in told)
    assert (told[-1].fault, told[-1].checked) == ("", footage.fragments)
    assert "not_closed" not in told[-1].notes


def test_verification_names_the_place_of_a_changed_byte(asked: Asked, own: FilmedParcel) -> None:
    part = load(own.folder.recordings / "r-1").parts[0]
    path = own.folder.recordings / "r-1" / part.file
    data = bytearray(path.read_bytes())
    data[part.pieces[3].offset + 40] ^= 1
    path.write_bytes(data)
    asked.footage()
    last = asked.proof()[-1]
    assert last.fault == "evidence.bytes_changed"
    assert last.fault_us == (part.pieces[3].first_pts, part.pieces[3].last_pts)
    assert last.valid_to_us == part.pieces[2].last_pts


def ground(asked: Asked, adjust: Adjust) -> Ground:
    return Ground(asked.store, system_clock(), adjust, lambda bug: None)


def test_a_hold_keeps_footage_that_would_go(asked: Asked, own: FilmedParcel) -> None:
    """The disk is nearly full and the centre has everything: what is held stays, what is let go goes, journal apart."""
    heard: list[Surroundings] = []

    def adjust(change: Callable[[Surroundings], Surroundings]) -> None:
        heard.append(change(heard[-1] if heard else Surroundings()))

    def has(store: Store) -> None:
        with store._engine.begin() as connection:
            connection.execute(insert(durable), {"recording_id": "r-1", "epoch": "e", "text": "{}", "sig": b""})

    rules = Rules(keep_days=0, keep_free_bytes=1_000, free=lambda _path: 0)
    keeping = Keeping(ground(asked, adjust), own.folder.recordings, rules)
    assert keeping.look().removed == ()  # the centre has not got it
    asked.store.call(has)
    assert isinstance(asked.answer(asked.desk.hold, SUPERVISOR, "r-1", True, "complaint"), Hold)
    assert keeping.look().removed == ()
    assert asked.answer(asked.desk.hold, SUPERVISOR, "r-1", False, "") is None
    gone = keeping.look()
    assert gone.removed == ("r-1",)
    assert gone.freed > 0
    assert footage_in(own.folder.recordings / "r-1") == 0
    assert keeping.look().removed == ()
    footage = asked.footage()
    assert (footage.there, footage.parts) == (False, ())
    assert footage.cards
    assert footage.gaps
    assert asked.desk.film("r-1", 1) is None
    kinds = [json.loads(event.data)["kind"] for event in asked.store.call(lambda store: store.outbox_after(0))]
    assert kinds.count("footage.removed") == 1


def test_young_footage_stays_and_a_roomy_disk_keeps_all(asked: Asked, own: FilmedParcel) -> None:
    def has(store: Store) -> None:
        with store._engine.begin() as connection:
            connection.execute(insert(durable), {"recording_id": "r-1", "epoch": "e", "text": "{}", "sig": b""})

    asked.store.call(has)
    for rules in (Rules(30, 1_000, lambda _path: 0), Rules(0, 1_000, lambda _path: 2_000)):
        keeping = Keeping(ground(asked, lambda _change: None), own.folder.recordings, rules)
        assert keeping.look().removed == ()
    assert footage_in(own.folder.recordings / "r-1") > 0


@pytest.mark.warns
def test_pictures_that_somebody_deleted_and_folders_that_nobody_knows_are_told(asked: Asked, own: FilmedParcel) -> None:
    heard: list[Surroundings] = [Surroundings()]
    told = ground(asked, lambda change: heard.append(change(heard[-1])))
    keeping = Keeping(told, own.folder.recordings, Rules(keep_days=0, keep_free_bytes=0))
    assert keeping.look().reconciled.holed == ()
    assert (heard[-1].disk.missing_recordings, heard[-1].disk.unknown_recordings) == (0, 0)
    next((own.folder.recordings / "r-1").glob("part-*")).unlink()
    shutil.copytree(own.folder.recordings / "r-1", own.folder.recordings / "strange")
    assert keeping.look().reconciled.holed == ("r-1",)
    disk = heard[-1].disk
    assert (disk.missing_recordings, disk.unknown_recordings, disk.keeping_stopped) == (1, 1, False)


@pytest.mark.warns
def test_nothing_is_removed_while_much_is_missing(asked: Asked, own: FilmedParcel) -> None:
    heard: list[Surroundings] = [Surroundings()]

    def more(store: Store) -> None:
        for n in range(5):
            store.new_recording(f"x-{n}", "p-1", stamp(), "")
            store.close_recording(f"x-{n}", "00", "00", 0, stamp(), "")
        with store._engine.begin() as connection:
            connection.execute(insert(durable), {"recording_id": "r-1", "epoch": "e", "text": "{}", "sig": b""})

    asked.store.call(more)
    rules = Rules(keep_days=0, keep_free_bytes=1_000, free=lambda _path: 0)
    told = ground(asked, lambda change: heard.append(change(heard[-1])))
    keeping = Keeping(told, own.folder.recordings, rules)
    found = keeping.look()
    assert (found.reconciled.stop, found.removed) == (True, ())
    assert heard[-1].disk.missing_recordings == 5
    assert heard[-1].disk.keeping_stopped
    assert footage_in(own.folder.recordings / "r-1") > 0


def test_dossier_and_export_by_waybill_and_card(
    own: FilmedParcel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(*words: str) -> dict[str, Any]:
        assert main(words) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    data, out = str(own.folder.root), tmp_path / "d.zip"
    whole = told("dossier", "--data", data, "--waybill", WAYBILL, "--out", str(out))
    part = told("dossier", "--data", data, "--card", "c-1", "--out", str(tmp_path / "c.zip"))
    assert whole["from_pts"] == part["from_pts"] == 0
    assert zipfile.ZipFile(out).testzip() is None
    film = told("export", "--data", data, "--waybill", WAYBILL, str(tmp_path / "f.mp4"))
    assert film["frames"] == load(own.folder.recordings / "r-1").frames
    before = out.read_bytes()
    for words in (["--waybill", "nobody"], ["--card", "nobody"], [], ["--card", "c-1", "--waybill", WAYBILL]):
        assert main(["dossier", "--data", data, *words, "--out", str(out)]) == 2
    assert main(["dossier", "--out", str(out)]) == 2
    assert out.read_bytes() == before


def test_a_bare_rehearsal_folder_is_barred_too(
    own: FilmedParcel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = str(own.folder.recordings / "r-1")
    assert main(["export", bare, str(tmp_path / "before.mp4")]) == 0
    store = own.store()
    leaks.note_progress(store.ledger, "r-1", 700_001, 1, [LeakSight(700_000, "tesseract", "pattern", 8)], stamp())
    store.close()
    for words in (["export", bare, str(tmp_path / "f.mp4")], ["dossier", bare, "--out", str(tmp_path / "d.zip")]):
        assert main(words) == 2
        assert "footage.may_show_pin" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.glob("*.*")) == ["before.mp4"]


def test_what_the_leak_check_saw_can_be_jumped_to_and_bars_every_export_until_it_is_judged(asked: Asked) -> None:
    sight = LeakSight(700_000, "tesseract", "pattern", 8)
    asked.store.call(lambda store: leaks.note_progress(store.ledger, "r-1", 700_001, 1, [sight], stamp()))
    footage = asked.footage()
    assert footage.hold is not None
    assert footage.hold.leak
    assert 700_000 in footage.stops()
    for ask, what in ((asked.desk.still, 0), (asked.desk.dossier, "")):
        refused = asked.answer(ask, SUPERVISOR, "r-1", what)
        assert isinstance(refused, BadInput)
        assert refused.code == "footage.may_show_pin"
    refused = asked.answer(asked.desk.hold, SUPERVISOR, "r-1", False, "")
    assert isinstance(refused, BadInput)
    assert refused.code == "hold.no_reason"
    assert asked.answer(asked.desk.hold, SUPERVISOR, "r-1", False, "a batch number") is None
    assert isinstance(asked.answer(asked.desk.still, SUPERVISOR, "r-1", 0), Exported)
    released = json.loads(asked.store.call(lambda store: store.outbox_after(0))[-2].data)
    assert (released["kind"], released["body"]["judged_no_pin"]) == ("footage.released", True)
