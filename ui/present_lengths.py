"""The question how many characters a field has: its whole readings, one a length, before any one character."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile

from app.core.asking import pattern_of
from app.core.cards import LINE
from app.core.products import FieldPattern
from app.core.states import Asking
from ui.scene import Scene
from ui.texts import ordinal_list
from ui.views import Chip, Tone
from ui.work_views import CardPrompt, WholeRow

_MOST_SHOWN = 4
"""So many characters of a secret are shown where its readings differ; with more of them all are dots."""

_DOT = "•"


def of_lengths(scene: Scene, state: Asking, base: CardPrompt) -> CardPrompt:
    """The whole readings as rows, best first, and the picture of the line they were read in."""
    question, field = state.question, state.question.field
    pattern = pattern_of(state.read, field, scene.catalogue)
    assert pattern is not None  # a field without a pattern is never asked about
    lengths = ordinal_list(tuple(str(way.length) for way in question.wholes), scene.language)
    texts = ["".join(char.best.glyph for char in way.whole.chars) for way in question.wholes]
    covered = dotted(texts) if field == "pin" else [""] * len(texts)
    rows = [
        WholeRow(
            key=str(i + 1),
            length=scene.say("length.chars", n=way.length),
            chip=_verdict(scene, way.check_holds) if pattern.check else None,
            percent=f"{round(way.whole.p * 100)}%" if len(texts) > 1 else "",
            text=_grouped(text, pattern),
            covered=_grouped(dots, pattern),
            picked=state.choice == i,
            open=way.check_holds,
        )
        for i, (way, text, dots) in enumerate(zip(question.wholes, texts, covered, strict=True))
    ]
    crop = next((c.png for c in state.read.crops if (c.field, c.position) == (field, LINE)), b"")
    word = "prompt.length" if len(texts) > 1 else "prompt.in-all"
    prompt = scene.say(f"{word}.{field}", lengths=lengths)
    return replace(base, prompt=prompt, help=scene.say(f"help.length.{field}"), crop=crop, wholes=tuple(rows))


def _verdict(scene: Scene, holds: bool) -> Chip:
    if holds:
        return Chip(Tone.OK, scene.say("check.holds"))
    return Chip(Tone.PLAIN, scene.say("check.fails"), "ban")


def dotted(texts: list[str]) -> list[str]:
    """The readings of a secret with dots for what they have in common at both ends."""
    ahead = _in_common(texts)
    rest = [text[ahead:] for text in texts]
    behind = _in_common([text[::-1] for text in rest])
    middles = [text[: len(text) - behind] for text in rest]
    if max(map(len, middles)) > _MOST_SHOWN:
        return [_DOT * len(text) for text in texts]
    return [_DOT * ahead + middle + _DOT * behind for middle in middles]


def _in_common(texts: list[str]) -> int:
    """How many characters all texts begin with alike."""
    columns = zip(*texts, strict=False)  # as far as the shortest goes
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))


def _grouped(text: str, pattern: FieldPattern) -> str:
    parts, at = [], 0
    for length in pattern.groups(len(text)) if text else ():
        parts.append(text[at : at + length])
        at += length
    return " ".join(parts)
