"""When to look: one reading per card, never two, never none in silence. Pure: frames' facts in, wishes out.

    Empty ──card──> Arriving ──still──> Reading ──sure, or long enough──> Done ──gone──> Empty
      ^                │ gone: too early   │ gone: post what there is       │ another card in its place: Reading
      └────────────────┴───────────────────┘

A card that lies there after it was read is looked at again only when something moved; then it is compared, so that a
nudge posts nothing and a swap without an empty mat posts the new card.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

STILL_GLANCES = 2
"""Still frames in a row before a card is read."""

MOST_LOOKS, LEAST_LOOKS, MOST_US = 6, 2, 800_000
"""A reading ends when it is sure after LEAST_LOOKS, at the latest after MOST_LOOKS or with the first look that begins
MOST_US microseconds after the first one: a clerk waits 1.5 seconds, and what is open then is asked."""

PATIENCE_US, _PATIENT_APART_US = 3_000_000, 400_000
"""The same for a card that the picture does not show whole: it is told meanwhile, and pushed into view the question is
no more. Looks after the first ones then come this far apart."""

LOOK_APART_US = 60_000
"""Looks closer together than this see the same noise and the same motion blur."""

_LEAST_STAY_US = 300_000  # in view for less than this, a card was only waved past
_WAY_OUT_US = 1_000_000  # seen again within this time of leaving, it is the same card on its way out
_LOCATE_MOVING_US = 130_000
_LOCATE_QUIET_US = 1_000_000


class Presence(StrEnum):
    """What finding the card said. UNFIT: there, but two of them, cut off or too far away."""

    NONE = "none"
    FIT = "fit"
    UNFIT = "unfit"


class Wish(StrEnum):
    """What the tracker wants done with the frame it was shown; the answer comes by the method named behind."""

    NOTHING = "nothing"
    LOCATE = "locate"  # located()
    LOOK = "look"  # looked()
    COMPARE = "compare"  # compared()


class News(StrEnum):
    """What just became true."""

    NONE = "none"
    READ = "read"  # conclude the looks and post them
    LEFT_TOO_EARLY = "left-too-early"
    LEFT = "left"
    NEW_CARD = "new-card"  # forget the looks: another card lies there
    SWAPPED = "swapped"  # another card took the place of one that was being read


@dataclass(frozen=True, slots=True)
class Empty:
    """No card in view. `left_us`: when the last one was gone; its way out is no arrival."""

    left_us: int = -10_000_000


@dataclass(frozen=True, slots=True)
class Arriving:
    """A card in view that has not been read; `still` frames in a row without motion, `missed` searches in vain."""

    still: int = 0
    fit: bool = True
    missed: int = 0
    after_us: int = -10_000_000  # when the card before it was gone


@dataclass(frozen=True, slots=True)
class Reading:
    """Looks are being taken. `since_us`: the first one; `at_us`: the latest."""

    since_us: int
    at_us: int = 0
    looks: int = 0
    missed: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """The card was read and still lies there; `disturbed` when something moved since it was last compared."""

    disturbed: bool = False
    missed: int = 0


Phase = Empty | Arriving | Reading | Done


@dataclass(frozen=True, slots=True)
class Step:
    """The tracker after a fact, what it wants and what it has to say."""

    tracker: Tracker
    wish: Wish = Wish.NOTHING
    news: News = News.NONE


@dataclass(frozen=True, slots=True)
class Tracker:
    """The state. `first_us`, `last_us`: when the present card was first and last in view (monotonic clock)."""

    phase: Phase = Empty()
    first_us: int = 0
    last_us: int = 0
    located_us: int = -_LOCATE_QUIET_US

    def glanced(self, at_us: int, moving: bool) -> Step:
        """A frame came; `moving` against the frame before."""
        match self.phase:
            case Empty():
                return self._search(at_us, moving)
            case Arriving() as phase:
                return self._wait_for_stillness(phase, at_us, moving)
            case Reading() as phase:
                return self._read_on(phase, at_us, moving)
            case Done() as phase:
                return self._watch(phase, at_us, moving)

    def located(self, at_us: int, presence: Presence, moving: bool) -> Step:
        """The card was searched for in the frame just shown."""
        tracker = replace(self, located_us=at_us)
        if presence is not Presence.NONE:
            return tracker._seen(at_us, presence, moving)
        return tracker._missed(at_us)

    def looked(self, at_us: int, sure: bool, whole: bool = True) -> Step:
        """A look was taken; `sure`: all looks together leave nothing open; `whole`: one of them shows all of it."""
        if not isinstance(self.phase, Reading):
            return Step(self)
        looks = self.phase.looks + 1
        taken_us = at_us - self.phase.since_us
        late = (looks >= MOST_LOOKS or taken_us >= MOST_US) if whole else taken_us >= PATIENCE_US
        if looks >= LEAST_LOOKS and (sure or late):
            return Step(replace(self, phase=Done(), last_us=at_us), news=News.READ)
        return Step(replace(self, phase=replace(self.phase, looks=looks, at_us=at_us, missed=0), last_us=at_us))

    def compared(self, at_us: int, same: bool) -> Step:
        """The card in view was held against the one that was read last."""
        if not isinstance(self.phase, Done):
            return Step(self)
        if same:
            return Step(replace(self, phase=Done(), last_us=at_us))
        return Step(Tracker(Reading(at_us), at_us, at_us, at_us), news=News.NEW_CARD)

    def swapped(self, at_us: int) -> Step:
        """A look showed another card than the looks before it: its reading begins with this look."""
        return Step(Tracker(Reading(at_us, at_us, looks=1), at_us, at_us, at_us), news=News.SWAPPED)

    def read_again(self, at_us: int) -> Step:
        """The operator wants the card that lies there read once more."""
        if isinstance(self.phase, Done):
            return Step(replace(self, phase=Reading(at_us)), news=News.NEW_CARD)
        return Step(self)

    def forgotten(self) -> Step:
        """Whatever lies there now counts as new."""
        return Step(Tracker(), news=News.NEW_CARD)

    def _search(self, at_us: int, moving: bool) -> Step:
        pause = _LOCATE_MOVING_US if moving else _LOCATE_QUIET_US
        return Step(self, Wish.LOCATE if at_us - self.located_us >= pause else Wish.NOTHING)

    def _wait_for_stillness(self, phase: Arriving, at_us: int, moving: bool) -> Step:
        still = 0 if moving else phase.still + 1
        tracker = replace(self, phase=replace(phase, still=still))
        # Just come to rest: find it exactly where it lies now, which also tells whether it is still there.
        due = at_us - self.located_us >= _LOCATE_MOVING_US
        return Step(tracker, Wish.LOCATE if due or still == STILL_GLANCES else Wish.NOTHING)

    def _read_on(self, phase: Reading, at_us: int, moving: bool) -> Step:
        if moving:
            due = at_us - self.located_us >= _LOCATE_MOVING_US
            return Step(self, Wish.LOCATE if due else Wish.NOTHING)
        apart_us = LOOK_APART_US if phase.looks < MOST_LOOKS else _PATIENT_APART_US
        due = phase.looks == 0 or at_us - phase.at_us >= apart_us
        return Step(self, Wish.LOOK if due else Wish.NOTHING)

    def _watch(self, phase: Done, at_us: int, moving: bool) -> Step:
        if moving:
            due = at_us - self.located_us >= _LOCATE_MOVING_US
            return Step(replace(self, phase=replace(phase, disturbed=True)), Wish.LOCATE if due else Wish.NOTHING)
        if phase.disturbed:
            return Step(self, Wish.LOCATE)
        return Step(replace(self, last_us=at_us))  # nothing moved, so it still lies there

    def _seen(self, at_us: int, presence: Presence, moving: bool) -> Step:
        at_rest = not moving
        fit = presence is Presence.FIT
        match self.phase:
            case Empty(left_us=left_us):
                return Step(Tracker(Arriving(fit=fit, after_us=left_us), at_us, at_us, at_us))
            case Arriving(still=still) if fit and still >= STILL_GLANCES:
                return Step(replace(self, phase=Reading(at_us), last_us=at_us), Wish.LOOK)
            case Arriving() as phase:
                # A card that lies still but unfit is searched for again, as after a fresh stop, until it is moved.
                return Step(replace(self, phase=replace(phase, fit=fit, missed=0), last_us=at_us))
            case Reading() as phase:
                return Step(replace(self, phase=replace(phase, missed=0), last_us=at_us))
            case Done(disturbed=True) if fit and at_rest:
                return Step(replace(self, last_us=at_us), Wish.COMPARE)
            case Done() as phase:
                return Step(replace(self, phase=replace(phase, missed=0), last_us=at_us))

    def _missed(self, at_us: int) -> Step:
        match self.phase:
            case Arriving(missed=0) as phase:
                return Step(replace(self, phase=replace(phase, missed=1)))
            case Arriving(after_us=after_us):
                stayed = self.last_us - self.first_us >= _LEAST_STAY_US and self.first_us - after_us >= _WAY_OUT_US
                return Step(replace(self, phase=Empty(after_us)), news=News.LEFT_TOO_EARLY if stayed else News.NONE)
            case Reading(missed=0) as phase:
                return Step(replace(self, phase=replace(phase, missed=1)))
            case Reading(looks=looks):
                return Step(replace(self, phase=Empty(at_us)), news=News.READ if looks else News.LEFT_TOO_EARLY)
            case Done(missed=0) as phase:
                return Step(replace(self, phase=replace(phase, missed=1)))
            case Done():
                return Step(replace(self, phase=Empty(at_us)), news=News.LEFT)
            case Empty():
                return Step(self)
