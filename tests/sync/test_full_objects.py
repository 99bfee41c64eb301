"""The disk under the centre's footage is full, really: nothing half there, cards go on, all of it comes after."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from app.server.report import report
from app.server.setup import OpenCentre
from app.store.results import RetryState
from app.sync import footage
from tests.sync.test_footage import film


@pytest.fixture
def objects(centre: OpenCentre) -> Iterator[Path]:
    folder = centre.folder.objects
    folder.mkdir(exist_ok=True)
    argv = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(argv, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk is not allowed here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.warns
@pytest.mark.parametrize("left", [0, 8192, 60_000])
def test_footage_waits_for_room_at_the_centre_and_cards_do_not(
    party: Any, centre: OpenCentre, objects: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    monkeypatch.setattr(footage, "CHUNK_BYTES", 40_000)
    recordings = tmp_path / "recordings"
    film(party, recordings / "r-1")
    filler = objects / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as out:
        while True:
            out.write(bytes(4096))
    with filler.open("r+b") as out:
        out.truncate(filler.stat().st_size - left)

    def round_() -> int:
        exchange = party.exchange()
        exchange.recordings = recordings

        async def run() -> None:
            async with exchange.client:
                await exchange.round()

        asyncio.run(run())
        state: RetryState = party.writer.call(lambda store: store.retry_state("footage"))
        return state.failures

    party.keep()
    assert round_() == 1, "the lane waits"
    assert len(report(centre.engine, "cards")) == 1
    assert not party.store.is_durable("r-1")
    _all_whole(objects)
    filler.unlink()
    party.writer.call(lambda store: store.save_retry(RetryState(), "footage"))
    assert round_() == 0
    assert party.store.is_durable("r-1")
    _all_whole(objects)


def _all_whole(objects: Path) -> None:
    for path in objects.rglob("*"):
        if path.is_file() and path.name != "filler":
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name, path
