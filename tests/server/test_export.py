"""The exported log: its verifier takes an entry without reading its JSON only where reading it comes to the same."""

from __future__ import annotations

import base64
import itertools
import json
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.core.audit import GENESIS, EventKind, SignedEvent, Stamp, digest, link
from app.keys import Signer, new_seed
from app.rotation import rotation_body
from app.server.checkpoints import publish
from app.server.export import export_log
from app.server.setup import init, open_centre
from app.store.verify import LOG_VERIFIER
from tests.server.place import log_lines
from tests.server.test_postgres import NOW_MS, Station

Check = Callable[[str, bool], dict[str, Any]]


def verifier(*, by_reading: bool = False) -> tuple[Check, list[int]]:
    """The program's check, and the places of the entries that it took without reading them; `by_reading`: none."""
    rooms, taken = runpy.run_path(str(LOG_VERIFIER)), []
    within, quick = rooms["read"].__globals__, rooms["take_next"]

    def counted(line: bytes, log: Any) -> bool:
        at = log.size
        done = not by_reading and bool(quick(line, log))
        taken.extend([at] if done else [])
        return done

    within["take_next"] = counted
    return rooms["check"], taken


def broken_in_lines(station: Station) -> SignedEvent:
    """A well-formed event of a station that does not write canonical JSON."""
    last = station.add()
    data = last.data.replace(b',"body":', b',\n"body":')
    station.chain[-1] = SignedEvent(last.seq, data, digest(data), station.signer.sign(data))
    return station.chain[-1]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The lines of a log with two stations, one of which changed its key, over several checkpoints."""
    folder = tmp_path_factory.mktemp("export")
    init(folder / "centre")
    centre = open_centre(folder / "centre")
    one, two = Station(centre, "st-1"), Station(centre, "st-2")
    one.send(centre, [one.add(body={"text": '读卡 \\ " {'}) for _ in range(4)])
    publish(centre, NOW_MS)
    two.send(centre, [two.add(), broken_in_lines(two), two.add()])
    new = Signer(new_seed())
    body = rotation_body("st-1", 5, one.chain[-1].hash, one.signer.public_key, new)
    one.send(centre, [one.add(EventKind.KEY_ROTATED, body)])
    one.signer = new
    one.send(centre, [one.add(), one.add()])
    publish(centre, NOW_MS + 60_000)
    two.send(centre, [two.add()])
    export_log(centre.engine, centre.centre, folder / "log.jsonl")
    centre.engine.dispose()
    return (folder / "log.jsonl").read_bytes().splitlines(keepends=True)


def written(lines: list[bytes], folder: Path) -> str:
    path = folder / "changed.jsonl"
    path.write_bytes(b"".join(lines))
    return str(path)


def test_entries_are_taken_as_they_are_written(exported: list[bytes], tmp_path: Path) -> None:
    """All but the centre's acts, the one that is not in one line and the one that changes a key."""
    check, taken = verifier()
    path = written(exported, tmp_path)
    report = check(path, False)
    events = [json.loads(line) for line in exported if b'"type":"event"' in line or b'"type": "event"' in line]
    assert [one["n"] for one in events] == list(range(14))
    read = [
        one["n"] for one in events if one["station"] == "@centre" or "data" in one or "proof" in one["event"]["body"]
    ]
    assert taken == [n for n in range(14) if n not in read]
    assert len(read) == 5
    assert (report["ok"], report["entries"], report["checkpoints"]) == (True, 14, 2)
    assert report["stations"] == {"@centre": 3, "st-1": 7, "st-2": 4}
    assert report == verifier(by_reading=True)[0](path, False) == check(path, True)


