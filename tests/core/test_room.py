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


def test_a_running_parcel_never_hears_of_the_room_that_is_left() -> None:
    """The session is told of a disk that fails, not of one that fills: there is no event to stop it by."""
    told = {
        field.name
        for event in vars(events).values()
        if isinstance(event, type) and hasattr(event, "__dataclass_fields__")
        for field in fields(event)
    }
    assert not {name for name in told if "free" in name or "minutes" in name}
