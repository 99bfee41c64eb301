"""From what is asked of the vault to what the screen for seeing secrets shows: pure functions. No Qt here.

The list begins with the card that one came from, if one came from a card; then the requests follow as the
centre gives them: what anybody may sign first, then the latest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.core.footage import Line
from app.core.parcels import Operator
from app.core.reveals import Asked, Field, Overview, Stage, Why, parts_of, wants_words
from ui.present_frame import framed, supervisors_bar
from ui.present_review import age_of, short_waybill
from ui.reveal_views import CoverView, PanelView, RevealView, StepView
from ui.review_views import ItemView, ListView, SideView, TabView
from ui.scene import CARD_ICON, CARD_TONE, Scene, all_keys, gapped, hours_minutes, key
from ui.texts import trouble
from ui.views import CheckRow, Chip, GoKey, GoState, KeyLabel, Option, Tone

AGREE, REFUSE = "A", "R"
FIELDS: dict[str, Field] = {"P": "pin", "N": "number"}
REASONS = {str(n): why for n, why in enumerate(Why, 1)}

_WAITS_FOR = {Stage.UNLOCKING: "key", Stage.SENT: "vault", Stage.SECOND: "supervisor", Stage.GRANTED: "vault"}
_DONE, _NOW, _NEXT = ("circle-check", Tone.OK), ("loader-circle", Tone.INFO), ("circle-dashed", Tone.IDLE)


@dataclass(frozen=True, slots=True)
class Seeing:
    """What is shown now. `stage`: of the request under way; `length`: of the secret that is there, 0 for none, gone in
    `left_s` of `overview.shown_s`; `hidden`: why the last one is gone ("time", "focus", "esc", "screen").
    """

    who: Operator
    card: Line | None = None
    overview: Overview | None = None
    chosen: int = 0
    field: Field = "pin"
    why: Why | None = None
    words_there: bool = False
    stage: Stage | None = None
    length: int = 0
    left_s: int = 0
    hidden: str = ""
    armed: str = ""
    busy: bool = False
    trouble: str = ""
    done: str = ""
    away: str = ""  # why the list is not to be had now

    @property
    def asks(self) -> bool:
        """Whether the card is chosen, and not a request."""
        return self.card is not None and self.chosen == 0

    @property
    def request(self) -> Asked | None:
        """The request that is chosen."""
        asked, n = self.overview.asked if self.overview else (), self.chosen - (self.card is not None)
        return asked[n] if 0 <= n < len(asked) else None

    @property
    def items(self) -> int:
        return (self.card is not None) + (len(self.overview.asked) if self.overview else 0)

    @property
    def may_sign(self) -> bool:
        """Whether the chosen request waits for this person's word."""
        request = self.request
        return request is not None and request.waits and request.who != self.who.id

    @property
    def wants_words(self) -> bool:
        policy = self.overview is not None and self.overview.words_wanted
        return self.why is not None and wants_words(self.why, policy)

    @property
    def running(self) -> bool:
        return self.stage is not None


def reveals(scene: Scene, seeing: Seeing) -> RevealView:
    """The whole screen."""
    return RevealView(
        frame=framed(scene, "nav.review", seeing.who, supervisors_bar(scene, "title.reveal", seeing.who, rec=None)),
        list=_list(scene, seeing),
        panel=_card_panel(scene, seeing) if seeing.asks else _request_panel(scene, seeing),
        side=_card_side(scene, seeing) if seeing.asks else _request_side(scene, seeing),
        keys=_keys(scene, seeing),
        go=_go(scene, seeing),
    )


def _list(scene: Scene, seeing: Seeing) -> ListView:
    asked = seeing.overview.asked if seeing.overview else ()
    items = [_card_item(scene, seeing.card)] if seeing.card else []
    items += [_request_item(scene, one) for one in asked]
    # How many there are is only known once the centre has told.
    title = scene.say("reveal.list", n=len(asked)) if seeing.overview else scene.say("reveal.list.unknown")
    tab = TabView("", title, True)
    empty = scene.say("reveal.nobody" if seeing.overview else "reveal.looking")
    return ListView((tab,), tuple(items), seeing.chosen, ("↑", "↓"), scene.say("review.up-down"), empty)


