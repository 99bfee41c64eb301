"""From a session's state to what the screen shows: pure functions, tested without a window. No Qt here.

`present` is the only entry; the bodies of the single states stand in the modules beside this one.
"""

from __future__ import annotations

from app.core.parcels import Operator
from app.core.products import Catalogue
from app.core.readiness import Surroundings
from app.core.states import (
    Asking,
    ChipTray,
    Counting,
    Faulted,
    Idle,
    Locked,
    Opening,
    Paused,
    Reading,
    Rejecting,
    Saving,
    Sealing,
    SignedOut,
    State,
    Visit,
    Waiting,
)
from ui import present_cards, present_chips, present_count, present_lost, present_signin, present_wait
from ui.parts import Part
from ui.present_frame import banner_of, framed, rec_view, top_bar
from ui.scene import Desk, Scene, duration, gapped
from ui.views import TopBar
from ui.work_views import ParcelBar, ScreenView, StepMark, StepState, WorkView

_STEPS = ("step.waybill", "step.open", "step.cards", "step.count", "step.seal")
_PLAIN_DESK = Desk()


def present(
    state: State,
    around: Surroundings,
    catalogue: Catalogue,
    language: str,
    *,
    compact: bool = False,
    desk: Desk = _PLAIN_DESK,
) -> ScreenView:
    """The view of `state`. `language` is "zh" or "en"; `compact` leaves words out for small windows."""
    scene = Scene(around, catalogue, language, compact, desk)
    if isinstance(state, SignedOut):
        return present_signin.sign_in(scene, state, banner_of(scene))
    if isinstance(state, Locked):
        return present_signin.locked(scene, state, banner_of(scene), rec_view(scene))
    part = _part(scene, state)
    return WorkView(
        frame=framed(scene, "nav.mail-in", operator_of(state), _top_bar(scene, state)),
        parcel=_parcel_bar(scene, state),
        body=part.body,
        keys=part.keys,
        go=part.go,
        dialog=part.dialog,
        typing=part.typing,
    )


def _part(scene: Scene, state: State) -> Part:
    match state:
        case Idle():
            return present_wait.idle(scene, state)
        case Opening():
            return present_wait.opening(scene, state)
        case Waiting():
            return present_cards.waiting(scene, state)
        case Reading():
            return present_cards.reading(scene, state)
        case Asking():
            return present_cards.asking(scene, state)
        case Saving():
            return present_cards.saving(scene, state)
        case Rejecting():
            return present_count.rejecting(scene, state, _part(scene, state.back_to))
        case Counting():
            return present_count.counting(scene, state)
        case Sealing():
            return present_count.sealing(scene, state)
        case ChipTray():
            return present_chips.chip_tray(scene, state)
        case Paused():
            return present_lost.paused(scene, state)
        case Faulted():
            return present_lost.faulted(scene, state)
        case SignedOut() | Locked():
            raise ValueError("sign-in has a screen of its own")


def operator_of(state: State) -> Operator | None:
    """Who is signed in; nobody at a desk that was left."""
    if isinstance(state, Locked):
        return None
    visit = _visit_of(state)
    desk = state.back_to if isinstance(state, ChipTray) else state
    return visit.operator if visit else desk.operator if isinstance(desk, Idle) else None


def _visit_of(state: State) -> Visit | None:
    match state:
        case SignedOut() | Idle() | Faulted():
            return None
        case Paused(back_to=back):
            return back.visit
        case _:
            return state.visit


def _top_bar(scene: Scene, state: State) -> TopBar:
    around = scene.around
    operator = operator_of(state)
    place = " · ".join(p for p in (around.centre_name, around.station_name) if p)
    return top_bar(scene, "title.mail-in", place, operator.name if operator else "", rec_view(scene))


def _parcel_bar(scene: Scene, state: State) -> ParcelBar:
    visit = _visit_of(state)
    steps = _steps(scene, state)
    if visit is None:
        announced, missing = scene.around.parcels_today
        quiet = scene.say("parcel.today", announced=announced, missing=missing) if announced else ""
        return ParcelBar("", scene.say("parcel.waiting"), quiet, steps)
    expected = visit.expected
    known = scene.say("parcel.declared", n=expected.declared) if expected.declared else scene.say("parcel.undeclared")
    words = [known]
    if expected.order_no and not scene.compact:
        words.append(scene.say("parcel.order", order=expected.order_no))
    return ParcelBar(gapped(expected.waybill), " · ".join(words), "" if scene.compact else room_left(scene), steps)


def room_left(scene: Scene) -> str:
    """How long the disk still takes footage at the present pace; "" while nobody knows."""
    disk = scene.around.disk
    return scene.say("parcel.room", time=duration(scene, disk.minutes_left)) if disk.free_bytes else ""


def _steps(scene: Scene, state: State) -> tuple[StepMark, ...]:
    at, bad = _step_at(state)
    marks = []
    for i, word in enumerate(_STEPS):
        mark = StepState.DONE if i < at else StepState.NEXT if i > at else StepState.BAD if bad else StepState.NOW
        marks.append(StepMark(scene.say(word), mark))
    return tuple(marks)


def _step_at(state: State) -> tuple[int, bool]:
    """Which of the five steps, and whether something is wrong with it."""
    match state:
        case Paused(back_to=back):
            return _step_at(back)[0], True
        case Opening():
            return 1, False
        case Counting(visit=visit):
            return 3, visit.difference != 0
        case Sealing():
            return 4, False
        case Rejecting(back_to=back) | ChipTray(back_to=back):
            return _step_at(back)
        case SignedOut() | Idle() | Faulted():
            return 0, False
        case _:
            return 2, False
