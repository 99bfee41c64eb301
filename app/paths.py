"""Where things lie in a station folder: the only place that spells these names."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.platform import runtime_dir

RESOURCES = Path(__file__).resolve().parent.parent / "resources"
"""What the product brings along: templates, decks, fonts, icons, models."""

TEMPLATES = RESOURCES / "templates"
"""The product files of the catalogue."""

DATED = "%Y%m%dT%H%M%SZ"
"""How folders that are named by their time are called (UTC)."""


@dataclass(frozen=True, slots=True)
class StationFolder:
    """One station's folder. Nothing is created by asking for a place."""

    root: Path

    @property
    def settings(self) -> Path:
        return self.root / "station.toml"

    @property
    def database(self) -> Path:
        return self.root / "station.db"

    @property
    def backups(self) -> Path:
        """Copies of the database, a folder each."""
        return self.root / "backups"

    @property
    def recordings(self) -> Path:
        """One sub folder a recording, named by its id."""
        return self.root / "recordings"

    @property
    def chips(self) -> Path:
        """Records of chips that were switched off; `journal` in it holds runs that are not proved yet."""
        return self.root / "chips"

    @property
    def catalogue(self) -> Path:
        """Published catalogues and what was bound here (`app.catalog.shelf`)."""
        return self.root / "catalogue"

    @property
    def exports(self) -> Path:
        """What a person asked to have written: stills and dossiers."""
        return self.root / "exports"

    @property
    def people(self) -> Path:
        """Where supervisors' own keys are looked for, unless the settings name another place. Nothing puts any here."""
        return self.root / "people"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def rehearsal_mark(self) -> Path:
        """A folder that holds this file is a rehearsal folder for ever."""
        return self.root / "REHEARSAL"

    @property
    def runtime(self) -> Path:
        """Sockets, locks and frames of the programs that serve this folder; private, in memory where possible."""
        key = hashlib.sha256(str(self.root.resolve()).encode()).hexdigest()[:12]
        return runtime_dir() / key

    @property
    def frames(self) -> Path:
        """The camera's newest frames (app.frames), written by the recorder."""
        return self.runtime / "frames"

    @property
    def recorder_lock(self) -> Path:
        return self.runtime / "recorder.lock"

    @property
    def label_recorder_lock(self) -> Path:
        return self.runtime / "label-recorder.lock"

    @property
    def eye_lock(self) -> Path:
        return self.runtime / "eye.lock"


def dated(within: Path, now: datetime) -> Path:
    """A new folder's path, named by its time: by the first second from `now` on whose name is free."""
    now = now.astimezone(UTC)
    while (folder := within / now.strftime(DATED)).exists():
        now += timedelta(seconds=1)
    return folder
