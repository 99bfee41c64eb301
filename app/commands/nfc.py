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
import json
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from platformdirs import user_state_path

from app import __version__
from app.commands.opening import add_passphrase, passphrase_of
from app.commands.own_station import is_station, own_station
from app.core.errors import BadInput, StorageTrouble, Trouble, Unavailable
from app.paths import StationFolder
from app.station.chip_files import save_record
from app.station.clock import system_clock
from app.station.switching import Ask, Intake, Switching
from app.store.chips import Closed
from app.store.store import Store
from hardware.catalog import open_lasting_nfc
from hardware.deactivation import (
    MOST_SILENT,
    Means,
    Outcome,
    Request,
    Stage,
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
    Verdict.REFUSED: 3,
    Verdict.NOT_COMPLETED: 4,
    Verdict.PROOF_FAILED: 5,
}
_LONGEST_TEXT = 100
_TRIAL_BYTES = 1 << 20  # more than any record
_POLL_S = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("info", "deactivate", "gone"))
    parser.add_argument("--port", required=True, help="/dev/ttyUSB0, COM4, or an address such as sim:nfc")
    parser.add_argument("--uid", type=_uid, help="only this chip (hex)")
    parser.add_argument("--text", type=_text, default="", help="what the chip will say, ASCII")
    parser.add_argument("--evidence", type=Path, metavar="FILE", help="write the record here")
    parser.add_argument("--yes", action="store_true", help="do it; without it the plan is shown and nothing is written")
    parser.add_argument("--wait", type=float, default=20.0, metavar="S", help="seconds to wait for the card")
    parser.add_argument("--card", default="", metavar="ID", help="the accepted card, on a station")
    parser.add_argument("--data", type=Path, default=own_station(), metavar="DIR", help="another station's folder")
    parser.add_argument("--secrets", type=_secrets, default=((), None), metavar="FILE", help="the issuer's: key HEX…")
    parser.add_argument("--operator", default="", help="who does it, for the record")
    parser.add_argument("--json", action="store_true", help="the only form; may be left out")
    add_passphrase(parser)


def run(args: argparse.Namespace) -> int:
    if args.action == "deactivate" and (wrong := _misused(args)):
        why, code = wrong
        return _refuse(args, why, code)
    try:
        return _at_reader(args)
    except Trouble as trouble:
        refused = {"verdict": Verdict.REFUSED.value, "card": args.card} if args.action == "deactivate" else {}
        _print({**refused, "done": False, "why": trouble.code, "details": {"trouble": trouble.detail}})
        raise


def _at_reader(args: argparse.Namespace) -> int:
    try:
        with closing(open_lasting_nfc(_address(args.port))) as reader:
            match args.action:
                case "info":
                    return _info(args, reader)
                case "gone":
                    return _gone(reader)
                case _:
                    return _deactivate(args, reader)
    except DeviceError as trouble:
        raise Unavailable(f"nfc.{trouble.reason.value}", str(trouble)) from trouble


# info


def _info(args: argparse.Namespace, reader: NfcReader) -> int:
    """Who the reader is, what lies there, and why it may or may not be written. Writes nothing."""
    seen = reader.poll(_POLL_S)
    chips = [_described(sighting) for sighting in seen]
    if len(seen) == 1 and judge(seen[0].family) is None:
        with _switching(args) as switching:
            means = Means(switching.journal)
            chips[0] |= _surveyed(survey(reader, Request(seen[0].target.uid, "", *args.secrets), means))
    info = reader.info
    told = {"name": info.name, "firmware": reader.firmware, "port": info.address, "simulated": info.simulated}
    why = {0: Why.NO_CHIP, 1: None}.get(len(chips), Why.TWO_CHIPS)
    _print({"reader": told, "chips": chips, "text": say(f"nfc.why.{why.value}", _language()) if why else ""})
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
        "text": say(f"nfc.why.{refusal.why.value if refusal else Why.READY.value}", _language()),
    }


