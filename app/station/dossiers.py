"""Which recordings a dossier holds: the one that is asked for, and what the parcel's other camera filmed meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from app.core.errors import BadInput, EvidenceTrouble
from app.core.footage import OVERHEAD, Angle
from app.evidence.dossier import Beside, Stretch, card_stretch
from app.evidence.storage import footage_in
from app.evidence.timeline import Timeline, read_timeline
from app.evidence.writer import RecordingKeys
from app.station.angles import angle_of, role_of
from app.store import leaks
from app.store.rotating import recording_seed
from app.store.store import Store

T = TypeVar("T")


class Ask(Protocol):
    """Does work with the store, in whichever thread that lives."""

    def __call__(self, work: Callable[[Store], T], /) -> T: ...


GONE = "footage.gone"


@dataclass(frozen=True, slots=True)
class Asked:
    """A dossier that is asked for; the arguments of `app.evidence.dossier.make_dossier`."""

    folder: Path
    keys: RecordingKeys
    stretch: Stretch
    camera: str
    beside: tuple[Beside, ...] = ()


def dossier_of(
    ask: Ask, recordings: Path, recording_id: str, card_id: str = "", stretch: Stretch | None = None
) -> Asked:
    """What goes into the dossier of a recording, or of the stretch in which a card was taken in.

    Raises BadInput: recording.unknown, footage.may_show_pin, dossier.unknown_card; EvidenceTrouble.
    """
    known = {one.recording_id: one for one in ask(lambda store: store.known_recordings())}
    if recording_id not in known:
        raise BadInput("recording.unknown", recording_id)
    ask(lambda store: leaks.must_be_exportable(store.ledger, recording_id))
    timeline = read_timeline(recordings / recording_id)
    mine = known[recording_id]
    others = [one for one in known.values() if one.parcel_id == mine.parcel_id and one.role != mine.role]
    angles = [angle for one in others if (angle := _angle(recordings, one.recording_id, timeline)) is not None]
    if card_id:
        stretch = _stretch(ask, recordings, recording_id, card_id, angles)
    wanted = stretch or Stretch()
    beside = tuple(_beside(ask, recordings, angle, wanted) for angle in angles)
    return Asked(recordings / recording_id, _keys(ask, recording_id), wanted, role_of(timeline), beside)


def _angle(recordings: Path, recording_id: str, mine: Timeline) -> Angle | None:
    try:
        return angle_of(recording_id, read_timeline(recordings / recording_id), mine)
    except EvidenceTrouble:
        return None  # killed before its first record was whole


def _stretch(ask: Ask, recordings: Path, recording_id: str, card_id: str, angles: list[Angle]) -> Stretch:
    """Where a card was taken in, by the chain that tells of it: this recording's or the overhead camera's."""
    on = ask(lambda store: store.recording_of_card(card_id))
    for angle in angles:
        if angle.role == OVERHEAD and angle.recording_id == on and on != recording_id:
            there = card_stretch(recordings / on, card_id)
            return Stretch(there.from_pts - angle.shift_us, there.to_pts - angle.shift_us)
    return card_stretch(recordings / recording_id, card_id)


def _beside(ask: Ask, recordings: Path, angle: Angle, wanted: Stretch) -> Beside:
    folder, why = recordings / angle.recording_id, ""
    try:
        ask(lambda store: leaks.must_be_exportable(store.ledger, angle.recording_id))
    except BadInput as barred:
        why = barred.code
    if not why and not footage_in(folder):
        why = GONE
    there = Stretch(wanted.from_pts + angle.shift_us, wanted.to_pts + angle.shift_us)
    return Beside(angle.recording_id, angle.role, folder, _keys(ask, angle.recording_id), there, angle.shift_us, why)


def _keys(ask: Ask, recording_id: str) -> RecordingKeys:
    """What opens a recording, and the seed that signs its dossier."""
    return ask(lambda store: _keys_in(store, recording_id))


def _keys_in(store: Store, recording_id: str) -> RecordingKeys:
    found = store.find_recording(recording_id)
    if found is None:
        raise BadInput("recording.unknown", recording_id)
    return RecordingKeys(found.key, recording_seed(store.ledger, recording_id))
