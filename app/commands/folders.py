"""Opening a station folder from the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from app.core.errors import BadInput
from app.paths import StationFolder
from app.store.store import REHEARSAL_PASSPHRASE, Store


@contextmanager
def opened_store(folder: StationFolder) -> Iterator[Store]:
    """The store of a rehearsal folder, closed afterwards.

    Raises BadInput("folder.not_a_station", "folder.not_a_rehearsal") and what `Store.open` raises.
    """
    if not folder.database.exists() and not folder.rehearsal_mark.exists():
        raise BadInput("folder.not_a_station", str(folder.root))
    if not folder.rehearsal_mark.exists():
        raise BadInput("folder.not_a_rehearsal", str(folder.root))
    # No reserve is laid in for somebody who only looks something up.
    store = Store.open(folder.database, REHEARSAL_PASSPHRASE, reserve_bytes=0)
    try:
        yield store
    finally:
        store.close()
