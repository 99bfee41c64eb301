"""From what a supervisor does to the catalogue to what the product screen shows: pure functions. No Qt here."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from app.core.parcels import Operator
from app.core.products import UNKNOWN_NUMBER, FieldPattern, Product
from app.core.shelving import Standing, UnknownGtin
from ui.present_frame import framed, rec_view, supervisors_bar
from ui.present_lesson import Learning, lesson_go, lesson_items, lesson_side, lesson_view
from ui.product_views import FindView, FoundView, ProductsView
from ui.review_views import ItemView, ListView, SideView, TabView
from ui.scene import Scene, all_keys, day, gapped, key
from ui.texts import words
from ui.views import CheckRow, Chip, GoKey, GoState, KeyLabel, Option, Tone

MOST_FOUND = 9
T = TypeVar("T")


class Task(StrEnum):
    """What is done on the screen, by its tab."""

    BIND = "bind"
    NEW = "new"
    CHANGES = "changes"


@dataclass(frozen=True, slots=True)
class Change:
    """Something that was done here and can be taken back: a barcode bound to a product, or (`gtin` "") a product."""

    product_id: str
    gtin: str = ""


@dataclass(frozen=True, slots=True)
class Choosing:
    """Where the supervisor is. `asked`: a barcode brought along from elsewhere; `at`: the line of the search;
    `picked`: the product that the barcode is to belong to; `trouble`: a code to tell; `done`: a word to tell.
    """

    who: Operator
    task: Task = Task.BIND
    standing: Standing | None = None
    asked: str = ""
    chosen: int = -1
    query: str = ""
    found: tuple[Product, ...] = ()
    at: int = -1
    picked: Product | None = None
    reason_there: bool = False
    busy: bool = False
    done: str = ""
    trouble: str = ""
    learning: Learning = field(default_factory=Learning)

    @property
    def unknown(self) -> tuple[UnknownGtin, ...]:
        """The barcodes to choose from, one brought along first."""
        known = self.standing.unknown if self.standing else ()
        if self.asked and self.asked not in {one.gtin for one in known}:
            return (UnknownGtin(self.asked, 0, 0, ""), *known)
        return known

    @property
    def changes(self) -> tuple[Change, ...]:
        """What can be taken back, the product that was added last first."""
        if self.standing is None:
            return ()
        own = tuple(Change(product_id) for product_id in reversed(self.standing.own))
        return (*own, *(Change(product_id, gtin) for gtin, product_id in self.standing.bound))

    @property
    def gtin(self) -> UnknownGtin | None:
        """The barcode that is looked at."""
        return _at(self.unknown, self.chosen) if self.task is Task.BIND else None

    @property
    def change(self) -> Change | None:
        return _at(self.changes, self.chosen) if self.task is Task.CHANGES else None


def _at(items: tuple[T, ...], index: int) -> T | None:
    return items[index] if 0 <= index < len(items) else None


def products(scene: Scene, choosing: Choosing) -> ProductsView:
    """The whole screen."""
    top = supervisors_bar(scene, "title.products", choosing.who, rec_view(scene))
    return ProductsView(
        frame=framed(scene, "nav.products", choosing.who, top),
        list=_list(scene, choosing),
        find=_find(scene, choosing),
        lesson=lesson_view(scene, choosing.learning) if choosing.task is Task.NEW else None,
        side=_side(scene, choosing),
        keys=_keys(scene, choosing),
        go=_go(scene, choosing),
    )


def _list(scene: Scene, choosing: Choosing) -> ListView:
    counts = {Task.BIND: f" {len(choosing.unknown)}", Task.NEW: "", Task.CHANGES: f" {len(choosing.changes)}"}
    tabs = tuple(
        TabView(str(n), f"{scene.say(f'products.task.{task.value}')}{counts[task]}", task is choosing.task)
        for n, task in enumerate(Task, 1)
    )
    if choosing.task is Task.NEW:
        items, at = lesson_items(scene, choosing.learning), choosing.learning.at
        return ListView(tabs, items, at, ("F4",), scene.say("lesson.next"), scene.say("lesson.empty"))
    if choosing.task is Task.BIND:
        items = tuple(_unknown_item(scene, one) for one in choosing.unknown)
    else:
        items = tuple(_change_item(scene, one) for one in choosing.changes)
    empty = scene.say(f"products.empty.{choosing.task.value}") if choosing.standing else ""
    return ListView(tabs, items, choosing.chosen, ("↑", "↓"), scene.say("review.up-down"), empty)


def _unknown_item(scene: Scene, one: UnknownGtin) -> ItemView:
    count = scene.say("products.cards", n=one.cards)
    where = gapped(one.waybill) if one.waybill else scene.say("products.scanned")
    age = day(one.wall_us, scene.language) if one.wall_us else ""
    return ItemView(spaced(one.gtin), age, where, Tone.WARN, "scan-barcode", count)


def _change_item(scene: Scene, one: Change) -> ItemView:
    name = scene.product_name(one.product_id)
    if one.gtin:
        return ItemView(name, "", spaced(one.gtin), Tone.INFO, "scan-barcode", scene.say("products.bound-here"))
    return ItemView(name, "", one.product_id, Tone.INFO, "badge-check", scene.say("products.added-here"))


def spaced(gtin: str) -> str:
    """A GTIN as it stands below bars: "6 901234 050103", without the zeros that only fill it up."""
    digits = gtin.lstrip("0").zfill(8)
    return f"{digits[:-12]} {digits[-12:-6]} {digits[-6:]}".strip() if len(digits) > 8 else digits


def _find(scene: Scene, choosing: Choosing) -> FindView:
    rows = tuple(_found(scene, choosing, product) for product in choosing.found[:MOST_FOUND])
    if choosing.task is not Task.BIND:
        return FindView("", (), -1, scene.say("products.changes.note"), (), "")
    empty = "products.find.none" if choosing.query else "products.find.hint"
    foot = scene.say("products.find.foot") if rows else ""
    return FindView(scene.say("products.find"), rows, choosing.at, scene.say(empty), ("↑", "↓") if rows else (), foot)


def _found(scene: Scene, choosing: Choosing, product: Product) -> FoundView:
    other = product.name("en" if scene.language.startswith("zh") else "zh")
    # Two cards of one name differ by their face value: it stands first, for a long line loses its end.
    parts = (faces(product), other, product.initials, pattern_words(scene, product.number))
    sub = "  ·  ".join(part for part in parts if part)
    chip = _confirmed(scene, product)
    picked = choosing.picked is not None and choosing.picked.id == product.id
    return FoundView(product.name(scene.language), sub, category(scene, product), chip, picked)


def category(scene: Scene, product: Product) -> str:
    """What kind of product: in words where there are any."""
    word = f"products.category.{product.category}"
    return scene.say(word) if word in words() else product.category


def faces(product: Product) -> str:
    """Its face values, as far as they are known: "¥100/500"."""
    values = sorted(product.face_values_fen)
    return f"¥{'/'.join(str(fen // 100) for fen in values)}" if values else ""


def _confirmed(scene: Scene, product: Product) -> Chip:
    if product.confirmed:
        return Chip(Tone.OK, scene.say("products.confirmed"))
    return Chip(Tone.IDLE, scene.say("products.unconfirmed"))


def pattern_words(scene: Scene, pattern: FieldPattern) -> str:
    """ "16 digits, 4-4-4-4": how a field looks; "" where nobody knows."""
    if pattern == UNKNOWN_NUMBER:
        return ""
    lengths = "/".join(map(str, pattern.lengths))
    word = "products.digits" if pattern.alphabet.isdigit() else "products.characters"
    return scene.say(word, n=lengths)


def _bind_side(scene: Scene, choosing: Choosing) -> SideView:
    icon, foot, tone = _foot(scene, choosing, "products.bind.inside")
    label, one, picked = scene.say("products.reason"), choosing.gtin, choosing.picked
    options = (
        Option("F3", scene.say("products.step.find"), scene.say("products.step.find.more"), picked=one is not None
               and picked is None),
        Option("F6", scene.say("products.step.reason"), scene.say("products.step.reason.more"), picked=picked
               is not None),
    )  # fmt: skip
    if one is None:
        return SideView(None, "", scene.say("products.choose-code"), (), options, label, icon, foot, tone)
    waiting = scene.say("products.cards", n=one.cards)
    chip = Chip(Tone.WARN, scene.say("products.unknown"))
    name = picked.name(scene.language) if picked else scene.say("products.none-picked")
    state = Chip(Tone.PLAIN, "") if picked else Chip(Tone.IDLE, scene.say("products.open"))
    rows = [
        CheckRow("scan-barcode", "GTIN", spaced(one.gtin), Chip(Tone.PLAIN, ""), mono=True),
        CheckRow("package", scene.say("products.row.cards"), waiting, Chip(Tone.PLAIN, "")),
        CheckRow("credit-card", scene.say("products.row.product"), name, state),
    ]
    if picked is not None:
        looks = pattern_words(scene, picked.number) or scene.say("products.pattern-unknown")
        kind = " · ".join(part for part in (category(scene, picked), faces(picked)) if part)
        rows.append(CheckRow("hash", scene.say("products.row.number"), looks, _confirmed(scene, picked)))
        rows.append(CheckRow("building-2", scene.say("products.row.kind"), kind, Chip(Tone.PLAIN, "")))
    headline = scene.say("products.headline.is-it", name=name) if picked else scene.say("products.headline.what")
    return SideView(chip, waiting, headline, tuple(rows), options, label, icon, foot, tone)


def _change_side(scene: Scene, choosing: Choosing) -> SideView:
    icon, foot, tone = _foot(scene, choosing, "products.changes.inside")
    label, one = scene.say("products.reason"), choosing.change
    options = (
        Option("F6", scene.say("products.step.reason"), scene.say("products.step.back.more"), picked=one is not None),
    )
    rows = list(_standing_rows(scene, choosing.standing))
    if one is None:
        return SideView(None, "", scene.say("products.standing"), tuple(rows), options, label, icon, foot, tone)
    name = scene.product_name(one.product_id)
    kind = "bound-here" if one.gtin else "added-here"
    rows.append(CheckRow("credit-card", scene.say("products.row.product"), name, Chip(Tone.PLAIN, "")))
    if one.gtin:
        rows.append(CheckRow("scan-barcode", "GTIN", spaced(one.gtin), Chip(Tone.PLAIN, ""), mono=True))
    chip = Chip(Tone.INFO, scene.say(f"products.{kind}"), "rotate-ccw")
    headline = scene.say("products.headline.release" if one.gtin else "products.headline.withdraw", name=name)
    return SideView(chip, "", headline, tuple(rows), options, label, icon, foot, tone)


def _standing_rows(scene: Scene, standing: Standing | None) -> tuple[CheckRow, ...]:
    if standing is None:
        return ()
    published = standing.published[:12] or scene.say("products.shipped")
    plain = Chip(Tone.PLAIN, "")
    return (
        CheckRow("badge-check", scene.say("products.row.published"), published, plain, mono=bool(standing.published)),
        CheckRow("hash", scene.say("products.row.version"), standing.version[:12], plain, mono=True),
        CheckRow("package", scene.say("products.row.count"), str(standing.products), plain, mono=True),
    )


def _side(scene: Scene, choosing: Choosing) -> SideView:
    if choosing.task is Task.NEW:
        return lesson_side(scene, choosing.learning, _foot(scene, choosing, "lesson.inside"))
    return _bind_side(scene, choosing) if choosing.task is Task.BIND else _change_side(scene, choosing)


def _foot(scene: Scene, choosing: Choosing, inside: str) -> tuple[str, str, Tone]:
    """One line: what was done or went wrong, else what the blue key will do."""
    if choosing.trouble:
        return "triangle-alert", scene.trouble_line(choosing.trouble), Tone.WARN
    if choosing.done:
        return "circle-check", choosing.done, Tone.OK
    return "info", scene.say(inside), Tone.PLAIN


def _keys(scene: Scene, choosing: Choosing) -> tuple[KeyLabel, ...]:
    made = [all_keys(scene)]
    if choosing.task is Task.BIND:
        made.append(key(scene, "F3", "products.find.key"))
    if choosing.task is Task.NEW:
        made += [key(scene, "F2", "lesson.names.key"), key(scene, "F3", "lesson.photographs.key")]
        made += [key(scene, "F5", "lesson.learn.key")]
    made += [key(scene, "F6", "products.reason.key"), key(scene, "Esc", "review.back")]
    return tuple(made)


def _go(scene: Scene, choosing: Choosing) -> GoKey:
    cap = scene.say("cap.enter")
    if choosing.busy:
        return GoKey(GoState.BUSY, cap, scene.say("review.go.busy"))
    if choosing.task is Task.NEW:
        return lesson_go(scene, choosing.learning, choosing.reason_there, choosing.busy)
    missing = _missing(choosing)
    if missing:
        return GoKey(GoState.BLOCKED, cap, scene.say(f"products.go.{missing}"))
    word = (
        "bind" if choosing.task is Task.BIND else "release" if choosing.change and choosing.change.gtin else "withdraw"
    )
    return GoKey(GoState.READY, cap, scene.say(f"products.go.{word}"), "badge-check", enter=True)


def _missing(choosing: Choosing) -> str:
    """What has to be done before the blue key fires."""
    if choosing.task is Task.BIND:
        if choosing.gtin is None:
            return "code"
        if choosing.picked is None:
            return "product"
    elif choosing.change is None:
        return "change"
    return "" if choosing.reason_there else "reason"
