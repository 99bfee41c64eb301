"""Which recordings a dossier holds: the one that is asked for, and what the parcel's other camera filmed meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from app.core.errors import BadInput, EvidenceTrouble
from app.core.footage import OVERHEAD, UNCHECKED, Angle
from app.evidence.dossier import NO_PICTURES, Beside, card_stretch
from app.evidence.ledger import load
from app.evidence.storage import footage_in
from app.evidence.stretch import Stretch, parts_in
from app.evidence.timeline import Timeline, read_timeline
from app.evidence.writer import RecordingKeys
from app.station.angles import angle_of
from app.store import leaks
from app.store.leaks import LeakJob
from app.store.rotating import recording_seed
from app.store.store import Store

T = TypeVar("T")


class Ask(Protocol):
    """Does work with the store, in whichever thread that lives."""

    def __call__(self, work: Callable[[Store], T], /) -> T: ...


Looked = Callable[[Path, Stretch], str]
"""What the leak check says of a stretch (`leaks.looked_word`); who answers may have it read first."""

GONE = "footage.gone"


@dataclass(frozen=True, slots=True)
class Asked:
    """A dossier that is asked for; the arguments of `app.evidence.dossier.make_dossier`."""

    folder: Path
    keys: RecordingKeys
    stretch: Stretch
    camera: str
    beside: tuple[Beside, ...] = ()
    looked: str = UNCHECKED

    def unchecked(self, facts: dict[str, Any]) -> list[str]:
        """Of the recordings whose pictures went in, those that nobody has read for PINs."""
        shown = {self.folder.name, *(one["recording"] for one in facts["beside"] if not one["why"])}
        looked = [(self.folder.name, self.looked), *((one.recording_id, one.looked) for one in self.beside)]
        return [name for name, word in looked if name in shown and word == UNCHECKED]


def dossier_of(
    ask: Ask,
    recordings: Path,
    recording_id: str,
    card_id: str = "",
    stretch: Stretch | None = None,
    looked: Looked | None = None,
) -> Asked:
    """What goes into the dossier of a recording, or of the stretch in which a card was taken in. Where its pictures
    must not leave (a PIN may show) or were removed, it is what the other camera filmed meanwhile, with the records of
    this one. `looked` tells whether somebody looked for PINs in it; without one it is what was done so far.

    Raises BadInput: recording.unknown, dossier.unknown_card; footage.may_show_pin and evidence.no_pictures where that
    leaves nothing to give; EvidenceTrouble.
    """
    known = {one.recording_id: one for one in ask(lambda store: store.known_recordings())}
    if recording_id not in known:
        raise BadInput("recording.unknown", recording_id)
    timeline = read_timeline(recordings / recording_id)
    mine = known[recording_id]
    others = [one for one in known.values() if one.parcel_id == mine.parcel_id and one.role != mine.role]
    angles = [angle for one in others if (angle := _angle(recordings, one.recording_id, timeline)) is not None]
    if card_id:
        stretch = _stretch(ask, recordings, recording_id, card_id, angles)
    wanted, looks = stretch or Stretch(), looked or as_read_so_far(ask)
    why, word = leaves(ask, recordings / recording_id, wanted, looks)
    beside = tuple(_beside(ask, recordings, angle, wanted, looks) for angle in angles)
    if why:
        instead = next((one for one in beside if not one.why and _shows(one)), None)
        if instead is None:
            raise BadInput(NO_PICTURES if why == GONE else why, recording_id)
        return dossier_of(ask, recordings, instead.recording_id, stretch=instead.stretch, looked=looked)
    return Asked(recordings / recording_id, keys_in(ask, recording_id), wanted, timeline.ledger.role, beside, word)


def leaves(ask: Ask, folder: Path, wanted: Stretch, looked: Looked) -> tuple[str, str]:
    """Why its pictures cannot leave, and what the leak check says of them; what was seen just now bars them too."""
    word = "" if why_withheld(ask, folder) else looked(folder, wanted)
    return why_withheld(ask, folder), word


def left_to_read(ask: Ask, folder: Path, wanted: Stretch) -> tuple[LeakJob | None, int]:
    """What nobody has read for PINs of the pictures that show a stretch (None: nothing), and the time of their last one
    (µs). (None, -1): it is damaged and nobody can; who hands it out names what is wrong. Raises
    BadInput("recording.unknown").
    """
    name, content = folder.name, keys_in(ask, folder.name).content
    try:
        ledger = load(folder)
        parts = parts_in(folder, content, ledger, wanted)
    except (EvidenceTrouble, OSError):
        return None, -1
    shown = [piece for part in parts for piece in part.pieces if piece.frames]
    if not shown:
        return None, 0
    from_us, to_us = shown[0].first_pts, shown[-1].last_pts
    return ask(lambda store: leaks.job_for(store.ledger, name, from_us, to_us, ledger.last_pts)), to_us


def as_read_so_far(ask: Ask) -> Looked:
    """What was read before; nothing is read now."""

    def looked(folder: Path, wanted: Stretch) -> str:
        job, end_us = left_to_read(ask, folder, wanted)
        read = job is None and end_us >= 0
        return ask(lambda store: leaks.looked_word(store.ledger, folder.name, read))

    return looked


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
            there = card_stretch(recordings / on, card_id, _read_at(ask, on, card_id))
            return Stretch(there.from_pts - angle.shift_us, there.to_pts - angle.shift_us)
    return card_stretch(recordings / recording_id, card_id, _read_at(ask, recording_id, card_id))


def _read_at(ask: Ask, recording_id: str, card_id: str) -> int | None:
    """When a card was read on a recording, as the store knows it; None for one that is not on it."""
    cards = ask(lambda store: store.filmed_cards(recording_id))
    return next((card.read_us for card in cards if card.card_id == card_id), None)


def _beside(ask: Ask, recordings: Path, angle: Angle, wanted: Stretch, looked: Looked) -> Beside:
    folder, keys = recordings / angle.recording_id, keys_in(ask, angle.recording_id)
    there = Stretch(wanted.from_pts + angle.shift_us, wanted.to_pts + angle.shift_us)
    why, word = leaves(ask, folder, there, looked)
    return Beside(angle.recording_id, angle.role, folder, keys, there, angle.shift_us, why, word)


def _shows(one: Beside) -> bool:
    """Whether it filmed anything in its stretch."""
    pieces = (piece for part in load(one.folder).parts for piece in part.pieces if piece.frames)
    return any(one.stretch.touches(piece) for piece in pieces)


def why_withheld(ask: Ask, folder: Path) -> str:
    """Why the pictures of a recording cannot be handed out: footage.may_show_pin, footage.gone; "" when they can."""
    try:
        ask(lambda store: leaks.must_be_exportable(store.ledger, folder.name))
    except BadInput as barred:
        return barred.code
    return "" if footage_in(folder) else GONE


def withheld(ask: Ask, folder: Path, why: str) -> Beside:
    """Another recording of the parcel, of which only the records are given. Raises EvidenceTrouble, BadInput."""
    return Beside(folder.name, load(folder).role, folder, keys_in(ask, folder.name), Stretch(), 0, why)


def keys_in(ask: Ask, recording_id: str) -> RecordingKeys:
    """What opens a recording, and the seed that signs its dossier. Raises BadInput("recording.unknown")."""
    return ask(lambda store: _keys_in(store, recording_id))


def _keys_in(store: Store, recording_id: str) -> RecordingKeys:
    found = store.find_recording(recording_id)
    if found is None:
        raise BadInput("recording.unknown", recording_id)
    return RecordingKeys(found.key, recording_seed(store.ledger, recording_id))
