"""What a reviewer sees of a recording: its time line as plain data, the lines of the list, and what can be asked for.

All times are microseconds of the recording (0 = its first frame) unless they are called `wall_us`. No bytes, no files:
`ReviewDesk` is how a screen asks for those, and whoever answers may do so from another thread.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, Protocol

from app.core.cards import CardState, PanelState
from app.core.errors import Trouble
from app.core.parcels import Operator, Reason
from app.core.rulings import USUAL, ReviewPolicy, Ruled, Ruling, Second

OVERHEAD, LABEL = "overhead", "label"
"""The two cameras that film a parcel; each has recordings and a chain of its own."""

CHECKED, JUDGED, UNCHECKED = "checked", "judged", "unchecked"
"""Of pictures that leave: read for PINs, and none was found; a person ruled out what was found; nobody has looked."""


class Pile(StrEnum):
    """Which lines a list shows."""

    REVIEW = "review"  # cards that somebody has to look at
    SAMPLE = "sample"  # finished cards that were drawn for a second look
    DISPUTE = "dispute"  # what a sender contests
    HELD = "held"  # of recordings that nobody may remove
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the list: a card and the recording it is on; or, with `card_id` "", a parcel.

    `sample`: it was drawn and not looked at yet. `dispute_id`: of an open dispute about it, `said` what it says, with
    `evidence` linked to it so often. `ruling`: a supervisor's last word, given at `ruled_us` (wall clock)."""

    recording_id: str
    parcel_id: str
    waybill: str
    card_id: str
    no: int
    product_id: str | None
    face_value_fen: int | None
    last4: str
    state: CardState | None
    reasons: tuple[Reason, ...]
    wall_us: int
    t_video_us: int
    held: bool
    gtin: str | None = None
    sample: bool = False
    dispute_id: str = ""
    said: str = ""
    evidence: int = 0
    ruling: Ruling | None = None
    ruled_us: int = 0


@dataclass(frozen=True, slots=True)
class Lines:
    """An answer to a look for lines: what was asked, what was found, how many lines each pile has, since when the
    oldest of them waits (wall µs, 0 for none), and when two supervisors sign.
    """

    pile: Pile
    query: str
    lines: tuple[Line, ...]
    counts: tuple[tuple[Pile, int], ...]
    oldest: tuple[tuple[Pile, int], ...] = ()
    policy: ReviewPolicy = USUAL


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, and why: a gap in the recording, or a time in which something was painted over."""

    from_us: int
    to_us: int
    reason: str


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened. `kind`: an event of the chain ("card.kept", "count.shot"), "clock", "camera", "part";
    "leak": something like a PIN was seen there by the check.
    """

    at_us: int
    kind: str
    detail: str = ""
    card_id: str = ""


@dataclass(frozen=True, slots=True)
class FilmPart:
    """A stretch that plays in one go. Its own time 0 is `from_us` of the recording."""

    number: int
    from_us: int
    to_us: int


@dataclass(frozen=True, slots=True)
class FilmedCard:
    """A card as the store knows it, and its stretch: it lay in the picture from `from_us` to `to_us`, was read at
    `read_us` and kept at `kept_us` (-1 when the chain does not tell).
    """

    card_id: str
    no: int
    product_id: str | None
    last4: str
    face_value_fen: int | None
    state: CardState
    reasons: tuple[Reason, ...]
    panel: PanelState
    chip: str
    expiry: str
    from_us: int
    read_us: int
    kept_us: int
    to_us: int
    batch: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class Angle:
    """Another recording that was running at the same time: `shift_us` + a time here is the same instant there.
    `filmed` and `gaps`: where it has pictures and where it breaks off, by the times here.
    """

    recording_id: str
    role: str
    shift_us: int
    filmed: tuple[Span, ...] = ()
    gaps: tuple[Span, ...] = ()

    def shows(self, at_us: int) -> bool:
        """Whether it has a picture of this instant."""
        cut = any(gap.from_us < at_us < gap.to_us for gap in self.gaps)
        return not cut and any(film.from_us <= at_us <= film.to_us for film in self.filmed)


