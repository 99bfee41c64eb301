"""The supervisor's hands at the vault's door: keys become questions to the desk, answers what is shown.

The only place of the window that holds a secret of the vault. It lets it go when time is up, and whenever somebody else
might look: the window loses the focus, the screen changes, the desk is locked or left.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QWidget

from app.core.cards import Secret
from app.core.errors import Trouble
from app.core.footage import Line
from app.core.parcels import Operator
from app.core.reveals import Overview, RevealDesk, RevealNews, RevealWish, Stage, reason_of
from ui.present_reveal import AGREE, FIELDS, REASONS, REFUSE, Seeing, reveals
from ui.scene import Scene
from ui.screens.reveal import RevealScreen
from ui.widgets.overlays import REVEAL_BOARD, TypeWords

_ASK, _SIGN = "reveal", "cosign"
_LONGEST_PASSPHRASE = 200
_COUNT_MS = 200
_NEWS_MS = 4000
_LEFT_ALONE = (QEvent.Type.WindowDeactivate, QEvent.Type.Hide)


class Reveals(QObject):
    """One supervisor at a time. `left`: back to where they came from; `home`: to the workbench. `clock`: seconds that
    only go forward.
    """

    left = Signal()
    home = Signal()
    _answered = Signal(object)

    def __init__(
        self,
        desk: RevealDesk,
        scene: Callable[[], Scene],
        window: QWidget,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(window)
        self._desk, self._scene, self._clock = desk, scene, clock
        self._screen: RevealScreen | None = None
        self.seeing: Seeing | None = None
        self._secret: Secret | None = None
        self._until_s = 0.0
        self._turn = 0  # of the request under way: what comes for an older one is let go
        self._signing = ""  # the request that a passphrase is typed for: nothing else gets signed
        self._looking = False  # an overview is on its way: a slow line does not get the next question before it
        self._answered.connect(lambda pair: pair[0](pair[1]), Qt.ConnectionType.QueuedConnection)
        self._counting = QTimer(self, interval=_COUNT_MS)
        self._counting.timeout.connect(self._count)
        self._news = QTimer(self, interval=_NEWS_MS)
        self._news.timeout.connect(self._look_anew)
        window.installEventFilter(self)

    # Coming and going

    @property
    def open(self) -> bool:
        return self.seeing is not None

    def enter(self, who: Operator, card: Line | None) -> None:
        """Begin with this card; with None at what others asked for."""
        self.seeing = Seeing(who, card if card is not None and card.card_id else None)
        self.refresh()
        self._look_anew()
        self._news.start()

    def leave(self) -> None:
        """Let everything go: nothing is waited for, nothing stays."""
        if self.seeing is None:
            return
        self._drop()
        self._let_go()
        self._news.stop()
        self.seeing = None
        if self._screen is not None:
            self._screen.help.hide()
            self._screen.typing.close_and_forget()
            self._screen.side.reason.clear()
            self._unfocus()
        self.left.emit()

    def show_on(self, screen: RevealScreen) -> None:
        """Show everything on this screen from now on (another theme, another size). A secret does not come along."""
        if self._screen is not None:
            screen.side.reason.setText(self._screen.side.reason.text())
        self._gone("screen")
        self._screen = screen
        screen.pressed.connect(self._clicked)
        screen.chosen.connect(self.choose)
        screen.panel.held.connect(self.uncover)
        screen.side.typed.connect(self._words_changed)
        self.refresh()

    def refresh(self) -> None:
        """Show what is asked for now."""
        if self.seeing is not None and self._screen is not None:
            self._screen.show_view(reveals(self._scene(), self.seeing))

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() in _LEFT_ALONE:
            self._gone("focus")
        return False

    # Keys

    def key(self, name: str) -> None:
        """A key by the name printed on it."""
        screen, seeing = self._screen, self.seeing
        if screen is None or seeing is None:
            return
        if screen.help.isVisible():
            screen.help.hide()
        elif screen.typing.isVisible():
            self._typing_key(screen, name)
        elif name == "F8":
            self.uncover(True)
        elif name in ("Esc", "Ctrl 2"):
            self._back(screen, seeing, name)
        elif not seeing.running and not self._secret:
            self._free_key(screen, seeing, name)

    def _free_key(self, screen: RevealScreen, seeing: Seeing, name: str) -> None:
        """While nothing is under way and nothing is shown."""
        if name in ("↑", "↓"):
            self.choose(seeing.chosen + (-1 if name == "↑" else 1))
        elif name == "F1":
            self._help(screen)
        elif name == "Enter":
            self._commit(screen)
        elif seeing.asks and name in REASONS:
            self._look(why=REASONS[name], trouble="", hidden="")
        elif seeing.asks and name in FIELDS:
            self._look(field=FIELDS[name], trouble="", hidden="")
        elif seeing.asks and name == "F6":
            screen.side.reason.setFocus()
        elif seeing.may_sign and name in (AGREE, REFUSE):
            self._look(armed=name, trouble="", done="")

    def _clicked(self, name: str) -> None:
        """A click cannot be held down: what F8 does is done by pressing on the cover."""
        if name != "F8":
            self.key(name)

    def scanned(self, _code: str) -> None:
        """No code means anything here, and it is not dropped silently."""
        self._look(trouble="reveal.no_scan")

    def _back(self, screen: RevealScreen, seeing: Seeing, name: str) -> None:
        """One level back; the last one leaves."""
        if name == "Ctrl 2":
            self.leave()
            self.home.emit()
        elif screen.side.reason.hasFocus():
            self._unfocus()
        elif seeing.running:
            self._drop()
            self._look(stage=None, trouble="reveal.withdrawn")
        elif self._secret is not None:
            self._gone("esc")
        elif seeing.armed:
            self._look(armed="")
        else:
            self.leave()

    def _help(self, screen: RevealScreen) -> None:
        say = self._scene().say
        words = {key.key: key.label for key in screen.keys.keys}
        words |= {option.key: option.title for option in (*screen.side.view.options, *screen.panel.view.options)}
        words |= {"↑": say("review.keys.up"), "↓": say("review.keys.down"), "F11": say("key.fullscreen")}
        words |= {"Ctrl L": say("key.language"), "Ctrl D": say("key.theme"), "Ctrl 2": say("key.mail-in")}
        if screen.keys.go.view.fires:
            words["Enter"] = screen.keys.go.view.label
        screen.help.open(say("keys.title"), say("keys.close"), words, REVEAL_BOARD)

    def _unfocus(self) -> None:
        if self._screen is not None:
            self._screen.side.reason.clearFocus()
            self._screen.window().setFocus()

    # What is looked at

    def _look(self, **changes: Any) -> None:
        if self.seeing is not None:
            self.seeing = replace(self.seeing, **changes)
            self.refresh()

    def choose(self, index: int) -> None:
        """Look at a line of the list."""
        seeing = self.seeing
        if seeing is None or seeing.running or self._secret or not 0 <= index < seeing.items:
            return
        self._look(chosen=index, armed="", trouble="", done="", hidden="")

    def _look_anew(self) -> None:
        if self.seeing is not None and not self._looking:
            self._looking, who = True, self.seeing.who
            self._desk.overview(who, self._back_to(lambda answer: self._looked(who, answer)))

    def _looked(self, who: Operator, answer: Overview | Trouble) -> None:
        self._looking = False
        if self.seeing is not None and self.seeing.who == who:
            self._overview_came(answer)
        else:
            self._look_anew()

    def _overview_came(self, answer: Overview | Trouble) -> None:
        seeing = self.seeing
        if seeing is None:
            return
        if isinstance(answer, Trouble):
            self._look(away=answer.code)
            return
        request = seeing.request
        places = [one.id for one in answer.asked]
        chosen = seeing.chosen
        if request is not None:  # the same one, wherever it stands now
            at = places.index(request.id) if request.id in places else -1
            chosen = at + (seeing.card is not None) if at >= 0 else 0
        self.seeing = replace(seeing, overview=answer, chosen=chosen, away="")
        same = request is None or request.id in places
        if seeing.armed and not (same and self.seeing.may_sign):
            self._disarm()
        self.refresh()

    def _disarm(self) -> None:
        """What was to be signed is not there any more: another request in its place is not meant."""
        typing = self._screen.typing if self._screen is not None else None
        if typing is not None and typing.isVisible() and typing.kind == _SIGN:
            typing.close_and_forget()
            self._unfocus()
        self._look(armed="", trouble="" if self.seeing is not None and self.seeing.busy else "reveal.state")

    def _words_changed(self) -> None:
        self._look(words_there=bool(self._words()))

    def _words(self) -> str:
        return self._screen.side.reason.text().strip() if self._screen else ""

    # What is asked for

    def _commit(self, screen: RevealScreen) -> None:
        """The blue key: what it does is signed by the person's own key, whose passphrase comes first."""
        if self.seeing is None or not screen.keys.go.view.fires:
            return
        self._unfocus()
        kind, say = (_ASK if self.seeing.asks else _SIGN), self._scene().say
        self._signing = self.seeing.request.id if self.seeing.request is not None else ""
        named = (say(f"type.{kind}"), say(f"type.{kind}.note"), say(f"type.{kind}.go"))
        words = TypeWords(*named, say("cap.enter"), say("key.back"))
        screen.typing.open(kind, words, hidden=True, longest=_LONGEST_PASSPHRASE)

    def _typing_key(self, screen: RevealScreen, name: str) -> None:
        if name not in ("Enter", "Esc"):
            return
        kind = screen.typing.kind
        passphrase = Secret(screen.typing.close_and_forget())
        self._unfocus()
        if name == "Esc" or not passphrase:
            passphrase.forget()
        elif kind == _ASK:
            self._ask(passphrase)
        else:
            self._sign(passphrase)

    def _ask(self, passphrase: Secret) -> None:
        seeing = self.seeing
        if seeing is None or seeing.card is None or seeing.why is None:
            return
        self._turn += 1
        turn = self._turn
        wish = RevealWish(seeing.card.card_id, seeing.field, reason_of(seeing.why, self._words()))
        self._look(stage=Stage.UNLOCKING, trouble="", hidden="", done="")
        self._desk.ask(seeing.who, wish, passphrase, self._back_to(lambda news: self._news_came(turn, news)))

    def _news_came(self, turn: int, news: RevealNews) -> None:
        if turn != self._turn or self.seeing is None or not self.seeing.running:
            if isinstance(news, Secret):
                news.forget()  # nobody waits for it any more
            return
        if isinstance(news, Stage):
            self._look(stage=news)
        elif isinstance(news, Trouble):
            self._look(stage=None, trouble=news.code)
            self._look_anew()
        else:
            self._hold(news)

    def _drop(self) -> None:
        """Nobody waits any more."""
        self._turn += 1
        self._desk.drop()

    def _sign(self, passphrase: Secret) -> None:
        seeing = self.seeing
        if seeing is None or seeing.request is None or not seeing.armed or seeing.request.id != self._signing:
            passphrase.forget()
            return
        agree, who = seeing.armed == AGREE, seeing.who
        came = self._back_to(lambda answer: self._signed(who, agree, answer))
        self._look(busy=True, trouble="", done="")
        self._desk.sign(who, seeing.request, agree, passphrase, came)

    def _signed(self, who: Operator, agree: bool, answer: Overview | Trouble) -> None:
        if self.seeing is None or self.seeing.who != who:
            return  # somebody else sits here now
        if isinstance(answer, Trouble):
            self._look(busy=False, trouble=answer.code)
            return
        self._look(busy=False, armed="", done="agree" if agree else "refuse")
        self._overview_came(answer)

    # What is shown

    def _hold(self, secret: Secret) -> None:
        """It is here, covered, and the time runs."""
        seeing = self.seeing
        window = self._screen.window() if self._screen is not None else None
        shown_s = seeing.overview.shown_s if seeing is not None and seeing.overview is not None else 0
        self._secret, self._until_s = secret, self._clock() + shown_s
        self._look(stage=None, length=len(secret), left_s=shown_s, why=None)
        if self._screen is not None:
            self._screen.side.reason.clear()
        self._counting.start()
        if window is None or not window.isVisible() or window.isMinimized() or not window.isActiveWindow():
            self._gone("focus")
        self._look_anew()

    def uncover(self, on: bool) -> None:
        """Show it while the key is down."""
        if self._screen is not None:
            self._screen.panel.uncover(self._secret if on else None)

    def _count(self) -> None:
        left_s = math.ceil(self._until_s - self._clock())
        if left_s <= 0:
            self._gone("time")
        elif self.seeing is not None and left_s != self.seeing.left_s:
            self._look(left_s=left_s)

    def _gone(self, why: str) -> None:
        """Let it go, and say why."""
        if self._secret is not None:
            self._let_go()
            self._look(length=0, left_s=0, hidden=why)

    def _let_go(self) -> None:
        self._counting.stop()
        secret, self._secret = self._secret, None
        if self._screen is not None:
            self._screen.panel.uncover(None)
        if secret is not None:
            secret.forget()

    def _back_to(self, slot: Callable[[Any], None]) -> Callable[[Any], None]:
        """An answer from any thread, brought to this one."""
        return lambda answer: self._answered.emit((slot, answer))
