"""A checkpoint with an authority's time: asked for once an hour, checked, exported, and verified by openssl alone."""

from __future__ import annotations

import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

from app.core.errors import EvidenceTrouble, Unavailable
from app.keys import Signer, new_seed
from app.server.checkpoints import publish
from app.server.enrol import admit_station
from app.server.export import export_log
from app.server.setup import OpenCentre
from app.server.stamping import EVERY_MS, Stamper, stamp_newest
from app.store.verify import LOG_VERIFIER
from app.sync.authority import Authority
from tests.evidence.authority import Authority as OpenSsl
from tests.evidence.tsa_server import good, serving

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to be an authority")

NOW_MS = 1_790_000_000_000


@pytest.fixture(scope="module")
def openssl(tmp_path_factory: pytest.TempPathFactory) -> OpenSsl:
    return OpenSsl(tmp_path_factory.mktemp("tsa") / "at")


def grow(centre: OpenCentre, name: str, now_ms: int) -> None:
    """One more entry, and a checkpoint over it."""
    admit_station(centre, name, Signer(new_seed()).public_key, "store", now_ms)
    publish(centre, now_ms)


def test_a_checkpoint_is_stamped_once_an_hour_and_openssl_verifies_it(
    centre: OpenCentre, openssl: OpenSsl, tmp_path: Path
) -> None:
    with serving(good(openssl.answer)) as line:
        stamper = Stamper(Authority(line.url).post, [openssl.root])
        assert stamp_newest(centre, stamper, NOW_MS) == 0, "there is none yet"
        grow(centre, "st-1", NOW_MS)
        assert stamp_newest(centre, stamper, NOW_MS) == 1
        grow(centre, "st-2", NOW_MS + 61_000)
        assert stamp_newest(centre, stamper, NOW_MS + 62_000) == 0
        assert stamp_newest(centre, stamper, NOW_MS + EVERY_MS) == 2
        assert stamp_newest(centre, stamper, NOW_MS + 3 * EVERY_MS) == 0, "nothing new"
        assert len(line.asked) == 2
    export_log(centre.engine, centre.centre, tmp_path / "log.jsonl")
    command = ["openssl", "ts", "-verify", "-data", str(tmp_path / "checkpoint.note")]
    command += ["-in", str(tmp_path / "checkpoint.tsr"), "-CAfile", str(openssl.at / "ca.pem")]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    (tmp_path / "checkpoint.note").write_text("another")
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0
    assert runpy.run_path(str(LOG_VERIFIER))["check"](str(tmp_path / "log.jsonl"), True)["ok"]


def test_a_word_that_does_not_hold_is_not_kept(
    centre: OpenCentre, openssl: OpenSsl, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stranger = OpenSsl(tmp_path_factory.mktemp("stranger") / "at")
    grow(centre, "st-1", NOW_MS)
    with serving(good(stranger.answer)) as line:
        with pytest.raises(EvidenceTrouble, match=r"evidence\.time_token_wrong"):
            stamp_newest(centre, Stamper(Authority(line.url).post, [openssl.root]), NOW_MS)
        line.answer = lambda _query: (503, "text/plain", b"")
        with pytest.raises(Unavailable, match=r"tsa\.refused"):
            stamp_newest(centre, Stamper(Authority(line.url).post, [openssl.root]), NOW_MS)
    with centre.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM checkpoint_token").scalar_one() == 0
