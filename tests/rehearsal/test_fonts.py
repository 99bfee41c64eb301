"""Fonts are found, and a missing one names the package that brings it."""

from __future__ import annotations

import pytest

from app.rehearsal.errors import FontMissing
from app.rehearsal.fonts import FACES, RESOURCES, find_font, font


@pytest.mark.parametrize("face", FACES)
def test_every_face_draws_digits(face: str) -> None:
    assert font(face, 20).getlength("0123456789") > 50


def test_bundled_fonts_come_with_their_licence() -> None:
    assert "SIL OPEN FONT LICENSE Version 1.1" in (RESOURCES / "fonts" / "OFL.txt").read_text(encoding="utf-8")


def test_a_missing_font_names_its_package() -> None:
    with pytest.raises(FontMissing) as trouble:
        find_font("NoSuchFace.ttc")
    assert trouble.value.code == "font.missing"
    assert "fonts-noto-cjk" in trouble.value.detail
