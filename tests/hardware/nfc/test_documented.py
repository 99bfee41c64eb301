"""The table of fault cases in docs/nfc.md names tests that exist, for each of the twenty-five cases."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_fault_case_has_its_tests() -> None:
    text = (ROOT / "docs" / "nfc.md").read_text(encoding="utf-8")
    rows = {int(no): re.findall(r"`(test_\w+)`", told) for no, told in re.findall(r"^\| (\d+) \|(.+)$", text, re.M)}
    known = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        known |= set(re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.M))
    assert sorted(rows) == list(range(1, 26))
    assert all(rows.values())
    assert set(re.findall(r"`(test_\w+)`", text)) <= known
