"""Room on the disk: refused before a parcel begins, never in the middle of one."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from app.core import events
from app.core.readiness import (
    LEAST_MINUTES,
    LOW_DISK_BYTES,
    CameraFacts,
    DiskFacts,
    Level,
    Surroundings,
    SyncFacts,
    SyncState,
    may_begin_parcel,
)

READY = Surroundings(camera=CameraFacts(Level.OK))
PACE = 100_000_000


@pytest.mark.parametrize(
    ("minutes", "refused"),
    [(LEAST_MINUTES - 1, ("disk.low",)), (LEAST_MINUTES, ()), (59, ()), (600, ())],
)
def test_a_new_parcel_needs_ten_minutes(minutes: int, refused: tuple[str, ...]) -> None:
    disk = DiskFacts(minutes * PACE, PACE)
    assert may_begin_parcel(replace(READY, disk=disk)) == refused


def test_a_slow_pace_does_not_make_a_full_disk_roomy() -> None:
    assert may_begin_parcel(replace(READY, disk=DiskFacts(LOW_DISK_BYTES - 1, 1))) == ("disk.low",)


@pytest.mark.parametrize("code", ["sync.revoked", "sync.fork", "store.restored_behind"])
def test_a_station_whose_work_counts_no_more_begins_no_parcel(code: str) -> None:
    """The screen said to stop, and took the next parcel."""
    ready = replace(READY, disk=DiskFacts(600 * PACE, PACE))
    assert may_begin_parcel(replace(ready, sync=SyncFacts(SyncState.STOPPED, code=code))) == (code,)


@pytest.mark.parametrize(
    "sync",
    [
        SyncFacts(SyncState.OFFLINE, code="sync.offline"),
        SyncFacts(SyncState.STOPPED, code="sync.log_fork"),
        SyncFacts(),
    ],
)
def test_no_other_trouble_with_the_centre_keeps_a_station_from_work(sync: SyncFacts) -> None:
    assert may_begin_parcel(replace(READY, disk=DiskFacts(600 * PACE, PACE), sync=sync)) == ()


def test_a_running_parcel_never_hears_of_the_room_that_is_left() -> None:
    """The session is told of a disk that fails, not of one that fills: there is no event to stop it by."""
    told = {
        field.name
        for event in vars(events).values()
        if isinstance(event, type) and hasattr(event, "__dataclass_fields__")
        for field in fields(event)
    }
    assert not {name for name in told if "free" in name or "minutes" in name}