def _card_item(scene: Scene, card: Line) -> ItemView:
    title = scene.priced_name(card.product_id, card.face_value_fen)
    sub = f"{short_waybill(card.waybill)} · {scene.say('card.chip.open', no=card.no)}"
    tone, icon = (CARD_TONE[card.state], CARD_ICON[card.state]) if card.state else (Tone.IDLE, "credit-card")
    return ItemView(title, age_of(scene, card.wall_us), sub, tone, icon, scene.say("reveal.this-card"))


def _request_item(scene: Scene, one: Asked) -> ItemView:
    tone, icon = _stands(one)
    why, words = parts_of(one.reason)
    said = scene.say(f"reveal.why.{why.value}") if why else words
    sub = f"{scene.say(f'reveal.field.{one.field}')} · {said}"
    return ItemView(one.name, age_of(scene, one.asked_ms * 1000), sub, tone, icon, _stand_word(scene, one))


def _stands(one: Asked) -> tuple[Tone, str]:
    if one.waits:
        return Tone.WARN, "user-check"
    if one.state == "refused":
        return Tone.STOP, "octagon-x"
    return (Tone.OK, "eye") if one.state in ("shown", "taken") else (Tone.INFO, "loader-circle")


def _stand_word(scene: Scene, one: Asked) -> str:
    if one.state == "needs-second" and one.approver:
        return scene.say("reveal.stands.signed")
    if one.code in ("reveal.withdrawn", "reveal.second_refused"):
        return scene.say(f"reveal.stands.{one.code.removeprefix('reveal.')}")
    return scene.say(f"reveal.stands.{one.state}")


def why_text(scene: Scene, reason: str) -> str:
    """A reason of the log in the screen's language; own words stay as they are."""
    why, words = parts_of(reason)
    if why is None:
        return words
    chosen = scene.say(f"reveal.why.{why.value}")
    return f"{chosen}{'：' if scene.language == 'zh' else ': '}{words}" if words else chosen


# The card: asking, waiting, seeing


def _card_panel(scene: Scene, seeing: Seeing) -> PanelView:
    field = scene.say(f"reveal.field.{seeing.field}")
    if seeing.length and seeing.overview is not None:
        chip = Chip(Tone.OK, scene.say("reveal.chip.there"), "eye-off")
        share = seeing.left_s / max(1, seeing.overview.shown_s)
        left = scene.say("reveal.left", n=seeing.left_s)
        cover = CoverView(field, seeing.length, "F8", scene.say("reveal.hold"), left, share)
        return PanelView(chip, scene.say("reveal.prompt.there"), scene.say("reveal.help.there"), cover=cover)
    if seeing.stage is not None:
        chip = Chip(Tone.INFO, scene.say(f"reveal.chip.{seeing.stage.value}"), "loader-circle")
        prompt = scene.say(f"reveal.prompt.{seeing.stage.value}")
        return PanelView(chip, prompt, scene.say(f"reveal.help.{seeing.stage.value}"), steps=_steps(scene, seeing))
    if seeing.trouble:
        chip = Chip(Tone.STOP, scene.say("reveal.chip.refused"), "octagon-x")
        return _choices(scene, seeing, chip, *_told(scene, seeing.trouble))
    if seeing.away:
        return _choices(scene, seeing, _away(scene), *_told(scene, seeing.away))
    chip = Chip(Tone.IDLE, scene.say("reveal.chip.covered"), "eye-off")
    if seeing.hidden:
        prompt = scene.say(f"reveal.prompt.hidden.{seeing.hidden}")
        return _choices(scene, seeing, chip, prompt, scene.say("reveal.help.hidden"))
    return _choices(scene, seeing, chip, scene.say("reveal.prompt.ask", field=field), scene.say("reveal.help.ask"))


