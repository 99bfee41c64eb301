"""The words of switching a chip off: what is asked for, in which stages, how it can end and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """How a run ended. Only DEACTIVATED and ALREADY say that the chip is switched off, and both were proved."""

    DEACTIVATED = "deactivated"
    ALREADY = "already-deactivated"  # by an earlier run; proved again in this one, or its record is known
    LOOKS_OFF = "looks-switched-off"  # of a survey, which proves nothing
    REFUSED = "refused"  # nothing was written
    NOT_COMPLETED = "not-completed"  # put it back and run again
    PROOF_FAILED = "proof-failed"  # destroy it physically


class Why(StrEnum):
    """What is behind a verdict. Worded for the operator under `nfc.why.<value>`."""

    PROVED = "proved"
    PROVED_BEFORE = "proved-before"  # by an earlier run's record; in this one nothing opened that chip
    READY = "ready"  # of a survey: nothing is in the way
    # refused: nothing was written
    NO_CHIP = "no-chip"
    TWO_CHIPS = "two-chips"
    OTHER_CHIP = "other-chip"
    PHONE = "phone"
    BANK_CARD = "bank-card"
    PROCESSOR_CARD = "processor-card"
    NOT_WRITABLE_KIND = "not-writable-kind"
    NEEDS_PASSWORD = "needs-password"
    WRONG_PASSWORD = "wrong-password"
    LOCKED_FOREIGN = "locked-foreign"
    LOCKS_FROZEN = "locks-frozen"
    CONFIG_LOCKED = "config-locked"
    OTHER_MEMORY = "other-memory"
    UNKNOWN_KEY = "unknown-key"
    NO_WRITE_ACCESS = "no-write-access"
    GATE_CLOSED = "gate-closed"  # asked again right before the first write; `details` says why
    OFF_UNEXPLAINED = "off-unexplained"  # it looks switched off, and no record of this card says so
    # not completed
    CHIP_GONE = "chip-gone"
    READER_LOST = "reader-lost"
    READER_SILENT = "reader-silent"
    CANCELLED = "cancelled"
    # proof failed
    WRITES_LOST = "writes-lost"
    WRITE_REFUSED = "write-refused"
    WRITES_ACCEPTED = "writes-accepted"
    CONTENT_CHANGED = "content-changed"
    KEYS_LOST = "keys-lost"
    JOURNAL_DAMAGED = "journal-damaged"  # an earlier run began the chip, and its secrets cannot be read any more
    STAYS_SILENT = "stays-silent"  # in three whole runs it gave no answer that says anything; refused if not begun


class Unproved(StrEnum):
    """What ALREADY does not say. Worded for the operator under `nfc.not-proved.<value>`."""

    PASSWORD = "password"  # whether an issuer's PWD and PACK are gone: they cannot be read
    OTHER_SECTORS = "other-sectors"  # of a Classic: proved by the run whose record is named, and not again


class Method(StrEnum):
    """What the policy has for a chip."""

    LOCK = "tombstone-and-lock"
    KEYS = "wipe-and-destroy-keys"
    PHYSICAL = "physical"
    NONE = "none"


class Stage(StrEnum):
    """The stages in the order they may come in. From READ_ONLY (or KEYS) on nothing can be undone."""

    IDENTIFY = "identify"
    SECRETS = "secrets"
    CONFIGURATION = "configuration"
    DATA = "data"
    READ_BACK = "read-back"
    READ_ONLY = "read-only"
    DYNAMIC_LOCKS = "dynamic-locks"
    STATIC_LOCKS = "static-locks"
    CONFIG_LOCK = "config-lock"
    KEYS = "keys"
    PROOF = "proof"


MOST_SILENT = 3
"""Runs without an answer that says anything; after that nobody can tell what the chip holds."""

IRREVERSIBLE = frozenset({Stage.READ_ONLY, Stage.DYNAMIC_LOCKS, Stage.STATIC_LOCKS, Stage.CONFIG_LOCK, Stage.KEYS})


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a chip is not written, and what is left to do with it. `details` names UIDs, sectors, pages."""

    why: Why
    method: Method = Method.NONE
    details: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Planned:
    """One stage of a plan: how many pages or blocks it would write."""

    stage: Stage
    writes: int

    @property
    def irreversible(self) -> bool:
        return self.stage in IRREVERSIBLE


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for. `uid`: only this chip (None: whichever lies there alone). `text`: what the chip will say.

    `keys` (6 bytes each, MIFARE Classic) and `password` (4 bytes) are the issuer's; nothing is ever tried that is not
    given here, known by everybody, or our own. `about` goes into the evidence as it is.
    """

    uid: bytes | None
    text: str
    keys: tuple[bytes, ...] = field(default=(), repr=False)
    password: bytes | None = field(default=None, repr=False)
    about: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended, with its evidence record (plain JSON values, `sha256` over the rest).

    `silent`: in so many runs in a row (of `MOST_SILENT`) the chip gave no answer that says anything; 0 when it did.
    `not_proved`: what the verdict does not say. `witness` (a sector and its key
    B) is what a proved Classic can be told by later; whoever keeps the journal keeps it.
    """

    verdict: Verdict
    why: Why
    method: Method
    uid: str
    family: str
    plan: tuple[Planned, ...] = ()
    details: tuple[tuple[str, str], ...] = ()
    evidence: dict[str, Any] = field(default_factory=dict, repr=False)
    silent: int = 0
    not_proved: tuple[Unproved, ...] = ()
    witness: tuple[int, bytes] | None = field(default=None, repr=False)

    @property
    def done(self) -> bool:
        return self.verdict in (Verdict.DEACTIVATED, Verdict.ALREADY)


Progress = Callable[[Stage, int, int], None]
"""`progress(stage, number, of)`: a stage begins."""


class StopError(Exception):
    """A run cannot go on; `why` says how it ends."""

    def __init__(self, why: Why, detail: str = "") -> None:
        super().__init__(f"{why}: {detail}" if detail else why)
        self.why = why
        self.detail = detail
