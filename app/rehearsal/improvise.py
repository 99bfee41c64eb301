"""Cards of pure chance: brands, colours, layouts, patterns and alphabets that are in no catalogue.

A reader measured only on the catalogue's products would look better than it is; these are for the honest figure.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace

import numpy as np

from app.core.products import Box, CheckDigit, FieldPattern, Layout
from app.rehearsal.cards import CardPlan, CardStyle, CardWords, Colour
from app.rehearsal.content import ALPHABETS, PIN_STATES, Barcode, CardContent, draw_value, random_expiry, random_gtin
from app.rehearsal.dice import between, chance, pick, stream
from app.rehearsal.panel import MARKS, UNDER_MARKS

TIERS = ("easy", "typical", "hard")
LAYOUTS = ("num_panel_bar", "bar_right", "panel_num_bar")

_TITLES = (
    *("云栖便利", "星野商城", "禾风咖啡", "东屿百货", "蓝鲸充能", "悦途出行", "汇禾通卡", "天穹影城", "竹影书店"),
    *("银杏茶社", "松果游戏", "海蓝生活", "NOVA PLAZA", "OrangeTrail", "Maple & Co", "Blue Harbor", "PixelForge"),
    *("Green Pantry", "Sunny Petrol", "Lumen Mobile"),
)
_NUMBER_LABELS = ("卡号:", "卡号", "NO.", "Card No.", "")
_PIN_LABELS = ("密码:", "卡密", "兑换码:", "充值密码", "PIN:", "")
_VALUES = (50, 100, 200, 300, 500, 1000)
_VALUE_WORDS = ("面值 ¥{}", "面额:{}元", "¥{}", "Value RMB {}")
_EXPIRY_WORDS = ("有效期至 {}", "EXP {}")
_TERMS = ("1. 本卡不记名、不挂失,请妥善保管。", "2. 刮开涂层获取密码,登录官网充值使用。")
_STATE_ODDS = {"clean": 0.5, "residue": 0.24, "over": 0.1, "partial": 0.07, "covered": 0.09}
_ANY_STATE_ODDS = {
    **{"clean": 0.36, "residue": 0.18, "over": 0.1, "cleared": 0.08},
    **{"partial": 0.12, "patchy": 0.06, "covered": 0.05, "marked": 0.05},
}


@dataclass(frozen=True)
class Improvised:
    """A plan of chance with the words the label file uses for it."""

    plan: CardPlan
    angle_style: str


def improvise_card(seed: int, pin_state: str = "", any_panel: bool = False) -> Improvised:
    """A random card; `pin_state` fixes the state of its panel (one of PANEL_STATES), "" leaves it to chance.

    `any_panel`: coats and papers of all colours, faint ones too, and all of PANEL_STATES, instead of grey on white.
    """
    rng = stream(seed, "improvise")
    kind = pick(rng, LAYOUTS)
    stripe = chance(rng, 0.25)
    content, number_printed = _content(rng)
    layout, code_boxes, terms_at = _layout(rng, kind, stripe, content)
    if not number_printed:
        layout = Layout(**{name: getattr(layout, name) for name in ("panel", "pin", "expiry", "face_value", "barcode")})
    state = pin_state or str(rng.choice(PIN_STATES, p=[_STATE_ODDS[name] for name in PIN_STATES]))
    plan = CardPlan(seed, content, _style(rng, stripe), _words(rng, content), layout, code_boxes, terms_at, state)
    return Improvised(_with_any_panel(plan, pin_state) if any_panel else plan, kind)


def _with_any_panel(plan: CardPlan, pin_state: str) -> CardPlan:
    """The same card with a panel drawn from a wider world."""
    rng, style = stream(plan.seed, "any-panel"), plan.style
    state = pin_state or str(rng.choice(tuple(_ANY_STATE_ODDS), p=tuple(_ANY_STATE_ODDS.values())))
    tinted = _colour(between(rng, 0, 1), between(rng, 0.03, 0.22), between(rng, 0.72, 0.96))
    under = pick(rng, (style.under, style.under, tinted, _near(rng, style.ground, 14)))
    mark = pick(rng, (*UNDER_MARKS, "", "hatch"))
    share = between(rng, 0.1, 0.92) if state == "partial" else None
    return replace(
        plan,
        style=replace(style, coat=_coat(rng, style), under=_light(under), under_mark=mark),
        pin_state=state,
        open_share=share,
    )


def _coat(rng: np.random.Generator, style: CardStyle) -> Colour | None:
    """The colour of a scratch layer: grey, near the card's own colour, silver, dark, gold or any."""
    grey = between(rng, 60, 225)
    return pick(
        rng,
        (
            None,
            None,
            _near(rng, style.ground, 22),
            _near(rng, style.ground, 22),
            (round(grey), round(grey), round(grey)),
            _colour(between(rng, 0.05, 0.14), between(rng, 0.2, 0.55), between(rng, 0.55, 0.85)),
            _colour(between(rng, 0, 1), between(rng, 0.1, 0.7), between(rng, 0.3, 0.85)),
        ),
    )


