"""The parcel: a cardboard box with a waybill label, seen from above, closed, cut along its tape, open, and empty.

The box is a few flat sprites placed in space; the camera's projection makes walls and rising flaps of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from app.rehearsal.barcodes import lay_barcode
from app.rehearsal.camera import Camera, Layer, Pose, Sprite, premultiplied
from app.rehearsal.content import Barcode
from app.rehearsal.dice import between, stream
from app.rehearsal.lettering import lay_ink, plain_text
from app.rehearsal.panel import cloud
from app.rehearsal.table import shadowed

Pixels = npt.NDArray[Any]

BOX_W_MM, BOX_D_MM, BOX_H_MM = 122.0, 70.0, 30.0
FLAP_MM = BOX_D_MM / 2
LABEL_MM = (17.0, 4.5, 88.0, 28.5)
"""The waybill label on the lower flap: left, top, width, height from the flap's top-left corner."""

_KRAFT = (118, 158, 190)


@dataclass(frozen=True, eq=False)
class Parcel:
    """The sprites of one parcel and where its waybill barcode stands on the closed box (mm from the box's middle)."""

    shadow: Sprite
    upper: Sprite
    lower: Sprite
    inside: Sprite
    floor: Sprite
    bare_floor: Sprite
    wall: Sprite
    cut: Sprite


def make_parcel(seed: int, waybill: str, order_number: str, fronts: list[Pixels], ppm: float) -> Parcel:
    """Draws the sprites at `ppm`; `fronts` are card fronts (uint8 BGR at any size) that lie in the box."""
    upper = _cardboard(seed, "upper", (BOX_W_MM, FLAP_MM), ppm)
    lower = _cardboard(seed, "lower", (BOX_W_MM, FLAP_MM), ppm)
    _print_box(upper, ppm)
    _label(lower, waybill, order_number, ppm)
    _tape(upper, ppm, at_bottom=True)
    _tape(lower, ppm, at_bottom=False)
    floor = _cardboard(seed, "floor", (BOX_W_MM, BOX_D_MM), ppm) * 0.62
    filled = floor.copy()
    _stack(filled, fronts, ppm, seed)
    _lay_paper(stream(seed, "paper"), filled, ppm)
    cut = np.zeros((round(1.6 * ppm), round(BOX_W_MM * ppm), 3), np.float32) + 22
    return Parcel(
        shadow=_box_shadow(ppm),
        upper=_sprite(upper, ppm),
        lower=_sprite(lower, ppm),
        inside=_sprite(_cardboard(seed, "inside", (BOX_W_MM, FLAP_MM), ppm) * 1.08, ppm),
        floor=_sprite(filled, ppm),
        bare_floor=_sprite(floor, ppm),
        wall=_sprite(_cardboard(seed, "wall", (BOX_W_MM, BOX_H_MM), ppm) * 0.8, ppm),
        cut=_sprite(cut, ppm),
    )


def _sprite(colour: Pixels, ppm: float) -> Sprite:
    height, width = colour.shape[:2]
    return Sprite(premultiplied(colour, np.ones((height, width), np.float32)), ppm, (width / 2, height / 2))


def _cardboard(seed: int, part: str, size_mm: tuple[float, float], ppm: float) -> Pixels:
    """Brown cardboard: fibres, and the faint ribs of the flutes below."""
    rng = stream(seed, "cardboard", part)
    shape = (round(size_mm[1] * ppm), round(size_mm[0] * ppm))
    tone = 1 + 0.018 * cloud(rng, shape, ppm * 0.5) + 0.015 * cloud(rng, shape, ppm * 9)
    ribs = 0.012 * np.sin(np.arange(shape[1], dtype=np.float32) / ppm * 2 * np.pi / 5.5)[None, :]
    edge = 1 - 0.10 * np.exp(-np.arange(shape[0], dtype=np.float32) / ppm / 1.5)[:, None]
    return np.asarray((tone + ribs)[..., None] * edge[..., None] * np.array(_KRAFT, np.float32), np.float32)


def _print_box(flap: Pixels, ppm: float) -> None:
    for text, em, x, y in (("小心轻放  FRAGILE", 5.4, 9.0, 7.0), ("卡件回收  CARD RETURN", 3.6, 9.0, 16.0)):
        lay_ink(flap, plain_text(text, "sans-bold", em * ppm), (round(x * ppm), round(y * ppm)), (52, 66, 84), 0.8)
    for index in range(2):
        x = (98.0 + index * 9.0) * ppm
        arrow = np.array(((0, 12), (3.5, 6), (7, 12), (4.6, 12), (4.6, 20), (2.4, 20), (2.4, 12))) * ppm + (x, 0)
        cv2.fillPoly(flap, [np.round(arrow).astype(np.int32)], (52, 66, 84), cv2.LINE_AA)


def _tape(flap: Pixels, ppm: float, at_bottom: bool) -> None:
    """Half of the brown tape that runs along the seam."""
    rows = round(3.4 * ppm)
    band = flap[-rows:] if at_bottom else flap[:rows]
    band += (np.array((96, 140, 178), np.float32) - band) * 0.55
    band += 14 * np.sin(np.arange(band.shape[1], dtype=np.float32) / ppm / 7.0)[None, :, None]
    seam = flap[-1:] if at_bottom else flap[:1]
    seam *= 0.7


