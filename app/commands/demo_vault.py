"""The rehearsal's vault: joined to the embedded centre like any other, run as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from app.core.errors import Unavailable
from app.keys import Signer
from app.platform import private_folder
from app.server.embedded import stop_server_process
from app.store.keyfile import make_key
from app.store.store import REHEARSAL_PASSPHRASE
from app.vault.keys import open_vault
from app.vault.reveal import add_person

_PROGRAM = (sys.executable, "-m", "app", "vault")
_INIT_S = 60.0


def join_vault(folder: Path, centre: Path, url: str, code: str) -> None:
    """Make the vault's folder and move the centre's private keys into it. Raises Unavailable("vault.not_started")."""
    argv = [*_PROGRAM, "init", "--code", code, "--keys", str(centre / "vault"), *_common(folder, url)]
    try:
        done = subprocess.run(
            argv, input=REHEARSAL_PASSPHRASE.encode(), stdout=subprocess.DEVNULL, timeout=_INIT_S, check=False
        )
    except subprocess.TimeoutExpired as slow:
        raise Unavailable("vault.not_started", "timeout") from slow
    if done.returncode:
        raise Unavailable("vault.not_started", f"exit {done.returncode}")


def let_ask(vault: Path, keys: Path, staff_number: str) -> None:
    """Give a supervisor of the rehearsal a key of their own, under the published passphrase; the vault answers it."""
    place = private_folder(keys) / f"{staff_number}.key"
    if place.exists():
        return
    seed = make_key(place, REHEARSAL_PASSPHRASE, published=True)
    opened = open_vault(vault, REHEARSAL_PASSPHRASE)
    try:
        add_person(opened, staff_number, Signer(seed).public_key)
    finally:
        opened.close()


def start_vault(folder: Path, url: str) -> subprocess.Popen[bytes]:
    """Start the vault; it ends when its stdin is closed (`stop_vault`) or we die. Its log: `vault.log`."""
    argv = [*_PROGRAM, "run", "--until-stdin-closes", *_common(folder, url)]
    with (folder / "vault.log").open("ab") as log:
        child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log)
    assert child.stdin is not None
    os.write(child.stdin.fileno(), REHEARSAL_PASSPHRASE.encode())
    return child


def stop_vault(child: subprocess.Popen[bytes]) -> None:
    """End it, within three seconds."""
    stop_server_process(child)


def _common(folder: Path, url: str) -> list[str]:
    return ["--data", str(folder), "--server", url, "--passphrase-fd", "0"]
