"""How many characters a field has, where the views of it do not agree: each length that may be, and what it reads as.

A line that was read one character too long or too short (layer or a frame taken for a sign, a stroke lost) cannot be
put right character by character. So every length that the views leave possible is read as if it were the true one, and
the person who sees the card picks among these readings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from app.core.cards import MOST_WHOLES, FieldState, Whole
from app.core.products import FieldPattern
from app.vision.decoding.decode import Decoded, decode_views
from app.vision.decoding.fuse import Fused
from app.vision.fields.spots import Spot
from app.vision.text.recognise import View

_LEAST = 0.15
"""Mean share of its views from which another length makes a question: of those with less hardly one was right."""

_LEAST_BESIDE = 0.05
"""The same for a third length beside two that are likely."""

_SEES = 0.01
"""Share from which a view has a say in what a length reads as."""

Read = Callable[[Sequence[Spot], FieldPattern], Fused]
"""How a field is read under a pattern of one length, by the views that see it in that length."""


@dataclass(frozen=True, slots=True, repr=False)
class InLength:
    """A field as it reads if it has as many characters as `fused` holds; `p` 0..1 that it has."""

    fused: Fused
    p: float

    @property
    def whole(self) -> Whole:
        return Whole(self.fused.reading.chars, round(self.p, 5))


def in_lengths(fused: Fused, spots: Sequence[Spot], pattern: FieldPattern, read: Read) -> tuple[InLength, ...]:
    """A doubtful field in every length that it may have, best first; () where that is hardly any but the one it was
    read in.
    """
    length = len(fused.reading.chars)
    if fused.reading.state is not FieldState.DOUBTFUL or len(pattern.lengths) == 1:
        return ()
    shares = _shares(decode_views([view for spot in spots for view in spot.views], pattern))
    others = sorted(
        (n for n, share in shares.items() if n != length and share >= _LEAST_BESIDE), key=lambda n: -shares[n]
    )
    if not others or shares[others[0]] < _LEAST:
        return ()
    likely = (length, *others[: MOST_WHOLES - 1])
    found = [InLength(_read_in(n, spots, pattern, read), shares.get(n, 0.0)) for n in likely]
    read_so = [one for one in found if one.fused.reading.chars]
    if len(read_so) < 2 or found[0] not in read_so:
        return ()
    return tuple(sorted(read_so, key=lambda one: -one.p))


def _shares(readings: Sequence[Decoded]) -> Mapping[int, float]:
    """Length -> its mean share over the views."""
    shares: dict[int, float] = {}
    for said in readings:
        for n, share in said.lengths.items():
            shares[n] = shares.get(n, 0.0) + share / len(readings)
    return shares


def _read_in(length: int, spots: Sequence[Spot], pattern: FieldPattern, read: Read) -> Fused:
    """The field read by the views that see this length in it."""
    seeing = [replace(spot, views=tuple(v for v in spot.views if _sees(v, length, pattern))) for spot in spots]
    return read([spot for spot in seeing if spot.views], replace(pattern, lengths=(length,)))


def _sees(view: View, length: int, pattern: FieldPattern) -> bool:
    return any(said.lengths.get(length, 0.0) >= _SEES for said in decode_views([view], pattern))


def given_length(readings: Sequence[Decoded]) -> list[Decoded]:
    """Readings of one length with no doubt left about it: the person who picks it takes that doubt away."""
    return [replace(said, of_length=1.0) for said in readings]
