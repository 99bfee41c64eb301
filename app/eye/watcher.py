"""The eye's work on one frame after another: tracker and vision joined. Knows neither camera nor connection.

The live program and the replay of recordings both drive this; only where frames come from differs.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from app.core.asking import shows_no_card
from app.core.cards import CardRead, Guidance, Medium, PanelState, Sighting, Zone
from app.core.codes import CodeKind, kind_of, symbology_of
from app.core.products import Catalogue
from app.eye.codec import LeftTooEarly
from app.eye.tracker import LEAST_LOOKS, Done, Empty, News, Presence, Step, Tracker, Wish
from app.vision.card.locate import Found, Located, locate
from app.vision.conclude import Conclusion, conclude
from app.vision.fields.printed import Amount
from app.vision.guide import guidance
from app.vision.look import Look, Looker, is_doubtful_card
from app.vision.medium import COPIES
from app.vision.picture.pixels import Colour, Corners, Gray, as_quad
from app.vision.picture.stillness import STILL, as_lit, motion, shrink
from app.vision.zones import zones

SIGHTING_APART_US = 66_000
"""At most fifteen sightings a second."""

_GRAVER = frozenset({Guidance.EMPTY, Guidance.TWO_CARDS, Guidance.CUT_OFF})
"""What is said of a sheet or a phone too: beside it lies a card that must be covered, or nothing lies there."""

_FOLLOWED = 0.25
"""Of the card's width: how far a corner may have moved since the look."""

_DRIFTED = 0.02
"""Of the card's width: further from where it lay, it has drifted. Nearer is the error of finding its corners."""

_AROUND_APART_US = 130_000
"""Between two searches for what changes slowly around a card that lies still."""

UNSEEN_US = 500_000
"""Without a look for this long, another card may have been laid down in the same place."""

_COMPARABLE = 0.2
"""Confidence below which a reading says nothing about which card it is."""

Told = Sighting | CardRead | LeftTooEarly


@dataclass(frozen=True, slots=True)
class Glimpse:
    """A frame as the watcher takes it: its time, its lightness plane, and how to get its colours if they are wanted."""

    at_us: int
    y: Gray
    colour: Callable[[], Colour]


