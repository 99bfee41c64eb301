"""At the desk: sign-in, the waybill, what is turned down."""

from __future__ import annotations

import pytest

from app.core.effects import (
    AcknowledgeRead,
    Announce,
    CheckBadge,
    CheckPasscode,
    FindParcel,
    OpenParcelRecord,
    Play,
    RecordFact,
    Sound,
    StartRecording,
    WatchForCards,
)
from app.core.events import (
    CardWasRead,
    CodeScanned,
    Key,
    KeyPressed,
    ParcelDoneBefore,
    ParcelFound,
    ParcelRefused,
    ParcelUnknown,
    PasscodeEntered,
    RecordingBegan,
    SaveFailed,
    SignedIn,
    SignInRefused,
    Tick,
    WaybillTyped,
)
from app.core.parcels import EarlierParcel, ExpectedParcel, Operator, Role, WayOut
from app.core.states import (
    Idle,
    Opening,
    Sealing,
    SignedOut,
)
from tests.core.making import (
    BADGE,
    CLERK,
    EXPECTED,
    GTIN,
    PARCEL,
    RECORDING,
    WAYBILL,
    Walk,
    at_desk,
    card_read,
)


def test_badge_signs_in_and_says_so_in_the_log() -> None:
    walk = Walk()
    assert walk.on(CodeScanned(" cib-demo7001 ")) == (CheckBadge(BADGE),)
    walk.on(SignedIn(CLERK))
    assert walk.state == Idle(CLERK)
    assert walk.the(Announce).operator == CLERK


def test_three_wrong_passcodes_wait_sixty_seconds_but_a_badge_works() -> None:
    walk = Walk()
    walk.on(Tick(1_000_000))
    for _ in range(3):
        assert walk.on(PasscodeEntered("1007", "0000")) == (CheckPasscode("1007", "0000"),)
        walk.on(SignInRefused(by_badge=False))
    assert walk.on(PasscodeEntered("1007", "2468")) == (Play(Sound.WRONG_CODE),)
    walk.on(Tick(60_999_999))
    assert walk.on(PasscodeEntered("1007", "2468")) == (Play(Sound.WRONG_CODE),)
    assert walk.on(CodeScanned(BADGE)) == (CheckBadge(BADGE),)
    walk.on(Tick(61_000_000))
    assert walk.on(PasscodeEntered("1007", "2468")) == (CheckPasscode("1007", "2468"),)


def test_a_number_that_has_to_wait_for_hours_holds_up_the_others_for_a_minute_only() -> None:
    walk = Walk()
    walk.on(Tick(1_000_000), PasscodeEntered("1007", "0000"), SignInRefused(by_badge=False, wait_us=3_600_000_000))
    assert walk.on(PasscodeEntered("1008", "2468")) == (Play(Sound.WRONG_CODE),)
    walk.on(Tick(61_000_000))
    assert walk.on(PasscodeEntered("1008", "2468")) == (CheckPasscode("1008", "2468"),)


def test_who_the_centre_was_not_heard_of_for_too_long_does_not_sign_in_and_is_told_why() -> None:
    walk = Walk()
    assert walk.on(SignedIn(Operator("1007", "林晓", Role.CLERK, lapsed=True))) == (Play(Sound.WRONG_CODE),)
    assert walk.state == SignedOut(expired=True)
    walk.on(CodeScanned(BADGE))
    assert walk.state == SignedOut()  # the line is back, perhaps
    walk.on(SignedIn(Operator("1007", "林晓", Role.CLERK)))
    assert isinstance(walk.state, Idle)


def test_an_unknown_badge_does_not_count_as_a_wrong_passcode() -> None:
    walk = Walk()
    walk.on(*[SignInRefused(by_badge=True)] * 5)
    assert walk.on(PasscodeEntered("1007", "2468")) == (CheckPasscode("1007", "2468"),)


