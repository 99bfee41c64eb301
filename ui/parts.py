"""What a state contributes to the workbench: its body, its keys, its blue key, perhaps a dialog."""

from __future__ import annotations

from dataclasses import dataclass

from ui.views import GoKey, KeyLabel
from ui.work_views import Body, DialogView


@dataclass(frozen=True, slots=True)
class Part:
    """`typing`: what F6 types in this state, "" when nothing is typed."""

    body: Body
    keys: tuple[KeyLabel, ...]
    go: GoKey
    dialog: DialogView | None = None
    typing: str = ""
