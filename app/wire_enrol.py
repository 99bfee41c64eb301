"""What travels when a station joins the centre by its one-time code. Shared by `app.sync` and `app.server`."""

from __future__ import annotations

import hmac
from typing import Literal

from pydantic import Base64Bytes

from app.wire import Centre, Hex64, Name, Signed, Statement, WireModel


class EnrolRequest(Statement):
    """A station asks to join: its fresh key, signed by that key. `host` is shown to who confirms."""

    TYPE = "enrol"
    public_key: Hex64
    rehearsal: bool
    host: Name


class Enrolment(WireModel):
    """The request and the proof that its sender knows the code: HMAC-SHA-256 over the text, keyed by the code."""

    request: Signed
    proof: Base64Bytes


class Enrolled(Statement):
    """The centre's answer: who the station is from now on, and what to pin. `pending`: somebody has to confirm."""

    TYPE = "enrolled"
    station: Name
    public_key: Hex64
    role: Name
    state: Literal["pending", "active"]
    centre: Centre


class EnrolmentAnswer(WireModel):
    """The answer signed by the server key, and the proof that the centre knows the code too."""

    enrolled: Signed
    proof: Base64Bytes


def enrolment_proof(key: bytes, side: Literal["station", "centre"], text: str) -> bytes:
    """The proof of one side, 32 bytes; `key` is what the code stands for (`app.keys.code_key`)."""
    return hmac.digest(key, f"{side} {text}".encode(), "sha256")
