"""Single pictures with labels for measuring and tests: cards of chance in three tiers, and panels being scratched.

Tiers: easy (sharp, even light), typical (720p, some blur, noise and glare), hard (small, blurred, turned, glaring).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from app.rehearsal.camera import Camera, Layer, Pose, compose
from app.rehearsal.cards import CardPlan, PrintedCard, print_back
from app.rehearsal.dice import between, chance, pick, stream
from app.rehearsal.director import card_sprite
from app.rehearsal.improvise import improvise_card
from app.rehearsal.labels import card_labels
from app.rehearsal.optics import gloss_map
from app.rehearsal.panel import cloud
from app.rehearsal.table import TOPS, hand, table_top

Pixels = npt.NDArray[Any]


@dataclass(frozen=True)
class Tier:
    """Ranges of what makes a picture hard to read; blur in pixels, noise in grey levels, turn in radians."""

    full_hd: float
    card_share: tuple[float, float]
    turn: float
    upside_down: float
    lean: float
    defocus: tuple[float, float]
    motion: tuple[float, float]
    noise: tuple[float, float]
    glare: float
    glare_peak: tuple[float, float]
    gain: tuple[float, float]
    hand: float
    jpeg: tuple[int, int]


TIERS: dict[str, Tier] = {
    "easy": Tier(
        full_hd=0.6,
        card_share=(0.60, 0.73),
        turn=0.09,
        upside_down=0.0,
        lean=2e-4,
        defocus=(0.3, 0.75),
        motion=(0.1, 1.2),
        noise=(1.0, 3.0),
        glare=0.0,
        glare_peak=(0.0, 1.0),
        gain=(0.85, 1.1),
        hand=0.15,
        jpeg=(89, 95),
    ),
    "typical": Tier(
        full_hd=0.25,
        card_share=(0.52, 0.70),
        turn=0.3,
        upside_down=0.12,
        lean=6e-4,
        defocus=(0.6, 1.2),
        motion=(0.2, 2.1),
        noise=(2.5, 5.0),
        glare=0.5,
        glare_peak=(60.0, 150.0),
        gain=(0.75, 1.15),
        hand=0.3,
        jpeg=(74, 89),
    ),
    "hard": Tier(
        full_hd=0.3,
        card_share=(0.47, 0.60),
        turn=0.5,
        upside_down=0.25,
        lean=1.1e-3,
        defocus=(0.85, 1.6),
        motion=(1.5, 5.0),
        noise=(4.5, 9.0),
        glare=0.7,
        glare_peak=(110.0, 230.0),
        gain=(0.55, 1.2),
        hand=0.4,
        jpeg=(55, 79),
    ),
}


def render_card_picture(
    seed: int, tier: str, pin_state: str = "", any_panel: bool = False, open_share: float | None = None
) -> tuple[Pixels, dict[str, Any]]:
    """A card of chance under the camera: (uint8 HxWx3 BGR with JPEG's traces, labels as in the sample set).

    `tier` is a key of TIERS. Sizes are 1920x1080 or 1280x720. Same arguments: same pixels. `any_panel` as for
    `improvise_card`; `open_share` 0..1 of the PIN's width is open where `pin_state` is partial. Raises KeyError for an
    unknown tier, FontMissing.
    """
    rules, rng = TIERS[tier], stream(seed, "picture", tier)
    size = (1920, 1080) if chance(rng, rules.full_hd) else (1280, 720)
    card = improvise_card(int(stream(seed, "picture-card", tier).integers(2**53)), pin_state, any_panel)
    if open_share is not None:
        card = replace(card, plan=replace(card.plan, open_share=open_share))
    printed = print_back(card.plan)
    camera, pose = placing(rng, rules, size)
    glare = chance(rng, rules.glare)
    picture = scene(rng, rules, camera, pose, printed, glare)
    picture, optics = through_lens(rng, rules, picture)
    labels = {
        **card_labels(card.plan, printed, camera, pose),
        "angle_style": card.angle_style,
        "tier": tier,
        "width": size[0],
        "height": size[1],
        "px_per_mm": round(camera.px_per_mm, 2),
        "glare": glare,
        **optics,
    }
    return picture, labels


def placing(rng: np.random.Generator, rules: Tier, size: tuple[int, int]) -> tuple[Camera, Pose]:
    """A camera and a pose that keep the whole card in the picture."""
    share = between(rng, *rules.card_share)
    turn = between(rng, -rules.turn, rules.turn)
    tall = 85.6 * abs(np.sin(turn)) + 53.98 * abs(np.cos(turn))
    wide = 85.6 * abs(np.cos(turn)) + 53.98 * abs(np.sin(turn))
    px_per_mm = float(min(size[0] * share / 85.6, size[1] * 0.94 / tall))
    lean = rules.lean
    camera = Camera(*size, px_per_mm, between(rng, -lean, lean), between(rng, -lean, lean))
    room_x, room_y = (size[0] / px_per_mm * 0.94 - wide) / 2, (size[1] / px_per_mm * 0.94 - tall) / 2
    x, y = between(rng, -1, 1) * max(room_x, 0) * 0.6, between(rng, -1, 1) * max(room_y, 0) * 0.8
    return camera, Pose(x, y, turn + (np.pi if chance(rng, rules.upside_down) else 0.0))


def scene(
    rng: np.random.Generator, rules: Tier, camera: Camera, pose: Pose, printed: PrintedCard, glare: bool
) -> Pixels:
    """Table, card, sometimes a hand at the edge, and the lamp's reflection."""
    size, ppm = (camera.width, camera.height), camera.px_per_mm * 1.15
    picture = table_top(rng, size, camera.px_per_mm, pick(rng, TOPS))
    gloss = None
    if glare:
        at = (between(rng, 0.25, 0.75), between(rng, 0.2, 0.8))
        gloss = gloss_map(rng, size, between(rng, *rules.glare_peak), at)
    sprite = card_sprite(printed, ppm)
    layers = [Layer(sprite, camera.project(pose.place(sprite.corners_mm())), gloss=gloss)]
    if chance(rng, rules.hand):
        layers.append(hand_at_edge(rng, camera, pose))
    compose(picture, layers)
    if gloss is not None:
        picture = cv2.add(picture, cv2.merge([(gloss // 4).astype(np.uint8)] * 3))
    return picture


def hand_at_edge(rng: np.random.Generator, camera: Camera, pose: Pose) -> Layer:
    """Fingertips that touch the card's lower or right edge by a few millimetres."""
    sprite = hand(rng, min(camera.px_per_mm * 0.8, 6.0))
    if chance(rng, 0.5):
        at = Pose(
            pose.x + between(rng, -6, 24), pose.y + between(rng, 34, 38), np.pi / 2 + between(rng, -0.4, 0.4), 6.0
        )
    else:
        at = Pose(pose.x + between(rng, 50, 54), pose.y + between(rng, 4, 22), between(rng, -0.2, 0.4), 6.0)
    return Layer(sprite, camera.project(at.place(sprite.corners_mm())))


def through_lens(rng: np.random.Generator, rules: Tier, picture: Pixels) -> tuple[Pixels, dict[str, Any]]:
    """Exposure, defocus, motion blur, noise and JPEG."""
    defocus, motion = between(rng, *rules.defocus), between(rng, *rules.motion)
    quality = int(rng.integers(rules.jpeg[0], rules.jpeg[1] + 1))
    seen = cv2.GaussianBlur(picture, (0, 0), defocus).astype(np.float32)
    seen = cv2.filter2D(seen, -1, _motion_kernel(rng, motion)) * between(rng, *rules.gain)
    shape, sigma = (picture.shape[0], picture.shape[1]), between(rng, *rules.noise)
    grain = cloud(rng, shape, 1.0) * sigma
    tint = rng.standard_normal(picture.shape, dtype=np.float32) * (sigma * 0.35)
    noisy = np.clip(seen + grain[..., None] + cv2.GaussianBlur(tint, (0, 0), 0.8), 0, 255).astype(np.uint8)
    _, packed = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    return np.asarray(decoded), {"jpeg": quality, "defocus": round(defocus, 2), "motion": round(motion, 2)}


def _motion_kernel(rng: np.random.Generator, length_px: float) -> Pixels:
    """A line of `length_px` through the middle at a random angle, anti-aliased, summing to one."""
    side = int(length_px) * 2 + 5
    angle, zoom = between(rng, 0, np.pi), 8
    canvas = np.zeros((side * zoom, side * zoom), np.uint8)
    half, middle = length_px * zoom / 2, side * zoom / 2
    a = (round(middle - half * np.cos(angle)), round(middle - half * np.sin(angle)))
    b = (round(middle + half * np.cos(angle)), round(middle + half * np.sin(angle)))
    cv2.line(canvas, a, b, 255, zoom)
    kernel = cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(kernel / kernel.sum(), np.float32)


def render_scratch_sequence(
    seed: int, tier: str = "easy", steps: int = 12, any_panel: bool = True
) -> Iterator[tuple[Pixels, dict[str, Any]]]:
    """The same card, place and light while its panel is scratched from one end: covered, `steps` in between, open."""
    yield render_card_picture(seed, tier, "covered", any_panel)
    for step in range(1, steps + 1):
        yield render_card_picture(seed, tier, "partial", any_panel, open_share=step / (steps + 1))
    yield render_card_picture(seed, tier, "clean", any_panel)


def photograph(plan: CardPlan, seed: int, tier: str = "easy") -> tuple[Pixels, dict[str, Any]]:
    """The back of a given card under the camera, and its labels. Same plan, seed and tier: same pixels."""
    rules, rng = TIERS[tier], stream(seed, "photograph", tier)
    size = (1920, 1080) if chance(rng, rules.full_hd) else (1280, 720)
    printed = print_back(plan)
    camera, pose = placing(rng, rules, size)
    picture, _ = through_lens(rng, rules, scene(rng, rules, camera, pose, printed, chance(rng, rules.glare)))
    return picture, card_labels(plan, printed, camera, pose)
