"""A station's key is changed by the programs themselves: killed, cut off, cloned; and what auditors make of it."""

from __future__ import annotations

import base64
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from app.server.embedded import stop_server_process
from app.store.store import REHEARSAL_PASSPHRASE
from app.store.verify import LOG_VERIFIER, verify_audit
from tests.e2e.faulty_line import FaultyLine
from tests.server.place import PROGRAM, Place, log_lines, run


def rotate(station: Path) -> dict[str, Any]:
    code, told = run("station", "rotate", "--data", str(station))
    assert code == 0
    return dict(told)


def chain_of(path: Path) -> dict[str, Any]:
    told = verify_audit(path, REHEARSAL_PASSPHRASE)
    assert told["ok"]
    return next(chain for chain in told["chains"] if chain["station"] == "st-1")


def key_at_centre(place: Place) -> str:
    [row] = [one for one in run("centre", "stations", "--data", str(place.centre))[1] if one["station"] == "st-1"]
    return str(row["key"])


def test_a_change_of_key_reaches_the_centre_and_every_auditor(place: Place, tmp_path: Path) -> None:
    twin = tmp_path / "twin"
    shutil.copytree(place.station, twin)
    stop_server_process(place.child)
    told = rotate(place.station)  # without a line to the centre
    place.take_in(place.station, 1)
    place.start()
    assert place.sync(place.station)[1]["cards"] == {"accepted": 4}
    assert key_at_centre(place) == told["key"] != told["before"]
    for path in (place.station, place.centre):
        chain = chain_of(path)
        assert (chain["key"], chain["keys_before"]) == (told["key"], [told["before"]])
    [act] = [one for one in run("centre", "acts", "--data", str(place.centre))[1] if one["act"].endswith("key-rotated")]
    assert (act["station"], act["seq"]) == ("st-1", told["seq"])
    rotate(twin)  # a copied disk, with the key that was
    assert refused(twin, place.port) == "sync.other_key"
    assert key_at_centre(place) == told["key"]
    [alarm] = [one for one in run("centre", "quarantine", "--data", str(place.centre))[1] if one.get("alarm")]
    assert alarm["alarm"] == "fork.earlier-key"
    assert run("centre", "release", "st-1", "--data", str(place.centre))[0] == 0
    place.take_in(place.station, 1)
    assert place.sync(place.station)[1]["cards"] == {"accepted": 5}
    planted(place, tmp_path)


def planted(place: Place, tmp_path: Path) -> None:
    """The exported log holds, and no longer when the change of key is bent, left out, or the keys are swapped."""
    log = tmp_path / "log.jsonl"
    run("centre", "export", "--data", str(place.centre), "--to", str(log))
    lines = log_lines(log)
    assert [verdict(lines, tmp_path, *how) for how in ((), ("--every",))] == [0, 0]
    mark = b'"kind":"station.key-rotated"'
    [at] = [n for n, line in enumerate(lines) if mark in base64.b64decode(line.get("data", ""))]
    last = max(n for n, line in enumerate(lines) if line.get("type") == "event" and line["station"] == "st-1")
    named = next(n for n, line in enumerate(lines) if line.get("type") == "station" and line["id"] == "st-1")
    body = json.loads(base64.b64decode(lines[at]["data"]))["body"]
    changes = {
        "the change's signature": {at: {**lines[at], "sig": lines[last]["sig"]}},
        "a later signature": {last: {**lines[last], "sig": lines[at]["sig"]}},
        "the new key from the start": {named: {**lines[named], "public_key": body["new_key"]}},
    }
    for name, change in changes.items():
        assert verdict([change.get(n, line) for n, line in enumerate(lines)], tmp_path, "--every") == 1, name


def verdict(lines: list[Any], folder: Path, *how: str) -> int:
    path = folder / "changed.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return subprocess.run([sys.executable, LOG_VERIFIER, path, *how], capture_output=True, check=False).returncode


def syncing(station: Path, port: int) -> list[str]:
    url = f"http://127.0.0.1:{port}"
    return [*PROGRAM, "station", "sync", "--data", str(station), "--until-idle", "--server", url]


def refused(station: Path, port: int) -> str:
    """Why a sync does not get through; it would try for ever, and is ended."""
    argv = syncing(station, port)
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        said = next(line for line in child.stderr if line.startswith("offline"))
        child.kill()
    return said.split()[2]


def cut_short(station: Path, port: int, after_s: float) -> int:
    """Sync for a while, then be killed."""
    argv = syncing(station, port)
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return child.wait(after_s)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGKILL)
        return child.wait()


def test_killed_and_cut_off_anywhere_it_ends_with_one_key(place: Place) -> None:
    """The command dies at some moment; what it left goes over a bad line, by a sync that dies too."""
    line = FaultyLine(place.port, 7)
    try:
        for wait_s in (0.7, 1.2):
            argv = [*PROGRAM, "station", "rotate", "--data", str(place.station)]
            child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            time.sleep(wait_s)
            child.kill()
            child.wait()
            chain_of(place.station)
        rotate(place.station)
        place.take_in(place.station, 1)
        cut_short(place.station, line.port, 3.0)
    finally:
        line.close()
    assert place.sync(place.station)[1]["cards"] == {"accepted": 4}
    here, there = chain_of(place.station), chain_of(place.centre)
    assert (here["key"], here["head"], here["keys_before"]) == (there["key"], there["head"], there["keys_before"])
    assert key_at_centre(place) == here["key"]
