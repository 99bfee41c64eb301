"""A review desk on what the real recorder filmed, whose answers are waited for."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from app.core.events import Event
from app.core.footage import Footage, Proof
from app.paths import StationFolder
from app.station.clock import system_clock
from app.station.reviewing import Reviewing
from app.store.writer import StoreWriter
from tests.station.filmed import SUPERVISOR, FilmedParcel, filmed_parcel


@pytest.fixture(scope="session")
def parcel(tmp_path_factory: pytest.TempPathFactory) -> FilmedParcel:
    """Filmed once for all; nobody changes it."""
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("filmed")
        patch.setenv("XDG_RUNTIME_DIR", str(root))
        return filmed_parcel(root)


@pytest.fixture
def own(parcel: FilmedParcel, tmp_path: Path) -> FilmedParcel:
    """A copy that may be changed."""
    shutil.copytree(parcel.folder.root, tmp_path / "station")
    return FilmedParcel(StationFolder(tmp_path / "station"), parcel.recording_id, parcel.card_id, parcel.read_us)


class Asked:
    """A review desk whose answers are waited for."""

    def __init__(self, own: FilmedParcel, bugs: list[Exception]) -> None:
        self.folder = own.folder
        self.store = StoreWriter(own.store(), bugs.append)
        self.store.start()
        self.told: list[Event] = []
        self.desk = Reviewing(
            self.store, own.folder.recordings, own.folder.exports, system_clock(), bugs.append,
            post=self.told.append,
        )  # fmt: skip
        self.desk.start()

    def answer(self, ask: Callable[..., None], *what: Any) -> Any:
        heard: SimpleQueue[Any] = SimpleQueue()
        ask(*what, heard.put)
        return heard.get(timeout=30)

    def footage(self, recording_id: str = "r-1") -> Footage:
        found = self.answer(self.desk.footage, SUPERVISOR, recording_id)
        assert isinstance(found, Footage)
        return found

    def proof(self, recording_id: str = "r-1") -> list[Proof]:
        heard: SimpleQueue[Proof] = SimpleQueue()
        self.desk.verify(recording_id, heard.put)
        told = [heard.get(timeout=30)]
        while not told[-1].done:
            told.append(heard.get(timeout=30))
        return told


@pytest.fixture
def asked(own: FilmedParcel) -> Iterator[Asked]:
    bugs: list[Exception] = []
    one = Asked(own, bugs)
    yield one
    one.desk.stop()
    one.store.stop()
    assert bugs == []