@dataclass(frozen=True, slots=True)
class Hold:
    """Why footage may not be removed, who said so and when. `leak`: a PIN may be seen in it, and nobody has judged that
    yet; until then nothing of it is exported.
    """

    reason: str
    operator_id: str
    wall_us: int
    leak: bool = False


@dataclass(frozen=True, slots=True)
class Footage:
    """A whole recording. `there`: whether its pictures are still on this disk; `fragments`: how many are to verify."""

    recording_id: str
    parcel_id: str
    waybill: str
    operator: str
    role: str
    began_wall_us: int
    duration_us: int
    closed: bool
    rehearsal: bool
    there: bool
    fragments: int
    parts: tuple[FilmPart, ...] = ()
    gaps: tuple[Span, ...] = ()
    masks: tuple[Span, ...] = ()
    moments: tuple[Moment, ...] = ()
    cards: tuple[FilmedCard, ...] = ()
    angles: tuple[Angle, ...] = ()
    hold: Hold | None = None

    @property
    def filmed_by_another(self) -> bool:
        """Whether the other camera filmed meanwhile."""
        return any(angle.role != self.role for angle in self.angles)

    def angle_at(self, at_us: int) -> Angle | None:
        """The other camera that has a picture of this instant; None when none has."""
        return next((angle for angle in self.angles if angle.role != self.role and angle.shows(at_us)), None)

    def part_at(self, at_us: int) -> FilmPart | None:
        """The part that shows this time: in a gap the one before it; None when there is nothing to show."""
        if not self.parts:
            return None
        return self.parts[max(0, bisect_right([part.from_us for part in self.parts], at_us) - 1)]

    def card(self, card_id: str) -> FilmedCard | None:
        return next((card for card in self.cards if card.card_id == card_id), None)

    def stops(self) -> tuple[int, ...]:
        """The times that a jump from event to event stops at: everything that happened, and both ends of each gap."""
        times = {moment.at_us for moment in self.moments}
        times |= {time for gap in self.gaps for time in (gap.from_us, gap.to_us)}
        times |= {time for card in self.cards for time in (card.from_us, card.read_us, card.to_us)}
        return tuple(sorted({0, self.duration_us} | {time for time in times if 0 <= time <= self.duration_us}))

    def jump(self, at_us: int, forward: bool, slack_us: int = 150_000) -> int:
        """The stop after (before) a time; one closer than `slack_us` counts as where we are."""
        stops = self.stops()
        if forward:
            return stops[min(len(stops) - 1, bisect_right(stops, at_us + slack_us))]
        return stops[max(0, bisect_left(stops, at_us - slack_us) - 1)]


def next_frame(times: tuple[int, ...], at_us: int, forward: bool) -> int | None:
    """The frame after (before) the one that shows at `at_us`, of frames at `times`; None when there is none here."""
    here = bisect_right(times, at_us) - 1
    wanted = here + 1 if forward else here - 1
    return times[wanted] if 0 <= wanted < len(times) else None


def shown_at(times: tuple[int, ...], frame_us: int, frame_length_us: int) -> int:
    """A time at which the frame of `frame_us` is certainly the one shown: half-way to the next, but not later than half
    a usual frame. The last frame of a fragment is stored with a usual length, however long it is till the next one.
    """
    after = bisect_right(times, frame_us)
    until_us = times[after] - frame_us if after < len(times) else frame_length_us
    return frame_us + min(until_us, frame_length_us) // 2


def wanted_time(text: str, footage: Footage, midnight_wall_us: int) -> int | None:
    """A typed time as a time of the recording, kept inside it: "4:26", "04:26.5", "1:04:26" count from its beginning;
    one that lies behind its end but fits the wall clock ("10:42:05") is a time of that day. None: not a time.

    `midnight_wall_us`: when the day of the recording began.
    """
    fields = text.strip().replace("：", ":").replace(";", ":").split(":")
    if not 1 <= len(fields) <= 3:
        return None
    try:
        numbers = [float(field) for field in fields]
    except ValueError:
        return None
    if any(not 0 <= number < 100_000 for number in numbers) or any(number >= 60 for number in numbers[1:]):
        return None
    seconds = 0.0
    for number in numbers:
        seconds = seconds * 60 + number
    at_us = round(seconds * 1e6)
    if at_us > footage.duration_us and len(fields) >= 2:
        day_s = seconds if len(fields) == 3 else seconds * 60
        by_clock = midnight_wall_us + round(day_s * 1e6) - footage.began_wall_us
        if 0 <= by_clock <= footage.duration_us:
            return by_clock
    return min(at_us, footage.duration_us)


