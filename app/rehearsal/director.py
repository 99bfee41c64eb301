"""Who stands where at which moment: turns deck, timeline and sprites into the layers of each frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from app.core.products import Box
from app.rehearsal.camera import Camera, Layer, Pose, Sprite
from app.rehearsal.cards import CARD_H_MM, CARD_W_MM, PrintedCard, corner_mask
from app.rehearsal.dice import between, chance, stream
from app.rehearsal.parcel import BOX_D_MM, BOX_H_MM, FLAP_MM, Parcel, box_layers
from app.rehearsal.table import shadowed
from app.rehearsal.timeline import FPS, CardTimes, Timeline, eased

Pixels = npt.NDArray[Any]
Motion = Callable[[float], Pose]

SHUTTER = 0.45
"""Share of the frame time during which the shutter is open."""

_MARGIN_MM = 5.0
_HAND_STAYS_S = 0.34


def card_sprite(card: PrintedCard, ppm: float) -> Sprite:
    """A card cut to its rounded corners, with its shadow, at `ppm`; the middle of the sprite is the card's middle."""
    width_mm, height_mm = card.size_mm
    image = cv2.resize(card.image, (round(width_mm * ppm), round(height_mm * ppm)), interpolation=cv2.INTER_AREA)
    pad = round(_MARGIN_MM * ppm)
    flat = corner_mask(ppm) if width_mm > height_mm else corner_mask(ppm).T
    mask = cv2.resize(flat, (image.shape[1], image.shape[0]))
    alpha = cv2.copyMakeBorder(mask, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
    colour = cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_REPLICATE).astype(np.float32)
    # Width and height were rounded to pixels one by one; the true density is taken from the width.
    true_ppm = image.shape[1] / width_mm
    return Sprite(shadowed(colour, alpha, ppm, 1.1), true_ppm, (alpha.shape[1] / 2, alpha.shape[0] / 2))


def box_quad(camera: Camera, pose: Pose, box: Box, size_mm: tuple[float, float] = (CARD_W_MM, CARD_H_MM)) -> Pixels:
    """Picture corners (4x2 pixels, clockwise from the printed top-left) of a place on a card that lies at `pose`."""
    left, top = box.x - size_mm[0] / 2, box.y - size_mm[1] / 2
    corners = np.array([[left, top], [left + box.w, top], [left + box.w, top + box.h], [left, top + box.h]])
    return camera.project(pose.place(corners))


@dataclass(frozen=True, eq=False)
class CardActor:
    """One card on stage: its sprite, its moments, where it lies, and from where it comes and goes."""

    sprite: Sprite
    times: CardTimes
    lies: Pose
    comes_from: Pose
    leaves_to: Pose
    gloss: Pixels | None

    def pose(self, now: float) -> Pose:
        """Where the card is; while it lies still it trembles by hundredths of a millimetre with the table."""
        t = self.times
        coming = eased(now, t.move_in_s, t.still_start_s)
        going = eased(now, t.still_end_s, t.out_end_s)
        place = _blend(self.comes_from, self.lies, coming) if going == 0 else _blend(self.lies, self.leaves_to, going)
        if t.still_start_s <= now <= t.still_end_s:
            return _trembling(place, int(now * 5))
        return place


def _blend(a: Pose, b: Pose, share: float) -> Pose:
    def mix(x: float, y: float) -> float:
        return x + (y - x) * share

    return Pose(mix(a.x, b.x), mix(a.y, b.y), mix(a.turn, b.turn), mix(a.z, b.z))


def _trembling(pose: Pose, beat: int) -> Pose:
    rng = stream(beat, "tremble")
    dx, dy, turn = rng.normal(0, 1, 3)
    return Pose(pose.x + dx * 0.012, pose.y + dy * 0.012, pose.turn + turn * 0.0002, pose.z)


def cast_card(seed: int, index: int, sprite: Sprite, times: CardTimes, gloss: Pixels | None) -> CardActor:
    """Gives a card its place on the table and its ways in (from the right) and out (to the left)."""
    rng = stream(seed, "pose", index)
    turn = between(rng, -0.16, 0.16) + (np.pi if chance(rng, 0.12) else 0.0)
    lies = Pose(between(rng, -9, 9), between(rng, -5, 5), turn)
    comes = Pose(lies.x + 176, lies.y + between(rng, -24, 30), turn + between(rng, -0.5, 0.5), 6.0)
    leaves = Pose(lies.x - 180, lies.y + between(rng, -10, 36), turn + between(rng, -0.5, 0.5), 4.0)
    return CardActor(sprite, times, lies, comes, leaves, gloss)


