"""Power cuts at the station: the program is killed, and of what it wrote last only a torn part reached the disk."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.server.folder import read_centre
from app.server.setup import init
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.store.verify import verify_audit

CARDS = 30
CUTS = 12


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[str, int]]]:
    """A station killed while it took cards; each card that it said was saved, with the log's length at that moment."""
    folder = tmp_path_factory.mktemp("cut")
    init(folder / "centre")
    station = folder / "station"
    station.mkdir()
    (station / "REHEARSAL").write_text('{"footage": "", "boot": ""}')
    made: dict[str, Any] = {"station_id": "st-1", "centre": read_centre(folder / "centre"), "rehearsal": True}
    Store.create(station / "station.db", REHEARSAL_PASSPHRASE, **made, reserve_bytes=0).close()
    argv = [sys.executable, "-m", "app", "station", "capture", "--data", str(station), "--cards", "400"]
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert child.stdout is not None
    saved: list[tuple[str, int]] = []
    for line in child.stdout:
        if line.startswith(b"saved "):
            saved.append((line.decode().split()[1], (station / "station.db-wal").stat().st_size))
        if len(saved) == CARDS:
            child.kill()
            break
    child.stdout.close()
    child.wait()
    return station, saved


def kept_in(folder: Path) -> set[str]:
    store = Store.open(folder / "station.db", REHEARSAL_PASSPHRASE, reserve_bytes=0)
    unfinished = store.unfinished_parcel()
    store.close()
    assert unfinished is not None
    return {card.card_id for card in unfinished.cards}


@pytest.mark.parametrize("seed", range(CUTS))
def test_no_card_that_was_said_to_be_saved_is_lost(
    killed: tuple[Path, list[tuple[str, int]]], tmp_path: Path, seed: int
) -> None:
    station, saved = killed
    chance = random.Random(seed)
    number = chance.randrange(3, len(saved))
    copy = tmp_path / "station"
    shutil.copytree(station, copy)
    (copy / "station.db-shm").unlink(missing_ok=True)
    log = copy / "station.db-wal"
    with log.open("r+b") as file:
        file.truncate(saved[number][1])
        file.seek(0, os.SEEK_END)
        torn = os.urandom(chance.randrange(0, 9000))  # sectors that were under way hold anything
        file.write(torn)
    kept = kept_in(copy)
    assert {card for card, _ in saved[: number + 1]} <= kept
    report = verify_audit(copy, REHEARSAL_PASSPHRASE)
    assert report["ok"], report


def test_a_log_cut_in_the_middle_of_a_card_holds_whole_cards_only(
    killed: tuple[Path, list[tuple[str, int]]], tmp_path: Path
) -> None:
    """The disk kept less than was promised (a lying drive): what is there is still whole and verifies."""
    station, saved = killed
    copy = tmp_path / "station"
    shutil.copytree(station, copy)
    (copy / "station.db-shm").unlink(missing_ok=True)
    before, after = saved[9][1], saved[12][1]
    with (copy / "station.db-wal").open("r+b") as file:
        file.truncate((before + after) // 2)
    kept = kept_in(copy)
    assert {card for card, _ in saved[:10]} <= kept
    assert verify_audit(copy, REHEARSAL_PASSPHRASE)["ok"]