def _label(flap: Pixels, waybill: str, order_number: str, ppm: float) -> None:
    """Prints the waybill label."""
    x, y, w, h = LABEL_MM
    flap[round(y * ppm) : round((y + h) * ppm), round(x * ppm) : round((x + w) * ppm)] = (246, 246, 244)
    code = (x + 11.0, y + 7.0, 66.0, 13.5)
    place = tuple(round(v * ppm) for v in code)
    lay_barcode(flap, Barcode("Code128", waybill), (place[0], place[1], place[2], place[3]), (246, 246, 244))
    lines = (
        ("云程速运 YUNCHENG EXPRESS", "sans-bold", 3.0, x + 2.5, y + 1.8),
        (f"ORDER {order_number}", "mono", 2.4, x + 3.0, y + 22.0),
        ("收件:验卡中心 前台", "sans", 2.3, x + 54.0, y + 22.0),
        ("样件 SPECIMEN", "sans", 2.0, x + 66.0, y + 2.2),
    )
    for text, face, em, at_x, at_y in lines:
        lay_ink(flap, plain_text(text, face, em * ppm), (round(at_x * ppm), round(at_y * ppm)), (26, 26, 26))


def _stack(floor: Pixels, fronts: list[Pixels], ppm: float, seed: int) -> None:
    """The cards lying in the box, one over another, a little askew."""
    for index, front in enumerate(fronts[:6]):
        rng = stream(seed, "stack", index)
        turn, centre = between(rng, -5, 5), (front.shape[1] / 2, front.shape[0] / 2)
        matrix = cv2.getRotationMatrix2D(centre, turn, 85.6 * ppm / front.shape[1])
        matrix[:, 2] += (floor.shape[1] / 2 - centre[0] + between(rng, -5, 5) * ppm, floor.shape[0] / 2 - centre[1])
        size = (floor.shape[1], floor.shape[0])
        cover = (
            cv2.warpAffine(np.full(front.shape[:2], 255, np.uint8), matrix, size).astype(np.float32)[..., None] / 255
        )
        dark = cv2.GaussianBlur(cover, (0, 0), ppm * 0.9)[..., None]
        floor *= 1 - dark * 0.4
        card = cv2.warpAffine(front, matrix, size).astype(np.float32) * 0.8
        floor += (card - floor) * cover


def _lay_paper(rng: np.random.Generator, floor: Pixels, ppm: float) -> None:
    """Crumpled packing paper over the right third of the stack, so that no card in the box is seen whole."""
    height, width = floor.shape[:2]
    ys = np.linspace(-0.1, 1.1, 9) * height
    xs = width * 0.66 + rng.normal(0, ppm * 2.2, 9)
    outline = np.vstack([np.column_stack([xs, ys]), [[width * 1.1, height * 1.1], [width * 1.1, -height * 0.1]]])
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], 255, cv2.LINE_AA)
    cover = mask.astype(np.float32)[..., None] / 255
    floor *= 1 - cv2.GaussianBlur(cover, (0, 0), ppm * 1.2)[..., None] * 0.45
    ridges = np.abs(cloud(rng, (height, width), ppm * 7)) + 0.5 * np.abs(cloud(rng, (height, width), ppm * 3))
    paper = np.array((150, 178, 196), np.float32) * (1.02 - 0.10 * ridges)[..., None]
    floor += (paper - floor) * cover


def _box_shadow(ppm: float) -> Sprite:
    low = ppm / 4
    size = (round((BOX_W_MM + 60) * low), round((BOX_D_MM + 60) * low))
    alpha = np.zeros((size[1], size[0]), np.float32)
    pad = round(30 * low)
    alpha[pad:-pad, pad:-pad] = 1
    colour = np.zeros((*alpha.shape, 3), np.float32)
    dark = shadowed(colour, alpha, low, 16.0)
    return Sprite(dark, low, (size[0] / 2, size[1] / 2))


def _quad(camera: Camera, at: Pose, corners: list[tuple[float, float, float]]) -> Pixels:
    points = np.array(corners, np.float64)
    return camera.project(np.column_stack([points[:, 0] + at.x, points[:, 1] + at.y, points[:, 2]]))


def box_layers(
    parcel: Parcel, camera: Camera, at: Pose, opening: float, cut: float, filled: bool, smear: tuple[float, float]
) -> list[Layer]:
    """The box at `at`. `opening` 0 = flaps closed .. 1 = laid back; `cut` 0..1 of the tape is cut so far."""
    w, d, h = BOX_W_MM / 2, BOX_D_MM / 2, BOX_H_MM
    layers = [Layer(parcel.shadow, camera.project(at.place(parcel.shadow.corners_mm())), smear)]
    if opening > 0:
        floor = parcel.floor if filled else parcel.bare_floor
        layers.append(Layer(floor, _quad(camera, at, [(-w, -d, 2), (w, -d, 2), (w, d, 2), (-w, d, 2)]), smear))
        walls = [((-w, -d), (w, -d)), ((w, d), (-w, d)), ((-w, d), (-w, -d)), ((w, -d), (w, d))]
        for (ax, ay), (bx, by) in walls:
            corners = [(ax, ay, h), (bx, by, h), (bx, by, 2.0), (ax, ay, 2.0)]
            layers.append(Layer(parcel.wall, _quad(camera, at, corners), smear))
    angle = opening * np.radians(158)
    reach, rise = FLAP_MM * float(np.cos(angle)), FLAP_MM * float(np.sin(angle))
    for side, outside in ((-1.0, parcel.upper), (1.0, parcel.lower)):
        hinge, edge = (side * d, h), (side * (d - reach), h + rise)
        first, last = (hinge, edge) if side < 0 else (edge, hinge)
        corners = [(-w, *first), (w, *first), (w, *last), (-w, *last)]
        layers.append(Layer(outside if reach > 0 else parcel.inside, _quad(camera, at, corners), smear))
    if cut > 0 and opening == 0:
        right = -w + 2 * w * cut
        corners = [(-w, -0.6, h), (right, -0.4, h), (right, 0.4, h), (-w, 0.6, h)]
        layers.append(Layer(parcel.cut, _quad(camera, at, corners), smear))
    return layers
