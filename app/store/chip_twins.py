"""Cards that claim the same chip: one UID, read at the intake of two of them.

Either the second card was given the first one's chip (it lay on the reader still), or one of two chips is a copy. Which
it is no reader can tell, so no chip with that UID is switched off while both cards stand: one chip must not clear two.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, and_, or_, select

from app.core.cards import CardState
from app.core.chips import OPEN_STANDS, ChipStand
from app.core.parcels import CardDraft, Reason
from app.store.tables import CHIP_UID, card

_COUNTS = [*(stand.value for stand in OPEN_STANDS), ChipStand.REFUSED.value, ChipStand.OFF.value]
"""A punched chip is nobody else's any more; one of any other stand may be."""


def cards_with(connection: Connection, uids: Collection[str]) -> dict[str, set[str]]:
    """By UID the cards (ids) that claim it: neither withdrawn nor rejected, their chips open or switched off."""
    stands = or_(card.c.chip.is_(None), card.c.chip.in_(_COUNTS))
    alive = and_(card.c.tag.is_not(None), card.c.withdrawn.is_(False), card.c.state != CardState.REJECTED.value)
    wanted = select(card.c.id, CHIP_UID.label("uid")).where(and_(alive, stands, CHIP_UID.in_(uids)))
    found: dict[str, set[str]] = {uid: set() for uid in uids}
    for row in connection.execute(wanted):
        found[row.uid].add(row.id)
    return found


def is_shared(connection: Connection, uid: str, card_id: str) -> bool:
    """Whether another card claims this UID, too."""
    return bool(cards_with(connection, (uid,))[uid] - {card_id})


def marked(connection: Connection, draft: CardDraft) -> CardDraft:
    """The draft, sent to review when another card was given a chip with the same UID."""
    if draft.verdict is CardState.REJECTED or draft.tag is None or not is_shared(connection, draft.tag.uid, ""):
        return draft
    return draft.to_review(Reason.CHIP_UID_TWICE)
