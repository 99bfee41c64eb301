"""What all screens show, and sign-in, as plain data: made by the presenters, drawn by the widgets. No Qt here.

Every text is final (language, numbers and units are settled); colours and sizes are not: a `Tone` names a meaning and
the theme knows its colours. Secret texts are left out of `repr`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.core.readiness import RecMode


class Tone(StrEnum):
    """A meaning: each has its own colours, outline and fill style."""

    OK = "ok"
    WARN = "warn"
    STOP = "stop"
    INFO = "info"
    IDLE = "idle"
    TRAIN = "train"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Chip:
    """A state in a box: icon and word; the word is never dropped."""

    tone: Tone
    text: str
    icon: str = ""


@dataclass(frozen=True, slots=True)
class RecView:
    """The REC block: `clock` is the elapsed time, or the time it stopped at."""

    mode: RecMode
    word: str
    clock: str = ""


@dataclass(frozen=True, slots=True)
class TopBar:
    """`rec` None: a screen that records nothing."""

    rec: RecView | None
    title: str
    place: str
    chips: tuple[Chip, ...]
    person: str
    clock: str


@dataclass(frozen=True, slots=True)
class Banner:
    """The strip under the top bar: a condition that lasts. `cap` names the key that ends it, if one does."""

    tone: Tone
    icon: str
    text: str
    detail: str = ""
    action: str = ""
    cap: str = ""


@dataclass(frozen=True, slots=True)
class KeyLabel:
    """A key of the key bar: `key` is what is printed on it, `label` the verb."""

    key: str
    label: str
    bare: bool = False


class GoState(StrEnum):
    """How the blue key stands."""

    READY = "ready"
    WAITING = "waiting"
    HOLD = "hold"
    BUSY = "busy"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class GoKey:
    """The blue key, or the dashed slot that says what the application waits for."""

    state: GoState
    cap: str
    label: str
    icon: str = ""
    enter: bool = False  # fired by Enter instead of Space

    @property
    def fires(self) -> bool:
        return self.state in (GoState.READY, GoState.HOLD)


@dataclass(frozen=True, slots=True)
class CheckRow:
    icon: str
    name: str
    value: str
    chip: Chip
    current: bool = False
    quiet: bool = False
    mono: bool = False


@dataclass(frozen=True, slots=True)
class Tip:
    """A quiet line with a key: `icon lead [key] action`."""

    icon: str
    lead: str
    key: str
    action: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line for the clerk under the prompt."""

    tone: Tone
    text: str


@dataclass(frozen=True, slots=True)
class Option:
    key: str
    title: str
    detail: str = ""
    picked: bool = False


@dataclass(frozen=True, slots=True)
class NavItem:
    icon: str
    text: str
    selected: bool = False
    live: bool = True


@dataclass(frozen=True, slots=True)
class FrameView:
    """What stands around the work on every screen but sign-in: rail, top bar, the strip under it if there is one."""

    nav: tuple[NavItem, ...]
    train: NavItem
    top: TopBar
    banner: Banner | None


@dataclass(frozen=True, slots=True)
class SignInView:
    """Sign-in: the station's self-check left, badge or number and passcode right."""

    product: str
    product_sub: str
    station_label: str
    station: str
    place: str
    checks: tuple[CheckRow, ...]
    foot: tuple[str, ...]
    languages: tuple[tuple[str, str], ...]
    title: str
    sub: str
    badge_title: str
    badge_sub: str
    divider: str
    number_label: str
    passcode_label: str
    show_label: str
    go: GoKey
    notice: Line | None = None
    demo: str = ""
    demo_key: str = ""
    banner: Banner | None = None
    rec: RecView | None = None  # over a parcel that is being filmed
    typing: bool = True  # whether number and passcode lead anywhere
