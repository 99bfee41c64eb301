"""Pinyin initials of Chinese product names: what a clerk types to find one. Only who writes templates needs it."""

from __future__ import annotations

from pypinyin import Style, lazy_pinyin


def initials_of(name_zh: str) -> str:
    """The first letters of a name's syllables in capitals; Latin letters and digits stand for themselves.

    "云杉超市礼品卡" gives "YSCSLPK".
    """
    parts = lazy_pinyin(name_zh, style=Style.FIRST_LETTER, errors=lambda text: text)
    return "".join(c for part in parts for c in part.upper() if c.isascii() and c.isalnum())
