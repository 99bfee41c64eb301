"""Simulated MIFARE Classic 1K and 4K: keys, access bits, writing, and sectors that a torn trailer closes for ever.

Access bits are kept three times inverted in the trailer; a sector whose copies disagree answers nobody any more.
Source: NXP MF1S50YYX_V1 sections 8.6 and 8.7.
"""

from __future__ import annotations

from hardware.nfc.chips import Family
from hardware.ports import NfcTarget
from hardware.sim.nfc_chip import RefusedError, SimulatedChip

READ = 0x30
WRITE = 0xA0
AUTH_KEY_A, AUTH_KEY_B = 0x60, 0x61
_BLOCK = 16
FACTORY_KEY = b"\xff" * 6
FACTORY_TRAILER = FACTORY_KEY + bytes.fromhex("FF078069") + FACTORY_KEY

# By C1C2C3: with which key a data block is read and written ("AB": either).
_DATA_READ = {0: "AB", 2: "AB", 4: "AB", 6: "AB", 1: "AB", 3: "B", 5: "B", 7: ""}
_DATA_WRITE = {0: "AB", 2: "", 4: "B", 6: "B", 1: "", 3: "B", 5: "", 7: ""}
# By C1C2C3 of the trailer: who writes key A, who writes the access bits, who reads key B, who writes key B.
_TRAILER = {
    0: ("A", "", "A", "A"),
    2: ("", "", "A", ""),
    4: ("B", "", "", "B"),
    6: ("", "", "", ""),
    1: ("A", "A", "A", "A"),
    3: ("B", "B", "", "B"),
    5: ("", "B", "", ""),
    7: ("", "", "", ""),
}


def sector_of(block: int) -> int:
    return block // 4 if block < 128 else 32 + (block - 128) // 16


def blocks_of(sector: int) -> range:
    """The blocks of a sector; the last one is its trailer."""
    first = sector * 4 if sector < 32 else 128 + (sector - 32) * 16
    return range(first, first + (4 if sector < 32 else 16))


def access_of(trailer: bytes) -> tuple[int, int, int, int] | None:
    """C1C2C3 as a number for the three groups of data blocks and the trailer; None when the copies disagree."""
    b6, b7, b8 = trailer[6:9]
    c1, c2, c3 = b7 >> 4, b8 & 15, b8 >> 4
    if (b6 & 15, b6 >> 4, b7 & 15) != (c1 ^ 15, c2 ^ 15, c3 ^ 15):
        return None
    codes = [(c1 >> n & 1) << 2 | (c2 >> n & 1) << 1 | (c3 >> n & 1) for n in range(4)]
    return codes[0], codes[1], codes[2], codes[3]


class ClassicChip(SimulatedChip):
    """MIFARE Classic with factory keys. `memory` is the true content, keys included."""

    def __init__(self, family: Family, uid: bytes, sak: int, atqa: str, blocks: int, forgets_writes: bool = False):
        super().__init__(NfcTarget(uid, bytes.fromhex(atqa), sak), family)
        self._open: tuple[int, str] | None = None  # sector and the key that opened it
        self._forgets_writes = forgets_writes
        check = uid[0] ^ uid[1] ^ uid[2] ^ uid[3]
        self.memory = bytearray(blocks * _BLOCK)
        self.set_block(0, (uid + bytes((check, sak)) + bytes.fromhex(atqa)[::-1]).ljust(_BLOCK, b"\x00"))
        for sector in range(sector_of(blocks - 1) + 1):
            self.set_block(blocks_of(sector)[-1], FACTORY_TRAILER)

    @property
    def lasting(self) -> bytes:
        return bytes(self.memory)

    def remember(self, lasting: bytes) -> None:
        if len(lasting) != len(self.memory) or lasting[:_BLOCK] != self.memory[:_BLOCK]:
            raise ValueError("the memory of another chip")
        self.memory = bytearray(lasting)
        self.power_on()

    def block(self, number: int) -> bytes:
        """The true content of a block."""
        return bytes(self.memory[number * _BLOCK : (number + 1) * _BLOCK])

    def set_block(self, number: int, content: bytes) -> None:
        """Make a block hold this, whatever guards it."""
        self.memory[number * _BLOCK : (number + 1) * _BLOCK] = content

    def power_on(self) -> None:
        self._open = None

    def activate(self) -> None:
        self._open = None

    def _answer(self, command: bytes) -> bytes | None:
        if len(command) == 12 and command[0] in (AUTH_KEY_A, AUTH_KEY_B):
            return self._authenticate("AB"[command[0] - AUTH_KEY_A], command[1], command[2:8], command[8:])
        if len(command) == 2 and command[0] == READ:
            return self._read(command[1])
        if len(command) == 2 + _BLOCK and command[0] == WRITE:
            return self._write(command[1], command[2:])
        raise RefusedError

    def _trailer(self, sector: int) -> bytes:
        return self.block(blocks_of(sector)[-1])

    def _authenticate(self, kind: str, block: int, key: bytes, uid: bytes) -> bytes | None:
        self._open = None
        if block * _BLOCK >= len(self.memory) or uid != self.target.uid:
            return None
        trailer = self._trailer(sector_of(block))
        access = access_of(trailer)
        if access is None or key != (trailer[:6] if kind == "A" else trailer[10:]):
            return None
        self._open = (sector_of(block), kind)
        return b""

    def _opened(self, block: int) -> tuple[str, tuple[int, int, int, int], bool]:
        """The key the block's sector is open with, its access codes, whether the block is the trailer."""
        if block * _BLOCK >= len(self.memory) or self._open is None or sector_of(block) != self._open[0]:
            raise RefusedError
        sector, kind = self._open
        access = access_of(self._trailer(sector))
        if access is None:
            raise RefusedError
        if kind == "B" and _TRAILER[access[3]][2]:
            raise RefusedError  # a key B that can be read authorises nothing
        return kind, access, block == blocks_of(sector)[-1]

    def _code(self, block: int, access: tuple[int, int, int, int]) -> int:
        blocks = blocks_of(sector_of(block))
        return access[(block - blocks[0]) * 3 // (len(blocks) - 1)]

    def _read(self, block: int) -> bytes:
        kind, access, is_trailer = self._opened(block)
        if not is_trailer:
            if kind not in _DATA_READ[self._code(block, access)]:
                raise RefusedError
            return self.block(block)
        content = self.block(block)
        shows_b = kind in _TRAILER[access[3]][2]
        return bytes(6) + content[6:10] + (content[10:] if shows_b else bytes(6))

    def _write(self, block: int, data: bytes) -> bytes:
        kind, access, is_trailer = self._opened(block)
        old = self.block(block)
        new = _new_trailer(kind, _TRAILER[access[3]], old, data) if is_trailer else data
        allowed = new is not None if is_trailer else kind in _DATA_WRITE[self._code(block, access)]
        if block == 0 or not allowed or new is None:
            raise RefusedError
        content = self._written(old, new)
        if not self._forgets_writes:
            self.set_block(block, content)
        return b""


def _new_trailer(kind: str, who: tuple[str, str, str, str], old: bytes, data: bytes) -> bytes | None:
    """The trailer after a write with this key; None when it may write nothing of it."""
    key_a, bits, _, key_b = (kind in allowed if allowed else False for allowed in who)
    if not (key_a or bits or key_b):
        return None
    return (data if key_a else old)[:6] + (data if bits else old)[6:10] + (data if key_b else old)[10:]
