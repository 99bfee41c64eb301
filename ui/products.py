"""The supervisor's hands on the catalogue: keys and clicks become questions to the desk, answers what is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QLineEdit

from app.catalog.search import Finder
from app.core.codes import tidy
from app.core.errors import Trouble
from app.core.lessons import LessonJob, LessonNews
from app.core.parcels import Operator
from app.core.products import Catalogue, Product, normalise_gtin
from app.core.shelving import CatalogueDesk, Standing
from ui.lesson import Lesson
from ui.present_lesson import Learning
from ui.present_products import MOST_FOUND, Choosing, Task, products
from ui.scene import Scene
from ui.screens.products import ProductScreen
from ui.widgets.overlays import REVIEW_BOARD


class Products(QObject):
    """One supervisor at a time. `left`: back to where they came from."""

    left = Signal()
    _answered = Signal(object)

    def __init__(self, desk: CatalogueDesk, scene: Callable[[], Scene], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._desk, self._scene = desk, scene
        self._screen: ProductScreen | None = None
        self.choosing: Choosing | None = None
        self._searched: tuple[Catalogue, Finder] | None = None
        self.lesson = Lesson(self._study, scene, self._lesson_changed)
        self._answered.connect(lambda pair: pair[0](pair[1]), Qt.ConnectionType.QueuedConnection)

    # Coming and going

    @property
    def open(self) -> bool:
        return self.choosing is not None

    def enter(self, who: Operator, gtin: str = "") -> None:
        """Begin with the barcodes that nobody knows; with `gtin` at that one."""
        self.choosing = Choosing(who, asked=gtin)
        self.refresh()
        self._desk.standing(who, self._back_to(self._standing_came))

    def leave(self) -> None:
        """Let everything go."""
        if self.choosing is None:
            return
        self.choosing = None
        self._desk.drop_study()
        self.lesson.forget()
        if self._screen is not None:
            self._screen.help.hide()
            self._screen.search.field.clear()
            self._screen.side.reason.clear()
            self._unfocus()
        self.left.emit()

    def show_on(self, screen: ProductScreen) -> None:
        """Show everything on this screen from now on (another theme, another size)."""
        if self._screen is not None:
            screen.side.reason.setText(self._screen.side.reason.text())
            screen.search.field.setText(self._screen.search.field.text())
        self._screen = screen
        screen.pressed.connect(self.key)
        screen.chosen.connect(self.choose)
        screen.search.typed.connect(self._search)
        screen.search.moved.connect(self._step_found)
        screen.search.chosen.connect(self._pick)
        screen.side.typed.connect(self._reason_changed)
        self.lesson.show_on(screen)
        self.refresh()

    def refresh(self) -> None:
        """Show what is looked at now."""
        if self.choosing is not None and self._screen is not None:
            self._screen.show_view(products(self._scene(), self.choosing))

    # Keys

    def key(self, name: str) -> None:
        """A key by the name printed on it."""
        screen, choosing = self._screen, self.choosing
        if screen is None or choosing is None:
            return
        if screen.help.isVisible():
            screen.help.hide()
            return
        if choosing.task is Task.NEW and self.lesson.key(name):
            return
        match name:
            case "1" | "2" | "3":
                self._turn_to(tuple(Task)[int(name) - 1])
            case "↑" | "↓":
                self._step(-1 if name == "↑" else 1)
            case "F1":
                self._help(screen)
            case "F3" if choosing.task is Task.BIND:
                self._focus(screen.search.field)
            case "F6":
                self._focus(screen.side.reason)
            case "Enter":
                self._enter(screen)
            case "Esc":
                self._back(screen)
            case "Ctrl 2":
                self.leave()

    def scanned(self, code: str) -> None:
        """A scanned barcode: one that nobody knows is the one to bind; a known one is told."""
        gtin = normalise_gtin(tidy(code))
        known = self._scene().catalogue.by_gtin(gtin)
        if gtin is None or self.choosing is None:
            self._look(trouble="catalog.bad_binding")
        elif known is not None:
            self._look(trouble="catalog.gtin_known")
        else:
            self.choosing = replace(self.choosing, task=Task.BIND, asked=gtin)
            self.choose(self._place_of(gtin))

    def _help(self, screen: ProductScreen) -> None:
        say = self._scene().say
        words = {key.key: key.label for key in screen.keys.keys}
        words |= {str(n): say(f"products.keys.tab-{n}") for n in range(1, len(Task) + 1)}
        words |= {"↑": say("review.keys.up"), "↓": say("review.keys.down"), "F11": say("key.fullscreen")}
        words |= {"Ctrl L": say("key.language"), "Ctrl D": say("key.theme"), "Ctrl 2": say("key.mail-in")}
        if screen.keys.go.view.fires:
            words["Enter"] = screen.keys.go.view.label
        screen.help.open(say("keys.title"), say("keys.close"), words, REVIEW_BOARD)

    def _enter(self, screen: ProductScreen) -> None:
        """In the search it takes the chosen product, elsewhere it is the blue key."""
        if screen.search.field.hasFocus() and self.choosing is not None:
            self._pick(self.choosing.at)
        elif screen.keys.go.view.fires:
            self._commit()

    def _back(self, screen: ProductScreen) -> None:
        """One level back; the last one leaves."""
        choosing = self.choosing
        assert choosing is not None
        if choosing.picked is not None:
            self._look(picked=None)
            self._focus(screen.search.field)
        elif any(field.hasFocus() for field in self._fields(screen)):
            self._unfocus()
        else:
            self.leave()

    @staticmethod
    def _fields(screen: ProductScreen) -> tuple[QLineEdit, ...]:
        return (screen.search.field, screen.side.reason, *screen.regions.names)

    def _focus(self, field: QLineEdit) -> None:
        field.setFocus()
        field.selectAll()

    def _unfocus(self) -> None:
        if self._screen is not None:
            for field in self._fields(self._screen):
                field.clearFocus()
            self._screen.window().setFocus()

    # What is looked at

    def _look(self, **changes: Any) -> None:
        if self.choosing is not None:
            self.choosing = replace(self.choosing, **changes)
            self.refresh()

    def _standing_came(self, answer: Standing | Trouble) -> None:
        if self.choosing is None:
            return
        if isinstance(answer, Trouble):
            self._look(busy=False, trouble=answer.code)
            return
        self._look(standing=answer)
        count = len(self._items())
        chosen = self._place_of(self.choosing.asked) if self.choosing.chosen < 0 else self.choosing.chosen
        self._look(chosen=min(max(chosen, 0), count - 1))

    def _place_of(self, gtin: str) -> int:
        assert self.choosing is not None
        return next((n for n, one in enumerate(self.choosing.unknown) if one.gtin == gtin), 0)

    def _turn_to(self, task: Task) -> None:
        self._look(task=task, chosen=-1, picked=None, trouble="", done="")
        if self._items():
            self.choose(0)

    def _items(self) -> tuple[object, ...]:
        """The lines of the list, but for the photographs of a lesson."""
        if self.choosing is None or self.choosing.task is Task.NEW:
            return ()
        return self.choosing.unknown if self.choosing.task is Task.BIND else self.choosing.changes

    def choose(self, index: int) -> None:
        """Look at a line of the list."""
        if self.choosing is not None and self.choosing.task is Task.NEW:
            self.lesson.show_photograph(index)
        elif 0 <= index < len(self._items()):
            self._look(chosen=index, picked=None, trouble="", done="")

    def _step(self, by: int) -> None:
        if self.choosing is not None:
            self.choose(self.choosing.chosen + by)

    def _search(self, query: str) -> None:
        found = self._finder().find(query, MOST_FOUND)
        self._look(query=query, found=found, at=0 if found else -1, picked=None, trouble="", done="")

    def _finder(self) -> Finder:
        """The search over the catalogue as it is now; a tenth of a second to make anew."""
        catalogue = self._scene().catalogue
        if self._searched is None or self._searched[0] is not catalogue:
            self._searched = catalogue, Finder(catalogue.products)
        return self._searched[1]

    def _step_found(self, by: int) -> None:
        if self.choosing is not None and self.choosing.found:
            self._look(at=min(len(self.choosing.found) - 1, max(0, self.choosing.at + by)))

    def _pick(self, index: int) -> None:
        """Take a product that was found; the reason is next."""
        choosing = self.choosing
        if choosing is not None and choosing.gtin is not None and 0 <= index < len(choosing.found):
            self._look(at=index, picked=choosing.found[index])
            if self._screen is not None:
                self._focus(self._screen.side.reason)

    # What is learned

    def _study(self, job: LessonJob, tell: Callable[[LessonNews], None]) -> None:
        if self.choosing is not None:
            self._desk.study(self.choosing.who, job, self._back_to(tell))

    def _lesson_changed(self, learning: Learning, trouble: str) -> None:
        self._look(learning=learning, trouble=trouble, done="")

    def reveal(self, on: bool) -> bool:
        """Uncover what stands under the panel of the card that is learned from; whether there is something to see."""
        showing = self.choosing is not None and self.choosing.task is Task.NEW and self.lesson.learning.card is not None
        if self._screen is not None:
            self._screen.regions.reveal(on and showing)
        return on and showing

    # What is done

    def _reason_changed(self) -> None:
        self._look(reason_there=bool(self._reason()))

    def _reason(self) -> str:
        return self._screen.side.reason.text().strip() if self._screen else ""

    def _commit(self) -> None:
        """The blue key."""
        choosing, change = self.choosing, self.choosing.change if self.choosing else None
        if choosing is None:
            return
        self._look(busy=True, trouble="", done="")
        who, reason = choosing.who, self._reason()
        if choosing.task is Task.BIND and choosing.gtin is not None and choosing.picked is not None:
            came = self._back_to(self._changed("products.done.bind", choosing.picked))
            self._desk.bind(who, choosing.gtin.gtin, choosing.picked.id, reason, came)
        elif choosing.task is Task.NEW and choosing.learning.taught is not None:
            names = choosing.learning.names
            came = self._back_to(self._published(names.zh if self._scene().language == "zh" else names.en))
            self._desk.add(who, choosing.learning.taught.template, names, reason, came)
        elif change is not None:
            came = self._back_to(self._changed("products.done.back", self._scene().catalogue.by_id(change.product_id)))
            if change.gtin:
                self._desk.release(who, change.gtin, reason, came)
            else:
                self._desk.withdraw(who, change.product_id, reason, came)
        self._unfocus()

    def _published(self, name: str) -> Callable[[Standing | Trouble], None]:
        def came(answer: Standing | Trouble) -> None:
            if not isinstance(answer, Trouble) and self.choosing is not None:
                self.lesson.forget()
                if self._screen is not None:
                    self._screen.side.reason.clear()
                done = self._scene().say("lesson.done", name=name)
                fresh = Choosing(self.choosing.who, Task.CHANGES, chosen=0, done=done)
                self.choosing = fresh
            self._standing_came(answer)

        return came

    def _changed(self, word: str, product: Product | None) -> Callable[[Standing | Trouble], None]:
        def came(answer: Standing | Trouble) -> None:
            if isinstance(answer, Trouble) or self.choosing is None:
                self._standing_came(answer)
                return
            scene = self._scene()
            name = product.name(scene.language) if product else scene.say("card.unknown")
            if self._screen is not None:
                self._screen.side.reason.clear()
                self._screen.search.field.clear()
            self.choosing = replace(
                self.choosing, busy=False, done=scene.say(word, name=name), picked=None, query="", found=(), at=-1,
                asked="",
            )  # fmt: skip
            self._standing_came(answer)

        return came

    def _back_to(self, slot: Callable[[Any], None]) -> Callable[[Any], None]:
        """An answer from any thread, brought to this one."""
        return lambda answer: self._answered.emit((slot, answer))
