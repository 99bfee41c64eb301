"""Checks a recording: every hash, signature and byte; names the first thing wrong and the range that holds before it.

What it cannot know without a witness it says in `notes`: whoever holds the station's key can re-sign everything, and
the tail of a recording that was never closed can be cut off.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryptography.x509 import Certificate

from app.core.errors import EvidenceTrouble
from app.core.merkle import fragment_leaf
from app.evidence import journal
from app.evidence.crypt import PartOpener
from app.evidence.journal import Record, parse_record
from app.evidence.ledger import Ledger, Part, Piece
from app.evidence.loose import GIVEN_JOURNAL, GIVEN_LIST, KEY_FILE
from app.evidence.ring import leftovers
from app.evidence.timestamp import TOKEN_FILE, token_time
from app.evidence.witness import WITNESS_FILE, check_word

_FILMS = ("sim:", "file:")
_READ_BYTES = 1 << 20
_AHEAD = 16
"""Pieces that wait for their check at most; each is half a second of pictures."""


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing wrong. `record` its number; `part`, `fragment` when it is about footage (fragment 0 = header).

    Codes: those of `journal.parse_record` and `Ledger.read`, and evidence.signature_wrong, evidence.unsigned,
    evidence.bytes_missing, evidence.bytes_changed, evidence.extra_bytes, evidence.not_decryptable,
    evidence.content_differs, evidence.torn_changed, evidence.other_key, evidence.torn_line, evidence.no_recording.
    """

    code: str
    record: int
    part: int | None = None
    fragment: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What holds: `records` and `fragments` from the start, pictures up to `valid_to_pts_us` (-1: none).

    `simulated`: it was begun with a film or says later that one was put in.
    `notes`: no_witness, not_closed, key_not_pinned, content_not_checked (no recording key), unfinished_tail,
    file_unknown, side_missing, side_unfinished (the sealed originals of masked pictures), pictures_gone (only the
    records were checked); of the centre's word
    witness_uncertified, root_not_pinned; token_not_pinned (who signed it was not checked).
    `witness`: what the centre's word tells (`app.evidence.witness.check_word`), None without one; `time_token`: the
    time that a token tells (ISO 8601), "" without one. `role`: of which camera.
    """

    recording: str
    fault: Fault | None
    records: int
    fragments: int
    frames: int
    dropped: int
    gaps: int
    valid_to_pts_us: int
    closed: bool
    rehearsal: bool
    simulated: bool
    previous: str
    head: str
    root: str
    notes: tuple[str, ...]
    witness: dict[str, Any] | None = None
    time_token: str = ""
    role: str = ""

    @property
    def ok(self) -> bool:
        return self.fault is None


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose word counts: the company's root key (hex) for its centre, authorities for time-stamps. None: their own."""

    root_key: str = ""
    authorities: tuple[Certificate, ...] = ()


OWN_WORD = Trust()
"""Nobody is known: what the recording brings along speaks for itself."""


class _Found(Exception):
    """Carries the first fault out of the walk."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault


class Stopped(Exception):
    """Raised by a `Progress` to end a verification; it comes out of `verify_recording`."""


Progress = Callable[[int, int], None]
"""Told after each fragment: how many are checked, and up to when (µs) the pictures hold. May raise Stopped."""


def _no_progress(_checked: int, _valid_to_us: int) -> None:
    pass


def verify_recording(
    folder: Path,
    public_key: str | None = None,
    recording_key: bytes | None = None,
    progress: Progress = _no_progress,
    threads: int = 0,
    trust: Trust = OWN_WORD,
    journal_only: bool = False,
) -> Verdict:
    """Check the recording in `folder`. `public_key` (hex): the station key one trusts; None takes the recording's
    own word for it. `recording_key`: also decrypt and compare with the Merkle leaves. `journal_only`: its pictures
    were removed, so nothing is looked for but the records (note pictures_gone). Never raises for bad content.

    Hashing and decrypting let other threads run; `threads` of them (0: one a core) share it.
    """
    with ThreadPoolExecutor(threads or min(4, os.cpu_count() or 1), "verify") as pool:
        walk = _Walk(folder, public_key, recording_key, None if journal_only else pool, progress)
        fault = None
        vouched = _Vouched()
        try:
            walk.run()
            vouched = walk.vouched(trust)
        except _Found as found:
            fault = found.fault
        return walk.verdict(fault, vouched)


@dataclass(frozen=True, slots=True)
class _Vouched:
    """What others say of the recording, and what that leaves open."""

    witness: dict[str, Any] | None = None
    time_token: str = ""
    notes: tuple[str, ...] = ("no_witness",)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A piece that is being checked, and what holds once it is right."""

    check: Future[Fault | None]
    held: tuple[int, int, int, int]


