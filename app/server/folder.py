"""A centre's folder on the disk: where its files lie, and which key is its own by now.

The key changes while servers run. Whoever changes it lays the new one and the new `centre.json` down beside the old
ones, then says so in the log, in one transaction; only then the two take their place. Whoever finds them lying there
(after a crash, or before the other has come so far) puts them in their place when the log speaks of them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError
from sqlalchemy import Connection, select

from app.core.audit import CENTRE
from app.core.errors import BadInput
from app.keys import Signer
from app.platform import disk_trouble, durable_write, sync_folder
from app.server.tables import station
from app.wire import Centre

_PUBLIC = 0o644


@dataclass(frozen=True, slots=True)
class CentreFolder:
    """Where a centre's files lie."""

    root: Path

    @property
    def centre(self) -> Path:
        return self.root / "centre.json"

    @property
    def database(self) -> Path:
        return self.root / "centre.db"

    @property
    def server_key(self) -> Path:
        return self.root / "server.key"

    @property
    def lists_key(self) -> Path:
        """What lists are keyed from; it stays when the signing key changes. Of an older centre it is `server.key`."""
        return self.root / "lists.key"

    @property
    def next_key(self) -> Path:
        return self.root / "server.next.key"

    @property
    def next_centre(self) -> Path:
        return self.root / "centre.next.json"

    @property
    def objects(self) -> Path:
        return self.root / "objects"

    @property
    def tls(self) -> Path:
        return self.root / "tls"

    @property
    def vault(self) -> Path:
        return self.root / "vault"

    def lists_seed(self) -> bytes:
        """32 secret bytes. Raises BadInput("serve.damaged")."""
        return read_seed(self.lists_key if self.lists_key.exists() else self.server_key)


class _Read(NamedTuple):
    stamp: tuple[int, int]
    signer: Signer
    centre: Centre


class FolderKeys:
    """The key that signs by now, and what stations pin: read again when `centre.json` was replaced."""

    def __init__(self, folder: CentreFolder) -> None:
        """Raises BadInput: serve.not_initialised, serve.damaged (a key is missing, broken or another one's)."""
        self._folder = folder
        self._path = str(folder.centre)  # asked for several times a request
        self._last = self._read()

    def now(self) -> tuple[Signer, Centre]:
        """Signer and pinned facts, of one moment."""
        try:
            if _stamp(self._path) != self._last.stamp:
                self._last = self._read()
        except (BadInput, OSError):
            pass  # somebody is in the middle of replacing them: what held before holds until that is done
        return self._last.signer, self._last.centre

    def _read(self) -> _Read:
        centre = read_centre(self._folder.root)
        stamp = _stamp(self._path)
        signer = Signer(read_seed(self._folder.server_key))
        if signer.public_key.hex() != centre.server_key:
            raise BadInput("serve.damaged", "server.key")
        return _Read(stamp, signer, centre)


def _stamp(path: str) -> tuple[int, int]:
    told = os.stat(path)
    return told.st_mtime_ns, told.st_ino


def read_seed(path: Path) -> bytes:
    """A key's seed, 32 bytes. Raises BadInput("serve.damaged")."""
    try:
        seed = bytes.fromhex(path.read_text(encoding="ascii"))
        Signer(seed)
    except (OSError, ValueError) as broken:
        raise BadInput("serve.damaged", path.name) from broken
    return seed


def read_centre(data_dir: Path) -> Centre:
    """The public side of a centre. Raises BadInput: serve.not_initialised, serve.damaged."""
    try:
        return Centre.model_validate_json(CentreFolder(data_dir).centre.read_bytes())
    except FileNotFoundError as missing:
        raise BadInput("serve.not_initialised", data_dir.name) from missing
    except ValidationError as broken:
        raise BadInput("serve.damaged", "centre.json") from broken


def write_centre(path: Path, centre: Centre) -> None:
    """Keep what stations pin, durably."""
    durable_write(path, centre.model_dump_json(indent=1).encode(), mode=_PUBLIC)


def own_key(connection: Connection) -> bytes | None:
    """The key that the centre's own chain ends with; None before its first act."""
    found = connection.execute(select(station.c.public_key).where(station.c.id == CENTRE)).scalar()
    return None if found is None else bytes(found)


def in_place(folder: CentreFolder, connection: Connection) -> bool:
    """Put a next key into its place when the log speaks of it already; whether there was one. Again: changes nothing.

    Raises StorageTrouble.
    """
    if not folder.next_centre.exists():
        return False
    try:
        told = Centre.model_validate_json(folder.next_centre.read_bytes())
        if own_key(connection) != bytes.fromhex(told.server_key):
            return False
        if folder.next_key.exists() and Signer(read_seed(folder.next_key)).public_key.hex() == told.server_key:
            folder.next_key.replace(folder.server_key)
        folder.next_centre.replace(folder.centre)
        sync_folder(folder.root)
    except FileNotFoundError:
        return False  # another process was quicker
    except OSError as trouble:
        raise disk_trouble(trouble, "server.key") from trouble
    return True
