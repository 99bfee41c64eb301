"""A person's own key: it lies wrapped by the person's own passphrase, like a database's."""

from __future__ import annotations

from pathlib import Path

from app.commands.written import written
from app.core.errors import BadInput, StorageTrouble
from app.keys import Signer
from app.store.keyfile import key_path, make_key, read_key
from app.store.unlock import ask_passphrase, find_passphrase

_OF_A_PERSON = {"store.key_missing": "reveal.no_key", "store.wrong_key": "reveal.passphrase"}
"""The same trouble with a station's key has other words: nobody's database is at stake here."""


def person_signer(key: Path, passphrase_fd: int | None, *, new: bool = False) -> Signer:
    """The key that lies there; `new`: made where there is none.

    Raises BadInput: store.no_passphrase (nobody tells it), reveal.no_key, reveal.passphrase, reveal.key_damaged.
    StorageTrouble as `written` when a new one cannot be laid down.
    """
    fresh = new and not key_path(key).exists()
    if not fresh and not key_path(key).exists():
        raise BadInput("reveal.no_key", key.name)
    passphrase = find_passphrase(key.parent, passphrase_fd) or ask_passphrase(twice=fresh)
    if not passphrase:
        raise BadInput("store.no_passphrase", key.name)
    if fresh:
        with written(key):
            return Signer(make_key(key, passphrase))
    try:
        return Signer(read_key(key, passphrase))
    except StorageTrouble as wrong:
        raise BadInput(_OF_A_PERSON.get(wrong.code, "reveal.key_damaged"), key.name) from wrong
