"""Hands must stop: camera, recorder, disk or store is away, a supervisor is due, or a fault was met."""

from __future__ import annotations

from app.core.events import Device
from app.core.readiness import Level, RecMode
from app.core.states import Asking, Faulted, Paused, Reading, Saving, Visit
from ui.parts import Part
from ui.present_wait import camera_words, device_words, disk_row
from ui.scene import Scene, all_keys, clock, key, level_chip, minutes_seconds, slots
from ui.texts import TroubleText, has_trouble, trouble
from ui.views import CheckRow, Chip, GoKey, GoState, Tip, Tone
from ui.work_views import LostBody, LostPanel, Slot, SlotState, StageNote, TakeOver

_CUTS = (Device.CAMERA, Device.RECORDER, Device.DISK)
_ICON = {
    Device.CAMERA: "unplug",
    Device.RECORDER: "video-off",
    Device.DISK: "hard-drive",
    Device.STORE: "hard-drive",
    Device.EYE: "eye-off",
}
_GO = {
    Device.CAMERA: ("cap.camera", "go.wait-picture", "camera"),
    Device.RECORDER: ("cap.recording", "go.wait-recorder", "video-off"),
    Device.DISK: ("cap.disk", "go.wait-disk", "hard-drive"),
    Device.STORE: ("cap.disk", "go.wait-disk", "hard-drive"),
}
_LIMIT_US = 120_000_000
"""After two minutes without video a supervisor is due; the bar's full length."""


def trouble_code(device: Device, code: str) -> str:
    """The code that has words: as it came, with its device in front, or the device's plain loss."""
    for candidate in (code, f"{device.value}.{code}"):
        if has_trouble(candidate):
            return candidate
    return f"{device.value}.lost"


def paused(scene: Scene, state: Paused) -> Part:
    """The take-over: what happened, what to do, what was kept."""
    told = trouble(trouble_code(state.device, state.code), scene.language)
    called = state.code == "supervisor.wanted"
    cut = state.device in _CUTS and not called
    visit = state.back_to.visit
    body = LostBody(
        _take_over(scene, state, told, cut),
        _slots(scene, state, visit),
        _panel(scene, state, cut),
        scene.say("devices.title"),
        _devices(scene, state),
    )
    keys = [all_keys(scene)]
    if state.device is Device.CAMERA:
        keys.append(key(scene, "F4", "key.spare"))
    if not state.supervisor:
        keys.append(key(scene, "F7", "key.supervisor"))
    return Part(body, tuple(keys), _go(scene, state, cut))


def _go(scene: Scene, state: Paused, cut: bool) -> GoKey:
    if state.supervisor and (state.ready or state.code == "supervisor.wanted"):
        return GoKey(GoState.WAITING, scene.say("cap.badge"), scene.say("go.wait-badge"), "id-card")
    if state.ready:
        label = "go.resume-recording" if cut else "go.try-again"
        return GoKey(GoState.READY, scene.say("cap.space"), scene.say(label), "arrow-right")
    cap, label, icon = _GO.get(state.device, _GO[Device.RECORDER])
    return GoKey(GoState.WAITING, scene.say(cap), scene.say(label), icon)


def _stop(scene: Scene, title: str) -> str:
    """ "Stop: …" before a title; its first letter then is a small one in English."""
    small = title[:1].lower() + title[1:] if title[1:2].islower() else title
    return scene.say("lost.stop", title=small)


def _take_over(scene: Scene, state: Paused, told: TroubleText, cut: bool) -> TakeOver:
    title = _stop(scene, told.title) if cut else told.title
    sub = scene.say("lost.hands" if cut else "lost.calm")
    if cut and state.ready:
        title, sub = scene.say("lost.back"), scene.say("lost.back.sub")
    if state.supervisor:
        sub = scene.say("lost.lapsed" if state.lapsed else "lost.supervisor")
    saved = clock(state.saved_wall_us) if state.saved_wall_us else ""
    tip = Tip("", scene.say("lost.spare"), "F4", scene.say("key.spare")) if state.device is Device.CAMERA else None
    live = scene.around.camera.level is Level.OK
    return TakeOver(
        icon="user-check" if state.code == "supervisor.wanted" else _ICON.get(state.device, "triangle-alert"),
        camera=scene.say("stage.camera"),
        state="" if live else scene.say("stage.no-picture"),
        last_frame=scene.say("lost.last-frame", time=saved) if saved and cut else "",
        title=title,
        sub=sub,
        do_title=scene.say("lost.do"),
        do=told.do,
        more=tip,
        kept_title=scene.say("lost.kept"),
        kept=_kept(scene, state, cut),
        cut=cut,
    )


