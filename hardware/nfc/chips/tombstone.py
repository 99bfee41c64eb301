"""What a switched-off chip says: an NDEF message with one text, and nothing else in its memory.

Source: NFC Forum Type 2 Tag (TLV 03, terminator FE), NDEF 1.0, RTD Text 1.0.
"""

from __future__ import annotations

WORD = "VOID"
_LANGUAGE = b"\x02en"
_SHORT_RECORD = b"\xd1\x01"  # message begin and end, short record, well-known type of one byte
_TEXT = b"T"
_MESSAGE, _TERMINATOR = b"\x03", b"\xfe"
_OVERHEAD = len(_SHORT_RECORD) + 1 + len(_TEXT) + len(_LANGUAGE)
_LONGEST = 240


def tombstone(text: str, capacity: int) -> bytes:
    """The user memory of `capacity` bytes: the text (ASCII, begins with the word), cut where it does not fit, zeros."""
    said = text if text.startswith(WORD) else f"{WORD} {text}"
    room = min(capacity - _OVERHEAD - 3, _LONGEST)
    payload = _LANGUAGE + said.encode("ascii", "replace")[:room]
    record = _SHORT_RECORD + bytes((len(payload),)) + _TEXT + payload
    return (_MESSAGE + bytes((len(record),)) + record + _TERMINATOR).ljust(capacity, b"\x00")


def read_tombstone(memory: bytes) -> str | None:
    """The text when the user memory is a tombstone of ours and nothing else; None otherwise."""
    said = _text_in(memory)
    if said is None or not said.startswith(WORD) or tombstone(said, len(memory)) != memory:
        return None
    return said


def _text_in(memory: bytes) -> str | None:
    head = _MESSAGE + memory[1:2] + _SHORT_RECORD + memory[4:5] + _TEXT + _LANGUAGE
    if not memory.startswith(head):
        return None
    text = memory[len(head) : len(head) - len(_LANGUAGE) + memory[4]]
    return text.decode("ascii") if text.isascii() else None
