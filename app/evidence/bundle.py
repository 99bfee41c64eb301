"""A dossier's zip while it is written: piece by piece to the disk, with a list of its files that the station signs.

    manifest.json        {v, recording, files: name -> SHA-256} over every other file
    manifest.sig         Ed25519 (hex) by the station's key over PURPOSE and the SHA-256 of manifest.json

The chain proves the fragments; stills and summaries rest on this signature.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.core.audit import canonical
from app.platform import sync_folder

PURPOSE = b"cardintake dossier manifest v1\n"
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"

_CHUNK_BYTES = 1 << 20


class Bundle:
    """What is added lies in the zip; nothing of it stays in memory."""

    def __init__(self, target: zipfile.ZipFile) -> None:
        self._target = target
        self._files: dict[str, str] = {}
        self._folder = ""

    def inside(self, folder: str) -> Bundle:
        """The same bundle, for what goes into a folder of it; one list names everything."""
        inner = Bundle(self._target)
        inner._files, inner._folder = self._files, f"{self._folder}{folder}/"
        return inner

    def add(self, name: str, content: bytes | str) -> None:
        data = content.encode() if isinstance(content, str) else content
        self._target.writestr(self._folder + name, data)
        self._files[self._folder + name] = hashlib.sha256(data).hexdigest()

    def copy(self, name: str, file: IO[bytes]) -> None:
        """Add all that is in a file."""
        file.seek(0)
        whole = hashlib.sha256()
        with self._target.open(self._folder + name, "w", force_zip64=True) as into:
            while data := file.read(_CHUNK_BYTES):
                whole.update(data)
                into.write(data)
        self._files[self._folder + name] = whole.hexdigest()

    def sign(self, facts: Mapping[str, Any], seed: bytes | None) -> None:
        """Add the list of what was added, signed; without a seed the signature is empty and will not hold."""
        text = canonical({**facts, "files": self._files})
        statement = PURPOSE + hashlib.sha256(text).digest()
        signature = b"" if seed is None else Ed25519PrivateKey.from_private_bytes(seed).sign(statement)
        self._target.writestr(MANIFEST, text)
        self._target.writestr(SIGNATURE, signature.hex())


@contextmanager
def bundle(out: Path) -> Iterator[Bundle]:
    """A zip that appears under its name when all of it is there, durably. Raises OSError; then there is none."""
    partial = out.with_name(f"{out.name}.{os.getpid()}.part")
    try:
        fd = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(fd, "w+b") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as target:
                yield Bundle(target)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, out)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(out.parent)
