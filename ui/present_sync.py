"""What is where: events, cards and footage that are still only here, what the centre has, and why nothing moves.

Everything is told from receipts and decisions that were checked, nothing from what was sent.
"""

from __future__ import annotations

from app.core.cards import CardState
from app.core.readiness import Surroundings, SyncFacts, SyncState
from app.core.states import Idle, State
from ui.scene import CARD_ICON, CARD_TONE, Scene, duration
from ui.texts import trouble
from ui.views import CheckRow, Chip, Tone
from ui.work_views import SyncSheet

_ORDER = (CardState.KEPT, CardState.AT_CENTRE, CardState.REVIEW, CardState.ACCEPTED, CardState.REJECTED)
_WAITING = (CardState.KEPT, CardState.AT_CENTRE, CardState.REVIEW)
_TONE = {
    SyncState.SYNCED: (Tone.OK, "cloud-upload"),
    SyncState.SENDING: (Tone.INFO, "cloud-upload"),
    SyncState.OFFLINE: (Tone.WARN, "cloud-off"),
    SyncState.STOPPED: (Tone.STOP, "cloud-off"),
}


def only_here(sync: SyncFacts) -> bool:
    """Whether something would be lost with this machine."""
    return bool(sync.unsent or sync.footage_waiting)


def opens_sheet(name: str, state: State | None, around: Surroundings, told: bool) -> bool:
    """Whether this key opens the sheet: F5 at the waiting screen; F12 there, once, while something is only here."""
    return isinstance(state, Idle) and (name == "F5" or (name == "F12" and only_here(around.sync) and not told))


def sync_sheet(scene: Scene, *, leaving: bool = False) -> SyncSheet:
    """The sheet; `leaving`: somebody is about to sign out while something is still only here."""
    title = scene.say("sheet.leaving" if leaving else "sheet.title")
    foot = scene.say("sheet.leaving.foot" if leaving else "keys.close")
    return SyncSheet(title, foot, (_line(scene), _events(scene), *_cards(scene), _footage(scene)), leaving)


def _line(scene: Scene) -> CheckRow:
    """How the line stands, why, and when it is tried again."""
    sync = scene.around.sync
    tone, icon = _TONE[sync.state]
    said = [trouble(sync.code, scene.language).title if sync.code else scene.say(f"sheet.line.{sync.state.value}")]
    if sync.next_try_in_s and sync.state is not SyncState.STOPPED:
        said.append(scene.say("sheet.next", time=_age(scene, sync.next_try_in_s)))
    return CheckRow(
        icon,
        scene.say("sheet.line"),
        ("，" if scene.language == "zh" else ". ").join(said),
        Chip(tone, scene.say(f"sheet.state.{sync.state.value}")),
    )


def _events(scene: Scene) -> CheckRow:
    sync = scene.around.sync
    age = scene.say("sheet.oldest", age=_age(scene, sync.oldest_age_s)) if sync.unsent else scene.say("sheet.all-there")
    tone = Tone.INFO if sync.unsent else Tone.OK
    return CheckRow("hard-drive", scene.say("sheet.events"), age, Chip(tone, scene.say("sheet.n", n=sync.unsent)))


def _cards(scene: Scene) -> tuple[CheckRow, ...]:
    """The cards by state; of those that wait for something the age of the oldest."""
    found = {state: (number, age_s) for state, number, age_s in scene.around.sync.cards}
    rows = []
    for state in _ORDER:
        number, age_s = found.get(state, (0, 0))
        waits = number and state in _WAITING
        value = scene.say("sheet.oldest", age=_age(scene, age_s)) if waits else ""
        tone = CARD_TONE[state] if number else Tone.IDLE
        chip = Chip(tone, scene.say("sheet.n", n=number))
        rows.append(CheckRow(CARD_ICON[state], scene.say(f"sheet.card.{state.value}"), value, chip, quiet=not number))
    return tuple(rows)


def _footage(scene: Scene) -> CheckRow:
    sync = scene.around.sync
    value = scene.trouble_line(sync.footage_code) if sync.stuck_footage else ""
    if not value:
        value = scene.say("sheet.footage.waits" if sync.footage_waiting else "sheet.all-there")
    tone = Tone.WARN if sync.stuck_footage else Tone.INFO if sync.footage_waiting else Tone.OK
    chip = Chip(tone, scene.say("sheet.n", n=sync.footage_waiting))
    return CheckRow("film", scene.say("sheet.footage"), value, chip)


def _age(scene: Scene, seconds: int) -> str:
    if seconds < 120:
        return scene.say("duration.seconds", n=seconds)
    return duration(scene, seconds // 60)
