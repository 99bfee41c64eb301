"""The camera picture: its header words and the boxes drawn over it."""

from __future__ import annotations

from app.core.cards import CardRead, FieldState, Sighting, Zone
from app.core.readiness import Level, RecMode
from ui.scene import Scene, size
from ui.views import Tone
from ui.work_views import Box, StageNote, StageView

_SHARP = 0.35
"""Sharpness of the eye (0..1) from which a picture counts as sharp on the screen."""
_GLARE = 0.08
"""Share of burnt-out pixels from which glare is worth a word."""
_COVERED = ("pin", "panel")
"""Zones that are hatched as soon as they are located, before anything is read there."""


def stage(scene: Scene, boxes: tuple[Box, ...] = (), *, hint: bool = False, shots: str | None = None) -> StageView:
    """The stage; `hint` draws the place for a parcel, `shots` (if only "") replaces the notes of the small stage."""
    camera = scene.around.camera
    live = camera.level in (Level.OK, Level.WARN)
    mode = scene.say("stage.mode", lines=camera.height, fps=camera.fps) if live and camera.height else ""
    word = "stage.no-camera" if camera.level is Level.NONE else "stage.no-picture"
    return StageView(
        rec=scene.rec_mode,
        tag=_tag(scene),
        name=scene.say("stage.camera"),
        mode=mode,
        notes=_notes(scene) if shots is None else (StageNote("", shots),) if shots else (),
        boxes=boxes,
        frame_hint=(scene.say("stage.parcel"), scene.say("stage.parcel.sub")) if hint else None,
        no_picture="" if live else scene.say(word),
    )


def _tag(scene: Scene) -> str:
    match scene.rec_mode:
        case RecMode.ON:
            return "REC"
        case RecMode.TRAINING:
            return scene.say("stage.rehearsal" if scene.around.rehearsal else "stage.training")
        case _:
            return ""


def _notes(scene: Scene) -> tuple[StageNote, ...]:
    camera, rec = scene.around.camera, scene.around.rec
    notes = []
    if camera.sharpness is not None:
        sharp = camera.sharpness >= _SHARP
        notes.append(StageNote("focus", scene.say("stage.sharp" if sharp else "stage.soft")))
    if camera.glare is not None:
        low = "stage.even" if rec.mode is RecMode.OFF else "stage.glare-low"
        notes.append(StageNote("sun", scene.say("stage.glare-high" if camera.glare >= _GLARE else low)))
    if rec.mode is not RecMode.OFF:
        notes.append(StageNote("hard-drive", size(rec.bytes_on_disk), mono=True))
    return tuple(notes)


def boxes(scene: Scene, sighting: Sighting | None, read: CardRead | None = None) -> tuple[Box, ...]:
    """Boxes over what the eye found; the zones of the newest sighting, else those of the read."""
    zones = sighting.zones if sighting and sighting.zones else read.zones if read else ()
    has_pin = any(z.kind == "pin" for z in zones)
    return tuple(_box(scene, zone, read, has_pin) for zone in zones)


def _box(scene: Scene, zone: Zone, read: CardRead | None, has_pin: bool) -> Box:
    hatched = zone.kind in _COVERED
    if zone.kind == "panel" and has_pin:
        return Box(zone.quad, Tone.OK, "", hatched=True)
    tone, label = _box_words(scene, zone, read)
    return Box(zone.quad, tone, label, hatched, below=zone.kind != "number")


def _box_words(scene: Scene, zone: Zone, read: CardRead | None) -> tuple[Tone, str]:
    if zone.kind == "number" and read is not None and read.number.state is FieldState.DOUBTFUL:
        word = "box.number.length" if read.number.wholes else "box.number.doubt"
        return Tone.WARN, scene.say(word, no=read.number.doubts[0] + 1)
    known = {"barcode": "box.barcode", "number": "box.number", "pin": "box.pin"}.get(zone.kind)
    if known is None:
        return Tone.INFO, scene.say(f"box.{zone.kind}") if zone.kind in ("panel", "expiry") else ""
    done = zone.settled or (zone.kind == "pin" and read is not None and read.pin.state is FieldState.READ)
    return (Tone.OK, scene.say(f"{known}.done")) if done else (Tone.INFO, scene.say(known))
