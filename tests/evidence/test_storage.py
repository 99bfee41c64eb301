"""Nothing is removed that the centre does not have, or that somebody holds; and nothing when much is missing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from app.evidence.ledger import load
from app.evidence.ring import Picture
from app.evidence.side import VaultLock
from app.evidence.storage import Footage, footage_in, reconcile, removable, remove_footage
from app.evidence.verify import verify_recording
from app.evidence.writer import Origin, create_recording

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
    assert reconcile(["r1", "r2"], tmp_path, running=["r3"]).unknown == ()


@pytest.mark.parametrize("name", ["part-0002-*.bin", "side-0001-*.bin"])
def test_pictures_that_are_gone_make_a_recording_missing(tmp_path: Path, record, keys, name: str) -> None:
    """A folder with its journal counted as there, whatever had been deleted beside it."""
    lock = VaultLock("vk", X25519PrivateKey.from_private_bytes(bytes(range(7, 39))).public_key().public_bytes_raw())
    writer = create_recording(tmp_path / "r1", replace(keys, side=lock), Origin("r1", "file:x", True, True, "0"))
    for n in range(2):
        writer.begin_part(64, 48, writer.pts(5_000_000) + n * 1_000_000)
        writer.add_init(b"header")
        writer.add_side(Picture(5_000_000, 64, 48, "mjpeg", b"x"), n * 1_000_000)
        writer.add_fragment(b"pictures", n * 1_000_000, n * 1_000_000 + 1, 2, 0)
    writer.close("sealed")
    for n in range(2, 6):
        shutil.copytree(tmp_path / "r1", tmp_path / f"r{n}")
    rows = [f"r{n}" for n in range(1, 6)]
    assert reconcile(rows, tmp_path).holed == ()
    next((tmp_path / "r2").glob(name)).unlink()
    found = reconcile(rows, tmp_path)
    assert (found.missing, found.holed, found.stop) == ((), ("r2",), False)
    for other in ("r3", "r4"):
        next((tmp_path / other).glob(name)).unlink()
    assert reconcile(rows, tmp_path).stop
    assert reconcile(rows, tmp_path, removed=["r2", "r3", "r4"]).holed == ()


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
