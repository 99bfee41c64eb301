"""Every code that can reach an operator has words in both languages, with all three parts."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

from app.core.cards import CardState, Guidance
from app.core.effects import Sound
from app.core.events import Device
from app.core.parcels import Reason
from app.core.readiness import Level
from app.core.states import Notice
from hardware.errors import DeviceReason
from ui import texts
from ui.texts import troubles, words

WORDS = words()
TROUBLES = troubles()

ROOT = Path(__file__).resolve().parents[2]
_RAISED = re.compile(
    r"\b(?:\w*Trouble|\w*Error|BadInput|Unavailable|Refusal|Fault|Faulted|SaveFailed|FontMissing)"
    r"\(\s*\"([a-z_]+\.[a-z0-9_-]+)\""
)
_NOTICED = re.compile(r"\bNotice\(\s*\"([a-z.-]+)\"")
_LOST = re.compile(r"\b(?:DeviceLost|RecordingCut|Paused)\([^)]*?\"([a-z_]+\.[a-z0-9_-]+)\"")
_NO_CODE = re.compile(r".*\.(lock|toml|db|py|json|mp4)$")


def _sources() -> list[tuple[Path, str]]:
    return [(p, p.read_text("utf-8")) for room in ("app", "hardware") for p in sorted((ROOT / room).rglob("*.py"))]


def _codes(pattern: re.Pattern[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path, text in _sources():
        for code in pattern.findall(text):
            if not _NO_CODE.match(code):
                found.setdefault(code, str(path.relative_to(ROOT)))
    return found


def test_every_trouble_in_the_tree_has_words() -> None:
    codes = _codes(_RAISED) | _codes(_LOST)
    assert codes, "the pattern no longer finds anything"
    assert {c: where for c, where in codes.items() if not texts.has_trouble(c)} == {}


def test_every_notice_in_the_tree_has_words() -> None:
    codes = _codes(_NOTICED)
    assert codes
    assert {c: w for c, w in codes.items() if f"notice.{c}" not in WORDS and not texts.has_trouble(c)} == {}


@pytest.mark.parametrize("code", sorted(TROUBLES))
def test_trouble_says_what_happened_what_to_do_and_what_was_kept(code: str) -> None:
    for language in texts.LANGUAGES:
        told = texts.trouble(code, language)
        assert told.title
        assert 1 <= len(told.do) <= 3
        assert all(told.do)
        assert told.kept
        assert "{" not in told.plain()
        assert told.plain().count("*") == 0
    assert texts.trouble(code, "zh") != texts.trouble(code, "en")


def test_every_device_reason_has_words() -> None:
    for device in ("camera", "nfc", "scanner", "device"):
        for reason in DeviceReason:
            assert texts.has_trouble(f"{device}.{reason.value}"), f"{device}.{reason.value}"


def test_unknown_code_is_told_as_a_fault() -> None:
    assert texts.trouble("nobody.knows", "zh").title == texts.trouble("program.fault", "zh").title


def test_unknown_device_takes_the_words_for_any_device() -> None:
    assert "断开" in texts.trouble("scale.lost", "zh").title


@pytest.mark.parametrize(
    ("prefix", "names"),
    [
        ("reason", [r.value for r in Reason]),
        ("slot", [s.value for s in CardState]),
        ("level", [level.value for level in Level]),
    ],
)
def test_every_member_has_a_word(prefix: str, names: list[str]) -> None:
    assert [n for n in names if f"{prefix}.{n}" not in WORDS] == []


def test_languages_ask_for_the_same_numbers() -> None:
    def fields(text: str) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(text) if name}

    assert {k: v for k, v in WORDS.items() if fields(v[0]) != fields(v[1])} == {}
    assert [k for k, (zh, en) in WORDS.items() if not zh or not en] == []


def test_chinese_uses_full_width_punctuation() -> None:
    chinese = re.compile(r"[\u4e00-\u9fff]\s?[,:;?!](?!\w)|[,:;?!]\s?[\u4e00-\u9fff]")
    tables = {k: v[0] for k, v in WORDS.items()}
    tables |= {k: " ".join((v["zh"].title, *v["zh"].do)) for k, v in TROUBLES.items()}
    assert {k: t for k, t in tables.items() if chinese.search(t)} == {}


def test_english_holds_no_chinese() -> None:
    assert [k for k, (_, en) in WORDS.items() if re.search(r"[\u4e00-\u9fff]", en)] == []


def test_titles_avoid_empty_words() -> None:
    empty = ("系统", "请稍候", "操作成功", "错误代码")
    assert [c for c, v in TROUBLES.items() if any(w in v["zh"].title for w in empty)] == []


def test_notice_fills_its_numbers() -> None:
    assert "2106" in texts.notice(Notice("card.taken-before", (("last4", "2106"),)), "en")
    assert texts.notice(Notice("code.is-product"), "zh") != texts.notice(Notice("code.is-product"), "zh", at_work=True)


def test_locale_names_are_understood() -> None:
    assert texts.say("cap.space", "zh_CN") == "空格"
    assert texts.say("cap.space", "en-GB") == "Space"


def test_both_languages_are_there_and_nothing_else() -> None:
    assert [c for c, v in TROUBLES.items() if set(v) != set(texts.LANGUAGES)] == []


def test_every_device_and_guidance_is_known() -> None:
    assert len(Device) == 7
    assert len(Guidance) == 9
    assert len(Sound) == 9
