"""Naming a recording on the command line: by its folder, or by what a station's store knows of it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from app.commands.folders import opened_store
from app.commands.loose import exportable_keys, loose_keys
from app.commands.opening import add_passphrase, open_to_look
from app.core.errors import BadInput
from app.evidence.dossier import Stretch, card_stretch
from app.evidence.writer import RecordingKeys
from app.paths import StationFolder
from app.station.dossiers import Ask, Asked, dossier_of
from app.store import leaks
from app.store.rotating import recording_seed
from app.store.store import Store

T = TypeVar("T")


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
    if args.data is None and args.recording is not None:
        folder = args.recording.resolve()
        keys = exportable_keys(folder)
        return [Filmed(folder, keys.content, keys.signing)]
    return _from_store(args)


def for_dossiers(args: argparse.Namespace, stretch: Stretch) -> Sequence[Asked]:
    """The same, with what the parcel's other camera filmed meanwhile; each recording in one dossier only."""
    if args.data is None and args.recording is not None:
        folder = args.recording.resolve()
        if loose_keys(folder) is not None or not folder.is_dir():
            (one,) = chosen(args)
            wanted = card_stretch(one.folder, args.card) if args.card else stretch
            return [Asked(one.folder, RecordingKeys(one.key, one.signing), wanted, "")]
        with opened_store(StationFolder(folder.parent.parent)) as store:
            return [dossier_of(_at_once(store), folder.parent, folder.name, args.card, stretch)]
    station = _station(args)
    with closing(open_to_look(station, args.passphrase_fd)) as store:
        made: list[Asked] = []
        for name in _names(store, args):
            if not any(name == other.recording_id and not other.why for one in made for other in one.beside):
                made.append(dossier_of(_at_once(store), station.recordings, name, args.card, stretch))
        return made


def _at_once(store: Store) -> Ask:
    def ask(work: Callable[[Store], T]) -> T:
        return work(store)

    return ask


def _station(args: argparse.Namespace) -> StationFolder:
    if args.data is None or args.recording is not None or bool(args.waybill) == bool(args.card):
        raise BadInput("recording.not_named")
    return StationFolder(args.data.resolve())


def _names(store: Store, args: argparse.Namespace) -> list[str]:
    if args.card:
        on = store.recording_of_card(args.card)
        names = [on] if on else []
    else:
        names = [*store.recordings_of_waybill(args.waybill)]
    if not names:
        code = "dossier.unknown_card" if args.card else "dossier.unknown_waybill"
        raise BadInput(code, args.card or args.waybill)
    return names


def _from_store(args: argparse.Namespace) -> Sequence[Filmed]:
    station = _station(args)
    with closing(open_to_look(station, args.passphrase_fd)) as store:
        names = _names(store, args)
        for name in names:
            leaks.must_be_exportable(store.ledger, name)
        found = [store.find_recording(name) for name in names]
        known = [(one, recording_seed(store.ledger, one.recording_id)) for one in found if one is not None]
        return [Filmed(station.recordings / one.recording_id, one.key, seed) for one, seed in known]


def numbered(out: Path, n: int) -> Path:
    """FILE.zip, FILE-2.zip, …"""
    return out if n == 1 else out.with_name(f"{out.stem}-{n}{out.suffix}")
