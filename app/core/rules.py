"""What a session is judged by: the catalogue and the limits, versioned data passed to every step."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from app.core.effects import Effect
from app.core.policy import Policy
from app.core.products import Catalogue
from app.core.states import State

Step = tuple[State, tuple[Effect, ...]]


@dataclass(frozen=True, slots=True)
class Rules:
    """Products and limits. Times in µs. An NFC reader that nobody taps is disarmed after `armed_us`, a screen
    that nobody touches is locked after `idle_us`. `policy`: the centre's, which they come from.
    """

    catalogue: Catalogue = field(default_factory=Catalogue)
    wrong_passcodes: int = 3
    passcode_wait_us: int = 60_000_000
    gap_needs_supervisor_us: int = 120_000_000
    armed_us: int = 120_000_000
    idle_us: int = 300_000_000
    policy: Policy = field(default_factory=Policy)

    def governed(self, policy: Policy) -> Rules:
        """The same products by the centre's policy."""
        return replace(
            self,
            wrong_passcodes=policy.wrong_passcodes,
            passcode_wait_us=policy.passcode_wait_s * 1_000_000,
            gap_needs_supervisor_us=policy.gap_needs_supervisor_s * 1_000_000,
            armed_us=policy.armed_s * 1_000_000,
            idle_us=policy.idle_minutes * 60_000_000,
            policy=policy,
        )
