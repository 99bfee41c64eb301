"""The chip tray: what will be written and from where it cannot be undone, how far a run is, and how it ended."""

from __future__ import annotations

from app.core.chips import OPEN_STANDS, ChipCard, ChipStand, PlannedStage
from app.core.readiness import Level
from app.core.states import PUNCH_SHOTS, ChipTray
from ui.parts import Part
from ui.present_stage import stage
from ui.scene import Scene, all_keys, gapped, key
from ui.texts import notice, trouble
from ui.views import CheckRow, Chip, GoKey, GoState, KeyLabel, Line, Tip, Tone
from ui.work_views import BigPrompt, CardBody, Slot, SlotState

_ROWS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("look", "search", ("identify",)),
    ("prepare", "key-round", ("secrets", "configuration")),
    ("wipe", "rotate-ccw", ("data", "read-back")),
    ("border", "triangle-alert", ()),
    ("lock", "lock", ("read-only", "dynamic-locks", "static-locks", "config-lock", "keys")),
    ("prove", "shield-check", ("proof",)),
)
"""The stages as a clerk understands them; between wiping and locking runs the line that has no way back."""

_SLOT = {
    ChipStand.WAITING: (SlotState.TODO, "nfc"),
    ChipStand.UNFINISHED: (SlotState.WARN, "triangle-alert"),
    ChipStand.REFUSED: (SlotState.WARN, "ban"),
    ChipStand.DESTROY: (SlotState.STOP, "octagon-x"),
    ChipStand.OFF: (SlotState.OK, "circle-check"),
    ChipStand.DESTROYED: (SlotState.OK, "circle-check"),
}
_MOST_ENDINGS = 5
_ICON = {
    ChipStand.OFF: "circle-check",
    ChipStand.DESTROYED: "circle-check",
    ChipStand.DESTROY: "octagon-x",
    ChipStand.REFUSED: "ban",
}


def chip_tray(scene: Scene, state: ChipTray) -> Part:
    """Accepted cards wait for their chips to be switched off."""
    keys = [all_keys(scene)]
    if state.insist and not state.running:
        keys.append(key(scene, "F2", "key.chip-aside"))
    if not state.running or state.adrift or state.reader:  # else it does nothing until the chip is done with
        keys.append(key(scene, "Esc", "key.back"))
    body = CardBody(stage(scene), _slots(scene, state), _prompt(scene, state), _rows(scene, state))
    return Part(body, tuple(keys), _go(scene, state))


def chips_key(scene: Scene) -> tuple[KeyLabel, ...]:
    """The key to the tray, while something waits there."""
    waiting = scene.around.chips
    return (KeyLabel("F4", scene.say("key.chips", n=waiting)),) if waiting else ()


def chips_tip(scene: Scene) -> Tip | None:
    """The quiet line that tells of waiting chips."""
    if not scene.around.chips:
        return None
    return Tip("nfc", scene.say("prompt.chips-wait", n=scene.around.chips), "F4", scene.say("key.chips.short"))


def _reader_code(scene: Scene, state: ChipTray) -> str:
    """What is wrong with the reader, "" when nothing is."""
    facts = scene.around.nfc
    if state.reader:
        return state.reader
    if facts.level is Level.DOWN:
        return facts.code or "nfc.missing"
    return "nfc.missing" if facts.level is Level.NONE else ""


def _slots(scene: Scene, state: ChipTray) -> tuple[Slot, ...]:
    return tuple(_slot(scene, state, number, card) for number, card in enumerate(state.cards, start=1))


def _slot(scene: Scene, state: ChipTray, number: int, card: ChipCard) -> Slot:
    kind, icon = _SLOT[card.stand]
    word = f"slot.chip.{card.stand.value}"
    if card.card_id == state.at and card.stand in OPEN_STANDS:
        kind = SlotState.CURRENT
        word = "slot.chip.running" if state.running else word
    return Slot(number, kind, scene.say(word), card.last4 or "····", icon)


# The prompt


def _prompt(scene: Scene, state: ChipTray) -> BigPrompt:
    line = Line(Tone.WARN, notice(state.notice, scene.language, at_work=True)) if state.notice else None
    code = _reader_code(scene, state)
    if code and (state.reader or not state.running):
        told = trouble(code, scene.language)
        return BigPrompt("unplug", told.title, (*told.do, scene.say("prompt.chip.goes-on")), notice=line)
    if not state.listed:
        return BigPrompt("search", scene.say("prompt.chip.listing"), ())
    card = state.card
    if card is not None and state.running:
        return _running(scene, state, card, line)
    if card is not None and state.punching:
        return _punching(scene, state, card, line)
    if card is not None and state.ended is not None and state.ended.card_id == card.card_id:
        return _ended(scene, state, card, line)
    insisted = state.named(state.insist)
    if insisted is not None:
        lines = (_called(scene, insisted), _parcel(scene, insisted), scene.say("prompt.chip.put-back.1"))
        return BigPrompt("rotate-ccw", scene.say("prompt.chip.put-back"), lines, notice=line)
    return _asking(scene, state, line)


