"""The dossier: a stretch of a recording that proves itself to a stranger with nothing but Python and `cryptography`.

    verify.py            the verifier            summary.zh.txt, summary.en.txt     what it shows, for people
    dossier.json         range, Merkle proof, names of the viewing copies
    records.jsonl        the first record, every record of the stretch, the closing one; all signed
    fragments/NNNNNN.mp4 headers and fragments, decrypted, to the byte as they were hashed
    viewing.mp4          the same pictures in a file that plays everywhere, its time beginning at 0
    still-*.jpg          the picture at each event
    root.tsr, root.statement   a time-stamp token (RFC 3161) when there is one, and the bytes it speaks of
    witness.json         the centre's word on the recording, with the keys that vouch for it, when it was given
    manifest.json        the SHA-256 of each of these files, signed by the station (manifest.sig)
    previous.jsonl       the record that closed the recording before, when it is still there
    label/ (overhead/)   what the parcel's other camera filmed meanwhile: all of this once more, but for verifier and
                         manifest, with the chain of that recording. Where its pictures must not leave, or are not to
                         be had: all its records and what vouches for them, so that pictures that are given later can
                         be held against their hashes

Reviewable pictures are masked before they are hashed, so a dossier holds no PIN. Its texts are scanned nevertheless.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import av

from app.core.errors import BadInput, EvidenceTrouble
from app.core.footage import UNCHECKED
from app.core.merkle import range_proof
from app.evidence import journal
from app.evidence.bundle import Bundle, bundle
from app.evidence.export import copy_parts, same_size
from app.evidence.ledger import Ledger, Part, Piece, load
from app.evidence.provenance import Copy, sign_copy, signing_seed
from app.evidence.reader import DecryptedRecording
from app.evidence.still import picture_at
from app.evidence.stretch import Stretch, contents, parts_in
from app.evidence.summary import summaries
from app.evidence.timestamp import token_files
from app.evidence.witness import VERIFIER, WITNESS_FILE, witness_files
from app.evidence.writer import RecordingKeys
from app.platform import interrupts_between_steps

_AROUND_US = 5_000_000
_MOST_STILLS = 12
_LONG_NUMBER = re.compile(r"(?<![0-9a-f])\d(?:[ -]?\d){9,}(?![0-9a-f])")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
DAMAGED = "footage.damaged"
"""Why the other camera's pictures are left out: they do not decrypt, or files of them are missing."""

NO_PICTURES = "evidence.no_pictures"
"""Likewise: it filmed nothing in this stretch."""

_ALWAYS = ("part", "camera", "clock", "recovered", "witness")


def card_stretch(folder: Path, card_id: str, read_us: int | None = None) -> Stretch:
    """The stretch in which a card was taken in, by the events in the chain; by `read_us` where its event is in none (it
    was kept when this recording had ended). Raises BadInput("dossier.unknown_card").
    """
    times = [
        (str(record["body"].get("card", "")), int(record["body"]["t_video_us"]))
        for record in _records(folder)
        if record["kind"] == "event" and record["event"] == "card.kept"
    ]
    at = dict(times).get(card_id, read_us)
    if at is None:
        raise BadInput("dossier.unknown_card", card_id)
    before = max((t for _, t in times if t < at), default=0)
    return Stretch(max(before, at - 60_000_000), at + _AROUND_US)


