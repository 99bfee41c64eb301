"""Examples of the screen for seeing secrets, for its pictures and tests. All fictional."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from app.core.footage import Pile
from app.core.parcels import Operator, Role
from app.core.reveals import Asked, Overview, Stage, Why
from ui.present_reveal import AGREE, Seeing
from ui.samples import NOW_US
from ui.samples_review import CARD, REVIEWER, lines

_NOW_MS = NOW_US // 1000
_MINUTE_MS = 60_000
SECOND = Operator("S20019", "林远", Role.ADMIN)


def _asked(n: int, who: Operator, minutes: int, state: str, reason: str, **more: str) -> Asked:
    return Asked(
        f"{n:064x}", who.id, who.name, "rehearsal-03", "rehearsal-03", f"5f0e77a{n}-{CARD}", "pin", reason,
        _NOW_MS - minutes * _MINUTE_MS, state, **more,
    )  # fmt: skip


def _overview(left: int = 17) -> Overview:
    signed = {"approver": SECOND.id, "approver_name": SECOND.name}
    asked = (
        _asked(1, SECOND, 1, "needs-second", "complaint: 来电 4711"),
        _asked(2, REVIEWER, 38, "taken", "issuer"),
        _asked(3, REVIEWER, 130, "taken", "dispute: D-2207", **signed),
        _asked(4, SECOND, 300, "refused", "misread", code="reveal.second_refused", approver=REVIEWER.id,
               approver_name=REVIEWER.name),
        _asked(5, REVIEWER, 1500, "refused", "audit", code="vault.person"),
    )  # fmt: skip
    return Overview(asked, left, 20, True, 20, False)


def asking() -> Seeing:
    """A reason is chosen; the key is there."""
    return Seeing(REVIEWER, lines(Pile.REVIEW, "").lines[0], _overview(), why=Why.COMPLAINT)


def waiting() -> Seeing:
    """Today's reveals are used up: another person has to sign."""
    return replace(asking(), overview=_overview(left=0), stage=Stage.SECOND)


def covered() -> Seeing:
    """The secret is there, covered, for a while."""
    return replace(asking(), why=None, length=12, left_s=14)


def refused() -> Seeing:
    """The second person refused."""
    return replace(asking(), trouble="reveal.second_refused")


def offline() -> Seeing:
    """The centre cannot be reached."""
    return replace(asking(), overview=None, why=None, away="sync.offline")


def signing() -> Seeing:
    """Somebody else's request is looked at, and about to be signed."""
    return replace(asking(), chosen=1, why=None, armed=AGREE)


def told() -> Seeing:
    """An earlier request that two people signed."""
    return replace(asking(), chosen=3, why=None)


SAMPLES: dict[str, Callable[[], Seeing]] = {
    "reveal-ask": asking,
    "reveal-second": waiting,
    "reveal-covered": covered,
    "reveal-refused": refused,
    "reveal-offline": offline,
    "reveal-sign": signing,
    "reveal-log": told,
}
