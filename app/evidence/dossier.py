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
                         manifest, with the chain of that recording

Reviewable pictures are masked before they are hashed, so a dossier holds no PIN. Its texts are scanned nevertheless.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import av

from app.core.errors import BadInput, EvidenceTrouble
from app.core.footage import OVERHEAD
from app.core.merkle import range_proof
from app.evidence import journal
from app.evidence.bundle import Bundle, bundle
from app.evidence.crypt import PartOpener
from app.evidence.export import copy_parts, same_size
from app.evidence.ledger import Ledger, Part, Piece, load
from app.evidence.provenance import Copy, sign_copy, signing_seed
from app.evidence.reader import DecryptedRecording
from app.evidence.still import picture_at
from app.evidence.timestamp import token_files
from app.evidence.witness import VERIFIER, witness_files
from app.evidence.writer import RecordingKeys

_AROUND_US = 5_000_000
_MOST_STILLS = 12
_LONG_NUMBER = re.compile(r"(?<![0-9a-f])\d(?:[ -]?\d){9,}(?![0-9a-f])")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
DAMAGED = "footage.damaged"
"""Why the other camera's recording is left out: it does not decrypt, or files of it are missing."""

_ALWAYS = ("part", "camera", "clock", "recovered", "witness")


@dataclass(frozen=True, slots=True)
class Stretch:
    """From when to when, microseconds since the recording's first frame; whole fragments are taken."""

    from_pts: int = 0
    to_pts: int = 2**62

    def touches(self, piece: Piece) -> bool:
        return self.from_pts <= piece.last_pts and piece.first_pts <= self.to_pts


def card_stretch(folder: Path, card_id: str) -> Stretch:
    """The stretch in which a card was taken in, by the events in the chain. Raises BadInput("dossier.unknown_card")."""
    times = [
        (str(record["body"].get("card", "")), int(record["body"]["t_video_us"]))
        for record in _records(folder)
        if record["kind"] == "event" and record["event"] == "card.kept"
    ]
    if card_id not in dict(times):
        raise BadInput("dossier.unknown_card", card_id)
    at = dict(times)[card_id]
    before = max((t for _, t in times if t < at), default=0)
    return Stretch(max(before, at - 60_000_000), at + _AROUND_US)


