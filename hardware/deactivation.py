"""Switching chips off, as the rest of the product sees it: what is asked for, what a run needs, how it ended.

Which chip may be written and how is decided in `hardware.nfc.chips`; readers come from `hardware.catalog`.
"""

from __future__ import annotations

from hardware.nfc.chips.deactivate import Means, deactivate, survey
from hardware.nfc.chips.evidence import canonical, hashed_bytes, verifies
from hardware.nfc.chips.journal import DamagedError, Entry, Journal, Witness, entry_from_json, entry_to_json
from hardware.nfc.chips.outcome import (
    IRREVERSIBLE,
    MOST_SILENT,
    Method,
    Outcome,
    Planned,
    Progress,
    Request,
    Stage,
    Unproved,
    Verdict,
    Why,
)
from hardware.nfc.chips.policy import judge
from hardware.nfc.chips.waiting import deactivate_when_there, still_answers, survey_when_there

__all__ = [
    "IRREVERSIBLE",
    "MOST_SILENT",
    "DamagedError",
    "Entry",
    "Journal",
    "Means",
    "Method",
    "Outcome",
    "Planned",
    "Progress",
    "Request",
    "Stage",
    "Unproved",
    "Verdict",
    "Why",
    "Witness",
    "canonical",
    "deactivate",
    "deactivate_when_there",
    "entry_from_json",
    "entry_to_json",
    "hashed_bytes",
    "judge",
    "still_answers",
    "survey",
    "survey_when_there",
    "verifies",
]
