"""Cards under the camera: waiting for one, reading it, asking about a length or exactly one character, saving."""

from __future__ import annotations

from dataclasses import replace

from app.core.asking import field_of, pattern_of
from app.core.cards import Alternative as Filling
from app.core.cards import CardRead, FieldReading, FieldState, Guidance
from app.core.session_correct import AS_PRINTED_DIGIT, came
from app.core.states import Ask, Asking, Notice, Reading, Saving, Visit, Waiting
from ui import present_checks
from ui.parts import Part
from ui.present_chips import chips_key, chips_tip
from ui.present_lengths import of_lengths
from ui.present_stage import boxes, stage
from ui.scene import Scene, all_keys, key, slots
from ui.texts import notice, ordinal_list
from ui.views import Chip, GoKey, GoState, Line, Tip, Tone
from ui.work_views import Alternative, BigPrompt, CardBody, CardPrompt, Cell, CellKind, SecretRow, Slot, SlotState

_GUIDANCE = {
    Guidance.HOLD_STILL: "prompt.hold-still",
    Guidance.TOO_FAR: "prompt.too-far",
    Guidance.CUT_OFF: "prompt.cut-off",
    Guidance.TWO_CARDS: "prompt.two-cards",
    Guidance.GLARE: "prompt.glare",
    Guidance.BLURRED: "prompt.blurred",
    Guidance.NOT_A_CARD: "prompt.not-a-card",
}
_FULL = 95
"""Confidence in percent from which a character's bar is full."""
_WARN_NOTICES = ("card.kept", "card.withdrawn", "card.read-again", "card.show-again", "waybill.typed")
"""Notices that bring no trouble; all others are shown in the colours of attention."""


def _line(scene: Scene, note: Notice | None) -> Line | None:
    if note is None:
        return None
    tone = Tone.OK if note.code in _WARN_NOTICES else Tone.WARN
    return Line(tone, notice(note, scene.language, at_work=True))


def _chip(scene: Scene, visit: Visit) -> Chip:
    no, declared = visit.next_no, visit.expected.declared
    text = scene.say("card.chip", no=no, n=declared) if declared else scene.say("card.chip.open", no=no)
    return Chip(Tone.INFO, text, "credit-card")


def waiting(scene: Scene, state: Waiting) -> Part:
    """The mat waits for a card; Space goes to the count."""
    visit = state.visit
    keys = [all_keys(scene)]
    if visit.counted:
        keys.append(key(scene, "F2", "key.take-back"))
    keys += chips_key(scene)
    if state.settled:
        keys.append(key(scene, "F5", "key.reread"))
    complete = bool(visit.expected.declared) and visit.found >= visit.expected.declared
    current = Slot(visit.next_no, SlotState.CURRENT, scene.say("slot.waiting"), "", "scan-barcode")
    last = visit.counted[-1] if visit.counted and state.settled else None
    checks = present_checks.of_card(scene, last) if last else present_checks.empty(scene, visit.tag)
    prompt = _waiting_prompt(scene, state, complete)
    picture = stage(scene, boxes(scene, state.sighting))
    tray = slots(scene, visit, None if complete else current)
    return Part(CardBody(picture, tray, prompt, checks), tuple(keys), _waiting_go(scene, visit, complete))


def _waiting_go(scene: Scene, visit: Visit, complete: bool) -> GoKey:
    if complete or not visit.expected.declared:
        return GoKey(GoState.READY, scene.say("cap.space"), scene.say("go.count"), "arrow-right")
    return GoKey(GoState.WAITING, scene.say("cap.card"), scene.say("go.wait-card", no=visit.next_no), "credit-card")


def _waiting_prompt(scene: Scene, state: Waiting, complete: bool) -> BigPrompt:
    visit = state.visit
    line = _line(scene, state.notice)
    tip = Tip("package-open", scene.say("prompt.no-more"), scene.say("cap.space"), scene.say("go.count"))
    if state.notice is not None and state.notice.code == "card.left-too-early":
        return BigPrompt("rotate-ccw", scene.say("prompt.put-back"), (), tip)
    if complete:
        lines = (scene.say("prompt.all-here.1"),)
        return BigPrompt("circle-check", scene.say("prompt.all-here", n=visit.found), lines, chips_tip(scene), line)
    if state.settled and visit.counted:
        lines = (scene.say("prompt.next-card.1", no=visit.next_no),)
        return BigPrompt("circle-check", scene.say("prompt.next-card"), lines, tip, line)
    lines = (scene.say("prompt.put-card.1"),)
    return BigPrompt("credit-card", scene.say("prompt.put-card", no=visit.next_no), lines, tip, line)