@dataclass(frozen=True, slots=True)
class Beside:
    """What the parcel's other camera filmed meanwhile, or another recording of the parcel that must not leave.
    `shift_us` + a time of the first recording is the same instant in this one; `why`, when its pictures are left out: a
    word for the reason. `looked`: what the leak check says of it (`app.core.footage.CHECKED` …).
    """

    recording_id: str
    camera: str
    folder: Path
    keys: RecordingKeys
    stretch: Stretch
    shift_us: int
    why: str = ""
    looked: str = UNCHECKED


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What of one recording goes in. `keys`: what opens it, and what its C2PA manifests are signed by."""

    folder: Path
    keys: RecordingKeys
    ledger: Ledger
    parts: list[Part]
    lines: list[bytes]
    facts: dict[str, Any]

    @property
    def pieces(self) -> list[Piece]:
        return [piece for part in self.parts for piece in part.pieces]


def make_dossier(
    folder: Path,
    keys: RecordingKeys,
    out: Path,
    stretch: Stretch | None = None,
    beside: Sequence[Beside] = (),
    c2pa: bool = False,
    looked: str = UNCHECKED,
) -> dict[str, Any]:
    """Write the dossier of a recording (or a stretch of it), signed by the station; gives its facts. However long the
    recording, only some fragments of it are in memory at a time. What pictures of `beside` cannot go in is named, with
    why, and its records go in alone.
    `c2pa`: the viewing copies carry C2PA manifests. `looked`: what the leak check says of its pictures.

    Raises EvidenceTrouble (evidence.no_recording, evidence.secret_in_text, evidence.other_key, and what
    `must_be_readable` and `read_piece` raise), BadInput (evidence.no_pictures, dossier.no_c2pa), OSError.
    """
    first = _choose(folder, keys, stretch or Stretch(), looked)
    others, withheld, told = _others(beside)
    first.facts["beside"] = told
    films = {
        "": first,
        **others,
    }  # each is signed by the key that its chain names, all there before anything is written
    seeds = {place: signing_seed(chosen.keys.signing) if c2pa else None for place, chosen in films.items()}
    with bundle(out) as made:
        made.add("verify.py", VERIFIER.read_bytes())
        for place, chosen in films.items():
            _write(made.inside(place) if place else made, chosen, out.parent, seeds[place])
        for place, chain in withheld.items():
            _write_chain(made.inside(place), chain)
        made.sign({"v": 1, "recording": first.ledger.genesis["recording"]}, keys.signing)
    return first.facts


def kept_back(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Of a dossier's facts: those beside whose pictures are left out, not those that merely filmed nothing there."""
    return [one for one in facts["beside"] if one["why"] not in ("", NO_PICTURES)]


def _choose(folder: Path, keys: RecordingKeys, wanted: Stretch, looked: str) -> _Chosen:
    ledger = load(folder)
    if keys.signing is not None and journal.Signer(keys.signing).public_key != ledger.genesis["station_key"]:
        raise EvidenceTrouble("evidence.other_key", folder.name)
    parts = parts_in(folder, keys.content, ledger, wanted)
    if not parts:
        raise BadInput(NO_PICTURES, folder.name)
    pieces = [piece for part in parts for piece in part.pieces]
    lines = list(_lines_for(folder, ledger, pieces))
    return _Chosen(folder, keys, ledger, parts, lines, {**_facts(ledger, pieces), "leak_check": looked})


@dataclass(frozen=True, slots=True)
class _Chain:
    """A recording without its pictures: every record of it. `why`: a word for the reason."""

    folder: Path
    ledger: Ledger
    why: str


def _others(beside: Sequence[Beside]) -> tuple[dict[str, _Chosen], dict[str, _Chain], list[dict[str, Any]]]:
    """Those that can go in, and those of which only the records can, by the folder they go to; and what is told."""
    chosen: dict[str, _Chosen] = {}
    withheld: dict[str, _Chain] = {}
    told: list[dict[str, Any]] = []
    for one in beside:
        place = _free_place(one.camera, {*chosen, *withheld})
        found: _Chosen | _Chain | str = one.why or _with_pictures(one)
        if isinstance(found, str) and found != NO_PICTURES:
            found = _chain(one.folder, found)
        fact = {"recording": one.recording_id, "camera": one.camera, "shift_us": one.shift_us, "folder": place}
        match found:
            case _Chosen():
                chosen[place] = found
                told.append(fact | {"why": ""})
            case _Chain(why=why):
                withheld[place] = found
                told.append(fact | {"why": why})
            case _:
                told.append(fact | {"folder": "", "why": found})
    return chosen, withheld, told


def _free_place(camera: str, taken: set[str]) -> str:
    return next(name for n in count(1) if (name := camera if n == 1 else f"{camera}-{n}") not in taken)


