"""The chip of an accepted card on its way to being useless: what is known of it, and how a run on it ended.

The words of stages and reasons are those of the driver (`nfc.stage.*`, `nfc.why.*`); here they are only carried.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ChipStand(StrEnum):
    """Where a chip stands. Only OFF says that it was switched off, and that was proved."""

    WAITING = "waiting"
    UNFINISHED = "unfinished"  # a run began and did not come to its end: not switched off yet
    REFUSED = "refused"  # nothing was written, and another try would end the same
    DESTROY = "destroy"  # cannot be switched off (any more): has to be punched on camera
    OFF = "off"
    DESTROYED = "destroyed"  # punched on camera, and no chip answered after it


OPEN_STANDS = frozenset({ChipStand.WAITING, ChipStand.UNFINISHED, ChipStand.DESTROY})
"""Something is left to do."""

TO_TAP = frozenset({ChipStand.WAITING, ChipStand.UNFINISHED})
"""A tap on an armed reader goes on with these."""


@dataclass(frozen=True, slots=True)
class ChipCard:
    """An accepted card with a chip, as the chip tray shows it. `uid` as read (never written) at intake, hex.

    `mute`: it has to be destroyed only because its chip did not answer. `aside`: begun, and left for later on purpose.
    """

    card_id: str
    no: int
    waybill: str
    product_id: str | None
    last4: str
    uid: str
    family: str
    stand: ChipStand = ChipStand.WAITING
    why: str = ""
    simulated: bool = False
    mute: bool = False
    aside: bool = False


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """A stage of a plan: how many pages or blocks it would write, and whether there is a way back from it."""

    stage: str
    writes: int
    irreversible: bool


@dataclass(frozen=True, slots=True)
class ChipEnd:
    """How a run on one card's chip ended. `why` is worded under `nfc.` and itself: "why.proved", "gate.no-decision".

    `verdict`: "deactivated", "already-deactivated", "refused", "not-completed", "proof-failed"; "destroyed" and
    "still-answers" after punching. `details`: UIDs, sectors, pages. `begun`: the run may have written something.
    `silent`: so many runs in a row the chip gave no answer that says anything; after `most_silent` it is given up.
    """

    card_id: str
    stand: ChipStand
    verdict: str
    why: str
    details: tuple[tuple[str, str], ...] = ()
    begun: bool = False
    silent: int = 0
    most_silent: int = 0
