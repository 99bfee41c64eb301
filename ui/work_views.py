"""What the workbench shows, as plain data: made by `ui.present`, drawn by its widgets. No Qt here."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from app.core.cards import Quad
from app.core.readiness import RecMode
from ui.views import CheckRow, Chip, FrameView, GoKey, KeyLabel, Line, Option, SignInView, Tip, Tone


class StepState(StrEnum):
    DONE = "done"
    NOW = "now"
    BAD = "bad"
    NEXT = "next"


@dataclass(frozen=True, slots=True)
class StepMark:
    text: str
    state: StepState


@dataclass(frozen=True, slots=True)
class ParcelBar:
    """Waybill, declared count and order, or a line of plain words while no parcel is open."""

    waybill: str
    words: str
    quiet: str
    steps: tuple[StepMark, ...]


class SlotState(StrEnum):
    OK = "ok"
    INFO = "info"
    WARN = "warn"
    STOP = "stop"
    CURRENT = "cur"
    TODO = "void"
    MISSING = "miss"


@dataclass(frozen=True, slots=True)
class Slot:
    """A card's place in the tray: number, last four, one word."""

    no: int
    state: SlotState
    word: str
    last4: str = ""
    icon: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """An outline on the live picture, in frame pixels; `hatched` covers what must not be seen."""

    quad: Quad
    tone: Tone
    label: str = ""
    hatched: bool = False
    below: bool = False


@dataclass(frozen=True, slots=True)
class StageNote:
    icon: str
    text: str
    mono: bool = False


@dataclass(frozen=True, slots=True)
class StageView:
    """The camera picture with its header. `frame_hint` draws the dashed place for a parcel with two lines of words."""

    rec: RecMode
    tag: str
    name: str
    mode: str
    notes: tuple[StageNote, ...] = ()
    boxes: tuple[Box, ...] = ()
    frame_hint: tuple[str, str] | None = None
    no_picture: str = ""


class CellKind(StrEnum):
    SURE = "sure"
    MID = "mid"
    DOUBT = "doubt"
    DOT = "dot"


@dataclass(frozen=True, slots=True)
class Cell:
    """One character of the strip. `spoken` is its accessible text, `percent` its confidence 0-100."""

    kind: CellKind
    percent: int
    glyph: str = field(default="", repr=False)
    spoken: str = field(default="", repr=False)
    current: bool = False


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way to read the doubtful character."""

    key: str
    chip: Chip
    percent: str
    glyph: str = field(default="", repr=False)
    picked: bool = False
    open: bool = True


@dataclass(frozen=True, slots=True)
class WholeRow:
    """One whole reading of a field: how many characters, and which. Of a secret `covered` is drawn, its `text` only
    while F8 is held.
    """

    key: str
    length: str
    chip: Chip | None
    percent: str
    text: str = field(default="", repr=False)
    covered: str = field(default="", repr=False)
    picked: bool = False
    open: bool = True


@dataclass(frozen=True, slots=True)
class SecretRow:
    """A covered secret: dots in the true length; `text` is drawn only while F8 is held."""

    label: str
    dots: str
    action: str
    key: str
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class BigPrompt:
    """The prompt alone: what to do with the hands, and why."""

    icon: str
    title: str
    lines: tuple[str, ...]
    tip: Tip | None = None
    notice: Line | None = None


@dataclass(frozen=True, slots=True)
class CardPrompt:
    """The prompt about one card, with the strip and the ways to read a doubtful character, or the whole field."""

    chip: Chip
    product: str
    prompt: str
    help: str = ""
    cells: tuple[Cell, ...] = ()
    groups: tuple[int, ...] = ()
    crop: bytes = field(default=b"", repr=False)
    alternatives: tuple[Alternative, ...] = ()
    wholes: tuple[WholeRow, ...] = ()
    secret: SecretRow | None = None
    tip: Tip | None = None
    notice: Line | None = None


@dataclass(frozen=True, slots=True)
class LastParcelView:
    title: str
    waybill: str
    time: str
    chips: tuple[Chip, ...]
    plain: str
    sync: Chip


@dataclass(frozen=True, slots=True)
class WaitBody:
    """Waiting for a parcel: picture, prompt, ready check, the parcel before."""

    stage: StageView
    prompt: BigPrompt
    checks_title: str
    checks_note: str
    checks: tuple[CheckRow, ...]
    last: LastParcelView | None = None


@dataclass(frozen=True, slots=True)
class CardBody:
    """Cards: picture and tray, prompt, the seven checks of the card."""

    stage: StageView
    slots: tuple[Slot, ...]
    now: BigPrompt | CardPrompt
    checks: tuple[CheckRow, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    label: str
    value: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class TableRow:
    no: str
    product: str
    card: str
    value: str
    chip: Chip
    why: str
    video: str
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Shot:
    """A line of evidence: taken with its time in the recording, or still to take."""

    tone: Tone
    text: str
    time: str = ""


@dataclass(frozen=True, slots=True)
class CountBody:
    """Declared against found: figures, the table, the small picture, what to do."""

    tone: Tone
    figures: tuple[Figure, ...]
    headline: str
    subline: str
    table_title: str
    table_chips: tuple[Chip, ...]
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    sums: tuple[tuple[str, str], ...]
    total: tuple[str, str]
    stage: StageView
    question: str
    lines: tuple[str, ...] = ()
    shots: tuple[Shot, ...] = ()
    options: tuple[Option, ...] = ()
    notice: Line | None = None


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Hands must stop: what happened, what to do 1-2-3, what was kept. `**word**` in a text is drawn bold."""

    icon: str
    camera: str
    state: str
    last_frame: str
    title: str
    sub: str
    do_title: str
    do: tuple[str, ...]
    more: Tip | None
    kept_title: str
    kept: tuple[StageNote, ...]
    cut: bool = True


@dataclass(frozen=True, slots=True)
class LostPanel:
    """The clock of the unrecorded time; `share` 0..1 of the time after which a supervisor is due."""

    chip: Chip
    since: str
    timer: str
    label: str
    share: float
    scale: tuple[str, str]
    lines: tuple[str, ...]
    quiet: str
    support: str
    support_code: str
    details: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class LostBody:
    take_over: TakeOver
    slots: tuple[Slot, ...]
    panel: LostPanel
    checks_title: str
    checks: tuple[CheckRow, ...]


@dataclass(frozen=True, slots=True)
class DialogView:
    """A decision before something that cannot be undone: options on digits, a key that must be held."""

    icon: str
    title: str
    sub: str
    options: tuple[Option, ...]
    notes: tuple[tuple[str, str], ...]
    back: KeyLabel
    go: GoKey


Body = WaitBody | CardBody | CountBody | LostBody


@dataclass(frozen=True, slots=True)
class WorkView:
    """The workbench in one of its states."""

    frame: FrameView
    parcel: ParcelBar
    body: Body
    keys: tuple[KeyLabel, ...]
    go: GoKey
    dialog: DialogView | None = None
    typing: str = ""  # what F6 types here: "waybill", "number", "pin", or nothing


@dataclass(frozen=True, slots=True)
class SyncSheet:
    """What is where, as rows; `foot` says what a key does now."""

    title: str
    foot: str
    rows: tuple[CheckRow, ...]
    leaving: bool = False


ScreenView = SignInView | WorkView
