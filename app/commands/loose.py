"""Recordings that stand alone (made by `cardintake record`): a folder with its keys in it, and so never evidence."""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path

from app.commands.folders import opened_store
from app.core.errors import BadInput
from app.evidence.loose import KEY_FILE
from app.evidence.side import VaultLock
from app.evidence.writer import RecordingKeys
from app.paths import StationFolder
from app.platform import durable_write, private_folder
from app.store import leaks
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


def exportable_keys(folder: Path) -> RecordingKeys:
    """The keys of a recording, for who takes its pictures out. A rehearsal station's store is asked whether a
    PIN may be seen in it; a recording that stands alone has no store, nobody has looked, and that is said.

    Raises BadInput("footage.may_show_pin") and what `keys_for` raises.
    """
    if loose_keys(folder) is None and folder.is_dir():
        with opened_store(StationFolder(folder.parent.parent)) as store:
            leaks.must_be_exportable(store.ledger, folder.name)
    else:
        print("没有人检查过这段录像有没有露出卡密 · nobody has checked this recording for PINs", file=sys.stderr)
    return keys_for(folder)


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
    with opened_store(StationFolder(folder.parent.parent)) as store:
        known = store.find_recording(folder.name)
        if known is None:
            raise BadInput("recording.unknown", folder.name)
        vault = store.centre.vault_certificate()
        seed = recording_seed(store.ledger, folder.name)
        return RecordingKeys(known.key, seed, VaultLock(vault.key_id, bytes.fromhex(vault.public_key)))
