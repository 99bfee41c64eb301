"""Naming a recording on the command line: by its folder, or by what a station's store knows of it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.commands.loose import exportable_keys
from app.commands.opening import add_passphrase, open_to_look
from app.core.errors import BadInput
from app.paths import StationFolder
from app.store import leaks
from app.store.rotating import recording_seed


@dataclass(frozen=True, slots=True)
class Filmed:
    """A recording's folder, the key that opens its pictures, and the station's seed that signs what leaves."""

    folder: Path
    key: bytes = field(repr=False)
    signing: bytes | None = field(repr=False)


def add_choice(parser: argparse.ArgumentParser) -> None:
    """RECORDING, or --data with --waybill or --card."""
    parser.add_argument(
        "recording", type=Path, nargs="?", metavar="RECORDING", help="a parcel's recording: STATION/recordings/ID"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="the station's folder, to look in its store")
    parser.add_argument("--waybill", default="", metavar="W", help="all recordings of this waybill (with --data)")
    parser.add_argument("--card", default="", metavar="ID", help="only the stretch of this card")
    add_passphrase(parser)


def chosen(args: argparse.Namespace) -> Sequence[Filmed]:
    """What was named. Raises BadInput: recording.not_named, recording.missing, recording.unknown, dossier.unknown_card,
    dossier.unknown_waybill, footage.may_show_pin, and what opening the station raises.
    """
    if (args.data is None) == (args.recording is None):
        raise BadInput("recording.not_named")
    if args.recording is not None:
        folder = args.recording.resolve()
        keys = exportable_keys(folder)
        return [Filmed(folder, keys.content, keys.signing)]
    if bool(args.waybill) == bool(args.card):
        raise BadInput("recording.not_named")
    return _from_store(StationFolder(args.data.resolve()), args)


def _from_store(station: StationFolder, args: argparse.Namespace) -> Sequence[Filmed]:
    store = open_to_look(station, args.passphrase_fd)
    try:
        if args.card:
            on = store.recording_of_card(args.card)
            names = [on] if on else []
        else:
            names = [*store.recordings_of_waybill(args.waybill)]
        if not names:
            code = "dossier.unknown_card" if args.card else "dossier.unknown_waybill"
            raise BadInput(code, args.card or args.waybill)
        for name in names:
            leaks.must_be_exportable(store.ledger, name)
        found = [store.find_recording(name) for name in names]
        known = [(one, recording_seed(store.ledger, one.recording_id)) for one in found if one is not None]
        return [Filmed(station.recordings / one.recording_id, one.key, seed) for one, seed in known]
    finally:
        store.close()


def numbered(out: Path, n: int) -> Path:
    """FILE.zip, FILE-2.zip, …"""
    return out if n == 1 else out.with_name(f"{out.stem}-{n}{out.suffix}")
