"""Turns a product of the catalogue, or pure chance, into the plan of one card."""

from __future__ import annotations

from app.core.products import Box
from app.rehearsal.cards import CardPlan, CardWords
from app.rehearsal.content import Barcode, CardContent, draw_value, random_expiry, retail_barcode
from app.rehearsal.deck import DeckCard
from app.rehearsal.dice import pick, stream
from app.rehearsal.products import StudioProduct

TERMS_ZH = ("1. 本卡不记名、不挂失,请妥善保管。", "2. 刮开涂层获取密码,按卡背说明使用。", "样卡 仅供演练 SPECIMEN")
TERMS_EN = ("1. Not replaced if lost or stolen.", "2. Scratch to reveal the PIN.", "SPECIMEN for rehearsal only")

NUMBER_LABELS = {"zh": ("卡号:", "卡号", "NO."), "en": ("Card No.", "NO.")}
PIN_LABELS = {"zh": ("密码:", "卡密", "兑换码:"), "en": ("PIN:", "PIN")}


def plan_card(product: StudioProduct, card: DeckCard, seed: int) -> CardPlan:
    """The card of `product` as the deck wants it; number, PIN and expiry follow from `seed`."""
    content = product_content(product, seed)
    second = () if product.second_box is None else (product.second_box,)
    first: tuple[Box, ...] = () if product.layout.barcode is None else (product.layout.barcode,)
    return CardPlan(
        seed=seed,
        content=content,
        style=product.style.with_print(card.number_style, card.pin_style),
        words=_words(product, content, seed),
        layout=product.layout,
        code_boxes=first + second,
        terms_at=product.terms_at,
        pin_state=card.pin_state,
    )


def product_content(product: StudioProduct, seed: int) -> CardContent:
    """Random but valid print for one card of the product."""
    rng = stream(seed, "content", product.id)
    number, pin = draw_value(rng, product.number), draw_value(rng, product.pin)
    gtin = product.gtins[0] if product.gtins else None
    codes = [retail_barcode(gtin)] if gtin else []
    if product.second_code == "QRCode":
        codes.append(Barcode("QRCode", f"https://card.example/{product.id}?c={number}"))
    elif product.second_code:
        codes.append(Barcode(product.second_code, number))
    return CardContent(
        number=number,
        pin=pin,
        number_groups=product.number.groups(len(number)),
        pin_groups=product.pin.groups(len(pin)),
        barcodes=tuple(codes),
        gtin=gtin,
        face_value_yuan=pick(rng, product.face_values_yuan) if product.face_values_yuan else None,
        expiry=random_expiry(rng),
        pin_alphabet=product.pin.alphabet,
    )


def _words(product: StudioProduct, content: CardContent, seed: int) -> CardWords:
    rng, zh = stream(seed, "words"), product.language == "zh"
    value = content.face_value_yuan
    return CardWords(
        title=product.brand_zh if zh else product.brand_en,
        subtitle=f"{product.name_zh}  {product.name_en}" if zh else product.name_en,
        number_label=pick(rng, NUMBER_LABELS[product.language]),
        pin_label=pick(rng, PIN_LABELS[product.language]),
        value="" if value is None else (f"面值 ¥{value}" if zh else f"RMB {value}"),
        expiry="" if content.expiry is None else f"{'有效期至' if zh else 'EXP'} {content.expiry.isoformat()}",
        terms=TERMS_ZH if zh else TERMS_EN,
    )
