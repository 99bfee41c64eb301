"""From a session's state to what the screen shows: pure functions, tested without a window. No Qt here.

`present` is the only entry; the bodies of the single states stand in the modules beside this one.
"""

from __future__ import annotations

from app.core.parcels import Operator
from app.core.products import Catalogue
from app.core.readiness import LOW_DISK_BYTES, Level, RecMode, Surroundings, SyncState, label_trouble
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
from ui.scene import Desk, Scene, clock, duration, elapsed, gapped
from ui.views import (
    Banner,
    Chip,
    NavItem,
    ParcelBar,
    RecView,
    ScreenView,
    StepMark,
    StepState,
    Tone,
    TopBar,
    WorkView,
)

_STEPS = ("step.waybill", "step.open", "step.cards", "step.count", "step.seal")
_NAV = (
    ("layout-dashboard", "nav.today"),
    ("package-open", "nav.mail-in"),
    ("store", "nav.counter"),
    ("film", "nav.review"),
    ("settings", "nav.devices"),
)
_NAV_PRODUCTS = ("credit-card", "nav.products")
_FEW_MINUTES = 60
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
        nav=navigation(scene, "nav.mail-in", operator_of(state)),
        train=NavItem("graduation-cap", scene.say("nav.train"), live=False),
        top=_top_bar(scene, state),
        parcel=_parcel_bar(scene, state),
        body=part.body,
        keys=part.keys,
        go=part.go,
        banner=banner_of(scene),
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


def navigation(scene: Scene, here: str, who: Operator | None) -> tuple[NavItem, ...]:
    """The rail: the screen that is shown, and where one may go from it. Review and products are for supervisors."""
    live = {"nav.mail-in", here} | ({"nav.review", "nav.products"} if may_review(who) else set())
    rooms = (*_NAV, _NAV_PRODUCTS) if may_review(who) else _NAV
    return tuple(NavItem(icon, scene.say(word), selected=word == here, live=word in live) for icon, word in rooms)


def may_review(who: Operator | None) -> bool:
    """Who may look at footage."""
    return who is not None and who.supervises


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
    return TopBar(
        rec=rec_view(scene),
        title=scene.say("title.mail-in"),
        place=" · ".join(p for p in (around.centre_name, around.station_name) if p),
        chips=(sync_chip(scene), issuer_chip(scene)),
        person=operator.name if operator else "",
        clock=clock(around.wall_us),
    )


def rec_view(scene: Scene) -> RecView:
    """The REC block: it follows the bytes on disk."""
    mode = scene.rec_mode
    if mode is RecMode.OFF:
        return RecView(mode, scene.say("rec.off"))
    rehearsal = mode is RecMode.TRAINING and scene.around.rehearsal
    word = scene.say("rec.rehearsal" if rehearsal else f"rec.{mode.value}")
    return RecView(mode, word, elapsed(scene.around.rec.elapsed_us))


def sync_chip(scene: Scene) -> Chip:
    sync = scene.around.sync
    if sync.state is SyncState.STOPPED:
        return Chip(Tone.STOP, scene.say("sync.stopped"), "cloud-off")
    if sync.state is SyncState.OFFLINE:
        return Chip(Tone.WARN, scene.say("sync.offline", n=sync.unsent), "cloud-off")
    if sync.unsent:
        return Chip(Tone.INFO, scene.say("sync.sending", n=sync.unsent), "cloud-upload")
    return Chip(Tone.OK, scene.say("sync.synced"), "cloud-upload")


def issuer_chip(scene: Scene) -> Chip:
    if scene.around.rehearsal:
        return Chip(Tone.TRAIN, scene.say("issuer.simulated"), "building-2")
    return Chip(Tone.IDLE, scene.say("issuer.none"), "building-2")


