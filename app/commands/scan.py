"""`cardintake scan --folder DIR | --sane DEVICE`: sheets of cards from a document scanner; one JSON line per card.

With --data STATION --waybill W the cards go into that station's parcel (numbers and PINs are sealed, the
lines then tell what became of each card and no number); the badge of who takes them in is scanned at the prompt, or
is a line on stdin. Progress on stderr.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from app.catalog.shelf import read_sources, shipped
from app.commands.bounds import add_threads, refuse_threads
from app.commands.complaint import complain
from app.commands.opening import add_passphrase, open_station
from app.commands.scan_intake import ScanIntake
from app.commands.untold import badge_told
from app.core.errors import BadInput, Trouble, Unavailable
from app.eye.oneshot import as_answer, kept_to_one, make_looker
from app.eye.sheets import SheetReading, read_sheet
from app.paths import StationFolder
from app.station.shelving import station_sources
from app.vision.look import Looker
from hardware.catalog import open_documents
from hardware.errors import DeviceError, DeviceReason
from hardware.ports import LEFT_S, DocumentScanner, Sheet, SheetFault

_SCAN_S = 120.0
_LOOK_S = 0.5
_ONCE_LEFT_S = 5.0  # with --once nobody waits for a network that stalls
_FAULTS = {
    SheetFault.TOO_LARGE: "input.too_large",
    SheetFault.DENIED: "input.denied",
    SheetFault.NO_PICTURE: "scan.not_a_picture",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--folder", type=Path, metavar="DIR", help="where the scanner puts its pictures")
    source.add_argument("--sane", metavar="DEVICE[?OPTIONS]", help="as `scanimage -L` names it")
    parser.add_argument("--dpi", type=int, default=300, help="of the scans")
    parser.add_argument("--sheets", type=int, default=0, metavar="N", help="end after N sheets")
    parser.add_argument("--once", action="store_true", help="end when nothing more is in the folder")
    add_threads(parser)
    parser.add_argument("--data", type=Path, metavar="STATION", help="take the cards in at this station")
    parser.add_argument("--waybill", default="")
    add_passphrase(parser)


def run(args: argparse.Namespace) -> int:
    if not 75 <= args.dpi <= 1200 or args.sheets < 0:
        raise BadInput("usage.count", "--dpi 75 to 1200, --sheets 0 or more")
    refuse_threads(args.threads)
    if (args.data is not None) != bool(args.waybill):
        raise BadInput("scan.incomplete", "--data --waybill")
    with ExitStack() as stack:
        scanner = _opened(args)
        stack.callback(scanner.close)
        catalogue, intake = shipped(), None
        if args.data is not None:
            folder = StationFolder(args.data.resolve())
            store = open_station(folder, args.passphrase_fd)
            stack.callback(store.close)
            catalogue = read_sources(station_sources(folder, store))
            intake = ScanIntake(store, catalogue, badge_told(), args.waybill)
        batch = Batch(make_looker(catalogue, args.threads), args.dpi, intake)
        for sheet in _sheets(scanner, args):
            batch.take(sheet)
    return batch.done()


def _opened(args: argparse.Namespace) -> DocumentScanner:
    if args.folder is not None:
        return _asked(f"folder:{args.folder}", _ONCE_LEFT_S if args.once else LEFT_S)
    mark = "&" if "?" in args.sane else "?"
    return _asked(f"sane:{args.sane}{mark}dpi={args.dpi}", LEFT_S)


def _asked(address: str, left_s: float) -> DocumentScanner:
    try:
        return open_documents(address, left_s)
    except DeviceError as trouble:
        raise _unavailable(trouble) from trouble


def _unavailable(trouble: DeviceError) -> Unavailable:
    return Unavailable(f"scanner.{trouble.reason.value}", trouble.detail)


def _sheets(scanner: DocumentScanner, args: argparse.Namespace) -> Iterator[Sheet]:
    """Sheets as they come, until enough of them, an empty feeder, or with --once an empty folder."""
    count = 0
    by_folder = args.folder is not None
    while not args.sheets or count < args.sheets:
        try:
            sheet = scanner.read(_LOOK_S if by_folder else _SCAN_S)
        except DeviceError as trouble:
            if trouble.reason is DeviceReason.ENDED:
                return
            raise _unavailable(trouble) from trouble
        if sheet is not None:
            count += sheet.fault is not SheetFault.NO_PICTURE
            yield sheet
        elif args.once and scanner.idle:
            return


class Batch:
    """The sheets of one run: each content once, each card a line."""

    def __init__(self, looker: Looker, dpi: int, intake: ScanIntake | None) -> None:
        self._looker, self._dpi, self._intake = looker, dpi, intake
        self._catalogue = looker.catalogue
        self._seen: dict[str, str] = {}
        self._cards = self._sheets = self._repeated = self._bad = 0

    def take(self, sheet: Sheet) -> None:
        """Read one sheet; one that came before (whatever it is called now) is refused."""
        self._sheets += 1
        earlier = self._seen.get(sheet.sha256)
        if earlier is not None:
            self._repeated += 1
            _line({"sheet": sheet.name, "error": {"code": "scan.repeated", "detail": earlier}})
            return self._progress(sheet, "repeated")
        try:
            found = self._read(sheet)
        except Trouble as trouble:
            self._bad += 1
            _line({"sheet": sheet.name, "error": {"code": trouble.code, "detail": trouble.detail}})
            complain(trouble)
            return self._progress(sheet, trouble.code)
        self._seen[sheet.sha256] = sheet.name
        self._tell(sheet, found)
        return self._progress(sheet, f"{len(found.cards)} cards")

    def _read(self, sheet: Sheet) -> SheetReading:
        """Raises Trouble: what has no bytes, is no picture, or the reader fails over."""
        if sheet.fault is not None:
            raise BadInput(_FAULTS[sheet.fault], sheet.name)
        with kept_to_one(sheet.name):
            return read_sheet(sheet.data, sheet.name, self._dpi, self._looker, self._catalogue)

    def _tell(self, sheet: Sheet, found: SheetReading) -> None:
        for no, card in enumerate(found.cards, 1):
            self._cards += 1
            head: dict[str, Any] = {"sheet": sheet.name, "card": no}
            if self._intake is None:
                _line(head | as_answer(card))
            else:
                product = None if card.product is None else card.product.id
                became = self._intake.take(card, sheet.sha256, no)
                _line(head | {"product": product, "gtin": card.gtin, "became": became})
        if found.unclear:
            _line({"sheet": sheet.name, "unclear": found.unclear})

    def _progress(self, sheet: Sheet, what: str) -> None:
        print(f"{self._sheets} · {sheet.name}: {what} · {self._cards} in all", file=sys.stderr, flush=True)

    def done(self) -> int:
        """The summary line, and the exit status."""
        counts = {"sheets": self._sheets, "cards": self._cards, "repeated": self._repeated, "unreadable": self._bad}
        _line({"summary": counts})
        return BadInput.exit_code if self._bad else 0


def _line(answer: dict[str, Any]) -> None:
    print(json.dumps(answer, ensure_ascii=False), flush=True)
