"""The administrator's commands for what stations work by, by the programs themselves."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

from app.core.cards import Secret
from app.core.parcels import ExpectedParcel, Operator, Role
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
    argv = [*PROGRAM, "centre", "expect", str(file), "--data", str(place.centre)]
    refused = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert refused.returncode != 0
    assert b"parcels.json" in refused.stdout + refused.stderr
    done = block(place, "6222020012340001\n???\n")
    assert done.returncode != 0
    assert b"line 2" in done.stdout + done.stderr


def test_users_are_added_listed_and_disabled(place: Place) -> None:
    common = ("--station", "st-1", "--data", str(place.centre))
    argv = [*PROGRAM, "centre", "users", "add", "S1", "--name", "Zhou Lan", "--role", "supervisor", *common, "--badge"]
    nobody = subprocess.run(argv, input=b"135790\n", capture_output=True, check=False)
    assert nobody.returncode == 2
    assert b"[centre.no_badge]" in nobody.stderr
    added = subprocess.run(argv, input=b"135790\nCIB-S1\n", capture_output=True, check=True)
    assert b"argon2" not in added.stdout + added.stderr
    told = {"id": "S1", "name": "Zhou Lan", "role": "supervisor", "badge": True, "station": "st-1"}
    assert json.loads(added.stdout) == [{**told, "disabled": False}]
    assert place.sync(place.station)[0] == 0
    store = Store.open(place.station / "station.db", REHEARSAL_PASSPHRASE, reserve_bytes=0)
    found = store.sign_in("S1", Secret("135790"), time.time_ns() // 1000)
    assert isinstance(found, Operator)
    assert found.role is Role.SUPERVISOR
    assert store.by_badge("CIB-S1", time.time_ns() // 1000) == found
    store.close()
    assert run("centre", "users", "disable", "S1", *common)[1][0]["disabled"] is True
    assert run("centre", "users", "list", *common)[1][0]["disabled"] is True
