"""Simulated contactless chips: what they say when selected, and how they answer the few commands that change nothing.

A chip gives its answer as bytes, NAK, or None (mute). Faithful to the data sheets in memory size, factory content,
roll-over at the end, what is never read back, and in going idle after a refusal. They refuse every writing command:
simulated chips cannot be changed. `heard` keeps every command that reached the chip.

Sources: NXP NTAG213/215/216 rev 3.2, MF0ULx1 rev 3.3, MF0ICU1, MF1S50YYX_V1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hardware.nfc.chips import Family
from hardware.ports import NfcTarget

READ = 0x30
FAST_READ = 0x3A
READ_SIG = 0x3C
GET_VERSION = 0x60
AUTH_KEY_A, AUTH_KEY_B = 0x60, 0x61
_PAGE = 4
_BLOCK = 16
_FACTORY_KEY = b"\xff" * 6
_CASCADE_TAG = 0x88


class RefusedError(Exception):
    """The chip answers with a four-bit NAK and goes idle."""


class SimulatedChip:
    """What every chip has: what it says of itself, and a memory of what it was told."""

    def __init__(self, target: NfcTarget, family: Family) -> None:
        self.target = target
        self.family = family
        self.heard: list[bytes] = []

    def power_on(self) -> None:
        """The field came on: the chip forgets what it was told."""

    def answer(self, command: bytes) -> bytes | None:
        """The chip's answer, None when it stays mute. Raises RefusedError for a NAK."""
        self.heard.append(command)
        return self._answer(command)

    def _answer(self, command: bytes) -> bytes | None:
        """Processor cards: mute to all that does not follow ISO 14443-4, which the board does not speak here."""
        del command
        return None


@dataclass(frozen=True, slots=True)
class _PageLayout:
    """A Type 2 chip's factory state. `secrets` are the pages that always read as zero."""

    pages: int
    version: bytes | None
    content: dict[int, bytes]
    secrets: tuple[int, ...] = ()


def _with_config(pages: int, version: str, user: dict[int, str], lock: int | None, cfg0: str) -> _PageLayout:
    """NTAG21x and EV1: dynamic lock page, then CFG0, CFG1, PWD, PACK at the end of the memory."""
    content = {page: bytes.fromhex(text) for page, text in user.items()}
    if lock is not None:
        content[lock] = bytes.fromhex("000000BD")
    content[pages - 4] = bytes.fromhex(cfg0)
    content[pages - 3] = bytes.fromhex("00050000")
    return _PageLayout(pages, bytes.fromhex(version), content, (pages - 2, pages - 1))


_LAYOUTS = {
    Family.NTAG213: _with_config(
        45, "0004040201000F03", {3: "E1101200", 4: "0103A00C", 5: "340300FE"}, 0x28, "040000FF"
    ),
    Family.NTAG215: _with_config(135, "0004040201001103", {3: "E1103E00", 4: "0300FE00"}, 0x82, "040000FF"),
    Family.NTAG216: _with_config(231, "0004040201001303", {3: "E1106D00", 4: "0300FE00"}, 0xE2, "040000FF"),
    Family.ULTRALIGHT_EV1_11: _with_config(20, "0004030101000B03", {}, None, "000000FF"),
    Family.ULTRALIGHT_EV1_21: _with_config(41, "0004030101000E03", {}, 0x24, "000000FF"),
    Family.ULTRALIGHT: _PageLayout(16, None, {4: b"\xff" * _PAGE, 5: b"\xff" * _PAGE}),
}


class Type2Chip(SimulatedChip):
    """NTAG21x, Ultralight, Ultralight EV1."""

    def __init__(self, family: Family, uid: bytes) -> None:
        super().__init__(NfcTarget(uid, bytes.fromhex("0044"), 0x00), family)
        self._layout = _LAYOUTS[family]
        self._memory = _type_2_memory(self._layout, uid)

    def _answer(self, command: bytes) -> bytes | None:
        match list(command):
            case [code, page] if code == READ:
                return self._read(page, 4)
            case [code] if code == GET_VERSION and self._layout.version:
                return self._layout.version
            case [code, first, last] if code == FAST_READ and self._layout.version:
                return self._fast_read(first, last)
            case [code, 0] if code == READ_SIG and self._layout.version:
                return bytes(32)  # verifies as nobody's: a simulated chip is never taken for a real one
        raise RefusedError

    def _read(self, page: int, count: int) -> bytes:
        if page >= self._layout.pages:
            raise RefusedError
        rolled = (self._memory * 2)[page * _PAGE :]
        return rolled[: count * _PAGE]

    def _fast_read(self, first: int, last: int) -> bytes:
        if not first <= last < self._layout.pages:
            raise RefusedError
        return self._read(first, last - first + 1)


