"""The record of a run: everything that was seen and said, without a secret, as canonical JSON under its SHA-256.

Passwords and keys are masked where they were said. What the chip held before may be a redeem code, so of that only a
slow hash is kept (scrypt with its salt: who has the code can check it, who has not cannot search for it), or what
`seal` makes of it. Canonical: keys sorted, no spaces, UTF-8, no floats.

One record tells of all runs on a card: the last one, and under `earlier_runs` each one before, also those that were
killed: of such a one there is what the journal held, which is what the chip held when it began, and each irreversible
write it was about to make.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hardware.nfc.chips.originality import judge_signature
from hardware.nfc.chips.outcome import Planned, Refusal, Unproved
from hardware.nfc.chips.proof import Proof
from hardware.nfc.chips.talk import Spoken
from hardware.ports import NfcReader, NfcSighting

VERSION = 2
MOST_RUNS_BYTES = 700_000
CUT_OFF = "cut-off"
"""The verdict of a run in the journal that has not come to its end."""
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 1 << 14, 8, 1

Seal = Callable[[bytes], str]
"""Encrypts what a chip held before, for those who may read it."""


@dataclass(slots=True)
class Notes:
    """What a run gathers for its record."""

    sighting: NfcSighting | None = None
    meant: str = ""  # the UID of the chip that was asked for, hex
    signature: bytes | None = None
    counters: tuple[tuple[int, bytes | None], ...] = ()
    header_before: str = ""  # UID, lock and configuration pages, which hold no code
    content_before: bytes | None = None
    image_after: bytes | None = None
    plan: tuple[Planned, ...] = ()
    proof: Proof | None = None
    refusal: Refusal | None = None
    not_proved: tuple[Unproved, ...] = ()
    remarks: list[str] = field(default_factory=list)
    spoken: list[Spoken] = field(default_factory=list)
    acts: list[dict[str, Any]] = field(default_factory=list)  # irreversible writes, noted before each
    before: dict[str, Any] | None = None  # `content_before`, hashed or sealed once


def slow_hash(content: bytes) -> dict[str, Any]:
    """A hash that takes about 50 ms and 16 MB a try."""
    salt = os.urandom(16)
    made = hashlib.scrypt(content, salt=salt, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P, dklen=32)
    return {"kind": f"scrypt-{_SCRYPT_N}-{_SCRYPT_R}-{_SCRYPT_P}", "salt": salt.hex(), "hash": made.hex()}


def canonical(value: Mapping[str, Any]) -> bytes:
    """The bytes that are hashed."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def hashed_bytes(record: Mapping[str, Any]) -> bytes:
    """The bytes that a record's `sha256` is of: the record without it."""
    return canonical({name: value for name, value in record.items() if name != "sha256"})


def verifies(record: Mapping[str, Any]) -> bool:
    """Whether a record's `sha256` is that of the rest of it."""
    return record.get("sha256") == hashlib.sha256(hashed_bytes(record)).hexdigest()


def make_record(run: Mapping[str, Any], earlier_runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The record of what was `told` of a run and of those before it, complete with its hash."""
    record = {"v": VERSION, "kind": "chip.deactivation", **run, "earlier_runs": [dict(one) for one in earlier_runs]}
    record["sha256"] = hashlib.sha256(canonical(record)).hexdigest()
    return record


def make_survey(run: Mapping[str, Any]) -> dict[str, Any]:
    """What a survey saw. It proved nothing, so it is no record: another kind, and no hash."""
    return {"v": VERSION, "kind": "chip.survey", **run}


def told(
    reader: NfcReader, notes: Notes, verdict: str, why: str, about: Mapping[str, Any], seal: Seal | None
) -> dict[str, Any]:
    """What a run saw and said. `about`: operator, card, times; JSON values without floats."""
    info = reader.info
    return {
        "about": dict(about),
        "reader": {
            "name": info.name,
            "firmware": reader.firmware,
            "port": info.address,
            "serial": info.serial,
            "simulated": info.simulated,
        },
        "chip": _chip(notes),
        "before": _before(notes, seal),
        "after": notes.image_after.hex().upper() if notes.image_after is not None else None,
        "plan": [
            {"stage": step.stage.value, "writes": step.writes, "irreversible": step.irreversible} for step in notes.plan
        ],
        "commands": [_said(spoken) for spoken in notes.spoken],
        "irreversible": list(notes.acts),
        "negative_tests": [{"what": t.what, "refused": t.refused} for t in notes.proof.tests] if notes.proof else [],
        "dead_sectors": list(notes.proof.dead) if notes.proof else [],
        "wrong": list(notes.proof.wrong) if notes.proof else [],
        "refused_because": dict(notes.refusal.details) if notes.refusal else {},
        "remarks": list(notes.remarks),
        "not_proved": [what.value for what in notes.not_proved],
        "verdict": verdict,
        "why": why,
    }


def with_run(runs: Sequence[dict[str, Any]], run: dict[str, Any], wrote: bool) -> tuple[dict[str, Any], ...]:
    """The runs and one more. Of one that wrote nothing there is only how it ended; the same again is counted.

    A chip may be torn ever so often, and its record has to reach the centre in one piece: of the oldest runs the
    commands give way to their SHA-256, but never what the chip held, the irreversible writes, or the run itself.
    """
    if wrote:
        return _shortened((*runs, run))
    short = {name: run[name] for name in ("about", "verdict", "why")} | {"wrote": "nothing", "times": 1}
    last = runs[-1] if runs else {}
    if last.get("wrote") == "nothing" and (last["verdict"], last["why"]) == (run["verdict"], run["why"]):
        return (*runs[:-1], {**last, "times": last["times"] + 1})
    return (*runs, short)


def _shortened(runs: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
    size = sum(len(canonical(run)) for run in runs) if len(runs) > 1 else 0
    kept = list(runs)
    for number, run in enumerate(kept[:-1]):
        if size <= MOST_RUNS_BYTES:
            break
        said = run.get("commands")
        if said:
            told = canonical({"commands": said})
            kept[number] = {**run, "commands": [], "commands_sha256": hashlib.sha256(told).hexdigest()}
            size -= len(told)
    return tuple(kept)


def _said(spoken: Spoken) -> dict[str, Any]:
    return {
        "command": spoken.command,
        "status": spoken.status,
        "at_ms": spoken.at_ms,
        "took_ms": spoken.took_ms,
        "answer_bytes": spoken.answer_bytes,
    }


def _chip(notes: Notes) -> dict[str, Any]:
    if notes.sighting is None:
        return {"uid": notes.meant, "seen": False} if notes.meant else {}
    target = notes.sighting.target
    signature = None
    if notes.signature:
        judged = judge_signature(notes.sighting.family, target.uid, notes.signature)
        signature = {"bytes": notes.signature.hex().upper(), "checked": judged.value}
    return {
        "family": notes.sighting.family,
        "uid": target.uid.hex().upper(),
        "atqa": target.atqa.hex().upper(),
        "atqa_order": "most significant byte first",
        "sak": f"{target.sak:02X}",
        "ats": target.ats.hex().upper(),
        "version": notes.sighting.version.hex().upper(),
        "signature": signature,
        "counters": {str(n): int.from_bytes(value, "little") if value else None for n, value in notes.counters},
    }


def _before(notes: Notes, seal: Seal | None) -> dict[str, Any]:
    if notes.content_before is None:
        return {}
    if notes.before is None:
        content = {"sealed": seal(notes.content_before)} if seal else slow_hash(notes.content_before)
        notes.before = {"header": notes.header_before, "bytes": len(notes.content_before), "content": content}
    return notes.before
