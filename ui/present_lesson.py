"""What a lesson shows: a new product from photographs, its regions, what was inferred of it, the trial. No Qt here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from app.core.lessons import (
    PHOTOGRAPHS,
    REGIONS,
    SECRET_REGIONS,
    Pattern,
    Region,
    StudiedCard,
    Taught,
    Tried,
    TriedField,
)
from app.core.products import Box, CheckDigit
from app.core.shelving import Names
from ui.product_views import LegendView, LessonView, RegionView
from ui.review_views import ItemView, SideView
from ui.scene import Scene
from ui.views import CheckRow, Chip, GoKey, GoState, Option, Tone


@dataclass(frozen=True, slots=True)
class Learning:
    """Where a lesson stands. `photographs`: files, the fourth is tried on; `regions` as they are now, those of `drawn`
    by a person; `stale`: drawn anew since it was learned; `sizing`: the arrow keys move the lower right corner.
    """

    photographs: tuple[str, ...] = ()
    cards: tuple[StudiedCard, ...] = ()
    regions: tuple[Region, ...] = ()
    drawn: tuple[Region, ...] = ()
    taught: Taught | None = None
    tried: Tried | None = None
    at: int = 0
    field: str = REGIONS[0]
    sizing: bool = False
    stale: bool = False
    studying: bool = False
    zh: str = ""
    en: str = ""

    @property
    def card(self) -> StudiedCard | None:
        """The card that is shown."""
        return self.cards[self.at] if 0 <= self.at < len(self.cards) else None

    @property
    def box(self) -> Box | None:
        """The place of the picked field."""
        return dict(self.regions).get(self.field)

    @property
    def names(self) -> Names:
        """What it will be called; the id comes from the English name."""
        return Names(slug(self.en), self.zh.strip(), self.en.strip())


_RULES: Final = {
    CheckDigit.LUHN: "Luhn",
    CheckDigit.GS1: "GS1",
    CheckDigit.ISO7064_MOD11_2: "ISO 11-2",
    CheckDigit.ISO7064_MOD11_10: "ISO 11-10",
    CheckDigit.ISO7064_MOD37_36: "ISO 37-36",
    CheckDigit.ISO7064_MOD97_10: "ISO 97-10",
    CheckDigit.DAMM: "Damm",
    CheckDigit.VERHOEFF: "Verhoeff",
}
"""The rules by the names that they are known by; those of ISO 7064 by their numbers there."""


def slug(name: str) -> str:
    """An English name as a product's id."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64].strip("-")


def lesson_items(scene: Scene, learning: Learning) -> tuple[ItemView, ...]:
    """The photographs; the fourth is the one it is tried on."""
    return tuple(_item(scene, learning, n) for n in range(len(learning.photographs)))


def _item(scene: Scene, learning: Learning, n: int) -> ItemView:
    name = PurePath(learning.photographs[n]).name
    if n >= PHOTOGRAPHS:
        done = learning.tried is not None
        word = scene.say("lesson.tried" if done else "lesson.to-try")
        title = scene.say("lesson.trial")
        return ItemView(
            title, "", name, Tone.OK if done else Tone.IDLE, "circle-check" if done else "circle-dashed", word
        )
    title = scene.say("lesson.card", n=n + 1)
    if n >= len(learning.cards):
        word = scene.say("lesson.looking" if learning.studying else "lesson.not-seen")
        return ItemView(title, "", name, Tone.IDLE, "circle-dashed", word)
    found = len(learning.cards[n].regions)
    tone, icon = (Tone.OK, "circle-check") if found else (Tone.INFO, "eye")
    return ItemView(title, "", name, tone, icon, scene.say("lesson.found" if found else "lesson.seen", n=found))


def lesson_view(scene: Scene, learning: Learning) -> LessonView:
    """The card with its regions."""
    there = dict(learning.regions)
    drawn = dict(learning.drawn)
    shown = tuple(
        RegionView(
            name, scene.say(f"lesson.region.{name}"), box, name == learning.field, name in drawn, name in SECRET_REGIONS
        )
        for name, box in learning.regions
    )
    legend = tuple(
        LegendView(name, scene.say(f"lesson.region.{name}"), name == learning.field, name in there) for name in REGIONS
    )
    caps = (",", ".", "←", "→", "↑", "↓")
    foot = scene.say("lesson.keys.size" if learning.sizing else "lesson.keys.move")
    message = "" if learning.card else scene.say("lesson.looking" if learning.studying else "lesson.choose")
    labels = (scene.say("lesson.name-zh"), scene.say("lesson.name-en"))
    return LessonView(labels, shown if learning.card else (), legend, caps, foot, message)


