"""What the window has to know of a state or of what it shows, beside the view itself."""

from __future__ import annotations

from app.core.states import ChipTray, Faulted, Idle, Locked, Paused, SignedOut, State
from ui.views import Body, CardBody, CardPrompt, CountBody

_MOST_DIGITS = 9


def choices_of(body: Body) -> dict[str, str]:
    """What the digits choose on this screen."""
    if isinstance(body, CountBody):
        return {option.key: option.title for option in body.options}
    if isinstance(body, CardBody) and isinstance(body.now, CardPrompt):
        return {way.key: way.glyph for way in body.now.alternatives if way.open}
    return {}


def tray_of(body: Body) -> dict[str, str]:
    """The cards that the digits take in hand at the chip tray."""
    slots = body.slots if isinstance(body, CardBody) else ()
    return {str(slot.no): f"{slot.last4} {slot.word}" for slot in slots if slot.no <= _MOST_DIGITS}


def asks_one_character(body: Body) -> bool:
    """Whether the screen asks about one character of a field."""
    return isinstance(body, CardBody) and isinstance(body.now, CardPrompt) and bool(body.now.alternatives)


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
