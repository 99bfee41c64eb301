"""`cardintake read FILE…`: picture files in, one JSON object a line out."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import cv2

from app.core.cards import Barcode, FieldReading, FieldState, PanelState, Printed
from app.core.codes import CodeKind, Symbology, gtin_in, kind_of, symbology_of
from app.core.errors import Trouble
from app.core.products import Catalogue
from app.vision.card.locate import Found, locate
from app.vision.conclude import Conclusion, conclude
from app.vision.look import Looker, is_doubtful_card
from app.vision.medium import COPIES
from app.vision.panel.finder import PanelFinder
from app.vision.panel.opening import OpeningJudge
from app.vision.picture.files import open_picture
from app.vision.picture.pixels import Colour, as_quad, grey
from app.vision.symbols.barcode import Hit, as_gtin, distinct, gtin
from app.vision.symbols.elements import timed_texts
from app.vision.symbols.search import search_codes
from app.vision.text.codes import CodeReader
from app.vision.text.recognise import Recogniser
from app.vision.text.textlines import LineFinder

log = logging.getLogger("cardintake.read")


def make_looker(catalogue: Catalogue, threads: int = 1) -> Looker:
    """The reader with warm models. Raises BadInput("reading.model_missing")."""
    cv2.setNumThreads(threads)  # else its own threads wake for every small picture and wait spinning
    finder, recogniser, codes = LineFinder(threads=threads), Recogniser(threads=threads), CodeReader(threads=threads)
    for model in (finder, recogniser, codes):
        model.warm_up()
    panels, openings = PanelFinder(threads=threads), OpeningJudge(threads=threads)
    return Looker(catalogue, finder, recogniser, codes, panels, openings)


def read_file(path: Path, looker: Looker, catalogue: Catalogue) -> dict[str, Any]:
    """One picture as the answer of `cardintake read --json`; places in pixels of the file. Raises BadInput."""
    start = time.perf_counter()
    file = open_picture(path)
    answer = read_picture(file.pixels, looker, catalogue)
    if answer["quad"] is not None and file.scale > 1:
        answer["quad"] = [[round(v * file.scale, 1) for v in point] for point in answer["quad"]]
    return {"file": path.name, **answer, "ms": round((time.perf_counter() - start) * 1000, 1)}


def read_picture(picture: Colour, looker: Looker, catalogue: Catalogue) -> dict[str, Any]:
    """What one picture shows, as plain data in the shape of `cardintake read --json` (without file and ms)."""
    found = conclude_picture(picture, looker, catalogue)
    answer = told(picture, found)
    if found is None and (medium := looker.medium(picture, None)) in COPIES:
        answer["medium"] = str(medium)
    return answer


def conclude_picture(picture: Colour, looker: Looker, catalogue: Catalogue) -> Conclusion | None:
    """What was read of the card in a picture; None when there is no card to be read."""
    located = locate(picture)
    if located.corners is None or located.found is Found.TOO_FAR:
        return None
    look = looker.look(picture, located)
    found = conclude([look], catalogue)
    medium = looker.medium(picture, located.corners) if is_doubtful_card(look) else None
    return replace(found, medium=medium) if medium in COPIES else found


TIMED = "timed-code"
"""A code on the picture ends within minutes or days: it is no card's number, and must not be kept."""

OVER_SCRATCHED = "over-scratched"
"""The panel looks scratched too hard: strokes of the PIN may be missing."""


CUT_OFF = "cut-off"
"""The picture does not show the whole card."""


def told(picture: Colour, found: Conclusion | None) -> dict[str, Any]:
    """The answer for a picture and what was concluded of it."""
    if found is None or found.medium in COPIES:
        return {**_codes_only(picture), "medium": None if found is None else str(found.medium)}
    answer = as_answer(found)
    if found.gtin is not None or _is_surely_a_card(found):
        return answer
    return {**answer, **_with_those_of_the_picture(found, tuple(search_codes(grey(picture))))}


def _with_those_of_the_picture(found: Conclusion, hits: tuple[Hit, ...]) -> dict[str, Any]:
    """The symbols of the rectangle and of the whole picture; a GTIN only where no other was read by either."""
    codes = list(dict.fromkeys((*found.barcodes, *distinct(hits))))
    products = _products(codes) | {as_gtin(hit) for hit in hits if Barcode(hit.format, hit.text) in codes}
    warnings = [TIMED] if found.timed or timed_texts(hits) else []
    code = gtin(hits) if len(products - {None}) == 1 else None
    return {"barcodes": [_code(b) for b in codes], "gtin": code, "warnings": warnings}


def _products(codes: Iterable[Barcode]) -> set[str | None]:
    """The products that symbols name: retail digits, or a GS1 text; retail digits that are no GTIN name one too."""
    families = [(barcode.text, symbology_of(barcode.format)) for barcode in codes]
    return {gtin_in(text, kind) or (text if kind is Symbology.RETAIL else None) for text, kind in families}


