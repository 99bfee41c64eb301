"""How the command line says what went wrong: what happened, what to do, what was kept, in the operator's language."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from app.core.errors import Trouble
from ui.texts import trouble


def spoken() -> str:
    """The operator's language for messages: "zh" unless the system says otherwise."""
    said = os.environ.get("CARDINTAKE_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG") or "zh"
    return "en" if said.lower().startswith("en") or said.startswith("C") else "zh"


def complain(problem: Trouble, out: TextIO | None = None) -> None:
    """Say it on stderr (or `out`); the code and its detail come last, for the support line."""
    text = trouble(problem.code, spoken())
    acts = [f"  → {act}" for act in text.do]
    code = f"  [{problem.code}] {problem.detail}".rstrip()
    lines = [text.title, *acts, *([f"  ✓ {text.kept}"] if text.kept else []), code]
    print("\n".join(lines).replace("**", ""), file=out or sys.stderr)
