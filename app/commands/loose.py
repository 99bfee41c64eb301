"""Recordings that stand alone (made by `cardintake record`): a folder with its keys in it, and so never evidence."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.commands.folders import opened_store
from app.core.errors import BadInput, Unavailable
from app.core.footage import LABEL
from app.evidence.journal import NAME
from app.evidence.loose import KEY_FILE
from app.evidence.side import VaultLock
from app.evidence.writer import RecordingKeys
from app.paths import StationFolder
from app.platform import durable_write, lock_file, private_folder
from app.programs import ProgramError, kept_away
from app.store.rotating import recording_seed

GIVEN = "given"
"""The name of a vault key that came by the command line."""


def loose_keys(folder: Path, make: bool = False, vault_key: str = "") -> RecordingKeys | None:
    """The keys that lie in a recording's folder; None when there are none and none are made (with `vault_key`, hex,
    to seal to).

    Raises BadInput("recording.unknown") for a key file that is none.
    """
    path = folder / KEY_FILE
    if not path.exists():
        if not make:
            return None
        fresh = {"recording_key": secrets.token_hex(32), "signing_key": secrets.token_hex(32), "vault_key": vault_key}
        durable_write(private_folder(folder) / KEY_FILE, json.dumps(fresh).encode())
    try:
        found = json.loads(path.read_bytes())
        side = VaultLock(GIVEN, bytes.fromhex(found["vault_key"])) if found["vault_key"] else None
        return RecordingKeys(bytes.fromhex(found["recording_key"]), bytes.fromhex(found["signing_key"]), side)
    except (ValueError, KeyError, TypeError) as wrong:
        raise BadInput("recording.unknown", folder.name) from wrong


@contextmanager
def filmed_by_nobody(folder: Path, role: str) -> Iterator[None]:
    """Keep everybody else from filming or finishing this recording meanwhile: two who write one journal destroy it.

    Raises Unavailable("recording.in_use") where somebody does: `cardintake record`, or its station's recorder.
    """
    if (folder / KEY_FILE).exists():
        with _locked(folder / KEY_FILE):
            yield
        return
    station = StationFolder(folder.parent.parent)
    try:
        with kept_away(station.label_recorder_lock if role == LABEL else station.recorder_lock):
            yield
    except ProgramError as runs:
        raise Unavailable("recording.in_use", folder.name) from runs


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    fd = os.open(path, os.O_RDWR)
    try:
        if not lock_file(fd):
            raise Unavailable("recording.in_use", path.parent.name)
        yield
    finally:
        os.close(fd)


def exportable_keys(folder: Path) -> RecordingKeys:
    """The keys of a recording that stands alone, for who takes its pictures out: it has no store, nobody has looked
    whether a PIN may be seen in it, and that is said. Raises as `keys_for`.
    """
    keys = keys_for(folder)
    print("没有人检查过这段录像有没有露出卡密 · nobody has checked this recording for PINs", file=sys.stderr)
    return keys


def keys_for(recording: Path) -> RecordingKeys:
    """The keys of a recording: those in its folder, or from the rehearsal station that it belongs to.

    Raises BadInput: recording.missing, recording.unknown, and what opening the station raises.
    """
    folder = recording.resolve()
    if not folder.is_dir():
        raise BadInput("recording.missing", recording.name)
    loose = loose_keys(folder)
    if loose is not None:
        return loose
    station = StationFolder(folder.parent.parent)
    if not (folder / NAME).is_file() and not station.database.exists():
        raise BadInput("recording.missing", folder.name)  # neither a recording nor within a station
    with opened_store(station) as store:
        known = store.find_recording(folder.name)
        if known is None:
            raise BadInput("recording.unknown", folder.name)
        vault = store.centre.vault_certificate()
        seed = recording_seed(store.ledger, folder.name)
        return RecordingKeys(known.key, seed, VaultLock(vault.key_id, bytes.fromhex(vault.public_key)))