def _called(scene: Scene, card: ChipCard) -> str:
    """A card as it is spoken of: product, last four, chip."""
    name = scene.product_name(card.product_id)
    return scene.say("chip.called", name=name, last4=card.last4 or "····", family=card.family)


def _parcel(scene: Scene, card: ChipCard) -> str:
    """Where the card is to be found: the tray is the whole station's."""
    return scene.say("chip.from", waybill=gapped(card.waybill))


def _running(scene: Scene, state: ChipTray, card: ChipCard, line: Line | None) -> BigPrompt:
    word = scene.say("nfc.stage.gone" if state.stage == "gone" else f"nfc.stage.{state.stage}")
    step = scene.say("prompt.chip.step", n=state.number, of=state.of, stage=word) if state.of else word
    return BigPrompt("nfc", scene.say("prompt.chip.keep-still"), (_called(scene, card), step), notice=line)


def _ended(scene: Scene, state: ChipTray, card: ChipCard, line: Line | None) -> BigPrompt:
    end = state.ended
    if end is None:
        raise ValueError("no run has ended")
    title = scene.say(f"prompt.chip.{card.stand.value}")
    said = f"nfc.do.{end.verdict}" if end.stand is ChipStand.OFF else f"nfc.{end.why}"
    lines = [_called(scene, card), _parcel(scene, card), scene.say(said)]
    if end.silent:
        lines[-1] = scene.say("prompt.chip.silent", n=end.silent, of=end.most_silent)
        lines.append(scene.say("prompt.chip.silent.1" if state.armed else "prompt.chip.hold"))
    elif end.stand in (ChipStand.WAITING, ChipStand.UNFINISHED):
        lines.append(scene.say("prompt.chip.unfinished.1" if end.begun else "nfc.do.refused"))
    elif state.to_tap:
        lines.append(scene.say("prompt.chip.next", n=len(state.to_tap)))
    elif not state.left:
        lines.append(scene.say("prompt.chip.all-done"))
    return BigPrompt(_ICON.get(card.stand, "triangle-alert"), title, tuple(lines), notice=line)


def _punching(scene: Scene, state: ChipTray, card: ChipCard, line: Line | None) -> BigPrompt:
    told = "prompt.chip.destroy.mute" if card.mute else "prompt.chip.destroy.why"
    known = state.ended.why if state.ended is not None else card.why
    why = scene.say(f"nfc.{known}" if known and not card.mute else told)
    step = 1 if state.visit is None else len(state.shots) + 2
    lines = (_called(scene, card), _parcel(scene, card), why, scene.say(f"prompt.chip.destroy.{step}"))
    return BigPrompt("octagon-x", scene.say("prompt.chip.destroy"), lines, notice=line)


def _asking(scene: Scene, state: ChipTray, line: Line | None) -> BigPrompt:
    """Nothing is in hand: hold first, then tap."""
    waiting, card = len(state.to_tap), state.card
    if not waiting:
        word = "prompt.chip.none" if not state.left else "prompt.chip.only-punch"
        below = "prompt.chip.none.1" if state.cards else "prompt.chip.none.empty"
        return BigPrompt("circle-check", scene.say(word), (scene.say(below),), notice=line)
    if state.armed:
        both = (scene.say("prompt.chip.armed.1", n=waiting, cards=_endings(state)), scene.say("prompt.chip.armed.2"))
        if card is not None and state.may_try:
            both = (_called(scene, card), scene.say("prompt.chip.silent.1"))
        return BigPrompt("nfc", scene.say("prompt.chip.armed"), both, notice=line)
    hold = scene.say("prompt.chip.hold")
    if card is not None and state.plan:
        planned = (_called(scene, card), _parcel(scene, card), scene.say("prompt.chip.plan.1"), hold)
        return BigPrompt("nfc", scene.say("prompt.chip.plan"), planned, notice=line)
    lines = (scene.say("prompt.chip.ask.1"), scene.say("prompt.chip.ask.2"), hold)
    return BigPrompt("nfc", scene.say("prompt.chip.ask", n=waiting), lines, notice=line)


