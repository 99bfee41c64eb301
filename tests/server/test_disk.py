"""What the centre's disk does not take is called by what the disk says, full or not writable; nothing of it stays."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.core.errors import StorageTrouble
from app.keys import Signer
from app.server.copying import Places, back_up
from app.server.export import export_log
from app.server.folder import read_centre, read_seed
from app.server.object_store import LocalObjects
from app.server.rotate import rotate_server_key
from app.server.setup import OpenCentre

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def backup(centre: OpenCentre, to: Path) -> None:
    back_up(Places(centre.folder), to, NOON)


def export(centre: OpenCentre, to: Path) -> None:
    export_log(centre.engine, centre.centre, to / "log.jsonl")


def chunk(_centre: OpenCentre, to: Path) -> None:
    LocalObjects(to).put(hashlib.sha256(b"chunk").hexdigest(), [b"chunk"])


def key(centre: OpenCentre, _to: Path) -> None:
    root = Signer(read_seed(centre.folder.vault / "root.key"))
    rotate_server_key(centre, root, 1_790_000_000_000, "test")


@pytest.mark.parametrize("act", [backup, export, chunk, key])
@pytest.mark.parametrize(("said", "code"), [(errno.ENOSPC, "store.disk_full"), (errno.EIO, "store.io")])
def test_a_full_disk_is_told_from_one_that_cannot_be_written(
    centre: OpenCentre,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    act: Callable[[OpenCentre, Path], None],
    said: int,
    code: str,
) -> None:
    def refuse(_fd: int) -> None:
        raise OSError(said, os.strerror(said))

    to, before = tmp_path / "to", centre.signer.public_key
    to.mkdir()
    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", refuse)
        with pytest.raises(StorageTrouble) as told:
            act(centre, to)
    assert told.value.code == code
    assert [path for path in to.rglob("*") if path.is_file()] == []
    assert centre.signer.public_key == before == bytes.fromhex(read_centre(centre.folder.root).server_key)
    act(centre, to)  # once it can be written
