"""What switching off keeps in files: the journal of runs not yet proved, and the records of finished ones.

The journal's secrets are random, made here, and worth nothing once the chip is locked; until then they open a torn
chip. On a station they lie sealed under a key of its database (AES-256-GCM, the chip's UID bound to it); elsewhere
there is no key to seal them with, and the file's mode (0600) is all. Everything reaches the disk before a call returns.

Of a Classic that was proved off one key is kept beside it: it opens nothing, and tells that chip from its twins.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.core.errors import StorageTrouble
from app.platform import durable_write, private_folder, sync_folder
from hardware.deactivation import MOST_SILENT, Entry, Witness, canonical, entry_from_json, entry_to_json

_NONCE = 12
_PLAIN, _SEALED, _SILENT, _WITNESS = ".json", ".sealed", ".silent", ".witness"


class FileJournal:
    """One file per chip in a folder of its own, named by the UID; what is left of proved ones lies beside it."""

    def __init__(self, folder: Path, key: bytes | None = None) -> None:
        """`key`: 32 bytes that entries are sealed under; None where there is none."""
        self._folder = folder
        self._proved = folder.with_name("proved")
        self._seal = AESGCM(key) if key is not None else None

    def load(self, uid: str) -> Entry | None:
        """What an earlier run left. Raises StorageTrouble("store.damaged", "store.io")."""
        path = self._path(uid)
        try:
            if self._seal is not None and not path.exists():
                path = self._folder / (uid + _PLAIN)  # of a release that did not seal: finished all the same
                return entry_from_json(json.loads(path.read_bytes()))
            return entry_from_json(json.loads(self._opened(uid, path.read_bytes())))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, InvalidTag) as wrong:
            raise StorageTrouble("store.damaged", path.name) from wrong
        except OSError as trouble:
            raise StorageTrouble("store.io", str(trouble)) from trouble

    def save(self, entry: Entry) -> None:
        """Keep an entry; it is on disk afterwards. Raises StorageTrouble("store.io")."""
        try:
            private_folder(self._folder)
            durable_write(self._path(entry.uid), self._closed(entry.uid, json.dumps(entry_to_json(entry)).encode()))
            if self._seal is not None:
                self._wipe(self._folder / (entry.uid + _PLAIN))
        except OSError as trouble:
            raise StorageTrouble("store.io", str(trouble)) from trouble

    def begun(self, uid: str) -> bool:
        """Whether a run on this chip began and was not proved."""
        return self._path(uid).exists() or (self._folder / (uid + _PLAIN)).exists()

    def unfinished(self) -> tuple[str, ...]:
        """Chips that were begun and neither proved nor given up. Raises StorageTrouble("store.damaged", "store.io")."""
        found = {path.stem for kind in (_PLAIN, _SEALED) for path in self._folder.glob(f"*{kind}")}
        return tuple(sorted(uid for uid in found if self.silent(uid) < MOST_SILENT))

    def silent(self, uid: str) -> int:
        """How many runs in a row the chip gave no answer. Raises StorageTrouble("store.io", "store.damaged")."""
        path = self._folder / (uid + _SILENT)
        try:
            return int(path.read_text("ascii"))
        except FileNotFoundError:
            return 0
        except ValueError as wrong:
            raise StorageTrouble("store.damaged", path.name) from wrong
        except OSError as trouble:
            raise StorageTrouble("store.io", str(trouble)) from trouble

    def count_silent(self, uid: str, runs: int) -> None:
        """Keep that number; it is on disk afterwards. Raises StorageTrouble("store.io")."""
        path = self._folder / (uid + _SILENT)
        try:
            private_folder(self._folder)
            if runs:
                durable_write(path, str(runs).encode())
            else:
                self._wipe(path)
        except OSError as trouble:
            raise StorageTrouble("store.io", str(trouble)) from trouble

    def witnesses(self, uid: str) -> tuple[Witness, ...]:
        """One for each proved Classic with this UID. Raises StorageTrouble("store.damaged", "store.io")."""
        try:
            found = sorted(self._proved.glob(f"{uid}-*{_WITNESS}"))
            told = [json.loads(self._opened(uid, path.read_bytes())) for path in found]
            return tuple(Witness(int(one["sector"]), bytes.fromhex(one["key"]), str(one["record"])) for one in told)
        except (ValueError, KeyError, TypeError, InvalidTag) as wrong:
            raise StorageTrouble("store.damaged", uid) from wrong
        except OSError as trouble:
            raise StorageTrouble("store.io", str(trouble)) from trouble

    def erase(self, uid: str, witness: Witness | None = None) -> None:
        """Forget a chip that is done with, once its record is on disk. Raises StorageTrouble("store.io")."""
        try:
            if witness is not None:
                told = {"sector": witness.sector, "key": witness.key.hex(), "record": witness.record}
                path = private_folder(self._proved) / f"{uid}-{witness.record[:16]}{_WITNESS}"
                durable_write(path, self._closed(uid, json.dumps(told).encode()))
            for kind in (_PLAIN, _SEALED, _SILENT):
                self._wipe(self._folder / (uid + kind))
        except OSError as trouble:
            raise StorageTrouble("store.io", str(trouble)) from trouble

    def _wipe(self, path: Path) -> None:
        if not path.exists():
            return
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
        sync_folder(self._folder)

    def _path(self, uid: str) -> Path:
        return self._folder / (uid + (_PLAIN if self._seal is None else _SEALED))

    def _closed(self, uid: str, content: bytes) -> bytes:
        if self._seal is None:
            return content
        nonce = os.urandom(_NONCE)
        return nonce + self._seal.encrypt(nonce, content, uid.encode())

    def _opened(self, uid: str, content: bytes) -> bytes:
        if self._seal is None:
            return content
        return self._seal.decrypt(content[:_NONCE], content[_NONCE:], uid.encode())


def save_record(path: Path, record: dict[str, Any]) -> None:
    """Write an evidence record as canonical JSON. Raises StorageTrouble("store.io")."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        durable_write(path, canonical(record) + b"\n")
    except OSError as trouble:
        raise StorageTrouble("store.io", str(trouble)) from trouble
