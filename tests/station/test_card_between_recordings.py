"""A card that is filmed on one recording and kept while the next one runs: it belongs to the one that shows it."""

from __future__ import annotations

import pytest

from app.core.events import Key, RecordingClosed, SaveFailed
from app.core.states import Paused, Waiting
from app.evidence.dossier import make_dossier
from app.recorder import protocol as told
from app.station.dossiers import dossier_of
from tests.recorder.test_record_command import judge
from tests.recording import records
from tests.station.conftest import Desk
from tests.station.test_film_failures import waiting


@pytest.mark.warns
def test_a_card_kept_after_its_recording_ended_has_its_dossier(desk: Desk) -> None:
    """A full disk refuses the card and ends the recording; with room again both go on. No dossier of that card could be
    made, and the next recording's chain told of it at a time of the first one.
    """
    first = waiting(desk)
    desk.until(lambda: desk.station.around.rec.elapsed_us > 2_000_000)
    desk.writer.trouble = "store.disk_full"
    desk.show_card("card-2")
    desk.until(lambda: desk.heard(SaveFailed) != [])
    shown_us = desk.station.around.rec.elapsed_us + 1_000_000
    desk.until(lambda: desk.station.around.rec.elapsed_us > shown_us)
    desk.filming._send(told.Stop("test"))
    desk.until(lambda: desk.station.around.rec.recording_id == "")
    desk.writer.trouble = ""
    desk.until(lambda: first in [closed.recording_id for closed in desk.heard(RecordingClosed)])
    desk.until(lambda: isinstance(desk.state, Paused) and desk.state.ready)
    desk.press(Key.SPACE)
    desk.until_in(Waiting)
    _, card = desk.cards()
    second = desk.state.visit.recording_id
    assert second != first
    wanted = dossier_of(desk.writer.call, desk.folder.recordings, first, card.card_id)
    assert wanted.stretch.from_pts <= card.t_video_us <= wanted.stretch.to_pts
    made = desk.folder.root / "card.zip"
    make_dossier(wanted.folder, wanted.keys, made, wanted.stretch)
    code, report = judge(made)
    assert (code, report["recording"]) == (0, first)
    assert report["from_s"] <= card.t_video_us / 1e6 <= report["to_s"]
    later = [one["body"] for one in records(desk.folder.recordings / second, "event") if one["event"] == "card.kept"]
    assert card.card_id not in [body["card"] for body in later]
