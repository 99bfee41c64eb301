"""Nothing is removed that the centre does not have, or that somebody holds; and nothing when much is missing."""

from __future__ import annotations

import shutil
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from app.evidence.ledger import load
from app.evidence.storage import Footage, footage_in, reconcile, removable, remove_footage
from app.evidence.verify import verify_recording

names = st.sampled_from("abcdefgh")
footage = st.lists(
    st.builds(Footage, names, st.integers(0, 100), st.integers(1, 50)), max_size=8, unique_by=lambda f: f.recording
)


@given(footage, st.sets(names), st.sets(names), st.integers(-5, 200), st.integers(0, 100))
def test_only_what_may_go_goes_and_no_more_than_needed(
    kept: list[Footage], durable: set[str], held: set[str], needed: int, until: int
) -> None:
    gone = removable(kept, durable, held, needed, until)
    size = {one.recording: one.size for one in kept}
    closed = {one.recording: one.closed_wall_us for one in kept}
    assert all(name in durable and name not in held and closed[name] <= until for name in gone)
    assert needed > 0 or gone == []
    assert not gone or sum(size[name] for name in gone[:-1]) < needed
    assert [closed[name] for name in gone] == sorted(closed[name] for name in gone)


def test_rows_and_folders(tmp_path: Path, closed: Path) -> None:
    for name in ("r1", "r2", "r3"):
        shutil.copytree(closed, tmp_path / name)
    found = reconcile(["r1", "r2", "r9"], tmp_path)
    assert (found.missing, found.unknown, found.stop) == (("r9",), ("r3",), False)
    assert reconcile(["r1", *(f"x{n}" for n in range(4))], tmp_path).stop
    assert reconcile([], tmp_path / "none").missing == ()


def test_the_journal_outlives_its_footage(tmp_path: Path, closed: Path) -> None:
    folder = shutil.copytree(closed, tmp_path / "r1")
    head = load(folder).head
    assert footage_in(folder) > 0
    assert remove_footage(folder) > 0
    assert footage_in(folder) == 0
    assert load(folder).head == head
    fault = verify_recording(folder).fault
    assert fault is not None
    assert fault.code == "evidence.bytes_missing"
