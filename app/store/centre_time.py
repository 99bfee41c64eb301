"""What time it is at the centre, as far as a station can tell without asking it.

A machine's clock alone can be set back. The station's own chain holds what that clock once said, and how far it was
from the centre's: it is never earlier now than that.
"""

from __future__ import annotations

from sqlalchemy import Connection, Text, and_, cast, func, select

from app.core.audit import Stamp
from app.store.tables import CENTRE_MS, outbox

_OFFSET_MS = func.json_extract(cast(outbox.c.data, Text), "$.clock_offset")


def centre_now_ms(connection: Connection, since_seq: int, stamp: Stamp) -> int:
    """The centre's time, ms since 1970: not earlier than at any event of this chain from `since_seq` on.

    The offset is the stamp's, else the newest that the chain tells: not every program asks the centre.
    """
    since = outbox.c.seq >= since_seq
    # The highest of all is most often one of those, too: gone through from above by the index on it, not by number.
    highest = select(func.max(CENTRE_MS)).where(outbox.c.seq + 0 >= since_seq)
    measured = select(_OFFSET_MS).where(and_(since, _OFFSET_MS != 0)).order_by(outbox.c.seq.desc()).limit(1)
    offset_ms = stamp.clock_offset_ms or connection.execute(measured).scalar() or 0
    floor_ms = connection.execute(highest).scalar() or 0
    return max(int(floor_ms), stamp.wall_us // 1000 + offset_ms)
