"""The label camera's own eye: nobody reads cards there, but no card may be seen in what it films either.

    capture ──frames──> Guard ──the same frames──> Line
                          └─ thread: newest frame → moving? card-shaped thing? → Zones ──> Line (masks them)

A thing of a card's shape is covered whole, whatever is printed on it. One thing is let through: of a label that lies
still, with nothing card-shaped beside it, the parcel's barcode and the number at it, and that only while no cards are
taken in (a card could lie on it).
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import Protocol, cast
from uuid import uuid4

import cv2
import numpy as np

from app.core.codes import names_a_parcel, symbology_of, tidy
from app.evidence.mask import MARGIN_PX, MARGIN_SHARE
from app.frames import Plane, split_planes
from app.recorder.capture import FrameTaker
from app.recorder.protocol import CameraState, Zones
from app.vision.card.locate import SMALL_W, Found, locate
from app.vision.picture.pixels import Colour, Corners, Gray, from_planes
from app.vision.picture.stillness import STILL, motion, shrink
from app.vision.symbols.barcode import Hit, read_zxing
from hardware.ports import Packet

SEEN = "label.seen"
"""The event in the chain: a label was shown; `fits`: it bears this parcel's waybill number."""

_SEARCH_APART_US = 1_000_000  # so often a picture in which nothing moves is searched
_RIM_PX = 15  # of a small picture: a label's rim and shadow
_SEEN_X, _SEEN_Y = 0.6, 1.1  # of a waybill's barcode: what is seen of its label, from the barcode's middle on
log = logging.getLogger("cardintake.recorder")


class Onward(FrameTaker, Protocol):
    """Where the frames go on to, and what was seen in them."""

    @property
    def recording_id(self) -> str: ...

    @property
    def waybill(self) -> str:
        """The number of the parcel that is recorded, "" for none."""
        ...

    def zones(self, zones: Zones) -> None: ...

    def note_at(self, event: str, body: dict[str, object], mono_us: int) -> None: ...


@dataclass(frozen=True, slots=True)
class _Shot:
    planes: Plane
    mono_us: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class _Place:
    """What a search found: a card-shaped thing, nothing (`empty`), or what nobody can tell. Of a label its number, and
    what of it is covered.
    """

    card: Corners | None = None
    empty: bool = False
    label: str = ""
    hide: tuple[list[float], ...] = ()


class Sentry:
    """Looks at one frame after another and says what must be covered. No threads; times in microseconds."""

    def __init__(self) -> None:
        self._before: Gray | None = None
        self._place = _Place()
        self._searched_us = -_SEARCH_APART_US
        self._stirred = True  # something moved since the last search

    def see(self, planes: Plane, at_us: int, width: int, height: int, out: bool) -> tuple[Zones, str]:
        """The word for this frame, and the text of a label that shows in it ("" for none). `out`: cards are."""
        y, u, v = split_planes(planes, width, height)
        small = shrink(y)
        moving = self._before is None or motion(small, self._before) > STILL
        self._before = small
        self._stirred = self._stirred or moving
        if self._stirred or at_us - self._searched_us >= _SEARCH_APART_US:
            self._place, self._searched_us = _search(from_planes(y, u, v), y, moving), at_us
            self._stirred = moving
        place = self._place
        shown = place.label if not out else ""
        card = [] if place.card is None else [float(x) for x in place.card.reshape(-1).round(1)]
        return Zones(at_us, card, place.empty, calm=not moving, hide=[*place.hide] if shown else []), shown


def _search(picture: Colour, y: Gray, moving: bool) -> _Place:
    """A label is looked for where nothing moves only: its barcode is the dearest part of it."""
    found = locate(picture)
    if found.found is Found.NONE:
        return _Place(empty=True)
    if found.corners is None or found.found in (Found.TWO, Found.CUT_OFF):
        return _Place()
    code = (
        None if moving else next((hit for hit in read_zxing(y, "label") if _is_of_a_parcel(hit, found.corners)), None)
    )
    if code is None or not _bare_around(picture, found.corners):
        return _Place(found.corners)
    return _Place(found.corners, label=tidy(code.text), hide=(*_all_but(code.corners, found.corners),))


def _is_of_a_parcel(hit: Hit, corners: Corners) -> bool:
    """Whether it is a parcel's number, printed as a barcode within these corners."""
    return _contains(corners, hit.corners) and names_a_parcel(hit.text, symbology_of(hit.format))


def _contains(outline: Corners, corners: Corners) -> bool:
    return all(cv2.pointPolygonTest(outline, (float(x), float(y)), measureDist=False) >= 0 for x, y in corners)


