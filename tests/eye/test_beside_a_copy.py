"""A card that is laid beside a sheet or a telephone is covered, and nobody is told that it is none."""

from __future__ import annotations

import cv2
import numpy as np

from app.core.cards import Guidance, Sighting
from app.core.products import Catalogue
from app.evidence.mask import cover
from app.eye.watcher import Glimpse, Watcher
from app.recorder.masking import as_word
from app.recorder.protocol import Zones
from app.rehearsal.copies import render_copy
from app.rehearsal.pictures import render_card_picture
from app.station.shielding import Shield
from app.vision.look import Looker
from app.vision.picture.pixels import Colour

BESIDE = np.array([[30, 230], [430, 230], [430, 482], [30, 482]], np.float32)
FRAME_US = 100_000


def with_a_card_beside(picture: Colour) -> Colour:
    shown, labels = render_card_picture(611, "easy")
    turn = cv2.getPerspectiveTransform(np.array(labels["card_quad"], np.float32), BESIDE)
    laid = cv2.warpPerspective(shown, turn, (1280, 720))
    inside = cv2.fillConvexPoly(np.zeros((720, 1280), np.uint8), BESIDE.astype(np.int32), 1)
    return np.where(inside[:, :, None] > 0, laid, picture)


def test_a_card_beside_a_telephone_is_covered(looker: Looker) -> None:
    """The word that the telephone is no card stood for both, and the card was filmed as it lay there."""
    phone = np.ascontiguousarray(render_copy(1, "screen", "easy")[0])
    both = with_a_card_beside(phone)
    watcher, said, at_us = Watcher(looker, Catalogue()), list[Zones](), 0
    shield = Shield(Catalogue(), said.append)
    last: dict[str, Sighting] = {}
    for name, shown, times in (("phone", phone, 12), ("both", both, 8)):
        lightness = np.ascontiguousarray(cv2.cvtColor(shown, cv2.COLOR_BGR2GRAY))
        for _ in range(times):
            for told in watcher.see(Glimpse(at_us, lightness, lambda shown=shown: shown)):
                if isinstance(told, Sighting):
                    shield.saw(told)
                    last[name] = told
            at_us += FRAME_US
    assert last["phone"].guidance is Guidance.NOT_A_CARD
    assert last["both"].guidance is Guidance.TWO_CARDS
    done = cover([as_word(one) for one in said], at_us - FRAME_US, 1280, 720)
    for corner in BESIDE:
        inset = tuple(float(x) for x in 0.9 * corner + 0.1 * BESIDE.mean(axis=0))
        assert any(cv2.pointPolygonTest(np.array(one, np.float32), inset, False) >= 0 for one in done.outlines)
