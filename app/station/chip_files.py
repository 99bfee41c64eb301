"""What switching off keeps in files: the journal of runs not yet proved, and the records of finished ones.

The journal's secrets are random, made here, and worth nothing once the chip is locked; they are in files of mode 0600
and gone with the proof. Both kinds reach the disk before the call returns.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from app.core.errors import StorageTrouble
from app.platform import durable_write, private_folder, sync_folder
from hardware.deactivation import Entry, canonical, entry_from_json, entry_to_json


class FileJournal:
    """One file per chip in a folder of its own, named by the UID."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, uid: str) -> Entry | None:
        """What an earlier run left. Raises StorageTrouble("store.damaged", "store.io")."""
        try:
            return entry_from_json(json.loads(self._path(uid).read_text("utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as wrong:
            raise StorageTrouble("store.damaged", self._path(uid).name) from wrong
        except OSError as trouble:
            raise StorageTrouble("store.io", str(trouble)) from trouble

    def save(self, entry: Entry) -> None:
        """Keep an entry; it is on disk afterwards. Raises StorageTrouble("store.io")."""
        try:
            private_folder(self._folder)
            durable_write(self._path(entry.uid), json.dumps(entry_to_json(entry)).encode())
        except OSError as trouble:
            raise StorageTrouble("store.io", str(trouble)) from trouble

    def erase(self, uid: str) -> None:
        """Forget a chip that is done with, once its record is on disk. Raises StorageTrouble("store.io")."""
        path = self._path(uid)
        if not path.exists():
            return
        try:
            with path.open("r+b") as file:
                file.write(bytes(path.stat().st_size))
            path.unlink()
            sync_folder(self._folder)
        except OSError as trouble:
            raise StorageTrouble("store.io", str(trouble)) from trouble

    def _path(self, uid: str) -> Path:
        return self._folder / f"{uid}.json"


def save_record(path: Path, record: dict[str, Any]) -> None:
    """Write an evidence record as canonical JSON. Raises StorageTrouble("store.io")."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        durable_write(path, canonical(record) + b"\n")
    except OSError as trouble:
        raise StorageTrouble("store.io", str(trouble)) from trouble
