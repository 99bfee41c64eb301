"""The learner: a template from three photographs of three cards, tried on a fourth; a command and a program.

    cardintake lesson       stdin: one line, a `LessonJob` as the eye's messages are written
                            stdout: Seen, then Taught (and Tried), or LessonFailed; one line each

The command line (`cardintake catalog learn`) and the program of the product screen go through the same `learn`. The
program ends when its stdin does. Nothing of a picture reaches the disk.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from app.catalog.importing import with_initials
from app.catalog.infer import Inferred
from app.catalog.templates import product_of
from app.catalog.writing import pattern_table, table_of, to_toml
from app.core.errors import BadInput, Trouble
from app.core.lessons import (
    CARD_MM,
    PHOTOGRAPHS,
    REGIONS,
    LessonFailed,
    LessonJob,
    LessonNews,
    Pattern,
    Region,
    Seen,
    StudiedCard,
    Taught,
    Tried,
    TriedField,
)
from app.core.products import Catalogue, Product
from app.eye import codec
from app.eye.oneshot import make_looker
from app.living import end_with_stdin
from app.platform import keep_memory_private, lower_priority
from app.vision.card.locate import locate
from app.vision.learn import Lesson, Study, learn, try_on
from app.vision.look import Looker
from app.vision.picture.pixels import Colour, Corners, load_picture
from app.vision.picture.rectify import rectify

NICE = 5
_SMALL = 480  # pixels: the longer side of a photograph as it is shown
_UPRIGHT = 1070  # pixels: the width of an upright card as it is shown
_QUALITY = 88


def product_to_learn(product_id: str, name_zh: str, name_en: str, category: str, rehearsal: bool) -> Product:
    """The product as far as a person knows it before anything is read. Raises BadInput("catalog.bad_template")."""
    names = {"id": product_id, "name_zh": name_zh, "name_en": name_en, "category": category, "number": "unknown"}
    return product_of("learn", with_initials(names), rehearsal)


def photographs_of(paths: Sequence[Path]) -> list[Colour]:
    """The pictures. Raises BadInput("learn.too_few"), and as `load_picture`."""
    if len(paths) < PHOTOGRAPHS:
        raise BadInput("learn.too_few", f"{len(paths)} of {PHOTOGRAPHS}")
    return [load_picture(path) for path in paths]


def template_of(lesson: Lesson) -> str:
    """The TOML text of a learned product, unconfirmed."""
    note = f"Learned from {len(lesson.studies)} photographs; to be confirmed by a person with cards in hand."
    return to_toml([table_of(lesson.product)], rehearsal=lesson.product.rehearsal, note=note)


def lesson_news(job: LessonJob, looker: Looker) -> Iterator[LessonNews]:
    """What there is to tell of a job, as it goes on."""
    try:
        pictures = photographs_of([Path(name) for name in job.photographs])
        trial = load_picture(Path(job.trial)) if job.trial else None
        yield Seen(tuple(_found(picture, at) for at, picture in enumerate(pictures)))
        known = product_to_learn("new-product", "—", "—", "", job.rehearsal)
        lesson = learn(pictures, looker, known, dict(job.drawn))
        yield _taught(lesson, pictures)
        if trial is not None:
            tried = try_on(trial, looker, lesson.product)
            yield Tried(
                tuple(TriedField(t.field, t.before, t.after, t.doubts_before, t.doubts_after, t.fits) for t in tried)
            )
    except Trouble as trouble:
        yield LessonFailed(trouble.code, trouble.detail)


def _found(picture: Colour, at: int) -> StudiedCard:
    corners = locate(picture).corners
    if corners is None:
        raise BadInput("learn.no_card", f"photograph {at + 1}")
    return _studied(picture, corners, ())


def _studied(picture: Colour, corners: Corners, regions: tuple[Region, ...]) -> StudiedCard:
    height, width = picture.shape[:2]
    scale = _SMALL / max(height, width)
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    card = rectify(picture, corners)
    ratio = _UPRIGHT / card.shape[1]
    upright = cv2.resize(card, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)
    quad = tuple((float(x) / width, float(y) / height) for x, y in corners)
    lies = card.shape[1] >= card.shape[0]
    size_mm = CARD_MM if lies else (CARD_MM[1], CARD_MM[0])
    return StudiedCard(_jpeg(np.asarray(upright, np.uint8)), _jpeg(np.asarray(small, np.uint8)), quad, regions, size_mm)


def _jpeg(picture: Colour) -> bytes:
    done, data = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))
    return bytes(data) if done else b""


def _taught(lesson: Lesson, pictures: Sequence[Colour]) -> Taught:
    layout = lesson.product.layout
    return Taught(
        tuple(_of_study(picture, study) for picture, study in zip(pictures, lesson.studies, strict=True)),
        tuple((name, box) for name in REGIONS if layout is not None and (box := getattr(layout, name)) is not None),
        _pattern(lesson.number),
        _pattern(lesson.pin),
        lesson.gtins,
        lesson.product.face_values_fen,
        template_of(lesson),
    )


def _of_study(picture: Colour, study: Study) -> StudiedCard:
    regions = tuple((name, study.boxes[name]) for name in REGIONS if name in study.boxes)
    return _studied(picture, study.look.corners, regions)


def _pattern(found: Inferred | None) -> Pattern | None:
    """A pattern without its fixed glyphs: these stand in the template only."""
    if found is None:
        return None
    pattern, named = found.pattern, pattern_table(found.pattern)
    alphabet = str(named.get("alphabet", "places"))
    findings = tuple((one.what, min(1_000_000, round(one.chance * 1e6))) for one in found.findings)
    return Pattern(pattern.lengths, alphabet, pattern.grouping, pattern.check.value, found.samples, findings)


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """No options: the job comes on stdin."""


def run(_args: argparse.Namespace) -> int:
    """Run the program. 2: no job on stdin."""
    keep_memory_private()
    lower_priority(NICE)
    try:
        job = codec.as_typed(LessonJob, json.loads(sys.stdin.readline()))
    except ValueError:
        return 2
    end_with_stdin()
    looker = make_looker(Catalogue(), job.threads)
    for news in lesson_news(job, looker):
        sys.stdout.write(json.dumps({"kind": type(news).__name__, "body": codec.as_plain(news)}) + "\n")
        sys.stdout.flush()
    return 0