@dataclass(frozen=True, slots=True)
class Proof:
    """How far verification is: fragments checked, pictures good up to `valid_to_us` (-1: none); the first fault's code
    and where its fragment lies. `notes` as `app.evidence.verify` has them; `done`: nothing more will come.
    """

    recording_id: str
    checked: int
    fragments: int
    valid_to_us: int
    done: bool = False
    fault: str = ""
    fault_us: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exported:
    """A file that was written for a person, with the number of the event that records it. `without`: why what a camera
    (`lacking`) filmed is not in it, "" when it is or there is none. `unchecked`: nobody has read all of it for PINs.
    """

    kind: str
    path: str
    seq: int
    without: str = ""
    lacking: str = ""
    unchecked: bool = False


class ReviewDesk(Protocol):
    """What the review screen may ask for. `tell` is called once from any thread, with a value or a Trouble; `film` and
    `frame_times` answer at once. Who is no supervisor gets BadInput("review.not_allowed").
    """

    def lines(self, who: Operator, pile: Pile, query: str, tell: Callable[[Lines | Trouble], None]) -> None:
        """Lines of a pile, or of the whole store for a query: a waybill, the last four characters, a time of day."""

    def footage(self, who: Operator, recording_id: str, tell: Callable[[Footage | Trouble], None]) -> None:
        """The time line of a recording."""

    def film(self, recording_id: str, part: int) -> BinaryIO | None:
        """A part that was asked for by `footage`, decrypted as it is read; None when it cannot be played."""

    def frame_times(self, recording_id: str, at_us: int) -> tuple[int, ...]:
        """When each frame around a time was taken, in order: those of the fragment there and of both beside it."""

    def verify(self, recording_id: str, tell: Callable[[Proof], None]) -> None:
        """Check the recording in the background; `tell` is called many times. A second call drops the first."""

    def still(self, who: Operator, recording_id: str, at_us: int, tell: Callable[[Exported | Trouble], None]) -> None:
        """Write the frame shown at this time as a picture file, with its event."""

    def dossier(
        self, who: Operator, recording_id: str, card_id: str, tell: Callable[[Exported | Trouble], None]
    ) -> None:
        """Write the dossier of a card's stretch ("" : of the whole recording), with its event."""

    def hold(
        self, who: Operator, recording_id: str, keep: bool, reason: str, tell: Callable[[Hold | Trouble | None], None]
    ) -> None:
        """Keep the footage from being removed, for this reason; or let it go again, which needs a reason only where it
        judges that no PIN is to be seen.
        """

    def rule(
        self,
        who: Operator,
        card_id: str,
        ruling: Ruling,
        reason: str,
        second: Second | None,
        tell: Callable[[Ruled | Trouble], None],
    ) -> None:
        """Decide of a card under review; `second` signs besides where the policy asks for it."""

    def undo_ruling(self, who: Operator, card_id: str, tell: Callable[[Ruled | Trouble], None]) -> None:
        """Take one's own ruling back, within two minutes."""

    def judge_sample(
        self, who: Operator, card_id: str, fine: bool, reason: str, tell: Callable[[Ruled | Trouble], None]
    ) -> None:
        """Settle a drawn card: fine, or it goes to review."""

    def dispute(
        self, who: Operator, recording_id: str, card_id: str, reason: str, tell: Callable[[Ruled | Trouble], None]
    ) -> None:
        """Open a dispute about a card ("": about the parcel); its footage is held."""

    def settle(
        self, who: Operator, dispute_id: str, upheld: bool, reason: str, tell: Callable[[Ruled | Trouble], None]
    ) -> None:
        """End a dispute; `upheld`: the sender was right."""
