"""Every text an operator sees, by code and language. No Qt here: the command line uses it too.

`say` gives a word of a screen, `trouble` what happened, what to do and what was kept, `notice` one line for the clerk.
Languages are "zh" and "en"; longer names ("zh_CN", "en-GB") are shortened. The texts themselves are data:
`resources/translations/words.toml` and `troubles.toml`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache

from app.core.states import Notice
from app.paths import RESOURCES

LANGUAGES = ("zh", "en")

_UNKNOWN = "program.fault"
_FOLDER = RESOURCES / "translations"


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


@cache
def words() -> dict[str, tuple[str, str]]:
    """All words of the screens: key → (Chinese, English)."""
    table = tomllib.loads((_FOLDER / "words.toml").read_text("utf-8"))
    return {key: (str(zh), str(en)) for key, (zh, en) in table.items()}


@cache
def troubles() -> dict[str, dict[str, TroubleText]]:
    """All troubles: code → language → text."""
    table = tomllib.loads((_FOLDER / "troubles.toml").read_text("utf-8"))
    return {
        code: {language: TroubleText(text["title"], tuple(text["do"]), text["kept"]) for language, text in both.items()}
        for code, both in table.items()
    }


def say(key: str, language: str, /, **values: object) -> str:
    """The word for `key`, its numbers filled in. Raises KeyError for a key that has no words."""
    text = words()[key][LANGUAGES.index(language_of(language))]
    return text.format(**values) if values else text


def trouble(code: str, language: str) -> TroubleText:
    """What to tell about a trouble code. An unknown code is told as a fault of the program, never left unsaid."""
    known = troubles()
    found = known.get(code) or known.get(f"device.{code.rpartition('.')[2]}") or known[_UNKNOWN]
    return found[language_of(language)]


def has_trouble(code: str) -> bool:
    """True when `code` has words of its own."""
    return code in troubles()


def notice(note: Notice, language: str, at_work: bool = False) -> str:
    """One line for the clerk: a notice, or the title and first act of a trouble. `at_work`: a parcel is open."""
    values = dict(note.args)
    key = f"notice.{note.code}"
    if at_work and f"{key}.work" in words():
        return say(f"{key}.work", language, **values)
    for known in (key, note.code):
        if known in words():
            return say(known, language, **values)
    told = trouble(note.code, language)
    join = "：" if language_of(language) == "zh" else ". "
    return f"{told.title}{join}{told.do[0]}".replace("**", "")


def ordinal_list(glyphs: tuple[str, ...], language: str) -> str:
    """ "8 还是 3", "8, B or 3": the way a choice is spoken."""
    if len(glyphs) < 2:
        return "".join(glyphs)
    head = say("prompt.list", language).join(glyphs[:-1])
    return head + say("prompt.or", language) + glyphs[-1]
