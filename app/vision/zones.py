"""Where the fields of a card stand in the frame: for boxes on the preview, and for masks on the footage."""

from __future__ import annotations

import numpy as np

from app.core.cards import FieldReading, FieldState, Zone
from app.vision.look import Look
from app.vision.picture.area import Area
from app.vision.picture.pixels import Corners, as_quad
from app.vision.picture.rectify import to_frame


def zones(look: Look, number: FieldReading, pin: FieldReading) -> tuple[Zone, ...]:
    """Those of one look, in frame pixels; done is what was read."""
    areas: list[tuple[str, Area | None, bool]] = [
        ("number", look.number.area if look.number else None, number.state is FieldState.READ),
        ("pin", look.pin.area if look.pin else None, pin.state is FieldState.READ),
        ("panel", look.panel_area, True),
        *(("barcode", area, True) for area in look.bars[:2]),
    ]
    return tuple(Zone(kind, as_quad(_outline(look.corners, a)), done) for kind, a, done in areas if a is not None)


def _outline(corners: Corners, area: Area) -> Corners:
    points = [[area.x, area.y], [area.right, area.y], [area.right, area.bottom], [area.x, area.bottom]]
    return to_frame(corners, np.array(points, np.float32))
