"""The centre's clock jumps by days, ahead and back: checkpoints go on, codes hold no longer than they were made for."""

from __future__ import annotations

import pytest

from app.core.errors import BadInput
from app.keys import Signer, new_seed
from app.server.checkpoints import EVERY_MS, publish
from app.server.enrol import admit_station
from app.server.setup import OpenCentre
from tests.server.test_signed import NOW_S, apply, fresh_code, join

NOW_MS, DAY_MS = NOW_S * 1000, 24 * 3600 * 1000


def checkpoints(centre: OpenCentre) -> int:
    with centre.engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM checkpoint").scalar_one())


def grow(centre: OpenCentre, name: str, now_ms: int) -> None:
    admit_station(centre, name, Signer(new_seed()).public_key, "store", now_ms)
    publish(centre, now_ms)


def test_a_clock_that_was_days_ahead_does_not_keep_checkpoints_off(centre: OpenCentre) -> None:
    """None was signed before the wrong time had come true: recordings got no witness, rewrites went unnoticed."""
    grow(centre, "st-1", NOW_MS)
    grow(centre, "st-2", NOW_MS + 9 * DAY_MS)
    assert checkpoints(centre) == 2
    grow(centre, "st-3", NOW_MS + EVERY_MS)
    assert checkpoints(centre) == 3
    grow(centre, "st-4", NOW_MS + EVERY_MS + 1)
    assert checkpoints(centre) == 3, "not more often than once a minute"
    grow(centre, "st-5", NOW_MS - 30 * DAY_MS)
    assert checkpoints(centre) == 4


@pytest.mark.parametrize("days", [9, -9])
def test_a_code_that_was_made_by_a_wrong_clock_is_not_good_for_days(centre: OpenCentre, days: int) -> None:
    code = fresh_code(centre)
    with pytest.raises(BadInput, match=r"enrol\.code"):
        apply(centre, join(centre, code), server_s=NOW_S + days * DAY_MS // 1000)
    assert apply(centre, join(centre, code), server_s=NOW_S - 30).station == "st-9", "two machines' clocks may differ"