def _bare_around(picture: Colour, label: Corners) -> bool:
    """Whether nothing of a card's shape lies beside the label, which is smoothed away to see that."""
    small, scale = _small(picture)
    bare = _smoothed(small, label * scale)
    return bare is None or locate(bare).found is Found.NONE


def _all_but(code: Corners, outline: Corners) -> list[list[float]]:
    """What of a label is covered: four bars around its barcode and the number below it, out to its outline and beyond.

    The recorder makes each bar wider on all sides, as it does with a card's fields; that is taken off here.
    """
    middle, along, down = code.mean(axis=0), _unit(code[1] - code[0]), _unit(code[3] - code[0])
    axes = np.stack([along, down])
    places, (wide, high) = (outline - middle) @ np.linalg.inv(axes), _extents(code)
    seen = np.array([[-_SEEN_X * wide, -_SEEN_Y * high], [_SEEN_X * wide, _SEEN_Y * high]])
    reach = np.stack([np.minimum(places.min(axis=0), seen[0]) - wide, np.maximum(places.max(axis=0), seen[1]) + wide])
    bars = []
    for axis in (0, 1):
        for first, last in ((reach[0, axis], seen[0, axis]), (seen[1, axis], reach[1, axis])):
            across = (last - first - 2 * MARGIN_PX) / (1 + 2 * MARGIN_SHARE)  # what is left of it when both margins go
            margin = MARGIN_PX + MARGIN_SHARE * min(across, reach[1, 1 - axis] - reach[0, 1 - axis])
            near, far = reach.copy()
            near[axis], far[axis] = first + margin, last - margin
            corners = np.array([near, [far[0], near[1]], far, [near[0], far[1]]]) @ axes + middle
            bars.append([float(number) for number in corners.reshape(-1).round(1)])
    return bars


def _unit(vector: Corners) -> Corners:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-6), np.float32)


def _extents(code: Corners) -> tuple[float, float]:
    return float(np.linalg.norm(code[1] - code[0])), float(np.linalg.norm(code[3] - code[0]))


def _small(picture: Colour) -> tuple[Colour, float]:
    scale = SMALL_W / picture.shape[1]
    return cast(Colour, cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)), scale


def _smoothed(picture: Colour, outline: Corners) -> Colour | None:
    """The picture without what is printed within the outline; None when nothing else is left of it."""
    hole = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillConvexPoly(hole, np.round(outline).astype(np.int32), 255)
    hole = cast(Gray, cv2.dilate(hole, np.ones((_RIM_PX, _RIM_PX), np.uint8)))
    return None if bool(hole.all()) else cast(Colour, cv2.inpaint(picture, hole, 3, cv2.INPAINT_TELEA))


class Guard:
    """Stands between capture and line; a thread of its own looks at the newest frame. What it has no time for, nobody
    speaks of, and then the picture is covered whole.
    """

    def __init__(self, line: Onward) -> None:
        self._line = line
        self._sentry = Sentry()
        self._out = True  # until somebody says otherwise
        self._told = ("", "")
        self._shot: _Shot | None = None
        self._wake = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="guard", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(timeout=2.0)

    def cards_out(self, out: bool) -> None:
        """Whether cards are being taken in: then a label is covered like anything of a card's shape."""
        self._out = out

    def take_frame(self, planes: Plane, mono_us: int, width: int, height: int, packet: Packet | None = None) -> None:
        with self._wake:
            self._shot = _Shot(planes.copy(), mono_us, width, height)  # the recorder paints over its own
            self._wake.notify()
        self._line.take_frame(planes, mono_us, width, height, packet)

    @property
    def alive(self) -> bool:
        """Whether it looks still: once a bug ended it, everything stays covered until the recorder begins anew."""
        return self._thread.is_alive()

    def missed_frames(self, count: int) -> None:
        self._line.missed_frames(count)

    def camera_changed(self, state: CameraState) -> None:
        self._line.camera_changed(state)

    def _run(self) -> None:
        try:
            while (shot := self._next()) is not None:
                self._look(shot)
        except Exception:
            log.exception("the guard ended by a bug: everything is covered until the recorder begins anew")

    def _next(self) -> _Shot | None:
        with self._wake:
            self._wake.wait_for(lambda: self._stopping or self._shot is not None)
            shot, self._shot = self._shot, None
            return None if self._stopping else shot

    def _look(self, shot: _Shot) -> None:
        zones, label = self._sentry.see(shot.planes, shot.mono_us, shot.width, shot.height, self._out)
        self._line.zones(zones)
        told = self._line.recording_id, label
        if label and told != self._told and told[0]:
            body: dict[str, object] = {"id": str(uuid4()), "fits": label == tidy(self._line.waybill)}
            self._line.note_at(SEEN, body, shot.mono_us)
        if told[0] or label:
            self._told = told