def _endings(state: ChipTray) -> str:
    """The last digits of the cards that wait, as far as they fit a line."""
    shown = [card.last4 or "····" for card in state.to_tap[:_MOST_ENDINGS]]
    return " · ".join((*shown, "…") if len(state.to_tap) > _MOST_ENDINGS else shown)


# The stages


def _rows(scene: Scene, state: ChipTray) -> tuple[CheckRow, ...]:
    """The chip in hand, then its stages; seven rows as a card has."""
    card = state.card
    value = card.uid if card else scene.say("row.chip.none")
    word = f"slot.chip.{'running' if state.running else card.stand.value}" if card else "chip.wait"
    tone = Tone.IDLE if card is None or card.stand in OPEN_STANDS else Tone.OK
    if card is not None and card.stand in (ChipStand.UNFINISHED, ChipStand.DESTROY, ChipStand.REFUSED):
        tone = Tone.WARN
    shown = Chip(Tone.INFO if state.running else tone, scene.say(word))
    mono = card is not None
    first = CheckRow("nfc", scene.say("row.chip.card"), value, shown, quiet=card is None, mono=mono)
    return (first, *(_row(scene, state, name, icon, stages) for name, icon, stages in _ROWS))


def _row(scene: Scene, state: ChipTray, name: str, icon: str, stages: tuple[str, ...]) -> CheckRow:
    title = scene.say(f"row.chip.{name}")
    if not stages:
        return CheckRow(icon, title, "", Chip(Tone.WARN, scene.say("chip.no-return")))
    planned = [step for step in state.plan if step.stage in stages]
    value = _planned(scene, planned)
    if state.running:
        return _while_running(scene, state, CheckRow(icon, title, value, Chip(Tone.IDLE, "")), stages)
    if state.card is not None and state.card.stand is ChipStand.OFF:
        return CheckRow(icon, title, value, Chip(Tone.OK, scene.say("chip.done")))
    if state.plan and name == "look":
        return CheckRow(icon, title, value, Chip(Tone.OK, scene.say("chip.done")))
    word = "chip.planned" if planned and state.plan else "chip.wait"
    return CheckRow(icon, title, value, Chip(Tone.IDLE, scene.say(word)), quiet=not planned)


def _planned(scene: Scene, planned: list[PlannedStage]) -> str:
    writes = sum(step.writes for step in planned)
    return scene.say("row.chip.writes", n=writes) if writes else ""


def _while_running(scene: Scene, state: ChipTray, row: CheckRow, stages: tuple[str, ...]) -> CheckRow:
    order = [stage for _name, _icon, group in _ROWS for stage in group]
    at = order.index(state.stage) if state.stage in order else -1
    if state.stage in stages:
        chip = Chip(Tone.INFO, scene.say("chip.doing"), "loader-circle")
        said = scene.say(f"nfc.stage.{state.stage}")
        return CheckRow(row.icon, row.name, said, chip, current=True)
    if at > order.index(stages[-1]):
        return CheckRow(row.icon, row.name, row.value, Chip(Tone.OK, scene.say("chip.done")))
    return CheckRow(row.icon, row.name, row.value, Chip(Tone.IDLE, scene.say("chip.wait")), quiet=True)


# The blue key


def _go(scene: Scene, state: ChipTray) -> GoKey:
    space = scene.say("cap.space")
    if state.running:
        return GoKey(GoState.BUSY, scene.say("cap.reader"), scene.say("go.chip-running"), "loader-circle")
    if not state.listed:
        return GoKey(GoState.BUSY, scene.say("cap.disk"), scene.say("go.chips-listing"), "loader-circle")
    if state.punching:
        if state.visit is None:
            return GoKey(GoState.BLOCKED, space, scene.say("go.punch-later"), "video-off")
        number = min(len(state.shots), PUNCH_SHOTS - 1) + 1
        return GoKey(GoState.READY, space, scene.say(f"go.punch-{number}"), "camera")
    if _reader_code(scene, state):
        return GoKey(GoState.WAITING, scene.say("cap.reader"), scene.say("go.wait-reader"), "unplug")
    if not state.to_tap:
        return GoKey(GoState.BLOCKED, "Esc", scene.say("go.chips-over"), "arrow-right")
    if state.may_try and state.on_reader == "":
        return GoKey(GoState.READY, space, scene.say("go.try-silent"), "nfc")
    if state.armed:
        return GoKey(GoState.WAITING, scene.say("cap.card"), scene.say("go.wait-tap"), "nfc")
    return GoKey(GoState.HOLD, scene.say("cap.hold-space"), scene.say("go.arm"), "nfc")
