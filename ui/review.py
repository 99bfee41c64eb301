"""The reviewer's hands: keys and clicks become questions to the desk, answers become what the screen shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import PurePath
from typing import Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QImage

from app.core.cards import Secret
from app.core.errors import Trouble
from app.core.footage import Exported, Footage, Hold, Lines, Pile, Proof, ReviewDesk, wanted_time
from app.core.parcels import Operator
from app.core.rulings import Ruled, Second
from ui.present_review import ACCEPT, DISPUTE, EXPORT, HOLD, RULINGS, STILL, Looking, Matter, may_undo, review
from ui.reel import Reel
from ui.scene import Scene
from ui.screens.review import ReviewScreen
from ui.widgets.overlays import REVIEW_BOARD, TypeWords

_SETTLE_MS = 120
"""Who runs down the list with ↓ opens only the line that they stop at."""

_FIND, _TIME, _SECOND, _SECRET = "find", "time", "second", "second-pass"


class Review(QObject):
    """One reviewer at a time. `left`: back to where they came from; `asked`: which product has this GTIN?
    `secret_asked`: what the vault shows of this card.
    """

    left = Signal()
    asked = Signal(str)
    secret_asked = Signal()
    _answered = Signal(object)

    def __init__(self, desk: ReviewDesk, scene: Callable[[], Scene], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._desk, self._scene = desk, scene
        self._screen: ReviewScreen | None = None
        self.looking: Looking | None = None
        self._second_id = ""
        self._goal_us: int | None = None  # where to go when the recording that is asked for comes
        self._exact = ("", 0, 0)  # where a recording was entered: the frame there, and the very instant
        self._image: QImage | None = None
        self.reel = Reel(desk, self)
        self.reel.moved.connect(self._moved)
        self.reel.framed.connect(self._framed)
        self.reel.failed.connect(lambda: self._look(trouble="review.cannot_read"))
        self._answered.connect(lambda pair: pair[0](pair[1]), Qt.ConnectionType.QueuedConnection)
        self._settle = QTimer(self, singleShot=True, interval=_SETTLE_MS)
        self._settle.timeout.connect(self._open_line)

    # Coming and going

    @property
    def open(self) -> bool:
        return self.looking is not None

    def enter(self, who: Operator) -> None:
        """Begin with the cards that wait for somebody."""
        self.looking = Looking(who)
        self.refresh()
        self._ask_lines(Pile.REVIEW, "")

    def leave(self) -> None:
        """Let everything go."""
        if self.looking is None:
            return
        self._settle.stop()
        self.reel.close()
        self.looking, self._image = None, None
        if self._screen is not None:
            self._screen.help.hide()
            self._screen.typing.close_and_forget()
            self._screen.side.reason.clear()
            self._screen.film.show_image(None)
        self.left.emit()

    def show_on(self, screen: ReviewScreen) -> None:
        """Show everything on this screen from now on (another theme, another size)."""
        if self._screen is not None:
            screen.side.reason.setText(self._screen.side.reason.text())
        self._screen = screen
        screen.pressed.connect(self.key)
        screen.chosen.connect(self.choose)
        screen.sought.connect(self._sought)
        screen.side.typed.connect(self._reason_changed)
        screen.film.show_image(self._image)
        self.refresh()
        self._moved()

    def refresh(self) -> None:
        """Show what is looked at now."""
        if self.looking is not None and self._screen is not None:
            self._screen.show_view(review(self._scene(), self.looking))

    # Keys

    def key(self, name: str) -> None:
        """A key by the name printed on it."""
        screen = self._screen
        if screen is None or self.looking is None:
            return
        was_blind = self.looking.blind
        if was_blind:
            self._look(blind=False)
        if was_blind and name in ("F4", "Esc"):
            return  # back to the camera that has a picture
        if screen.help.isVisible():
            screen.help.hide()
        elif screen.typing.isVisible():
            self._typing_key(screen, name)
        elif name in _PLAYER_KEYS:
            _PLAYER_KEYS[name](self.reel)
        elif name in (EXPORT, STILL, HOLD, DISPUTE) or (name in RULINGS and name in self.looking.acts):
            self._arm(name)
        elif name in _PILES:
            self._ask_lines(_PILES[name], "")
        else:
            self._other_key(screen, name)

    def _other_key(self, screen: ReviewScreen, name: str) -> None:
        match name:
            case "↑" | "↓":
                self._step_line(-1 if name == "↑" else 1)
            case "F1":
                self._help(screen)
            case "F2":
                self._undo()
            case "F3":
                self._type(screen, _FIND)
            case "T":
                self._type(screen, _TIME)
            case "F4":
                self._other_angle()
            case "B" if self.looking is not None and self.looking.unknown_gtin:
                self.asked.emit(self.looking.unknown_gtin)
            case "F8":
                self.secret_asked.emit()
            case "F6":
                screen.side.reason.setFocus()
            case "Enter":
                self._commit()
            case "Esc":
                self._back()
            case "Ctrl 2":
                self.leave()

    def scanned(self, code: str) -> None:
        """A scanned code is looked for; where a second signature is asked for it is the badge."""
        screen = self._screen
        if screen is not None and screen.typing.isVisible() and screen.typing.kind in (_SECOND, _SECRET):
            screen.typing.close_and_forget()
            self._unfocus()
            self._rule(Second(badge=code))
            return
        self._ask_lines(Pile.ALL, code)

    def _back(self) -> None:
        """One level back; the last one leaves."""
        assert self.looking is not None
        if self.looking.armed:
            self._look(armed="")
            self._unfocus()
        elif self.looking.lines and self.looking.lines.query:
            self._ask_lines(self.looking.pile, "")
        else:
            self.leave()

    def _unfocus(self) -> None:
        if self._screen is not None:
            self._screen.side.reason.clearFocus()
            self._screen.window().setFocus()

    def _typing_key(self, screen: ReviewScreen, name: str) -> None:
        if name not in ("Enter", "Esc"):
            return
        kind = screen.typing.kind
        text = screen.typing.close_and_forget()
        self._unfocus()
        if name == "Esc" or not text or self.looking is None:
            self._second_id = ""
            return
        if kind == _SECOND:
            self._second_id = text
            self._type(screen, _SECRET, hidden=True)
        elif kind == _SECRET:
            given, self._second_id = Second(operator_id=self._second_id, passcode=Secret(text)), ""
            self._rule(given)
        elif kind == _FIND:
            self._ask_lines(Pile.ALL, text)
        elif self.looking.footage is not None:
            footage = self.looking.footage
            day = datetime.fromtimestamp(footage.began_wall_us / 1e6).replace(hour=0, minute=0, second=0, microsecond=0)
            at_us = wanted_time(text, footage, round(day.timestamp() * 1e6))
            if at_us is not None:
                self.reel.seek(at_us)

    def _type(self, screen: ReviewScreen, kind: str, hidden: bool = False) -> None:
        say = self._scene().say
        words = (
            say(f"type.{kind}"),
            say(f"type.{kind}.note"),
            say(f"type.{kind}.go"),
            say("cap.enter"),
            say("key.back"),
        )
        screen.typing.open(kind, TypeWords(*words), hidden=hidden)

    def _help(self, screen: ReviewScreen) -> None:
        say = self._scene().say
        words = {key.key: key.label for key in screen.keys.keys}
        words |= {"Space": say("player.play"), "J": say("review.keys.back"), "K": say("review.keys.stop")}
        words |= {"L": say("review.keys.fast"), ",": say("review.keys.frame-back"), ".": say("review.keys.frame-on")}
        words |= {"←": say("review.keys.before"), "→": say("review.keys.after")}
        words |= {
            "T": say("review.to-time"),
            "F4": say("review.angle"),
            "F6": say("review.keys.f6"),
            "Esc": say("key.back"),
        }
        words |= {"↑": say("review.keys.up"), "↓": say("review.keys.down"), "F8": say("review.keys.f8")}
        words |= {"F11": say("key.fullscreen")}
        words |= {"Ctrl L": say("key.language"), "Ctrl D": say("key.theme"), "Ctrl 2": say("key.mail-in")}
        words |= {name: say(f"review.keys.{name.lower()}") for name in (EXPORT, STILL, HOLD, DISPUTE)}
        if self.looking is not None:
            words |= {option.key: option.title for option in screen.side.view.options}
        words |= {str(n): say(f"review.pile.{pile.value}") for n, pile in enumerate(Pile, 1)}
        if screen.keys.go.view.fires:
            words["Enter"] = screen.keys.go.view.label
        screen.help.open(say("keys.title"), say("keys.close"), words, REVIEW_BOARD)

    # What is looked at

    def _look(self, **changes: Any) -> None:
        if self.looking is not None:
            self.looking = replace(self.looking, **changes)
            self.refresh()

    def _ask_lines(self, pile: Pile, query: str) -> None:
        if self.looking is not None:
            self._look(pile=pile, trouble="", done="", armed="")
            self._desk.lines(self.looking.who, pile, query, self._back_to(self._lines_came))

    def _lines_came(self, lines: Lines | Trouble) -> None:
        if isinstance(lines, Trouble):
            self._look(trouble=lines.code)
            return
        line = self.looking.line if self.looking else None
        same = (
            next((n for n, one in enumerate(lines.lines) if line and one.card_id == line.card_id), -1) if line else -1
        )
        self._look(lines=lines, chosen=same)
        if same < 0 and lines.lines:
            self.choose(0)

    def choose(self, index: int) -> None:
        """Look at a line of the list."""
        if self.looking is None or self.looking.lines is None or not 0 <= index < len(self.looking.lines.lines):
            return
        self._look(chosen=index, armed="", done="", trouble="", blind=False)
        line = self.looking.lines.lines[index]
        footage = self.looking.footage
        if footage is not None and footage.recording_id == line.recording_id:
            self._settle.stop()
            self._seek_card()
            return
        self.reel.close()
        self._framed(None)
        self._goal_us = None
        self._look(footage=None, proof=None)
        self._settle.start()

    def _step_line(self, by: int) -> None:
        if self.looking and self.looking.lines and self.looking.lines.lines:
            self.choose(min(len(self.looking.lines.lines) - 1, max(0, self.looking.chosen + by)))

    def _open_line(self) -> None:
        if self.looking and self.looking.line:
            self._open(self.looking.line.recording_id)

    def _open(self, recording_id: str) -> None:
        assert self.looking is not None
        self._desk.footage(self.looking.who, recording_id, self._back_to(self._footage_came))

    def _footage_came(self, footage: Footage | Trouble) -> None:
        looking = self.looking
        if looking is None or looking.line is None:
            return
        if isinstance(footage, Trouble):
            self._look(trouble=footage.code)
            return
        others = {angle.recording_id for angle in looking.footage.angles} if looking.footage else set[str]()
        if footage.recording_id not in {looking.line.recording_id} | others:
            return  # by now something else is looked at
        self._look(footage=footage, proof=None, trouble="")
        card = footage.card(looking.line.card_id)
        goal = self._goal_us if self._goal_us is not None else card.from_us if card else 0
        self._goal_us = None
        self.reel.load(footage, goal)
        self._exact = (footage.recording_id, self.reel.at_us, goal)
        self._desk.verify(footage.recording_id, self._back_to(self._proof_came))

    def _sought(self, at_us: int) -> None:
        self._look(blind=False)
        self.reel.seek(at_us)

    def _seek_card(self) -> None:
        if self.looking and self.looking.card:
            self.reel.seek(self.looking.card.from_us)

    def _proof_came(self, proof: Proof) -> None:
        if self.looking and self.looking.footage and self.looking.footage.recording_id == proof.recording_id:
            self._look(proof=proof)

    def _other_angle(self) -> None:
        """The same instant by another camera."""
        footage = self.looking.footage if self.looking else None
        if footage is None:
            return
        at_us = self._exact[2] if self._exact[:2] == (footage.recording_id, self.reel.at_us) else self.reel.at_us
        angle = footage.angle_at(at_us)
        if angle is not None:
            self._goal_us = at_us + angle.shift_us
            self._open(angle.recording_id)
        else:
            self.reel.stop()
            self._look(blind=True)

    # What is done

    def _arm(self, name: str) -> None:
        assert self.looking is not None
        if self.looking.footage is None or self.looking.busy:
            return
        self._look(armed=name, done="", trouble="", ruled="")
        if self.looking.wants_reason and self._screen is not None:
            self._screen.side.reason.setFocus()

    def _reason_changed(self) -> None:
        self._look(reason_there=bool(self._reason()))

    def _reason(self) -> str:
        return self._screen.side.reason.text().strip() if self._screen else ""

    def _commit(self) -> None:
        """The blue key."""
        looking, screen = self.looking, self._screen
        if looking is None or screen is None or looking.footage is None or not screen.keys.go.view.fires:
            return
        if looking.wants_second:
            self._unfocus()
            self._type(screen, _SECOND)
            return
        if looking.armed in RULINGS:
            self._rule(None)
            return
        recording_id, who = looking.footage.recording_id, looking.who
        card_id = looking.line.card_id if looking.line else ""
        armed, held = looking.armed, looking.footage.hold is not None
        self._look(busy=True)
        if armed == EXPORT:
            self._desk.dossier(who, recording_id, card_id, self._back_to(self._written))
        elif armed == DISPUTE:
            done = self._back_to(lambda answer: self._decided(answer, "dispute", ""))
            self._desk.dispute(who, recording_id, card_id, self._reason(), done)
        elif armed == STILL:
            self._desk.still(who, recording_id, self.reel.at_us, self._back_to(self._written))
        else:
            self._desk.hold(who, recording_id, not held, self._reason(), self._back_to(self._held))
        self._unfocus()

    def _rule(self, second: Second | None) -> None:
        """What is armed decides of the line: of its card, of the sample, of the dispute."""
        looking = self.looking
        if looking is None or looking.line is None or looking.armed not in RULINGS or looking.busy:
            return
        line, who, reason, name = looking.line, looking.who, self._reason(), looking.armed
        what = f"{looking.matter.value}.{name.lower()}"
        card_id = line.card_id if looking.matter is Matter.CARD else ""
        tell = self._back_to(lambda answer: self._decided(answer, what, card_id))
        self._look(busy=True, trouble="")
        if looking.matter is Matter.DISPUTE:
            self._desk.settle(who, line.dispute_id, name == ACCEPT, reason, tell)
        elif looking.matter is Matter.SAMPLE:
            self._desk.judge_sample(who, line.card_id, name == ACCEPT, reason, tell)
        else:
            self._desk.rule(who, line.card_id, RULINGS[name], reason, second, tell)
        self._unfocus()

    def _undo(self) -> None:
        """Take the last ruling back."""
        looking = self.looking
        if looking is None or looking.busy or not may_undo(self._scene(), looking):
            return
        self._look(busy=True, trouble="")
        tell = self._back_to(lambda answer: self._decided(answer, "undone", ""))
        self._desk.undo_ruling(looking.who, looking.undo_card, tell)

    def _decided(self, answer: Ruled | Trouble, what: str, card_id: str) -> None:
        if self.looking is None:
            return
        if isinstance(answer, Trouble):
            self._look(busy=False, trouble=answer.code)
            return
        undo = card_id if answer.undo_until_us else ""
        self._look(busy=False, armed="", ruled=what, undo_card=undo, undo_until_us=answer.undo_until_us)
        if self._screen is not None:
            self._screen.side.reason.clear()
        if what == "dispute" and self.looking.line is not None:
            self._open(self.looking.line.recording_id)  # it is held now
        self._ask_lines(self.looking.pile, self.looking.lines.query if self.looking.lines else "")

    def _written(self, answer: Exported | Trouble) -> None:
        if isinstance(answer, Trouble):
            self._look(busy=False, armed="", trouble=answer.code)
        else:
            left_out = {"without": answer.without, "lacking": answer.lacking}
            done = PurePath(answer.path).name
            self._look(busy=False, armed="", done=done, unchecked=answer.unchecked, **left_out)

    def _held(self, answer: Hold | Trouble | None) -> None:
        if isinstance(answer, Trouble):
            self._look(busy=False, trouble=answer.code)
            return
        if self.looking is None or self.looking.footage is None:
            return
        self._look(busy=False, armed="", footage=replace(self.looking.footage, hold=answer))
        if self._screen is not None:
            self._screen.side.reason.clear()
        query = self.looking.lines.query if self.looking.lines else ""
        self._ask_lines(self.looking.pile, query)

    # What moves

    def _moved(self) -> None:
        if self._screen is not None:
            self._screen.show_at(self.reel.at_us, self.reel.playing, self.reel.rate)

    def _framed(self, image: QImage | None) -> None:
        self._image = image
        if self._screen is not None:
            self._screen.film.show_image(image)

    def _back_to(self, slot: Callable[[Any], None]) -> Callable[[Any], None]:
        """An answer from any thread, brought to this one."""
        return lambda answer: self._answered.emit((slot, answer))


_PILES = {str(n): pile for n, pile in enumerate(Pile, 1)}

_PLAYER_KEYS: dict[str, Callable[[Reel], None]] = {
    "Space": Reel.play_pause,
    "J": lambda reel: reel.shift(up=False),
    "K": Reel.stop,
    "L": lambda reel: reel.shift(up=True),
    ",": lambda reel: reel.step(forward=False),
    ".": lambda reel: reel.step(forward=True),
    ", .": lambda reel: reel.step(forward=True),
    "←": lambda reel: reel.jump(forward=False),
    "→": lambda reel: reel.jump(forward=True),
}
