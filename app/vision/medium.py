"""Card, paper or screen: a code that was mailed or photographed can be used by anybody, so it is never counted.

Told by what stands in the picture: headings of letters, the furniture of a telephone's screen. One word proves nothing
(a card may name a web site), several different ones do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from app.core.cards import Medium

_LETTER = (
    r"发\s*件\s*人|^from\s*[:：]",
    r"收\s*件\s*人|^to\s*[:：]",
    r"主\s*题|^subject|^re\s*[:：]",
    r"发送时间|^(?:sent|date)\s*[:：]",
    r"[\w.]+@[\w-]+|[\w-]{3,}\.(?:com|cn|net)\b.*[@<>]",
    r"尊敬的|亲爱的|^您好|^dear\b|^hello\b|^hi\b",
    r"订\s*单\s*[号编]|order\s*(?:no|number|id|#)",
    r"感谢您?的?(?:购买|订购|惠顾)|thank\s*you",
    r"电子(?:礼品)?[卡券码]|e-?\s?gift|digital\s*(?:code|gift)|by\s*e-?mail",
    r"打印(?:本|此)|请勿回复|print\s*this|do\s*not\s*reply|unsubscribe|退订",
)
_DISPLAY = (
    r"^\W*(?:上午|下午)?\s*[012]?\d[:：][0-5]\d\W*(?:$|\s|[^\d:])",
    r"\b\d{1,3}\s?%|\b[45]G\b|\bLTE\b|wi-?fi|中国移动|中国联通|中国电信",
    r"^[<＜〈‹←]?\s*(?:返回|back|关闭|完成|取消|close|done|cancel)\s*$",
    r"复\s*制|copy",
    r"分\s*享|share|转\s*发|转\s*赠",
    r"保存(?:图片|到相册)|截\s*[图屏]|screenshot|相册|save\s*image",
    r"我的(?:卡包|卡券|订单)|卡\s*包|wallet|my\s*cards|立即使用|去使用|查看详情|add\s*to",
)
COPIES = (Medium.PAPER, Medium.SCREEN)
"""What is never counted as a card."""

_ENOUGH = 3
"""Different signs of a letter or screen that outweigh a card's outline."""
_AROUND = 3  # lines of text beyond an outline from which it is rather a part of something larger


def medium(texts: Sequence[str], outside: int) -> Medium | None:
    """What the lines of text in a picture belong to, CARD when they do not tell, None when there are none.

    `outside`: how many of them stand beyond the outline of what looks like a card (all where nothing does).
    """
    if not texts:
        return None
    needed = _ENOUGH - 1 if outside >= _AROUND else _ENOUGH
    shown, written = _kinds(texts, _DISPLAY), _kinds(texts, _LETTER)
    if max(shown, written) < needed:
        return Medium.CARD
    return Medium.SCREEN if shown > written else Medium.PAPER


def _kinds(texts: Iterable[str], patterns: Sequence[str]) -> int:
    """How many of the patterns are found."""
    joined = [text.strip() for text in texts]
    return sum(any(re.search(pattern, text, re.IGNORECASE) for text in joined) for pattern in patterns)
