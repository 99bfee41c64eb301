"""`cardintake vault footage DIR --to OUT --reason TEXT --who A --key FILE --second B --second-key FILE`: two people see
footage that nobody else can open. DIR is what `cardintake centre footage` gave out, or a station's recording.

--what film        its reviewable film, masked as it was kept (of what the centre gave out)          OUT/film.mp4
--what originals   the pictures below the masks, as the camera gave them                             OUT/side-0001/…jpg

Both sign with their own keys, and it stands in the vault's log, before anything is opened. Prints JSON: what was
opened, and whether the recording holds. OUT appears when all of it is there; ended by Ctrl-C or SIGTERM, nothing does.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.commands.persons import person_signer
from app.core.errors import BadInput
from app.evidence.export import write_films
from app.evidence.ledger import load
from app.evidence.verify import verify_recording
from app.platform import durable_write, interrupts_between_steps, private_folder, sync_folder
from app.vault.footage import Original, manifest_in, open_recording, originals
from app.vault.keys import Vault
from app.vault.reveal import Approval, FootageWish, grant_footage
from app.wire import VideoManifest, sign_statement


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this action, but for those that every action of the vault has."""
    parser.add_argument("recording", type=Path, metavar="DIR")
    parser.add_argument("--to", type=Path, required=True, metavar="OUT", help="a new folder for what is opened")
    parser.add_argument("--what", choices=("film", "originals"), default="film")
    parser.add_argument("--reason", required=True, help="goes into the vault's log for good")
    parser.add_argument("--who", required=True, metavar="NAME", help="the person, as the vault knows it")
    parser.add_argument("--second", required=True, metavar="NAME", help="the second person")
    for name in ("", "second-"):
        parser.add_argument(f"--{name}key", type=Path, required=True, metavar="FILE", help="that person's key")
        parser.add_argument(f"--{name}key-passphrase-fd", type=int, metavar="N")


def done(vault: Vault, args: argparse.Namespace) -> dict[str, Any]:
    """Have both sign, then open it.

    Raises BadInput: recording.missing, output.exists, recording.not_given (a film without the centre's list), and what
    `app.vault.reveal.grant_footage` raises; EvidenceTrouble as `app.vault.footage`.
    """
    folder = args.recording.resolve()
    if not folder.is_dir():
        raise BadInput("recording.missing", args.recording.name)
    if args.to.exists():
        raise BadInput("output.exists", args.to.name)
    manifest = manifest_in(folder)
    if args.what == "film" and manifest is None:
        raise BadInput("recording.not_given", folder.name)
    recording = _sign(vault, args, folder, manifest)
    with interrupts_between_steps() as check, _whole(args.to) as to:
        key = None if manifest is None else open_recording(vault, folder, manifest)
        if key is not None and args.what == "film":
            told = _film(folder, key, to)
        else:
            told = _originals(originals(vault, folder, recording), to, check)
        verdict = verify_recording(folder, None, key)
        check()
    found = {"ok": verdict.ok, "fault": verdict.fault and asdict(verdict.fault), "notes": verdict.notes}
    genesis = load(folder).genesis
    named = {"recording": str(genesis["recording"]), "station_key": str(genesis["station_key"])}
    return {**named, "opened": args.what, **told, "to": str(args.to), "by": [args.who, args.second], "verdict": found}


def _sign(vault: Vault, args: argparse.Namespace, folder: Path, manifest: VideoManifest | None) -> str:
    """The recording that they signed for."""
    if manifest is None:
        genesis = load(folder).genesis
        station, recording = str(genesis["meta"].get("station", "")), str(genesis["recording"])
    else:
        station, recording = manifest.station, manifest.recording
    now_ms = time.time_ns() // 1_000_000
    one = person_signer(args.key, args.key_passphrase_fd)
    two = person_signer(args.second_key, args.second_key_passphrase_fd)
    place = {"tenant": vault.centre.tenant, "station": station, "recording": recording}
    signed = sign_statement(FootageWish(**place, what=args.what, reason=args.reason, made_ms=now_ms), one.sign)
    approval = Approval(args.second, two.sign(b"approve " + signed.text.encode()))
    return grant_footage(vault, signed, args.who, approval, now_ms).recording


@contextmanager
def _whole(to: Path) -> Iterator[Path]:
    """A folder to write to, which becomes `to` at the end; where that is not reached it is removed, half as it is."""
    partial = to.with_name(f"{to.name}.{os.getpid()}.part")
    partial.mkdir(mode=0o700, parents=True)
    try:
        yield partial
        os.replace(partial, to)
        sync_folder(to.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _film(folder: Path, key: bytes, to: Path) -> dict[str, Any]:
    written = write_films(folder, key, to / "film.mp4")
    return {"files": [path.name for path in written.paths], "frames": written.frames}


def _originals(found: Iterable[Original], to: Path, check: Callable[[], None]) -> dict[str, Any]:
    """Files in order of time within a part; the number keeps two pictures of one millisecond apart."""
    counts: Counter[str] = Counter()
    unreadable = 0
    for one in found:
        check()
        counts[one.part] += 1
        if not one.jpeg:
            unreadable += 1
            continue
        name = f"{counts[one.part]:06d}-{one.at_us / 1e6:.3f}s.jpg"
        durable_write(private_folder(to / one.part) / name, one.jpeg)
    return {"pictures": sum(counts.values()) - unreadable, "unreadable": unreadable, "parts": len(counts)}