def _away(scene: Scene) -> Chip:
    return Chip(Tone.WARN, scene.say("reveal.chip.away"), "cloud-off")


def _told(scene: Scene, code: str) -> tuple[str, str]:
    """What happened, and what to do. Without a line the usual words would say to go on working."""
    if code == "sync.offline":
        return scene.say("reveal.prompt.away"), scene.say("reveal.help.away")
    told = trouble(code, scene.language)
    return told.title, ("；" if scene.language == "zh" else ". ").join(told.do).replace("**", "")


def _choices(scene: Scene, seeing: Seeing, chip: Chip, prompt: str, help_text: str) -> PanelView:
    """The reasons, under whatever is to be said, and what happens then."""
    options = tuple(
        Option(digit, scene.say(f"reveal.why.{why.value}"), picked=seeing.why is why) for digit, why in REASONS.items()
    )
    captions = (scene.say("reveal.why"), scene.say("reveal.way"))
    return PanelView(chip, prompt, help_text, captions, options, _steps(scene, seeing))


def _steps(scene: Scene, seeing: Seeing) -> tuple[StepView, ...]:
    """What has to happen, in its order, and how far it is."""
    order = [Stage.UNLOCKING, Stage.SENT, Stage.SECOND, Stage.GRANTED]
    used_up = seeing.overview is not None and not seeing.overview.left
    if seeing.stage is not Stage.SECOND and not used_up:
        order.remove(Stage.SECOND)
    at = order.index(seeing.stage) if seeing.stage is not None else -1
    made = []
    for n, stage in enumerate(order):
        icon, tone = _DONE if n < at else _NOW if n == at else _NEXT
        made.append(StepView(icon, scene.say(f"reveal.step.{stage.value}"), tone))
    return tuple(made)


def _card_side(scene: Scene, seeing: Seeing) -> SideView:
    card, overview = seeing.card, seeing.overview
    assert card is not None
    title = scene.priced_name(card.product_id, card.face_value_fen)
    ready = Chip(Tone.IDLE, scene.say("reveal.unknown"))
    left, keyed, value = ready, ready, "…"
    if overview is not None:
        value = scene.say("reveal.of", n=overview.left, all=overview.a_day)
        enough = overview.left > 0
        left = Chip(Tone.OK if enough else Tone.WARN, scene.say("reveal.alone" if enough else "reveal.with-second"))
        there = Chip(Tone.OK, scene.say("reveal.key.there")), Chip(Tone.STOP, scene.say("reveal.key.missing"))
        keyed = there[0] if overview.has_key else there[1]
    last4 = f"···· {card.last4}" if card.last4 else "····"
    covered = Chip(Tone.IDLE, scene.say("reveal.chip.covered"), "eye-off")
    rows = (
        CheckRow("hash", scene.say("review.row.number"), last4, covered, mono=True),
        CheckRow("package-open", scene.say("reveal.row.waybill"), short_waybill(card.waybill), _no(scene, card)),
        CheckRow("gauge", scene.say("reveal.row.left"), value, left),
        CheckRow("key-round", scene.say("reveal.row.key"), seeing.who.id, keyed, mono=True),
    )
    options: tuple[Option, ...] = ()
    label = ""
    if not seeing.running and not seeing.length:  # what cannot be changed any more is not offered
        label = scene.say("reveal.words.must" if seeing.wants_words else "reveal.words")
        options = tuple(
            Option(
                name, scene.say(f"reveal.field.{field}"), scene.say(f"reveal.field.{field}.more"), seeing.field == field
            )
            for name, field in FIELDS.items()
        )
    line = f"{gapped(card.waybill)} · {scene.say('card.chip.open', no=card.no)}"
    icon, foot, tone = "info", scene.say("reveal.foot"), Tone.PLAIN
    if seeing.trouble:
        icon, foot, tone = "triangle-alert", scene.trouble_line(seeing.trouble), Tone.WARN
    return SideView(None, line, title, rows, options, label, icon, foot, tone)


