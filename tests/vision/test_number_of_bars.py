"""A number that glare or relief hides is told by the card's own Code 128, but only where the print resembles it."""

from __future__ import annotations

import pytest

from app.vision.conclude import _resembles

CODE = "35076956135160354"


@pytest.mark.parametrize(
    "seen",
    [
        CODE,
        "35076956135168354",  # a misread character
        "350769565160354",  # two lost in one place
    ],
)
def test_print_with_few_characters_lost_resembles_its_symbol(seen: str) -> None:
    assert _resembles(seen, CODE)


@pytest.mark.parametrize(
    "seen",
    [
        "",
        "3507695613516",  # the symbol says more than is printed: perhaps no number at all
        "76956135160354",
        "3507956135160",  # lost in two places
        "35076956135160354" + "12",
        "62223456135199999",
        "3507600354",  # too little of it
    ],
)
def test_other_print_does_not(seen: str) -> None:
    assert not _resembles(seen, CODE)