class Watcher:
    """Sees frames in order and tells sightings, card reads and cards that left too early."""

    def __init__(self, looker: Looker, catalogue: Catalogue) -> None:
        self._looker = looker
        self._catalogue = catalogue
        self._tracker = Tracker()
        self._before: Gray | None = None
        self._searched: Gray | None = None  # the small picture in which the card was searched for last
        self._lay: Corners | None = None  # where it lay when it was searched for because it moved or was read
        self._located = Located(Found.NONE)
        self._located_us = -1  # the frame in which it was found there
        self._looks: list[Look] = []
        self._look_times: list[int] = []
        self._done: Conclusion | None = None
        self._told_us = -SIGHTING_APART_US
        self._moving = False
        self._stirred = False
        self._parted: list[Told] = []
        self._medium: Medium | None = None

    def see(self, glimpse: Glimpse) -> list[Told]:
        """All there is to tell after this frame. Takes 1 ms, or up to a second when the card is read."""
        small = shrink(glimpse.y)
        moved = self._before is None or motion(small, self._before) > STILL
        self._before = small
        self._moving = moved or self._has_drifted(small, glimpse)
        self._stirred = self._stirred or self._moving
        told: list[Told] = []
        step = self._tracker.glanced(glimpse.at_us, self._moving)
        while True:
            self._tracker = step.tracker
            told += self._news(step.news)
            if step.wish is Wish.NOTHING:
                break
            step = self._grant(step, glimpse)
        return told + self._sighting(glimpse)

    def _has_drifted(self, small: Gray, glimpse: Glimpse) -> bool:
        """Whether the card that was read lies elsewhere by now though no frame told of motion: one that slides slowly
        looks in each as in the one before, and its mask would stay behind.

        What changed around it only, a sleeve or another card pushed near, is searched for but is no motion.
        """
        if not isinstance(self._tracker.phase, Done) or self._searched is None:
            return False
        corners, width = self._located.corners, glimpse.y.shape[1]
        if corners is None:
            return motion(small, self._searched) > STILL
        if motion(small, as_lit(self._searched, small, corners, width), corners, width) > STILL:
            return True
        if glimpse.at_us - self._located_us < _AROUND_APART_US or motion(small, self._searched) <= STILL:
            return False
        lay = self._lay
        self._locate(glimpse.colour(), glimpse.at_us)
        now, self._lay = self._lay, lay  # how far the card itself has moved goes on being counted
        return now is None or lay is None or _moved(now, lay)[0] > _DRIFTED * float(np.linalg.norm(lay[1] - lay[0]))

    def read_again(self, at_us: int) -> None:
        """Read the card that lies there once more."""
        self._apply(self._tracker.read_again(at_us))

    def forget(self) -> None:
        """Whatever lies there now counts as new."""
        self._apply(self._tracker.forgotten())

    def learn(self, catalogue: Catalogue) -> None:
        """Know these products from the next look on."""
        self._catalogue = catalogue
        self._looker.learn(catalogue)

    @property
    def present(self) -> bool:
        """Whether a card is in view."""
        return not isinstance(self._tracker.phase, Empty)

    @property
    def first_us(self) -> int:
        """When the present card came into view."""
        return self._tracker.first_us

    @property
    def last_us(self) -> int:
        """When the present card was last seen."""
        return self._tracker.last_us

    def _apply(self, step: Step) -> None:
        self._tracker = step.tracker
        if step.news is News.NEW_CARD:
            self._forget_looks()

    def _grant(self, step: Step, glimpse: Glimpse) -> Step:
        match step.wish:
            case Wish.LOCATE:
                self._locate(glimpse.colour(), glimpse.at_us)
                return self._tracker.located(glimpse.at_us, presence(self._located), self._moving)
            case Wish.LOOK:
                return self._look(glimpse)
            case Wish.COMPARE:
                return self._tracker.compared(glimpse.at_us, self._is_same(glimpse))
            case Wish.NOTHING:
                return Step(step.tracker)

    def _locate(self, picture: Colour, at_us: int) -> None:
        self._located, self._located_us = locate(picture), at_us
        self._searched, self._lay = self._before, self._located.corners

    def _look(self, glimpse: Glimpse) -> Step:
        """Take one look and tell the tracker whether all looks together leave nothing open."""
        picture = glimpse.colour()
        if self._located_us != glimpse.at_us:
            self._locate(picture, glimpse.at_us)
        if self._located.corners is None or self._located.found is Found.TOO_FAR:
            return self._tracker.looked(glimpse.at_us, False)
        if self._looks and self._lost_sight(glimpse.at_us):
            return self._look_anew(self._looker.look(picture, self._located), glimpse.at_us)
        first = self._looks[0] if self._looks and self._is_whole(self._looks[0]) else None
        look = (
            self._looker.look_again(picture, self._located, first)
            if first
            else self._looker.look(picture, self._located)
        )
        if (first is None and self._is_whole(look)) or (first is not None and look.panel_seen_anew):
            # What saw less of the card has nothing to add: a blurred arrival, or a panel before it was scratched.
            self._forget_looks()
        if not is_doubtful_card(look):
            self._medium = Medium.CARD  # whatever a blurred arrival looked like
        elif self._medium is None:
            # Whether it is a card at all is asked once, where it lacks what cards have.
            self._medium = self._looker.medium(picture, self._located.corners)
        return self._add(look, glimpse.at_us)

    def _add(self, look: Look, at_us: int) -> Step:
        self._looks.append(look)
        self._look_times.append(at_us)
        self._stirred = False
        found = conclude(self._looks, self._catalogue)
        return self._tracker.looked(at_us, found.sure, not found.cut_off)

    def _lost_sight(self, at_us: int) -> bool:
        """Whether the card may have been changed since the last look: something moved, or nobody looked for long."""
        return self._stirred or at_us - self._look_times[-1] > UNSEEN_US

    def _look_anew(self, look: Look, at_us: int) -> Step:
        """Join a look to those before it only when it shows the same card; a number of one card never meets the PIN of
        another. What cannot be told is left out; a card that was cut off and lies there whole is read from the start.
        """
        before, now = conclude(self._looks, self._catalogue), conclude([look], self._catalogue)
        pushed_in = before.cut_off and not now.cut_off and is_part_of(before, now)
        if pushed_in or not same_card(before, now):
            self._parted = [] if pushed_in else self._part(before)
            self._forget_looks()
            self._looks.append(look)
            self._look_times.append(at_us)
            self._stirred = False
            return self._tracker.swapped(at_us)
        if not shares_proof(before, now):
            return self._tracker.looked(at_us, False)
        return self._add(look, at_us)

    def _part(self, before: Conclusion) -> list[Told]:
        """What is told of a card that was taken away before its reading was over."""
        first_us, last_us = self._tracker.first_us, self._tracker.last_us
        if before.sure and len(self._looks) >= LEAST_LOOKS:
            return [as_card_read(before, first_us, self._look_times[before.best], self._catalogue.version)]
        return [LeftTooEarly(first_us, last_us)]

    def _is_whole(self, look: Look) -> bool:
        """Whether a look found every field that later looks need only read again."""
        pin_found = look.pin is not None or look.panel in (PanelState.COVERED, PanelState.PARTIAL)
        return look.number is not None and look.number_proved and pin_found

    def _is_same(self, glimpse: Glimpse) -> bool:
        """Whether the card in view is the one read last: the same digits in the same places.

        What showed nothing of a card (the parcel and its label, a card's front) has no digits to compare: then
        something readable is new.
        """
        if self._done is None or not self._looks or self._located.corners is None:
            return True
        if shows_no_card(self._done):
            return shows_no_card(conclude([self._looker.look(glimpse.colour(), self._located)], self._catalogue))
        if self._done.cut_off:
            now = conclude([self._looker.look(glimpse.colour(), self._located)], self._catalogue)
            return is_part_of(self._done, now) or same_card(self._done, now)
        look = self._looker.look_again(glimpse.colour(), self._located, self._looks[0])
        now = conclude([look], self._catalogue)
        return same_card(self._done, now)

    def _news(self, news: News) -> list[Told]:
        match news:
            case News.READ:
                return self._card_read()
            case News.LEFT_TOO_EARLY:
                told = LeftTooEarly(self._tracker.first_us, self._tracker.last_us)
                self._forget_looks()
                return [told]
            case News.SWAPPED:
                told_before, self._parted = self._parted, []
                return told_before
            case News.NEW_CARD | News.LEFT:
                self._forget_looks()
        return []

    def _card_read(self) -> list[Told]:
        if not self._looks:
            return [LeftTooEarly(self._tracker.first_us, self._tracker.last_us)]
        found = conclude(self._looks, self._catalogue)
        self._done = found
        if found.blank or self._medium in COPIES:
            return []  # a card's front, a printed e-mail, or no card at all: nothing to report
        return [as_card_read(found, self._tracker.first_us, self._look_times[found.best], self._catalogue.version)]

    def _forget_looks(self) -> None:
        self._looks.clear()
        self._look_times.clear()
        self._done = None
        self._medium = None

    def _sighting(self, glimpse: Glimpse) -> list[Told]:
        if glimpse.at_us - self._told_us < SIGHTING_APART_US:
            return []
        self._told_us = glimpse.at_us
        look = self._looks[-1] if self._looks else None
        quad = None if self._located.corners is None else as_quad(self._located.corners)
        marks: tuple[Zone, ...] = ()
        if look is not None and self._done is not None and self._located.corners is not None:
            marks = followed(look, self._located.corners, self._done)
        hint = guidance(self._located, self._moving, look)
        if self._medium in COPIES and hint not in _GRAVER:
            hint = Guidance.NOT_A_CARD
        if hint is Guidance.EMPTY:
            quad, marks = None, ()
        sharp, burnt = (look.sharpness, look.glare) if look is not None else (0.0, 0.0)
        return [Sighting(glimpse.at_us, hint, quad, marks, round(sharp, 3), round(burnt, 4))]


