"""Power cuts at the centre: of what it told stations nothing is missing, when only synced bytes and names survive."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.calls import can_watch, read_calls, watched
from tests.server.disk import Disk, contents, copied
from tests.server.power_cuts import NOT_SYNCED, PowerCuts

pytestmark = pytest.mark.skipif(not can_watch(), reason="this machine does not let programs be traced (strace)")


@pytest.mark.parametrize(("postgres", "cuts"), [(False, 2), (True, 1)], ids=["sqlite", "postgresql"])
def test_what_was_acknowledged_survives_with_synced_bytes_only(tmp_path: Path, postgres: bool, cuts: int) -> None:
    outcome = PowerCuts(tmp_path, seed=3, postgres=postgres).play(cuts)
    assert outcome.good, outcome
    assert outcome.cuts == cuts
    assert outcome.acknowledged > 5


def test_a_centre_that_does_not_wait_for_its_disk_is_found_out(tmp_path: Path) -> None:
    """Else the cuts above would say nothing."""
    outcome = PowerCuts(tmp_path, seed=4, postgres=False, serve=NOT_SYNCED).play(12)
    assert outcome.lost, outcome


_WRITER = """
import os, sys
root = sys.argv[1]
def kept(name, data, sync):
    fd = os.open(f"{root}/{name}", os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(fd, data)
    if sync:
        os.fsync(fd)
    return fd
fd = kept("safe", b"a" * 9000, True)
os.pwrite(fd, b"b" * 5000, 4000)
kept("no-name", b"c", True)
kept("no-bytes", b"d" * 5000, False)
os.replace(f"{root}/no-bytes", f"{root}/renamed")
folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
os.fsync(folder)
kept("late", b"e", True)
os.unlink(f"{root}/old")
os.ftruncate(fd, 100)
os.truncate(f"{root}/long", 7)
os.mkdir(f"{root}/below")
kept("below/leaf", b"f", True)
os.posix_fallocate(fd, 0, 8192)
os.pwritev(fd, [b"gg", b"h"], 50)
"""


def test_the_disk_keeps_what_was_synced_and_any_part_of_the_rest(tmp_path: Path) -> None:
    folder, trace = tmp_path.resolve() / "folder", tmp_path / "trace"
    folder.mkdir()
    (folder / "old").write_bytes(b"old")
    (folder / "long").write_bytes(b"long enough")
    copied(folder, tmp_path / "before")
    subprocess.run([*watched(trace), sys.executable, "-c", _WRITER, str(folder)], check=True)
    calls = read_calls(trace)
    seen: dict[str, set[bytes | None]] = {}
    for seed in range(200):
        copied(tmp_path / "before", tmp_path / "copy")
        disk = Disk({folder: tmp_path / "copy"}, cwd=folder)
        disk.play(calls, calls[-1].ended_ns)
        if seed == 0:
            assert disk.seen() == contents(folder)
            disk = Disk({folder: tmp_path / "copy"}, cwd=folder)
            disk.play(calls, calls[-1].ended_ns)
        disk.cut(random.Random(seed))
        left = {path.name: path.read_bytes() for path in (tmp_path / "copy").rglob("*") if path.is_file()}
        for name in ("safe", "no-name", "no-bytes", "renamed", "late", "old", "long", "leaf"):
            seen.setdefault(name, set()).add(left.get(name))
        subprocess.run(["rm", "-r", str(tmp_path / "copy")], check=True)
    assert None not in seen["safe"] | seen["no-name"] | seen["renamed"] | seen["long"]
    assert seen["no-bytes"] == {None}
    assert seen["no-name"] == {b"c"}, "its folder was synced later"
    assert {b"", b"d" * 5000} < seen["renamed"]
    assert seen["late"] == {None, b"e"}
    assert seen["leaf"] == {None, b"f"}
    assert seen["old"] == {None, b"old"}
    assert seen["long"] == {b"long enough", b"long en"}
    assert {b"a" * 9000, b"a" * 4000 + b"b" * 5000} < seen["safe"]
    assert any(one is not None and 100 < len(one) < 9000 for one in seen["safe"])


_STORING = """
import hashlib, sys
from pathlib import Path
from app.server.object_store import LocalObjects
objects = LocalObjects(Path(sys.argv[1]) / "objects")
for data in (b"a" * 9000, b"b" * 70):
    objects.put(hashlib.sha256(data).hexdigest(), [data])
"""


def test_a_chunk_that_was_stored_is_there_after_a_cut_the_first_one_too(tmp_path: Path) -> None:
    """The folder that holds all chunks was made with the first; its own name was not on the disk for sure."""
    folder, trace = tmp_path.resolve() / "folder", tmp_path / "trace"
    folder.mkdir()
    copied(folder, tmp_path / "before")
    subprocess.run([*watched(trace), sys.executable, "-c", _STORING, str(folder)], check=True)
    calls = read_calls(trace)
    for seed in range(12):
        copied(tmp_path / "before", tmp_path / f"copy-{seed}")
        disk = Disk({folder: tmp_path / f"copy-{seed}"}, cwd=folder)
        disk.play(calls, calls[-1].ended_ns)
        disk.cut(random.Random(seed))
        left = sorted(path.stat().st_size for path in (tmp_path / f"copy-{seed}").glob("objects/??/*"))
        assert left == [70, 9000]
