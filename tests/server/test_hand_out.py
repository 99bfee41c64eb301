"""The administrator's commands for what stations work by, by the programs themselves."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from app.core.parcels import ExpectedParcel
from app.store.store import REHEARSAL_PASSPHRASE, Store
from tests.server.place import PROGRAM, Place, run


def block(place: Place, numbers: str, *more: str) -> Any:
    argv = [*PROGRAM, "centre", "block", "--station", "st-1", "--data", str(place.centre), *more]
    return subprocess.run(argv, input=numbers.encode(), capture_output=True, check=False)


def test_parcels_and_blocked_numbers_reach_the_station(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "parcels.json"
    file.write_text(json.dumps([{"waybill": "SF990011", "declared": 3}]))
    expect = ("centre", "expect", str(file), "--station", "st-1", "--data", str(place.centre))
    assert run(*expect) == (0, {"named": 1, "news": 1})
    assert run(*expect) == (0, {"named": 1, "news": 0})
    done = block(place, "6222 0200 1234 0001\n6222-0200-1234-0002\n", "--note", "stolen")
    assert json.loads(done.stdout) == {"named": 2, "news": 2}
    assert b"62220200" not in done.stdout + done.stderr
    assert place.sync(place.station)[0] == 0
    store = Store.open(place.station / "station.db", REHEARSAL_PASSPHRASE, reserve_bytes=0)
    assert store.find_parcel("SF990011") == ExpectedParcel("SF990011", "", 3)
    store.close()
    for path in (*place.centre.glob("*.db*"), place.centre / "server.log"):
        assert b"6222020012340001" not in path.read_bytes()


def test_what_is_wrong_is_refused_and_nothing_goes_out(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "parcels.json"
    file.write_text("[{]")
    assert run("centre", "expect", str(file), "--data", str(place.centre), "--json")[0] != 0
    done = block(place, "6222020012340001\n???\n")
    assert done.returncode != 0
    assert b"line 2" in done.stdout + done.stderr