def test_a_waybill_opens_the_parcel_and_the_knife_waits_for_the_recording() -> None:
    walk = at_desk()
    assert walk.on(CodeScanned(WAYBILL)) == (FindParcel(WAYBILL),)
    walk.on(ParcelFound(EXPECTED, PARCEL, RECORDING))
    assert [type(effect) for effect in walk.effects[:2]] == [OpenParcelRecord, StartRecording]
    walk.key(Key.SPACE)
    assert isinstance(walk.state, Opening)
    assert not walk.state.began
    assert WatchForCards(True) in walk.on(RecordingBegan(RECORDING, 1))


@pytest.mark.parametrize(
    ("code", "notice"),
    [(GTIN[1:], "code.is-product"), (BADGE, "code.is-badge"), ("HELLO", "code.unknown"), ("1" * 16, "code.unknown")],
)
def test_a_code_that_is_no_waybill_gets_one_line_and_a_low_tone(code: str, notice: str) -> None:
    walk = at_desk()
    assert walk.on(CodeScanned(code)) == (Play(Sound.WRONG_CODE),)
    assert isinstance(walk.state, Idle)
    assert walk.state.notice is not None
    assert walk.state.notice.code == notice


def test_an_unannounced_parcel_opens_on_space() -> None:
    walk = at_desk()
    walk.on(WaybillTyped("sf 1382290461175"), ParcelUnknown(WAYBILL))
    assert walk.key(Key.SPACE) == (FindParcel(WAYBILL, unannounced=True),)
    walk.on(ParcelFound(ExpectedParcel(WAYBILL, "", 0), PARCEL, RECORDING), RecordingBegan(RECORDING, 1))
    walk.on(CardWasRead(card_read()))
    walk.saved()
    walk.key(Key.SPACE)
    walk.key(Key.SPACE)
    assert isinstance(walk.state, Sealing)
    assert walk.state.way_out is WayOut.EQUAL


def test_esc_turns_an_unannounced_parcel_down() -> None:
    walk = at_desk()
    walk.on(CodeScanned(WAYBILL), ParcelUnknown(WAYBILL), KeyPressed(Key.ESC))
    assert walk.key(Key.SPACE) == ()
    assert walk.state == Idle(CLERK)


def test_a_waybill_done_before_shows_what_came_of_it() -> None:
    walk = at_desk()
    earlier = EarlierParcel(WAYBILL, 1, 6, 1, 7)
    walk.on(CodeScanned(WAYBILL), ParcelDoneBefore(earlier))
    assert isinstance(walk.state, Idle)
    assert walk.state.earlier == earlier
    assert walk.key(Key.SPACE) == ()


def test_the_answer_for_an_earlier_scan_does_not_open_the_wrong_parcel() -> None:
    walk = at_desk()
    walk.on(CodeScanned("SF1111111111111"), CodeScanned(WAYBILL))
    walk.on(ParcelFound(ExpectedParcel("SF1111111111111", "", 1), "other", "other"))
    assert isinstance(walk.state, Idle)
    walk.on(ParcelFound(EXPECTED, PARCEL, RECORDING))
    assert isinstance(walk.state, Opening)
    walk.on(ParcelFound(EXPECTED, "again", "again"))
    assert walk.state.visit.parcel_id == PARCEL


def test_a_store_that_cannot_look_up_frees_the_desk() -> None:
    walk = at_desk()
    walk.on(CodeScanned(WAYBILL), SaveFailed("store.io", ""))
    assert isinstance(walk.state, Idle)
    assert (walk.state.finding, walk.state.notice and walk.state.notice.code) == ("", "store.io")


def test_no_parcel_is_begun_when_something_is_missing() -> None:
    walk = at_desk()
    walk.on(CodeScanned(WAYBILL), ParcelRefused(("camera.not_ready", "disk.low")))
    assert isinstance(walk.state, Idle)
    assert walk.state.notice is not None
    assert walk.state.notice.code == "camera.not_ready"


def test_a_card_shown_at_the_desk_is_nobodys_card() -> None:
    walk = at_desk()
    assert walk.on(CardWasRead(card_read())) == (AcknowledgeRead("read-1"),)


def test_f12_locks_the_desk() -> None:
    walk = at_desk()
    assert [type(effect) for effect in walk.key(Key.F12)] == [RecordFact, Announce]
    assert isinstance(walk.state, SignedOut)
