"""What switching off keeps in files: the journal of runs not yet proved, and the records of finished ones.

The journal's secrets are random, made here, and worth nothing once the chip is locked; until then they open a torn
chip. With them lie the keys that a Classic was found with. On a station both lie sealed under a key of its database
(AES-256-GCM), with UID, card and decision bound to them: what was sealed for another card is never taken for this
one's. Elsewhere there is no key to seal them with, and the file's mode (0600) is all. Everything reaches the disk
before a call returns. A journal that cannot be read is put aside, and its chip punched; it is never guessed at.

Of a Classic that was proved off one key is kept beside it: it opens nothing, and tells that chip from its twins.
"""

from __future__ import annotations

import hashlib
import json
import os
from copy import copy
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.core.errors import StorageTrouble
from app.platform import disk_trouble, durable_write, private_folder, sync_folder
from hardware.deactivation import MOST_SILENT, DamagedError, Entry, Witness, canonical, entry_from_json, entry_to_json

_NONCE = 12
_PLAIN, _SEALED, _SILENT, _WITNESS, _DAMAGED = ".json", ".sealed", ".silent", ".witness", ".damaged"
_KINDS = (_PLAIN, _SEALED, _SILENT, _DAMAGED)
_LONGEST_HEADER = 1000


class FileJournal:
    """One file per chip in a folder of its own, named by UID and card; what is left of proved ones lies beside it."""

    def __init__(self, folder: Path, key: bytes | None = None) -> None:
        """`key`: 32 bytes that entries are sealed under; None where there is none."""
        self._folder = folder
        self._proved = folder.with_name("proved")
        self._seal = AESGCM(key) if key is not None else None
        self._card, self._decision = "", ""
        self._record: str | None = None

    def of(self, card: str, decision: str = "", record: str = "") -> FileJournal:
        """The journal of one card. `record`: the SHA-256 of the record by which its chip was proved off, if it was.

        Entries are kept under `decision`; those that an earlier decision of the same card left are read all the same.
        """
        bound = copy(self)
        bound._card, bound._decision, bound._record = card, decision, record
        return bound

    def load(self, uid: str) -> Entry | None:
        """What an earlier run left. Raises DamagedError (the file is put aside), StorageTrouble."""
        path = self._path(uid, _SEALED if self._seal else _PLAIN)
        try:
            entry = entry_from_json(json.loads(self._opened(uid, path.read_bytes())))
            if entry.uid != uid:
                raise ValueError("of another chip")
        except FileNotFoundError:
            if self._path(uid, _DAMAGED).exists():
                raise DamagedError(uid) from None
            return None
        except (ValueError, InvalidTag, RecursionError) as wrong:
            self._put_aside(path)
            raise DamagedError(uid) from wrong
        except OSError as trouble:
            raise disk_trouble(trouble, str(trouble)) from trouble
        return entry

    def save(self, entry: Entry) -> None:
        """Keep an entry; it is on disk afterwards. Raises StorageTrouble."""
        content = json.dumps(entry_to_json(entry)).encode()
        try:
            private_folder(self._folder)
            durable_write(self._path(entry.uid, _SEALED if self._seal else _PLAIN), self._closed(entry.uid, content))
        except OSError as trouble:
            raise disk_trouble(trouble, str(trouble)) from trouble

    def begun(self, uid: str) -> bool:
        """Whether a run on this chip began and was not proved, also where nothing of it can be read any more."""
        return any(self._path(uid, kind).exists() for kind in (_SEALED if self._seal else _PLAIN, _DAMAGED))

    def runs(self, uid: str) -> tuple[dict[str, Any], ...] | None:
        """What the runs on a chip so far did; None where it cannot be read: a punch does not wait for it."""
        try:
            entry = self.load(uid)
        except (DamagedError, StorageTrouble):
            return None
        return entry.runs if entry is not None else ()

    def unfinished(self) -> tuple[str, ...]:
        """Chips that were begun and neither proved nor given up, of any card. Raises StorageTrouble."""
        found = {path.stem for kind in (_PLAIN, _SEALED, _DAMAGED) for path in self._folder.glob(f"*{kind}")}
        return tuple(sorted({stem.partition("-")[0] for stem in found if self._counted(stem) < MOST_SILENT}))

    def silent(self, uid: str) -> int:
        """How many runs in a row the chip gave no answer; 0 where the count is damaged. Raises StorageTrouble."""
        return self._counted(self._path(uid, _SILENT).stem)

    def count_silent(self, uid: str, runs: int) -> None:
        """Keep that number; it is on disk afterwards. Raises StorageTrouble."""
        path = self._path(uid, _SILENT)
        try:
            private_folder(self._folder)
            if runs:
                durable_write(path, str(runs).encode())
            else:
                self._wipe(path)
        except OSError as trouble:
            raise disk_trouble(trouble, str(trouble)) from trouble

    def witnesses(self, uid: str) -> tuple[Witness, ...]:
        """One for each proved Classic with this UID; of a card's journal that of its own record. A damaged one is none.

        Raises StorageTrouble.
        """
        try:
            found = [self._witness(uid, path.read_bytes()) for path in sorted(self._proved.glob(f"{uid}-*{_WITNESS}"))]
        except OSError as trouble:
            raise disk_trouble(trouble, str(trouble)) from trouble
        return tuple(one for one in found if one is not None and self._record in (None, one.record))

    def erase(self, uid: str, witness: Witness | None = None) -> None:
        """Forget a chip that is done with, once its record is on disk. Raises StorageTrouble."""
        try:
            if witness is not None:
                told = {"sector": witness.sector, "key": witness.key.hex(), "record": witness.record}
                path = private_folder(self._proved) / f"{uid}-{witness.record[:16]}{_WITNESS}"
                durable_write(path, self._witness_closed(uid, json.dumps(told).encode()))
            for kind in _KINDS:
                self._wipe(self._path(uid, kind))
        except OSError as trouble:
            raise disk_trouble(trouble, str(trouble)) from trouble

    def _path(self, uid: str, kind: str) -> Path:
        """Card ids are the station's own, but no file is named by anything that has not been hashed."""
        card = f"-{hashlib.sha256(self._card.encode()).hexdigest()[:16]}" if self._card else ""
        return self._folder / f"{uid}{card}{kind}"

    def _put_aside(self, path: Path) -> None:
        try:
            path.replace(path.with_suffix(_DAMAGED))
            sync_folder(self._folder)
        except OSError as trouble:
            raise disk_trouble(trouble, str(trouble)) from trouble

    def _counted(self, stem: str) -> int:
        try:
            return max(int((self._folder / f"{stem}{_SILENT}").read_text("ascii")), 0)
        except (FileNotFoundError, ValueError):
            return 0
        except OSError as trouble:
            raise disk_trouble(trouble, str(trouble)) from trouble

    def _wipe(self, path: Path) -> None:
        if not path.exists():
            return
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
        sync_folder(self._folder)

    def _closed(self, uid: str, content: bytes) -> bytes:
        """`header line, nonce, sealed content`; the header says for what it was sealed, and is bound to it."""
        if self._seal is None:
            return content
        header, nonce = canonical({"uid": uid, "card": self._card, "decision": self._decision}), os.urandom(_NONCE)
        return header + b"\n" + nonce + self._seal.encrypt(nonce, content, header)

    def _opened(self, uid: str, content: bytes) -> bytes:
        """Raises ValueError, InvalidTag."""
        if self._seal is None:
            return content
        header, _, sealed = content.partition(b"\n")
        told = json.loads(header) if len(header) <= _LONGEST_HEADER else None
        if not isinstance(told, dict) or (told.get("uid"), told.get("card")) != (uid, self._card):
            raise ValueError("sealed for something else")
        return self._seal.decrypt(sealed[:_NONCE], sealed[_NONCE:], header)

    def _witness_closed(self, uid: str, content: bytes) -> bytes:
        nonce = os.urandom(_NONCE)
        return content if self._seal is None else nonce + self._seal.encrypt(nonce, content, uid.encode())

    def _witness(self, uid: str, content: bytes) -> Witness | None:
        try:
            if self._seal is not None:
                content = self._seal.decrypt(content[:_NONCE], content[_NONCE:], uid.encode())
            told = json.loads(content)
            return Witness(int(told["sector"]), bytes.fromhex(told["key"]), str(told["record"]))
        except (ValueError, KeyError, TypeError, InvalidTag):
            return None


def save_record(path: Path, record: dict[str, Any]) -> None:
    """Write an evidence record as canonical JSON. Raises StorageTrouble."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        durable_write(path, canonical(record) + b"\n")
    except OSError as trouble:
        raise disk_trouble(trouble, str(trouble)) from trouble
