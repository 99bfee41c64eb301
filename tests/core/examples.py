"""A few examples of every state and every event, from which the golden table is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import get_args

from app.core.asking import draft_of, next_question
from app.core.cards import UNREADABLE, CardState, typed
from app.core.chips import ChipCard, ChipEnd, ChipStand, PlannedStage
from app.core.events import (
    CardChanged,
    CardLeftTooEarly,
    CardSaved,
    CardSighted,
    CardWasDuplicate,
    CardWasRead,
    ChipRunEnded,
    ChipsListed,
    ChipStageBegan,
    ChipSurveyed,
    CodeScanned,
    DeskLeft,
    Device,
    DeviceBack,
    DeviceLost,
    Event,
    FieldTyped,
    Key,
    KeyHeld,
    KeyPressed,
    ParcelDoneBefore,
    ParcelFound,
    ParcelRefused,
    ParcelResumed,
    ParcelSealed,
    ParcelUnknown,
    PasscodeEntered,
    PunchShotTaken,
    RecordingBegan,
    RecordingClosed,
    RecordingCut,
    RecordingResumed,
    RightsChanged,
    SaveFailed,
    SecretShown,
    ShotTaken,
    SignedIn,
    SignInRefused,
    StationRevoked,
    TagSeen,
    Tick,
    WaybillTyped,
)
from app.core.parcels import EarlierParcel, ExpectedParcel, WayOut
from app.core.states import (
    Asking,
    ChipTray,
    Counting,
    Faulted,
    Idle,
    LastParcel,
    Locked,
    Opening,
    Paused,
    Question,
    Reading,
    Rejecting,
    Saving,
    Sealing,
    SignedOut,
    State,
    Waiting,
)
from tests.core.making import (
    BADGE,
    CLERK,
    EMPTY,
    EXPECTED,
    GTIN,
    PARCEL,
    RECORDING,
    RULES,
    SEEN,
    SUPERVISOR,
    TAG,
    WAYBILL,
    card_read,
    kept,
    number,
    read_field,
    visit,
)

FIRST = kept(draft_of(visit(), card_read("read-0"), RULES.catalogue))
VISIT = visit(cards=(FIRST,), first_us=500_000)
DOUBTFUL = card_read("read-1", number=read_field(number(7), {3: "08", 9: "53"}))
COVERED = card_read("read-1", pin=replace(UNREADABLE, state=UNREADABLE.state.COVERED))
DRAFT = draft_of(VISIT, card_read("read-1"), RULES.catalogue)


def _question(of: object) -> Question:
    found = next_question(of, RULES.catalogue)  # type: ignore[arg-type]
    assert found is not None
    return found


ASKING = Asking(VISIT, DOUBTFUL, _question(DOUBTFUL), 0)
LOST = ((Device.CAMERA, "camera.lost"),)
FAILED = ((Device.STORE, "store.disk_full"),)

CHIP = ChipCard("card-0", 1, WAYBILL, "quxi-500", "0042", TAG.uid, TAG.family, simulated=True)
SECOND_CHIP = replace(CHIP, card_id="card-9", no=2, uid="04A1B2C3D4E581", last4="0043")
PLAN = (PlannedStage("data", 40, irreversible=False), PlannedStage("read-only", 1, irreversible=True))
OFF = ChipEnd(CHIP.card_id, ChipStand.OFF, "deactivated", "why.proved")
TORN = ChipEnd(CHIP.card_id, ChipStand.UNFINISHED, "not-completed", "why.chip-gone", begun=True)
COPY = ChipEnd(CHIP.card_id, ChipStand.DESTROY, "proof-failed", "why.writes-accepted")
TRAY = ChipTray(Waiting(VISIT), (CHIP, SECOND_CHIP), listed=True)
TO_PUNCH = replace(TRAY, cards=(replace(CHIP, stand=ChipStand.DESTROY), SECOND_CHIP), at=CHIP.card_id)

STATES: Mapping[type[State], Sequence[State]] = {
    SignedOut: (
        SignedOut(),
        SignedOut(expired=True),
        SignedOut(wrong=3, locked_until_us=9_000_000),
        SignedOut(resume=VISIT.as_open_parcel()),
    ),
    Idle: (
        Idle(CLERK),
        Idle(CLERK, finding=WAYBILL),
        Idle(CLERK, last=LastParcel(WAYBILL, 1, (FIRST,)), unannounced="SF9999999999999"),
    ),
    Opening: (Opening(visit()), Opening(visit(first_us=500_000), began=True)),
    Waiting: (Waiting(VISIT), Waiting(visit(first_us=500_000), settled=True)),
    Reading: (Reading(VISIT, SEEN),),
    Asking: (ASKING, Asking(VISIT, COVERED, _question(COVERED))),
    Rejecting: (Rejecting(VISIT, ASKING, 0), Rejecting(VISIT, Counting(VISIT), 0), Rejecting(VISIT, ASKING)),
    Saving: (Saving(VISIT, DRAFT),),
    Counting: (
        Counting(VISIT),
        Counting(replace(VISIT, shots=(1, 2)), WayOut.SUBMIT_DIFFERENT),
        Counting(replace(VISIT, shots=(1, 2)), WayOut.SUPERVISOR),
        Counting(replace(VISIT, expected=ExpectedParcel(WAYBILL, "", 1))),
    ),
    Sealing: (Sealing(VISIT, WayOut.EQUAL), Sealing(VISIT, WayOut.REJECT_ALL, closed=True)),
    ChipTray: (
        ChipTray(Idle(CLERK)),
        TRAY,
        replace(TRAY, armed=True),
        replace(TRAY, armed=True, at=CHIP.card_id, running=True, stage="data", number=1, of=3),
        replace(TRAY, armed=True, insist=SECOND_CHIP.card_id),
        TO_PUNCH,
        replace(TO_PUNCH, back_to=Idle(CLERK)),
    ),
    Paused: (
        Paused(Device.CAMERA, "camera.lost", Reading(VISIT), lost=LOST),
        Paused(Device.CAMERA, "camera.lost", Reading(VISIT), ready=True, supervisor=True),
        Paused(Device.STORE, "store.disk_full", Saving(VISIT, DRAFT), ready=True, lost=FAILED),
        Paused(Device.STORE, "store.disk_full", Sealing(VISIT, WayOut.EQUAL), ready=True, lost=FAILED),
    ),
    Locked: (
        Locked(CLERK, Idle(CLERK)),
        Locked(CLERK, Waiting(VISIT), missed=True),
        Locked(CLERK, Counting(VISIT), desk=SignedOut(wrong=3, locked_until_us=20_000_000)),
        Locked(CLERK, Paused(Device.CAMERA, "camera.lost", Waiting(VISIT), lost=LOST)),
    ),
    Faulted: (Faulted("bug", "detail"),),
}

_EVENTS: Mapping[type, Sequence[Event]] = {
    Tick: (Tick(10_000_000),),
    KeyPressed: tuple(KeyPressed(key) for key in Key if key is not Key.DIGIT)
    + tuple(KeyPressed(Key.DIGIT, n) for n in range(1, 10)),
    KeyHeld: (KeyHeld(Key.SPACE),),
    CodeScanned: tuple(CodeScanned(code) for code in (WAYBILL, BADGE, GTIN[1:], "HELLO")),
    PasscodeEntered: (PasscodeEntered("1007", "2468"),),
    WaybillTyped: (WaybillTyped(WAYBILL), WaybillTyped("12")),
    FieldTyped: (FieldTyped("number", typed(number(3))), FieldTyped("pin", typed("1"))),
    SignedIn: (SignedIn(CLERK), SignedIn(SUPERVISOR), SignedIn(replace(CLERK, lapsed=True))),
    SignInRefused: (SignInRefused(by_badge=False), SignInRefused(by_badge=True)),
    DeskLeft: (DeskLeft(),),
    RightsChanged: (RightsChanged(replace(CLERK, lapsed=True)),),
    StationRevoked: (StationRevoked(),),
    ParcelFound: (ParcelFound(EXPECTED, PARCEL, RECORDING),),
    ParcelDoneBefore: (ParcelDoneBefore(EarlierParcel(WAYBILL, 1, 6, 1, 7)),),
    ParcelUnknown: (ParcelUnknown(WAYBILL),),
    ParcelRefused: (ParcelRefused(("disk.low",)),),
    ParcelResumed: (ParcelResumed(VISIT.as_open_parcel()),),
    RecordingBegan: (RecordingBegan(RECORDING, 600_000),),
    RecordingCut: (RecordingCut("camera.lost", 1),),
    RecordingResumed: (RecordingResumed(5_000_000), RecordingResumed(200_000_000)),
    RecordingClosed: (RecordingClosed(RECORDING),),
    CardSighted: (CardSighted(SEEN), CardSighted(EMPTY)),
    CardLeftTooEarly: (CardLeftTooEarly(),),
    CardWasRead: (CardWasRead(card_read("read-0")), CardWasRead(card_read("read-1")), CardWasRead(card_read("read-2"))),
    TagSeen: (TagSeen(TAG, 1_000_000), TagSeen(None, 2_000_000), TagSeen(None, 3_000_000, several=True)),
    CardSaved: (CardSaved(kept(DRAFT)),),
    CardWasDuplicate: (CardWasDuplicate("read-1", "0042", True, 1),),
    CardChanged: (CardChanged(replace(FIRST, state=CardState.AT_CENTRE)),),
    ShotTaken: (ShotTaken(1, 5), ShotTaken(2, 6)),
    SaveFailed: (SaveFailed("store.disk_full", "28"),),
    ParcelSealed: (ParcelSealed(PARCEL, 1),),
    DeviceLost: tuple(DeviceLost(device, f"{device.value}.lost") for device in Device),
    SecretShown: (SecretShown("pin"),),
    ChipsListed: (ChipsListed((CHIP, SECOND_CHIP)),),
    ChipSurveyed: (ChipSurveyed(CHIP.card_id, PLAN),),
    ChipStageBegan: (ChipStageBegan(CHIP.card_id, "read-only", 3, 5),),
    ChipRunEnded: (ChipRunEnded(OFF), ChipRunEnded(TORN), ChipRunEnded(COPY)),
    PunchShotTaken: (PunchShotTaken(CHIP.card_id, 1, 5), PunchShotTaken(CHIP.card_id, 2, 6)),
    DeviceBack: tuple(DeviceBack(device) for device in Device),
}

EVENTS: Mapping[type, Sequence[Event]] = {kind: _EVENTS[kind] for kind in get_args(Event)}