def reading(scene: Scene, state: Reading) -> Part:
    """A card is being read; what is in the way comes as the prompt."""
    visit, sighting = state.visit, state.sighting
    guidance = sighting.guidance if sighting else Guidance.NONE
    title = scene.say(_GUIDANCE.get(guidance, "prompt.reading"))
    prompt = BigPrompt("scan-barcode", title, (_chip(scene, visit).text,))
    current = Slot(visit.next_no, SlotState.CURRENT, scene.say("slot.reading"), "····", "scan-barcode")
    body = CardBody(
        stage(scene, boxes(scene, sighting)),
        slots(scene, visit, current),
        prompt,
        present_checks.while_reading(scene, sighting, visit.tag),
    )
    go = GoKey(GoState.BUSY, scene.say("cap.card"), scene.say("go.reading"), "loader-circle")
    return Part(body, (all_keys(scene), key(scene, "F5", "key.reread")), go)


def asking(scene: Scene, state: Asking) -> Part:
    """One question about the card in hand."""
    visit, question = state.visit, state.question
    current = Slot(visit.next_no, SlotState.CURRENT, scene.say("slot.asking"), "····", "scan-barcode")
    body = CardBody(
        stage(scene, boxes(scene, state.sighting, state.read)),
        slots(scene, visit, current),
        _question(scene, state),
        present_checks.of_read(scene, state.read, question.field, visit.tag),
    )
    typed = {Ask.NUMBER_UNREADABLE: "key.type-number", Ask.PIN_UNREADABLE: "key.type-pin"}
    keys = [all_keys(scene), key(scene, "F2", "key.retake"), key(scene, "F5", "key.reread")]
    if question.ask is not Ask.PIN_COVERED:
        keys.append(key(scene, "F6", typed.get(question.ask, "key.type")))
    keys += [key(scene, "F7", "key.review"), key(scene, "F9", "key.reject")]
    if state.typed is not None:
        keys.append(key(scene, str(AS_PRINTED_DIGIT), "key.as-printed"))
    typing = "" if question.ask is Ask.PIN_COVERED else question.field
    return Part(body, tuple(keys), _asking_go(scene, state), typing=typing)


def _asking_go(scene: Scene, state: Asking) -> GoKey:
    space = scene.say("cap.space")
    question = state.question
    if question.ask is Ask.PIN_COVERED:
        return GoKey(GoState.READY, space, scene.say("go.scratched"), "rotate-ccw")
    if not question.holds:
        return GoKey(GoState.BLOCKED, "F6", scene.say("go.choose-typed"), "keyboard")
    if state.choice is None:
        last = len(question.holds)
        label = scene.say("go.choose", first=1, last=last) if last > 1 else scene.say("go.choose-one")
        return GoKey(GoState.BLOCKED, space, label, "circle-dashed")
    if question.ask is Ask.LENGTH:
        label = scene.say("go.is-length", n=question.wholes[state.choice].length)
        return GoKey(GoState.READY, space, label, "arrow-right")
    glyph = question.options[state.choice].candidate.glyph
    # The glyph of a PIN is a secret that only its own cell shows.
    return GoKey(GoState.READY, space, scene.say("go.is", glyph=glyph), "arrow-right")


def _question(scene: Scene, state: Asking) -> CardPrompt:
    question, read = state.question, state.read
    product = scene.priced_name(read.product_id, read.face_value_fen)
    base = CardPrompt(_chip(scene, state.visit), product, "", notice=_line(scene, state.notice))
    if question.ask is Ask.CHARACTER:
        return _character(scene, state, base)
    if question.ask is Ask.LENGTH:
        return of_lengths(scene, state, replace(base, secret=_secret(scene, read) if question.field != "pin" else None))
    words = {
        Ask.PIN_COVERED: ("prompt.pin-covered", "prompt.pin-covered.1"),
        Ask.PIN_UNREADABLE: ("prompt.pin-unreadable", "prompt.unreadable.1"),
        Ask.NUMBER_UNREADABLE: ("prompt.number-unreadable", "prompt.unreadable.1"),
    }[question.ask]
    known = read.number.state is not FieldState.UNREADABLE
    return CardPrompt(
        base.chip,
        product,
        scene.say(words[0]),
        scene.say(words[1]),
        cells=cells(scene, read.number, hidden=False) if known else (),
        groups=_groups(scene, read, "number") if known else (),
        secret=_secret(scene, read),
        notice=base.notice,
    )