def _near(rng: np.random.Generator, colour: Colour, most: float) -> Colour:
    """A colour that differs by a few levels, lighter or darker."""
    step = pick(rng, (-1, 1)) * between(rng, 7, most)
    blue, green, red = (int(np.clip(v + step + between(rng, -4, 4), 8, 250)) for v in colour)
    return blue, green, red


def _light(paper: Colour) -> Colour:
    """Paper light enough for dark print."""
    lack = max(0, 150 - min(paper))
    return min(255, paper[0] + lack), min(255, paper[1] + lack), min(255, paper[2] + lack)


def _content(rng: np.random.Generator) -> tuple[CardContent, bool]:
    check = CheckDigit.LUHN if chance(rng, 0.4) else CheckDigit.NONE
    number_length = int(rng.choice((13, 14, 15, 16, 16, 16, 17, 18, 19, 20)))
    number = draw_value(rng, FieldPattern(ALPHABETS["digits"], (number_length,), check=check))
    alphabet = str(rng.choice(("digits", "unambiguous", "full"), p=(0.5, 0.3, 0.2)))
    pin = draw_value(rng, FieldPattern(ALPHABETS[alphabet], (int(rng.choice((6, 8, 8, 10, 12, 14, 16, 16, 18))),)))
    gtin = random_gtin(rng, 12 if chance(rng, 0.13) else 13)
    codes = [Barcode("UPCA" if len(gtin) == 12 else "EAN13", gtin)]
    printed = chance(rng, 0.94)
    if chance(rng, 0.28) or not printed:
        codes.append(Barcode("Code128", number))
    elif chance(rng, 0.12):
        token = "".join(pick(rng, ALPHABETS["full"]) for _ in range(12))
        codes.append(Barcode("QRCode", f"https://card.example/a?id={token}"))
    content = CardContent(
        number=number,
        pin=pin,
        number_groups=_groups(rng, number_length),
        pin_groups=_groups(rng, len(pin)),
        barcodes=tuple(codes),
        gtin=gtin,
        face_value_yuan=pick(rng, _VALUES),
        expiry=random_expiry(rng) if chance(rng, 0.85) else None,
        pin_alphabet=ALPHABETS[alphabet],
    )
    return content, printed


def _groups(rng: np.random.Generator, length: int) -> tuple[int, ...]:
    """Fours, or all in one."""
    return FieldPattern("", (length,)).groups(length) if chance(rng, 0.72) else (length,)


