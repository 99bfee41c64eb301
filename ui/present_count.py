"""Declared against found, the reject dialog, sealing: what comes last and needs a second look."""

from __future__ import annotations

from dataclasses import replace

from app.core.cards import CardState
from app.core.money import yuan_text
from app.core.parcels import DeclaredItem, Reason, TrayCard, WayOut
from app.core.states import REJECT_REASONS, SHOTS_NEEDED, WAYS_OUT, Asking, Counting, Rejecting, Sealing, Visit
from ui.parts import Part
from ui.present_chips import chips_key
from ui.present_stage import stage
from ui.scene import Scene, all_keys, card_chip, key, minutes_seconds
from ui.texts import notice
from ui.views import Chip, GoKey, GoState, KeyLabel, Line, Option, Tone
from ui.work_views import CountBody, DialogView, Figure, Shot, TableRow

_COLUMNS = ("no", "product", "card", "value", "result", "why", "video")
_COUNTED = (CardState.KEPT, CardState.AT_CENTRE)


def counting(scene: Scene, state: Counting) -> Part:
    """The count: equal is one line and the blue key, different asks for two shots and a way out."""
    visit = state.visit
    keys = [all_keys(scene), key(scene, "F2", "key.redo"), key(scene, "F3", "key.video")]
    keys += chips_key(scene)
    if visit.found:
        keys.append(key(scene, "F9", "key.reject-all"))
    line = Line(Tone.WARN, notice(state.notice, scene.language, at_work=True)) if state.notice else None
    body = replace(_body(scene, visit), notice=line)
    if visit.difference:
        body = replace(body, options=_ways_out(scene, state), shots=_shots(scene, visit))
        return Part(body, tuple(keys), _different_go(scene, state))
    go = GoKey(GoState.READY, scene.say("cap.space"), scene.say("go.seal"), "stamp")
    return Part(body, tuple(keys), go)


def _different_go(scene: Scene, state: Counting) -> GoKey:
    space, visit = scene.say("cap.space"), state.visit
    taken = len(visit.shots)
    if taken < SHOTS_NEEDED:
        return GoKey(GoState.READY, space, scene.say(f"go.shot-{taken + 1}"), "camera")
    match state.choice:
        case WayOut.SUBMIT_DIFFERENT:
            return GoKey(GoState.READY, space, scene.say("go.submit", n=visit.found), "stamp")
        case WayOut.LOOK_AGAIN:
            return GoKey(GoState.READY, space, scene.say("go.look-again"), "search")
        case WayOut.SUPERVISOR:
            return GoKey(GoState.READY, space, scene.say("go.supervisor"), "user-check")
        case _:
            return GoKey(GoState.BLOCKED, space, scene.say("go.choose", first=1, last=len(WAYS_OUT)), "circle-dashed")


def sealing(scene: Scene, state: Sealing) -> Part:
    """The recording closes, then the last event is written; keys rest."""
    body = replace(
        _body(scene, state.visit),
        question=scene.say("prompt.sealing"),
        lines=(scene.say("prompt.sealing.1"),),
    )
    go = GoKey(GoState.BUSY, scene.say("cap.disk"), scene.say("go.sealing"), "loader-circle")
    return Part(body, (all_keys(scene),), go)


def _body(scene: Scene, visit: Visit) -> CountBody:
    difference = visit.difference
    shots = scene.say("stage.shots", n=min(len(visit.shots), SHOTS_NEEDED), of=SHOTS_NEEDED) if difference else ""
    missing = _missing(visit)
    question = "prompt.count-short" if difference < 0 else "prompt.count-extra" if difference else "prompt.count-equal"
    return CountBody(
        tone=Tone.WARN if difference else Tone.OK,
        figures=_figures(scene, visit),
        headline=_headline(scene, visit, missing),
        subline=_subline(scene, visit),
        table_title=scene.say("table.title"),
        table_chips=_table_chips(scene, visit),
        columns=tuple(scene.say(f"table.{name}") for name in _COLUMNS),
        rows=_rows(scene, visit, missing),
        sums=_sums(scene, visit),
        total=(scene.say("sum.declared"), yuan_text(sum(i.face_value_fen * i.count for i in visit.expected.items))),
        stage=stage(scene, shots=shots),
        question=scene.say(question, n=abs(difference)),
        lines=() if difference else (scene.say("prompt.count-equal.1"),),
    )


