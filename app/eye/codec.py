"""What the eye and the station say to each other, as JSON objects of plain dataclasses.

One object a message: `{"kind": class name, "body": {...}}`. Candidate glyphs travel in clear, by design: this is one of
the two places that handle secrets (the other seals them); nothing here is ever logged or written.
Neither vision nor cv2 is imported, so the station may import this module.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from app.core.cards import CardRead, Sighting


@dataclass(frozen=True, slots=True)
class Configure:
    """First message of a station: how to work. `templates` are product files, folders or a published bundle, `bound`
    what was bound to its products, `own` templates added at the station, `catalogue` the version they must have,
    `compiled` the SHA-256 of the products compiled from the bundle; `threads` bounds the OCR."""

    templates: tuple[str, ...] = ()
    threads: int = 1
    rehearsal: bool = False
    bound: tuple[tuple[str, str], ...] = ()
    catalogue: str = ""
    own: tuple[str, ...] = ()
    compiled: str = ""


@dataclass(frozen=True, slots=True)
class Watch:
    """Look at the frames in this file from now on (the recorder's mmap'd planes)."""

    frames_path: str


@dataclass(frozen=True, slots=True)
class ReadAgain:
    """Read the card that lies there once more; `read_id` is the read that did not satisfy."""

    read_id: str


@dataclass(frozen=True, slots=True)
class Forget:
    """Forget the card that was read last: whatever lies there now counts as new."""


@dataclass(frozen=True, slots=True)
class Ack:
    """The station has this read; it need not be sent again."""

    read_id: str


@dataclass(frozen=True, slots=True)
class Quit:
    """End within three seconds."""


@dataclass(frozen=True, slots=True)
class LeftTooEarly:
    """A card was taken away before it was read. `first_us`, `last_us`: when it was in view."""

    first_us: int
    last_us: int


@dataclass(frozen=True, slots=True)
class EyeReady:
    """The models are warm. `detail`: which engines read."""

    detail: str


@dataclass(frozen=True, slots=True)
class EyeTrouble:
    """The eye cannot work: a code of `ui.texts` and a detail for the support line."""

    code: str
    detail: str


T = TypeVar("T")

ToEye = Configure | Watch | ReadAgain | Forget | Ack | Quit
FromEye = Sighting | CardRead | LeftTooEarly | EyeReady | EyeTrouble
Message = ToEye | FromEye

_KINDS: Mapping[str, type] = {kind.__name__: kind for kind in get_args(Message)}


def as_plain(value: object) -> Any:
    """A dataclass of these kinds as JSON values."""
    return _plain(value)


def as_typed(wanted: type[T], value: Any) -> T:
    """A dataclass back from its JSON values. Raises ValueError, without a word of the content."""
    try:
        made: T = _typed(wanted, value)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"not a {wanted.__name__}") from None
    return made


def to_wire(message: Message) -> dict[str, Any]:
    """A message as a JSON object: its kind and its body."""
    return {"kind": type(message).__name__, "body": _plain(message)}


def from_wire(wire: Mapping[str, Any]) -> Message:
    """The message back. Raises ValueError, without a word of the content, for what no release of ours sends."""
    try:
        message: Message = _typed(_KINDS[wire["kind"]], wire["body"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError("not a message of the eye") from None
    return message


def _plain(value: object) -> Any:
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case date():
            return value.isoformat()
        case tuple():
            return [_plain(item) for item in value]
        case _ if is_dataclass(value):
            return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    return value


def _typed(wanted: Any, value: Any) -> Any:
    origin = get_origin(wanted)
    if origin in (Union, UnionType):
        return _optional(wanted, value)
    if origin is tuple:
        return _tuple(get_args(wanted), value)
    if is_dataclass(wanted):
        return _record(wanted, value)
    return _scalar(wanted, value)


def _optional(wanted: Any, value: Any) -> Any:
    options = get_args(wanted)
    if value is None and NoneType in options:
        return None
    return _typed(next(o for o in options if o is not NoneType), value)


def _tuple(items: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise TypeError
    if len(items) == 2 and items[1] is Ellipsis:
        return tuple(_typed(items[0], v) for v in value)
    return tuple(_typed(t, v) for t, v in zip(items, value, strict=True))


def _record(wanted: Any, value: Any) -> Any:
    hints = get_type_hints(wanted)
    if set(value) != set(hints):
        raise KeyError
    return wanted(**{name: _typed(hints[name], value[name]) for name in hints})


def _scalar(wanted: Any, value: Any) -> Any:
    if wanted is bytes:
        return base64.b64decode(value, validate=True)
    if wanted is date:
        return date.fromisoformat(value)
    if isinstance(wanted, type) and issubclass(wanted, StrEnum):
        return wanted(value)
    if wanted is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if type(value) is not wanted:
        raise TypeError
    return value
