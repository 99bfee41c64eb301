"""What a session is judged by: the catalogue and the limits, versioned data passed to every step."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.core.effects import Effect
from app.core.products import Catalogue
from app.core.states import State

Step = tuple[State, tuple[Effect, ...]]


@dataclass(frozen=True, slots=True)
class Rules:
    """Products and limits. Times in µs. An NFC reader that nobody taps is disarmed after `armed_us`."""

    catalogue: Catalogue = field(default_factory=Catalogue)
    wrong_passcodes: int = 3
    passcode_wait_us: int = 60_000_000
    gap_needs_supervisor_us: int = 120_000_000
    armed_us: int = 120_000_000
