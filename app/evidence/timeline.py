"""The time line of a recording from its journal: parts, gaps, masks, moments; and when each single frame was taken."""

from __future__ import annotations

import io
import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import av.error

from app.core.errors import EvidenceTrouble
from app.core.footage import FilmedCard, FilmPart, Moment, Span
from app.evidence import journal
from app.evidence.crypt import PartOpener
from app.evidence.ledger import Ledger, Part, Piece, load

_APART_US = 1_200_000
"""Masks closer together than this are one stay of a card."""

_NEAR_US = 2_000_000
_PASSING = "passing"
_FRAME_US = 33_333
_KEPT_FRAGMENTS = 12


@dataclass(frozen=True, slots=True)
class Timeline:
    """What the chain tells of time. `wall_us`: the wall clock at the first frame, as it stood then; `base_mono_us` and
    `boot_id` say where that lies on the monotonic clock.
    """

    ledger: Ledger
    duration_us: int
    wall_us: int
    base_mono_us: int
    boot_id: str
    parts: tuple[FilmPart, ...]
    gaps: tuple[Span, ...]
    masks: tuple[Span, ...]
    moments: tuple[Moment, ...]


def read_timeline(folder: Path) -> Timeline:
    """Read the journal. Raises EvidenceTrouble("evidence.no_recording")."""
    ledger = load(folder)
    lines = (folder / journal.NAME).read_bytes().split(b"\n")[: ledger.records]
    records = [json.loads(line) for line in lines if b'"kind":"fragment"' not in line]
    shown = [part for part in ledger.parts if len(part.pieces) > 1]
    first = shown[0] if shown else None
    base_us, boot = (first.base_mono_us, first.boot_id) if first else (0, "")
    opening = next((r for r in records if r["kind"] == "part"), records[0])
    wall_us = int(opening["wall_us"]) - (int(opening["mono_us"]) - base_us if first else 0)
    films = tuple(FilmPart(part.number, part.first_pts, part.pieces[-1].last_pts + _FRAME_US) for part in shown)
    cuts = [record for record in records if record["kind"] in ("gap", "missed")]
    gaps = [Span(int(r["from_pts"]), int(r["to_pts"]), str(r["reason"])) for r in cuts]
    masks = [Span(int(r["from_pts"]), int(r["to_pts"]), str(r["reason"])) for r in records if r["kind"] == "mask"]
    duration_us = max([film.to_us for film in films] + [gap.to_us for gap in gaps], default=0)
    moments = tuple(sorted(_moments(records, duration_us), key=lambda moment: moment.at_us))
    return Timeline(ledger, duration_us, wall_us, base_us, boot, films, tuple(gaps), tuple(masks), moments)


def _moments(records: Sequence[dict[str, Any]], end_us: int) -> list[Moment]:
    """Events by the time they tell, everything else by the clock of the part it was written in."""
    found: list[Moment] = []
    base_us: int | None = None
    for record in records:
        kind = str(record["kind"])
        if kind == "part":
            base_us = int(record["base_mono_us"])
            if record["part"] > 1:
                found.append(Moment(int(record["first_pts"]), "part", str(record["part"])))
        mono_us = int(record["body"].get("at_mono_us", record["mono_us"]) if kind == "event" else record["mono_us"])
        at_us = 0 if base_us is None else min(max(0, mono_us - base_us), end_us)
        if kind == "event":
            body = record["body"]
            told = int(body.get("t_video_us", at_us))
            found.append(Moment(told, str(record["event"]), str(body.get("no", "")), str(body.get("card", ""))))
            if record["event"] == "card.kept":
                found.append(Moment(at_us, "card.saved", str(body.get("no", "")), str(body.get("card", ""))))
        elif kind == "clock":
            step_us = int(record["new_offset_us"]) - int(record["old_offset_us"])
            found.append(Moment(at_us, "clock", f"{step_us / 1e6:+.3f}"))
        elif kind == "recovered" or (kind == "camera" and record["reason"]):
            found.append(Moment(at_us, kind, str(record.get("reason", ""))))
    return found


