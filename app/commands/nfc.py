"""`cardintake nfc info|deactivate|gone --port P`: what lies on a reader; switching a chip off, with proof.

`--port` is a port ("/dev/ttyUSB0", "COM4"), or an address of `hardware.catalog`. Exit codes of `deactivate`: 0 done and
proved (or, without `--yes`, the plan stands), 3 refused (the chip is untouched) or no reader, 4 not completed (put it
back and run again), 5 the proof failed (destroy it physically). `gone`, after a chip was destroyed: 0 when none answers
in three looks, 5 when one does; it tells that no good chip was tried, so a reader without an antenna says the same.

On a machine with a station (`own_station`; another one by `--data`) only the chip of a card that the centre accepted is
written, by `--card`; elsewhere the record says `intake: none`, and `--card` is wrong usage (2).
"""

from __future__ import annotations

import argparse
import getpass
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from platformdirs import user_state_path

from app import __version__
from app.commands import nfc_arguments
from app.commands.complaint import spoken
from app.commands.nfc_cancelling import Cancelling
from app.commands.nfc_telling import Stages, UnheardError, no_stage, say_json, say_line, show_plan, told_of
from app.commands.opening import add_passphrase, passphrase_of
from app.commands.own_station import is_station, own_station, places
from app.core.errors import BadInput, StorageTrouble, Trouble, Unavailable
from app.paths import StationFolder
from app.platform import durable_write
from app.station.chip_files import save_record
from app.station.clock import system_clock
from app.station.switching import Ask, Intake, Switching
from app.store.chips import Closed
from app.store.store import Store
from hardware.catalog import open_lasting_nfc
from hardware.deactivation import (
    Outcome,
    Request,
    Verdict,
    Why,
    deactivate_when_there,
    judge,
    still_answers,
    survey,
    survey_when_there,
)
from hardware.errors import DeviceError
from hardware.ports import NfcReader, NfcSighting
from ui.texts import say

T = TypeVar("T")

EXIT = {
    Verdict.DEACTIVATED: 0,
    Verdict.ALREADY: 0,
    Verdict.LOOKS_OFF: 0,
    Verdict.REFUSED: 3,
    Verdict.NOT_COMPLETED: 4,
    Verdict.PROOF_FAILED: 5,
}
_TRIAL_BYTES = 1 << 20  # more than any record
_POLL_S = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("info", "deactivate", "gone"))
    parser.add_argument("--port", required=True, help="/dev/ttyUSB0, COM4, or an address such as sim:nfc")
    parser.add_argument("--uid", type=nfc_arguments.uid, help="only this chip (hex)")
    parser.add_argument("--text", type=nfc_arguments.tombstone, default="", help="what the chip will say, ASCII")
    parser.add_argument("--evidence", type=Path, metavar="FILE", help="write the record here")
    parser.add_argument("--yes", action="store_true", help="do it; without it the plan is shown and nothing is written")
    parser.add_argument(
        "--wait", type=nfc_arguments.wait_s, default=20.0, metavar="S", help="seconds to wait for the card"
    )
    parser.add_argument("--card", default="", metavar="ID", help="the accepted card, on a station")
    parser.add_argument("--data", type=Path, metavar="DIR", help="another station's folder")
    parser.add_argument(
        "--secrets", type=nfc_arguments.secrets, default=((), None), metavar="FILE", help="the issuer's: key HEX…"
    )
    parser.add_argument("--operator", default="", help="who does it, for the record")
    parser.add_argument("--json", action="store_true", help="the only form; may be left out")
    add_passphrase(parser)


def run(args: argparse.Namespace) -> int:
    try:
        return _act(args)
    except UnheardError as trouble:
        say_line(f"{say('nfc.unheard.nothing', spoken())} {trouble}")
        return StorageTrouble.exit_code


def _act(args: argparse.Namespace) -> int:
    try:
        args.data = args.data or own_station()
    except BadInput as trouble:
        return _refuse(args, "station-unreadable", trouble.exit_code, place=trouble.detail)
    if args.action == "deactivate" and (wrong := _misused(args)):
        why, code = wrong
        return _refuse(args, why, code)
    try:
        if args.action != "deactivate":
            return _at_reader(args, Cancelling())
        with Cancelling() as cancelling:
            return _at_reader(args, cancelling)
    except KeyboardInterrupt:  # before a run: from then on it ends by itself
        if args.action != "deactivate":
            raise
        return _refuse(args, "cancelled", EXIT[Verdict.REFUSED])
    except Trouble as trouble:
        refused = {"verdict": Verdict.REFUSED.value, "card": args.card} if args.action == "deactivate" else {}
        say_json({**refused, "done": False, "why": trouble.code, "details": {"trouble": trouble.detail}})
        raise


