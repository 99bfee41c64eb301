"""What every presenter needs beside the state: surroundings, catalogue, language; and the small words they share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.core.cards import CardState
from app.core.money import yuan_text
from app.core.products import Catalogue
from app.core.readiness import Level, RecMode, Surroundings
from app.core.states import Notice, Visit
from ui.texts import notice, say
from ui.views import Chip, KeyLabel, Tone
from ui.work_views import Slot, SlotState


@dataclass(frozen=True, slots=True)
class Desk:
    """What stands fast for a window: the version, and in a rehearsal the badge that may be used by a key."""

    version: str = ""
    certificate_until: str = ""
    demo_badge: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """The frame a state is presented in. `compact`: a small window, some words are left out."""

    around: Surroundings
    catalogue: Catalogue
    language: str
    compact: bool = False
    desk: Desk = Desk()

    def say(self, key: str, /, **values: object) -> str:
        return say(key, self.language, **values)

    def trouble_line(self, code: str) -> str:
        """A trouble's title and first act in one line."""
        return notice(Notice(code), self.language)

    def product_name(self, product_id: str | None) -> str:
        product = self.catalogue.by_id(product_id)
        return product.name(self.language) if product else self.say("card.unknown")

    def priced_name(self, product_id: str | None, face_value_fen: int | None) -> str:
        """Name and face value: "云杉超市礼品卡 ¥500"."""
        name = self.product_name(product_id)
        return f"{name} {yuan_text(face_value_fen)}" if face_value_fen else name

    @property
    def rec_mode(self) -> RecMode:
        """The recording as it is shown: rehearsal footage is never shown as if it were evidence."""
        mode = self.around.rec.mode
        return RecMode.TRAINING if mode is RecMode.ON and self.around.rehearsal else mode


def clock(wall_us: int) -> str:
    """Local time of day."""
    return datetime.fromtimestamp(wall_us / 1e6).strftime("%H:%M:%S") if wall_us else "--:--:--"


def hours_minutes(wall_us: int) -> str:
    return clock(wall_us)[:5]


def day(wall_us: int, language: str) -> str:
    """ "10 月 3 日" or "3 Oct"."""
    when = datetime.fromtimestamp(wall_us / 1e6)
    return f"{when.month} 月 {when.day} 日" if language.startswith("zh") else f"{when.day} {when:%b}"


def elapsed(us: int) -> str:
    """hh:mm:ss."""
    s = max(us, 0) // 1_000_000
    return f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}"


def minutes_seconds(us: int) -> str:
    """mm:ss, minutes without limit."""
    s = max(us, 0) // 1_000_000
    return f"{s // 60:02d}:{s % 60:02d}"


def duration(scene: Scene, minutes: int) -> str:
    """ "41 hours", "95 min": as long as a person reckons with."""
    long = minutes >= 120
    return scene.say("duration.hours" if long else "duration.minutes", n=minutes // 60 if long else minutes)


def size(count: int) -> str:
    """Bytes with a decimal unit."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if count >= factor:
            return f"{count // factor} {unit}"
    return f"{count} B"


def gapped(waybill: str) -> str:
    """A waybill in printed groups: SF1420 7731 918."""
    if len(waybill) < 10 or " " in waybill:
        return waybill
    return f"{waybill[:6]} {waybill[6:10]} {waybill[10:]}".strip()


LEVEL_TONE = {
    Level.OK: Tone.OK,
    Level.WARN: Tone.WARN,
    Level.DOWN: Tone.STOP,
    Level.BUSY: Tone.INFO,
    Level.NONE: Tone.IDLE,
}

CARD_TONE = {
    CardState.KEPT: Tone.INFO,
    CardState.AT_CENTRE: Tone.INFO,
    CardState.NOT_TAKEN: Tone.WARN,
    CardState.ACCEPTED: Tone.OK,
    CardState.REVIEW: Tone.WARN,
    CardState.REJECTED: Tone.STOP,
    CardState.WITHDRAWN: Tone.IDLE,
}

CARD_ICON = {
    CardState.KEPT: "hard-drive",
    CardState.AT_CENTRE: "cloud-upload",
    CardState.NOT_TAKEN: "triangle-alert",
    CardState.ACCEPTED: "circle-check",
    CardState.REVIEW: "triangle-alert",
    CardState.REJECTED: "octagon-x",
    CardState.WITHDRAWN: "rotate-ccw",
}

_SLOT_STATE = {
    Tone.INFO: SlotState.INFO,
    Tone.OK: SlotState.OK,
    Tone.WARN: SlotState.WARN,
    Tone.STOP: SlotState.STOP,
    Tone.IDLE: SlotState.TODO,
}


def level_chip(scene: Scene, level: Level, word: str = "") -> Chip:
    return Chip(LEVEL_TONE[level], scene.say(word or f"level.{level.value}"))


def card_chip(scene: Scene, state: CardState) -> Chip:
    return Chip(CARD_TONE[state], scene.say(f"slot.{state.value}"), CARD_ICON[state])


def slots(scene: Scene, visit: Visit, current: Slot | None = None) -> tuple[Slot, ...]:
    """One slot for each declared card, further ones for what was found beyond; `current` takes the next place."""
    declared = visit.expected.declared
    by_no = {card.no: card for card in visit.counted}
    last = max(declared, max(by_no, default=0), current.no if current else 0)
    made = []
    for no in range(1, last + 1):
        card = by_no.get(no)
        if card is None:
            made.append(current if current and current.no == no else _todo(scene, no))
            continue
        extra = bool(declared) and no > declared
        word = "slot.extra" if extra else f"slot.{card.state.value}"
        state = SlotState.WARN if extra else _SLOT_STATE[CARD_TONE[card.state]]
        made.append(Slot(no, state, scene.say(word), card.last4 or "····", CARD_ICON[card.state]))
    return tuple(made)


def _todo(scene: Scene, no: int) -> Slot:
    return Slot(no, SlotState.TODO, scene.say("slot.todo"))


def key(scene: Scene, name: str, word: str) -> KeyLabel:
    return KeyLabel(name, scene.say(word))


def all_keys(scene: Scene) -> KeyLabel:
    return KeyLabel("F1", scene.say("key.all.short" if scene.compact else "key.all"), bare=True)