def followed(look: Look, corners: Corners, done: Conclusion) -> tuple[Zone, ...]:
    """The fields of a card that was read, where it lies now; () when it moved so far that it may lie the other way
    round: a wrong place would show what must be covered.
    """
    away, turned = _moved(corners, look.corners)
    if away > _FOLLOWED * float(np.linalg.norm(look.corners[1] - look.corners[0])):
        return ()
    return zones(replace(look, corners=turned), done.number, done.pin)


def _moved(corners: Corners, before: Corners) -> tuple[float, Corners]:
    """How many pixels the corner that moved most is away, and the corners in the order of those before."""
    turns = [np.roll(corners, n, axis=0) for n in range(4)]
    return min(((float(np.abs(turn - before).max()), turn) for turn in turns), key=lambda one: one[0])


def _fen(value: Amount | None) -> int | None:
    """A face value in fen; None for money of another country, which no rule here counts."""
    return value.units * 100 if value is not None and value.currency == "CNY" else None


def presence(located: Located) -> Presence:
    """What the tracker needs to know of a search."""
    if located.found is Found.NONE:
        return Presence.NONE
    # A card a little over the edge of the picture is still worth reading; guidance says so meanwhile.
    return Presence.FIT if located.found in (Found.ONE, Found.CUT_OFF) else Presence.UNFIT


