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

_ORDER = (
    CardState.KEPT,
    CardState.AT_CENTRE,
    CardState.NOT_TAKEN,
    CardState.REVIEW,
    CardState.ACCEPTED,
    CardState.REJECTED,
)
_NAMED = 3
_WAITING = (CardState.KEPT, CardState.AT_CENTRE, CardState.NOT_TAKEN, CardState.REVIEW)
_CAUSES = {
    "needs-server-upgrade": "upgrade",
    "unknown-kind": "upgrade",
    "card-known": "card-known",
    "card-unknown": "card-unknown",
    "revoked": "revoked",
    "not-supervisor": "not-supervisor",
    "second-missing": "not-supervisor",
    "second-not-supervisor": "not-supervisor",
}
"""The centre's reasons, by how they are worded."""
_TONE = {
    SyncState.SYNCED: (Tone.OK, "cloud-upload"),
    SyncState.SENDING: (Tone.INFO, "cloud-upload"),
    SyncState.OFFLINE: (Tone.WARN, "cloud-off"),
    SyncState.STOPPED: (Tone.STOP, "cloud-off"),
}


def only_here(sync: SyncFacts) -> bool:
    """Whether something would be lost with this machine."""
    return bool(sync.unsent or sync.footage_waiting)


def not_settled(sync: SyncFacts) -> bool:
    """Whether somebody who leaves should hear of something: only here, or not taken up at the centre."""
    return only_here(sync) or sync.count(CardState.NOT_TAKEN) > 0


def opens_sheet(name: str, state: State | None, around: Surroundings, told: bool) -> bool:
    """Whether this key opens the sheet: F5 at the waiting screen; F12 there, once, while something is not settled."""
    return isinstance(state, Idle) and (name == "F5" or (name == "F12" and not_settled(around.sync) and not told))


def sync_sheet(scene: Scene, *, leaving: bool = False) -> SyncSheet:
    """The sheet; `leaving`: somebody is about to sign out while something is still only here."""
    here = "sheet.leaving" if only_here(scene.around.sync) else "sheet.leaving.not-taken"
    title = scene.say(here if leaving else "sheet.title")
    foot = scene.say("sheet.leaving.foot" if leaving else "keys.close")
    sent = (_line(scene), _events(scene), *_held(scene), *_cards(scene), _footage(scene))
    rows = (*sent, *_silent(scene), *_strays(scene))
    return SyncSheet(title, foot, rows, leaving)


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


def _held(scene: Scene) -> tuple[CheckRow, ...]:
    """What lies at the centre and was not taken up: why, and what to do about it."""
    held = scene.around.sync.held
    if not held:
        return ()
    value = scene.say(f"sheet.held.{_CAUSES.get(held[0][0], 'other')}")
    chip = Chip(Tone.WARN, scene.say("sheet.n", n=sum(number for _, number in held)))
    return (CheckRow("triangle-alert", scene.say("sheet.held"), value, chip),)


def _cards(scene: Scene) -> tuple[CheckRow, ...]:
    """The cards by state; of those that wait for something the age of the oldest."""
    found = {state: (number, age_s) for state, number, age_s in scene.around.sync.cards}
    rows = []
    for state in _ORDER:
        number, age_s = found.get(state, (0, 0))
        if state is CardState.NOT_TAKEN and not number:
            continue  # as a rule there are none
        waits = number and state in _WAITING
        value = scene.say("sheet.oldest", age=_age(scene, age_s)) if waits else ""
        tone = CARD_TONE[state] if number else Tone.IDLE
        chip = Chip(tone, scene.say("sheet.n", n=number))
        rows.append(CheckRow(CARD_ICON[state], scene.say(f"sheet.card.{state.value}"), value, chip, quiet=not number))
    return tuple(rows)


def _footage(scene: Scene) -> CheckRow:
    sync = scene.around.sync
    value = scene.trouble_line(sync.footage_code) if sync.footage_code else ""
    if not value:
        value = scene.say("sheet.footage.waits" if sync.footage_waiting else "sheet.all-there")
    tone = Tone.WARN if sync.footage_code else Tone.INFO if sync.footage_waiting else Tone.OK
    chip = Chip(tone, scene.say("sheet.n", n=sync.footage_waiting))
    return CheckRow("film", scene.say("sheet.footage"), value, chip)


def _silent(scene: Scene) -> tuple[CheckRow, ...]:
    """Stations that were heard of before: closed, or their word on the centre's log is kept from this one."""
    names = scene.around.sync.silent
    if not names:
        return ()
    comma = "、" if scene.language == "zh" else ", "
    value = scene.say("sheet.silent.who", names=comma.join(names[:_NAMED]) + (" …" if len(names) > _NAMED else ""))
    return (CheckRow("store", scene.say("sheet.silent"), value, Chip(Tone.WARN, scene.say("sheet.n", n=len(names)))),)


def _strays(scene: Scene) -> tuple[CheckRow, ...]:
    """What the centre signed for another tenant or station: it was not used, and is no small thing."""
    number = scene.around.sync.misdirected
    if not number:
        return ()
    chip = Chip(Tone.WARN, scene.say("sheet.n", n=number))
    return (CheckRow("triangle-alert", scene.say("sheet.strays"), scene.say("sheet.strays.what"), chip),)


def _age(scene: Scene, seconds: int) -> str:
    if seconds < 120:
        return scene.say("duration.seconds", n=seconds)
    return duration(scene, seconds // 60)