def _is_surely_a_card(found: Conclusion) -> bool:
    """Whether a card's symbols were looked for where they are: else a rectangle may be no card but a photographed pack,
    and the picture as a whole is searched too. (On nine cards whose symbols nobody could read that found nothing.)
    """
    return bool(found.number.chars or found.pin.chars) and found.panel is not PanelState.NONE


def as_answer(found: Conclusion) -> dict[str, Any]:
    """A conclusion as plain data. Unsure or covered fields are null."""
    return {
        "medium": str(found.medium),
        "barcodes": [_code(b) for b in found.barcodes],
        "gtin": found.gtin,
        "number": _clear(found.number),
        "pin": _clear(found.pin),
        "pin_state": str(found.panel),
        "pin_legible": None if found.legible is None else [found.legible.seen, found.legible.total],
        "expiry": found.expiry.isoformat() if found.expiry else None,
        "expiry_printed": str(found.expiry_printed),
        "face_value": None if found.face_value is None else found.face_value.units,
        "currency": None if found.face_value is None else found.face_value.currency,
        "batch": found.batch,
        "region": found.region,
        "warnings": [word for word, holds in _hints(found) if holds],
        "quad": [list(point) for point in as_quad(found.corners)],
        "confidence": {"number": round(found.number.confidence, 3), "pin": round(found.pin.confidence, 3)},
    }


def _hints(found: Conclusion) -> tuple[tuple[str, bool], ...]:
    return (TIMED, found.timed), (OVER_SCRATCHED, found.torn), (CUT_OFF, found.cut_off)


def _clear(reading: FieldReading) -> str | None:
    """The text of a sure field: the answer that was asked for on the command line, printed and not kept."""
    return "".join(c.best.glyph for c in reading.chars) if reading.state is FieldState.READ else None


def _codes_only(picture: Colour) -> dict[str, Any]:
    """No card to be seen (a photograph of a symbol, a printed e-mail): barcodes alone."""
    return {
        "medium": None,
        **_codes(search_codes(grey(picture))),
        "number": None,
        "pin": None,
        "pin_state": str(PanelState.NONE),
        "pin_legible": None,
        "expiry": None,
        "expiry_printed": str(Printed.UNREAD),
        "face_value": None,
        "currency": None,
        "batch": None,
        "region": None,
        "quad": None,
        "confidence": {"number": 0.0, "pin": 0.0},
    }


def _codes(hits: Iterable[Hit]) -> dict[str, Any]:
    found = tuple(hits)
    warnings = [TIMED] if timed_texts(found) else []
    return {"barcodes": [_code(b) for b in distinct(found)], "gtin": gtin(found), "warnings": warnings}


def _code(barcode: Barcode) -> dict[str, Any]:
    """A symbol; one that holds for a short time is marked."""
    timed = kind_of(barcode.text, symbology_of(barcode.format)) is CodeKind.TIMED
    return {"format": barcode.format, "text": barcode.text, **({"timed": True} if timed else {})}


Tell = Callable[[Trouble, TextIO], None]
"""How trouble is put into words for whoever reads the second stream."""


def plainly(trouble: Trouble, err: TextIO) -> None:
    """Its code and detail, for who knows no better words."""
    err.write(f"{trouble}\n")


@contextmanager
def kept_to_one(name: str) -> Iterator[None]:
    """While one picture of many is read: what fails over it, and is no trouble known, as one. Raises Trouble."""
    try:
        yield
    except Trouble:
        raise
    except Exception as bug:
        log.exception("a bug over one picture")  # its type and places: what it says may quote the picture
        raise Trouble("reading.failed", f"{name}: {type(bug).__name__}") from bug


def run_read(
    paths: Iterable[Path], catalogue: Catalogue, out: TextIO, err: TextIO, threads: int = 1, tell: Tell = plainly
) -> int:
    """Read each file, one JSON line each; one that cannot be read gets an error object and the others are read.

    Exit status: 0, 2 where a file is no picture, 1 where only the reader failed over one.
    """
    try:
        looker = make_looker(catalogue, threads)
    except Trouble as trouble:
        tell(trouble, err)
        return trouble.exit_code
    status = 0
    for path in paths:
        try:
            with kept_to_one(Path(path).name):
                answer = read_file(Path(path), looker, catalogue)
        except Trouble as trouble:
            tell_unread(path, trouble, out, err, tell)
            status = max(status, trouble.exit_code)
        else:
            _write(answer, out)
    return status


def tell_unread(path: Path, trouble: Trouble, out: TextIO, err: TextIO, tell: Tell = plainly) -> None:
    """The line of a file that could not be read, and the words for whoever reads the second stream."""
    _write({"file": Path(path).name, "error": {"code": trouble.code, "detail": trouble.detail}}, out)
    tell(trouble, err)


def _write(answer: dict[str, Any], out: TextIO) -> None:
    out.write(json.dumps(answer, ensure_ascii=False) + "\n")
    out.flush()