def same_card(before: Conclusion, now: Conclusion) -> bool:
    """Whether two conclusions can be of one card: neither number nor GTIN clearly differs."""
    if before.gtin is not None and now.gtin is not None and before.gtin != now.gtin:
        return False
    for old, new in ((before.number, now.number), (before.pin, now.pin)):
        if not old.chars or not new.chars or new.confidence < _COMPARABLE:
            continue
        if len(old.chars) != len(new.chars):
            return False
        if sum(a.best.glyph != b.best.glyph for a, b in zip(old.chars, new.chars, strict=True)) > 2:
            return False
    return True


def is_part_of(before: Conclusion, now: Conclusion) -> bool:
    """Whether a card of which a part was seen may be the one that is seen now."""
    if before.gtin is not None and now.gtin is not None and before.gtin != now.gtin:
        return False
    pairs = (before.number, now.number), (before.pin, now.pin)
    texts = (["".join(c.best.glyph for c in reading.chars) for reading in pair] for pair in pairs)
    return all(part in whole or not whole for part, whole in texts)


def shares_proof(before: Conclusion, now: Conclusion) -> bool:
    """Whether two conclusions that do not differ have something in common: the GTIN, or a number that was read."""
    if before.gtin is not None and before.gtin == now.gtin:
        return True
    return bool(before.number.chars) and bool(now.number.chars) and now.number.confidence >= _COMPARABLE


def as_card_read(found: Conclusion, first_us: int, best_us: int, catalogue: str = "") -> CardRead:
    """A conclusion as what the station gets, under a fresh id. `catalogue`: the version it was read with.

    Codes for a limited time are not passed on: they must not be kept.
    """
    return CardRead(
        read_id=str(uuid.uuid4()),
        first_us=first_us,
        best_us=best_us,
        product_id=None if found.product is None else found.product.id,
        gtin=found.gtin,
        barcodes=tuple(b for b in found.barcodes if kind_of(b.text, symbology_of(b.format)) is not CodeKind.TIMED),
        number=found.number,
        pin=found.pin,
        panel=found.panel,
        expiry=found.expiry,
        expiry_printed=found.expiry_printed,
        face_value_fen=_fen(found.face_value),
        batch=found.batch,
        region=found.region,
        quad=as_quad(found.corners),
        zones=found.zones,
        crops=found.crops(),
        legible=None if found.legible is None else (found.legible.seen, found.legible.total),
        catalogue=catalogue,
        timed=found.timed,
        torn=found.torn,
    )
