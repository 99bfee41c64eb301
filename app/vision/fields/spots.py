"""One field read where it stands: our recogniser first, PP-OCR once, and further views only where these leave doubt.

A spot keeps lattices, not strings: what they mean is decided over all looks of a card, once its product is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.core.products import DIGITS, UNKNOWN_PIN
from app.vision.decoding.decode import decode_views
from app.vision.decoding.fuse import fuse, in_doubt
from app.vision.decoding.twinjudge import Glance, TwinJudge
from app.vision.ends.lit import UNLIT, Lit, lit_along
from app.vision.ends.rims import NO_RIMS, Rims, rims_along
from app.vision.panel.torn import SURELY, TORN, TornJudge
from app.vision.picture.area import Area
from app.vision.picture.pixels import Colour, Floats
from app.vision.text.closeup import close_up, even_out, further_pictures, ink_rows, widen
from app.vision.text.codes import CodeReader
from app.vision.text.recognise import BLANK, GLYPHS, OTHER, Recogniser, TextSign, View
from app.vision.text.textlines import LineBox, cut

SETTLED = 0.93
"""What the weakest character of every view needs for no further view to be taken."""

_SETTLED_VIEWS = 3  # are all there are where these agree

_CERTAIN = 0.98  # what it needs where PP-OCR saw the field in its line only, not closed up
_MARGIN = 0.05  # heights around a field in its picture
_REACH = 2.2  # heights beyond the finder's box in which a last group is looked for
_MOST_STEPS = 3  # further ones, after a first that found something: the finder may have missed whole groups
_SEEN = 0.4


@dataclass(frozen=True, slots=True, repr=False)
class Spot:
    """A field's place on the upright card and what was read there (several views of the same ink)."""

    area: Area
    limits: tuple[float, float]  # how far to the left and right its characters may reach
    views: tuple[View, ...]
    picture: Colour
    twins: tuple[Glance, ...] = ()  # its zeros, Os, ones and Is by their glyph alone, where letters stand beside them
    lit: Lit = UNLIT  # along it and beyond its ends
    further: tuple[View, ...] = ()  # what only settles a doubt that `views` leave
    rims: Rims = NO_RIMS  # its open panel along it
    torn: float | None = None  # probability that its print was scraped; None where nobody looked
    unseen: tuple[bool, bool] = (False, False)  # whether the picture ends before and behind it: more may stand there


def seem_torn(spots: Sequence[Spot]) -> bool:
    """Whether in any look at a field strokes of its characters may have been scraped off."""
    return any(spot.torn is None or spot.torn >= TORN for spot in spots)


def surely_torn(spots: Sequence[Spot]) -> bool:
    """Whether its print looks scraped in every look."""
    return bool(spots) and all(spot.torn is not None and spot.torn >= SURELY for spot in spots)


