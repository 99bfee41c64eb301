"""From a few printed values of one field to its pattern: each conclusion with the chance that it is an accident.

A conclusion is drawn when that chance is below one in a hundred; what a few cards cannot show stays open. Cards of one
delivery often have numbers in a row, so a common beginning counts for six characters at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.core.products import DIGITS, LATIN, CheckDigit, FieldPattern, by_place

MOST_CHANCE = 0.01
_ALNUM = DIGITS + LATIN
_UNAMBIGUOUS = "".join(c for c in _ALNUM if c not in "01IO")
_LONGEST_PREFIX, _SHORTEST_PREFIX = 6, 3
_WIDE = 1.3
_CHECK_ODDS = {CheckDigit.ISO7064_MOD97_10: 1 / 97, CheckDigit.ISO7064_MOD11_2: 1 / 11}


@dataclass(frozen=True, slots=True, repr=False)
class Printed:
    """One value as it was read. `clean`: every character beyond reasonable doubt; `gaps`: from the middle of each
    character to the next, in the field's usual gap, () unknown."""

    text: str = field(repr=False)
    clean: bool = True
    gaps: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One conclusion: what, and the chance 0..1 of seeing it by accident."""

    what: str
    chance: float


@dataclass(frozen=True, slots=True)
class Inferred:
    """A pattern and why. `samples`: how many clean values it rests on."""

    pattern: FieldPattern
    findings: tuple[Finding, ...]
    samples: int


def infer(values: Sequence[Printed]) -> Inferred | None:
    """The pattern of a field from values of different cards; None without one clean value."""
    texts = sorted({v.text for v in values if v.clean and v.text})
    if not texts:
        return None
    lengths = tuple(sorted({len(t) for t in texts}))
    alphabet, findings = _alphabet("".join(texts))
    places = _places(texts, alphabet, findings) if len(lengths) == 1 and len(texts) > 1 else ()
    check = _check(texts, findings)
    grouping = _grouping(values, lengths[0]) if len(lengths) == 1 else ()
    if places:
        return Inferred(by_place(places, grouping, check), tuple(findings), len(texts))
    return Inferred(FieldPattern(alphabet, lengths, grouping, check), tuple(findings), len(texts))


def _alphabet(seen: str) -> tuple[str, list[Finding]]:
    """Digits only, no look-alikes, or everything: the narrowest that is no accident."""
    findings: list[Finding] = []
    for name, alphabet in (("digits", DIGITS), ("letters", LATIN), ("no 0 1 I O", _UNAMBIGUOUS)):
        chance = (len(alphabet) / len(_ALNUM)) ** len(seen)
        if set(seen) <= set(alphabet) and chance < MOST_CHANCE:
            findings.append(Finding(name, chance))
            return "".join(sorted(alphabet)), findings
    # Too few characters to exclude letters: a field of digits only is by far the commonest all the same.
    if set(seen) <= set(DIGITS):
        return DIGITS, [Finding("digits (few characters)", (len(DIGITS) / len(_ALNUM)) ** len(seen))]
    return _ALNUM, findings


def _places(texts: Sequence[str], alphabet: str, findings: list[Finding]) -> tuple[str, ...]:
    """The alphabet of each position, where kinds of characters or a common beginning are no accident; else ()."""
    length = len(texts[0])
    kinds = [_kind([t[i] for t in texts]) for i in range(length)]
    places = [alphabet] * length
    mixed = set(alphabet) & set(DIGITS) and set(alphabet) & set(LATIN)
    if mixed and all(kinds):
        chance = _ordered_chance(kinds, len(texts), alphabet)
        if chance < MOST_CHANCE:
            findings.append(Finding("letters and digits in fixed places", chance))
            places = [_within(alphabet, kind) for kind in kinds]
    common = _common_beginning(texts)
    odds = 1.0
    for place in places[:common]:
        odds *= (1 / len(place)) ** (len(texts) - 1)
    if common >= _SHORTEST_PREFIX and odds < MOST_CHANCE:
        findings.append(Finding(f"the first {common} characters are always the same", odds))
        places[:common] = list(texts[0][:common])
    return tuple(places) if any(place != alphabet for place in places) else ()


def _kind(glyphs: Sequence[str]) -> str:
    if all(g in DIGITS for g in glyphs):
        return DIGITS
    return LATIN if all(g in LATIN for g in glyphs) else ""


def _within(alphabet: str, kind: str) -> str:
    return "".join(g for g in alphabet if g in kind)


def _ordered_chance(kinds: Sequence[str], samples: int, alphabet: str) -> float:
    """How likely every position of a disordered field shows one kind in all samples."""
    digit = sum(g in DIGITS for g in alphabet) / len(alphabet)
    same = digit**samples + (1 - digit) ** samples
    return float(same ** len(kinds))


def _common_beginning(texts: Sequence[str]) -> int:
    first = texts[0]
    for i in range(min(_LONGEST_PREFIX, len(first) - 1)):
        if any(t[i] != first[i] for t in texts):
            return i
    return min(_LONGEST_PREFIX, len(first) - 1)


def _check(texts: Sequence[str], findings: list[Finding]) -> CheckDigit:
    """The one rule that holds for all values, if by accident it hardly would."""
    rules = [rule for rule in CheckDigit if rule]
    holding = [rule for rule in rules if all(FieldPattern(_ALNUM, (), check=rule).check_holds(t) for t in texts)]
    chances = {rule: len(rules) * _CHECK_ODDS.get(rule, 0.1) ** len(texts) for rule in holding}
    likely = [rule for rule in holding if chances[rule] < MOST_CHANCE]
    if len(likely) != 1:
        return CheckDigit.NONE
    findings.append(Finding(f"check digit {likely[0].value}", chances[likely[0]]))
    return likely[0]


def _grouping(values: Sequence[Printed], length: int) -> tuple[int, ...]:
    """Where the printed groups end: gaps that are wider than the others on average over all cards, so that a narrow 1
    here or there does not matter. () when there are none to be seen."""
    rows = [v.gaps for v in values if len(v.gaps) == length - 1]
    if not rows or length < 2:
        return ()
    mean = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    usual = sorted(mean)[len(mean) // 3]
    groups, size = [], 1
    for gap in mean:
        if gap > _WIDE * usual:
            groups.append(size)
            size = 0
        size += 1
    groups = [*groups, size]
    return tuple(groups) if len(groups) > 1 and min(groups[:-1]) > 1 else ()
