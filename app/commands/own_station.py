"""Which station this machine has, so that a command finds it without being told.

Joining a centre, and each opening for work, leaves the station's folder in a small file: in the machine's configuration
folder, where everybody who signs in here finds it, or where that may not be written in the user's own. A rehearsal is
nobody's station and leaves nothing. The environment variable CARDINTAKE_STATION names another folder.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from platformdirs import site_config_path, user_config_path

from app.core.errors import BadInput
from app.paths import StationFolder
from app.platform import durable_write

STATION = "CARDINTAKE_STATION"
_NAME = "station"
_MACHINE = Path("/etc/xdg/cardintake")
"""The machine's configuration folder on Linux, whatever the environment says."""
_READABLE = 0o644  # a path, and for others to read

_log = logging.getLogger(__name__)


def own_station() -> Path | None:
    """The folder of this machine's station, whether it can be reached now or not; None when there never was one.

    Raises BadInput("folder.station_unreadable"): one may be there, and which cannot be read.
    """
    named = os.environ.get(STATION, "")
    if named:
        return Path(named)
    for place in places():
        try:
            return Path(place.read_text("utf-8").strip())
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as trouble:
            raise BadInput("folder.station_unreadable", str(place)) from trouble
    return None


def places() -> tuple[Path, ...]:
    """Where it is looked for, in this order: first where no environment variable leads away from."""
    machine = (_MACHINE / _NAME,) if sys.platform == "linux" else ()
    return tuple(dict.fromkeys((*machine, *_places())))


def is_station(root: Path) -> bool:
    """Whether a station's database can be seen there."""
    try:
        return StationFolder(root.resolve()).database.exists()
    except OSError:  # somebody else's folder
        return False


def remember_station(folder: StationFolder) -> None:
    """Have this machine know its station from now on. A rehearsal is not remembered."""
    if folder.rehearsal_mark.exists():
        return
    told = f"{folder.root.resolve()}\n"
    for place in _places():
        try:
            if place.exists() and place.read_bytes() == told.encode():
                return
            place.parent.mkdir(parents=True, exist_ok=True)
            durable_write(place, told.encode(), _READABLE)
        except OSError:
            continue
        return
    _log.warning("station.not_remembered")


def _places() -> tuple[Path, Path]:
    """For everybody here; for this user alone."""
    everybody = site_config_path("cardintake", appauthor=False)
    return everybody / _NAME, user_config_path("cardintake", appauthor=False) / _NAME
