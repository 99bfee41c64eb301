"""Naming a recording on the command line: by its folder, or by what a station's store knows of it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from app.commands.folders import opened_store
from app.commands.looked import add_leak_check, looking
from app.commands.loose import exportable_keys, loose_keys
from app.commands.opening import add_passphrase, open_to_look
from app.core.errors import BadInput
from app.core.footage import UNCHECKED
from app.evidence.dossier import NO_PICTURES, card_stretch
from app.evidence.export import must_be_rehearsal
from app.evidence.stretch import Stretch
from app.evidence.writer import RecordingKeys
from app.paths import StationFolder
from app.station.dossiers import GONE, Ask, Asked, Looked, dossier_of, keys_in, leaves, why_withheld, withheld
from app.store.store import Store

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Filmed:
    """A recording's folder, the key that opens its pictures, and the station's seed that signs what leaves."""

    folder: Path
    key: bytes = field(repr=False)
    signing: bytes | None = field(repr=False)
    looked: str = UNCHECKED


@dataclass(frozen=True, slots=True)
class Choice:
    """Recordings whose pictures may leave, and of a parcel's others the reason why they may not, in a word."""

    given: Sequence[Filmed]
    withheld: Mapping[str, str] = field(default_factory=dict)


def add_choice(parser: argparse.ArgumentParser) -> None:
    """RECORDING, or --data with --waybill or --card."""
    parser.add_argument(
        "recording", type=Path, nargs="?", metavar="RECORDING", help="a parcel's recording: STATION/recordings/ID"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="the station's folder, to look in its store")
    parser.add_argument("--waybill", default="", metavar="W", help="all recordings of this waybill (with --data)")
    parser.add_argument("--card", default="", metavar="ID", help="only the stretch of this card")
    add_leak_check(parser)
    add_passphrase(parser)


def chosen(args: argparse.Namespace) -> Choice:
    """What was named, for `export`. Raises EvidenceTrouble: evidence.not_rehearsal, evidence.no_recording; BadInput:
    recording.not_named, recording.missing, recording.unknown, dossier.unknown_card, dossier.unknown_waybill,
    footage.may_show_pin and evidence.no_pictures where that leaves nothing; and what opening the station raises.
    """
    if args.data is None and args.recording is not None:
        return Choice([_by_folder(args)])
    station = _station(args)
    with closing(open_to_look(station, args.passphrase_fd)) as store:
        return _of_station(args, station, store, _names(store, args))


def _stands_alone(folder: Path) -> bool:
    """Whether no station's store is to be asked about this recording: it has none, or there is no such folder."""
    if loose_keys(folder) is not None or not folder.is_dir():
        return True
    return not StationFolder(folder.parent.parent).database.exists()


def _by_folder(args: argparse.Namespace) -> Filmed:
    folder = args.recording.resolve()
    if _stands_alone(folder):
        keys = exportable_keys(folder)
        return Filmed(folder, keys.content, keys.signing)
    station = StationFolder(folder.parent.parent)
    with opened_store(station) as store:
        return _of_station(args, station, store, [folder.name]).given[0]


def _of_station(args: argparse.Namespace, station: StationFolder, store: Store, names: Sequence[str]) -> Choice:
    ask = _at_once(store)
    looks = looking(station, store, ask, args.leak_check)
    given: list[Filmed] = []
    withheld: dict[str, str] = {}
    for name in names:
        folder, keys = station.recordings / name, keys_in(ask, name)
        must_be_rehearsal(folder)  # before anybody waits for the leak check
        why, word = leaves(ask, folder, Stretch(), looks)
        if why:
            withheld[name] = why
        else:
            given.append(Filmed(folder, keys.content, keys.signing, word))
    if not given:
        name, why = next(iter(withheld.items()))
        raise BadInput(NO_PICTURES if why == GONE else why, name)
    return Choice(given, withheld)


def for_dossiers(args: argparse.Namespace, stretch: Stretch) -> Sequence[Asked]:
    """The same, with what the parcel's other camera filmed meanwhile; each recording in one dossier only."""
    if args.data is None and args.recording is not None:
        folder = args.recording.resolve()
        if loose_keys(folder) is not None or not StationFolder(folder.parent.parent).database.exists():
            one = _by_folder(args)
            wanted = card_stretch(one.folder, args.card) if args.card else stretch
            return [Asked(one.folder, RecordingKeys(one.key, one.signing), wanted, "")]
        with opened_store(StationFolder(folder.parent.parent)) as store:
            looks = looking(StationFolder(folder.parent.parent), store, _at_once(store), args.leak_check)
            return [dossier_of(_at_once(store), folder.parent, folder.name, args.card, stretch, looks)]
    station = _station(args)
    with closing(open_to_look(station, args.passphrase_fd)) as store:
        looks = looking(station, store, _at_once(store), args.leak_check)
        names = _names(store, args)
        return _all_that_can_be_given(_at_once(store), station.recordings, names, args.card, stretch, looks)


def _all_that_can_be_given(
    ask: Ask, recordings: Path, names: list[str], card: str, stretch: Stretch, looks: Looked
) -> Sequence[Asked]:
    """The dossiers of these recordings. One whose pictures cannot leave and that no dossier names yet goes into each
    with its records alone. Raises BadInput when that leaves none.
    """
    made: list[Asked] = []
    left_out: list[tuple[str, BadInput]] = []
    for name in names:
        if any(name in (one.folder.name, *(other.recording_id for other in one.beside)) for one in made):
            continue
        try:
            made.append(dossier_of(ask, recordings, name, card, stretch, looks))
        except BadInput as barred:
            if not why_withheld(ask, recordings / name):
                raise
            left_out.append((name, barred))
    if not made:
        raise left_out[0][1]
    records = [withheld(ask, recordings / name, why_withheld(ask, recordings / name)) for name, _ in left_out]
    return [replace(one, beside=(*one.beside, *records)) for one in made]


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