def _colour(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = (round(c * 255) for c in colorsys.hsv_to_rgb(hue % 1.0, saturation, value))
    return blue, green, red


def _style(rng: np.random.Generator, stripe: bool) -> CardStyle:
    hue, dark = between(rng, 0, 1), chance(rng, 0.3)
    depth = between(rng, 0.25, 0.5) if dark else between(rng, 0.82, 0.99)
    strength = between(rng, 0.3, 0.75) if dark else between(rng, 0.02, 0.26)
    angle = between(rng, 0, 2 * np.pi)
    far_hue, far_depth = hue + between(rng, -0.12, 0.12), depth * between(rng, 0.86, 1.0)
    return CardStyle(
        ground=_colour(hue, strength, depth),
        ground_far=_colour(far_hue, strength * between(rng, 0.8, 1.3), far_depth),
        ink=_colour(hue, 0.06, 0.95) if dark else _colour(hue, 0.5, 0.16),
        title_ink=_colour(hue + between(rng, 0.2, 0.8), 0.55, 0.9 if dark else 0.55),
        title_face=pick(rng, ("sans-bold", "serif-bold", "sans")),
        stripe=stripe,
        number_style=str(
            rng.choice(("mono", "sans", "emboss", "dot", "ocr", "thermal"), p=(0.32, 0.24, 0.13, 0.12, 0.13, 0.06))
        ),
        pin_style=str(
            rng.choice(("mono", "light", "dot", "ocr", "thermal", "sans"), p=(0.42, 0.18, 0.16, 0.12, 0.06, 0.06))
        ),
        mark=pick(rng, MARKS),
        under=_colour(hue, between(rng, 0, 0.09), between(rng, 0.84, 0.96)),
        plate=_colour(hue, between(rng, 0, 0.06), between(rng, 0.9, 0.99)),
        foil=between(rng, 0, 0.8),
        light=(float(np.cos(angle)), float(np.sin(angle))),
        group_mark=pick(rng, (" ", " ", "-")),
    )


def _words(rng: np.random.Generator, content: CardContent) -> CardWords:
    expiry = "" if content.expiry is None else pick(rng, _EXPIRY_WORDS).format(content.expiry.isoformat())
    hotline = f"Terms: not redeemable for cash. 客服 400-000-{rng.integers(10000):04d}"
    return CardWords(
        title=pick(rng, _TITLES),
        subtitle="",
        number_label=pick(rng, _NUMBER_LABELS),
        pin_label=pick(rng, _PIN_LABELS),
        value=pick(rng, _VALUE_WORDS).format(content.face_value_yuan),
        expiry=expiry,
        terms=(*_TERMS, hotline),
    )


def _layout(
    rng: np.random.Generator, kind: str, stripe: bool, content: CardContent
) -> tuple[Layout, tuple[Box, ...], tuple[float, float]]:
    """Boxes of one of LAYOUTS with a little play, the places of the codes, and where the terms begin."""
    top = (11.6 if not stripe else 19.4) + between(rng, -0.4, 0.8)
    glyph, pin_glyph = between(rng, 2.3, 3.3), between(rng, 2.2, 3.1)
    right = kind == "bar_right"
    width = 41.0 if right else between(rng, 50, 58)
    left = between(rng, 11.5, 14.5)
    number_h, pin_h = glyph / 0.86, pin_glyph / 0.86
    panel_h = pin_h + between(rng, 2.8, 4.2)
    pin_w = min(pin_glyph * 0.86 * (len(content.pin) + len(content.pin_groups)), width - 6)
    panel_w = min(pin_w + between(rng, 4.5, 8), width)
    first, second = (panel_h, number_h) if kind == "panel_num_bar" else (number_h, panel_h)
    low = top + first + between(rng, 1.3, 2.2)
    number_y, panel_y = (low, top) if kind == "panel_num_bar" else (top, low)
    below = low + second + 1.6
    layout = Layout(
        number=Box(left, number_y, width, number_h),
        panel=Box(left, panel_y, panel_w, panel_h),
        pin=Box(left + (panel_w - pin_w) / 2, panel_y + (panel_h - pin_h) / 2, pin_w, pin_h),
        face_value=Box(60.0, (12.2 if stripe else 3.6), 22.0, 3.6),
        expiry=Box(4.4, below, 26.0, 2.2) if right else Box(60.0, (12.2 if stripe else 3.6) + 4.9, 22.0, 2.2),
        barcode=_code_box(rng, kind, top),
    )
    terms_at = (4.4, below + 3.6) if right else _terms_beside(layout.barcode)
    return layout, _code_boxes(layout.barcode, content, right), terms_at


def _code_box(rng: np.random.Generator, kind: str, top: float) -> Box:
    width, height = between(rng, 26, 36), between(rng, 8.5, 12)
    if kind == "bar_right":
        return Box(83.4 - min(width, 27.5), top + between(rng, 0.5, 1.5), min(width, 27.5), height)
    x = between(rng, 3.5, 6) if chance(rng, 0.5) else 82.5 - width
    return Box(x, 51.2 - height, width, height)


def _terms_beside(code: Box | None) -> tuple[float, float]:
    return (4.4, 43.8) if code is not None and code.x > 20 else (46.0, 43.8)


def _code_boxes(first: Box | None, content: CardContent, right: bool) -> tuple[Box, ...]:
    if first is None or len(content.barcodes) < 2:
        return () if first is None else (first,)
    if content.barcodes[1].format == "QRCode":
        side = 12.5
        x, y = (82.4 - side, first.y + first.h + 1) if right else (82.4 - side, first.y - side - 1)
        return first, Box(x, min(max(y, 17.0), 52.4 - side), side, side)
    width = min(27.5 if right else 36.0, 78 - first.w)
    if right:
        return first, Box(83.4 - width, first.y + first.h + 1.0, width, 9.0)
    return first, Box(82.4 - width if first.x < 20 else 3.5, first.y, width, first.h)
