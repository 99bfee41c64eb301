"""A card that is scratched while it lies there: a later look sees the panel as it is by then, not as it was first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.core.cards import PanelState
from app.rehearsal.casting import plan_card
from app.rehearsal.catalogue import fictional_toml
from app.rehearsal.deck import DeckCard
from app.rehearsal.pictures import photograph
from app.rehearsal.products import load_studio_products
from app.vision.card.locate import Located, locate
from app.vision.look import Looker
from app.vision.picture.pixels import Colour


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Colour]:
    """One card in one place, its panel covered and scratched open."""
    table: Path = tmp_path_factory.mktemp("studio") / "f.toml"
    table.write_text(fictional_toml(7, 10), encoding="utf-8")
    product = next(iter(load_studio_products(table).values()))
    shots = {}
    for state in ("covered", "clean"):
        picture, _ = photograph(plan_card(product, DeckCard(product.id, state), 101), 101)
        shots[state] = np.asarray(picture, np.uint8)
    return shots


def lying(picture: Colour) -> Located:
    located = locate(picture)
    assert located.corners is not None
    return located


def test_a_panel_that_was_scratched_meanwhile_is_seen_open(looker: Looker, card: dict[str, Colour]) -> None:
    first = looker.look(card["covered"], lying(card["covered"]))
    assert first.panel is PanelState.COVERED
    same = looker.look_again(card["covered"], lying(card["covered"]), first)
    assert not same.panel_seen_anew, "nothing has changed: only the fields are read again"
    later = looker.look_again(card["clean"], lying(card["clean"]), first)
    assert later.panel_seen_anew
    fresh = looker.look(card["clean"], lying(card["clean"]))
    assert later.panel is fresh.panel is not PanelState.COVERED
    assert later.pin is not None
    assert first.pin is None
    again = looker.look_again(card["clean"], lying(card["clean"]), later)
    assert not again.panel_seen_anew
    assert again.panel is later.panel
