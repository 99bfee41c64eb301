"""Seeing one secret of a card through the vault: what a screen may ask for and what it is told, as plain data.

A reason is one word of `Why`, with own words behind it where there are any: "complaint: caller 4711". So it stands in
every log, whatever language the screen spoke.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from app.core.cards import Secret
from app.core.errors import Trouble
from app.core.parcels import Operator

Field = Literal["pin", "number"]

_BETWEEN = ": "


class Why(StrEnum):
    """The reasons that are offered, in their order."""

    COMPLAINT = "complaint"  # the sender says that it does not work
    DISPUTE = "dispute"  # a dispute is to be settled
    ISSUER = "issuer"  # the issuer asks for it
    MISREAD = "misread"  # it may have been read wrongly
    AUDIT = "audit"
    OTHER = "other"


def reason_of(why: Why, words: str) -> str:
    """The reason as it goes into the log."""
    return f"{why.value}{_BETWEEN}{words.strip()}" if words.strip() else why.value


def parts_of(reason: str) -> tuple[Why | None, str]:
    """A reason's word and own words; one that was not chosen from the list is own words altogether."""
    name, _, words = reason.partition(_BETWEEN)
    known = next((why for why in Why if why.value == name), None)
    return (known, words) if known else (None, reason)


def wants_words(why: Why, policy_wants: bool) -> bool:
    """Whether it has to be said in own words too."""
    return policy_wants or why is Why.OTHER


class Stage(StrEnum):
    """How a request stands that is under way."""

    UNLOCKING = "unlocking"  # the person's own key is opened
    SENT = "sent"  # it lies at the centre; the vault has not looked at it
    SECOND = "second"  # another person has to sign
    GRANTED = "granted"  # it is in the vault's log, and the secret is opened now


@dataclass(frozen=True, slots=True)
class RevealWish:
    """Which field of which card of this station, and why."""

    card_id: str
    field: Field
    reason: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the centre's log has it. `who`, `approver`: staff numbers, `name` and `approver_name` as they are
    known here; `at`: the station that it was asked at; `state`, `code` as `app.wire_vault` has them.
    """

    id: str
    who: str
    name: str
    at: str
    station: str
    card_id: str
    field: str
    reason: str
    asked_ms: int
    state: str
    code: str = ""
    approver: str = ""
    approver_name: str = ""

    @property
    def waits(self) -> bool:
        """Whether a second person may sign it."""
        return self.state == "needs-second" and not self.approver


@dataclass(frozen=True, slots=True)
class Overview:
    """Requests about cards of this station or asked at it, the latest first, and those that wait for a second person.

    `left` of `a_day`: what the person at the desk may see today without another one; `has_key`: whether that person's
    own key lies where it is looked for; `shown_s`, `words_wanted`: the centre's policy.
    """

    asked: tuple[Asked, ...]
    left: int
    a_day: int
    has_key: bool
    shown_s: int
    words_wanted: bool


RevealNews = Stage | Secret | Trouble
"""Stages as they come; the secret or a trouble is the last."""


class RevealDesk(Protocol):
    """What the screen may ask for. `tell` is called from any thread. Who is no supervisor gets
    BadInput("reveal.not_allowed").
    """

    def overview(self, who: Operator, tell: Callable[[Overview | Trouble], None]) -> None:
        """What was asked, and how much this person has left."""

    def ask(self, who: Operator, wish: RevealWish, passphrase: Secret, tell: Callable[[RevealNews], None]) -> None:
        """Ask to see one field, signed by the person's own key. What was asked before is dropped."""

    def drop(self) -> None:
        """Nobody waits for the answer any more: it is withdrawn where that is still possible."""

    def sign(
        self,
        who: Operator,
        asked: Asked,
        agree: bool,
        passphrase: Secret,
        tell: Callable[[Overview | Trouble], None],
    ) -> None:
        """The second person's word on a request of somebody else."""