def _kept(scene: Scene, state: Paused, cut: bool) -> tuple[StageNote, ...]:
    visit = state.back_to.visit
    kept = []
    if not cut:
        kept.append(StageNote("circle-check", scene.say("lost.kept.video.on")))
    elif state.saved_wall_us:
        time = clock(state.saved_wall_us)
        kept.append(StageNote("circle-check", scene.say("lost.kept.video", time=time)))
    else:
        kept.append(StageNote("circle-check", scene.say("lost.kept.video.plain")))
    if visit.found:
        word = "lost.kept.card" if visit.found == 1 else "lost.kept.cards"
        kept.append(StageNote("circle-check", scene.say(word, n=visit.found)))
    if isinstance(state.back_to, (Reading, Asking, Saving)):
        kept.append(StageNote("rotate-ccw", scene.say("lost.kept.redo", no=visit.next_no)))
    kept.append(StageNote("cloud-off", scene.say("lost.kept.open")))
    return tuple(kept)


def _slots(scene: Scene, state: Paused, visit: Visit) -> tuple[Slot, ...]:
    if not isinstance(state.back_to, (Reading, Asking, Saving)):
        return slots(scene, visit)
    redo = Slot(visit.next_no, SlotState.WARN, scene.say("slot.again"), "····", "triangle-alert")
    return slots(scene, visit, redo)


def _panel(scene: Scene, state: Paused, cut: bool) -> LostPanel:
    gap_us = max(0, scene.around.wall_us - state.saved_wall_us) if state.saved_wall_us and cut else 0
    if cut:
        chip = Chip(Tone.WARN, scene.say("lost.chip.cut"), _ICON[state.device])
    elif state.code == "supervisor.wanted":
        chip = Chip(Tone.WARN, scene.say("lost.chip.supervisor"), "user-check")
    else:
        chip = Chip(Tone.WARN, scene.say("lost.chip.store"), "hard-drive")
    due = state.supervisor or gap_us >= _LIMIT_US
    rules = (scene.say("lost.supervisor"),) if due else (scene.say("lost.rule.1"),) if cut else ()
    camera = scene.around.camera
    port = camera.name if state.device is Device.CAMERA else ""
    return LostPanel(
        chip=chip,
        since=scene.say("lost.since", time=clock(state.saved_wall_us)) if state.saved_wall_us and cut else "",
        timer=minutes_seconds(gap_us) if cut else "",
        label=scene.say("lost.label") if cut else "",
        share=min(1.0, gap_us / _LIMIT_US) if cut else 0.0,
        scale=(scene.say("lost.zero"), scene.say("lost.limit")) if cut else ("", ""),
        lines=rules,
        quiet=scene.say("lost.rule.2") if cut and not due else "",
        support=scene.say("lost.support"),
        support_code=" · ".join(w for w in (trouble_code(state.device, state.code), port) if w),
    )


def _devices(scene: Scene, state: Paused) -> tuple[CheckRow, ...]:
    around = scene.around
    camera_gone = state.device is Device.CAMERA and not state.ready
    if camera_gone:
        gone_s = max(0, around.wall_us - state.saved_wall_us) // 1_000_000 if state.saved_wall_us else 0
        value = scene.say("value.lost-for", s=gone_s) if gone_s else camera_words(scene, around.camera)
        overhead = Chip(Tone.STOP, scene.say("level.down"), "unplug")
    else:
        value, overhead = camera_words(scene, around.camera), level_chip(scene, around.camera.level)
    spare_word = "level.usable" if around.spare.level is Level.OK else ""
    return (
        CheckRow("camera", scene.say("device.overhead"), value, overhead),
        CheckRow(
            "camera",
            scene.say("device.spare"),
            camera_words(scene, around.spare),
            level_chip(scene, around.spare.level, spare_word),
        ),
        disk_row(scene, with_time=False),
        CheckRow("nfc", scene.say("device.nfc"), device_words(scene, around.nfc), level_chip(scene, around.nfc.level)),
    )


def faulted(scene: Scene, state: Faulted) -> Part:
    """A bug was met: the recording is closed, the session waits to be started again."""
    code = state.code if has_trouble(state.code) else "program.fault"
    told = trouble(code, scene.language)
    take_over = TakeOver(
        icon="octagon-x",
        camera=scene.say("stage.camera"),
        state="",
        last_frame="",
        title=told.title,
        sub=scene.say("lost.calm"),
        do_title=scene.say("lost.do"),
        do=told.do,
        more=None,
        kept_title=scene.say("lost.kept"),
        kept=(StageNote("circle-check", told.kept),),
        cut=scene.around.rec.mode is RecMode.CUT,
    )
    panel = LostPanel(
        chip=Chip(Tone.STOP, scene.say("lost.chip.fault"), "octagon-x"),
        since="",
        timer="",
        label="",
        share=0.0,
        scale=("", ""),
        lines=(),
        quiet="",
        support=scene.say("lost.support"),
        support_code=" · ".join(w for w in (state.code, state.detail) if w),
    )
    rows = (
        CheckRow(
            "camera",
            scene.say("device.overhead"),
            camera_words(scene, scene.around.camera),
            level_chip(scene, scene.around.camera.level),
        ),
        disk_row(scene, with_time=False),
    )
    go = GoKey(GoState.BLOCKED, "!", scene.say("go.restart"), "rotate-ccw")
    return Part(LostBody(take_over, (), panel, scene.say("devices.title"), rows), (all_keys(scene),), go)
