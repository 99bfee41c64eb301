"""Begins a recording, or goes on with one after a crash; what the crash left in the ring is encoded first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from app import __version__
from app.core.errors import EvidenceTrouble
from app.evidence.journal import NO_HASH
from app.evidence.ledger import Ledger, load
from app.evidence.mask import CLEAR, paint
from app.evidence.recover import is_sealed_but_damaged
from app.evidence.ring import Leftover, Note, Picture, leftovers, read_segment, shred_segment
from app.evidence.side import VaultLock
from app.evidence.writer import Origin, RecordingKeys, RecordingWriter, create_recording, resume_recording
from app.platform import boot_id, interrupts_between_steps
from app.recorder.ahead import ring_key_of
from app.recorder.masking import VIEW, Words
from app.recorder.missing import UNREADABLE
from app.recorder.protocol import FromRecorder, RecordingClosed, Start, Trouble, Zones, is_film
from app.recorder.sink import Durable, Take, Tell
from app.recorder.squeeze import Unsqueezer
from app.reserve import Reserve
from hardware.catalog import shown_address


def keys_of(start: Start) -> RecordingKeys:
    """The keys in a Start. Raises ValueError for what is no hex."""
    side = VaultLock(start.vault_key_id, bytes.fromhex(start.vault_key)) if start.vault_key else None
    return RecordingKeys(bytes.fromhex(start.recording_key), bytes.fromhex(start.signing_key) or None, side)


def open_take(
    start: Start, tell: Tell, durable: Durable = lambda _mono_us: None, reserve: Reserve | None = None
) -> Take | None:
    """Begin the recording, go on with it after a crash, or tell that it is closed (then None).

    Raises EvidenceTrouble: evidence.other_key, evidence.film_in_real (a film would go on with what a camera began);
    OSError.
    """
    folder = Path(start.folder) / start.recording_id
    keys = keys_of(start)
    if keys.signing is None:
        tell(Trouble("recorder.unsigned"))
    ledger = _ledger_of(folder)
    if ledger is None:
        return Take(start.recording_id, _create(folder, keys, start, reserve), tell, durable=durable)
    if ledger.close is not None:
        for path in leftovers(folder):
            shred_segment(path)
        tell(_closed(start.recording_id, ledger))
        return None
    if is_film(start.camera) and not ledger.genesis["simulated"]:
        raise EvidenceTrouble("evidence.film_in_real", shown_address(start.camera))
    return Take(start.recording_id, resume_recording(folder, keys, reserve=reserve), tell, durable=durable)


def encode_leftovers(take: Take, segments: Iterable[Path], start: Start, ring_key: bytes) -> int:
    """Encode what a crash left in the ring, in a part of its own, masked by what the eye had said; wipes it then.

    Gives how many pictures it saved. What is not reviewable goes aside; after a crash nobody has the key of such a ring
    (`ring_key_of`), and what it held is wiped. Raises OSError.
    """
    found = [read_segment(path, ring_key) for path in segments]
    before = take.writer.frames
    resumed = take.last_pts >= 0 or bool(found)
    with interrupts_between_steps() as check:
        _encode_pictures(take, found, start, check)
    if resumed:
        take.interrupted("recorder_restarted")
    take.writer.use_boot(boot_id())
    take.writer.sync_side()
    for leftover in found:
        if not take.broken:
            shred_segment(leftover.path)
    return take.writer.frames - before


def _encode_pictures(take: Take, found: list[Leftover], start: Start, check: Callable[[], None]) -> None:
    """Read twice, an entry at a time: what the eye said of a picture may come long behind it."""
    words, jpeg = _words_in(found), Unsqueezer()
    gap = ""
    for leftover in found:
        if leftover.boot_id:
            take.writer.use_boot(leftover.boot_id)
        for entry in leftover.entries():
            check()
            if isinstance(entry, Note):
                gap = f"camera_{entry.body['state']}" if _is_break(entry) else gap
            elif take.writer.pts(entry.mono_us) <= take.last_pts:
                jpeg.follow(entry)
                take.leads(entry)
                gap = ""  # it is in a fragment already, and so is what came before it
            else:
                if gap:
                    take.interrupted(gap)
                gap = ""
                _encode(take, entry, start, words, jpeg)


def _words_in(found: list[Leftover]) -> Words:
    """All that the eye had said."""
    words = Words()
    words.keep_from(0)
    notes = (entry for leftover in found for entry in leftover.entries() if isinstance(entry, Note))
    for note in notes:
        if note.kind == "zones":
            words.add(Zones(**note.body))
        elif note.kind == VIEW:
            words.another_view(note.body["from_us"])
    return words


def _is_break(note: Note) -> bool:
    return note.kind == "camera" and note.body["state"] in ("stalled", "lost", "ended")


def _encode(take: Take, picture: Picture, start: Start, words: Words, jpeg: Unsqueezer) -> None:
    if start.aside:
        take.aside(picture)
        return
    planes = jpeg.planes(picture)
    if planes is None:
        take.missed(1 + picture.missed, UNREADABLE)
        return
    size = picture.width, picture.height
    done = words.cover(picture.mono_us, *size) if start.masked else CLEAR
    paint(planes, *size, done.outlines)
    take.frame(planes, picture.mono_us, *size, done, picture)


def is_begun(start: Start) -> bool:
    """Whether the recording has a record already."""
    return _ledger_of(Path(start.folder) / start.recording_id) is not None


def _ledger_of(folder: Path) -> Ledger | None:
    try:
        return load(folder)
    except EvidenceTrouble:
        return None  # nothing there, or killed before the first record was whole


def _create(folder: Path, keys: RecordingKeys, start: Start, reserve: Reserve | None) -> RecordingWriter:
    torn = folder / "journal.jsonl"
    if torn.exists():
        torn.rename(torn.with_suffix(f".{time.time_ns()}.torn"))
    origin = Origin(
        recording=start.recording_id,
        camera=shown_address(start.camera),
        simulated=is_film(start.camera),
        rehearsal=start.rehearsal,
        app_version=__version__,
        previous=start.previous_hash or NO_HASH,
        meta={**start.meta, "masked": start.masked},
    )
    return create_recording(folder, keys, origin, reserve=reserve)


def _closed(recording_id: str, ledger: Ledger) -> RecordingClosed:
    close = ledger.close or {}
    counts = ledger.frames, ledger.dropped, int(close["duration_us"])
    return RecordingClosed(recording_id, str(close["root"]), ledger.head, *counts, str(close["reason"]))


def recover_recording(folder: Path, keys: RecordingKeys) -> dict[str, Any]:
    """Finish a recording that was cut off; gives a report for people and programs. One that is closed stays as it is.

    Raises EvidenceTrouble (evidence.no_recording, evidence.other_key, evidence.sealed_damaged) and OSError.
    """
    before = load(folder)
    if is_sealed_but_damaged(folder):
        raise EvidenceTrouble("evidence.sealed_damaged", f"record {before.records}")
    if before.close is not None:
        return {
            "recording": folder.name,
            "already_closed": True,
            "frames": before.frames,
            "saved_frames": 0,
            "torn": [],
        }
    with interrupts_between_steps():
        saved = _finish(folder, keys, _start_of(folder, keys, before))
    after = load(folder)
    torn = [{"name": name, "bytes": size} for name, (size, _) in after.torn.items()]
    counts = {"frames": after.frames, "saved_frames": saved, "gaps": after.gaps, "torn": torn}
    return {"recording": folder.name, "already_closed": False, **counts, "closed": after.close is not None}


def _finish(folder: Path, keys: RecordingKeys, start: Start) -> int:
    """Encode what is left and seal it; how many pictures that saved. Who ends it in the middle is heard between two."""
    segments = leftovers(folder)
    heard: list[FromRecorder] = []
    take = Take(folder.name, resume_recording(folder, keys), heard.append)
    saved = encode_leftovers(take, segments, start, ring_key_of(start))
    take.close("recovered")
    if take.refused is not None and not take.sealed:
        take.give_up()
        raise take.refused
    return saved


def _start_of(folder: Path, keys: RecordingKeys, ledger: Ledger) -> Start:
    """What the recording was begun with, by its genesis: whether its pictures must be masked stands there."""
    genesis = ledger.genesis
    return Start(
        recording_id=folder.name,
        folder=str(folder.parent),
        camera=str(genesis["camera"]),
        recording_key=keys.content.hex(),
        signing_key=(keys.signing or b"").hex(),
        previous_hash=str(genesis["previous"]),
        rehearsal=bool(genesis["rehearsal"]),
        masked=bool(genesis["meta"].get("masked", True)),
    )
