"""`cardintake station backup|restore`: a copy while it is used, and the way back when the database is gone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.__main__ import main
from app.paths import StationFolder
from app.store.store import REHEARSAL_PASSPHRASE, Store
from tests.station.filmed import new_store


def test_a_lost_database_comes_back_and_waits_for_the_centre(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARDINTAKE_LANG", "en")
    folder = StationFolder(tmp_path / "station")
    new_store(folder).close()
    assert main(["station", "backup", "--data", str(folder.root)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["head"], Path(told["backup"]).parent) == (0, folder.backups)
    assert main(["station", "restore", "--data", str(folder.root)]) == 2  # nothing is gone
    for path in folder.root.glob("station.db*"):
        path.unlink()
    capsys.readouterr()
    assert main(["station", "backup", "--data", str(folder.root)]) != 0
    assert "station restore" in capsys.readouterr().err
    assert main(["station", "restore", "--data", str(folder.root), "--from", str(tmp_path / "nowhere")]) == 2
    capsys.readouterr()
    assert main(["station", "restore", "--data", str(folder.root)]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["restored"] == told["backup"]
    assert "the centre has to confirm" in said.err
    store = Store.open(folder.database, REHEARSAL_PASSPHRASE, reserve_bytes=0)
    assert store.ledger.frozen
    store.close()
