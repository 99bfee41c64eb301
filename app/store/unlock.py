"""Where the passphrase of a station comes from: a file descriptor, a systemd credential, the OS keyring, or a prompt.

Never a plain file. Of keyrings only those that the operating system guards are asked: with a helper package installed
the library silently takes a plain text file.
"""

from __future__ import annotations

import getpass
import os
import sys
from contextlib import suppress
from pathlib import Path

import keyring
import keyring.errors
from keyring.backend import KeyringBackend
from keyring.backends.chainer import ChainerBackend

from app.core.errors import BadInput

CREDENTIAL = "cardintake-passphrase"
"""The name of the systemd credential (`LoadCredentialEncrypted=cardintake-passphrase:…`)."""

_SERVICE = "cardintake"
_GUARDED = (
    "keyring.backends.Windows",
    "keyring.backends.macOS",
    "keyring.backends.SecretService",
    "keyring.backends.libsecret",
    "keyring.backends.kwallet",
)
_LONGEST = 4096


def find_passphrase(station_folder: Path, fd: int | None = None) -> str | None:
    """The passphrase from the first source that has one, without asking a person; None when there is none.

    Raises BadInput("store.passphrase_fd") when the file descriptor cannot be read or holds nothing.
    """
    if fd is not None:
        return _from_fd(fd)
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    credential = Path(folder) / CREDENTIAL
    if folder and credential.is_file():
        return credential.read_text(encoding="utf-8").rstrip("\n")
    return _from_keyring(station_folder)


def ask_passphrase(*, twice: bool = False) -> str | None:
    """Ask at the terminal; None when there is none. Raises BadInput("store.passphrase_differs")."""
    if not sys.stdin.isatty():
        return None
    try:
        told = getpass.getpass("口令 passphrase: ")
        if twice and getpass.getpass("再输一次 again: ") != told:
            raise BadInput("store.passphrase_differs")
    except EOFError:  # Ctrl-D: nobody tells one
        return None
    return told


def _from_fd(fd: int) -> str:
    try:
        told = os.read(fd, _LONGEST).decode().rstrip("\n")
    except (OSError, UnicodeDecodeError) as wrong:
        raise BadInput("store.passphrase_fd", str(fd)) from wrong
    if not told:
        raise BadInput("store.passphrase_fd", str(fd))
    return told


def _from_keyring(station_folder: Path) -> str | None:
    """One that is locked, or whose service went away, has none to give: a person is asked then."""
    for one in _guarding():
        with suppress(*_NOT_NOW):
            told = one.get_password(_SERVICE, str(station_folder.resolve()))
            if told is not None:
                return told
    return None


def _guarding() -> list[KeyringBackend]:
    """The keyrings that may be asked. Where there are several the library puts a chain before them, plain files too."""
    chosen = keyring.get_keyring()
    several = chosen.backends if isinstance(chosen, ChainerBackend) else (chosen,)
    return [one for one in several if type(one).__module__ in _GUARDED]


def _not_now() -> tuple[type[Exception], ...]:
    """What a guarded keyring raises that cannot be read; some errors of its helpers come through as they are."""
    if sys.platform != "linux":
        return (keyring.errors.KeyringError,)
    from jeepney.wrappers import DBusErrorResponse  # type: ignore[import-untyped]  # noqa: PLC0415  exists on Linux only
    from secretstorage.exceptions import SecretStorageException  # noqa: PLC0415

    return (keyring.errors.KeyringError, SecretStorageException, DBusErrorResponse, OSError)


_NOT_NOW = _not_now()
