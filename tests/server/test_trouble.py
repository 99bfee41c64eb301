"""A centre in trouble and a station that is no longer wanted, by the programs themselves."""

from __future__ import annotations

import json
import resource
import subprocess

from tests.server.place import PROGRAM, Place, run


def test_a_centre_that_cannot_write_keeps_nothing_back_and_goes_on_when_it_can(place: Place) -> None:
    """No file of the server may grow any more; the station waits as it is told, and brings everything afterwards."""
    everything = resource.prlimit(place.child.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(place.child.pid, resource.RLIMIT_FSIZE, (4096, everything[1]))
    place.take_in(place.station, 4)
    argv = [*PROGRAM, "station", "sync", "--data", str(place.station), "--until-idle"]
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    said = next(line for line in child.stderr if line.startswith("offline"))
    assert said.split()[2] == "sync.refused"
    assert len(run("centre", "cards", "--data", str(place.centre))[1]) == 3
    resource.prlimit(place.child.pid, resource.RLIMIT_FSIZE, everything)
    child.communicate(timeout=120)
    assert child.returncode == 0
    assert place.child.poll() is None, "the server went on"
    assert len(run("centre", "cards", "--data", str(place.centre))[1]) == 7
    assert run("audit", "verify", str(place.centre), "--quick")[1]["ok"]


def test_a_station_is_not_idle_while_its_footage_has_to_be_tried_again(place: Place) -> None:
    """The centre takes events but no footage: the command said it was done, and left the film where it was."""
    objects = place.centre / "objects"
    objects.write_bytes(b"where a folder should be")
    argv = [*PROGRAM, "station", "capture", "--data", str(place.station), "--cards", "1", "--video-mb", "1"]
    subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    argv = [*PROGRAM, "station", "sync", "--data", str(place.station), "--until-idle"]
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    assert next(line for line in child.stderr if line.startswith("synced 0"))
    objects.unlink()
    told, _ = child.communicate(timeout=120)
    assert child.returncode == 0
    assert json.loads(told)["footage"] == 0
    assert len(run("centre", "objects", "--data", str(place.centre))[1]) > 0


def test_what_a_revoked_station_still_sends_is_kept_and_not_acted_on(place: Place) -> None:
    assert run("centre", "revoke", "st-1", "--data", str(place.centre))[0] == 0
    place.take_in(place.station, 2)
    code, told = place.sync(place.station)
    assert (code, told["code"]) == (1, "sync.revoked")
    held = run("centre", "quarantine", "--data", str(place.centre))[1]
    assert {row["code"] for row in held} == {"revoked"}
    assert [row["kind"] for row in held].count("card.kept") == 2
    assert len(run("centre", "cards", "--data", str(place.centre))[1]) == 3
    assert run("audit", "verify", str(place.centre))[0] == 0
