"""Two histories, by the programs themselves: of a station (a copied disk) and of the centre (its log rewritten)."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from app.core.merkle import CompactTree, leaf_hash
from app.server.embedded import start_server_process, stop_server_process
from app.server.folder import CentreFolder
from app.store.db import open_database
from app.store.verify import LOG_VERIFIER
from tests.server.place import Place, log_lines, run


def test_a_copied_station_is_found_and_both_wait_for_a_person(place: Place, tmp_path: Path) -> None:
    twin = tmp_path / "twin"
    shutil.copytree(place.station, twin)
    place.take_in(place.station, 1)
    place.take_in(twin, 1)
    assert place.sync(place.station)[0] == 0
    code, told = place.sync(twin)
    assert (code, told["code"]) == (5, "sync.fork")
    [alarm] = [row for row in run("centre", "quarantine", "--data", str(place.centre))[1] if row.get("alarm")]
    assert (alarm["alarm"], alarm["station"]) == ("fork", "st-1")
    assert run("centre", "stations", "--data", str(place.centre))[1][0]["state"] == "locked"
    place.take_in(place.station, 1)
    assert place.sync(place.station)[1]["code"] == "sync.fork"
    assert run("centre", "release", "st-1", "--data", str(place.centre))[0] == 0
    assert place.sync(place.station)[1]["cards"] == {"accepted": 5}
    assert run("audit", "verify", str(place.centre))[0] == 0


def test_a_rewritten_log_is_found_by_the_station_and_by_the_export(place: Place, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    assert run("centre", "export", "--data", str(place.centre), "--to", str(log))[1]["entries"] >= 3
    good = subprocess.run([sys.executable, tmp_path / "verify.py", log, "--every"], capture_output=True, check=True)
    report = json.loads(good.stdout)
    assert report["countersigned_up_to"] == {"st-1": report["last_checkpoint"]}
    assert report["last_checkpoint"] + report["after_last_checkpoint"] == report["entries"]
    stop_server_process(place.child)
    rewrite(CentreFolder(place.centre))
    assert run("audit", "verify", str(place.centre), "--quick")[1]["ok"] is False
    place.start()
    place.take_in(place.station, 1)
    code, told = place.sync(place.station)
    assert (code, told["code"]) == (5, "sync.log_fork")


def rewrite(folder: CentreFolder) -> None:
    """What root at the centre might do: another past, its tree and its checkpoint made to fit."""
    engine = open_database(folder.database)
    with engine.begin() as connection:
        for name in ("event_update", "checkpoint_delete", "log_tile_delete"):
            connection.exec_driver_sql(f"DROP TRIGGER {name}_refused")
        connection.exec_driver_sql(
            "UPDATE event SET data = replace(data, 'card', 'cart') WHERE seq = 2 AND station <> '@centre'"
        )
        connection.exec_driver_sql("UPDATE event SET data = cast(data AS BLOB)")
        rows = connection.exec_driver_sql(
            "SELECT e.data FROM log_leaf l JOIN event e ON e.station = l.station AND e.seq = l.seq ORDER BY l.n"
        ).scalars()
        tree = CompactTree().grown(leaf_hash(data) for data in rows)
        connection.exec_driver_sql("UPDATE meta SET log_peaks = ?", (tree.to_bytes(),))
        connection.exec_driver_sql("DELETE FROM checkpoint")
    engine.dispose()


def bent(line: dict[str, Any], name: str) -> dict[str, Any]:
    raw = bytearray(base64.b64decode(line[name]))
    raw[len(raw) // 2] ^= 1
    return {**line, name: base64.b64encode(bytes(raw)).decode()}


def test_the_offline_verifier_finds_every_planted_change(place: Place, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    run("centre", "export", "--data", str(place.centre), "--to", str(log))
    lines = log_lines(log)
    events = [at for at, line in enumerate(lines) if line["type"] == "event"]
    station = next(line for line in lines if line["type"] == "station" and line["id"] == "st-1")
    note = next(at for at, line in enumerate(lines) if line["type"] == "checkpoint")
    changes: dict[str, Any] = {
        "an event bent": {events[1]: bent(lines[events[1]], "data")},
        "a signature bent": {events[1]: bent(lines[events[1]], "sig")},
        "an event left out": {events[1]: None},
        "two changed places": {events[1]: lines[events[2]], events[2]: lines[events[1]]},
        "a checkpoint bent": {note: {**lines[note], "note": lines[note]["note"].replace("\n", "\n1", 1)}},
        "a countersignature of another": {-1: {**lines[-1], "line": lines[-1]["line"].replace("A", "B")}},
        "another key": {0: {**lines[0], "server_key": station["public_key"]}},
        "no record": {3: []},
    }
    for name, change in changes.items():
        changed = dict(enumerate(lines)) | {at % len(lines): line for at, line in change.items()}
        bad = tmp_path / "bad.jsonl"
        bad.write_text("\n".join(json.dumps(line) for line in changed.values() if line is not None))
        done = subprocess.run([sys.executable, LOG_VERIFIER, bad, "--every"], capture_output=True, check=False)
        assert (done.returncode, json.loads(done.stdout)["ok"]) == (1, False), name
    key = station["public_key"]
    other = subprocess.run([sys.executable, LOG_VERIFIER, log, "--server-key", key], capture_output=True, check=False)
    assert other.returncode == 1


def test_a_second_address_is_used_when_the_first_is_away(place: Place) -> None:
    """Two servers of one centre; the first dies under way, nobody has to do anything."""
    second, url = start_server_process(place.centre, timeout_s=60)
    first = f"http://127.0.0.1:{place.port}"
    both = ("--server", first, "--server", url, "--until-idle")
    try:
        place.take_in(place.station, 2)
        assert run("station", "sync", "--data", str(place.station), *both)[0] == 0
        place.child.kill()
        stop_server_process(place.child)
        place.take_in(place.station, 2)
        code, told = run("station", "sync", "--data", str(place.station), *both)
    finally:
        stop_server_process(second)
    assert (code, told["cards"]) == (0, {"accepted": 7})
    assert run("audit", "verify", str(place.centre), "--quick")[1]["ok"]
