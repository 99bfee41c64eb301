"""A parcel from the badge to the seal, with real store and recorder; and what happens when the store says no."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.core.cards import CardState, FieldState
from app.core.effects import Sound
from app.core.events import (
    CardWasDuplicate,
    Device,
    Key,
    KeyHeld,
    PasscodeEntered,
    RecordingCut,
)
from app.core.states import Asking, Counting, Idle, Opening, Paused, Rejecting, Sealing, SignedOut, Waiting
from app.evidence.row import verify_row
from app.evidence.verify import verify_recording
from app.programs import find_program
from app.store.store import REHEARSAL_PASSPHRASE
from app.store.verify import verify_audit
from tests.core.making import WAYBILL, number, read_field
from tests.recording import gaps_of, records
from tests.station.conftest import SUPERVISOR_BADGE, Desk, Desks, recorder_plan

WHOLE = [
    "operator.signed-in",
    "parcel.opened",
    "recording.started",
    "card.kept",
    "card.kept",
    "recording.closed",
    "parcel.counted",
    "parcel.sealed",
]


def count_and_seal(desk: Desk) -> None:
    """Declared equals found: Space to the count, Space to seal."""
    desk.until_in(Waiting)
    desk.press(Key.SPACE)
    desk.until_in(Counting)
    desk.press(Key.SPACE)
    desk.until_in(Idle)


def public_key(desk: Desk) -> str:
    return desk.writer.call(lambda store: store.public_key.hex())


def audit_holds(desk: Desk) -> bool:
    return bool(verify_audit(desk.folder.root, REHEARSAL_PASSPHRASE)["ok"])


def test_a_whole_parcel(desk: Desk) -> None:
    desk.sign_in()
    desk.begin_parcel()
    desk.keep("read-1")
    desk.keep("read-2")
    count_and_seal(desk)
    assert desk.kinds() == WHOLE
    assert audit_holds(desk)
    assert isinstance(desk.state, Idle)
    assert desk.state.last is not None
    assert [(card.no, card.last4) for card in desk.state.last.cards] == [
        (n, number(sum(map(ord, f"read-{n}")))[-4:]) for n in (1, 2)
    ]
    kept = [event["body"] for event in desk.chain() if event["kind"] == "card.kept"]
    assert [body["card"] for body in kept] == [card.card_id for card in desk.state.last.cards]
    assert {Sound.REC_ON, Sound.ACCEPTED, Sound.REC_OFF} <= set(desk.sounds)
    desk.scan(WAYBILL)
    desk.until(lambda: isinstance(desk.state, Idle) and desk.state.earlier is not None)


def test_signing_in_with_the_right_passcode_only(desk: Desk) -> None:
    desk.scan("CIB-NOBODY1")
    desk.until(lambda: isinstance(desk.state, SignedOut) and desk.state.refused)
    desk.station.post(PasscodeEntered("1007", "000000"))
    desk.until(lambda: isinstance(desk.state, SignedOut) and desk.state.wrong == 1)
    desk.station.post(PasscodeEntered("1007", "246810"))
    desk.until_in(Idle)
    assert desk.kinds() == ["operator.signed-in"]


def test_parcel_that_nobody_announced_opens_when_the_clerk_says_so(desk: Desk) -> None:
    desk.sign_in()
    desk.until(lambda: desk.station.around.camera.width > 0)
    desk.scan("SF0000000000001")
    desk.until(lambda: isinstance(desk.state, Idle) and desk.state.unannounced != "")
    desk.press(Key.SPACE)
    desk.until_filmed()
    assert "parcel.opened" in desk.kinds()


def test_card_shown_twice_is_kept_once(desk: Desk) -> None:
    desk.sign_in()
    desk.begin_parcel()
    read = desk.show_card("read-1")
    desk.until(lambda: len(desk.cards()) == 1)
    desk.show_card("read-1")  # the eye could not know that it had arrived
    desk.show_card("again", number=read.number)  # the same card laid down once more
    desk.until(lambda: desk.heard(CardWasDuplicate) != [])
    desk.until_in(Waiting)
    assert desk.state.notice is not None
    assert desk.state.notice.code == "card.already-here"
    assert len(desk.cards()) == 1
    assert desk.kinds().count("card.kept") == 1


def test_card_taken_back_may_be_taken_again(desk: Desk) -> None:
    desk.sign_in()
    desk.begin_parcel()
    read = desk.show_card("read-1")
    desk.until(lambda: len(desk.cards()) == 1)
    desk.press(Key.F2)
    desk.until(lambda: desk.kinds()[-1] == "card.withdrawn")
    desk.until(lambda: desk.cards() == ())
    desk.keep("again", number=read.number)
    assert desk.kinds()[-3:] == ["card.kept", "card.withdrawn", "card.kept"]


def test_doubtful_character_is_asked_and_the_answer_kept(desk: Desk) -> None:
    desk.sign_in()
    desk.begin_parcel()
    text = number(5)
    desk.show_card("read-1", number=read_field(text, {4: text[4] + "B", 9: text[9] + "S"}))
    desk.until_in(Asking, Waiting)
    while isinstance(desk.state, Asking):
        position = desk.state.question.position
        desk.press(Key.DIGIT, 1)
        desk.press(Key.SPACE)
        desk.until(lambda p=position: not (isinstance(desk.state, Asking) and desk.state.question.position == p))
    desk.until(lambda: len(desk.cards()) == 1)
    assert desk.cards()[0].last4 == text[-4:]
    assert desk.cards()[0].state is CardState.KEPT


def test_unreadable_card_goes_to_review_without_a_number(desk: Desk) -> None:
    desk.sign_in()
    desk.begin_parcel()
    unread = read_field("")
    desk.show_card("read-1", number=type(unread)(FieldState.UNREADABLE, ()))
    desk.until_in(Asking)
    desk.press(Key.F7)
    desk.until(lambda: len(desk.cards()) == 1)
    assert (desk.cards()[0].state, desk.cards()[0].last4) == (CardState.REVIEW, "")


def test_whole_parcel_can_be_rejected(desk: Desk) -> None:
    desk.sign_in()
    desk.begin_parcel()
    desk.keep("read-1")
    desk.until_in(Waiting)
    desk.press(Key.SPACE)
    desk.press(Key.F9)
    desk.until_in(Rejecting)
    desk.press(Key.DIGIT, 1)
    desk.station.post(KeyHeld(Key.SPACE))
    desk.until_in(Idle)
    assert "card.rejected" in desk.kinds()
    assert [card.state for card in desk.state.last.cards] == [CardState.REJECTED]


def test_supervisor_lets_the_work_go_on(desk: Desk) -> None:
    desk.sign_in()
    desk.begin_parcel()
    desk.station.post(RecordingCut("camera.lost", 1))
    desk.until_in(Paused)
    desk.press(Key.F7)
    desk.until(lambda: isinstance(desk.state, Paused) and desk.state.supervisor)
    desk.scan("CIB-DEMO7001")  # the clerk's own badge does not do
    desk.press(Key.SPACE)
    desk.scan(SUPERVISOR_BADGE)
    desk.until(lambda: isinstance(desk.state, Paused) and not desk.state.supervisor)
    assert desk.kinds()[-1] == "recording.resumed"


MOMENTS = ("finding", "card", "take back", "close", "seal")


@pytest.mark.warns
@pytest.mark.parametrize("moment", MOMENTS)
def test_store_that_says_no_loses_nothing_and_doubles_nothing(desk: Desk, moment: str) -> None:
    """At each moment the store fails once, the clerk presses Space, and the chain ends up as if nothing had been."""

    def trouble_until(seen: Callable[[], bool]) -> None:
        desk.until(seen)
        desk.writer.trouble = ""

    desk.sign_in()
    desk.until(lambda: desk.station.around.camera.width > 0)
    if moment == "finding":
        desk.writer.trouble = "store.io"
        desk.scan(WAYBILL)
        trouble_until(lambda: isinstance(desk.state, Idle) and desk.state.notice is not None)
        assert desk.state.notice.code == "store.io"
    desk.begin_parcel()
    if moment == "card":
        desk.writer.trouble = "store.disk_full"
        desk.show_card("read-1")
        trouble_until(lambda: isinstance(desk.state, Paused))
        assert (desk.state.device, desk.state.code) == (Device.STORE, "store.disk_full")
        desk.press(Key.SPACE)
        desk.until(lambda: len(desk.cards()) == 1)
    else:
        desk.keep("read-1")
    desk.keep("read-2")
    desk.until_in(Waiting)
    if moment == "take back":
        desk.writer.trouble = "store.io"
        desk.press(Key.F2)
        trouble_until(lambda: isinstance(desk.state, Paused))
        desk.press(Key.SPACE)
        desk.until_in(Waiting)
        assert len(desk.cards()) == 2  # nothing was taken back: the clerk sees it and may try again
    desk.press(Key.SPACE)
    desk.until_in(Counting)
    if moment in ("close", "seal"):
        if moment == "seal":
            desk.writer.fails = lambda calls: "seal_parcel" in calls
        desk.writer.trouble = "store.io"
        desk.press(Key.SPACE)
        trouble_until(lambda: isinstance(desk.state, Paused))
        assert isinstance(desk.state.back_to, Sealing)
        assert desk.state.back_to.closed == (moment == "seal")
    desk.press(Key.SPACE)
    desk.until_in(Idle)
    assert desk.kinds() == WHOLE
    assert audit_holds(desk)


@pytest.mark.warns
def test_store_that_fails_while_the_parcel_is_opened(desk: Desk) -> None:
    desk.sign_in()
    desk.until(lambda: desk.station.around.camera.width > 0)
    desk.writer.fails = lambda calls: "find_parcel" not in calls  # the waybill is found, then nothing can be written
    desk.writer.trouble = "store.io"
    desk.scan(WAYBILL)
    desk.until_in(Paused)
    assert isinstance(desk.state.back_to, Opening)
    desk.writer.trouble = ""
    desk.press(Key.SPACE)
    desk.until(lambda: isinstance(desk.state, Opening) and desk.state.began)
    assert desk.kinds() == ["operator.signed-in", "parcel.opened", "recording.started"]


def test_station_that_vanished_finds_its_recorder_recording(desks: Desks) -> None:
    first = desks.sit_down()
    first.sign_in()
    first.begin_parcel()
    first.filming.note = lambda *_told: None  # it vanishes between the card's row and its word to the recorder
    first.keep("read-1")
    recording_id, pid = first.state.visit.recording_id, first.recorder_pid()
    desks.leave(first, end_programs=False)
    second = desks.sit_down()
    second.sign_in()
    second.until_filmed()
    assert second.recorder_pid() == pid
    assert second.state.visit.recording_id == recording_id
    assert [card.read_id for card in second.cards()] == ["read-1"]
    second.show_card("read-1")  # the eye tells again what nobody had acknowledged
    second.keep("read-2")
    count_and_seal(second)
    verdict = verify_recording(second.folder.recordings / recording_id, public_key(second))
    assert verdict.ok
    folder = second.folder.recordings / recording_id
    assert gaps_of(folder) == []
    kept = [one["body"]["no"] for one in records(folder, "event") if one["event"] == "card.kept"]
    assert kept == [1, 2]
    assert [kind for kind in second.kinds() if kind != "operator.signed-in"] == WHOLE[1:]


@pytest.mark.parametrize("orphaned", [True, False], ids=["recorder gave up waiting", "window was closed"])
def test_parcel_whose_recording_was_closed_goes_on_in_the_next_one(desks: Desks, orphaned: bool) -> None:
    first = desks.sit_down(recorder=recorder_plan(desks.folder, orphan_s=2) if orphaned else None)
    first.sign_in()
    first.begin_parcel()
    first.keep("read-1")
    earlier = first.state.visit.recording_id
    desks.leave(first, end_programs=not orphaned)
    first.until(lambda: find_program(desks.folder.recorder_lock) is None)
    for turn in range(2):  # and once more: the second one is closed as well
        desk = desks.sit_down()
        desk.sign_in()
        desk.until_filmed()
        assert desk.state.visit.recording_id != earlier
        assert len(desk.cards()) == 1 + turn
        desk.keep(f"read-{turn + 2}")
        if turn == 0:
            second = desk.state.visit.recording_id
            desks.leave(desk)
    third = desk.state.visit.recording_id
    assert len({earlier, second, third}) == 3
    desk.until_in(Waiting)
    desk.press(Key.SPACE)
    for no in (1, 2):
        desk.until_in(Counting)
        desk.press(Key.SPACE)
        desk.until(lambda no=no: len(desk.state.visit.shots) == no)
    desk.press(Key.DIGIT, 1)
    desk.press(Key.SPACE)
    desk.until_in(Idle)
    key = public_key(desk)
    row = verify_row([desk.folder.recordings / name for name in (third, earlier, second)], key)
    assert [(link.folder.name, link.verdict.ok, link.followed) for link in row] == [
        (earlier, True, True), (second, True, True), (third, True, False),
    ]  # fmt: skip
    assert desk.kinds().count("recording.started") == desk.kinds().count("recording.closed") == 3
    assert desk.kinds().count("card.kept") == 3
    assert audit_holds(desk)
    kept = [event["body"]["recording"] for event in desk.chain() if event["kind"] == "card.kept"]
    assert kept == [earlier, second, third]
