"""A dossier's page for people, in Chinese and English: what was filmed, what is covered or not there, what happened."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from app.evidence.ledger import Ledger, Piece

_WORDS = {
    "zh": (
        *("开箱录像证据包", "录像", "工位公钥", "画面", "秒", "空档", "遮挡", "事件", "校验", "演练，不是真实证据"),
        *("另一台相机同时的录像", "不在包里", "画面没有给出的录像", "记录在", "帧", "缺"),
    ),
    "en": (
        *("Dossier of an unboxing recording", "Recording", "Station key", "Pictures", "s", "Gap", "Masked", "Event"),
        *("Verify", "A rehearsal, no real evidence", "Filmed meanwhile by the other camera", "not in this dossier"),
        *("A recording whose pictures are withheld", "its records are in", "frames", "missing"),
    ),
}
_CAMERAS = {"zh": {"overhead": "俯拍", "label": "面单"}, "en": {"overhead": "overhead", "label": "label"}}
_WHY = {
    "zh": {
        "evidence.no_pictures": "这段时间没有画面",
        "footage.gone": "画面已按期删除",
        "footage.damaged": "文件损坏或缺失",
        "footage.may_show_pin": "可能露出卡密",
    },
    "en": {
        "evidence.no_pictures": "it filmed nothing in this time",
        "footage.gone": "its pictures were removed in due time",
        "footage.damaged": "files of it are damaged or missing",
        "footage.may_show_pin": "it may show a PIN",
    },
}
_LOOKED = {
    "zh": {
        "checked": "漏密检查：这些画面逐段读过，没有发现卡密",
        "judged": "漏密检查：录像里有疑似卡密，主管判定不是",
        "unchecked": "漏密检查：这些画面还没有检查过，可能露出卡密",
    },
    "en": {
        "checked": "Leak check: these pictures were read for PINs, and none was found",
        "judged": "Leak check: something like a PIN was seen in the recording; a supervisor ruled that it is none",
        "unchecked": "Leak check: NOT done on these pictures yet; they may show a PIN",
    },
}
REASONS = {
    "recorder_restarted": ("录像程序重启", "the recorder was restarted"),
    "no_pictures": ("没有画面", "there were no pictures"),
    "camera_lost": ("相机断开", "the camera was unplugged"),
    "camera_stalled": ("相机没有送画面", "the camera sent no picture"),
    "camera_frozen": ("画面不动", "the picture stood still"),
    "camera_black": ("画面全黑", "the picture was black"),
    "camera_changed": ("换了相机，或相机重新打开", "another camera, or the same one opened anew"),
    "camera_ended": ("影片放完", "the film had ended"),
    "camera_off": ("相机关闭", "the camera was off"),
    "camera": ("没有及时取到相机的画面", "not fetched from the camera in time"),
    "memory": ("磁盘太慢，内存放不下", "the disk was too slow and memory full"),
    "disk": ("磁盘写不进去", "the disk refused them"),
    "unreadable": ("画面读不出来", "they could not be read"),
    "fields": ("卡号、卡密等字段", "the secret fields"),
    "card": ("整张卡面", "the card's whole face"),
    "moving": ("卡在动", "the card moved"),
    "passing": ("卡正在放上或拿走", "a card came or went"),
    "unclear": ("看不准卡在哪里", "where the card lay was not clear"),
    "silent": ("识别程序没有回话", "the reading program said nothing"),
}
"""What the chain's words for a gap, for missing frames and for a cover mean: Chinese, English."""

_EVENTS = {
    "card.kept": ("一张卡已存好", "a card was kept"),
    "count.shot": ("清点留影", "the counting picture"),
    "chip.begin": ("开始停用芯片", "switching a chip off began"),
    "chip.end": ("停用芯片结束", "switching a chip off ended"),
    "chip.punch": ("打孔", "a chip was punched"),
    "chip.destroyed": ("芯片已毁", "a chip was destroyed"),
    "label.seen": ("看到面单", "the label was seen"),
    "camera.controls": ("相机的曝光等设定", "what the camera is held at"),
    "recording.beside": ("另一台相机开始录", "the other camera began"),
    "recording.beside-cut": ("另一台相机断开", "the other camera was cut off"),
    "recording.beside-resumed": ("另一台相机恢复", "the other camera went on"),
}


