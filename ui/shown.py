"""What the window has to know of a state or of what it shows, beside the view itself."""

from __future__ import annotations

from app.core.states import ChipTray, Faulted, Idle, Locked, Paused, SignedOut, State
from ui.texts import say
from ui.views import GoState
from ui.work_views import BigPrompt, Body, CardBody, CardPrompt, CountBody, WorkView

_MOST_DIGITS = 9


def choices_of(body: Body) -> dict[str, str]:
    """What the digits choose on this screen."""
    if isinstance(body, CountBody):
        return {option.key: option.title for option in body.options}
    if isinstance(body, CardBody) and isinstance(body.now, CardPrompt):
        characters = {way.key: way.glyph for way in body.now.alternatives if way.open}
        return characters | {row.key: row.length for row in body.now.wholes if row.open}
    return {}


def tray_of(body: Body) -> dict[str, str]:
    """The cards that the digits take in hand at the chip tray."""
    slots = body.slots if isinstance(body, CardBody) else ()
    return {str(slot.no): f"{slot.last4} {slot.word}" for slot in slots if slot.no <= _MOST_DIGITS}


def asks_one_character(body: Body) -> bool:
    """Whether the screen asks about one character of a field."""
    return isinstance(body, CardBody) and isinstance(body.now, CardPrompt) and bool(body.now.alternatives)


def asks_a_length(body: Body) -> bool:
    """Whether the screen asks how many characters a field has."""
    return isinstance(body, CardBody) and isinstance(body.now, CardPrompt) and bool(body.now.wholes)


def recording_of(state: State) -> str:
    """The recording of the parcel in work, "" when none is open."""
    if isinstance(state, Paused):
        return state.back_to.visit.recording_id
    if isinstance(state, ChipTray | Locked):
        return state.visit.recording_id if state.visit else ""
    return "" if isinstance(state, SignedOut | Idle | Faulted) else state.visit.recording_id


def is_paused(state: State) -> bool:
    """Whether work stands still for a trouble, covered or not."""
    return isinstance(state.back_to if isinstance(state, Locked) else state, Paused)


def tidy_text(text: str) -> str:
    """Typed card text as it is stored: no spaces, capitals."""
    return "".join(text.split()).upper()


def help_words(
    view: WorkView, state: State | None, language: str, *, secret: bool, review: bool, shelve: bool
) -> dict[str, str]:
    """What each live key does on this screen, by the name printed on it."""
    words = {k.key: k.label for k in view.keys}
    words |= {"F8": say("key.show", language)} if secret else {}
    words |= {"F11": say("key.fullscreen", language), "Esc": say("key.back", language)}
    words |= _space_does(view, say("cap.space", language))
    words |= {"Ctrl L": say("key.language", language), "Ctrl D": say("key.theme", language)}
    words |= {"Ctrl 4": say("key.go-review", language)} if review else {}
    words |= {"Ctrl 6": say("key.go-products", language)} if shelve else {}
    words |= tray_of(view.body) if isinstance(state, ChipTray) else choices_of(view.body)
    picks = {"↑": "key.pick-up", "↓": "key.pick-down", "⌫": "key.reopen"}
    if asks_one_character(view.body):
        cells = {"←": "key.cell-left", "→": "key.cell-right"}
        words |= {cap: say(word, language) for cap, word in (cells | picks).items()}
    if asks_a_length(view.body):
        words |= {cap: say(word, language) for cap, word in picks.items()}
    return words


def _space_does(view: WorkView, cap: str) -> dict[str, str]:
    """What Space does: the blue key or the hold, else what the quiet line under the prompt says of it; or nothing."""
    if view.go.state in (GoState.READY, GoState.HOLD):
        return {"Space": view.go.label}
    now = view.body.now if isinstance(view.body, CardBody) else None
    tip = now.tip if isinstance(now, BigPrompt) else None
    return {"Space": tip.action} if tip is not None and tip.key == cap else {}


def type_words(kind: str, one_character: bool, language: str) -> tuple[str, str, str, str, str]:
    """The words of the typing dialog: title, note, label and cap of the blue key, what Esc does."""
    note = "type.note.char" if one_character else "type.note"
    title, told, go, cap, back = (
        say(word, language) for word in (f"type.{kind}", note, "type.go", "cap.enter", "key.back")
    )
    return title, told, go, cap, back
