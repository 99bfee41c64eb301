"""Programs die in the middle of a parcel: nothing is lost, nothing is doubled, nothing is left running."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from app.evidence.verify import verify_recording
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.store.verify import verify_audit
from tests.e2e.conftest import Rehearsal

pytestmark = pytest.mark.timeout(720)  # each waits for a whole rehearsal or two, however busy the machine is


def kept_before(rehearsal: Rehearsal) -> tuple[list[str], str, int]:
    """What a killed station left: its cards, the running recording, the number of events."""
    store = Store.open(rehearsal.folder.database, REHEARSAL_PASSPHRASE)
    try:
        unfinished = store.unfinished_parcel()
        assert unfinished is not None
        return [card.card_id for card in unfinished.cards], unfinished.recording_id, len(store.outbox_after(0))
    finally:
        store.close()


def chain(rehearsal: Rehearsal) -> list[dict]:
    store = Store.open(rehearsal.folder.database, REHEARSAL_PASSPHRASE)
    try:
        return [json.loads(event.data) for event in store.outbox_after(0)]
    finally:
        store.close()


def verifies(rehearsal: Rehearsal, report: dict) -> bool:
    """Chain here, chain at the centre, footage: all hold."""
    folder = rehearsal.folder
    store = Store.open(folder.database, REHEARSAL_PASSPHRASE)
    key = store.public_key.hex()
    store.close()
    station, centre = verify_audit(folder.root, REHEARSAL_PASSPHRASE), verify_audit(folder.root / "centre")
    same = station["chains"][0]["head"] == centre["chains"][0]["head"]
    return station["ok"] and centre["ok"] and same and verify_recording(Path(report["recording"]), key).ok


@pytest.mark.parametrize("window", [False, True])
def test_killed_station_goes_on_where_it_was(make_rehearsal: Callable[[], Rehearsal], window: bool) -> None:
    """Without a screen, and in its window: the recorder and the eye live on, a new station joins the same recording."""
    rehearsal = make_rehearsal()
    rehearsal.begin(window)
    rehearsal.until_card(1)
    recorder, eye = rehearsal.pid_of("recorder"), rehearsal.pid_of("eye")
    rehearsal.kill()
    cards, recording_id, events = kept_before(rehearsal)
    assert len(cards) == 1
    rehearsal.begin()
    rehearsal.until_card(1)  # it stands in the tray again
    assert (rehearsal.pid_of("recorder"), rehearsal.pid_of("eye")) == (recorder, eye)
    report = rehearsal.finish()
    assert [card["id"] for card in report["cards"]][:1] == cards
    assert sorted((card["gtin"], card["last4"]) for card in report["cards"]) == sorted(rehearsal.truth())
    assert Path(report["recording"]).name == recording_id
    assert report["events"] == report["receipts"] > events
    kinds = [event["kind"] for event in chain(rehearsal)]
    assert kinds.count("card.kept") == len(report["cards"]) == 2
    once = ("parcel.opened", "recording.started", "recording.closed", "parcel.sealed")
    assert [kinds.count(kind) for kind in once] == [1] * 4
    assert kinds.count("operator.signed-in") == 2
    assert verifies(rehearsal, report)
    gaps = [record["reason"] for record in rehearsal.journal(report) if record["kind"] == "gap"]
    assert [reason for reason in gaps if reason != "camera_stalled"] == []  # a busy machine may look away from the film
    assert rehearsal.running() == []


def test_killed_recorder_and_killed_eye_are_replaced_under_way(make_rehearsal: Callable[[], Rehearsal]) -> None:
    rehearsal = make_rehearsal()
    rehearsal.begin()
    rehearsal.until_card(1)
    recorder, eye = rehearsal.pid_of("recorder"), rehearsal.pid_of("eye")
    os.kill(eye, signal.SIGKILL)
    os.kill(recorder, signal.SIGKILL)
    rehearsal.until(lambda: rehearsal.pid_of("recorder") not in (0, recorder))
    rehearsal.until(lambda: rehearsal.pid_of("eye") not in (0, eye))
    rehearsal.until(lambda: not [pid for pid in (recorder, eye) if Path(f"/proc/{pid}").exists()])  # reaped: no zombies
    report = rehearsal.finish()
    assert sorted((card["gtin"], card["last4"]) for card in report["cards"]) == sorted(rehearsal.truth())
    kinds = [event["kind"] for event in chain(rehearsal)]
    assert kinds.count("card.kept") == 2
    assert "recording.cut" in kinds
    assert "recording.resumed" in kinds
    gaps = [record for record in rehearsal.journal(report) if record["kind"] == "gap"]
    # A busy machine may make the played film stall as well; that is a gap of its own.
    assert [gap["reason"] for gap in gaps if gap["reason"] != "camera_stalled"] == ["recorder_restarted"]
    assert report["video"] == "ok"
    assert verifies(rehearsal, report)
    assert rehearsal.running() == []


def test_interrupted_it_ends_in_order(make_rehearsal: Callable[[], Rehearsal]) -> None:
    """Ctrl-C, while Qt paints a picture: the recording is closed, nothing runs, the parcel waits to be taken up."""
    rehearsal = make_rehearsal()
    rehearsal.begin()
    rehearsal.until_said("开箱")
    assert rehearsal.child is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        rehearsal.child.send_signal(number)
    assert rehearsal.child.wait(120) == 130
    assert "Traceback" not in rehearsal.progress()
    assert rehearsal.running() == []
    _, recording_id, _ = kept_before(rehearsal)
    verdict = verify_recording(rehearsal.folder.recordings / recording_id)
    assert verdict.ok
    assert verdict.closed