@dataclass(frozen=True, eq=False)
class Stage:
    """Everything that can be seen, and the camera that sees it."""

    camera: Camera
    timeline: Timeline
    parcel: Parcel
    cards: tuple[CardActor, ...]
    right_hand: Sprite
    left_hand: Sprite
    knife_hand: Sprite

    def layers(self, now: float) -> list[Layer]:
        """The layers at second `now`, back to front."""
        layers: list[Layer] = []
        p = self.timeline.parcel
        if p.in_s <= now < p.gone_s or now >= p.back_s:
            layers += self._parcel(now)
        for card in self.cards:
            if card.times.move_in_s <= now < card.times.out_end_s:
                layers += self._card(card, now)
        return layers

    def _smear(self, motion: Motion, now: float) -> tuple[float, float]:
        """How far a moving thing travels in the picture while the shutter is open, in pixels."""
        before, after = motion(now - SHUTTER / FPS / 2), motion(now + SHUTTER / FPS / 2)
        ends = self.camera.project(np.array([[before.x, before.y, before.z], [after.x, after.y, after.z]]))
        dx, dy = ends[1] - ends[0]
        return (0.0, 0.0) if np.hypot(dx, dy) < 1.2 else (round(float(dx), 2), round(float(dy), 2))

    def _flat(self, sprite: Sprite, motion: Motion, now: float, gloss: Pixels | None = None) -> Layer:
        corners = self.camera.project(motion(now).place(sprite.corners_mm()))
        return Layer(sprite, corners, self._smear(motion, now), gloss)

    def _card(self, card: CardActor, now: float) -> list[Layer]:
        layers = [self._flat(card.sprite, card.pose, now, card.gloss)]
        t = card.times
        if now < t.still_start_s + _HAND_STAYS_S:
            layers.append(self._flat(self.right_hand, lambda at: self._bringing(card, at), now))
        if now > t.still_end_s - _HAND_STAYS_S:
            layers.append(self._flat(self.left_hand, lambda at: self._taking(card, at), now))
        return layers

    def _bringing(self, card: CardActor, now: float) -> Pose:
        """The right hand: fingertips on the card's right edge, then back the way it came."""
        held, t = card.pose(now), card.times
        away = eased(now, t.still_start_s + 0.02, t.still_start_s + _HAND_STAYS_S)
        return Pose(held.x + 45 + away * 95, held.y + 9 + away * 34, -0.1, 8.0)

    def _taking(self, card: CardActor, now: float) -> Pose:
        """The left hand: comes from the left, takes the card's left edge, pulls it out."""
        held, t = card.pose(now), card.times
        near = eased(now, t.still_end_s - _HAND_STAYS_S, t.still_end_s - 0.02)
        return Pose(held.x - 45 - (1 - near) * 95, held.y + 12 + (1 - near) * 30, 0.08, 8.0)

    def _box_pose(self, now: float) -> Pose:
        p = self.timeline.parcel
        if now >= p.back_s:
            return Pose(0.0, -190 * (1 - eased(now, p.back_s, p.rest_s)))
        return Pose(-230 * (1 - eased(now, p.in_s, p.label_s)), -190 * eased(now, p.away_s, p.gone_s))

    def _parcel(self, now: float) -> list[Layer]:
        p = self.timeline.parcel
        back = now >= p.back_s
        opening = 1.0 if back else eased(now, p.open_s, p.away_s - 0.1)
        cut = self._cut_share(now)
        place = self._box_pose(now)
        layers = box_layers(self.parcel, self.camera, place, opening, cut, not back, self._smear(self._box_pose, now))
        return layers + self._parcel_hands(now, opening)

    def _cut_share(self, now: float) -> float:
        p = self.timeline.parcel
        span = p.open_s - p.cut_s
        return eased(now, p.cut_s + span * 0.25, p.cut_s + span * 0.85)

    def _parcel_hands(self, now: float, opening: float) -> list[Layer]:
        p = self.timeline.parcel
        if p.cut_s <= now < p.open_s:
            return [self._flat(self.knife_hand, self._knife_pose, now)]
        carried = now < p.label_s + 0.5 or p.away_s <= now < p.gone_s or p.back_s <= now < p.rest_s + 0.5
        if carried:
            return [self._flat(self.left_hand, lambda at: self._carry(at, -1), now)]
        if 0 < opening < 1:
            return [
                self._flat(self.right_hand, lambda at: self._lift(at, -1), now),
                self._flat(self.left_hand, lambda at: self._lift(at, 1), now),
            ]
        return []

    def _carry(self, now: float, side: int) -> Pose:
        """A hand on the side of the box that lets go when the box stands."""
        p = self.timeline.parcel
        box = self._box_pose(now)
        stands = p.rest_s if now >= p.back_s else p.label_s
        free = eased(now, stands, stands + 0.45) if now < p.away_s or now >= p.back_s else 0.0
        return Pose(box.x + side * (54 + free * 110), box.y + 6 + free * 20, 0.05, BOX_H_MM)

    def _knife_pose(self, now: float) -> Pose:
        p = self.timeline.parcel
        span = p.open_s - p.cut_s
        near = eased(now, p.cut_s, p.cut_s + span * 0.25)
        far = eased(now, p.cut_s + span * 0.85, p.open_s)
        x = -54 + 122 * self._cut_share(now) + 18
        return Pose(x + (1 - near) * 150 + far * 120, 0.5 + (1 - near) * 30 + far * 24, 0.06, BOX_H_MM + 4)

    def _lift(self, now: float, side: int) -> Pose:
        """Fingertips at a flap's free edge while it swings up and over."""
        p = self.timeline.parcel
        angle = eased(now, p.open_s, p.away_s - 0.1) * np.radians(158)
        y = side * (BOX_D_MM / 2 - FLAP_MM * float(np.cos(angle)))
        x, z = -side * 34.0, BOX_H_MM + FLAP_MM * float(np.sin(angle)) + 2
        return Pose(x, y, -side * 0.25, z)
