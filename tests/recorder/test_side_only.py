"""A camera that is filmed without the eye: whatever a kill leaves, only the vault can see its pictures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from app.commands.loose import loose_keys
from app.evidence.ring import Picture, leftovers, read_segment
from app.evidence.side import SIDE_GLOB, open_side
from app.evidence.verify import verify_recording
from app.recorder import protocol as told
from tests.recorder.test_cameras import SEALED, fake
from tests.recording import ROOT, gaps_of, ok, records, run


def killed_at(frame: int, folder: Path, address: str, vault: X25519PrivateKey) -> int:
    """Film it until this frame was printed, and kill; gives that frame's time."""
    argv = [sys.executable, "-m", "app", "record", "--print-frames", "--out", str(folder), "--camera", address]
    key = ["--vault-key", vault.public_key().public_bytes_raw().hex()]
    with subprocess.Popen(
        [*argv, *key], stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL, cwd=ROOT
    ) as child:
        assert child.stdout is not None
        printed = (line.split() for line in child.stdout if line[0].isdigit())
        last_us = next(int(us) for n, us in printed if n == str(frame))
        os.kill(child.pid, signal.SIGKILL)
        child.stdout.read()
    return last_us


def test_what_a_kill_leaves_in_the_ring_is_readable_to_nobody(tmp_path: Path) -> None:
    """The key in the recording's folder opened the last seconds, unmasked."""
    folder, vault = tmp_path / "r1", X25519PrivateKey.generate()
    with fake.served(fake.Server([("frames", 4000)], fps=30)) as address:
        last_us = killed_at(60, folder, address, vault)
    keys = loose_keys(folder)
    assert keys is not None
    assert leftovers(folder)
    for path in leftovers(folder):
        assert not [one for one in read_segment(path, keys.content).entries() if isinstance(one, Picture)]
    assert ok("recover", str(folder))["closed"]
    assert not leftovers(folder)
    assert verify_recording(folder).ok
    (side,) = folder.glob(SIDE_GLOB)
    kept = list(open_side(side, vault))
    assert last_us - (kept[-1].mono_us - kept[0].mono_us) < 1_000_000


def test_after_a_kill_its_times_go_on_and_the_gap_is_told(tmp_path: Path) -> None:
    """Nothing but fragments said what the clock was and how far it had got: the second half began at 0 again, and
    nobody could tell that something was missing between.
    """
    folder, vault = tmp_path / "r1", X25519PrivateKey.generate()
    with fake.served(fake.Server([("frames", 4000)] * 2, fps=30)) as address:
        last_us = killed_at(45, folder, address, vault)
        key = ["--vault-key", vault.public_key().public_bytes_raw().hex(), "--seconds", "2"]
        code, out = run("record", "--camera", address, "--out", str(folder), *key)
    (gap,), (first, second) = gaps_of(folder), records(folder, "side")
    first_part, second_part = (list(open_side(folder / one["file"], vault)) for one in (first, second))
    assert gap["reason"] == "recorder_restarted"
    assert last_us - 1_000_000 < gap["from_pts"] <= first_part[-1].mono_us - first_part[0].mono_us
    assert gap["to_pts"] == second["from_pts"] == second_part[0].mono_us - first_part[0].mono_us
    assert second["base_mono_us"] == first["base_mono_us"] == first_part[0].mono_us
    assert code == 0
    assert json.loads(out.splitlines()[-1])["duration_us"] > second["from_pts"]
    assert verify_recording(folder).ok


def test_no_camera_goes_on_unmasked_with_what_a_film_began(station, film: Path) -> None:
    """Its pictures would have been reviewable, as the film's are."""
    with fake.served(fake.Server([("frames", 4000)], fps=30)) as address:
        station.up()
        station.begin(f"file:{film}?loop=1")
        station.until_fragments(1)
        station.begin(address, **(SEALED | {"rehearsal": True}))
        assert station.until_kind(told.Trouble).code == "recorder.refused"
        station.send(told.Stop("sealed"))
        station.until_kind(told.RecordingClosed)
    assert address not in json.dumps(records(station.recording, "camera"))