def summaries(
    ledger: Ledger, pieces: Sequence[Piece], facts: Mapping[str, Any], lines: Sequence[bytes]
) -> dict[str, str]:
    """File name -> text, of what goes into a dossier: `pieces` of the recording, its `facts` and its records."""
    records = [json.loads(line) for line in lines]
    return {f"summary.{language}.txt": _summary(language, ledger, pieces, facts, records) for language in _WORDS}


def _summary(
    language: str, ledger: Ledger, pieces: Sequence[Piece], facts: Mapping[str, Any], records: list[dict[str, Any]]
) -> str:
    title, recording, key, pictures, second, _, _, _, verify, rehearsal, *_, frames, _ = _WORDS[language]
    genesis, shown = ledger.genesis, [piece for piece in pieces if piece.frames]
    began = datetime.fromtimestamp(int(genesis["wall_us"]) / 1e6, UTC).isoformat(timespec="seconds")
    camera = _CAMERAS[language].get(ledger.role, "")
    rows = [title, "", f"{recording}: {genesis['recording']} ({camera})  {began}", f"{key}: {genesis['station_key']}"]
    rows += [rehearsal] if genesis["rehearsal"] or genesis["simulated"] else []
    span = f"{shown[0].first_pts / 1e6:.3f} – {shown[-1].last_pts / 1e6:.3f} {second}"
    rows.append(f"{pictures}: {span}, {sum(piece.frames for piece in shown)} {frames}")
    rows.append(_LOOKED[language][facts["leak_check"]])
    rows += [_about_other(language, one) for one in facts.get("beside", ())]
    rows += [row for record in records if (row := _about(language, record))]
    return "\n".join([*rows, "", f"{verify}: python verify.py dossier.zip", ""])


def _about(language: str, record: Mapping[str, Any]) -> str:
    """A gap, missing frames, a cover or an event; "" for any other record."""
    *_, gap, masked, event, _, _, _, _, _, _, frames, missing = _WORDS[language]
    second = _WORDS[language][4]
    match record["kind"]:
        case "gap" | "mask" | "missed" as kind:
            times = f"{record['from_pts'] / 1e6:.3f} – {record['to_pts'] / 1e6:.3f} {second}"
            count = f"{missing} {record['frames']} {frames}  " if kind == "missed" else ""
            return f"{masked if kind == 'mask' else gap}: {times}  {count}{_said(language, REASONS, record['reason'])}"
        case "event":
            at_us = record["body"].get("t_video_us")
            time = "" if at_us is None else f"{at_us / 1e6:.3f} {second}  "
            return f"{event}: {time}{_said(language, _EVENTS, record['event'])}"
    return ""


def _said(language: str, words: Mapping[str, tuple[str, str]], word: str) -> str:
    """In plain words, with the chain's own behind them; a word that is not known stands alone."""
    known = words.get(word)
    return word if known is None else f"{known[list(_WORDS).index(language)]} ({word})"


def _about_other(language: str, one: Mapping[str, Any]) -> str:
    """Where the other camera's recording lies, and how much its time is ahead of this one's; or why its pictures are
    not here.
    """
    *_, second, _, _, _, _, _, other, absent, withheld, records_in, _, _ = _WORDS[language]
    camera = _CAMERAS[language].get(one["camera"], one["camera"])
    why = _WHY[language].get(one["why"], one["why"])
    if one["folder"] and one["why"]:
        return f"{withheld} ({camera}): {one['recording']}  {why}; {records_in} {one['folder']}/"
    where = f"{one['folder']}/  {one['shift_us'] / 1e6:+.3f} {second}" if one["folder"] else f"{absent}: {why}"
    return f"{other} ({camera}): {one['recording']}  {where}"