def _no(scene: Scene, card: Line) -> Chip:
    return Chip(Tone.INFO, scene.say("card.chip.open", no=card.no), "credit-card")


# A request: who, why, when, how it stands; the second person's word


def _request_panel(scene: Scene, seeing: Seeing) -> PanelView:
    one = seeing.request
    if one is None:
        if seeing.away:
            return PanelView(_away(scene), *_told(scene, seeing.away))
        chip = Chip(Tone.IDLE, scene.say("reveal.chip.none"))
        prompt = scene.say("reveal.prompt.none" if seeing.overview else "reveal.looking")
        return PanelView(chip, prompt, scene.say("reveal.help.none"))
    tone, icon = _stands(one)
    chip = Chip(tone, _stand_word(scene, one), icon)
    field = scene.say(f"reveal.field.{one.field}")
    prompt = scene.say("reveal.prompt.who", name=one.name, field=field)
    help_text = scene.say("reveal.help.sign") if seeing.may_sign else ""
    if one.waits and one.who == seeing.who.id:
        help_text = scene.say("reveal.help.own")
    if one.state == "refused" and one.code not in ("reveal.withdrawn", "reveal.second_refused"):
        help_text = scene.trouble_line(one.code)
    return PanelView(chip, prompt, help_text, steps=_told_steps(scene, one))


def _told_steps(scene: Scene, one: Asked) -> tuple[StepView, ...]:
    """What the log tells of it."""
    made = [StepView(*_said(_DONE, scene.say("reveal.told.asked", at=_when(one.asked_ms), station=one.at)))]
    if one.approver and one.code != "reveal.second_refused":
        made.append(StepView(*_said(_DONE, scene.say("reveal.told.signed", name=one.approver_name))))
    elif one.waits:
        made.append(StepView(*_said(_NOW, scene.say("reveal.told.waits"))))
    if one.state in ("granted", "shown", "taken"):
        made.append(StepView(*_said(_DONE, scene.say("reveal.told.granted"))))
    if one.state in ("shown", "taken"):
        made.append(StepView(*_said(_DONE, scene.say("reveal.told.shown"))))
    if one.code == "reveal.second_refused":
        said = scene.say("reveal.told.second_refused", name=one.approver_name)
        made.append(StepView("octagon-x", said, Tone.STOP))
    elif one.state == "refused":
        word = "reveal.told.withdrawn" if one.code == "reveal.withdrawn" else "reveal.told.refused"
        made.append(StepView("octagon-x", scene.say(word), Tone.STOP))
    return tuple(made)


def _said(mark: tuple[str, Tone], text: str) -> tuple[str, str, Tone]:
    return mark[0], text, mark[1]


def _when(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000):%m-%d} {hours_minutes(ms * 1000)}"


def _request_side(scene: Scene, seeing: Seeing) -> SideView:
    one = seeing.request
    icon, foot, tone = _foot(scene, seeing)
    if one is None:
        return SideView(None, "", scene.say("reveal.choose"), (), (), "", icon, foot, tone)
    plain = Chip(Tone.PLAIN, "")
    rows = [
        CheckRow("user", scene.say("reveal.row.who"), one.name, Chip(Tone.PLAIN, one.who)),
        CheckRow("clock", scene.say("reveal.row.when"), _when(one.asked_ms), plain, mono=True),
        CheckRow("store", scene.say("reveal.row.at"), one.at, plain),
        CheckRow("credit-card", scene.say("reveal.row.card"), one.card_id[:8], _taken_at(one), mono=True),
    ]
    if one.approver:
        rows.append(CheckRow("user-check", scene.say("reveal.row.second"), one.approver_name, plain))
    options: tuple[Option, ...] = ()
    if seeing.may_sign:
        options = tuple(
            Option(name, scene.say(f"reveal.do.{word}"), scene.say(f"reveal.do.{word}.more"), seeing.armed == name)
            for name, word in ((AGREE, "agree"), (REFUSE, "refuse"))
        )
    line = f"{scene.say(f'reveal.field.{one.field}')} · {_stand_word(scene, one)}"
    return SideView(None, line, why_text(scene, one.reason), tuple(rows), options, "", icon, foot, tone)