def _type_2_memory(layout: _PageLayout, uid: bytes) -> bytes:
    """The whole memory as READ shows it: UID with its check bytes, no locks, factory content, zeros for secrets."""
    check_0 = _CASCADE_TAG ^ uid[0] ^ uid[1] ^ uid[2]
    check_1 = uid[3] ^ uid[4] ^ uid[5] ^ uid[6]
    header = uid[:3] + bytes((check_0,)) + uid[3:] + bytes((check_1, 0x48, 0x00, 0x00))
    memory = bytearray(header.ljust(layout.pages * _PAGE, b"\x00"))
    for page, content in layout.content.items():
        memory[page * _PAGE : (page + 1) * _PAGE] = content
    return bytes(memory)


class ClassicChip(SimulatedChip):
    """MIFARE Classic with factory keys: READ only after authentication for the block's sector."""

    def __init__(self, family: Family, uid: bytes, sak: int, atqa: str, blocks: int) -> None:
        super().__init__(NfcTarget(uid, bytes.fromhex(atqa), sak), family)
        self._blocks = blocks
        self._open_sector: int | None = None
        check = uid[0] ^ uid[1] ^ uid[2] ^ uid[3]
        self._maker_block = (uid + bytes((check, sak)) + bytes.fromhex(atqa)[::-1]).ljust(_BLOCK, b"\x00")

    def power_on(self) -> None:
        self._open_sector = None

    def _answer(self, command: bytes) -> bytes | None:
        if len(command) == 12 and command[0] in (AUTH_KEY_A, AUTH_KEY_B):
            return self._authenticate(command[1], key=command[2:8], uid=command[8:])
        if len(command) == 2 and command[0] == READ:
            return self._read(command[1])
        raise RefusedError

    def _authenticate(self, block: int, key: bytes, uid: bytes) -> bytes | None:
        self._open_sector = None
        if block >= self._blocks or key != _FACTORY_KEY or uid != self.target.uid:
            return None
        self._open_sector = _sector(block)
        return b""

    def _read(self, block: int) -> bytes:
        if block >= self._blocks or _sector(block) != self._open_sector:
            raise RefusedError
        if block == 0:
            return self._maker_block
        if _is_trailer(block):  # key A never reads back; the factory's access bits leave key B readable
            return bytes(6) + bytes.fromhex("FF078069") + _FACTORY_KEY
        return bytes(_BLOCK)


def _sector(block: int) -> int:
    return block // 4 if block < 128 else 32 + (block - 128) // 16


def _is_trailer(block: int) -> bool:
    return block % 4 == 3 if block < 128 else block % 16 == 15


class PhoneChip(SimulatedChip):
    """A phone: another random UID each time the field comes on, counted up here so that runs repeat."""

    def __init__(self, uid: bytes) -> None:
        super().__init__(_processor_target(uid, "0004", "0578807002"), Family.PHONE)

    def power_on(self) -> None:
        old = self.target
        number = int.from_bytes(old.uid[1:]) + 1 & 0xFFFFFF
        self.target = NfcTarget(b"\x08" + number.to_bytes(3), old.atqa, old.sak, old.ats)


def _processor_target(uid: bytes, atqa: str, ats: str) -> NfcTarget:
    return NfcTarget(uid, bytes.fromhex(atqa), 0x20, bytes.fromhex(ats))


def _type_2(family: Family) -> Callable[[bytes], SimulatedChip]:
    return lambda uid: Type2Chip(family, uid)


_MAKERS: dict[Family, tuple[int, Callable[[bytes], SimulatedChip]]] = {
    **{family: (7, _type_2(family)) for family in _LAYOUTS},
    Family.CLASSIC_1K: (4, lambda uid: ClassicChip(Family.CLASSIC_1K, uid, 0x08, "0004", 64)),
    Family.CLASSIC_4K: (4, lambda uid: ClassicChip(Family.CLASSIC_4K, uid, 0x18, "0002", 256)),
    Family.DESFIRE: (
        7,
        lambda uid: SimulatedChip(_processor_target(uid, "0344", "067577810280"), Family.DESFIRE),
    ),
    Family.BANK_CARD: (
        4,
        lambda uid: SimulatedChip(_processor_target(uid, "0004", "0E78807002803180664090840183"), Family.BANK_CARD),
    ),
    Family.PHONE: (4, PhoneChip),
}


def simulated_families() -> list[Family]:
    """The families `make_chip` can make."""
    return list(_MAKERS)


def make_chip(family: str, uid_hex: str) -> SimulatedChip:
    """A chip fresh from the factory. Raises ValueError for a family or a UID that such a chip cannot have."""
    known = Family(family)
    if known not in _MAKERS:
        raise ValueError(f"there is no simulated {known}")
    length, make = _MAKERS[known]
    uid = bytes.fromhex(uid_hex)
    if len(uid) != length:
        raise ValueError(f"a {known} has a UID of {length} bytes, not {len(uid)}")
    if (uid[0] == 0x08) != (known is Family.PHONE):
        raise ValueError("a UID beginning with 08 is a phone's random one")
    return make(uid)