def lesson_side(scene: Scene, learning: Learning, foot: tuple[str, str, Tone]) -> SideView:
    """What was inferred, and what is to be done next."""
    icon, text, tone = foot
    label, taught = scene.say("products.reason"), learning.taught
    options = (
        Option("F3", scene.say("lesson.step.photographs"), scene.say("lesson.step.photographs.more"),
               picked=not learning.photographs),
        Option("F5", scene.say("lesson.step.learn"), scene.say("lesson.step.learn.more"), picked=learning.stale),
        Option("F6", scene.say("products.step.reason"), scene.say("lesson.step.reason.more"),
               picked=taught is not None and not learning.stale),
    )  # fmt: skip
    if taught is None:
        word = "lesson.headline.learning" if learning.studying else "lesson.headline.new"
        return SideView(None, "", scene.say(word), (), options, label, icon, text, tone)
    name = learning.zh if scene.language == "zh" else learning.en
    headline = scene.say("lesson.headline.publish", name=name.strip() or scene.say("lesson.unnamed"))
    chip = Chip(Tone.WARN, scene.say("products.unconfirmed"))
    rows = (
        _pattern_row(scene, "hash", "lesson.region.number", taught.number),
        _pattern_row(scene, "key-round", "lesson.region.pin", taught.pin),
        _code_row(scene, taught),
        *_trial_rows(scene, learning.tried),
    )
    return SideView(chip, learning.names.id, headline, rows, options, label, icon, text, tone)


def _pattern_row(scene: Scene, icon: str, word: str, pattern: Pattern | None) -> CheckRow:
    if pattern is None:
        return CheckRow(
            icon, scene.say(word), scene.say("lesson.not-read"), Chip(Tone.WARN, scene.say("products.open"))
        )
    known = "products.digits" if pattern.alphabet == "digits" else "products.characters"
    many = "-".join(map(str, pattern.grouping)) or "/".join(map(str, pattern.lengths))
    chip = Chip(Tone.IDLE, scene.say("lesson.no-check"))
    if pattern.check:
        chip = Chip(Tone.OK, _RULES[CheckDigit(pattern.check)])
    return CheckRow(icon, scene.say(word), scene.say(known, n=many), chip)


def _code_row(scene: Scene, taught: Taught) -> CheckRow:
    if not taught.gtins:
        chip = Chip(Tone.WARN, scene.say("products.open"))
        return CheckRow("scan-barcode", "GTIN", scene.say("lesson.no-gtin"), chip)
    return CheckRow("scan-barcode", "GTIN", taught.gtins[0].lstrip("0"), Chip(Tone.PLAIN, ""), mono=True)


def _trial_rows(scene: Scene, tried: Tried | None) -> tuple[CheckRow, ...]:
    if tried is None:
        return ()
    return tuple(_trial_row(scene, one) for one in tried.fields)


def _trial_row(scene: Scene, one: TriedField) -> CheckRow:
    """How the fourth card was read by the template; a value that does not fit is the worst."""
    name = scene.say(f"lesson.tried.{one.field}")
    if one.after.value == "read":
        return CheckRow("eye", name, scene.say("lesson.trial.read"), Chip(Tone.OK, scene.say("lesson.trial.sure")))
    if one.after.value == "doubtful":
        value = scene.say("lesson.trial.doubts", n=one.doubts_after)
        return CheckRow("eye", name, value, Chip(Tone.WARN, scene.say("lesson.trial.asks")))
    return CheckRow(
        "eye", name, scene.say(f"lesson.trial.{one.after.value}"), Chip(Tone.WARN, scene.say("products.open"))
    )


def lesson_go(scene: Scene, learning: Learning, reason_there: bool, busy: bool) -> GoKey:
    """Publish at this station, or what has to be done before."""
    cap = scene.say("cap.enter")
    if busy or learning.studying:
        return GoKey(GoState.BUSY, cap, scene.say("lesson.go.learning" if learning.studying else "review.go.busy"))
    missing = _missing(learning, reason_there)
    if missing:
        return GoKey(GoState.BLOCKED, cap, scene.say(f"lesson.go.{missing}"))
    return GoKey(GoState.READY, cap, scene.say("lesson.go.publish"), "badge-check", enter=True)


def _missing(learning: Learning, reason_there: bool) -> str:
    if len(learning.photographs) < PHOTOGRAPHS:
        return "photographs"
    if learning.taught is None or learning.stale:
        return "learn"
    if not (learning.names.id and learning.names.zh):
        return "names"
    return "" if reason_there else "reason"