class _Walk:
    """Reads the records in order; the bytes they speak of are checked some pieces behind, in the same order."""

    def __init__(
        self,
        folder: Path,
        public_key: str | None,
        recording_key: bytes | None,
        pool: ThreadPoolExecutor | None,
        progress: Progress,
    ) -> None:
        """Without a `pool` no pictures are looked for."""
        self._folder, self._pinned, self._key = folder, public_key, recording_key
        self._pool, self._progress = pool, progress
        self._waiting: deque[_Waiting] = deque()
        self._ledger = Ledger()
        self._notes: list[str] = []
        self._chains: dict[int, str] = {}
        self._films = False  # whether any of its pictures may come from what is no camera
        self._held = 0, 0, 0, -1  # records, fragments, frames, last pts that were checked with their bytes

    def run(self) -> None:
        try:
            lines = (self._folder / journal.NAME).read_bytes().split(b"\n")
        except OSError as trouble:
            raise _Found(Fault("evidence.no_recording", 0)) from trouble
        try:
            for line in lines[:-1]:
                self._read(line)
        finally:
            self._settle(0)  # what is wrong with earlier bytes comes before what is wrong with a later record
        if self._ledger.records == 0:
            raise _Found(Fault("evidence.no_recording", 0))
        self._check_last_line(lines[-1])
        self._check_end()

    def vouched(self, trust: Trust) -> _Vouched:
        """The centre's word and the time-stamp beside the recording. Raises what is wrong with them."""
        ledger, notes = self._ledger, []
        witness, stamped = None, ""
        word, token = self._folder / WITNESS_FILE, self._folder / TOKEN_FILE
        last = ledger.records - 1
        try:
            if ledger.close is not None and word.exists():
                closing, name = (last, ledger.head), str(ledger.genesis["recording"])
                witness = check_word(word.read_bytes(), self._chains, closing, name, trust.root_key)
                notes += [] if witness["certified"] else ["witness_uncertified"]
                notes += [] if witness["pinned"] else ["root_not_pinned"]
            else:
                notes.append("no_witness")
            if ledger.close is not None and token.exists():
                stamped = token_time(token.read_bytes(), ledger.head, trust.authorities).isoformat()
                notes += [] if trust.authorities else ["token_not_pinned"]
        except EvidenceTrouble as trouble:
            raise _Found(Fault(trouble.code, last, detail=trouble.detail)) from trouble
        return _Vouched(witness, stamped, tuple(notes))

    def verdict(self, fault: Fault | None, vouched: _Vouched) -> Verdict:
        ledger, genesis = self._ledger, self._ledger.genesis
        records, fragments, frames, last_pts = self._held
        notes = (
            [*vouched.notes, *self._notes]
            + ([] if self._pinned else ["key_not_pinned"])
            + ([] if self._key else ["content_not_checked"])
        )
        return Verdict(
            recording=str(genesis.get("recording", "")),
            fault=fault,
            records=records,
            fragments=fragments,
            frames=frames,
            dropped=max(ledger.dropped, ledger.missing),
            gaps=ledger.gaps,
            valid_to_pts_us=last_pts,
            closed=ledger.close is not None and fault is None,
            rehearsal=bool(genesis.get("rehearsal", False)),
            simulated=self._films or bool(genesis.get("simulated", False)),
            previous=str(genesis.get("previous", "")),
            head=ledger.head,
            root=str(ledger.close["root"]) if ledger.close else "",
            notes=tuple(notes if ledger.close else [*notes, "not_closed"]),
            witness=vouched.witness,
            time_token=vouched.time_token,
            role=ledger.role,
        )

    def _read(self, line: bytes) -> None:
        ledger = self._ledger
        try:
            record = ledger.read(line)
        except EvidenceTrouble as trouble:
            raise _Found(Fault(trouble.code, ledger.records, detail=trouble.detail)) from trouble
        self._check_signature(record)
        self._chains[record.n] = record.chain
        if record.kind == "camera" and str(record.fields["address"]).startswith(_FILMS):
            self._films = True
        held = ledger.records, ledger.fragments, ledger.frames, ledger.last_pts
        if self._pool is not None and record.kind in ("init", "fragment"):
            part = ledger.parts[-1]
            self._waiting.append(_Waiting(self._pool.submit(self._fault_in, part, part.pieces[-1]), held))
            self._settle(_AHEAD)
        elif self._waiting:
            self._waiting[-1] = replace(self._waiting[-1], held=held)
        else:
            self._held = held

    def _settle(self, left: int) -> None:
        """Wait for the oldest pieces until so many are left. Raises what is wrong with one, or Stopped."""
        while len(self._waiting) > left:
            oldest = self._waiting.popleft()
            fault = oldest.check.result()
            if fault is not None:
                self._drop()
                raise _Found(fault)
            self._held = oldest.held
            try:
                self._progress(self._held[1], self._held[3])
            except Stopped:
                self._drop()
                raise

    def _drop(self) -> None:
        for waiting in self._waiting:
            waiting.check.cancel()
        self._waiting.clear()

    def _check_signature(self, record: Record) -> None:
        own = str(self._ledger.genesis["station_key"])
        if self._pinned is not None and own != self._pinned:
            raise _Found(Fault("evidence.unsigned" if not own else "evidence.other_key", record.n))
        if not own:
            raise _Found(Fault("evidence.unsigned", record.n))
        if not record.signed_by(own):
            raise _Found(Fault("evidence.signature_wrong", record.n))

    def _fault_in(self, part: Part, piece: Piece) -> Fault | None:
        """What is wrong with a piece's bytes. Runs in the pool."""
        code = self._code_for(part, piece)
        return Fault(code, piece.record, part.number, piece.index) if code else None

    def _code_for(self, part: Part, piece: Piece) -> str:
        try:
            with (self._folder / part.file).open("rb") as file:
                if os.fstat(file.fileno()).st_size < piece.offset + piece.size:  # before any of it is asked for
                    return "evidence.bytes_missing"
                file.seek(piece.offset)
                sealed = file.read(piece.size)
        except OSError:
            return "evidence.bytes_missing"
        if hashlib.sha256(sealed).hexdigest() != piece.c:
            return "evidence.bytes_changed"
        if self._key is None:
            return ""
        try:
            content = PartOpener(self._key, part.id).open(piece.index, sealed)
        except EvidenceTrouble as trouble:
            return trouble.code
        return "" if fragment_leaf(piece.leaf, content).hex() == piece.h else "evidence.content_differs"

    def _check_last_line(self, line: bytes) -> None:
        """What follows the last newline: nothing, or what a crash left of a record."""
        ledger = self._ledger
        if not line:
            return
        try:
            parse_record(line[:-1], ledger.records, ledger.head)
        except EvidenceTrouble:
            self._tail(ledger.close is None, Fault("evidence.torn_line", ledger.records))
        else:  # no crash does this: the newline was changed, to make a closed recording look cut
            raise _Found(Fault("evidence.record_malformed", ledger.records))

    def _check_end(self) -> None:
        """A recording still being written may end in bytes that no record names yet; a closed one may not."""
        ledger = self._ledger
        for part in ledger.parts:
            path = self._folder / part.file
            if path.exists() and path.stat().st_size > part.size:
                last = part is ledger.parts[-1] and ledger.close is None
                self._tail(last, Fault("evidence.extra_bytes", ledger.records - 1, part.number, len(part.pieces)))
        for name, (size, sha256) in ledger.torn.items():
            path = self._folder / name
            data = path.read_bytes() if path.is_file() else b""
            if len(data) != size or hashlib.sha256(data).hexdigest() != sha256:
                raise _Found(Fault("evidence.torn_changed", ledger.records - 1, detail=name))
        self._check_sides()
        if self._pool is None and ledger.parts:
            self._notes.append("pictures_gone")
        known = {
            journal.NAME,
            "reserve",
            KEY_FILE,
            GIVEN_LIST,
            GIVEN_JOURNAL,
            TOKEN_FILE,
            WITNESS_FILE,
            *ledger.torn,
            *ledger.sides,
            *(part.file for part in ledger.parts),
        }
        known |= {path.name for path in leftovers(self._folder)} if ledger.close is None else set()
        if any(path.name not in known for path in self._folder.iterdir()):
            self._notes.append("file_unknown")

    def _check_sides(self) -> None:
        """The sealed originals: nobody here can open them, but their bytes are vouched for."""
        for name, end in self._ledger.sides.items():
            path = self._folder / name
            if not path.is_file():
                self._notes.append("side_missing")  # they may be kept apart, or be gone by the rules of retention
            elif end is None:
                self._notes.append("side_unfinished")
                kept = self._ledger.side_kept.get(name)
                if kept is not None and not _begins_with(path, kept):
                    raise _Found(Fault("evidence.bytes_changed", self._ledger.records - 1, detail=name))
            elif not _is_file_of(path, int(end["bytes"]), str(end["sha256"])):
                raise _Found(Fault("evidence.bytes_changed", self._ledger.records - 1, detail=name))

    def _tail(self, may_be: bool, fault: Fault) -> None:
        if not may_be:
            raise _Found(fault)
        if "unfinished_tail" not in self._notes:
            self._notes.append("unfinished_tail")


def _is_file_of(path: Path, size: int, sha256: str) -> bool:
    if path.stat().st_size != size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _begins_with(path: Path, kept: Mapping[str, Any]) -> bool:
    """Whether the file holds at its beginning what a `side_kept` record vouches for."""
    left, found = int(kept["bytes"]), hashlib.sha256()
    with path.open("rb") as file:
        while left and (data := file.read(min(left, _READ_BYTES))):
            found.update(data)
            left -= len(data)
    return not left and found.hexdigest() == kept["sha256"]