def _at_reader(args: argparse.Namespace, cancelling: Cancelling) -> int:
    try:
        with closing(open_lasting_nfc(_address(args.port))) as reader:
            match args.action:
                case "info":
                    return _info(args, reader)
                case "gone":
                    return _gone(reader)
                case _:
                    return _deactivate(args, reader, cancelling)
    except DeviceError as trouble:
        raise Unavailable(f"nfc.{trouble.reason.value}", str(trouble)) from trouble


# info


def _info(args: argparse.Namespace, reader: NfcReader) -> int:
    """Who the reader is, what lies there, and why it may or may not be written. Writes nothing."""
    seen = reader.poll(_POLL_S)
    chips = [_described(sighting) for sighting in seen]
    if len(seen) == 1 and judge(seen[0].family) is None:
        with _switching(args) as switching:
            uid = seen[0].target.uid
            chips[0] |= _surveyed(survey(reader, Request(uid, "", *args.secrets), switching.looking(uid)))
    info = reader.info
    told = {"name": info.name, "firmware": reader.firmware, "port": info.address, "simulated": info.simulated}
    why = {0: Why.NO_CHIP, 1: None}.get(len(chips), Why.TWO_CHIPS)
    say_json({"reader": told, "chips": chips, "text": say(f"nfc.why.{why.value}", spoken()) if why else ""})
    return 0


def _described(sighting: NfcSighting) -> dict[str, Any]:
    target, refusal = sighting.target, judge(sighting.family)
    return {
        "uid": target.uid.hex().upper(),
        "atqa": target.atqa.hex().upper(),
        "sak": f"{target.sak:02X}",
        "ats": target.ats.hex().upper(),
        "version": sighting.version.hex().upper(),
        "family": str(sighting.family),
        "may_be_written": refusal is None,
        "why": refusal.why.value if refusal else Why.READY.value,
        "method": refusal.method.value if refusal else None,
        "text": say(f"nfc.why.{refusal.why.value if refusal else Why.READY.value}", spoken()),
    }


def _surveyed(outcome: Outcome) -> dict[str, Any]:
    chip = outcome.evidence["chip"]
    told = told_of(outcome)
    return {
        "may_be_written": outcome.why is Why.READY,
        "looks_switched_off": outcome.verdict is Verdict.LOOKS_OFF,
        "signature": chip.get("signature"),
        "counters": chip.get("counters", {}),
        "memory": outcome.evidence["before"],
        **{name: told[name] for name in ("why", "method", "plan", "details", "text")},
    }


def _gone(reader: NfcReader) -> int:
    """Whether no chip answers any more. It says nothing of chips of another standard."""
    uids = still_answers(reader)
    if not uids:
        say_line(say("nfc.gone.yes", spoken()))
    say_json({"gone": not uids, "answered": list(uids), "positive_control": "none"})
    return EXIT[Verdict.PROOF_FAILED] if uids else 0


# deactivate


def _misused(args: argparse.Namespace) -> tuple[str, int] | None:
    """What is wrong with the call before anything is opened, and its exit code."""
    if args.card and args.data is None:
        return "no-station", BadInput.exit_code
    if args.data is not None and not is_station(args.data):
        return "not-a-station", BadInput.exit_code
    if args.data is not None and not args.card:
        return "card-needed", EXIT[Verdict.REFUSED]
    in_the_way = _in_the_way(args.evidence) if args.yes and args.evidence is not None else ""
    return (in_the_way, BadInput.exit_code) if in_the_way else None


def _in_the_way(path: Path) -> str:
    """Why no record can be put there, "" when it can. What is there, of whatever kind, may be another run's proof.

    Folder, name and room are tried with a file as it will be written.
    """
    try:
        if os.path.lexists(path):
            return "evidence-unwritable" if path.is_dir() else "evidence-exists"
        path.parent.mkdir(parents=True, exist_ok=True)
        durable_write(path, bytes(_TRIAL_BYTES))
        path.unlink()
    except (OSError, ValueError):  # a name may hold what no name can
        return "evidence-unwritable"
    return ""


def _refuse(args: argparse.Namespace, why: str, code: int, **details: str) -> int:
    say_line(say(f"nfc.gate.{why}", spoken(), **details))
    say_json({"verdict": Verdict.REFUSED.value, "why": why, "card": args.card, "done": False})
    return code


def _deactivate(args: argparse.Namespace, reader: NfcReader, cancelling: Cancelling) -> int:
    with _switching(args) as switching:
        intake = _let_through(args, switching, reader)
        if isinstance(intake, str):
            return _refuse(args, intake, EXIT[Verdict.REFUSED])
        cancelling.ends(reader)
        outcome: Outcome | None = None
        heard: list[Outcome] = []
        try:
            outcome = _run(args, reader, intake, switching)
            if not args.yes:
                return _tell_survey(outcome)
            if args.evidence:
                save_record(args.evidence, outcome.evidence)
            tell = partial(_tell_end, outcome, heard)
            switching.keep(outcome, intake, system_clock().stamp(), _operator(args), tell)
        except UnheardError:
            place = args.evidence or (switching.record_of(outcome) if outcome and args.data is None else args.data)
            say_line(say("nfc.unheard", spoken(), place=str(place)))
            return EXIT[Verdict.NOT_COMPLETED]
        except StorageTrouble as trouble:
            if not heard or outcome is None:
                return _not_kept(args, outcome, trouble)
            say_line(say("nfc.journal-stays", spoken(), why=trouble.detail or trouble.code))
    return EXIT[outcome.verdict]


