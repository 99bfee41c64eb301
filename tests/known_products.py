"""The products that cards of chance would be of, had a supervisor made templates of them."""

from __future__ import annotations

import numpy as np
import pytest

from app.core.products import DIGITS, Box, FieldPattern, Layout, Product
from app.rehearsal import variety
from app.rehearsal.cards import CardPlan, print_back
from app.rehearsal.dice import stream
from app.rehearsal.improvise import improvise_card

_NAMES = ("number", "panel", "pin", "expiry", "face_value", "barcode")
_ASTRAY_MM = 0.5  # how far a template's places lie from the print of a card at hand, at most


def plan_of(seed: int, tier: str) -> CardPlan:
    """The card that `render_card_picture` shows for this seed."""
    return improvise_card(int(stream(seed, "picture-card", tier).integers(2**53))).plan


def upright_plan(seed: int, monkeypatch: pytest.MonkeyPatch) -> CardPlan:
    """The card that `render_rare_picture` shows for this seed, printed upright."""
    plans: list[CardPlan] = []
    with monkeypatch.context() as patch:
        patch.setattr(variety, "print_back", lambda plan: plans.append(plan) or print_back(plan))
        variety.render_rare_picture(seed, "easy", upright=True)
    return plans[0]


def product_of(plan: CardPlan, shift: tuple[float, float] = (0.0, 0.0)) -> Product:
    """Its product, the layout shifted by so many millimetres."""
    content = plan.content
    pin = FieldPattern(content.pin_alphabet or DIGITS, (len(content.pin),), content.pin_groups)
    return Product(
        id=f"chance-{plan.seed}",
        name_zh="",
        name_en="",
        category="supermarket",
        gtins=frozenset([content.gtin.zfill(14)] if content.gtin else []),
        number=FieldPattern(DIGITS, (len(content.number),), content.number_groups),
        pin=pin if content.pin else None,
        layout=Layout(**{name: _shifted(getattr(plan.layout, name), shift) for name in _NAMES}),
    )


def astray(seed: int) -> tuple[float, float]:
    """How far a card of this seed is printed from where its template has it, in millimetres."""
    dx, dy = np.random.default_rng(seed).uniform(-_ASTRAY_MM, _ASTRAY_MM, 2)
    return float(dx), float(dy)


def _shifted(box: Box | None, by: tuple[float, float]) -> Box | None:
    return None if box is None else Box(round(box.x + by[0], 1), round(box.y + by[1], 1), box.w, box.h)
