"""Giving out what the centre holds of a recording: the encrypted chunks as files again, for the vault to open.

Nothing here can read them. In the log stands who had them given out and why, before the first byte is.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, and_, select

from app.core.audit import CentreAct
from app.core.errors import BadInput, EvidenceTrouble
from app.evidence import journal
from app.evidence.loose import GIVEN_JOURNAL, GIVEN_LIST
from app.platform import disk_trouble, private_folder
from app.server.log import Deciding, note_act
from app.server.object_store import hash_of
from app.server.setup import OpenCentre
from app.server.tables import video, video_originals
from app.store.db import reading, transaction
from app.wire import VideoManifest

_NAME = re.compile(r"(part|side)-[0-9a-f-]+\.bin")


def give_out(centre: OpenCentre, station: str, recording: str, to: Path, reason: str, deciding: Deciding) -> int:
    """Write a recording's files, its journal still closed, and the station's list of them into a new folder; the bytes.

    Raises BadInput: footage.no_reason, video.unknown, output.exists; EvidenceTrouble("evidence.content_differs");
    StorageTrouble.
    """
    if not reason.strip():
        raise BadInput("footage.no_reason")
    with reading(centre.engine) as connection:
        text = _manifest_of(connection, station, recording)
    manifest = VideoManifest.model_validate_json(text)
    if to.exists():
        raise BadInput("output.exists", to.name)
    with transaction(centre.engine) as connection:
        body: dict[str, Any] = {"station": station, "recording": recording, "reason": reason.strip()}
        note_act(connection, deciding, CentreAct.FOOTAGE_GIVEN, body)
    try:
        return _write(centre, manifest, text, private_folder(to))
    except OSError as trouble:
        raise disk_trouble(trouble, to.name) from trouble


def _manifest_of(connection: Connection, station: str, recording: str) -> str:
    """The newest list of the recording's chunks: the one with the sealed originals, where they came later."""
    for table in (video_originals, video):
        mine = and_(table.c.station == station, table.c.id == recording)
        text = connection.execute(select(table.c.manifest).where(mine)).scalar()
        if text is not None:
            return str(text)
    raise BadInput("video.unknown", recording)


def _write(centre: OpenCentre, manifest: VideoManifest, text: str, to: Path) -> int:
    for piece in manifest.pieces:
        data = b"".join(centre.objects.read(piece.oid))
        if hash_of([data]) != piece.oid:
            raise EvidenceTrouble("evidence.content_differs", piece.oid[:16])
        with (to / file_named(piece.file)).open("ab") as file:
            if file.tell() != piece.offset:
                raise EvidenceTrouble("evidence.content_differs", f"{piece.file} {piece.offset}")
            file.write(data)
    (to / GIVEN_LIST).write_text(text, encoding="utf-8")
    return sum(piece.size for piece in manifest.pieces)


def file_named(file: str) -> str:
    """What a chunk's file is called here. A station chose the name, so it must be one of ours.

    Raises EvidenceTrouble("evidence.content_differs").
    """
    if file == journal.NAME:
        return GIVEN_JOURNAL
    if not _NAME.fullmatch(file):
        raise EvidenceTrouble("evidence.content_differs", "a file's name")
    return file
