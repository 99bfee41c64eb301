"""Names and keys that cannot be, told before anything is written; a real station is audited with its passphrase."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.keys import Signer, new_seed
from app.server.report import report
from app.server.setup import init, open_centre
from app.store.store import Store
from tests.commands.conftest import Said

Say = Callable[..., Said]


@pytest.fixture
def centre(tmp_path: Path) -> Path:
    return init(tmp_path / "centre").root


@pytest.mark.parametrize("name", ["门店一", "a b", "st/1", "../x", "st.1", "@centre", "-x", "x" * 41, "a\nb", "st\0"])
def test_a_name_by_which_nobody_could_speak(say: Say, language: str, centre: Path, name: str) -> None:
    """The code was made and used up; then no request of that station could be signed."""
    key = Signer(new_seed()).public_key.hex()
    for argv in (["code", "--role=store", "--data", centre, "--", name], ["admit", "--data", centre, "--", name, key]):
        said = say("centre", *argv)
        assert (said.code, said.out) == (2, "")
        assert said.complains("station.bad_name", language)
    opened = open_centre(centre)
    assert report(opened.engine, "acts") == []
    opened.engine.dispose()


@pytest.mark.parametrize("key", ["", "zz", "abcd", "ab" * 31, "ab" * 33])
def test_a_key_that_is_none_is_not_let_in(say: Say, language: str, centre: Path, key: str) -> None:
    said = say("centre", "admit", "st-1", key, "--data", centre)
    assert (said.code, said.out) == (2, "")
    assert said.complains("centre.bad_key", language)
    assert json.loads(say("centre", "stations", "--data", centre).out) == []


def test_a_station_with_its_own_passphrase_is_audited(say: Say, language: str, tmp_path: Path, centre: Path) -> None:
    opened = open_centre(centre)
    store = Store.create(
        tmp_path / "station" / "station.db", "its own", station_id="st-1", centre=opened.centre, rehearsal=False,
        reserve_bytes=0,
    )  # fmt: skip
    store.close()
    opened.engine.dispose()
    argv = [sys.executable, "-m", "app", "audit", "verify", str(tmp_path / "station"), "--passphrase-fd", "0"]
    for told, code in ((b"its own\n", 0), (b"another\n", 4)):
        done = subprocess.run(argv, input=told, capture_output=True, check=False)
        assert done.returncode == code, done.stderr.decode()
    assert said_without(say, tmp_path / "station").complains("store.no_passphrase", language)


def said_without(say: Say, folder: Path) -> Said:
    """Nobody tells a passphrase."""
    said = say("audit", "verify", folder)
    assert said.code == 2
    return said
