"""Labels: what is true in a picture or a shot, as plain data in the format of the sample sets."""

from __future__ import annotations

from typing import Any

from app.core.products import Box
from app.rehearsal.camera import Camera, Pose
from app.rehearsal.cards import CardPlan, PrintedCard
from app.rehearsal.content import ALPHABETS, OPEN_STATES
from app.rehearsal.director import box_quad

_ALPHABET_NAMES = {glyphs: name for name, glyphs in ALPHABETS.items()}


def card_labels(plan: CardPlan, printed: PrintedCard, camera: Camera, pose: Pose) -> dict[str, Any]:
    """Fields and places of one card lying at `pose`; `pin` is None when it cannot be read because it is covered.

    Quads are four [x, y] pixels, clockwise from the printed top-left; `gtin` is given as printed (12 or 13 digits).
    """

    def quad(box: Box | None) -> list[list[float]] | None:
        if box is None:
            return None
        return [[round(float(v), 1) for v in point] for point in box_quad(camera, pose, box, printed.size_mm)]

    content, style = plan.content, plan.style
    coded = any(code.text == content.number for code in content.barcodes)
    readable = plan.pin_state in OPEN_STATES and printed.pin is not None
    return {
        "face_value": content.face_value_yuan,
        "expiry": None if content.expiry is None else content.expiry.isoformat(),
        "number": content.number if printed.number is not None or coded else None,
        "number_printed": printed.number is not None,
        "number_style": style.number_style,
        "pin": content.pin if readable else None,
        "pin_state": plan.pin_state,
        "pin_min_ink": printed.pin_min_ink,
        "pin_ink": [round(share, 3) for share in printed.pin_ink],
        "pin_style": style.pin_style,
        "pin_alphabet": _ALPHABET_NAMES.get(content.pin_alphabet, content.pin_alphabet),
        "gtin": next((code.text for code in content.barcodes if code.format in ("EAN13", "UPCA")), None),
        "barcodes": [{"format": code.format, "text": code.text} for code in content.barcodes],
        "card_quad": quad(Box(0.0, 0.0, *printed.size_mm)),
        "number_quad": quad(printed.number),
        "panel_quad": quad(printed.panel),
        "pin_quad": quad(printed.pin),
    }
