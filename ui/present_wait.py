"""Waiting for a parcel, and opening it: the prompt stands alone and says what to do with the hands."""

from __future__ import annotations

from app.core.cards import CardState
from app.core.readiness import CameraFacts, DeviceFacts, Level, RecMode, label_trouble, may_begin_parcel
from app.core.states import Idle, LastParcel, Notice, Opening
from ui import present_checks
from ui.parts import Part
from ui.present_chips import chips_key
from ui.present_stage import stage
from ui.scene import Scene, all_keys, day, duration, gapped, hours_minutes, key, level_chip, size, slots
from ui.texts import notice
from ui.views import CheckRow, Chip, GoKey, GoState, Line, Tip, Tone
from ui.work_views import BigPrompt, CardBody, LastParcelView, Slot, SlotState, StageNote, WaitBody


def idle(scene: Scene, state: Idle) -> Part:
    """Waiting for a waybill."""
    keys = [all_keys(scene)]
    if state.last is not None:
        keys.append(key(scene, "F3", "key.video"))
    keys += chips_key(scene)
    keys += [key(scene, "F5", "key.sync"), key(scene, "F6", "key.type-waybill"), key(scene, "F12", "key.lock")]
    body = WaitBody(
        stage=stage(scene, hint=True),
        prompt=_idle_prompt(scene, state),
        checks_title=scene.say("ready.title"),
        checks_note=scene.say("ready.note"),
        checks=ready_checks(scene),
        last=_last(scene, state.last) if state.last else None,
    )
    return Part(body, tuple(keys), _idle_go(scene, state), typing="waybill")


def _idle_go(scene: Scene, state: Idle) -> GoKey:
    if state.unannounced:
        return GoKey(GoState.READY, scene.say("cap.space"), scene.say("go.unannounced"), "package-open")
    if state.finding:
        return GoKey(GoState.BUSY, scene.say("cap.scanner"), scene.say("go.finding"), "loader-circle")
    return GoKey(GoState.WAITING, scene.say("cap.scanner"), scene.say("go.wait-waybill"), "scan-barcode")


def _idle_prompt(scene: Scene, state: Idle) -> BigPrompt:
    line = _idle_notice(scene, state)
    if state.unannounced:
        lines = (gapped(state.unannounced), scene.say("prompt.unannounced.1"), scene.say("prompt.unannounced.2"))
        return BigPrompt("triangle-alert", scene.say("prompt.unannounced"), lines)
    if state.earlier is not None:
        earlier = state.earlier
        told = scene.say(
            "prompt.done-before.1",
            date=day(earlier.sealed_wall_us, scene.language),
            accepted=earlier.accepted,
            rejected=earlier.rejected,
            total=earlier.total,
        )
        lines = (gapped(earlier.waybill), told, scene.say("prompt.done-before.2"))
        return BigPrompt("history", scene.say("prompt.done-before"), lines)
    if state.finding:
        return BigPrompt("search", scene.say("prompt.finding"), (gapped(state.finding),))
    tip = Tip("keyboard", scene.say("prompt.damaged"), "F6", scene.say("key.type-waybill"))
    both = (scene.say("prompt.scan-waybill.1"), _cut_when(scene))
    return BigPrompt("scan-barcode", scene.say("prompt.scan-waybill"), both, tip, line)


def _cut_when(scene: Scene) -> str:
    return scene.say("prompt.cut-when-violet" if scene.around.rehearsal else "prompt.cut-when-red")


def _idle_notice(scene: Scene, state: Idle) -> Line | None:
    if state.notice is not None:
        return Line(Tone.WARN, notice(state.notice, scene.language))
    forbidden = may_begin_parcel(scene.around)
    return Line(Tone.WARN, notice(Notice(forbidden[0]), scene.language)) if forbidden else None


def camera_words(scene: Scene, camera: CameraFacts | DeviceFacts) -> str:
    """What stands beside a camera in a list: its mode and port, or its name."""
    if isinstance(camera, DeviceFacts):
        return " · ".join(w for w in (camera.name, camera.port) if w) or scene.say("value.not-fitted")
    if camera.level is Level.NONE:
        return scene.say("value.not-fitted")
    if not camera.height:
        return camera.name
    return " · ".join((camera.name, scene.say("stage.mode", lines=camera.height, fps=camera.fps).split(" ·")[0]))


def label_row(scene: Scene) -> tuple[CheckRow, ...]:
    """The label camera, where there is one. Work goes on without it."""
    label = scene.around.label
    if label.camera.level is Level.NONE:
        return ()
    level, camera = Level.WARN if label_trouble(label) else label.camera.level, label.camera
    live = camera.level is Level.OK and camera.height
    value = scene.say("stage.mode", lines=camera.height, fps=camera.fps) if live else scene.say("stage.no-picture")
    return (CheckRow("camera", scene.say("device.label"), value, level_chip(scene, level)),)


