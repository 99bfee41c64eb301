"""Patterns from a few values: what is there is found, what may be an accident is not claimed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.catalog.infer import MOST_CHANCE, Inferred, Printed, infer
from app.core.products import DIGITS, LATIN, CheckDigit, FieldPattern, by_place
from app.rehearsal.content import draw_value
from app.rehearsal.dice import stream


def learned(pattern: FieldPattern, count: int = 3, seed: int = 1) -> tuple[Inferred, list[str]]:
    rng = stream(seed, "infer")
    texts = [draw_value(rng, pattern) for _ in range(count)]
    found = infer([Printed(t) for t in texts])
    assert found is not None
    return found, texts


@pytest.mark.parametrize("check", [CheckDigit.LUHN, CheckDigit.DAMM, CheckDigit.VERHOEFF, CheckDigit.ISO7064_MOD97_10])
def test_a_check_digit_is_found(check: CheckDigit) -> None:
    found, _ = learned(FieldPattern(DIGITS, (16,), check=check), 3, seed=4)
    assert found.pattern.check is check
    assert any(check.value in finding.what and finding.chance < MOST_CHANCE for finding in found.findings)


def test_a_check_digit_is_not_claimed_from_two_cards() -> None:
    for seed in range(30):
        found, _ = learned(FieldPattern(DIGITS, (16,), check=CheckDigit.LUHN), 2, seed)
        assert found.pattern.check in (CheckDigit.NONE, CheckDigit.ISO7064_MOD97_10)


def test_a_rule_is_seldom_seen_where_there_is_none() -> None:
    """As often as the report says at most: three random numbers obey some rule in less than one case in a hundred."""
    wrong = sum(
        learned(FieldPattern(DIGITS, (16,)), 3, seed)[0].pattern.check is not CheckDigit.NONE for seed in range(400)
    )
    assert wrong <= 12


def test_letters_and_digits_in_their_places() -> None:
    found, _ = learned(by_place([LATIN] * 2 + [DIGITS] * 6))
    assert found.pattern.places == tuple([LATIN] * 2 + [DIGITS] * 6)


def test_a_disordered_pin_gets_no_places() -> None:
    for seed in range(20):
        found, texts = learned(FieldPattern("".join(sorted(DIGITS + LATIN)), (10,)), 3, seed)
        if not found.pattern.places:
            assert all(found.pattern.matches(t) for t in texts)
            continue
        assert all(f.chance < MOST_CHANCE for f in found.findings if "places" in f.what or "same" in f.what)


def test_a_common_beginning_is_found_but_a_run_of_numbers_is_not_taken_for_one() -> None:
    found, _ = learned(by_place([*"6009", *[DIGITS] * 12]))
    assert found.pattern.places[:4] == tuple("6009")
    row = infer([Printed(f"88012345678901{n:02d}") for n in (10, 25, 47)])
    assert row is not None
    assert row.pattern.places[:6] == tuple("880123")
    assert set(row.pattern.places[6:]) == {DIGITS}


def test_groups_are_the_gaps_that_are_wider_on_average() -> None:
    rng = np.random.default_rng(5)
    values = []
    for _ in range(3):
        gaps = 1 + rng.normal(0, 0.08, 15)
        gaps[[3, 7, 11]] += 0.7
        values.append(Printed("".join(rng.choice(list(DIGITS), 16)), True, tuple(float(g) for g in gaps)))
    found = infer(values)
    assert found is not None
    assert found.pattern.grouping == (4, 4, 4, 4)


def test_doubtful_values_teach_nothing() -> None:
    assert infer([]) is None
    assert infer([Printed("1234", clean=False)]) is None
    found = infer([Printed("4242424242424242"), Printed("4242424242424241", clean=False)])
    assert found is not None
    assert found.samples == 1
    assert found.pattern.check is CheckDigit.NONE


@given(st.lists(st.text(DIGITS + LATIN, min_size=1, max_size=20), min_size=1, max_size=5))
def test_a_pattern_always_fits_what_it_was_learned_from(texts: list[str]) -> None:
    found = infer([Printed(t) for t in texts])
    assert found is not None
    assert all(found.pattern.matches(t) for t in texts)


def test_a_value_does_not_show() -> None:
    assert "4711" not in repr(Printed("4711"))
