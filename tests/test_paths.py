"""Where things lie."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from app.paths import dated


def test_two_folders_of_one_second_have_names_of_their_own_and_stand_in_order(tmp_path: Path) -> None:
    """A vault and its centre copied to one place in one second: the second copy was called a disk that fails."""
    now = datetime(2026, 11, 22, 23, 59, 59, 500_000, tzinfo=UTC)
    made = []
    for _ in range(3):
        made.append(dated(tmp_path, now.astimezone(timezone(timedelta(hours=8)))))
        made[-1].mkdir()
    assert [one.name for one in made] == ["20261122T235959Z", "20261123T000000Z", "20261123T000001Z"]
