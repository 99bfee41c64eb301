"""What stands around the work on every screen but sign-in: the rail, the top bar, the strip under it. No Qt here."""

from __future__ import annotations

from app.core.cards import CardState
from app.core.parcels import Operator
from app.core.readiness import LOW_DISK_BYTES, Level, RecMode, SyncState, label_trouble
from ui.scene import Scene, clock, elapsed
from ui.views import Banner, Chip, FrameView, NavItem, RecView, Tone, TopBar

_NAV = (
    ("layout-dashboard", "nav.today"),
    ("package-open", "nav.mail-in"),
    ("store", "nav.counter"),
    ("film", "nav.review"),
    ("settings", "nav.devices"),
)
_NAV_PRODUCTS = ("credit-card", "nav.products")
_FEW_MINUTES = 60


def framed(scene: Scene, here: str, who: Operator | None, top: TopBar) -> FrameView:
    """The frame of a screen. `here`: its name on the rail; `who` is signed in."""
    train = NavItem("graduation-cap", scene.say("nav.train"), live=False)
    return FrameView(navigation(scene, here, who), train, top, banner_of(scene))


def top_bar(scene: Scene, title: str, place: str, person: str, rec: RecView | None) -> TopBar:
    """The bar on top. `title`: the name of its words; `rec` None: a screen that records nothing."""
    chips = (sync_chip(scene), issuer_chip(scene))
    return TopBar(rec, scene.say(title), place, chips, person, clock(scene.around.wall_us))


def supervisors_bar(scene: Scene, title: str, who: Operator, rec: RecView | None) -> TopBar:
    """The bar on top of a screen that is for supervisors: it says what the person may do."""
    person = f"{who.name} · {scene.say(f'role.{who.role.value}')}"
    return top_bar(scene, title, scene.around.centre_name, person, rec)


def navigation(scene: Scene, here: str, who: Operator | None) -> tuple[NavItem, ...]:
    """The rail: the screen that is shown, and where one may go from it. Review and products are for supervisors."""
    live = {"nav.mail-in", here} | ({"nav.review", "nav.products"} if may_review(who) else set())
    rooms = (*_NAV, _NAV_PRODUCTS) if may_review(who) else _NAV
    return tuple(NavItem(icon, scene.say(word), selected=word == here, live=word in live) for icon, word in rooms)


def may_review(who: Operator | None) -> bool:
    """Who may look at footage."""
    return who is not None and who.supervises


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
    if held := sync.count(CardState.NOT_TAKEN):
        return Chip(Tone.WARN, scene.say("sync.not-taken", n=held), "triangle-alert")
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


_REFUSED = ("sync.other_key", "sync.unknown_station", "sync.centre_full", "sync.untrusted_answer", "auth.clock")
"""The line is there; what stands in the way is told, for somebody can mend it."""


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
    if around.sync.state is SyncState.OFFLINE and around.sync.code in _REFUSED:
        return Banner(Tone.WARN, "cloud-off", scene.trouble_line(around.sync.code))
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
    return _backup(scene) or _stamps(scene) or _cosign(scene)


def _backup(scene: Scene) -> Banner | None:
    """The rolling backup that could not be made; the older copies are there."""
    code = scene.around.backup_code
    return Banner(Tone.WARN, "hard-drive", scene.say("banner.backup"), scene.trouble_line(code)) if code else None


def _cosign(scene: Scene) -> Banner | None:
    """Somebody waits for a second signature: nothing is wrong, so every warning comes before it."""
    n = scene.around.cosign
    return (
        Banner(Tone.INFO, "user-check", scene.say("banner.reveals", n=n), scene.say("banner.reveals.more"))
        if n
        else None
    )


def _stamps(scene: Scene) -> Banner | None:
    """Time-stamps that do not come: why, how many recordings wait, when the authority is asked again."""
    stamps = scene.around.stamps
    if not stamps.code:
        return None
    text = scene.say("banner.stamps", n=stamps.waiting) if stamps.waiting else scene.trouble_line(stamps.code)
    again = scene.say("banner.stamps.more", at=clock(stamps.next_try_ms * 1000)) if stamps.next_try_ms else ""
    return Banner(Tone.WARN, "stamp", text, again)