def _figures(scene: Scene, visit: Visit) -> tuple[Figure, ...]:
    declared = str(visit.expected.declared) if visit.expected.declared else "–"
    difference = visit.difference
    sign = "−" if difference < 0 else "+" if difference else ""
    tone = Tone.WARN if difference else Tone.OK
    return (
        Figure(scene.say("count.declared"), declared),
        Figure(scene.say("count.found"), str(visit.found)),
        Figure(scene.say("count.difference"), f"{sign}{abs(difference)}", tone),
    )


def _headline(scene: Scene, visit: Visit, missing: tuple[DeclaredItem | None, ...]) -> str:
    if not visit.expected.declared:
        return scene.say("count.undeclared")
    difference = visit.difference
    if difference == 0:
        return scene.say("count.equal")
    if difference > 0:
        return scene.say("count.extra", n=difference)
    names = {_item_name(scene, item) for item in missing if item is not None}
    if len(names) == 1 and None not in missing:
        return scene.say("count.short.what", n=-difference, what=names.pop())
    return scene.say("count.short", n=-difference)


def _subline(scene: Scene, visit: Visit) -> str:
    if not visit.found:
        return scene.say("count.saved.none")
    return scene.say("count.saved" if visit.difference else "count.equal.sub", n=visit.found)


def _item_name(scene: Scene, item: DeclaredItem) -> str:
    name = item.name_zh if scene.language == "zh" else item.name_en
    return f"{name} {yuan_text(item.face_value_fen)}"


def _missing(visit: Visit) -> tuple[DeclaredItem | None, ...]:
    """One entry per missing card: what was declared and not seen; None where the declaration does not tell."""
    short = max(0, -visit.difference)
    left: list[DeclaredItem | None] = []
    for item in visit.expected.items:
        seen = sum(
            c.product_id == item.product_id and c.face_value_fen in (None, item.face_value_fen) for c in visit.counted
        )
        left += [item] * max(0, item.count - seen)
    return tuple((left + [None] * short)[:short])


def _table_chips(scene: Scene, visit: Visit) -> tuple[Chip, ...]:
    chips = []
    for word, tone, states in (
        ("last.accepted", Tone.OK, (CardState.ACCEPTED,)),
        ("last.kept", Tone.INFO, _COUNTED),
        ("last.not-taken", Tone.WARN, (CardState.NOT_TAKEN,)),
        ("last.review", Tone.WARN, (CardState.REVIEW,)),
        ("last.rejected", Tone.STOP, (CardState.REJECTED,)),
    ):
        if n := sum(c.state in states for c in visit.counted):
            chips.append(Chip(tone, scene.say(word, n=n), "hard-drive" if tone is Tone.INFO else ""))
    return tuple(chips)


def _rows(scene: Scene, visit: Visit, missing: tuple[DeclaredItem | None, ...]) -> tuple[TableRow, ...]:
    rows = [_row(scene, visit, card) for card in visit.counted]
    chip = Chip(Tone.WARN, scene.say("table.missing.chip"))
    for i, item in enumerate(missing):
        value = yuan_text(item.face_value_fen) if item else "–"
        why = scene.say("table.missing.why")
        no = str(visit.next_no + i)
        rows.append(TableRow(no, scene.say("table.missing"), "—", value, chip, why, "", missing=True))
    return tuple(rows)


def _row(scene: Scene, visit: Visit, card: TrayCard) -> TableRow:
    last4 = f"•••• {card.last4}" if card.last4 else "••••"
    value = yuan_text(card.face_value_fen) if card.face_value_fen else "–"
    chip = card_chip(scene, card.state)
    if visit.expected.declared and card.no > visit.expected.declared:
        chip = Chip(Tone.WARN, scene.say("slot.extra"))
    name = scene.product_name(card.product_id)
    video = minutes_seconds(card.t_video_us)
    return TableRow(str(card.no), name, last4, value, chip, scene.say(f"reason.{_why(card)}"), video)


