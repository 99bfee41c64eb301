"""A card that slides too slowly to count as motion takes its mask along."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from app.core.cards import CardRead, Guidance, Quad, Sighting
from app.core.products import Catalogue
from app.evidence.mask import MARGIN_PX, cover
from app.eye.watcher import Glimpse, Told, Watcher
from app.recorder.masking import as_word
from app.recorder.protocol import Zones
from app.rehearsal.pictures import render_card_picture
from app.station.shielding import Shield
from app.vision.look import Looker
from app.vision.picture.pixels import Colour

SLOW_PX = 1.2
"""A frame, of 1280 across: 36 pixels a second."""

FRAME_US = 33_333


@pytest.fixture(scope="module")
def picture() -> Colour:
    return np.ascontiguousarray(cv2.resize(render_card_picture(611, "easy")[0], (1280, 720)))


def moved(picture: Colour, by_px: float) -> Colour:
    shift = np.array([[1, 0, by_px], [0, 1, 0]], np.float32)
    return cv2.warpAffine(picture, shift, (1280, 720), borderMode=cv2.BORDER_REPLICATE)


def test_the_mask_follows_a_slow_slide(looker: Looker, picture: Colour) -> None:
    """Each frame looked like the one before it: the eye told the place where the card had been read for ever."""
    watcher = Watcher(looker, Catalogue())
    said: list[Zones] = []
    pins: list[Quad] = []
    shield = Shield(Catalogue(), said.append)
    at_us, by_px, read_at = 0, 0.0, None
    places: list[tuple[int, float]] = []
    while len(places) < 150:
        shown = moved(picture, -by_px) if by_px else picture
        lightness = np.ascontiguousarray(cv2.cvtColor(shown, cv2.COLOR_BGR2GRAY))
        for told in watcher.see(Glimpse(at_us, lightness, lambda shown=shown: shown)):
            if isinstance(told, CardRead):
                shield.read(told)
                read_at, pins = at_us, [zone.quad for zone in told.zones if zone.kind in ("pin", "panel")]
            elif isinstance(told, Sighting):
                shield.saw(told)
        if read_at is not None and at_us - read_at > 500_000:
            by_px += SLOW_PX
            places.append((at_us, by_px))
        at_us += FRAME_US
    assert places[-1][1] > 170
    words = [as_word(one) for one in said]
    assert pins
    for shown_us, by_px in places:
        done = cover(words, shown_us, 1280, 720)
        for zone in pins:
            assert covers(done.outlines, [(x - by_px, y) for x, y in zone]), (shown_us, by_px, done.reason)


def covers(outlines: tuple, corners: list[tuple[float, float]]) -> bool:
    """Whether one outline holds all corners of a field, but for some pixels."""

    def outside_px(outline: tuple) -> float:
        shape = np.array(outline, np.float32)
        return max(-cv2.pointPolygonTest(shape, corner, measureDist=True) for corner in corners)

    return min((outside_px(one) for one in outlines), default=1e9) < MARGIN_PX


def test_a_card_that_lies_still_is_not_searched_for_again(looker: Looker, picture: Colour) -> None:
    watcher = Watcher(looker, Catalogue())
    rng, searches, real = np.random.default_rng(5), [], watcher._locate

    def count(*words: object) -> None:
        searches.append(words)
        real(*words)  # type: ignore[arg-type]

    watcher._locate = count  # type: ignore[method-assign]
    lightness = np.ascontiguousarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))
    told = []
    for n in range(240):
        noisy = np.clip(lightness.astype(np.int16) + rng.integers(-4, 5, lightness.shape), 0, 255).astype(np.uint8)
        if n == 60:
            searches.clear()
        told += watcher.see(Glimpse(n * FRAME_US, noisy, lambda: picture))
    assert [one for one in told if isinstance(one, CardRead)]
    assert searches == []
    last = [one for one in told if isinstance(one, Sighting)][-1]
    assert last.guidance is not Guidance.HOLD_STILL


class Filmed:
    """A card is read and lies for a second; then each frame is changed a little more. Counts the looks from then on."""

    def __init__(
        self, looker: Looker, monkeypatch: pytest.MonkeyPatch, picture: Colour, change: Callable[[int], Colour]
    ) -> None:
        self.looks, self.after = 0, list[Told]()
        for name in ("look", "look_again"):
            monkeypatch.setattr(looker, name, self._counted(getattr(looker, name)))
        watcher, read_at = Watcher(looker, Catalogue()), None
        changes = 0
        for n in range(400):
            changes += read_at is not None and n - read_at > 30
            shown = change(changes) if changes else picture
            if changes == 1:
                self.looks = 0
            if changes > 120:
                break
            lightness = np.ascontiguousarray(cv2.cvtColor(shown, cv2.COLOR_BGR2GRAY))
            told = watcher.see(Glimpse(n * FRAME_US, lightness, lambda shown=shown: shown))
            read_at = n if read_at is None and any(isinstance(one, CardRead) for one in told) else read_at
            self.after += told if changes else []
        assert changes > 120

    def _counted(self, real: Callable[..., object]) -> Callable[..., object]:
        def look(*words: object) -> object:
            self.looks += 1
            return real(*words)

        return look

    @property
    def last(self) -> Sighting:
        return [one for one in self.after if isinstance(one, Sighting)][-1]

    @property
    def calm(self) -> bool:
        held = any(isinstance(one, Sighting) and one.guidance is Guidance.HOLD_STILL for one in self.after)
        return not held and not any(isinstance(one, CardRead) for one in self.after)


@pytest.mark.parametrize("to", [0.7, 1.25])
def test_a_cloud_starts_no_look(looker: Looker, monkeypatch, picture: Colour, to: float) -> None:
    """The card was taken for one that had drifted: covered wider, looked at again, in poor light a new card."""
    filmed = Filmed(looker, monkeypatch, picture, lambda n: cv2.convertScaleAbs(picture, alpha=1 + (to - 1) * n / 120))
    assert filmed.calm
    assert filmed.looks == 0


def test_a_sleeve_at_the_edge_starts_no_look(looker: Looker, monkeypatch, picture: Colour) -> None:
    def change(n: int) -> Colour:
        return cv2.rectangle(picture.copy(), (1280 - n, 0), (1279, 719), (60, 30, 20), -1)

    filmed = Filmed(looker, monkeypatch, picture, change)
    assert filmed.calm
    assert filmed.looks == 0


def test_a_card_that_slides_slowly_is_looked_at(looker: Looker, monkeypatch, picture: Colour) -> None:
    """Once it has come to rest."""
    filmed = Filmed(looker, monkeypatch, picture, lambda n: moved(picture, -SLOW_PX * min(n, 60)))
    assert not filmed.calm
    assert filmed.looks > 0


def test_another_card_that_is_pushed_near_slowly_is_seen(looker: Looker, monkeypatch, picture: Colour) -> None:
    """No frame tells of motion, and the card that was read lies still: the other would be filmed as it is."""
    small = np.ascontiguousarray(cv2.resize(picture, (640, 360)))
    mat = np.full_like(picture, np.median(picture[:40], axis=(0, 1)).astype(np.uint8))
    mat[180:540, :640] = small

    def change(n: int) -> Colour:
        shown, reach = mat.copy(), min(5 * n, 600)
        shown[180:540, 1280 - reach :] = small[:, :reach]
        return shown

    assert Filmed(looker, monkeypatch, mat, change).last.guidance in (Guidance.TWO_CARDS, Guidance.CUT_OFF)
