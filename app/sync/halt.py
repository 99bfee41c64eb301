"""Why sending must stop until a person has looked."""

from __future__ import annotations

from app.core.errors import EvidenceTrouble


class Halt(EvidenceTrouble):
    """Sending must stop until a person has looked.

    sync.fork (two histories under one key), sync.event_refused, sync.revoked, sync.log_fork (the centre's log changed),
    sync.split_view (another station was shown another one), sync.station_replaced (one speaks by a stranger's key).
    """
