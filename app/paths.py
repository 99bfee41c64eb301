"""Where things lie in a station folder: the only place that spells these names."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from app.platform import runtime_dir

RESOURCES = Path(__file__).resolve().parent.parent / "resources"
"""What the product brings along: templates, decks, fonts, icons, models."""

TEMPLATES = RESOURCES / "templates"
"""The product files of the catalogue."""


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
