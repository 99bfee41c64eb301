"""What the review screen shows, as plain data: made by `ui.present_review`, drawn by its widgets. No Qt here.

Times on lanes are microseconds of the recording; where the play head stands is told to the widgets apart from this.
"""

from __future__ import annotations

from dataclasses import dataclass

from ui.views import CheckRow, Chip, FrameView, GoKey, KeyLabel, Option, Tone


@dataclass(frozen=True, slots=True)
class TabView:
    """One pile of the list, chosen by its digit."""

    key: str
    text: str
    selected: bool


@dataclass(frozen=True, slots=True)
class ItemView:
    """One line of the list: product and value, how long ago, waybill and place, what is to be looked at."""

    title: str
    age: str
    sub: str
    tone: Tone
    icon: str
    note: str


@dataclass(frozen=True, slots=True)
class ListView:
    """The list at the left. `chosen`: index into `items`, -1 for none; `empty`: said when there are none."""

    tabs: tuple[TabView, ...]
    items: tuple[ItemView, ...]
    chosen: int
    caps: tuple[str, ...]
    foot: str
    empty: str


@dataclass(frozen=True, slots=True)
class FilmBar:
    """The head of the picture: whose film, and the badge of its verification. `message` stands in for a picture."""

    waybill: str
    words: str
    badge_tone: Tone
    badge_icon: str
    badge: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Controls:
    """The keys of the player. `length_us`: of the whole recording."""

    play_cap: str
    keys: tuple[str, ...]
    keys_word: str
    jumps: tuple[str, ...]
    jumps_word: str
    length_us: int


@dataclass(frozen=True, slots=True)
class StopMark:
    """A place to jump to on the card's rail."""

    at_us: int
    word: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class CardLane:
    """This card: its rail runs from `from_us` to `to_us`; gaps and masks inside it are drawn on it."""

    title: str
    times: str
    from_us: int
    to_us: int
    stops: tuple[StopMark, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """A phase or a card on the lane of the whole unboxing. `mark`: "check", "cross", "triangle" or ""."""

    from_us: int
    to_us: int
    text: str
    tone: Tone
    mark: str = ""
    current: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """A word under the lane, at its time."""

    at_us: int
    text: str


@dataclass(frozen=True, slots=True)
class WholeLane:
    """The whole unboxing. `gaps` and `masks`: (from, to) in µs; `wrong`: a fragment that does not verify; `beside`,
    `beside_gaps`: where the other camera filmed, and where it broke off.
    """

    title: str
    legend: tuple[tuple[str, str], ...]
    length_us: int
    filmed: tuple[tuple[int, int], ...]
    gaps: tuple[tuple[int, int], ...]
    masks: tuple[tuple[int, int], ...]
    clocks: tuple[int, ...]
    blocks: tuple[Block, ...]
    notes: tuple[Note, ...]
    wrong: tuple[int, int] | None = None
    beside: tuple[tuple[int, int], ...] = ()
    beside_gaps: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class SideView:
    """What the store knows of the card, and what can be done. `reason_label` names the field below the options."""

    chip: Chip | None
    line: str
    headline: str
    rows: tuple[CheckRow, ...]
    options: tuple[Option, ...]
    reason_label: str
    foot_icon: str
    foot: str
    foot_tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class ReviewView:
    """The whole screen."""

    frame: FrameView
    list: ListView
    film: FilmBar
    controls: Controls
    card: CardLane | None
    whole: WholeLane
    side: SideView
    keys: tuple[KeyLabel, ...]
    go: GoKey
