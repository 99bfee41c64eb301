"""Sign-in: what the station finds of itself, the badge first, number and passcode for those without."""

from __future__ import annotations

from dataclasses import replace

from app.core.readiness import Level
from app.core.states import Locked, SignedOut
from ui.present_wait import camera_words, device_words, disk_row, label_row
from ui.scene import Scene, level_chip
from ui.texts import notice
from ui.views import Banner, CheckRow, Chip, GoKey, GoState, Line, RecView, SignInView, Tone

_FAR_MS = 5_000
"""Distance to the centre's clock from which the clock counts as not set."""


def sign_in(scene: Scene, state: SignedOut, banner: Banner | None) -> SignInView:
    """The sign-in screen. After three wrong passcodes typing waits; a badge still works."""
    desk = scene.desk
    foot = [scene.say("signin.version", version=desk.version)] if desk.version else []
    if desk.certificate_until:
        foot.append(scene.say("signin.certificate", date=desk.certificate_until))
    demo = bool(desk.demo_badge) and scene.around.rehearsal and not state.revoked
    named = ("signin.revoked.title", "signin.revoked.badge", "signin.revoked.call")
    title, badge, below = named if state.revoked else ("signin.title", "signin.badge", "signin.badge.sub")
    return SignInView(
        product=scene.say("product"),
        product_sub=scene.say("product.sub"),
        station_label=scene.say("signin.station"),
        station=scene.around.station_name,
        place=" · ".join(p for p in (scene.around.centre_name, scene.say("title.mail-in")) if p),
        checks=_checks(scene),
        foot=tuple(foot),
        languages=(("zh", "中文"), ("en", "English")),
        title=scene.say(title),
        sub=scene.say("signin.sub"),
        badge_title=scene.say(badge),
        badge_sub=scene.say(below),
        divider=scene.say("signin.divider"),
        number_label=scene.say("signin.number"),
        passcode_label=scene.say("signin.passcode"),
        show_label=scene.say("key.show"),
        go=_go(scene, state),
        notice=_notice(scene, state),
        typing=not state.revoked,
        demo=f"{scene.say('signin.demo')} {desk.demo_badge}" if demo else "",
        demo_key="F2" if demo else "",
        banner=banner,
    )


def locked(scene: Scene, state: Locked, banner: Banner | None, rec: RecView) -> SignInView:
    """The cover over a desk that was left: whose it is, that filming goes on, and how it is uncovered."""
    view = sign_in(scene, state.desk, banner)
    name = state.operator.name
    sub = "lock.filming" if state.visit is not None else "lock.idle"
    told = Line(Tone.WARN, notice(state.notice, scene.language)) if state.notice else view.notice
    icon = replace(view.go, label=scene.say("go.unlock")) if view.go.state is GoState.READY else view.go
    shown = rec if state.visit is not None else None
    return replace(view, title=scene.say("lock.title"), sub=scene.say(sub, name=name), notice=told, go=icon, rec=shown)


def _seconds_left(state: SignedOut) -> int:
    return max(0, -(-(state.locked_until_us - state.now_us) // 1_000_000)) if state.locked_until_us else 0


def _go(scene: Scene, state: SignedOut) -> GoKey:
    if state.revoked:
        return GoKey(GoState.BLOCKED, scene.say("cap.enter"), scene.say("go.revoked"), "lock")
    if seconds := _seconds_left(state):
        return GoKey(GoState.BLOCKED, scene.say("cap.enter"), scene.say("go.locked", seconds=seconds), "lock")
    return GoKey(GoState.READY, scene.say("cap.enter"), scene.say("go.sign-in"), "log-in", enter=True)


def _notice(scene: Scene, state: SignedOut) -> Line | None:
    if state.revoked:
        return Line(Tone.WARN, scene.say("signin.revoked"))
    if seconds := _seconds_left(state):
        return Line(Tone.WARN, scene.say("signin.locked", seconds=seconds))
    if state.expired:
        return Line(Tone.WARN, scene.say("signin.expired"))
    if state.refused:
        return Line(Tone.WARN, scene.say("signin.refused"))
    return Line(Tone.INFO, scene.say("signin.resume")) if state.resume is not None else None


def _checks(scene: Scene) -> tuple[CheckRow, ...]:
    around = scene.around
    camera = camera_words(scene, around.camera)
    nfc = device_words(scene, around.nfc)
    return (
        CheckRow("camera", scene.say("device.camera"), camera, level_chip(scene, around.camera.level)),
        *label_row(scene),
        CheckRow("nfc", scene.say("device.nfc"), nfc, level_chip(scene, around.nfc.level)),
        disk_row(scene),
        _upload(scene),
        _clock(scene),
    )


def _upload(scene: Scene) -> CheckRow:
    unsent = scene.around.sync.unsent
    name = scene.say("device.upload")
    if not (waiting := unsent or scene.around.sync.footage_waiting):
        return CheckRow("cloud-upload", name, scene.say("value.upload.none"), level_chip(scene, Level.OK))
    chip = Chip(Tone.INFO, scene.say("level.upload", n=waiting))
    word = "value.upload" if unsent else "value.upload.video"
    return CheckRow("cloud-upload", name, scene.say(word, n=waiting), chip)


def _clock(scene: Scene) -> CheckRow:
    offset = scene.around.sync.clock_offset_ms
    name = scene.say("device.clock")
    if offset is None:
        chip = Chip(Tone.IDLE, scene.say("level.waiting"))
        return CheckRow("clock", name, scene.say("value.clock.unknown"), chip)
    far = abs(offset) >= _FAR_MS
    chip = Chip(Tone.WARN if far else Tone.OK, scene.say("level.clock.off" if far else "level.clock"))
    return CheckRow("clock", name, scene.say("value.clock", s=f"{abs(offset) / 1000:.1f}"), chip)
