"""What else may lie under the camera: cards at any turn, hard to tell from the table, under a hand, two at once, none.

For measuring and testing the card finder; `app.rehearsal.pictures` renders the cards that are read. One situation a
picture, by name, in one of the tiers' lights and lenses.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from app.core.products import Box
from app.rehearsal.camera import Camera, Layer, Pose, compose
from app.rehearsal.cards import CARD_H_MM, CARD_W_MM, CardPlan, print_back
from app.rehearsal.dice import between, chance, pick, stream
from app.rehearsal.director import box_quad, card_sprite
from app.rehearsal.improvise import improvise_card
from app.rehearsal.optics import gloss_map, vignette
from app.rehearsal.panel import cloud
from app.rehearsal.pictures import TIERS, placing, through_lens
from app.rehearsal.table import TOPS, hand, table_top

Pixels = npt.NDArray[Any]

SITUATIONS = ("any-turn", "alike", "stripe", "thumb", "glare", "clutter", "empty", "two", "far", "cut-off")
"""`alike`: card and table of nearly one colour; `stripe`: a magnetic stripe by the edge; `clutter`: papers and pens."""

FOUND = {"empty": "none", "two": "two", "far": "too-far", "cut-off": "cut-off"}
"""What a finder ought to say; "one" for the situations that are not listed."""

_SIZE = (1280, 720)
_WHOLE = Box(0.0, 0.0, CARD_W_MM, CARD_H_MM)


def render_scene(seed: int, situation: str, tier: str) -> tuple[Pixels, dict[str, Any]]:
    """A table with what the situation says: (uint8 720x1280x3 BGR, labels).

    Labels: `situation`, `tier`, `found` as in FOUND, `card_quad` (four [x, y] clockwise from the printed top-left; the
    first card of two; None for an empty table). Raises KeyError for an unknown tier, FontMissing.
    """
    rng = stream(seed, "scene", situation, tier)
    camera, pose = _place(rng, situation, tier)
    plan = _plan(rng, situation)
    picture = _ground(rng, camera, situation, plan)
    if situation == "clutter":
        _scatter(rng, picture, camera, pose)
    layers: list[Layer] = []
    gloss = None
    if situation == "glare":
        at = camera.project(pose.place(np.array([[between(rng, -43, 43), pick(rng, (-27.0, 27.0))]])))[0]
        gloss = gloss_map(rng, _SIZE, between(rng, 110, 230), (at[0] / _SIZE[0], at[1] / _SIZE[1]))
    if situation != "empty":
        layers.append(_card(plan, camera, pose, gloss))
    if situation == "two":
        layers.append(_card(_plan(rng, situation), camera, _beside(rng, pose), None))
    if situation in ("thumb", "empty"):
        layers.append(_thumb(rng, camera, pose, situation))
    compose(picture, layers)
    picture, _ = through_lens(rng, TIERS[tier], picture)
    quad = None if situation == "empty" else np.round(box_quad(camera, pose, _WHOLE), 1).tolist()
    return picture, {
        "situation": situation,
        "tier": tier,
        "found": FOUND.get(situation, "one"),
        "card_quad": quad,
    }


def _place(rng: np.random.Generator, situation: str, tier: str) -> tuple[Camera, Pose]:
    rules = TIERS[tier]
    if situation in ("any-turn", "alike", "glare", "clutter"):
        rules = replace(rules, turn=np.pi)
    camera, pose = placing(rng, rules, _SIZE)
    if situation in ("two", "far"):
        share = between(rng, 0.115, 0.165) if situation == "far" else between(rng, 0.34, 0.42)
        camera = replace(camera, px_per_mm=_SIZE[0] * share / CARD_W_MM)
        low = 12.0 if situation == "two" else 90.0
        pose = Pose(-52.0 if situation == "two" else between(rng, -low, low), between(rng, -10, 10), pose.turn)
    if situation == "cut-off":
        edge = _SIZE[0] / camera.px_per_mm / 2
        pose = replace(pose, x=pick(rng, (-1, 1)) * (edge - between(rng, -5, 28)))
    return camera, pose


def _beside(rng: np.random.Generator, pose: Pose) -> Pose:
    """A place for a second card, clear of the first."""
    return Pose(pose.x + between(rng, 103, 110), pose.y + between(rng, -8, 8), between(rng, -0.25, 0.25))


def _plan(rng: np.random.Generator, situation: str) -> CardPlan:
    plan = improvise_card(int(rng.integers(2**53))).plan
    return replace(plan, style=replace(plan.style, stripe=True)) if situation == "stripe" else plan


def _ground(rng: np.random.Generator, camera: Camera, situation: str, plan: CardPlan) -> Pixels:
    """A table top; for `alike` one that differs from the card by a few levels only."""
    if situation != "alike":
        return table_top(rng, _SIZE, camera.px_per_mm, pick(rng, TOPS))
    tone = np.array(plan.style.ground, np.float32) + between(rng, 7, 16) * pick(rng, (-1, 1))
    base = np.empty((_SIZE[1], _SIZE[0], 3), np.float32)
    base[...] = tone + rng.normal(0, 3, 3).astype(np.float32)
    base += (cloud(rng, (_SIZE[1], _SIZE[0]), max(camera.px_per_mm * 0.3, 1.2)) * 2.0)[..., None]
    base *= vignette(_SIZE, between(rng, 0.1, 0.3))[..., None]
    return np.clip(base, 0, 255).astype(np.uint8)


def _card(plan: CardPlan, camera: Camera, pose: Pose, gloss: Pixels | None) -> Layer:
    sprite = card_sprite(print_back(plan, 12.0), camera.px_per_mm * 1.15)
    return Layer(sprite, camera.project(pose.place(sprite.corners_mm())), gloss=gloss)


def _thumb(rng: np.random.Generator, camera: Camera, pose: Pose, situation: str) -> Layer:
    """A hand from the right or from below whose fingers lie on the card by a centimetre or two."""
    sprite = hand(rng, min(camera.px_per_mm * 0.8, 6.0))
    deep = between(rng, 6, 17) if situation == "thumb" else between(rng, -2, 4)
    if chance(rng, 0.5):
        at, turn = (between(rng, -30, 30), CARD_H_MM / 2 + 13 - deep), np.pi / 2 + between(rng, -0.4, 0.4)
    else:
        at, turn = (CARD_W_MM / 2 + 4 - deep, between(rng, -20, 22)), between(rng, -0.3, 0.4)
    where = pose.place(np.array([at]))[0]
    level = pose.turn if abs(pose.turn) < np.pi / 2 else pose.turn - np.pi
    place = Pose(float(where[0]), float(where[1]), level + turn, 6.0)
    return Layer(sprite, camera.project(place.place(sprite.corners_mm())))


def _scatter(rng: np.random.Generator, picture: Pixels, camera: Camera, pose: Pose) -> None:
    """Papers, pens and boxes of other proportions than a card's, lying beside and partly under it."""
    for _ in range(int(rng.integers(3, 6))):
        angle, away = between(rng, 0, 2 * np.pi), between(rng, 45, 100)
        size = pick(rng, ((148.0, 105.0), (60.0, 60.0), (140.0, 9.0), (110.0, 30.0), (40.0, 95.0)))
        place = Pose(pose.x + away * np.cos(angle), pose.y + away * np.sin(angle), between(rng, 0, np.pi))
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * np.array(size) / 2
        outline = np.round(camera.project(place.place(corners))).astype(np.int32)
        tone = [int(v) for v in rng.integers(30, 235) + rng.integers(-18, 18, 3)]
        cv2.fillConvexPoly(picture, outline, tone, cv2.LINE_AA)
