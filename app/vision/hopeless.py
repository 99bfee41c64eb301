"""What is asked about a doubtful field, and when nobody should be asked which of these it is: the right one is most
likely not among them.

What glare or wear has taken from a line cannot be offered. A clerk who is led through doubtful characters of a text
that lacks others ends with a wrong one, or with the question that has no right answer; she is told at once that the
field cannot be read, and turns the card or types. The limits: `docs/reading-panel.md`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from app.core.cards import CharReading, FieldReading, FieldState
from app.core.products import FieldPattern
from app.vision.decoding.decode import Decoded, decode_views
from app.vision.decoding.fuse import Fused, has_hole
from app.vision.decoding.groups import gaps_of, many_begin_within_group, parts_one_off
from app.vision.ends.fading import HARDLY_SEEN, faint_ones, gone_ends, pale_ends, paler_ends, paling_ends
from app.vision.ends.lit import ends_in_light, past_ends, rising_ends, unended
from app.vision.ends.rims import plain_ends
from app.vision.fields.spots import Spot
from app.vision.text.recognise import Engine

_SHOWN = 3
"""So many ways to fill a character a person is asked to choose from (`app.core.cards.alternatives`)."""

_LEAST = 0.966
"""What the probability that each character is among those shown has to be, all of them together: of 15 fields below it,
but above 0.9, five had no right answer, of 330 above it eight."""

_LEAST_IN_LENGTH = 0.95
"""The same where the length is open as well: of nine below it six had no right answer."""

_HOLE = 2.9
"""Pitches between two neighbours from where characters are missing there, and nobody can tell how many; from one group
to the next it is two."""


SHORTEST = 6
"""Characters: of the PINs we know none has fewer. One of unknown length that has fewer is not all there,
but where the layer is seen to end it."""


_RARELY_LONGER = 16
"""Characters from which hardly any PIN goes on. Of 46 shorter ones that were shown as they are to be confirmed, since
light may have cut an end, 13 went on; of 18 longer ones none (since then one, 11000296h)."""

_STRANGE = 0.5
"""How surely PP-OCR sees a sign that no field has between two characters: what it is after all, no view tells."""


_MAY_BE_LONGER = 0.1
"""Mean share of its views for longer texts from where a number's end in light is doubted. Of 4,852 stated numbers it
concerns ten, two of which lacked digits."""


_SURE_BESIDE_DOUBT = 0.995
"""What a character needs that is not asked about where its field is: of 70 below it in 730 such fields three were wrong
(an O that was a 0, one that was a Q, an N that was an H), of 7,400 above it three."""


def hopeless(
    fused: Fused, others: bool, spots: Sequence[Spot], pattern: FieldPattern, closed: Collection[int] | None = None
) -> bool:
    """Whether a doubtful field holds characters that no list of what was read can hold.

    `others`: it is offered in other lengths as well; `closed`: which of its ends are seen to be ends (0, 1), None where
    nobody looked for them.
    """
    reading, lead = fused.reading, fused.lead
    if reading.state is not FieldState.DOUBTFUL or lead is None or len(lead.spans) != len(reading.chars):
        return False
    shown = math.prod(sum(sorted((c.p for c in char.candidates), reverse=True)[:_SHOWN]) for char in reading.chars)
    if shown < (_LEAST_IN_LENGTH if others else _LEAST):
        return True
    if len(pattern.lengths) == 1:
        return False
    if not others and (len(reading.chars) < SHORTEST or (closed is not None and _may_go_on(reading))):
        return True
    views = decode_views((view for spot in spots for view in spot.views), pattern)
    theirs = [said for said in views if said.engine is Engine.PPOCR]
    if _most(views, lambda said: _widest(said) > _HOLE):
        return True
    if others and theirs and _most(theirs, lambda said: said.strange > _STRANGE):
        return True
    holes = sum(has_hole(said, pattern) for said in views)
    if 0 < holes == len(views) or (not others and holes * 2 > len(views)):
        return True
    gone = frozenset.intersection(*(_gone(s, lead) for s in spots))
    if others and parts_one_off(lead.spans, lead.text):
        return True
    if others and closed is not None:
        gone |= frozenset.intersection(*(paler_ends(s.picture, lead.spans, lead.steps) for s in spots))
    alike = [said for said in views if len(said.spans) == len(lead.spans)]
    if swallowed_ends(spots, lead) or many_begin_within_group(alike or [lead]):
        return True
    return any(min(at, 1) not in (closed or ()) for at in gone)


def weak_too(fused: Fused, spots: Sequence[Spot]) -> Fused:
    """A doubtful field whose faint and less likely characters are doubtful too: who is asked anyway is asked about all
    of it.
    """
    reading, lead = fused.reading, fused.lead
    if reading.state is not FieldState.DOUBTFUL or lead is None or len(lead.spans) != len(reading.chars):
        return fused
    faint = frozenset.intersection(*(faint_ones(s.picture, lead.spans, lead.steps) for s in spots))

    def doubted(chars: tuple[CharReading, ...]) -> tuple[CharReading, ...]:
        return tuple(
            replace(c, sure=c.sure and at not in faint and c.best.p >= _SURE_BESIDE_DOUBT) for at, c in enumerate(chars)
        )

    wholes = tuple(replace(whole, chars=doubted(whole.chars)) for whole in reading.wholes)
    return replace(fused, reading=replace(reading, chars=doubted(reading.chars), wholes=wholes))


def _may_go_on(pin: FieldReading) -> bool:
    """Whether light may have taken an end of a PIN that reads like a whole one: who is asked to confirm it will."""
    cut = bool(pin.wholes) and any(char.sure for char in pin.chars)
    return cut and len(pin.chars) < _RARELY_LONGER


def _gone(spot: Spot, lead: Decoded) -> frozenset[int]:
    """The ends towards which print pales so that nobody would see a next character, or into light that grows beyond."""
    steep = gone_ends(spot.picture, lead.spans, lead.steps)
    pale = pale_ends(spot.picture, lead.spans, lead.steps)
    lit = pale & rising_ends(spot.lit, spot.picture.shape[1], lead.spans, lead.steps)
    return dimmed_beyond(spot, lead, steep) | lit


def dimmed_beyond(spot: Spot, lead: Decoded, ends: frozenset[int]) -> frozenset[int]:
    """Those of some ends beyond which a reflection goes on and may hide what stands there. The dear look at the panel's
    rims is taken only where the light does not tell.
    """
    left = ends and ends - past_ends(spot.lit, spot.picture.shape[1], lead.spans, lead.steps)
    return left - plain_ends(spot.rims, spot.picture, lead.spans, lead.steps, left)


def vanished_ends(spots: Sequence[Spot], lead: Decoded) -> frozenset[int]:
    """The ends towards which every look shows print pale to next to nothing, in light that goes on: what ends a panel
    there may be the light. Light that falls only behind the next two places has not ended before them: 518528628403 was
    stated without its 3 (17000074 typical); of 5,347 PINs stated one right one ends so.
    """

    def seen(spot: Spot) -> frozenset[int]:
        gone = gone_ends(spot.picture, lead.spans, lead.steps, HARDLY_SEEN)
        in_light = gone and gone & unended(spot.lit, spot.picture.shape[1], lead.spans, lead.steps)
        return dimmed_beyond(spot, lead, gone) | in_light

    return frozenset.intersection(*map(seen, spots))


def swallowed_ends(spots: Sequence[Spot], lead: Decoded) -> frozenset[int]:
    """The ends (first, last position) that every look shows right beside light in which nobody would see more print."""

    def seen(spot: Spot) -> frozenset[int]:
        until = spot.limits[1] - spot.area.x
        return ends_in_light(spot.lit, spot.picture.shape[1], lead.spans, lead.steps, until)

    return frozenset.intersection(*map(seen, spots))


def unseen_ends(spots: Sequence[Spot], lead: Decoded, pattern: FieldPattern) -> frozenset[int]:
    """The ends of a reading beyond which no look that reads it so shows the card: one that reads more is no witness."""
    if not any(any(spot.unseen) for spot in spots):
        return frozenset()
    n = len(lead.spans)
    views = [decode_views(spot.views, pattern) for spot in spots]
    alike = [s for s, seen in zip(spots, views, strict=True) if _most(seen, lambda said: len(said.spans) == n)] or spots
    return frozenset(side * (n - 1) for side in (0, 1) if all(spot.unseen[side] for spot in alike))


def longer_in_light(spots: Sequence[Spot], lead: Decoded, pattern: FieldPattern) -> frozenset[int]:
    """The last position of a reading that its views hold to be longer more often than hardly ever, if every look shows
    print pale there or light grow beyond: a 2 of which glare had left a trace was dropped (17000406 hard).
    """
    views = decode_views((view for spot in spots for view in spot.views), pattern)
    n = len(lead.spans)
    longer = sum(p for said in views for length, p in said.lengths.items() if length > n)
    if longer <= _MAY_BE_LONGER * len(views):
        return frozenset()

    def seen(spot: Spot) -> frozenset[int]:
        pale = paling_ends(spot.picture, lead.spans, lead.steps)
        return pale | rising_ends(spot.lit, spot.picture.shape[1], lead.spans, lead.steps)

    return frozenset.intersection(*map(seen, spots)) & {n - 1}


def _most(views: Sequence[Decoded], holds: Callable[[Decoded], bool]) -> bool:
    return sum(map(holds, views)) * 2 > len(views)


def _widest(said: Decoded) -> float:
    """The widest gap between two neighbours, in pitches."""
    return max(gaps_of(said.spans), default=0.0)


def unread(reading: FieldReading) -> FieldReading:
    """The reading as one that nobody is asked to choose from."""
    return replace(reading, state=FieldState.UNREADABLE, wholes=())
