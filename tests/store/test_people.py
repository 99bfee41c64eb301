"""Wrong passcodes are counted where a restart does not forget them; who waits, waits longer each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.cards import Secret
from app.core.parcels import Operator, Role
from app.core.policy import Policy
from app.store.people import LONGEST_WAIT_US, Locked
from app.store.store import REHEARSAL_PASSPHRASE, Store

FREE_TRIES, FIRST_WAIT_US = Policy().wrong_passcodes, Policy().passcode_wait_s * 1_000_000

NOW_US = 1_790_000_000_000_000
RIGHT, WRONG = Secret("246813"), Secret("000000")


@pytest.fixture
def desk(store: Store) -> Store:
    store.add_operator("1001", "林晓", Role.SUPERVISOR, "", RIGHT)
    store.add_operator("1002", "陈敏", Role.CLERK, "", RIGHT)
    return store


def tries(store: Store, times: int, now_us: int = NOW_US, who: str = "1001") -> list[object]:
    return [store.sign_in(who, WRONG, now_us) for _ in range(times)]


def test_the_third_wrong_passcode_makes_the_right_one_wait(desk: Store) -> None:
    assert tries(desk, FREE_TRIES) == [None, None, Locked(FIRST_WAIT_US)]
    assert desk.sign_in("1001", RIGHT, NOW_US + 1_000_000) == Locked(FIRST_WAIT_US - 1_000_000)
    assert isinstance(desk.sign_in("1001", RIGHT, NOW_US + FIRST_WAIT_US), Operator)


def test_each_further_one_doubles_the_wait_up_to_a_limit(desk: Store) -> None:
    now_us, waits = NOW_US, []
    tries(desk, FREE_TRIES - 1)
    for _ in range(12):
        answer = desk.sign_in("1001", WRONG, now_us)
        assert isinstance(answer, Locked)
        waits.append(answer.wait_us)
        now_us += answer.wait_us
    assert waits[:3] == [FIRST_WAIT_US, 2 * FIRST_WAIT_US, 4 * FIRST_WAIT_US]
    assert waits[-1] == LONGEST_WAIT_US


def test_a_restart_does_not_shorten_it(desk: Store, tmp_path: Path) -> None:
    tries(desk, FREE_TRIES)
    desk.close()
    again = Store.open(tmp_path / "station.db", REHEARSAL_PASSPHRASE, reserve_bytes=0)
    assert again.sign_in("1001", RIGHT, NOW_US) == Locked(FIRST_WAIT_US)
    again.close()


def test_a_right_passcode_forgets_only_ones_own_wrong_ones(desk: Store) -> None:
    tries(desk, FREE_TRIES - 1)
    assert isinstance(desk.sign_in("1002", RIGHT, NOW_US), Operator)
    assert desk.sign_in("1001", WRONG, NOW_US) == Locked(FIRST_WAIT_US)
    assert isinstance(desk.sign_in("1001", RIGHT, NOW_US + FIRST_WAIT_US), Operator)
    assert tries(desk, FREE_TRIES - 1, NOW_US + FIRST_WAIT_US) == [None, None]


def test_an_unknown_number_is_told_nothing_else(desk: Store) -> None:
    assert tries(desk, FREE_TRIES, who="9999") == tries(desk, FREE_TRIES, who="1001")


def test_a_clock_that_was_put_back_shuts_nobody_out_for_longer(desk: Store) -> None:
    tries(desk, FREE_TRIES)
    answer = desk.sign_in("1001", RIGHT, NOW_US - 10 * LONGEST_WAIT_US)
    assert answer == Locked(LONGEST_WAIT_US)
