"""A token from a time-stamp authority (openssl's own, made on the spot) holds for its recording and for no other."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.core.errors import BadInput, EvidenceTrouble
from app.evidence.timestamp import TOKEN_FILE, stamp_recording, stamped_time
from app.evidence.verify import verify_recording
from tests.evidence.authority import Authority

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to be an authority")


def test_tokens(tmp_path: Path, closed: Path, record) -> None:
    authority, folder = Authority(tmp_path / "tsa"), shutil.copytree(closed, tmp_path / "r1")
    assert stamped_time(folder, [authority.root]) is None
    stamped = stamp_recording(folder, authority.answer, [authority.root])
    assert abs(datetime.now(UTC) - stamped) < timedelta(hours=1)
    assert stamped_time(folder, [authority.root]) == stamped
    verdict = verify_recording(folder)
    assert verdict.ok
    assert "file_unknown" not in verdict.notes
    with pytest.raises(EvidenceTrouble):  # an authority that nobody trusts
        stamped_time(folder, [Authority(tmp_path / "other").root])
    record(tmp_path / "r2").close("other")
    shutil.copy(folder / TOKEN_FILE, tmp_path / "r2" / TOKEN_FILE)
    with pytest.raises(EvidenceTrouble):  # another recording's token
        stamped_time(tmp_path / "r2", [authority.root])
    (folder / TOKEN_FILE).write_bytes(b"nonsense")
    with pytest.raises(EvidenceTrouble):
        stamped_time(folder, [authority.root])
    record(tmp_path / "open").abandon()
    with pytest.raises(BadInput):
        stamp_recording(tmp_path / "open", authority.answer, [authority.root])