@dataclass(frozen=True, slots=True)
class Beside:
    """What the parcel's other camera filmed meanwhile. `shift_us` + a time of the first recording is the same instant
    in this one; `why`, when it is left out: a word for the reason.
    """

    recording_id: str
    camera: str
    folder: Path
    keys: RecordingKeys
    stretch: Stretch
    shift_us: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What of one recording goes in."""

    folder: Path
    content_key: bytes
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
) -> dict[str, Any]:
    """Write the dossier of a recording (or a stretch of it), signed by the station; gives its facts. However long the
    recording, only some fragments of it are in memory at a time. What of `beside` cannot go in is named, with why.
    `c2pa`: the viewing copies carry C2PA manifests.

    Raises EvidenceTrouble (evidence.no_recording, evidence.not_decryptable, evidence.secret_in_text,
    evidence.other_key), BadInput (evidence.no_pictures, dossier.no_c2pa), OSError.
    """
    seed = signing_seed(keys.signing) if c2pa else None
    first = _choose(folder, keys, stretch or Stretch())
    others, told = _others(beside)
    first.facts["beside"] = told
    with bundle(out) as made:
        made.add("verify.py", VERIFIER.read_bytes())
        _write(made, first, out.parent, seed)
        for place, chosen in others.items():
            _write(made.inside(place), chosen, out.parent, seed)
        made.sign({"v": 1, "recording": first.ledger.genesis["recording"]}, keys.signing)
    return first.facts


def _choose(folder: Path, keys: RecordingKeys, wanted: Stretch) -> _Chosen:
    ledger = load(folder)
    if keys.signing is not None and journal.Signer(keys.signing).public_key != ledger.genesis["station_key"]:
        raise EvidenceTrouble("evidence.other_key", folder.name)
    parts = _parts_in(folder, keys.content, ledger, wanted)
    if not parts:
        raise BadInput("evidence.no_pictures", folder.name)
    pieces = [piece for part in parts for piece in part.pieces]
    lines = list(_lines_for(folder, ledger, pieces))
    return _Chosen(folder, keys.content, ledger, parts, lines, _facts(ledger, pieces))


def _others(beside: Sequence[Beside]) -> tuple[dict[str, _Chosen], list[dict[str, Any]]]:
    """Those that can go in, by the folder they go to; and what is told of all of them."""
    chosen: dict[str, _Chosen] = {}
    told: list[dict[str, Any]] = []
    for one in beside:
        fact = {"recording": one.recording_id, "camera": one.camera, "shift_us": one.shift_us, "folder": ""}
        why = one.why
        if not why:
            place = one.camera if one.camera not in chosen else f"{one.camera}-{len(chosen) + 1}"
            try:
                found = _choose(one.folder, one.keys, one.stretch)
                _read_through(found)
                chosen[place], fact["folder"] = found, place
            except BadInput as nothing:
                why = nothing.code
            except (EvidenceTrouble, OSError):
                why = DAMAGED
        told.append(fact | {"why": why})
    return chosen, told


def _read_through(chosen: _Chosen) -> None:
    """What is damaged beside a recording must not keep that one from leaving. Raises EvidenceTrouble, OSError."""
    for part in chosen.parts:
        for _ in _contents(chosen.folder, chosen.content_key, part):
            pass


def _write(made: Bundle, chosen: _Chosen, scratch: Path, seed: bytes | None) -> None:
    """One recording: its facts, records, summaries, films, stills and fragments. `seed`: signs C2PA manifests."""
    folder, key, lines, facts = chosen.folder, chosen.content_key, chosen.lines, chosen.facts
    texts = _summaries(chosen)
    check_texts([*texts.values(), *_event_texts(lines)], str(chosen.ledger.genesis["meta"].get("waybill", "")))
    with ExitStack() as begun:
        viewing = []
        for n, group in enumerate(same_size(chosen.parts), 1):
            file = begun.enter_context(TemporaryFile(dir=scratch))
            film = _write_viewing(folder, key, group, n, file)
            if seed is not None:
                film = _with_manifest(film, chosen.ledger, seed, begun.enter_context(TemporaryFile(dir=scratch)))
            viewing.append(film)
        facts["viewing"] = [film.name for film in viewing]
        made.add("dossier.json", json.dumps(facts, indent=1))
        made.add("records.jsonl", b"".join(line + b"\n" for line in lines))
        proofs = token_files(folder) | _witness_files(folder, chosen.ledger)
        for name, text in (texts | proofs).items():
            made.add(name, text)
        for film in viewing:
            made.copy(film.name, film.file)
        for name, content in _stills(viewing, lines):
            made.add(name, content)
        for part in chosen.parts:
            for piece, content in _contents(folder, key, part):
                made.add(f"fragments/{piece.leaf:06d}.mp4", content)


def _witness_files(folder: Path, ledger: Ledger) -> dict[str, bytes]:
    return witness_files(folder, str(ledger.genesis["previous"]), str(ledger.genesis["station_key"]))


def check_texts(texts: Sequence[str], waybill: str) -> None:
    """Refuse texts with what could be a card number. Raises EvidenceTrouble("evidence.secret_in_text")."""
    for text in texts:
        bare = _UUID.sub("", text.replace(waybill, "") if waybill else text)
        if _LONG_NUMBER.search(bare):
            raise EvidenceTrouble("evidence.secret_in_text", "a number as long as a card's")


def _parts_in(folder: Path, recording_key: bytes, ledger: Ledger, wanted: Stretch) -> list[Part]:
    """The parts with those of their fragments that touch the stretch, and each part's header.

    A stretch begins with a fragment that can be decoded by itself; that may be some fragments earlier.
    """
    found = []
    for part in ledger.parts:
        touched = [n for n, piece in enumerate(part.pieces) if n and wanted.touches(piece)]
        if touched:
            first = touched[0]
            while first > 1 and not _stands_alone(folder, recording_key, part, first):
                first -= 1
            place = part.number, part.id, part.file, part.width, part.height, part.first_pts
            pieces = [part.pieces[0], *part.pieces[first : touched[-1] + 1]]
            found.append(Part(*place, part.base_mono_us, part.boot_id, pieces))
    return found


def _stands_alone(folder: Path, recording_key: bytes, part: Part, n: int) -> bool:
    return any(_begins_with_key(data) for _, data in _contents(folder, recording_key, part, part.pieces[n : n + 1]))


def _begins_with_key(fragment: bytes) -> bool:
    """Whether a fragment's first picture is an H.264 IDR (ISO/IEC 14496-10 table 7-1; units with 4 bytes of length)."""
    at = fragment.find(b"mdat") + 4
    while at + 5 <= len(fragment):
        kind = fragment[at + 4] & 31
        if kind in (1, 5):
            return kind == 5
        at += 4 + int.from_bytes(fragment[at : at + 4], "big")
    return False


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