def _with_pictures(one: Beside) -> _Chosen | str:
    """What of it goes in; or why it does not."""
    try:
        found = _choose(one.folder, one.keys, one.stretch, one.looked)
        _read_through(found)
    except BadInput as nothing:
        return nothing.code
    except (EvidenceTrouble, OSError):
        return DAMAGED
    return found


def _chain(folder: Path, why: str) -> _Chain | str:
    """Its records; or why there are not even these."""
    try:
        return _Chain(folder, load(folder), why)
    except (EvidenceTrouble, OSError):
        return DAMAGED


def _read_through(chosen: _Chosen) -> None:
    """What is damaged beside a recording must not keep that one from leaving. Raises EvidenceTrouble, OSError."""
    for part in chosen.parts:
        for _ in contents(chosen.folder, chosen.keys.content, part):
            pass


def _write(made: Bundle, chosen: _Chosen, scratch: Path, seed: bytes | None) -> None:
    """One recording: its facts, records, summaries, films, stills and fragments. `seed`: signs C2PA manifests."""
    folder, key, lines, facts = chosen.folder, chosen.keys.content, chosen.lines, chosen.facts
    texts = summaries(chosen.ledger, chosen.pieces, facts, lines)
    check_texts([*texts.values(), *_event_texts(lines)], str(chosen.ledger.genesis["meta"].get("waybill", "")))
    with ExitStack() as begun:
        viewing = []
        for n, group in enumerate(same_size([part for part in chosen.parts if len(part.pieces) > 1]), 1):
            file = begun.enter_context(TemporaryFile(dir=scratch))
            film = _write_viewing(folder, key, group, n, file)
            if seed is not None:
                film = _with_manifest(film, chosen.ledger, seed, begun.enter_context(TemporaryFile(dir=scratch)))
            viewing.append(film)
        facts["viewing"] = [film.name for film in viewing]
        made.add("dossier.json", json.dumps(facts, indent=1))
        made.add("records.jsonl", b"".join(line + b"\n" for line in lines))
        proofs = _proofs(folder, chosen.ledger)
        for name, text in (texts | proofs).items():
            made.add(name, text)
        for film in viewing:
            made.copy(film.name, film.file)
        for name, content in _stills(viewing, lines):
            made.add(name, content)
        for part in chosen.parts:
            for piece, content in contents(folder, key, part):
                made.add(f"fragments/{piece.leaf:06d}.mp4", content)


def _write_chain(made: Bundle, chain: _Chain) -> None:
    """The records of a recording whose pictures are withheld, and what vouches for them."""
    lines = (chain.folder / journal.NAME).read_bytes().split(b"\n")[: chain.ledger.records]
    check_texts([*_event_texts(lines)], str(chain.ledger.genesis["meta"].get("waybill", "")))
    facts = {"v": 1, "recording": chain.ledger.genesis["recording"], "withheld": chain.why}
    made.add("dossier.json", json.dumps(facts, indent=1))
    made.add("records.jsonl", b"".join(line + b"\n" for line in lines))
    for name, content in _proofs(chain.folder, chain.ledger).items():
        made.add(name, content)


def _proofs(folder: Path, ledger: Ledger) -> dict[str, bytes]:
    """What vouches for its chain. Token and word are on a whole chain: they are not for one that has no end here, since
    nobody closed it or its journal is damaged.
    """
    found = witness_files(folder, str(ledger.genesis["previous"]), str(ledger.genesis["station_key"]))
    if ledger.close is None:
        found.pop(WITNESS_FILE, None)
        return found
    return token_files(folder) | found


def check_texts(texts: Sequence[str], waybill: str) -> None:
    """Refuse texts with what could be a card number. Raises EvidenceTrouble("evidence.secret_in_text")."""
    for text in texts:
        bare = _UUID.sub("", text.replace(waybill, "") if waybill else text)
        if _LONG_NUMBER.search(bare):
            raise EvidenceTrouble("evidence.secret_in_text", "a number as long as a card's")


