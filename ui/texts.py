"""Every text an operator sees, by code and language. No Qt here: the command line uses it too.

`say` gives a word of a screen, `trouble` what happened, what to do and what was kept, `notice` one line for the clerk.
Languages are "zh" and "en"; longer names ("zh_CN", "en-GB") are shortened.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.core.states import Notice
from ui import troubles, troubles_files
from ui.troubles import Pair
from ui.words import WORDS

LANGUAGES = ("zh", "en")

TROUBLES: dict[str, Pair] = {
    **troubles.CAMERA,
    **troubles.DEVICES,
    **troubles.STORE,
    **troubles.PROGRAMS,
    **troubles.CENTRE,
    **troubles_files.INPUT,
    **troubles_files.SETTINGS,
    **troubles_files.DECK,
    **troubles_files.EVIDENCE,
}
"""All troubles: code → (Chinese, English)."""

_UNKNOWN = "program.fault"


@dataclass(frozen=True, slots=True)
class TroubleText:
    """What happened (`title`, the cause), what to do (1-3 acts), what was kept. `**word**` marks what is bold."""

    title: str
    do: tuple[str, ...]
    kept: str

    def plain(self) -> str:
        """All of it in one line without marks, for the terminal."""
        acts = " ".join(f"{n}. {act}" for n, act in enumerate(self.do, 1))
        return f"{self.title}. {acts} {self.kept}".replace("**", "")


def language_of(name: str) -> str:
    """ "zh" for every Chinese locale name, else "en"."""
    return "zh" if name.lower().startswith("zh") else "en"


def _column(language: str) -> int:
    return 0 if language_of(language) == "zh" else 1


def say(key: str, language: str, /, **values: object) -> str:
    """The word for `key`, its numbers filled in. Raises KeyError for a key that has no words."""
    text = WORDS[key][_column(language)]
    return text.format(**values) if values else text


def knows(key: str) -> bool:
    return key in WORDS


def trouble(code: str, language: str) -> TroubleText:
    """What to tell about a trouble code. An unknown code is told as a fault of the program, never left unsaid."""
    found = TROUBLES.get(code) or TROUBLES.get(f"device.{code.rpartition('.')[2]}") or TROUBLES[_UNKNOWN]
    text = found[_column(language)]
    return TroubleText(text.title, text.do, text.kept)


def has_trouble(code: str) -> bool:
    """True when `code` has words of its own."""
    return code in TROUBLES


def notice(note: Notice, language: str, at_work: bool = False) -> str:
    """One line for the clerk: a notice, or the title and first act of a trouble. `at_work`: a parcel is open."""
    values = dict(note.args)
    key = f"notice.{note.code}"
    if at_work and f"{key}.work" in WORDS:
        return say(f"{key}.work", language, **values)
    if key in WORDS:
        return say(key, language, **values)
    told = trouble(note.code, language)
    join = "：" if language_of(language) == "zh" else ". "
    return f"{told.title}{join}{told.do[0]}".replace("**", "")


def ordinal_list(glyphs: tuple[str, ...], language: str) -> str:
    """ "8 还是 3", "8, B or 3": the way a choice is spoken."""
    if len(glyphs) < 2:
        return "".join(glyphs)
    head = say("prompt.list", language).join(glyphs[:-1])
    return head + say("prompt.or", language) + glyphs[-1]