def stays(masks: Sequence[Span]) -> list[tuple[int, int]]:
    """When something lay in the picture, by the masks: spans without a longer pause. Something that comes or goes
    ("passing") parts two stays.
    """
    found: list[tuple[int, int]] = []
    goes_on = False
    for mask in sorted(masks, key=lambda one: one.from_us):
        if mask.reason == _PASSING:
            goes_on = False
        elif goes_on and mask.from_us - found[-1][1] <= _APART_US:
            found[-1] = found[-1][0], max(found[-1][1], mask.to_us)
        else:
            found.append((mask.from_us, mask.to_us))
            goes_on = True
    return found


def _stay_at(spans: Sequence[tuple[int, int]], at_us: int) -> tuple[int, int]:
    """The stay around a time, or the nearest one when it is not far: the eye and the clock of events are no twins."""
    near = min(spans, key=lambda span: max(span[0] - at_us, at_us - span[1], 0), default=(at_us, at_us))
    away_us = max(near[0] - at_us, at_us - near[1], 0)
    return near if away_us <= _NEAR_US else (at_us, at_us)


def with_stretches(cards: Sequence[FilmedCard], timeline: Timeline) -> tuple[FilmedCard, ...]:
    """The cards with the stretch in which each lay in the picture: from the mask that began before it was read (or
    where the card before it was read), to where that mask ends (or the next card begins); and when it was kept.
    """
    saved = {moment.card_id: moment.at_us for moment in timeline.moments if moment.kind == "card.saved"}
    spans = stays(timeline.masks)
    ordered = sorted(cards, key=lambda card: card.read_us)
    made: list[FilmedCard] = []
    for n, card in enumerate(ordered):
        stay = _stay_at(spans, card.read_us)
        kept_us = saved.get(card.card_id, -1)
        before_us = made[-1].to_us if made else 0
        after_us = ordered[n + 1].read_us if n + 1 < len(ordered) else timeline.duration_us
        from_us = max(stay[0], before_us)
        shared = n + 1 < len(ordered) and stay[1] >= after_us  # one stay for both: the keeping parts them
        to_us = max(card.read_us, min(max(stay[1], kept_us), after_us if not shared else min(kept_us, after_us)))
        made.append(replace(card, from_us=min(from_us, card.read_us), kept_us=kept_us, to_us=to_us))
    return tuple(made)


class FrameTimes:
    """When each frame was taken, fragment by fragment as it is asked for: for stepping from frame to frame."""

    def __init__(self, folder: Path, recording_key: bytes, ledger: Ledger) -> None:
        self._folder, self._key, self._ledger = folder, recording_key, ledger
        self._pieces = [(part, piece) for part in ledger.parts for piece in part.pieces if piece.frames]
        self._kept: OrderedDict[int, tuple[int, ...]] = OrderedDict()

    def around(self, at_us: int) -> tuple[int, ...]:
        """The frames of the fragment at a time and of its neighbours, in order. () where nothing can be read."""
        if not self._pieces:
            return ()
        here = next((n for n, (_, piece) in enumerate(self._pieces) if piece.last_pts >= at_us), len(self._pieces) - 1)
        near = range(max(0, here - 1), min(len(self._pieces), here + 2))
        return tuple(time for n in near for time in self._times(n))

    def _times(self, n: int) -> tuple[int, ...]:
        if n not in self._kept:
            part, piece = self._pieces[n]
            self._kept[n] = self._read(part, piece)
            if len(self._kept) > _KEPT_FRAGMENTS:
                self._kept.popitem(last=False)
        return self._kept[n]

    def _read(self, part: Part, piece: Piece) -> tuple[int, ...]:
        """By the sample tables of the fragment behind its part's header, set to begin where the journal says."""
        opener = PartOpener(self._key, part.id)
        try:
            with (self._folder / part.file).open("rb") as file:
                data = b"".join(opener.open(one.index, _sealed(file, one)) for one in (part.pieces[0], piece))
            with av.open(io.BytesIO(data), "r", format="mp4") as film:
                stream = film.streams.video[0]
                scale = float(stream.time_base or 1) * 1e6
                times = [round(packet.pts * scale) for packet in film.demux(stream) if packet.pts is not None]
        except (OSError, EvidenceTrouble, av.error.FFmpegError):
            return (piece.first_pts,)
        return tuple(piece.first_pts + time - times[0] for time in sorted(times)) if times else (piece.first_pts,)


def _sealed(file: Any, piece: Piece) -> bytes:
    file.seek(piece.offset)
    data: bytes = file.read(piece.size)
    return data
