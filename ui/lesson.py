"""The hands of a lesson: photographs are chosen, regions picked, moved and drawn, by keys or with the mouse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFileDialog

from app.core.lessons import (
    PHOTOGRAPHS,
    REGIONS,
    LessonFailed,
    LessonJob,
    LessonNews,
    Seen,
    Taught,
    Tried,
    fresh_box,
    moved,
    stretched,
)
from app.core.products import Box
from ui.present_lesson import Learning
from ui.scene import Scene
from ui.screens.products import ProductScreen

_STEP_MM = 0.5
_ARROWS = {"←": (-1, 0), "→": (1, 0), "↑": (0, -1), "↓": (0, 1)}

Study = Callable[[LessonJob, Callable[[LessonNews], None]], None]


class Lesson(QObject):
    """`learning` is what is shown; `changed` is told of each change of it, and of a trouble's code ("" for none)."""

    def __init__(self, study: Study, scene: Callable[[], Scene], changed: Callable[[Learning, str], None]) -> None:
        super().__init__()
        self._study, self._scene, self._changed = study, scene, changed
        self._screen: ProductScreen | None = None
        self.learning = Learning()

    def show_on(self, screen: ProductScreen) -> None:
        """Show everything on this screen from now on."""
        self._screen = screen
        screen.regions.picked.connect(self._pick)
        screen.regions.shaped.connect(self._shape)
        screen.regions.turned.connect(self.show_photograph)
        screen.regions.typed.connect(self._named)
        for field, text in zip(screen.regions.names, (self.learning.zh, self.learning.en), strict=True):
            field.setText(text)
        self._show_card()

    def forget(self) -> None:
        """Nothing of the photographs stays."""
        self.learning = Learning()
        if self._screen is not None:
            self._screen.regions.show_card(None)
            self._screen.regions.reveal(False)
            for field in self._screen.regions.names:
                field.clear()

    def key(self, name: str) -> bool:
        """A key of the lesson; False when it is none."""
        match name:
            case "F2" if self._screen is not None:
                zh, en = self._screen.regions.names
                (en if zh.hasFocus() else zh).setFocus()
            case "F3":
                self._ask_photographs()
            case "F4":
                self.show_photograph((self.learning.at + 1) % max(1, len(self.learning.cards)))
            case "F5":
                self.learn()
            case "," | ".":
                at = REGIONS.index(self.learning.field) + (1 if name == "." else -1)
                self._pick(REGIONS[at % len(REGIONS)])
            case "Space":
                self._look(sizing=not self.learning.sizing)
            case "⌫":
                self._take_back()
            case "←" | "→" | "↑" | "↓":
                self._nudge(*_ARROWS[name])
            case _:
                return False
        return True

    # Photographs

    def _ask_photographs(self) -> None:
        say = self._scene().say
        parent = None if self._screen is None else self._screen.window()
        patterns = f"{say('lesson.pictures')} (*.jpg *.jpeg *.png *.bmp *.tif *.tiff *.webp)"
        paths, _ = QFileDialog.getOpenFileNames(parent, say("lesson.dialog"), "", patterns)
        if paths:
            self.take(tuple(sorted(paths)))

    def take(self, paths: tuple[str, ...]) -> None:
        """Learn from these photographs; the fourth is the one that is tried."""
        chosen = paths[: PHOTOGRAPHS + 1]
        self.learning = replace(Learning(), photographs=chosen, zh=self.learning.zh, en=self.learning.en)
        self._show_card()
        self.learn()

    def learn(self) -> None:
        """Learn, by what was drawn as well."""
        learning = self.learning
        if learning.studying or not learning.photographs:
            return
        photographs = learning.photographs
        job = LessonJob(
            photographs[:PHOTOGRAPHS],
            photographs[PHOTOGRAPHS] if len(photographs) > PHOTOGRAPHS else "",
            learning.drawn,
            rehearsal=self._scene().around.rehearsal,
        )
        self._look(studying=True, taught=None, tried=None)
        self._study(job, lambda news: self._came(photographs, news))

    def _came(self, photographs: tuple[str, ...], news: LessonNews) -> None:
        if photographs != self.learning.photographs:
            return  # by now something else is learned
        match news:
            case Seen(cards) if not self.learning.cards:
                self._look(cards=cards)
                self._show_card()
            case Taught():
                waits = len(photographs) > PHOTOGRAPHS
                regions = _ordered({**dict(news.layout), **dict(self.learning.drawn)})
                self._look(cards=news.cards, regions=regions, taught=news, studying=waits, stale=False)
                self._show_card()
            case Tried():
                self._look(tried=news, studying=False)
            case LessonFailed(code):
                self._look(trouble=code, studying=False, tried=None)
            case _:
                pass

    def show_photograph(self, index: int) -> None:
        """Show the card of this photograph."""
        if 0 <= index < len(self.learning.cards):
            self._look(at=index)
            self._show_card()

    def _show_card(self) -> None:
        if self._screen is not None:
            show_card(self._screen, self.learning)

    # Regions

    def _pick(self, name: str) -> None:
        self._look(field=name)

    def _nudge(self, right: int, down: int) -> None:
        """Move the picked region by half a millimetre, or its lower right corner; one that is nowhere is put there."""
        card, box = self.learning.card, self.learning.box
        if card is None:
            return
        if box is None:
            self._shape(self.learning.field, fresh_box(card.size_mm))
        else:
            change = stretched if self.learning.sizing else moved
            self._shape(self.learning.field, change(box, right * _STEP_MM, down * _STEP_MM, card.size_mm))

    def _shape(self, name: str, box: Box) -> None:
        """A person says where a field is."""
        learning = self.learning
        if learning.studying:
            return  # what is being learned is learned by the regions of before
        regions = _ordered({**dict(learning.regions), name: box})
        drawn = _ordered({**dict(learning.drawn), name: box})
        self._look(field=name, regions=regions, drawn=drawn, stale=True)

    def _take_back(self) -> None:
        """The picked region is again where it was found; learned once more it is told."""
        learning, name = self.learning, self.learning.field
        drawn = dict(learning.drawn)
        if learning.studying or drawn.pop(name, None) is None:
            return
        boxes = dict(learning.regions)
        seen = dict(learning.card.regions).get(name) if learning.card else None
        if seen is None:
            boxes.pop(name, None)
        else:
            boxes[name] = seen
        self._look(regions=_ordered(boxes), drawn=_ordered(drawn), stale=True)

    def _named(self) -> None:
        if self._screen is not None:
            zh, en = self._screen.regions.names
            self._look(zh=zh.text(), en=en.text())

    def _look(self, trouble: str = "", **changes: Any) -> None:
        self.learning = replace(self.learning, **changes)
        self._changed(self.learning, trouble)


def show_card(screen: ProductScreen, learning: Learning) -> None:
    """Show the card and the photographs of a lesson; they are decoded here, not with each key."""
    photographs = tuple((QImage.fromData(one.photograph), one.quad) for one in learning.cards)
    card = learning.card
    if card is None:
        screen.regions.show_card(None, photographs, learning.at)
    else:
        screen.regions.show_card(QImage.fromData(card.upright), photographs, learning.at, card.size_mm)


def _ordered(regions: dict[str, Box]) -> tuple[tuple[str, Box], ...]:
    return tuple((name, regions[name]) for name in REGIONS if name in regions)