class SpotReader:
    """Reads fields with both recognisers. One instance a process, one thread at a time."""

    def __init__(self, recogniser: Recogniser, codes: CodeReader) -> None:
        self._recogniser = recogniser
        self._codes = codes
        self._twins = TwinJudge()
        self._torn = TornJudge()

    def read(
        self,
        card: Colour,
        area: Area,
        limits: tuple[float, float],
        said: View | None = None,
        panel: Area | None = None,
    ) -> Spot:
        """One field of the upright card; `limits`: how far to the left and right it may reach beyond `area`.

        `said`: what PP-OCR read in this very area when the card's lines were read; `panel`: an open one around it.
        """
        reached = self._reach(card, area, limits)
        for _ in range(_MOST_STEPS if reached != area else 0):
            before, reached = reached, self._reach(card, reached, limits)
            if reached == before:
                break
        box = LineBox(reached.x, reached.y, reached.w, reached.h, 0.0, 1.0)
        plain, wide = cut(card, box, _MARGIN), cut(card, box, 0.18)
        rows = ink_rows(plain)
        views = self.views(plain, wide, said if reached == area else None, rows)
        own = views[:2]  # ours come first, the first of them as wide as the picture
        twins = self._twins.look(plain, own[0], rows) if _needs_telling(own) else ()
        margin = _MARGIN * reached.h
        shown = replace(reached, x=reached.x - margin, w=reached.w + 2 * margin)
        inked = [reached.y - margin + row * (reached.h + 2 * margin) / len(plain) for row in rows]
        rims = rims_along(card, shown, (inked[0], inked[1]), panel)
        torn = None if panel is None else self._torn.look(plain, rows)
        return Spot(reached, limits, views, plain, twins, lit_along(card, shown), rims=rims, torn=torn)

    def read_pin(
        self,
        card: Colour,
        area: Area,
        limits: tuple[float, float],
        said: View | None = None,
        panel: Area | None = None,
    ) -> Spot:
        """A PIN in its open panel, as `read` does; where its characters are in doubt with further views, 3 ms each."""
        spot = self.read(card, area, limits, said, panel)
        if len(spot.views) <= _SETTLED_VIEWS or not in_doubt(fuse(decode_views(spot.views, UNKNOWN_PIN), UNKNOWN_PIN)):
            return spot
        return replace(spot, further=tuple(self._codes.read(further_pictures(spot.picture))))

    def views(
        self, plain: Colour, wide: Colour, said: View | None = None, rows: tuple[int, int] | None = None
    ) -> tuple[View, ...]:
        """What the engines make of a field as it is (`plain`, its ink in `rows`) and with more margin (`wide`).

        Ours costs a sixth of PP-OCR. Where both agree on every character, further views were measured to change
        nothing; where they differ, the engines' other views find out whether they are sure of themselves. What PP-OCR
        `said` already is its view where ours agrees beyond doubt and no twin glyphs have to be told apart.
        """
        rows = rows or ink_rows(plain)
        close, loose, level = (close_up(plain, share, rows) for share in (0.82, 0.7, 0.8))
        first = self._codes.read([close, loose])
        if said is not None and not _needs_telling(first) and settled((*first, said), _CERTAIN):
            return (*first, said)
        views = (*first, self._recogniser.read([level])[0].view)
        if settled(views):
            return views
        own = self._codes.read([even_out(close), widen(close, 0.9)])
        return (*views, *own, *(read.view for read in self._recogniser.read([loose, widen(level, 1.1), wide])))

    def _reach(self, card: Colour, area: Area, limits: tuple[float, float]) -> Area:
        """The area grown to characters that the finder's box cut off (a last group of one digit, say)."""
        low, high = min(area.x, limits[0]), max(area.right, limits[1])
        grown = Area(max(low, area.x - 1.5 * area.h), area.y, 0.0, area.h)
        grown = replace(grown, w=min(high, area.right + _REACH * area.h) - grown.x)
        if grown.w < area.w + 0.25 * area.h:
            return area
        picture = cut(card, LineBox(grown.x, grown.y, grown.w, grown.h, 0.0, 1.0))
        edges = ((area.x - grown.x) / grown.w, (area.right - grown.x) / grown.w)
        if not _seen_beyond(self._codes.signs(picture), edges):
            return area  # the cheap look finds nothing: the dear one is spared
        seen = [s for s in self._recogniser.read([picture])[0].signs if s.text.upper() in GLYPHS and s.p > _SEEN]
        if not seen:
            return area
        left = min(area.x, grown.x + seen[0].start * grown.w - 0.25 * area.h)
        right = max(area.right, grown.x + seen[-1].end * grown.w + 0.25 * area.h)
        return Area(max(left, low), area.y, min(right, high) - max(left, low), area.h)


def _seen_beyond(signs: Sequence[TextSign], edges: tuple[float, float]) -> bool:
    """Whether a sign stands with its middle outside of the two edges (shares of the width)."""
    return any(s.p > _SEEN and not edges[0] <= (s.start + s.end) / 2 <= edges[1] for s in signs)


def settled(views: Sequence[View], least: float = SETTLED) -> bool:
    """Whether every view says the same text and is sure of each character (twins that print alike count as one)."""
    texts = [_greedy(view.lattice) for view in views]
    return all(text == texts[0][0] for text, _ in texts) and bool(texts[0][0]) and min(p for _, p in texts) >= least


def greedy_lengths(views: Sequence[View]) -> list[int]:
    """How many characters each view sees at first glance."""
    return [len(_greedy(view.lattice)[0]) for view in views]


def _needs_telling(views: Sequence[View]) -> bool:
    """Whether there are letters, and with them glyphs that a letter or a digit may be (0 and O, 1 and I)."""
    glyphs = {GLYPHS[c] for view in views for c in view.lattice.argmax(axis=1) if c < len(GLYPHS)}
    return not glyphs <= set(DIGITS) and not glyphs.isdisjoint("0O1I")


_LEADERS = {"O": "0", "I": "1"}
"""Glyphs that some faces print alike and no further view tells apart, and which of them stands for both."""


def _twins() -> Floats:
    """Folds the columns of a lattice: glyphs that some faces print alike count as one, separators as blank."""
    groups = [GLYPHS.index(_LEADERS.get(g, g)) for g in GLYPHS] + [BLANK, OTHER, BLANK]
    fold = np.zeros((BLANK + 1, BLANK + 1), np.float32)
    fold[np.arange(BLANK + 1), groups] = 1
    return fold


_FOLD = _twins()


def _greedy(lattice: Floats) -> tuple[str, float]:
    """The likeliest path as a text of group leaders, and the probability of its weakest character."""
    folded = lattice @ _FOLD
    best = folded.argmax(axis=1)
    text, before = "", BLANK
    chances: list[float] = []
    for at, column in enumerate(best):
        p = float(folded[at, column])
        if column != BLANK and column == before:
            chances[-1] = max(chances[-1], p)
        elif column != BLANK:
            text += GLYPHS[column] if column < len(GLYPHS) else "?"
            chances.append(p)
        before = column
    return text, min(chances, default=0.0)
