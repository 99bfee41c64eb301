"""Copies of codes are told from cards: letters and screens by what stands on them, cards never by one word."""

from __future__ import annotations

import numpy as np
import pytest

from app.core.cards import Medium
from app.core.products import Catalogue
from app.eye.oneshot import read_picture
from app.rehearsal.copies import render_copy
from app.rehearsal.variety import render_rare_picture
from app.vision.look import Looker
from app.vision.medium import medium

LETTER = (
    "发件人: 商城 <service@shop.example>",
    "主题: 您购买的电子礼品卡",
    "尊敬的客户，您好！",
    "卡号: 6222000011112222",
)
SCREEN = ("9:41", "5G 87%", "返回", "卡号: 6222000011112222", "复制卡密", "分享")
CARD = ("云栖便利", "卡号 6222 0000 1111 2222", "密码 ABCD1234", "www.shop.example", "面值 ¥100")


def test_what_stands_there_tells_letters_and_screens() -> None:
    assert medium(LETTER, len(LETTER)) is Medium.PAPER
    assert medium(SCREEN, 4) is Medium.SCREEN
    assert medium(CARD, 0) is Medium.CARD
    assert medium((), 0) is None


@pytest.mark.parametrize("word", [*LETTER, *SCREEN])
def test_one_line_alone_never_refuses_a_card(word: str) -> None:
    assert medium((*CARD[:3], word), 0) is Medium.CARD


@pytest.mark.parametrize(
    ("seed", "kind", "tier"),
    [
        (1, "paper", "easy"),
        (1, "screen", "easy"),
        (13_960_006, "paper", "easy"),  # these three show what looks like an open panel
        (13_960_007, "paper", "easy"),
        (13_960_002, "paper", "hard"),
    ],
)
def test_a_copy_is_never_read_as_a_card(looker: Looker, seed: int, kind: str, tier: str) -> None:
    picture, labels = render_copy(seed, kind, tier)
    answer = read_picture(np.ascontiguousarray(picture), looker, Catalogue(()))
    assert answer["medium"] == labels["medium"]
    assert answer["number"] is None
    assert answer["pin"] is None


def test_a_card_printed_upright_is_read(looker: Looker) -> None:
    picture, labels = render_rare_picture(40_000, "easy", upright=True)
    answer = read_picture(np.ascontiguousarray(picture), looker, Catalogue(()))
    assert answer["number"] == labels["number"]
    assert answer["expiry"] == labels["expiry"]
    assert answer["expiry_printed"] == labels["expiry_printed"]
    assert (answer["face_value"], answer["currency"]) == (labels["face_value"], labels["currency"])
    assert answer["region"] == labels["region"]
    assert np.abs(np.array(answer["quad"]) - np.array(labels["card_quad"])).max() < 12
