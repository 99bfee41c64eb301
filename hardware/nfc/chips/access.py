"""Access bits of a MIFARE Classic sector: which key may read and write what. Pure.

Source: NXP MF1S50YYX_V1 section 8.7 (tables 7 and 8).
"""

from __future__ import annotations

from dataclasses import dataclass

from hardware.nfc.chips import Family

SECTORS = {Family.CLASSIC_1K: 16, Family.CLASSIC_4K: 40}

CLOSED = bytes.fromhex("00F0FF00")
"""C1C2C3 = 111 for every block of a sector: no key reads or writes data, nothing of the trailer changes any more."""

PUBLIC_KEYS = tuple(bytes.fromhex(key) for key in ("FFFFFFFFFFFF", "A0A1A2A3A4A5", "D3F7D3F7D3F7"))
"""The factory's, the MAD's and NFC Forum's: known to everybody and meant to be."""

_DATA_WRITERS = {0b000: "AB", 0b100: "B", 0b110: "B", 0b011: "B"}
_DATA_READERS = {0b000: "AB", 0b010: "AB", 0b100: "AB", 0b110: "AB", 0b001: "AB", 0b011: "B", 0b101: "B"}
_TRAILER_WRITERS = {0b001: "A", 0b011: "B"}  # of both keys and the access bits
_KEY_B_READABLE = frozenset({0b000, 0b010, 0b001})


def blocks_of(sector: int) -> range:
    """The blocks of a sector; the last one is its trailer."""
    first = sector * 4 if sector < 32 else 128 + (sector - 32) * 16
    return range(first, first + (4 if sector < 32 else 16))


def trailer_of(sector: int) -> int:
    return blocks_of(sector)[-1]


def data_blocks(sector: int) -> tuple[int, ...]:
    """The blocks of a sector that can be wiped: all but the trailer and the maker's block."""
    return tuple(block for block in blocks_of(sector)[:-1] if block != 0)


@dataclass(frozen=True, slots=True)
class Access:
    """C1C2C3 of the three groups of data blocks and of the trailer."""

    data: tuple[int, int, int]
    trailer: int

    def writers(self, sector: int) -> str:
        """The keys ("A", "B", both or none) that may write every data block of a sector and its whole trailer."""
        groups = {self.data[_group(sector, block)] for block in data_blocks(sector)}
        allowed = [_DATA_WRITERS.get(code, "") for code in groups]
        allowed += [_DATA_READERS.get(code, "") for code in groups]
        trailer = _TRAILER_WRITERS.get(self.trailer, "")
        return "".join(key for key in trailer if all(key in keys for keys in allowed) and self._may_open(key))

    def _may_open(self, key: str) -> bool:
        return key == "A" or self.trailer not in _KEY_B_READABLE


def read_access(trailer: bytes) -> Access | None:
    """The access bits in a trailer of 16 bytes; None when their copies disagree."""
    b6, b7, b8 = trailer[6:9]
    c1, c2, c3 = b7 >> 4, b8 & 0x0F, b8 >> 4
    if (b6 & 0x0F, b6 >> 4, b7 & 0x0F) != (c1 ^ 0x0F, c2 ^ 0x0F, c3 ^ 0x0F):
        return None
    codes = [(c1 >> n & 1) << 2 | (c2 >> n & 1) << 1 | (c3 >> n & 1) for n in range(4)]
    return Access((codes[0], codes[1], codes[2]), codes[3])


def _group(sector: int, block: int) -> int:
    blocks = blocks_of(sector)
    return (block - blocks[0]) * 3 // (len(blocks) - 1)
