"""What the centre lets its stations be strict about: versioned data that comes by the feed, with what holds without it.

Whole numbers only, so that a policy has one spelling when it is signed. Units stand in the names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from app.core.rulings import ReviewPolicy
from app.core.sampling import SamplePolicy

BOUNDS: Mapping[str, tuple[int, int]] = {
    "wrong_passcodes": (1, 10),
    "passcode_wait_s": (10, 3600),
    "gap_needs_supervisor_s": (0, 3600),
    "armed_s": (10, 600),
    "idle_minutes": (1, 60),
    "rights_hours": (1, 720),
    "sample_read_per_mille": (0, 1000),
    "sample_typed_per_mille": (0, 1000),
    "second_signature_fen": (0, 100_000_000),
    "ruling_second_above_fen": (0, 100_000_000),
    "reveal_shown_s": (5, 120),
    "reveal_words": (0, 1),
}
"""The least and the most of each field; outside of it nobody takes a policy over."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits that a station works by.

    wrong_passcodes          so many wrong passcodes, then a wait of `passcode_wait_s`, longer each time
    gap_needs_supervisor_s   a longer gap in the film needs a supervisor
    armed_s                  an armed NFC reader that nobody taps is disarmed
    idle_minutes             a screen that nobody touches is locked
    rights_hours             how long people may sign in, and a supervisor is one, by the centre's last word
    sample_…_per_mille       so many of a thousand finished cards are looked at again; more of the typed ones
    second_signature_fen     a card worth so much or more needs a second person; 0: none does
    ruling_second_above_fen  above it two supervisors sign what becomes of a doubtful card
    reveal_shown_s           a secret that was shown by the vault is hidden again
    reveal_words             1: who asks to see a secret says why in own words, whatever the reason
    """

    wrong_passcodes: int = 3
    passcode_wait_s: int = 60
    gap_needs_supervisor_s: int = 120
    armed_s: int = 120
    idle_minutes: int = 5
    rights_hours: int = 72
    sample_read_per_mille: int = 20
    sample_typed_per_mille: int = 200
    second_signature_fen: int = 0
    ruling_second_above_fen: int = 50_000
    reveal_shown_s: int = 20
    reveal_words: int = 0

    @property
    def review(self) -> ReviewPolicy:
        """When two supervisors sign."""
        return ReviewPolicy(self.ruling_second_above_fen)

    @property
    def shares(self) -> SamplePolicy:
        """How many finished cards are drawn for a second look."""
        return SamplePolicy(self.sample_read_per_mille, self.sample_typed_per_mille)

    def changed(self, told: Mapping[str, Any]) -> Policy:
        """This policy with some fields changed; unknown ones are of a later release and passed over.

        Raises ValueError, naming the field, for what is no whole number within `BOUNDS`, or where of typed cards fewer
        would be drawn than of the others.
        """
        known = {field.name for field in fields(self)} & set(told)
        for name in sorted(known):
            low, high = BOUNDS[name]
            value = told[name]
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise ValueError(f"{name}: {low} to {high}")
        after = replace(self, **{name: told[name] for name in known})
        if after.sample_typed_per_mille < after.sample_read_per_mille:
            raise ValueError("sample_typed_per_mille: no fewer than sample_read_per_mille")
        return after

    def as_fields(self) -> dict[str, int]:
        """All of it, as it travels."""
        return asdict(self)
