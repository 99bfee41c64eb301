"""What is not a card but shows a card's code: printed e-mails and telephones, for the reader to refuse."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from app.rehearsal.camera import Camera, Layer, Pose, Sprite, compose
from app.rehearsal.dice import between, chance, pick, stream
from app.rehearsal.improvise import improvise_card
from app.rehearsal.lettering import lay_ink, plain_text
from app.rehearsal.pictures import TIERS, through_lens
from app.rehearsal.table import TOPS, shadowed, table_top

Pixels = npt.NDArray[Any]

KINDS = ("paper", "screen")

_SIZE = (1280, 720)
_PPM = 8.0
_MARGIN_MM = 6.0
_LETTERS = (
    ("发件人: 云栖商城 <service@yunqi.example>", "收件人: wang_li@mail.example", "主题: 您购买的电子礼品卡", "您好！"),
    ("From: Green Pantry <post@pantry.example>", "To: j.miller@mail.example", "Subject: Your eGift card", "Dear J.,"),
    ("From: orders@nova.example", "Sent: 2026-03-04 10:21", "Subject: Order No. 2210-88341", "Thank you for buying"),
    ("星野商城  订单号: 6621 0093 71", "感谢您的购买，以下是您的电子卡：", "请勿回复本邮件"),
)
_BODY = ("面值 ¥{value}", "卡号: {number}", "卡密: {pin}", "Card number {number}", "PIN {pin}", "Value RMB {value}")
_BARS = (("9:41", "5G  87%"), ("14:05", "中国移动 4G"), ("08:32", "LTE 64%"), ("22:17", "Wi-Fi 45%"))
_HEADS = (("返回", "我的卡包"), ("< Back", "My cards"), ("关闭", "礼品卡详情"))
_KEYS = (("复制卡密", "分享"), ("Copy code", "Share"), ("保存图片", "转赠好友"), ("立即使用", "复制"))


def render_copy(seed: int, kind: str, tier: str) -> tuple[Pixels, dict[str, Any]]:
    """A mailed code under the camera: (uint8 720x1280x3 BGR, labels `medium` in KINDS, `tier`, `number`).

    Raises KeyError for an unknown tier, FontMissing.
    """
    rng = stream(seed, "copy", kind, tier)
    content = improvise_card(int(rng.integers(2**53))).plan.content
    said = {"number": content.number, "pin": content.pin, "value": content.face_value_yuan}
    sheet = _letter(rng, said) if kind == "paper" else _telephone(rng, said)
    share = between(rng, 0.85, 1.1) if kind == "paper" else between(rng, 0.82, 0.97)
    ppm = share * _SIZE[1] / (sheet.shape[0] / _PPM) if kind == "screen" else share * _SIZE[0] / (sheet.shape[1] / _PPM)
    camera = Camera(*_SIZE, ppm, between(rng, -3e-4, 3e-4), between(rng, -3e-4, 3e-4))
    picture = table_top(rng, _SIZE, ppm, pick(rng, TOPS))
    turn = between(rng, -0.08, 0.08) + (np.pi if chance(rng, 0.2) else 0.0)
    sprite = _sprite(sheet)
    away = between(rng, -20, 20), between(rng, -6, 6)
    compose(picture, [Layer(sprite, camera.project(Pose(*away, turn).place(sprite.corners_mm())))])
    picture, _ = through_lens(rng, TIERS[tier], picture)
    return picture, {"medium": kind, "tier": tier, "number": content.number, "card_quad": None}


def _sprite(sheet: Pixels) -> Sprite:
    pad = round(_MARGIN_MM * _PPM)
    alpha = cv2.copyMakeBorder(
        np.ones(sheet.shape[:2], np.float32), pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=[0.0]
    )
    colour = cv2.copyMakeBorder(sheet, pad, pad, pad, pad, cv2.BORDER_REPLICATE).astype(np.float32)
    return Sprite(shadowed(colour, alpha, _PPM, 0.6), _PPM, (alpha.shape[1] / 2, alpha.shape[0] / 2))


def _say(canvas: Pixels, text: str, em_mm: float, at_mm: tuple[float, float], ink: tuple[int, int, int]) -> None:
    if text:
        line = plain_text(text, "sans", em_mm * _PPM)
        lay_ink(canvas, line, (round(at_mm[0] * _PPM), round(at_mm[1] * _PPM)), ink)


def _letter(rng: np.random.Generator, said: dict[str, Any]) -> Pixels:
    """The upper part of a printed page, A4 wide."""
    canvas = np.full((round(116 * _PPM), round(210 * _PPM), 3), between(rng, 235, 252), np.float32)
    body = [line.format(**said) for line in _BODY[: 3 if chance(rng, 0.5) else 6]]
    em = between(rng, 4.2, 5.6)
    for index, text in enumerate((*pick(rng, _LETTERS), "", *body)):
        _say(canvas, text, em, (18, 14 + index * em * 1.6), (40, 38, 36))
    return np.asarray(canvas, np.uint8)


def _telephone(rng: np.random.Generator, said: dict[str, Any]) -> Pixels:
    """A telephone with a card's code on its screen."""
    dark = chance(rng, 0.4)
    paper, ink = ((28, 26, 26), (235, 235, 235)) if dark else ((250, 250, 250), (30, 30, 30))
    canvas = np.full((round(152 * _PPM), round(74 * _PPM), 3), 18, np.float32)
    edge = round(4 * _PPM)
    canvas[edge:-edge, edge:-edge] = paper
    (left, right), (back, title), keys = pick(rng, _BARS), pick(rng, _HEADS), pick(rng, _KEYS)
    for text, x, y in ((left, 8, 7), (right, 44, 7), (back, 8, 16), (title, 28, 16)):
        _say(canvas, text, 3.6, (x, y), ink)
    for index, line in enumerate(_BODY[:3] if chance(rng, 0.5) else _BODY[3:]):
        _say(canvas, line.format(**said), 3.4, (9, 40 + index * 9), ink)
    for index, key in enumerate(keys):
        _say(canvas, key, 4.0, (9 + index * 32, 128), (220, 140, 40))
    return np.asarray(canvas, np.uint8)