def _lines_for(folder: Path, ledger: Ledger, pieces: Sequence[Piece]) -> Iterator[bytes]:
    """The records a stranger needs: the first, the pieces', what happened between them, the last."""
    own = {piece.record for piece in pieces}
    first, last = _run(pieces)[0].record, max(own)
    for n, line in enumerate((folder / journal.NAME).read_bytes().split(b"\n")[: ledger.records]):
        kind = json.loads(line)["kind"]
        between = first < n <= last and kind not in ("init", "fragment")
        if n in own or kind in ("genesis", "close", "event", "mask", "gap", "missed") or between or kind in _ALWAYS:
            yield line


def _facts(ledger: Ledger, pieces: Sequence[Piece]) -> dict[str, Any]:
    leaves = [bytes.fromhex(piece.h) for part in ledger.parts for piece in part.pieces]
    run = _run(pieces)
    proof = [one.hex() for one in range_proof(leaves, run[0].leaf, run[-1].leaf + 1)]
    shown = [piece for piece in pieces if piece.frames]
    times = {"from_pts": shown[0].first_pts, "to_pts": shown[-1].last_pts}
    return {"v": 1, "recording": ledger.genesis["recording"], **times, "leaves": len(leaves), "proof": proof}


def _run(pieces: Sequence[Piece]) -> list[Piece]:
    """Without the header of the first part when the stretch begins further behind: it is no neighbour."""
    alone = len(pieces) > 1 and pieces[1].leaf != pieces[0].leaf + 1
    return list(pieces[1:] if alone else pieces)


@dataclass(frozen=True, slots=True)
class _Film:
    """A viewing copy: its time 0 is `from_pts` of the recording."""

    name: str
    file: IO[bytes]
    from_pts: int
    to_pts: int


def _write_viewing(folder: Path, recording_key: bytes, group: Sequence[Part], n: int, file: IO[bytes]) -> _Film:
    start, end = group[0].pieces[1].first_pts, group[-1].pieces[-1].last_pts

    def films() -> Iterator[tuple[int, DecryptedRecording]]:
        """One at a time: each holds some fragments."""
        for part in group:
            with DecryptedRecording(folder, recording_key, part) as film:
                yield part.pieces[1].first_pts - start, film

    with interrupts_between_steps(), av.open(file, "w", format="mp4") as target:
        copy_parts(films(), target)
    return _Film("viewing.mp4" if n == 1 else f"viewing-{n}.mp4", file, start, end)


def _with_manifest(film: _Film, ledger: Ledger, seed: bytes, file: IO[bytes]) -> _Film:
    """The same copy with a C2PA manifest in it."""
    genesis = ledger.genesis
    root, real = str((ledger.close or {}).get("root", "")), not (genesis["rehearsal"] or genesis["simulated"])
    masked = bool(genesis["meta"].get("masked", False))
    told = str(genesis["recording"]), str(genesis["station_key"]), root, film.from_pts, film.to_pts, real, masked
    film.file.seek(0)
    with interrupts_between_steps():
        sign_copy(film.file, file, Copy(film.name, *told), seed)
    return _Film(film.name, file, film.from_pts, film.to_pts)


def _stills(films: Sequence[_Film], lines: Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
    """The picture at each event, or one from the middle when there was none."""
    events = [record for record in map(json.loads, lines) if record["kind"] == "event"]
    times = sorted({int(record["body"].get("t_video_us", -1)) for record in events})[:_MOST_STILLS]
    shown = [(film, at) for film in films for at in times if film.from_pts <= at <= film.to_pts]
    for n, (film, at) in enumerate(shown or [(films[0], (films[0].from_pts + films[0].to_pts) // 2)], 1):
        film.file.seek(0)
        yield f"still-{n:02d}-{at / 1e6:.3f}s.jpg", picture_at(film.file, at - film.from_pts)[0]


def _event_texts(lines: Sequence[bytes]) -> Iterator[str]:
    for record in map(json.loads, lines):
        if record["kind"] == "event":
            yield from (value for value in record["body"].values() if isinstance(value, str))


def _records(folder: Path) -> list[dict[str, Any]]:
    ledger = load(folder)
    lines = (folder / journal.NAME).read_bytes().split(b"\n")[: ledger.records]
    return [json.loads(line) for line in lines]
