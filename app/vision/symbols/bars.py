"""The third reader of linear symbols: finds areas of parallel bars and reads their profile as a whole.

For symbols that zxing-cpp and zbar cannot read because modules are smaller than two pixels or blurred. Takes a tenth to
half a second, so it is asked last. A reading counts only with a clear lead over the next best text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import cv2

from app.vision.picture.pixels import Corners, Floats, Gray
from app.vision.symbols.barcode import Hit, hit_of, same_place
from app.vision.symbols.barprofile import EVEN_NEAR, Decoded
from app.vision.symbols.code128 import decode_code128
from app.vision.symbols.retail import EAN8, decode_retail
from app.vision.symbols.stripes import MARGINS, Strip, find_strips, joined, straighten

MOST_MISFIT = 0.17
LEAD, LEAD_FORCED = 10.0, 20.0
"""Least lead of a text that came out by itself, and of one that needed the check digit. The highest lead of a wrong
text was 9.4 on the half of the photographs that these were set on."""
_LEAD_SHORT = 16.0  # EAN-8 has fewer digits and no parity to give it away
_LEAD_TWICE = 12.0
_HALVES = ((0.05, 0.5), (0.5, 0.95))  # of the length of the bars
_FAINT = 0.05  # of the strongest strip's weight: below it, nothing was ever read
_HOPELESS, _NO_LEAD = 0.12, 1.0
"""Misfit above and lead below which neither the halves nor other light read what the whole does not: of 153 symbols
that were read in 238 areas on cards, the worst began with 0.134 and 1.8, or 0.086 and 1.7."""
_THIS_KIND = 0.11  # misfit up to which bars are an EAN-13 and nothing else: a Code 128 once reached 0.147
_NARROWEST, _WIDEST = 500, 1600  # samples across a strip with its margins

_Decoder = Callable[[Floats, float], Decoded | None]


def read_bars(picture: Gray, view: str, known: Iterable[Hit] = ()) -> list[Hit]:
    """EAN-13, UPC-A, EAN-8 and Code 128 in a grey picture. The two halves of the bars are two readings.

    `known`: symbols of this picture that need no further reading.
    """
    return look_for_bars(picture, view, known)[0]


def look_for_bars(
    picture: Gray,
    view: str,
    known: Iterable[Hit] = (),
    fits: Callable[[Strip], bool] = lambda _: True,
    longest: float = math.inf,
) -> tuple[list[Hit], list[Hit]]:
    """As `read_bars`; and the product codes that fit best where none is clear: no readings, but what the digits printed
    below the bars may confirm. `fits`: which areas may be a symbol at all; `longest`: pixels across two areas that may
    be halves of one.
    """
    strips = find_strips(picture)
    places, hits, faint = [h.corners for h in known], list[Hit](), list[Hit]()
    whole = (s for s in joined(strips) if s.across <= longest)
    wanted = [s for s in (*whole, *strips) if fits(s) and not any(same_place(s.corners, p) for p in places)]
    strongest = max((s.weight for s in wanted), default=0.0)
    for strip in sorted(wanted, key=lambda s: -s.weight):
        if strip.weight >= _FAINT * strongest and not any(_stands_in(strip, h.corners) for h in hits):
            found, guessed = _read_strip(picture, strip, view)
            hits += found
            faint += guessed
    return hits, faint


def _stands_in(strip: Strip, corners: Corners) -> bool:
    """Whether a strip's middle lies within a symbol: the strip is a piece of it."""
    x, y = (float(v) for v in strip.corners.mean(axis=0))
    return cv2.pointPolygonTest(corners, (x, y), False) >= 0


def _read_strip(picture: Gray, strip: Strip, view: str) -> tuple[list[Hit], list[Hit]]:
    width = int(min(_WIDEST, max(_NARROWEST, 4 * strip.across * MARGINS)))
    whole = straighten(picture, strip, width)
    halves = [partial(straighten, picture, strip, width, half) for half in _HALVES]
    faint: list[Hit] = []
    for kind, decoder, first in _first_looks(whole):
        found = _decoded(first, whole, halves, decoder)
        sure = [d for d in found if _is_sure(d, kind)]
        if not sure and found and kind == "EAN13":
            nearby = _decode_nearby(whole, len(whole) / MARGINS)
            sure = [d for d in _decoded(nearby, whole, halves, _decode_nearby) if _is_sure(d, kind)]
        if sure and len({d.text for d in sure}) == 1:
            return list(_hits(kind, sure, strip, view)), []
        if kind == "EAN13" and found:
            faint = [hit_of(kind, text, f"bars {view}", strip.corners) for text in {d.text for d in found}]
            if found[0].misfit <= _THIS_KIND:
                break
    return [], faint


def _first_looks(whole: Floats) -> Iterator[tuple[str, _Decoder, Decoded | None]]:
    """The kinds that a profile may be, likeliest first, and what the decoder of each says of it. Halves and other light
    of what is no EAN-13 take a tenth of a second: where it does not look like one, a plain Code 128 goes before it.
    """
    width = len(whole) / MARGINS
    retail = decode_retail(whole, width)
    unlike = retail is not None and retail.misfit > _THIS_KIND
    code = decode_code128(whole, width) if unlike else None
    plain = code is not None and code.is_plain
    if plain:
        yield "CODE128", decode_code128, code
    yield "EAN13", decode_retail, retail
    if not plain:
        yield "CODE128", decode_code128, code if unlike else decode_code128(whole, width)
    yield "EAN8", _decode_ean8, _decode_ean8(whole, width)


def _decoded(
    first: Decoded | None, whole: Floats, halves: Sequence[Callable[[], Floats]], decoder: _Decoder
) -> list[Decoded]:
    """What the whole profile said at `first`, and what its halves say; nothing when the whole fits badly."""
    if first is None or first.misfit > MOST_MISFIT or (first.misfit > _HOPELESS and first.lead < _NO_LEAD):
        return []
    part = halves[0]()
    if first.is_plain and (second := first.again(part)) is not None and _agrees(first, second):
        return [first, second]
    parts = [part, *(half() for half in halves[1:])]
    width = len(whole) / MARGINS
    return [first, *(d for profile in parts if (d := decoder(profile, width)) is not None)]


def _agrees(first: Decoded, second: Decoded) -> bool:
    """Whether a part of the bars clearly says the same as all of them plainly did: the other part is not asked."""
    return second.free and second.lead >= _LEAD_TWICE and second.text == first.text and second.misfit <= MOST_MISFIT


def _is_sure(found: Decoded, kind: str) -> bool:
    least = _LEAD_SHORT if kind == "EAN8" else LEAD
    return found.misfit <= MOST_MISFIT and found.lead >= (least if found.free else max(least, LEAD_FORCED))


def _hits(kind: str, sure: Iterable[Decoded], strip: Strip, view: str) -> Iterator[Hit]:
    """One hit, and a second one where two parts of the bars say the same beyond doubt."""
    readings = list(sure)
    clear = sum(d.free and d.lead >= _LEAD_TWICE for d in readings)
    for name in ("bars", "bars-again")[: 2 if clear >= 2 and kind != "EAN8" else 1]:
        yield hit_of(kind, readings[0].text, f"{name} {view}", strip.corners)


def _decode_nearby(profile: Floats, width: float) -> Decoded | None:
    return decode_retail(profile, width, even=EVEN_NEAR)


def _decode_ean8(profile: Floats, width: float) -> Decoded | None:
    return decode_retail(profile, width, EAN8)
