"""What the screen for seeing secrets shows, as plain data: made by `ui.present_reveal`, drawn by widgets. No Qt here.

The secret itself is in none of these: the widget is handed it while it is uncovered, and loses it again.
"""

from __future__ import annotations

from dataclasses import dataclass

from ui.review_views import ListView, SideView
from ui.views import Chip, FrameView, GoKey, KeyLabel, Option, Tone


@dataclass(frozen=True, slots=True)
class StepView:
    """One step of a request, in words: done, under way, not yet or gone wrong, by its tone and icon."""

    icon: str
    text: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class CoverView:
    """What lies over a secret that is there: `length` dots; how long still, in words and as a share of 1."""

    label: str
    length: int
    cap: str
    action: str
    left: str
    share: float


@dataclass(frozen=True, slots=True)
class PanelView:
    """The middle: how it stands, what to do, and below that the reasons and the steps, each under its caption, or the
    covered secret.
    """

    chip: Chip
    prompt: str
    help: str
    captions: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    steps: tuple[StepView, ...] = ()
    cover: CoverView | None = None


@dataclass(frozen=True, slots=True)
class RevealView:
    """The whole screen."""

    frame: FrameView
    list: ListView
    panel: PanelView
    side: SideView
    keys: tuple[KeyLabel, ...]
    go: GoKey