def _contents(
    folder: Path, recording_key: bytes, part: Part, pieces: Sequence[Piece] | None = None
) -> Iterator[tuple[Piece, bytes]]:
    """The pieces (all of the part's, or these), decrypted."""
    opener = PartOpener(recording_key, part.id)
    with (folder / part.file).open("rb") as file:
        for piece in part.pieces if pieces is None else pieces:
            file.seek(piece.offset)
            yield piece, opener.open(piece.index, file.read(piece.size))


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

    with av.open(file, "w", format="mp4") as target:
        copy_parts(films(), target)
    return _Film("viewing.mp4" if n == 1 else f"viewing-{n}.mp4", file, start, end)


def _with_manifest(film: _Film, ledger: Ledger, seed: bytes, file: IO[bytes]) -> _Film:
    """The same copy with a C2PA manifest in it."""
    genesis = ledger.genesis
    root, real = str((ledger.close or {}).get("root", "")), not (genesis["rehearsal"] or genesis["simulated"])
    masked = bool(genesis["meta"].get("masked", False))
    told = str(genesis["recording"]), str(genesis["station_key"]), root, film.from_pts, film.to_pts, real, masked
    film.file.seek(0)
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


_WORDS = {
    "zh": (
        *("开箱录像证据包", "录像", "工位公钥", "画面", "秒", "空档", "遮挡", "事件", "校验", "演练，不是真实证据"),
        *("另一台相机同时的录像", "不在包里"),
    ),
    "en": (
        *("Dossier of an unboxing recording", "Recording", "Station key", "Pictures", "s", "Gap", "Masked", "Event"),
        *("Verify", "A rehearsal, no real evidence", "Filmed meanwhile by the other camera", "not in this dossier"),
    ),
}
_CAMERAS = {"zh": {"overhead": "俯拍", "label": "面单"}, "en": {"overhead": "overhead", "label": "label"}}
_WHY = {
    "zh": {
        "evidence.no_pictures": "这段时间没有画面",
        "footage.gone": "画面已按期删除",
        "footage.damaged": "文件损坏或缺失",
        "footage.may_show_pin": "可能露出卡密",
    },
    "en": {
        "evidence.no_pictures": "it filmed nothing in this time",
        "footage.gone": "its pictures were removed in due time",
        "footage.damaged": "files of it are damaged or missing",
        "footage.may_show_pin": "it may show a PIN",
    },
}


def _summaries(chosen: _Chosen) -> dict[str, str]:
    records = [json.loads(line) for line in chosen.lines]
    return {f"summary.{language}.txt": _summary(language, chosen, records) for language in _WORDS}


def _summary(language: str, chosen: _Chosen, records: list[dict[str, Any]]) -> str:
    title, recording, key, pictures, second, gap, masked, event, verify, rehearsal, *_ = _WORDS[language]
    genesis, shown = chosen.ledger.genesis, [piece for piece in chosen.pieces if piece.frames]
    began = datetime.fromtimestamp(int(genesis["wall_us"]) / 1e6, UTC).isoformat(timespec="seconds")
    camera = _CAMERAS[language].get(str(genesis["meta"].get("role", OVERHEAD)), "")
    rows = [title, "", f"{recording}: {genesis['recording']} ({camera})  {began}", f"{key}: {genesis['station_key']}"]
    rows += [f"{rehearsal}"] if genesis["rehearsal"] or genesis["simulated"] else []
    span = f"{shown[0].first_pts / 1e6:.3f} – {shown[-1].last_pts / 1e6:.3f} {second}"
    rows.append(f"{pictures}: {span}, {sum(piece.frames for piece in shown)}")
    rows += [_about_other(language, one) for one in chosen.facts.get("beside", ())]
    for record in records:
        if record["kind"] in ("gap", "missed", "mask"):
            word = masked if record["kind"] == "mask" else gap
            times = f"{record['from_pts'] / 1e6:.3f} – {record['to_pts'] / 1e6:.3f} {second}"
            rows.append(f"{word}: {times}  {record['reason']}")
        elif record["kind"] == "event":
            at_us = record["body"].get("t_video_us")
            time = "" if at_us is None else f"{at_us / 1e6:.3f} {second}  "
            rows.append(f"{event}: {time}{record['event']}")
    return "\n".join([*rows, "", f"{verify}: python verify.py dossier.zip", ""])


def _about_other(language: str, one: dict[str, Any]) -> str:
    """Where the other camera's recording lies, and how much its time is ahead of this one's; or why it is not here."""
    *_, second, _, _, _, _, _, other, absent = _WORDS[language]
    camera = _CAMERAS[language].get(one["camera"], one["camera"])
    where = f"{one['folder']}/  {one['shift_us'] / 1e6:+.3f} {second}"
    if not one["folder"]:
        where = f"{absent}: {_WHY[language].get(one['why'], one['why'])}"
    return f"{other} ({camera}): {one['recording']}  {where}"
