"""Money in fen: integers only, never floats."""

from __future__ import annotations


def yuan_text(fen: int) -> str:
    """Fen as the screens print it: ¥1,000 or ¥9.50; the sign stands before the currency."""
    sign = "-" if fen < 0 else ""
    yuan, rest = divmod(abs(fen), 100)
    return f"{sign}¥{yuan:,}" + (f".{rest:02d}" if rest else "")