def _tell_end(outcome: Outcome, heard: list[Outcome]) -> None:
    """What came of a run whose record is kept; once it is out of this process it is not taken back."""
    told = told_of(outcome)
    say_json(told | {"evidence": outcome.evidence, "dry_run": False})
    heard.append(outcome)
    say_line(told["text"])


def _tell_survey(outcome: Outcome) -> int:
    """What would be done. Nothing was proved, so there is no record of it."""
    told = told_of(outcome)
    say_line(told["text"])
    if outcome.why is Why.READY:
        show_plan(outcome)
    say_json(told | {"survey": outcome.evidence, "dry_run": True})
    return 0 if outcome.why is Why.READY else EXIT[outcome.verdict]


def _not_kept(args: argparse.Namespace, outcome: Outcome | None, trouble: StorageTrouble) -> int:
    """Journal, record or fact did not reach the disk: whatever the chip says, the run does not count."""
    text = f"{say('nfc.why.not-kept', spoken())} {trouble.detail or trouble.code}"
    say_line(text)
    told = told_of(outcome) | {"evidence": outcome.evidence} if outcome is not None else {"card": args.card}
    details = {"trouble": trouble.code, "detail": trouble.detail}
    told |= {"verdict": Verdict.NOT_COMPLETED.value, "why": "not-kept", "done": False, "details": details, "text": text}
    say_json(told | {"dry_run": not args.yes})
    return EXIT[Verdict.NOT_COMPLETED]


def _let_through(args: argparse.Namespace, switching: Switching, reader: NfcReader) -> Intake | str:
    """The intake of the chip, or the code of what keeps the gate closed."""
    intake = switching.let_through(args.card, system_clock().stamp(), simulated=reader.info.simulated)
    if isinstance(intake, Closed):
        return intake.value
    if intake.gate is not None and args.uid is not None and args.uid.hex().upper() != intake.gate.uid:
        return "other-uid"
    return intake


def _run(args: argparse.Namespace, reader: NfcReader, intake: Intake, switching: Switching) -> Outcome:
    gate = intake.gate
    number = gate.card_id[:8] if gate else uuid.uuid4().hex[:8]
    text = args.text or f"VOID deactivated {datetime.now(UTC):%Y-%m-%d} {number}"
    about = {
        **intake.about(),
        **({"no_station_in": [str(place) for place in places()]} if gate is None else {}),
        "app": f"cardintake {__version__}",
        "operator": _operator(args),
        "at_wall_us": time.time_ns() // 1000,
    }
    keys, password = args.secrets
    request = Request(bytes.fromhex(gate.uid) if gate else args.uid, text, keys, password, tuple(about.items()))
    stages = Stages()
    means = switching.means(intake, stages if args.yes else no_stage, system_clock().stamp)
    means = replace(means, reader_hangs=lambda: stages.tell(say("nfc.why.reader-silent", spoken())))
    work = deactivate_when_there if args.yes else survey_when_there
    return work(reader, request, means, args.wait, lambda outcome: say_line(told_of(outcome)["text"]))


def _operator(args: argparse.Namespace) -> str:
    return str(args.operator or getpass.getuser())


# places and arguments


@contextmanager
def _switching(args: argparse.Namespace) -> Iterator[Switching]:
    """What runs keep and where: in the station's folder where one is named, opened with its passphrase.

    Raises BadInput("folder.not_a_station", "store.no_passphrase"), Unavailable when the store does not open.
    """
    if args.data is None:
        yield Switching(None, None, _journal_folder())
        return
    folder = StationFolder(args.data.resolve())
    if not is_station(folder.root):
        raise BadInput("folder.not_a_station", folder.root.name)
    passphrase = passphrase_of(folder, args.passphrase_fd)
    try:
        store = Store.open(folder.database, passphrase, reserve_bytes=0)  # no reserve is laid in for a few lines
    except StorageTrouble as trouble:
        raise Unavailable(trouble.code, trouble.detail) from trouble  # 3: the chip is untouched
    try:
        yield Switching(_asking(store), folder)
    finally:
        store.close()


def _asking(store: Store) -> Ask:
    """The store of this process, asked directly."""

    def ask(work: Callable[[Store], T], /) -> T:
        return work(store)

    return ask


def _journal_folder() -> Path:
    """Where journals lie off a station."""
    return user_state_path("cardintake", appauthor=False) / "chips"


def _address(port: str) -> str:
    """A bare port is a PN532 on it."""
    return port if port.partition(":")[0] in ("serial", "sim", "none", "pcsc") else f"serial:{port}/pn532"