def _why(card: TrayCard) -> str:
    own = [r for r in card.reasons if r is not Reason.CENTRE_ACCEPTED]
    if own:
        return own[-1].value
    return Reason.CENTRE_ACCEPTED.value if card.state is CardState.ACCEPTED else "none"


def _sums(scene: Scene, visit: Visit) -> tuple[tuple[str, str], ...]:
    sums = []
    for word, always, states in (
        ("sum.payable", True, (CardState.ACCEPTED,)),
        ("sum.pending", False, _COUNTED),
        ("sum.not-taken", False, (CardState.NOT_TAKEN,)),
        ("sum.review", True, (CardState.REVIEW,)),
        ("sum.rejected", True, (CardState.REJECTED,)),
    ):
        total = sum(c.face_value_fen or 0 for c in visit.counted if c.state in states)
        if always or total:
            sums.append((scene.say(word), yuan_text(total)))
    return tuple(sums)


def _shots(scene: Scene, visit: Visit) -> tuple[Shot, ...]:
    shots = []
    for i in range(SHOTS_NEEDED):
        if i < len(visit.shots):
            shots.append(Shot(Tone.OK, scene.say(f"shot.{i + 1}.done"), minutes_seconds(visit.shots[i])))
        else:
            shots.append(Shot(Tone.IDLE, scene.say(f"shot.{i + 1}")))
    return tuple(shots)


def _ways_out(scene: Scene, state: Counting) -> tuple[Option, ...]:
    visit = state.visit
    submit = scene.say("way.short" if visit.difference < 0 else "way.extra", n=visit.found, diff=abs(visit.difference))
    words = (
        (submit, scene.say("way.submit.sub")),
        (scene.say("way.look-again"), scene.say("way.look-again.sub")),
        (scene.say("way.supervisor"), scene.say("way.supervisor.sub")),
    )
    return tuple(
        Option(str(i + 1), title, detail, state.choice is WAYS_OUT[i]) for i, (title, detail) in enumerate(words)
    )


def rejecting(scene: Scene, state: Rejecting, behind: Part) -> Part:
    """The reject dialog over the screen it came from; that screen's keys rest."""
    whole = isinstance(state.back_to, Counting)
    if state.choice is None:
        go = GoKey(GoState.BLOCKED, scene.say("cap.hold-space"), scene.say("go.choose-reason"))
    else:
        go = GoKey(GoState.HOLD, scene.say("cap.hold-space"), scene.say("go.reject"))
    title = "reject.title.all" if whole else "reject.title"
    dialog = DialogView(
        icon="octagon-x",
        title=scene.say(title, no=state.visit.next_no, n=state.visit.found),
        sub="" if whole else _reject_sub(scene, state.back_to),
        options=tuple(
            Option(str(i + 1), scene.say(f"reason.{reason}"), picked=state.choice == i)
            for i, reason in enumerate(REJECT_REASONS)
        ),
        notes=(
            ("package", scene.say("reject.note.parcel" if whole else "reject.note.returned")),
            ("nfc", scene.say("reject.note.chip")),
            ("history", scene.say("reject.note.undo")),
        ),
        back=KeyLabel("Esc", scene.say("reject.back")),
        go=go,
    )
    return Part(behind.body, behind.keys, behind.go, dialog)


def _reject_sub(scene: Scene, asked: Asking | Counting) -> str:
    if not isinstance(asked, Asking):
        return ""
    read = asked.read
    parts = [scene.priced_name(read.product_id, read.face_value_fen)]
    if read.number.chars:
        tail = "".join(c.best.glyph if c.sure else "?" for c in read.number.chars)[-4:]
        parts.append(scene.say("reject.last4", last4=tail))
    return " · ".join(parts)
