"""`cardintake replay VIDEO`: the whole camera pipeline on a recording, as fast as it goes; no frame is left out."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import av
import av.error
import numpy as np

from app.core.cards import CardRead, FieldReading, FieldState
from app.core.errors import BadInput, Trouble
from app.core.products import Catalogue
from app.eye.codec import LeftTooEarly
from app.eye.oneshot import Tell, make_looker, plainly
from app.eye.watcher import Glimpse, Watcher
from app.vision.picture.files import refuse_unreadable
from app.vision.picture.pixels import from_planes

_PROGRESS_S = 1.0


@dataclass(slots=True)
class _Tally:
    frames: int = 0
    cards: int = 0
    last_us: int = 0
    broken: BadInput | None = None


def run_replay(
    video: Path,
    out: TextIO,
    err: TextIO,
    catalogue: Catalogue | None = None,
    threads: int = 2,
    tell: Tell = plainly,
) -> int:
    """One JSON line per card, then the summary, on `out`; progress on `err`. Exit status 0, or 2 for no video, or one
    that is broken on the way (what came before the break is told all the same)."""
    started = time.monotonic()
    tally = _Tally()
    try:
        frames = film(video)
        known = catalogue or Catalogue()
        watcher = Watcher(make_looker(known, threads), known)
        _play(_up_to_the_break(frames, tally), watcher, tally, out, err)
    except Trouble as trouble:
        tell(trouble, err)
        return trouble.exit_code
    summary = {
        "cards": tally.cards,
        "frames": tally.frames,
        "dropped": 0,
        "wall_s": round(time.monotonic() - started, 2),
        "video_s": round(tally.last_us / 1e6, 2),
    }
    _line(out, {"summary": summary})
    if tally.broken is not None:
        tell(tally.broken, err)
        return tally.broken.exit_code
    return 0


def film(video: Path) -> Iterator[Glimpse]:
    """The frames of a recording. Raises BadInput as `refuse_unreadable` or "input.not_a_video" before any;
    ("input.broken_video" | "input.empty_video") on the way."""
    refuse_unreadable(video)
    try:
        container = av.open(str(video))
    except (av.error.FFmpegError, OSError) as error:
        raise BadInput("input.not_a_video", video.name) from error
    if not container.streams.video:
        container.close()
        raise BadInput("input.not_a_video", video.name)
    return _frames(container, video.name)


def _up_to_the_break(frames: Iterator[Glimpse], tally: _Tally) -> Iterator[Glimpse]:
    try:
        yield from frames
    except BadInput as broken:
        tally.broken = broken


def _frames(container: av.container.InputContainer, name: str) -> Iterator[Glimpse]:
    stream = container.streams.video[0]
    rate = float(stream.average_rate or 30)
    index = -1
    try:
        for index, frame in enumerate(container.decode(stream)):
            at_us = int(frame.time * 1e6) if frame.time is not None else int(index / rate * 1e6)
            yield _glimpse(frame, at_us)
    except av.error.FFmpegError as error:
        raise BadInput("input.broken_video", f"{name}, after picture {index + 1}") from error
    finally:
        container.close()
    if index < 0:
        raise BadInput("input.empty_video", name)


def _glimpse(frame: av.VideoFrame, at_us: int) -> Glimpse:
    height, width = max(2, frame.height // 2 * 2), max(2, frame.width // 2 * 2)  # half-size planes need even sides
    even = frame.reformat(width=width, height=height, format="yuv420p")
    flat = even.to_ndarray().astype(np.uint8, copy=False).reshape(-1)
    luma = width * height
    chroma = (height // 2, width // 2)
    y = flat[:luma].reshape(height, width)
    u = flat[luma : luma + chroma[0] * chroma[1]].reshape(chroma)
    v = flat[luma + chroma[0] * chroma[1] : luma + 2 * chroma[0] * chroma[1]].reshape(chroma)
    return Glimpse(at_us, y, partial(from_planes, y, u, v))


def _play(frames: Iterator[Glimpse], watcher: Watcher, tally: _Tally, out: TextIO, err: TextIO) -> None:
    pending: CardRead | None = None
    end_us = 0
    told_at = time.monotonic()
    for glimpse in frames:
        tally.frames, tally.last_us = tally.frames + 1, glimpse.at_us
        told = watcher.see(glimpse)
        if pending is not None and (not watcher.present or watcher.first_us != pending.first_us):
            _card(out, tally, pending, end_us)
            pending = None
        for message in told:
            match message:
                case CardRead():
                    pending, end_us = message, glimpse.at_us
                case LeftTooEarly():
                    err.write(f"{message.first_us / 1e6:.1f} s: a card left before it was read\n")
        end_us = max(end_us, watcher.last_us) if watcher.present else end_us
        if time.monotonic() - told_at > _PROGRESS_S:
            told_at = time.monotonic()
            err.write(f"{glimpse.at_us / 1e6:.1f} s seen, {tally.cards} cards\n")
    if pending is not None:
        _card(out, tally, pending, end_us)


def _card(out: TextIO, tally: _Tally, card: CardRead, end_us: int) -> None:
    tally.cards += 1
    _line(out, {"t_start_s": round(card.first_us / 1e6, 2), "t_end_s": round(end_us / 1e6, 2), **_answer(card)})


def _answer(card: CardRead) -> dict[str, Any]:
    return {
        "barcodes": [{"format": b.format, "text": b.text} for b in card.barcodes],
        "gtin": card.gtin,
        "number": _clear(card.number),
        "pin": _clear(card.pin),
        "pin_state": str(card.panel),
        "expiry": card.expiry.isoformat() if card.expiry else None,
        "face_value": None if card.face_value_fen is None else card.face_value_fen // 100,
        "quad": None if card.quad is None else [list(point) for point in card.quad],
        "confidence": {"number": round(card.number.confidence, 3), "pin": round(card.pin.confidence, 3)},
    }


def _clear(reading: FieldReading) -> str | None:
    """The text of a sure field: the answer that was asked for on the command line, printed and not kept."""
    return "".join(c.best.glyph for c in reading.chars) if reading.state is FieldState.READ else None


def _line(out: TextIO, answer: dict[str, Any]) -> None:
    out.write(json.dumps(answer, ensure_ascii=False) + "\n")
    out.flush()
