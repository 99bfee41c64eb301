"""Cards of rarer kinds: printed upright, with batch number and region, with other forms of dates and amounts."""

from __future__ import annotations

import calendar
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from app.core.products import Box, Layout
from app.rehearsal.camera import Pose
from app.rehearsal.cards import CardPlan, print_back
from app.rehearsal.content import random_expiry
from app.rehearsal.dice import between, chance, pick, stream
from app.rehearsal.improvise import improvise_card
from app.rehearsal.labels import card_labels
from app.rehearsal.pictures import TIERS, placing, scene, through_lens

Pixels = npt.NDArray[Any]

_AMOUNTS = (
    *(("{}元", "CNY"), ("¥{}", "CNY"), ("面值:{}元", "CNY"), ("RMB {}", "CNY"), ("储值金额 ¥{}", "CNY")),
    *(("¥{}.00", "CNY"), ("${}", "USD"), ("US${}", "USD"), ("HK${}", "HKD"), ("VALUE ${}", "USD")),
)
_VALUES = (10, 20, 25, 50, 100, 150, 200, 500, 1000, 2000)
_REGIONS = (
    *(("仅限中国大陆使用", "CN"), ("全国门店通用", "CN"), ("仅限广东省内使用", "CN-GD"), ("限上海地区使用", "CN-SH")),
    *(("Valid in USA only", "US"), ("仅限香港地区使用", "HK"), ("Region: Japan only", "JP"), ("", None), ("", None)),
)
_BATCH_WORDS = ("批号:{}", "批次号 {}", "Batch No. {}", "LOT {}", "")
_FOREVER = ("长期有效", "永久有效", "No expiry date")


@dataclass(frozen=True)
class Notes:
    """What the rarer fields of a card say; `expiry_printed` is "read" or "none"."""

    batch: str | None
    region: str | None
    currency: str
    expiry_printed: str


def render_rare_picture(seed: int, tier: str, upright: bool = False) -> tuple[Pixels, dict[str, Any]]:
    """A card of a rarer kind under the camera: picture and labels as `render_card_picture` gives them.

    Further labels: `batch`, `region` (ISO 3166), `currency` (ISO 4217), `expiry_printed` ("read" or "none"). Upright
    cards lie in any of the four directions. Raises KeyError for an unknown tier, FontMissing.
    """
    rules, rng = TIERS[tier], stream(seed, "rare", tier)
    size = (1920, 1080) if chance(rng, rules.full_hd) else (1280, 720)
    plan, notes = _rare(rng, improvise_card(int(rng.integers(2**53))).plan, upright)
    printed = print_back(plan)
    camera, pose = placing(rng, rules, size)
    if upright:
        pose = Pose(pose.x, pose.y, pose.turn + pick(rng, (-np.pi / 2, np.pi / 2)))
    glare = chance(rng, rules.glare)
    picture, optics = through_lens(rng, rules, scene(rng, rules, camera, pose, printed, glare))
    labels = {**card_labels(plan, printed, camera, pose), **notes.__dict__, "tier": tier, "upright": upright, **optics}
    return picture, labels


def _rare(rng: np.random.Generator, plan: CardPlan, upright: bool) -> tuple[CardPlan, Notes]:
    form, currency = pick(rng, _AMOUNTS)
    units = pick(rng, _VALUES)
    text, day, state = _expiry(rng)
    region_text, region = pick(rng, _REGIONS)
    batch = f"{rng.integers(2021, 2027)}{rng.integers(1, 13):02d}{rng.integers(100):02d}"
    batch_word = pick(rng, _BATCH_WORDS)
    lines = tuple(line for line in (batch_word.format(batch), region_text) if line)
    amount = form.format(f"{units:,}" if chance(rng, 0.3) else units)
    words = replace(plan.words, value=amount, expiry=text, notes=lines, terms=plan.words.terms[: 0 if upright else 3])
    content = replace(plan.content, face_value_yuan=units, expiry=day)
    notes = Notes(batch if batch_word else None, region, currency, state)
    plan = replace(plan, words=words, content=content, notes_at=_notes_at(plan))
    return (_stood_up(rng, plan) if upright else plan), notes


def _notes_at(plan: CardPlan) -> tuple[float, float]:
    """Beside the title, above everything else."""
    return 34.0, (12.4 if plan.style.stripe else 3.4)


def _expiry(rng: np.random.Generator) -> tuple[str, date | None, str]:
    """The words, the day they mean, and whether one is printed at all."""
    day = random_expiry(rng)
    last = date(day.year, day.month, calendar.monthrange(day.year, day.month)[1])
    kind = int(rng.integers(9))
    if kind == 0:
        return "", None, "none"
    if kind == 1:
        return pick(rng, _FOREVER), None, "none"
    forms = (
        (f"有效期至{day.year}年{day.month}月{day.day}日", day),
        (f"有效期:{day:%Y.%m.%d}", day),
        (f"EXP {day:%Y/%m/%d}", day),
        (f"VALID THRU {day:%m/%y}", last),
        (f"Expires {day:%d} {calendar.month_abbr[day.month].upper()} {day.year}", day),
        (f"使用期限 {day.year - 3}-01-01至{day:%Y-%m-%d}", day),
        (f"截止日期 {day:%Y-%m-%d}", day),
    )
    text, means = forms[kind - 2]
    return text, means, "read"


def _stood_up(rng: np.random.Generator, plan: CardPlan) -> CardPlan:
    """The same fields below each other on a card of 54 mm width, with their captions above them."""
    glyph, content = between(rng, 2.2, 2.8), plan.content
    pin_w = min(glyph * 0.86 * (len(content.pin) + len(content.pin_groups)), 40.0)
    panel_w = min(pin_w + 6.0, 46.0)
    number = Box(4.0, 27.0, 46.0, glyph / 0.86)
    panel = Box(4.0, 37.0, panel_w, glyph / 0.86 + 3.4)
    layout = Layout(
        number=None if plan.layout.number is None else number,
        panel=panel,
        pin=Box(4.0 + (panel_w - pin_w) / 2, 37.0 + 1.7, pin_w, glyph / 0.86),
        expiry=Box(4.0, 46.5, 40.0, 2.2),
        face_value=Box(4.0, 50.5, 40.0, 3.6),
        barcode=Box(6.0, 66.0, 32.0, 10.0),
    )
    codes: tuple[Box, ...] = (Box(6.0, 66.0, 32.0, 10.0), Box(38.0, 55.0, 11.0, 11.0))
    if len(content.barcodes) > 1 and content.barcodes[1].format != "QRCode":
        content, codes = replace(content, barcodes=content.barcodes[:1]), codes[:1]
    return replace(
        plan, content=content, layout=layout, code_boxes=codes, upright=True, terms_at=(4.0, 79.0), notes_at=(4.0, 57.0)
    )