def _character(scene: Scene, state: Asking, base: CardPrompt) -> CardPrompt:
    question, read = state.question, state.read
    reading = field_of(read, question.field)
    glyphs = tuple(o.candidate.glyph for o in question.options)
    prompt = scene.say(
        f"prompt.char.{question.field}", no=question.position + 1, glyphs=ordinal_list(glyphs, scene.language)
    )
    several = len(field_of(came(state), question.field).doubts) > 1
    pattern = pattern_of(read, question.field, scene.catalogue)
    checked = pattern is not None and bool(pattern.check)
    shown = (question.field, question.position, len(reading.chars))
    crop = next((c.png for c in read.crops if (c.field, c.position, c.length) == shown), b"")
    return CardPrompt(
        base.chip,
        base.product,
        prompt,
        "" if checked else scene.say("help.no-check"),
        cells=cells(scene, reading, hidden=question.field == "pin", at=question.position if several else -1),
        groups=_groups(scene, read, question.field),
        crop=crop,
        alternatives=tuple(
            _alternative(scene, i, option, state.choice == i, checked) for i, option in enumerate(question.options)
        ),
        secret=_secret(scene, read) if question.field != "pin" else None,
        notice=base.notice,
    )


def _alternative(scene: Scene, index: int, option: Filling, picked: bool, checked: bool) -> Alternative:
    fits = option.check_holds or not checked
    if not checked:
        chip = Chip(Tone.IDLE, scene.say("check.none"))
    else:
        chip = Chip(Tone.OK, scene.say("check.holds")) if fits else Chip(Tone.PLAIN, scene.say("check.fails"), "ban")
    percent = f"{round(option.candidate.p * 100)}%"
    return Alternative(str(index + 1), chip, percent, option.candidate.glyph, picked, fits)


def cells(scene: Scene, reading: FieldReading, *, hidden: bool, at: int = -1) -> tuple[Cell, ...]:
    """The strip of a field; `hidden` shows dots (a PIN), `at` the one to be marked, -1 for none."""
    made = []
    for i, char in enumerate(reading.chars):
        percent = round(char.best.p * 100)
        if not char.sure:
            options = ordinal_list(tuple(c.glyph for c in char.candidates[:3]), scene.language)
            spoken = scene.say("card.spoken.doubt", no=i + 1, glyphs=options)
            made.append(Cell(CellKind.DOUBT, percent, "?", spoken, current=i == at))
        elif hidden:
            made.append(Cell(CellKind.DOT, percent, "", scene.say("card.spoken.sure", no=i + 1), current=i == at))
        else:
            kind = CellKind.SURE if percent >= _FULL else CellKind.MID
            made.append(Cell(kind, percent, char.best.glyph, f"{i + 1}: {char.best.glyph}", current=i == at))
    return tuple(made)


def _groups(scene: Scene, read: CardRead, field: str) -> tuple[int, ...]:
    reading = field_of(read, field)
    pattern = pattern_of(read, field, scene.catalogue)
    return pattern.groups(len(reading.chars)) if pattern and reading.chars else ()


def _secret(scene: Scene, read: CardRead) -> SecretRow | None:
    """The covered PIN: dots in its true length; the characters are drawn only while F8 is held."""
    if read.pin.state not in (FieldState.READ, FieldState.DOUBTFUL):
        return None
    groups = _groups(scene, read, "pin")
    text = "".join(c.best.glyph if c.sure else "?" for c in read.pin.chars)
    return SecretRow(
        scene.say("card.pin"),
        _in_groups("●" * len(text), groups),
        scene.say("key.show"),
        "F8",
        _in_groups(text, groups),
    )


def _in_groups(text: str, groups: tuple[int, ...]) -> str:
    parts, at = [], 0
    for length in groups:
        parts.append(text[at : at + length])
        at += length
    return " ".join(parts)


def saving(scene: Scene, state: Saving) -> Part:
    """Nothing is shown as kept before the disk has it."""
    visit, draft = state.visit, state.draft
    product = scene.priced_name(draft.product_id, draft.face_value_fen)
    prompt = BigPrompt("hard-drive", scene.say("prompt.saving", no=draft.no), (product,))
    current = Slot(draft.no, SlotState.CURRENT, scene.say("slot.saving"), "····", "hard-drive")
    body = CardBody(stage(scene), slots(scene, visit, current), prompt, present_checks.of_draft(scene, draft))
    go = GoKey(GoState.BUSY, scene.say("cap.disk"), scene.say("go.saving"), "loader-circle")
    return Part(body, (all_keys(scene),), go)
