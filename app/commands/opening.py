"""Opening a station folder for the commands: a rehearsal by its published passphrase, a real one by its own."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from app.commands.own_station import remember_station
from app.core.errors import BadInput
from app.paths import StationFolder
from app.settings import Settings, load_settings
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.store.unlock import ask_passphrase, find_passphrase


def add_passphrase(parser: argparse.ArgumentParser) -> None:
    """The option that names where the passphrase is read from."""
    parser.add_argument("--passphrase-fd", type=int, metavar="N", help="read the passphrase from file descriptor N")


def passphrase_of(folder: StationFolder, fd: int | None, *, new: bool = False) -> str:
    """The passphrase of a folder. Raises BadInput("store.no_passphrase") when nobody tells one."""
    if folder.rehearsal_mark.exists():
        return REHEARSAL_PASSPHRASE
    told = find_passphrase(folder.root, fd) or ask_passphrase(twice=new)
    if not told:
        raise BadInput("store.no_passphrase", folder.root.name)
    return told


def whole(least: int) -> Callable[[str], int]:
    """For argparse: reads a whole number that is not less."""

    def read(word: str) -> int:
        number = int(word)
        if number < least:
            raise argparse.ArgumentTypeError(f"{number} < {least}")
        return number

    return read


def require_station(folder: StationFolder) -> None:
    """Raises BadInput("folder.not_a_station")."""
    if not folder.database.exists() and not folder.database.with_suffix(".key").exists():
        raise BadInput("folder.not_a_station", folder.root.name)


def open_station(folder: StationFolder, fd: int | None) -> Store:
    """The store of an enrolled folder, which this machine remembers.

    Raises BadInput("folder.not_a_station") and what `Store.open` raises.
    """
    require_station(folder)
    settings = load_settings(folder.settings) if folder.settings.exists() else Settings()
    reserve_bytes = settings.recording.database_reserve_bytes
    store = Store.open(folder.database, passphrase_of(folder, fd), reserve_bytes=reserve_bytes)
    remember_station(folder)
    return store


def open_to_look(folder: StationFolder, fd: int | None) -> Store:
    """The store of any station folder for somebody who only looks something up: no reserve is laid in.

    Raises BadInput("folder.not_a_station") and what `Store.open` raises.
    """
    if not folder.database.exists():
        raise BadInput("folder.not_a_station", folder.root.name)
    return Store.open(folder.database, passphrase_of(folder, fd), reserve_bytes=0)