def _taken_at(one: Asked) -> Chip:
    """The station that took the card, where it is another one than that of the request."""
    return Chip(Tone.PLAIN, one.station if one.station != one.at else "")


def _foot(scene: Scene, seeing: Seeing) -> tuple[str, str, Tone]:
    if seeing.trouble:
        return "triangle-alert", scene.trouble_line(seeing.trouble), Tone.WARN
    if seeing.away:
        return "cloud-off", scene.trouble_line(seeing.away), Tone.WARN
    if seeing.done:
        return "circle-check", scene.say(f"reveal.did.{seeing.done}"), Tone.OK
    return "info", scene.say("reveal.foot"), Tone.PLAIN


# Keys


def _keys(scene: Scene, seeing: Seeing) -> tuple[KeyLabel, ...]:
    made = [all_keys(scene)]
    if seeing.asks and not seeing.running and not seeing.length:
        made += [key(scene, "1–6", "reveal.key.why"), key(scene, "F6", "reveal.key.words")]
    if seeing.length:
        made.append(key(scene, "F8", "key.show"))
    back = "reveal.key.withdraw" if seeing.running else "reveal.key.hide" if seeing.length else "reveal.key.back"
    return (*made, key(scene, "Esc", back))


def _go(scene: Scene, seeing: Seeing) -> GoKey:
    cap = scene.say("cap.enter")
    if seeing.busy:
        return GoKey(GoState.BUSY, cap, scene.say("review.go.busy"))
    if not seeing.asks:
        return _sign_key(scene, seeing, cap)
    if seeing.length:
        return GoKey(GoState.WAITING, "F8", scene.say("reveal.go.hold"))
    if seeing.stage is not None:
        # What is waited for, as on every screen; Esc stood here, and Esc takes the request back.
        return GoKey(
            GoState.WAITING, scene.say(f"cap.{_WAITS_FOR[seeing.stage]}"), scene.say(f"reveal.go.{seeing.stage.value}")
        )
    if seeing.overview is None:  # how long a secret is shown is not known yet either
        return GoKey(GoState.BLOCKED, cap, scene.say("reveal.go.away" if seeing.away else "reveal.looking"))
    if not seeing.overview.has_key:
        return GoKey(GoState.BLOCKED, cap, scene.say("reveal.go.no-key"))
    if seeing.why is None:
        return GoKey(GoState.BLOCKED, cap, scene.say("reveal.go.why"))
    if seeing.wants_words and not seeing.words_there:
        return GoKey(GoState.BLOCKED, cap, scene.say("reveal.go.words"))
    return GoKey(GoState.READY, cap, scene.say("reveal.go.ask"), "eye", enter=True)


def _sign_key(scene: Scene, seeing: Seeing, cap: str) -> GoKey:
    if seeing.overview is None:
        return GoKey(GoState.BLOCKED, cap, scene.say("reveal.go.away" if seeing.away else "reveal.looking"))
    if not seeing.may_sign:
        return GoKey(GoState.BLOCKED, cap, scene.say("reveal.go.nothing"))
    if not seeing.armed:
        return GoKey(GoState.BLOCKED, cap, scene.say("review.go.choose-ruling", keys=f"{AGREE} {REFUSE}"))
    word = "reveal.go.agree" if seeing.armed == AGREE else "reveal.go.refuse"
    return GoKey(GoState.READY, cap, scene.say(word), "badge-check", enter=True)
