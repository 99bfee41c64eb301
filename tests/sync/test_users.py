"""Users by the centre's word: signed in offline, for three days only, gone when disabled."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from app.core.cards import Secret
from app.core.errors import BadInput
from app.core.parcels import Operator, Role
from app.core.policy import Policy
from app.server.governing import set_policy
from app.server.setup import OpenCentre
from app.server.tables import feed
from app.server.users import add_user, disable_user, users
from app.station.clockwatch import ClockWatch
from app.station.rounds import Ground
from app.store.db import reading
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.store.writer import StoreWriter
from tests.station.test_clockwatch import SetClock
from tests.sync.conftest import NOW_US, Party
from tests.sync.test_exchange import rounds_until_calm

WORD_HOLDS_US = Policy().rights_hours * 3600 * 1_000_000

NOW_MS = NOW_US // 1000
PASSCODE, BADGE = Secret("135790"), "CIB-ZHOULAN"


def add(centre: OpenCentre, party: Party, who: str = "S1", role: Role = Role.SUPERVISOR, badge: str = BADGE) -> None:
    add_user(centre, who, "周岚", role, PASSCODE, badge, party.store.station, NOW_MS)


def by_badge(party: Party, now_us: int = NOW_US) -> Operator | None:
    return party.writer.call(lambda store: store.by_badge(BADGE.lower(), now_us))


def test_a_user_signs_in_by_passcode_and_badge(centre: OpenCentre, party: Party) -> None:
    add(centre, party)
    assert by_badge(party) is None
    party.round()
    expected = Operator("S1", "周岚", Role.SUPERVISOR, rehearsal=True)
    assert by_badge(party) == expected
    assert party.writer.call(lambda store: store.sign_in("S1", PASSCODE, NOW_US)) == expected
    with reading(centre.engine) as connection:
        texts = "".join(connection.execute(select(feed.c.text)).scalars())
    assert BADGE not in texts
    assert PASSCODE.reveal() not in texts


@pytest.mark.parametrize("role", [Role.CLERK, Role.SUPERVISOR])
@pytest.mark.parametrize(
    ("later_us", "lapsed"),
    [
        (0, False),
        (WORD_HOLDS_US, False),
        (WORD_HOLDS_US + 1, True),
        (30 * WORD_HOLDS_US, True),  # or a clock that was put far ahead
        (-3600 * 1_000_000, False),  # put back a little
        (-3600 * 1_000_000 - 1, True),
    ],
)
def test_people_sign_in_for_three_days_after_the_last_word(
    centre: OpenCentre, party: Party, later_us: int, lapsed: bool, role: Role
) -> None:
    add(centre, party, role=role)
    party.round()
    by_passcode = party.writer.call(lambda store: store.sign_in("S1", PASSCODE, NOW_US + later_us))
    for found in (by_badge(party, NOW_US + later_us), by_passcode):
        assert isinstance(found, Operator)
        assert found.lapsed is lapsed
        assert found.role is (Role.CLERK if lapsed else role)


HOUR_US = 3600 * 1_000_000


def passes(clock: SetClock, hours: int, *, put_back: int = 0) -> None:
    clock.hands[:] = [clock.hands[0] + hours * HOUR_US, clock.hands[1] + (hours - put_back) * HOUR_US]


@pytest.mark.warns
@pytest.mark.parametrize("role", [Role.CLERK, Role.SUPERVISOR])
def test_who_puts_the_clock_back_gets_no_more_time_nor_does_a_restart(
    centre: OpenCentre, party: Party, tmp_path: Path, role: Role
) -> None:
    """71 hours, the clock back by 70, two hours more: 73 hours, whatever the clock shows; also in the next start."""
    add(centre, party, role=role)
    party.round()
    clock = SetClock("boot-1", [0, NOW_US])
    watch = ClockWatch(Ground(party.writer, clock, lambda _: None, party.crashes.append))
    watch.look()

    def lapsed() -> bool:
        by_passcode = party.writer.call(lambda store: store.sign_in("S1", PASSCODE, clock.wall_us()))
        found = by_badge(party, clock.wall_us())
        assert isinstance(by_passcode, Operator)
        assert found is not None
        assert (found.role, found.lapsed) == (by_passcode.role, by_passcode.lapsed)
        assert (found.role is role) or found.lapsed
        return found.lapsed

    passes(clock, 71)
    assert (watch.look(), lapsed()) == (False, False)
    passes(clock, 0, put_back=70)
    assert (watch.look(), lapsed()) == (True, False)
    passes(clock, 2)
    assert (watch.look(), lapsed()) == (False, True)
    assert party.writer.stop()
    party.store = Store.open(tmp_path / "station.db", REHEARSAL_PASSPHRASE, reserve_bytes=0)
    party.writer = StoreWriter(party.store, party.crashes.append)
    party.writer.start()
    assert lapsed()
    watch = ClockWatch(Ground(party.writer, clock, lambda _: None, party.crashes.append))
    passes(clock, 0, put_back=1)  # while nobody looked, in the same boot
    assert (watch.look(), lapsed()) == (True, True)
    passes(clock, 0, put_back=-71)
    assert (watch.look(), lapsed()) == (True, True), "the right time again: 73 hours"
    clock.hands[1] = NOW_US
    rounds_until_calm(party)
    assert not lapsed(), "the centre's word begins it anew"


def test_a_longer_time_that_the_centre_allowed_holds_and_a_word_begins_it_anew(
    centre: OpenCentre, party: Party
) -> None:
    add(centre, party, role=Role.CLERK)
    set_policy(centre, {"rights_hours": 240}, party.store.station, NOW_MS, "test")
    party.round()
    for later_us, lapsed in ((240 * 3600 * 1_000_000, False), (240 * 3600 * 1_000_000 + 1, True)):
        found = by_badge(party, NOW_US + later_us)
        assert found is not None
        assert found.lapsed is lapsed


def test_who_was_added_at_the_station_needs_no_word(party: Party) -> None:
    party.writer.call(lambda store: store.add_operator("1007", "林晓", Role.CLERK, BADGE, PASSCODE))
    found = by_badge(party, NOW_US + 30 * WORD_HOLDS_US)
    assert found is not None
    assert not found.lapsed


def test_who_is_disabled_does_not_sign_in_any_more(centre: OpenCentre, party: Party) -> None:
    add(centre, party)
    party.round()
    assert disable_user(centre, "S1", NOW_MS) == [party.store.station]
    assert disable_user(centre, "S1", NOW_MS) == []
    party.round()
    assert by_badge(party) is None
    assert party.writer.call(lambda store: store.sign_in("S1", PASSCODE, NOW_US)) is None
    assert [one["disabled"] for one in users(centre)] == [True]


def test_a_badge_that_was_handed_on_opens_for_its_new_owner(centre: OpenCentre, party: Party) -> None:
    add(centre, party)
    add(centre, party, "S1", badge="")
    add(centre, party, "S2")
    party.round()
    found = by_badge(party)
    assert found is not None
    assert found.id == "S2"


def test_what_cannot_be_is_refused(centre: OpenCentre, party: Party) -> None:
    add(centre, party)
    with pytest.raises(BadInput, match="badge_taken"):
        add(centre, party, "S2")
    with pytest.raises(BadInput, match="bad_passcode"):
        add_user(centre, "S3", "x", Role.CLERK, Secret("123"), "", "", NOW_MS)
    with pytest.raises(BadInput, match="unknown_user"):
        disable_user(centre, "S9", NOW_MS)