def device_words(scene: Scene, device: DeviceFacts) -> str:
    return " · ".join(w for w in (device.port, device.name) if w) or scene.say("value.not-fitted")


def disk_row(scene: Scene, with_time: bool = True) -> CheckRow:
    """Free space, in hours of video."""
    disk = scene.around.disk
    minutes = disk.minutes_left
    time = duration(scene, minutes)
    value = scene.say("value.disk", size=size(disk.free_bytes), time=time) if with_time else size(disk.free_bytes)
    level = Level.OK if minutes >= 60 else Level.WARN if minutes >= 10 else Level.DOWN
    word = "level.warn" if level is Level.DOWN else ""
    return CheckRow("hard-drive", scene.say("device.disk"), value, level_chip(scene, level, word))


def ready_checks(scene: Scene) -> tuple[CheckRow, ...]:
    """The five checks before work, and the label camera where there is one."""
    around = scene.around
    simulated = "value.issuers.simulated" if around.rehearsal else "value.issuers.none"
    scanner = around.scanner
    scanner_words = scene.say("value.scanner" if scanner.level is Level.OK else "value.not-fitted")
    return (
        CheckRow("camera", scene.say("device.camera"), _camera_state(scene), level_chip(scene, around.camera.level)),
        *label_row(scene),
        CheckRow("scan-barcode", scene.say("device.scanner"), scanner_words, level_chip(scene, scanner.level)),
        CheckRow("nfc", scene.say("device.nfc"), device_words(scene, around.nfc), level_chip(scene, around.nfc.level)),
        disk_row(scene),
        CheckRow("building-2", scene.say("device.issuers"), scene.say(simulated), level_chip(scene, Level.NONE)),
    )


def _camera_state(scene: Scene) -> str:
    notes: tuple[StageNote, ...] = tuple(n for n in stage(scene).notes if n.icon != "hard-drive")
    words = " · ".join(n.text for n in notes)
    return words if words and scene.around.camera.level is Level.OK else camera_words(scene, scene.around.camera)


def _last(scene: Scene, last: LastParcel) -> LastParcelView:
    accepted = last.count(CardState.ACCEPTED)
    kept = last.count(CardState.KEPT, CardState.AT_CENTRE)
    chips = []
    if accepted or not kept:
        chips.append(Chip(Tone.OK, scene.say("last.accepted", n=accepted)))
    if kept:
        chips.append(Chip(Tone.INFO, scene.say("last.kept", n=kept), "hard-drive"))
    if not_taken := last.count(CardState.NOT_TAKEN):
        chips.append(Chip(Tone.WARN, scene.say("last.not-taken", n=not_taken)))
    if review := last.count(CardState.REVIEW):
        chips.append(Chip(Tone.WARN, scene.say("last.review", n=review)))
    rejected = scene.say("last.rejected", n=last.count(CardState.REJECTED))
    here = last.count(CardState.KEPT)
    sync = Chip(Tone.INFO, scene.say("sync.sending", n=here), "cloud-upload") if here else None
    done = Chip(Tone.OK, scene.say("sync.synced"), "cloud-upload")
    time = hours_minutes(last.wall_us)
    return LastParcelView(scene.say("last.title"), gapped(last.waybill), time, tuple(chips), rejected, sync or done)


def opening(scene: Scene, state: Opening) -> Part:
    """The waybill is taken; the knife waits for the REC block."""
    recording = state.began and scene.around.rec.mode is not RecMode.OFF
    line = Line(Tone.WARN, notice(state.notice, scene.language, at_work=True)) if state.notice else None
    if recording:
        lines = (scene.say("prompt.open.1"), scene.say("prompt.open.2"))
        prompt = BigPrompt("package-open", scene.say("prompt.open"), lines, notice=line)
        go = GoKey(GoState.READY, scene.say("cap.space"), scene.say("go.opened"), "arrow-right")
    else:
        lines = (scene.say("prompt.wait-recording.1"), _cut_when(scene))
        prompt = BigPrompt("video-off", scene.say("prompt.wait-recording"), lines, notice=line)
        go = GoKey(GoState.WAITING, scene.say("cap.recording"), scene.say("go.wait-recording"), "loader-circle")
    visit = state.visit
    current = Slot(visit.next_no, SlotState.TODO, scene.say("slot.todo"))
    body = CardBody(stage(scene), slots(scene, visit, current), prompt, present_checks.empty(scene))
    return Part(body, (all_keys(scene),), go)