def banner_of(scene: Scene) -> Banner | None:
    """At most one strip: what is simulated comes first, for it must never be hidden; then the worst condition."""
    around = scene.around
    condition = _condition(scene)
    if around.rehearsal:
        detail = condition.text if condition else _simulated(scene)
        if around.autoplay:
            words = (scene.say("strip.autoplay"), scene.say("strip.take-over"), scene.say("strip.any-key"))
            text = f"{scene.say('strip.rehearsal')} · {words[0]}"
            return Banner(Tone.TRAIN, "graduation-cap", text, "" if scene.compact else detail, words[1], words[2])
        return Banner(Tone.TRAIN, "graduation-cap", scene.say("strip.rehearsal"), detail)
    if around.simulated_devices:
        return Banner(Tone.TRAIN, "graduation-cap", scene.say("strip.simulated-only"), _simulated(scene))
    return condition


def _simulated(scene: Scene) -> str:
    names = [scene.say(f"strip.device.{role}") for role in scene.around.simulated_devices]
    comma = "、" if scene.language == "zh" else ", "
    return scene.say("strip.simulated", names=comma.join(names)) if names else ""


def _condition(scene: Scene) -> Banner | None:
    around = scene.around
    minutes = around.disk.minutes_left
    if around.disk.leaks:
        return Banner(
            Tone.STOP, "octagon-x", scene.say("banner.leak", n=around.disk.leaks), scene.say("banner.leak.more")
        )
    if around.rec.code:
        return Banner(Tone.STOP, "octagon-x", scene.trouble_line(around.rec.code))
    if around.disk.missing_recordings:
        text = scene.say("banner.missing", n=around.disk.missing_recordings)
        more = "banner.missing.more" if around.disk.keeping_stopped else "banner.missing.few"
        return Banner(Tone.WARN, "hard-drive", text, scene.say(more))
    if around.disk.free_bytes > 0 and (minutes < _FEW_MINUTES or around.disk.free_bytes < LOW_DISK_BYTES):
        text = scene.say("banner.disk", minutes=minutes)
        return Banner(Tone.WARN, "hard-drive", text, scene.say("banner.disk.more"))
    if around.sync.state is SyncState.STOPPED and around.sync.code:
        return Banner(Tone.STOP, "cloud-off", scene.trouble_line(around.sync.code))
    if around.sync.state is SyncState.OFFLINE:
        return Banner(Tone.WARN, "cloud-off", scene.say("banner.offline"), scene.say("banner.offline.more"))
    if around.sync.stuck_footage:
        text = scene.say("banner.stuck", n=around.sync.stuck_footage)
        return Banner(Tone.WARN, "cloud-off", text, scene.trouble_line(around.sync.footage_code))
    if around.disk.unknown_recordings:
        text = scene.say("banner.unknown", n=around.disk.unknown_recordings)
        return Banner(Tone.WARN, "hard-drive", text, scene.say("banner.unknown.more"))
    if label_trouble(around.label):
        return Banner(Tone.WARN, "camera-off", scene.say("banner.label"), scene.say("banner.label.more"))
    if around.nfc.level is Level.DOWN:
        return Banner(Tone.WARN, "nfc", scene.say("banner.nfc"), scene.say("banner.nfc.more"))
    return _backup(scene) or _stamps(scene)


def _backup(scene: Scene) -> Banner | None:
    """The rolling backup that could not be made; the older copies are there."""
    code = scene.around.backup_code
    return Banner(Tone.WARN, "hard-drive", scene.say("banner.backup"), scene.trouble_line(code)) if code else None


def _stamps(scene: Scene) -> Banner | None:
    """Time-stamps that do not come: why, how many recordings wait, when the authority is asked again."""
    stamps = scene.around.stamps
    if not stamps.code:
        return None
    text = scene.say("banner.stamps", n=stamps.waiting) if stamps.waiting else scene.trouble_line(stamps.code)
    again = scene.say("banner.stamps.more", at=clock(stamps.next_try_ms * 1000)) if stamps.next_try_ms else ""
    return Banner(Tone.WARN, "stamp", text, again)


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