def _surveyed(outcome: Outcome) -> dict[str, Any]:
    chip = outcome.evidence["chip"]
    told = _told(outcome)
    return {
        "may_be_written": outcome.why is Why.READY,
        "already_deactivated": outcome.verdict is Verdict.ALREADY,
        "signature": chip.get("signature"),
        "counters": chip.get("counters", {}),
        "memory": outcome.evidence["before"],
        **{name: told[name] for name in ("why", "method", "plan", "details", "text")},
    }


def _gone(reader: NfcReader) -> int:
    """Whether no chip answers any more. It says nothing of chips of another standard."""
    uids = still_answers(reader)
    if not uids:
        _complain(say("nfc.gone.yes", _language()))
    _print({"gone": not uids, "answered": list(uids), "positive_control": "none"})
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
    writes = args.yes and args.evidence is not None
    return ("evidence-unwritable", BadInput.exit_code) if writes and not _may_be_written(args.evidence) else None


def _may_be_written(path: Path) -> bool:
    """Whether a file can be put there: its folder is made, and room for it is tried."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent) as trial:
            trial.write(bytes(_TRIAL_BYTES))
    except OSError:
        return False
    return not path.is_dir()


def _refuse(args: argparse.Namespace, why: str, code: int) -> int:
    _complain(say(f"nfc.gate.{why}", _language()))
    _print({"verdict": Verdict.REFUSED.value, "why": why, "card": args.card, "done": False})
    return code


def _deactivate(args: argparse.Namespace, reader: NfcReader) -> int:
    with _switching(args) as switching:
        intake = _let_through(args, switching, reader)
        if isinstance(intake, str):
            return _refuse(args, intake, EXIT[Verdict.REFUSED])
        outcome: Outcome | None = None
        try:
            outcome = _run(args, reader, intake, switching)
            if args.yes:
                if args.evidence:
                    save_record(args.evidence, outcome.evidence)
                switching.keep(outcome, intake, system_clock().stamp(), _operator(args))
        except StorageTrouble as trouble:
            return _not_kept(args, outcome, trouble)
    told = _told(outcome)
    _complain(told["text"])
    if outcome.why is Why.READY:
        _show_plan(outcome)
    _print(told | {"evidence": outcome.evidence, "dry_run": not args.yes})
    return 0 if outcome.why is Why.READY else EXIT[outcome.verdict]


def _not_kept(args: argparse.Namespace, outcome: Outcome | None, trouble: StorageTrouble) -> int:
    """Journal, record or fact did not reach the disk: whatever the chip says, the run does not count."""
    text = f"{say('nfc.why.not-kept', _language())} {trouble.detail or trouble.code}"
    _complain(text)
    told = _told(outcome) | {"evidence": outcome.evidence} if outcome is not None else {"card": args.card}
    details = {"trouble": trouble.code, "detail": trouble.detail}
    told |= {"verdict": Verdict.NOT_COMPLETED.value, "why": "not-kept", "done": False, "details": details, "text": text}
    _print(told | {"dry_run": not args.yes})
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
        "app": f"cardintake {__version__}",
        "operator": _operator(args),
        "at_wall_us": time.time_ns() // 1000,
    }
    keys, password = args.secrets
    request = Request(bytes.fromhex(gate.uid) if gate else args.uid, text, keys, password, tuple(about.items()))
    stages = _Stages()
    means = switching.means(intake, stages if args.yes else _no_stage)
    means = replace(means, reader_hangs=lambda: stages.tell(say("nfc.why.reader-silent", _language())))
    work = deactivate_when_there if args.yes else survey_when_there
    return work(reader, request, means, args.wait, lambda outcome: _complain(_told(outcome)["text"]))


def _operator(args: argparse.Namespace) -> str:
    return str(args.operator or getpass.getuser())


# telling


def _told(outcome: Outcome) -> dict[str, Any]:
    plan = [{"stage": s.stage.value, "writes": s.writes, "irreversible": s.irreversible} for s in outcome.plan]
    return {
        "verdict": outcome.why.value if outcome.why is Why.READY else outcome.verdict.value,
        "why": outcome.why.value,
        "done": outcome.done,
        "uid": outcome.uid,
        "family": str(outcome.family),
        "method": outcome.method.value,
        "plan": plan,
        "details": dict(outcome.details),
        "silent": outcome.silent,
        "not_proved": [what.value for what in outcome.not_proved],
        "text": _in_words(outcome),
    }


def _in_words(outcome: Outcome) -> str:
    """How it ended, about which chips, and what to do now."""
    language, details = _language(), dict(outcome.details)
    already = outcome.why is Why.READY and outcome.verdict is Verdict.ALREADY
    said = [say("nfc.already" if already else f"nfc.why.{outcome.why.value}", language)]
    if outcome.why is Why.OTHER_CHIP:
        said.append(say("nfc.both-uids", language, wanted=details["wanted"], there=details["there"]))
    if outcome.silent:
        said.append(say("prompt.chip.silent", language, n=outcome.silent, of=MOST_SILENT))
    said += [say(f"nfc.not-proved.{what.value}", language) for what in outcome.not_proved]
    if "begun" in details:
        return _joined([*said, say("nfc.begun", language, uids=details["begun"])], language)
    if outcome.verdict is Verdict.NOT_COMPLETED and outcome.why is not Why.READY and outcome.uid:
        said.append(say("nfc.put-back", language, uid=outcome.uid))
    elif outcome.why is not Why.READY:
        said.append(say(f"nfc.do.{outcome.verdict.value}", language))
    return _joined(said, language)


def _joined(sentences: list[str], language: str) -> str:
    return (" " if language == "en" else "").join(sentences)


def _show_plan(outcome: Outcome) -> None:
    """The chip and what would be done to it, with a line above the first stage that has no way back."""
    language = _language()
    _complain(f"{outcome.family}  UID {outcome.uid}")
    crossed = False
    for number, step in enumerate(outcome.plan, start=1):
        if step.irreversible and not crossed:
            crossed = True
            _complain(f"---- {say('nfc.no-return', language)} ----")
        writes = f"  ({say('row.chip.writes', language, n=step.writes)})" if step.writes else ""
        _complain(f"{number}. {say(f'nfc.stage.{step.stage.value}', language)}{writes}")
    _complain(say("nfc.dry-run", language))


class _Stages:
    """Shows the stages of a run; looking again while the card is awaited is no news."""

    def __init__(self) -> None:
        self._shown = ""

    def __call__(self, stage: Stage, number: int, of: int) -> None:
        count = f"{number}/{of} " if of else ""
        self.tell(f"{count}{say(f'nfc.stage.{stage.value}', _language())}")

    def tell(self, line: str) -> None:
        if line != self._shown:
            self._shown = line
            _complain(line)


def _no_stage(_stage: Stage, _number: int, _of: int) -> None:
    """A survey has nothing to show."""


def _print(told: dict[str, Any]) -> None:
    print(json.dumps(told, ensure_ascii=False))


def _complain(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _language() -> str:
    said = os.environ.get("CARDINTAKE_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG") or "zh"
    return "en" if said.lower().startswith(("en", "c")) else "zh"


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


def _uid(text: str) -> bytes:
    uid = bytes.fromhex(text.replace(":", ""))
    if len(uid) not in (4, 7, 10):
        raise ValueError("a UID has 4, 7 or 10 bytes")
    return uid


def _text(text: str) -> str:
    if not text.isascii() or not text.isprintable() or len(text) > _LONGEST_TEXT:
        raise ValueError(f"printable ASCII, at most {_LONGEST_TEXT} characters")
    return text


def _secrets(name: str) -> tuple[tuple[bytes, ...], bytes | None]:
    """Lines `key HEX` (6 bytes, MIFARE Classic) and `password HEX` (4 bytes)."""
    try:
        words = [line.split() for line in Path(name).read_text("utf-8").splitlines() if line.strip()]
    except OSError as trouble:
        raise argparse.ArgumentTypeError(str(trouble)) from trouble
    told = [(kind, bytes.fromhex(value)) for kind, value in words]
    sizes = {"key": 6, "password": 4}
    if any(len(value) != sizes.get(kind) for kind, value in told):
        raise ValueError("key: 6 bytes, password: 4 bytes")
    passwords = [value for kind, value in told if kind == "password"]
    return tuple(value for kind, value in told if kind == "key"), passwords[0] if passwords else None