def test_an_export_of_the_first_version_still_holds(exported: list[bytes], tmp_path: Path) -> None:
    """There the checkpoints stood behind all entries."""
    check, _ = verifier()
    new = written(exported, tmp_path)
    lines = log_lines(Path(new))
    lines.sort(key=lambda line: line["type"] == "checkpoint")
    (tmp_path / "old.jsonl").write_text("".join(json.dumps(line, sort_keys=True) + "\n" for line in lines))
    for every in (False, True):
        assert check(str(tmp_path / "old.jsonl"), every) == check(new, every)
    lines[0]["v"] = 3
    (tmp_path / "later.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert "later release" in check(str(tmp_path / "later.jsonl"), True)["wrong"]


def renumbered(lines: list[bytes]) -> list[bytes]:
    """As whoever holds the centre's key can have it: no gap in the log, and no checkpoint that would not fit."""
    count, kept = itertools.count(), [line for line in lines if b'"type": "checkpoint"' not in line]
    return [
        re.sub(rb'"n":( ?)\d+', lambda _: b'"n":%d' % next(count), line, count=1) if b'"hash":' in line else line
        for line in kept
    ]


def forged_entry(station: str) -> bytes:
    """An event that the station never made, signed by nobody it knows."""
    place: dict[str, Any] = {"event_id": "f", "station": station, "seq": 1, "prev": GENESIS}
    stamp = Stamp(NOW_MS * 1000, 5, "boot")
    sign = Signer(new_seed()).sign
    event = link(**place, kind=EventKind.UNEXPECTED, stamp=stamp, actor="1001", body={"forged": 1}, sign=sign)
    told = {"sig": base64.b64encode(event.sig).decode(), "hash": event.hash, "station": station, "n": 0, "seq": 1}
    return (
        json.dumps({**told, "type": "event"}, separators=(",", ":")).encode()[:-1] + b',"event":' + event.data + b"}\n"
    )


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("name", ["st-2", "@centre"])
def test_no_chain_is_begun_again(exported: list[bytes], tmp_path: Path, name: str, every: bool) -> None:
    """With a second line for its station forged events would be forgotten, junk signatures and all; nor begun late."""
    check, _ = verifier()
    assert check(written(renumbered(exported), tmp_path), every)["ok"]
    [own] = [line for line in exported if b'"type": "station"' in line and f'"id": "{name}"'.encode() in line]
    begin = next(at for at, line in enumerate(exported) if b'"hash":' in line)
    twice = [*exported[:begin], forged_entry(name), own, *exported[begin:]]
    late = [line for line in exported if line is not own]
    late.insert(begin, own)
    for bent in (twice, [*exported[:begin], own, *exported[begin:]], late):
        path = written(renumbered(bent), tmp_path)
        (tmp_path / "old.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log_lines(Path(path))))
        for one in (path, str(tmp_path / "old.jsonl")):
            assert not check(one, every)["ok"]


_LINES = st.integers(0, 30)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=_LINES, where=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
@example(at=4, where=0.0, byte=0)
@example(at=4, where=0.05, byte=34)
@example(at=4, where=0.05, byte=92)
def test_a_changed_byte_is_judged_as_if_all_were_read(
    exported: list[bytes], tmp_path: Path, at: int, where: float, byte: int
) -> None:
    line = bytearray(exported[at % len(exported)])
    line[int(where * len(line))] = byte
    lines = [*exported]
    lines[at % len(lines)] = bytes(line)
    alike(written(lines, tmp_path))


def alike(path: str) -> None:
    quick, slow = verifier()[0](path, False), verifier(by_reading=True)[0](path, False)
    assert quick == slow


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=_LINES, to=_LINES, how=st.sampled_from(["left out", "twice", "swapped", "spaced", "cut", "joined"]))
def test_changed_lines_are_judged_as_if_all_were_read(
    exported: list[bytes], tmp_path: Path, at: int, to: int, how: str
) -> None:
    lines = [*exported]
    at, to = at % len(lines), to % len(lines)
    match how:
        case "left out":
            del lines[at]
        case "twice":
            lines.insert(to, lines[at])
        case "swapped":
            lines[at], lines[to] = lines[to], lines[at]
        case "spaced":
            lines[at] = lines[at].replace(b":", b": ", 1)
        case "cut":
            lines[at] = lines[at][: len(lines[at]) // 2]
        case _:
            lines[at] = lines[at].rstrip(b"\n")
    alike(written(lines, tmp_path))
