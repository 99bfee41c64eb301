"""Pictures of chance cards: the same from the same seed, and true to their labels."""

from __future__ import annotations

import itertools
import json

import cv2
import numpy as np
import pytest
import zxingcpp
from stdnum import ean

from app.rehearsal.improvise import improvise_card
from app.rehearsal.pictures import TIERS, render_card_picture, render_scratch_sequence


@pytest.mark.parametrize("tier", TIERS)
def test_a_picture_follows_from_seed_and_tier(tier: str) -> None:
    image, labels = render_card_picture(4, tier)
    again, same = render_card_picture(4, tier)
    other, _ = render_card_picture(5, tier)
    assert image.tobytes() == again.tobytes()
    assert labels == same
    assert other.tobytes() != image.tobytes()
    assert (labels["width"], labels["height"]) == (image.shape[1], image.shape[0])
    assert json.loads(json.dumps(labels)) == labels


@pytest.mark.parametrize("seed", range(4))
def test_barcodes_of_easy_pictures_are_what_the_labels_say(seed: int) -> None:
    image, labels = render_card_picture(seed, "easy")
    corners = np.array(labels["card_quad"], np.float32)
    flat = np.array([[0, 0], [1712, 0], [1712, 1080], [0, 1080]], np.float32)
    card = cv2.warpPerspective(image, cv2.getPerspectiveTransform(corners, flat), (1712, 1080), flags=cv2.INTER_CUBIC)
    found = {code.text for view in (card, image) for code in zxingcpp.read_barcodes(view)}
    for code in labels["barcodes"]:
        assert {code["text"], "0" + code["text"]} & found
    assert ean.is_valid(labels["gtin"])


@pytest.mark.parametrize("seed", range(20))
def test_improvised_cards_keep_their_fields_apart(seed: int) -> None:
    plan = improvise_card(seed).plan
    boxes = [box for box in (plan.layout.number, plan.layout.panel, *plan.code_boxes) if box is not None]
    for index, a in enumerate(boxes):
        for b in boxes[index + 1 :]:
            assert a.x + a.w <= b.x or b.x + b.w <= a.x or a.y + a.h <= b.y or b.y + b.h <= a.y


def test_hard_cards_stay_inside_the_picture() -> None:
    for seed in range(3):
        _, labels = render_card_picture(seed, "hard")
        quad = np.array(labels["card_quad"])
        assert quad.min() > -20
        assert (quad.max(axis=0) < (labels["width"] + 20, labels["height"] + 20)).all()


def test_a_panel_is_scratched_from_one_end_to_the_other() -> None:
    seen = list(render_scratch_sequence(3, steps=5))
    assert [labels["pin_state"] for _, labels in seen] == ["covered", *["partial"] * 5, "clean"]
    assert [labels["pin"] is not None for _, labels in seen] == [False] * 6 + [True]
    assert len({labels["number"] for _, labels in seen}) == 1
    legible = [sum(share > 0.6 for share in labels["pin_ink"]) for _, labels in seen]
    assert legible[0] == 0
    assert legible == sorted(legible)
    assert legible[-1] == len(seen[-1][1]["pin"])
    pictures = [image for image, _ in seen]
    assert all(a.tobytes() != b.tobytes() for a, b in itertools.pairwise(pictures))
