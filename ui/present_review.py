"""From what is looked at to what the review screen shows: pure functions, tested without a window. No Qt here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.core.cards import CardState, PanelState
from app.core.footage import LABEL, OVERHEAD, FilmedCard, Footage, Hold, Line, Lines, Pile, Proof
from app.core.money import yuan_text
from app.core.parcels import Operator, Reason
from app.core.rulings import HOLD_US, Ruling, needs_reason, needs_second
from ui.present_checks import origin
from ui.present_frame import framed, supervisors_bar
from ui.present_lanes import card_lane, cuts, whole_lane
from ui.review_views import (
    Controls,
    FilmBar,
    ItemView,
    ListView,
    ReviewView,
    SideView,
    TabView,
)
from ui.scene import CARD_ICON, CARD_TONE, Scene, all_keys, card_chip, gapped, key, minutes_seconds
from ui.views import CheckRow, Chip, GoKey, GoState, KeyLabel, Option, Tone

EXPORT, STILL, HOLD, DISPUTE = "E", "S", "P", "D"
ACCEPT, REJECT, ASK = "A", "R", "H"
"""What can be armed, by its key. The last three decide: of a card, a sample or a dispute."""

RULINGS = {ACCEPT: Ruling.ACCEPT, REJECT: Ruling.REJECT, ASK: Ruling.HOLD}
_DEEDS = {EXPORT: "export", STILL: "still", HOLD: "hold", DISPUTE: "dispute"}


class Matter(StrEnum):
    """What is to be decided of the line that is looked at."""

    CARD = "card"  # it is under review
    SAMPLE = "sample"  # it was drawn
    DISPUTE = "contest"
    NOTHING = ""


_MOST_KEYS = 7
"""Of the key bar, so that they fit beside the blue one in the smallest window."""

_BY_HAND = (Reason.NUMBER_BY_HAND, Reason.NUMBER_CONFIRMED, Reason.NUMBER_LENGTH, Reason.NUMBER_UNREADABLE)


@dataclass(frozen=True, slots=True)
class Looking:
    """What is looked at now. `trouble`: a code to tell; `done`: a file that was just written, by its name."""

    who: Operator
    pile: Pile = Pile.REVIEW
    lines: Lines | None = None
    chosen: int = -1
    footage: Footage | None = None
    proof: Proof | None = None
    armed: str = ""
    reason_there: bool = False
    busy: bool = False
    done: str = ""
    trouble: str = ""
    without: str = ""  # why what a camera filmed is not in that file …
    lacking: str = ""  # … and which one's
    unchecked: bool = False  # nobody has read that file's pictures for PINs
    blind: bool = False  # the other camera was asked for and has no picture of this instant
    ruled: str = ""  # what was decided last, by the name of its words
    undo_card: str = ""  # whose ruling can be taken back …
    undo_until_us: int = 0  # … until then (wall clock)

    @property
    def line(self) -> Line | None:
        return self.lines.lines[self.chosen] if self.lines and 0 <= self.chosen < len(self.lines.lines) else None

    @property
    def matter(self) -> Matter:
        line = self.line
        if line is None:
            return Matter.NOTHING
        if line.dispute_id and (self.pile is Pile.DISPUTE or not line.card_id):
            return Matter.DISPUTE
        if line.sample and line.state is not CardState.REVIEW:
            return Matter.SAMPLE
        return Matter.CARD if line.card_id and line.state is CardState.REVIEW else Matter.NOTHING

    @property
    def acts(self) -> tuple[str, ...]:
        """The keys of the option rows."""
        third = {Matter.CARD: ASK, Matter.SAMPLE: EXPORT, Matter.DISPUTE: EXPORT}
        return (ACCEPT, REJECT, third[self.matter]) if self.matter else (EXPORT, STILL, HOLD)

    @property
    def wants_reason(self) -> bool:
        """Whether what is armed needs to be said why."""
        held = self.footage.hold if self.footage else None
        if self.armed == HOLD:
            return held is None or held.leak
        if self.armed == DISPUTE or (self.armed in RULINGS and self.matter is Matter.DISPUTE):
            return True
        if self.armed in RULINGS and self.line is not None:
            by_card = needs_reason(RULINGS[self.armed], self.line.reasons)
            return by_card if self.matter is Matter.CARD else self.armed == REJECT
        return False

    @property
    def wants_second(self) -> bool:
        """Whether another supervisor has to sign what is armed."""
        if self.matter is not Matter.CARD or self.armed not in RULINGS or self.line is None or self.lines is None:
            return False
        return needs_second(RULINGS[self.armed], self.line.face_value_fen, self.lines.policy)

    @property
    def unknown_gtin(self) -> str:
        """The barcode of the card that is looked at, where no product is known; "" else."""
        return (self.line.gtin or "") if self.line is not None and self.line.product_id is None else ""

    @property
    def card(self) -> FilmedCard | None:
        line = self.line
        return self.footage.card(line.card_id) if self.footage and line else None


def review(scene: Scene, looking: Looking) -> ReviewView:
    """The whole screen."""
    return ReviewView(
        frame=framed(scene, "nav.review", looking.who, supervisors_bar(scene, "title.review", looking.who, rec=None)),
        list=_list(scene, looking),
        film=_film(scene, looking),
        controls=_controls(scene, looking),
        card=card_lane(scene, looking.card) if looking.card else None,
        whole=whole_lane(scene, looking.footage, looking.card, looking.proof),
        side=_side(scene, looking),
        keys=_keys(scene, looking),
        go=_go(scene, looking),
    )


def _list(scene: Scene, looking: Looking) -> ListView:
    counts = dict(looking.lines.counts) if looking.lines else {}
    query = looking.lines.query if looking.lines else ""
    tabs = tuple(
        TabView(
            str(n),
            f"{scene.say(f'review.pile.{pile.value}')} {counts.get(pile, 0)}",
            pile is looking.pile and not query,
        )
        for n, pile in enumerate(Pile, 1)
    )
    items = tuple(_item(scene, line, looking.pile) for line in looking.lines.lines) if looking.lines else ()
    oldest = dict(looking.lines.oldest).get(looking.pile, 0) if looking.lines else 0
    foot = scene.say("review.oldest", age=age_of(scene, oldest)) if oldest else scene.say("review.up-down")
    foot = scene.say("review.found", query=query, n=len(items)) if query else foot
    empty = scene.say("review.nothing-found" if query else f"review.empty.{looking.pile.value}")
    return ListView(tabs, items, looking.chosen, ("↑", "↓"), foot, empty if looking.lines else "")


def _item(scene: Scene, line: Line, pile: Pile) -> ItemView:
    where = short_waybill(line.waybill)
    age = age_of(scene, line.wall_us)
    if line.state is None and line.dispute_id:
        return ItemView(scene.say("review.parcel"), age, where, Tone.WARN, "triangle-alert", line.said)
    if line.state is None:
        return ItemView(scene.say("review.no-card"), age, where, Tone.IDLE, "package-open", scene.say("review.parcel"))
    title = scene.priced_name(line.product_id, line.face_value_fen)
    sub = f"{where} · {scene.say('card.chip.open', no=line.no)}"
    note, tone = _note(scene, line, pile)
    icon = "lock" if line.held and pile is Pile.HELD else CARD_ICON[line.state]
    return ItemView(title, age, sub, tone, icon, note)


def _note(scene: Scene, line: Line, pile: Pile) -> tuple[str, Tone]:
    """What the line is there for."""
    assert line.state is not None
    if pile is Pile.DISPUTE and line.dispute_id:
        return line.said, Tone.WARN
    if pile is Pile.SAMPLE and line.sample:
        return scene.say("review.drawn"), Tone.INFO
    if line.ruling is Ruling.HOLD and line.state is CardState.REVIEW:
        left_us = line.ruled_us + HOLD_US - scene.around.wall_us
        if left_us <= 0:
            return scene.say("review.asked.over"), Tone.STOP
        return scene.say("review.asked", n=max(1, left_us // 3_600_000_000)), Tone.INFO
    why = f"reason.{line.reasons[0].value}" if line.reasons else f"slot.{line.state.value}"
    return scene.say(why), CARD_TONE[line.state]


def short_waybill(waybill: str) -> str:
    """ "SF…1918": as lists show a waybill."""
    return f"{waybill[:2]}…{waybill[-4:]}" if len(waybill) > 8 else waybill


def age_of(scene: Scene, wall_us: int) -> str:
    """How long ago, in the largest unit that fits."""
    minutes = max(0, scene.around.wall_us - wall_us) // 60_000_000
    if minutes < 60:
        return scene.say("review.age.minutes", n=minutes)
    if minutes < 24 * 60:
        return scene.say("review.age.hours", n=minutes // 60)
    return scene.say("review.age.days", n=minutes // (24 * 60))


def _film(scene: Scene, looking: Looking) -> FilmBar:
    footage = looking.footage
    if footage is None:
        message = scene.say("review.opening" if looking.line and not looking.trouble else "review.choose")
        return FilmBar("", "", Tone.IDLE, "", "", message)
    words = [datetime.fromtimestamp(footage.began_wall_us / 1e6).strftime("%Y-%m-%d")]
    if looking.card:
        words.insert(0, scene.say("review.card-of", no=looking.card.no, n=len(footage.cards)))
    if looking.blind:
        words.append(_other_camera(scene, footage))
        message = scene.say("review.blind", camera=_other_camera(scene, footage))
        return FilmBar(gapped(footage.waybill), " · ".join(words), Tone.IDLE, "", "", message)
    if footage.angles:
        words.append(scene.say(f"camera.role.{footage.role}"))
    tone, icon, badge = _badge(scene, looking)
    message = "" if footage.parts else scene.say("review.no-pictures" if footage.there else "review.removed")
    return FilmBar(gapped(footage.waybill), " · ".join(words), tone, icon, badge, message)


def _other_camera(scene: Scene, footage: Footage) -> str:
    return scene.say(f"camera.role.{LABEL if footage.role == OVERHEAD else OVERHEAD}")


def _blind(scene: Scene, footage: Footage) -> str:
    """When the other camera filmed, if it did."""
    films = [film for angle in footage.angles if angle.role != footage.role for film in angle.filmed]
    if not films:
        return scene.say("review.blind.never", camera=_other_camera(scene, footage))
    spans = ", ".join(f"{minutes_seconds(film.from_us)} – {minutes_seconds(film.to_us)}" for film in films[:2])
    return scene.say("review.blind.filmed", camera=_other_camera(scene, footage), spans=spans)


def _badge(scene: Scene, looking: Looking) -> tuple[Tone, str, str]:
    """How far the film is verified: never green before the last fragment was checked."""
    proof = looking.proof
    if proof is None:
        return Tone.IDLE, "", ""
    if proof.fault:
        at = minutes_seconds(proof.fault_us[0]) if proof.fault_us else scene.say("review.journal")
        return Tone.STOP, "octagon-x", scene.say("review.badge.wrong", at=at)
    if not proof.done:
        return Tone.INFO, "loader-circle", scene.say("review.badge.checking", n=proof.checked, all=proof.fragments)
    if "not_closed" in proof.notes:
        return Tone.WARN, "triangle-alert", scene.say("review.badge.open")
    word = "review.badge.ok" if "no_witness" in proof.notes else "review.badge.witnessed"
    return Tone.OK, "shield-check", scene.say(word)


def _controls(scene: Scene, looking: Looking) -> Controls:
    length_us = looking.footage.duration_us if looking.footage else 0
    return Controls(
        scene.say("cap.space"), ("J", "K", "L"), scene.say("review.jkl"), ("←", "→"), scene.say("review.events"),
        length_us,
    )  # fmt: skip


def _side(scene: Scene, looking: Looking) -> SideView:
    footage, card = looking.footage, looking.card
    icon, foot, tone = _foot(scene, looking)
    options = tuple(_option(scene, looking, name) for name in looking.acts)
    label = scene.say("review.reason")
    if footage is None:
        return SideView(None, "", scene.say("review.choose"), (), options, label, icon, foot, tone)
    line = scene.say("review.operator", name=footage.operator) if footage.operator else ""
    rows = (*(_card_rows(scene, card) if card else ()), *_film_rows(scene, footage, card))
    more = origin(scene, card.region, card.batch) if card else ""
    line = " · ".join(part for part in (line, more) if part)
    if card is None:
        chip = Chip(Tone.INFO, scene.say("review.parcel"), "package-open")
        headline = _contested(scene, looking) or scene.say("review.headline.parcel", n=len(footage.cards))
        return SideView(chip, line, headline, rows, options, label, icon, foot, tone)
    decide = Chip(Tone.WARN, scene.say("review.decide"), "triangle-alert") if looking.matter else None
    headline = _contested(scene, looking) or _headline(scene, card, looking.matter)
    return SideView(decide or card_chip(scene, card.state), line, headline, rows, options, label, icon, foot, tone)


def _contested(scene: Scene, looking: Looking) -> str:
    line = looking.line
    if line is None or looking.matter is not Matter.DISPUTE:
        return ""
    return scene.say("review.headline.contest", said=line.said, n=line.evidence)


def _headline(scene: Scene, card: FilmedCard, matter: Matter) -> str:
    """The question in plain words."""
    if matter is Matter.SAMPLE:
        return scene.say("review.headline.sample")
    comma = "，" if scene.language == "zh" else "; "
    why = comma.join(scene.say(f"reason.{reason.value}") for reason in card.reasons[:2])
    if card.state is CardState.REVIEW:
        return scene.say("review.headline.review", why=why or scene.say("reason.operator-review"))
    return scene.say(
        "review.headline.other", state=scene.say(f"slot.{card.state.value}"), why=why or scene.say("reason.none")
    )


def _card_rows(scene: Scene, card: FilmedCard) -> list[CheckRow]:
    by_hand = any(reason in _BY_HAND for reason in card.reasons)
    number = Chip(Tone.WARN, scene.say("review.by-hand")) if by_hand else Chip(Tone.OK, scene.say("review.by-eye"))
    open_panel = card.panel in (PanelState.OPEN, PanelState.NONE)
    panel = Chip(Tone.OK if open_panel else Tone.WARN, scene.say("review.fine" if open_panel else "review.look"))
    chip = (
        Chip(Tone.INFO, scene.say("review.chip.there"), "nfc")
        if card.chip
        else Chip(Tone.IDLE, scene.say("review.chip.none"))
    )
    return [
        CheckRow(
            "hash", scene.say("review.row.number"), f"···· {card.last4}" if card.last4 else "····", number, mono=True
        ),
        CheckRow("shield-check", scene.say("review.row.panel"), scene.say(f"review.panel.{card.panel.value}"), panel),
        CheckRow("nfc", "NFC", card.chip or scene.say("review.chip.no"), chip),
    ]


def _film_rows(scene: Scene, footage: Footage, card: FilmedCard | None) -> list[CheckRow]:
    start, end = (card.from_us, card.to_us) if card else (0, footage.duration_us)
    cut_us = sum(max(0, min(end, gap.to_us) - max(start, gap.from_us)) for gap in cuts(footage))
    whole = Chip(Tone.OK, scene.say("review.uncut")) if not cut_us else Chip(Tone.STOP, scene.say("review.cut"))
    said = (
        scene.say("review.cut-for", s=f"{cut_us / 1e6:.1f}")
        if cut_us
        else f"{minutes_seconds(start)} – {minutes_seconds(end)}"
    )
    held = footage.hold
    tone = Tone.STOP if held and held.leak else Tone.INFO
    hold = Chip(tone, scene.say("review.held"), "lock") if held else Chip(Tone.IDLE, scene.say("review.not-held"))
    return [
        CheckRow("film", scene.say("review.row.film"), said, whole),
        CheckRow(
            "hard-drive",
            scene.say("review.row.hold"),
            _held_for(scene, held) if held else scene.say("review.by-rule"),
            hold,
        ),
    ]


def _held_for(scene: Scene, held: Hold) -> str:
    """Why: what may be seen in it comes first, then what a person wrote."""
    return (
        scene.say("review.leak") if held.leak else scene.say("review.leak.was") if not held.operator_id else held.reason
    )


def _option(scene: Scene, looking: Looking, name: str) -> Option:
    if name in RULINGS:
        word = f"{looking.matter.value}.{name.lower()}"
        detail = scene.say(f"review.do.{word}.more")
        return Option(name, scene.say(f"review.do.{word}"), detail, picked=looking.armed == name)
    word = _DEEDS[name]
    if name == HOLD and looking.footage and looking.footage.hold:
        word = "judge" if looking.footage.hold.leak else "release"
    if name == EXPORT and looking.card is None:
        word = "export-all"
    title, detail = scene.say(f"review.do.{word}"), scene.say(f"review.do.{word}.more")
    return Option(name, title, detail, picked=looking.armed == name)


def _foot(scene: Scene, looking: Looking) -> tuple[str, str, Tone]:
    """One line: what was done or went wrong, else what the armed act contains."""
    if looking.trouble:
        return "triangle-alert", scene.trouble_line(looking.trouble), Tone.WARN
    if looking.blind and looking.footage is not None:
        return "triangle-alert", _blind(scene, looking.footage), Tone.WARN
    unread = scene.say("review.unchecked") if looking.unchecked else ""
    if looking.done and looking.without:
        lacks = {"why": scene.say(f"review.without.{looking.without}")}
        lacks["camera"] = scene.say(f"camera.role.{looking.lacking}")
        return "triangle-alert", scene.say("review.written-without", name=looking.done, **lacks) + unread, Tone.WARN
    if looking.done and unread:
        return "triangle-alert", scene.say("review.written", name=looking.done) + unread, Tone.WARN
    if looking.done:
        return "circle-check", scene.say("review.written", name=looking.done), Tone.OK
    if looking.wants_second and looking.lines is not None:
        limit = yuan_text(looking.lines.policy.second_above_fen)
        return "info", scene.say("review.second", limit=limit), Tone.PLAIN
    if looking.armed in RULINGS:
        return "info", scene.say("review.inside.ruling"), Tone.PLAIN
    if looking.armed:
        return "info", scene.say(f"review.inside.{looking.armed.lower()}"), Tone.PLAIN
    if looking.ruled:
        word = scene.say(f"review.did.{looking.ruled}")
        again = scene.say("review.undo-hint") if may_undo(scene, looking) else ""
        return "circle-check", f"{word} {again}".strip(), Tone.OK
    return "info", scene.say("review.masked"), Tone.PLAIN


def may_undo(scene: Scene, looking: Looking) -> bool:
    """Whether F2 takes the last ruling back still."""
    return bool(looking.undo_card) and scene.around.wall_us < looking.undo_until_us


def _keys(scene: Scene, looking: Looking) -> tuple[KeyLabel, ...]:
    made = [all_keys(scene)]
    made += [key(scene, "F2", "review.undo")] if may_undo(scene, looking) else []
    made.append(key(scene, "F3", "review.find"))
    line, footage = looking.line, looking.footage
    secret = [key(scene, "F8", "review.secret")] if line and line.card_id else []
    dispute = [key(scene, DISPUTE, "review.key.d")] if line and not line.dispute_id else []
    angle = [key(scene, "F4", "review.angle")] if footage and footage.angles else []
    bind = [key(scene, "B", "review.bind")] if looking.unknown_gtin else []
    if looking.matter:  # what there is no room for is told by F1, the frame that is saved first
        others = [name for name in (EXPORT, HOLD, STILL) if name not in looking.acts]
        acts = [key(scene, name, f"review.key.{name.lower()}") for name in others]
        made += [*secret, *bind, *acts[:-1], *angle, *dispute, *acts[-1:]]
        return tuple(made[:_MOST_KEYS])
    made += [key(scene, "T", "review.to-time"), *secret, *dispute, *angle, *bind, key(scene, ", .", "review.frame")]
    return (*made[: _MOST_KEYS - 1], key(scene, "Esc", "review.back"))


def _go(scene: Scene, looking: Looking) -> GoKey:
    cap = scene.say("cap.enter")
    if looking.busy:
        return GoKey(GoState.BUSY, cap, scene.say("review.go.busy"))
    if not looking.armed or looking.footage is None:
        choose = "review.go.choose-ruling" if looking.matter else "review.go.choose"
        return GoKey(GoState.BLOCKED, cap, scene.say(choose, keys=" ".join(looking.acts)))
    if looking.wants_reason and not looking.reason_there:
        return GoKey(GoState.BLOCKED, cap, scene.say("review.go.reason"))
    if looking.armed in RULINGS:
        word = scene.say(f"review.do.{looking.matter.value}.{looking.armed.lower()}")
        return GoKey(GoState.READY, cap, scene.say("review.go.ruling", what=word), "badge-check", enter=True)
    word, hold = _DEEDS[looking.armed], looking.footage.hold
    if looking.armed == DISPUTE:
        return GoKey(GoState.READY, cap, scene.say("review.go.dispute"), "badge-check", enter=True)
    if looking.armed == HOLD and hold:
        word = "judge" if hold.leak else "release"
    elif hold and hold.leak and looking.armed == EXPORT and looking.footage.filmed_by_another:
        word = "export-without"
    elif hold and hold.leak:
        return GoKey(GoState.BLOCKED, cap, scene.say("review.go.leak"))
    return GoKey(GoState.READY, cap, scene.say(f"review.go.{word}"), "badge-check", enter=True)
