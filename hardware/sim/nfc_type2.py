"""Simulated Type 2 chips: NTAG213/215/216, MIFARE Ultralight, Ultralight EV1, with all that writing can bring about.

Faithful in what a reader can tell: OTP bits, lock bits and the bits that freeze them, password protection from AUTH0
on, the configuration lock, the mirror, passwords that read as zero, roll-over, NAK for what is not allowed. AUTH0 and
the access byte act from the next selection on, configuration lock and mirror from the next power-on on.

Sources: NXP NTAG213/215/216 rev 3.2 (section 8), MF0ULx1 rev 3.3, MF0ICU1.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hardware.nfc.chips import Family
from hardware.ports import NfcTarget
from hardware.sim.nfc_chip import RefusedError, SimulatedChip

READ = 0x30
FAST_READ = 0x3A
READ_CNT = 0x39
READ_SIG = 0x3C
GET_VERSION = 0x60
WRITE = 0xA2
PWD_AUTH = 0x1B
_PAGE = 4
_CASCADE_TAG = 0x88
_STATIC_LOCK, _CC = 2, 3
_PROT, _CFGLCK, _CNT_EN, _AUTHLIM = 0x80, 0x40, 0x10, 0x07
_MIRROR_UID = 0x40
_FACTORY_PASSWORD = b"\xff" * 4


@dataclass(frozen=True, slots=True)
class DynamicLock:
    """The lock page behind the user memory: one bit locks `pages_a_bit` pages from 16 on, up to `bits` bits.

    Byte 2 holds the bits that freeze them, each for two lock bits.
    """

    page: int
    pages_a_bit: int
    bits: int


@dataclass(frozen=True, slots=True)
class Type2Memory:
    """A chip's size and factory content. Where it has a configuration (CFG0, CFG1, PWD, PACK), it ends with that."""

    pages: int
    version: bytes | None
    content: dict[int, bytes]
    lock: DynamicLock | None = None
    configured: bool = True

    @property
    def config(self) -> int:
        """Page CFG0; behind the memory for a chip without."""
        return self.pages - 4 if self.configured else self.pages


@dataclass(frozen=True, slots=True)
class Quirks:
    """In what a copy differs from the chip that it says it is."""

    forgets_writes: bool = False  # answers ACK and keeps nothing
    locks_do_nothing: bool = False  # lock bits are kept and read back, and lock nothing
    open_pages: frozenset[int] = field(default_factory=frozenset)  # no lock bit locks these, CFGLCK among them
    config_at_once: bool = False  # AUTH0 acts at once, as some real chips are reported to
    mute: bool = False  # no GET_VERSION, no signature
    no_fast_read: bool = False
    pages: int | None = None  # more or less memory than the real one
    stuck_pages: frozenset[int] = field(default_factory=frozenset)  # ACK and keep their content


FAITHFUL = Quirks()


def _configured(pages: int, version: str, user: dict[int, str], lock: DynamicLock | None, cfg0: str) -> Type2Memory:
    content = {page: bytes.fromhex(text) for page, text in user.items()}
    if lock is not None:
        content[lock.page] = bytes.fromhex("000000BD")
    content[pages - 4] = bytes.fromhex(cfg0)
    content[pages - 3] = bytes.fromhex("00050000")
    content[pages - 2] = _FACTORY_PASSWORD
    return Type2Memory(pages, bytes.fromhex(version), content, lock)


MEMORIES = {
    Family.NTAG213: _configured(
        45,
        "0004040201000F03",
        {3: "E1101200", 4: "0103A00C", 5: "340300FE"},
        DynamicLock(0x28, 2, 12),
        "040000FF",
    ),
    Family.NTAG215: _configured(
        135, "0004040201001103", {3: "E1103E00", 4: "0300FE00"}, DynamicLock(0x82, 16, 8), "040000FF"
    ),
    Family.NTAG216: _configured(
        231, "0004040201001303", {3: "E1106D00", 4: "0300FE00"}, DynamicLock(0xE2, 16, 14), "040000FF"
    ),
    Family.ULTRALIGHT_EV1_11: _configured(20, "0004030101000B03", {}, None, "000000FF"),
    Family.ULTRALIGHT_EV1_21: _configured(41, "0004030101000E03", {}, DynamicLock(0x24, 2, 10), "000000FF"),
    Family.ULTRALIGHT: Type2Memory(16, None, {4: b"\xff" * _PAGE, 5: b"\xff" * _PAGE}, configured=False),
}


class Type2Chip(SimulatedChip):
    """NTAG21x, Ultralight, Ultralight EV1. `memory` is the true content, passwords included."""

    def __init__(self, family: Family, uid: bytes, quirks: Quirks = FAITHFUL) -> None:
        super().__init__(NfcTarget(uid, bytes.fromhex("0044"), 0x00), family)
        self._kind = MEMORIES[family]
        self._quirks = quirks
        self._pages = quirks.pages or self._kind.pages
        self._wrong_passwords = 0
        self._authenticated = False
        self.memory = _factory_memory(self._kind, uid).ljust(self._pages * _PAGE, b"\x00")
        self._protected_from, self._access, self._config_locked, self._mirror_page = self._pages, 0, False, 0
        self.power_on()

    @property
    def lasting(self) -> bytes:
        return bytes((self._wrong_passwords,)) + bytes(self.memory)

    def remember(self, lasting: bytes) -> None:
        if len(lasting) != 1 + len(self.memory) or lasting[1:8] != self.memory[:7]:
            raise ValueError("the memory of another chip")
        self._wrong_passwords, self.memory = lasting[0], bytearray(lasting[1:])
        self.power_on()

    def page(self, number: int) -> bytes:
        """The true content of a page."""
        return bytes(self.memory[number * _PAGE : (number + 1) * _PAGE])

    def set_page(self, number: int, content: bytes) -> None:
        """Make a page hold this, whatever guards it: how the chip came to us."""
        self.memory[number * _PAGE : (number + 1) * _PAGE] = content
        self.power_on()

    def power_on(self) -> None:
        if self._kind.configured:
            cfg0, cfg1 = self.page(self._kind.config), self.page(self._kind.config + 1)
            self._config_locked = bool(cfg1[0] & _CFGLCK)
            self._mirror_page = cfg0[2] if cfg0[0] & _MIRROR_UID and cfg0[2] >= 4 else 0
        self.activate()

    def activate(self) -> None:
        self._authenticated = False
        if self._kind.configured:
            self._protected_from = self.page(self._kind.config)[3]
            self._access = self.page(self._kind.config + 1)[0]

    def locked(self, page: int) -> bool:
        """Whether lock bits forbid to write a page."""
        if self._quirks.locks_do_nothing or page in self._quirks.open_pages or page < _CC:
            return False
        if page < 16:
            bits = int.from_bytes(self.page(_STATIC_LOCK)[2:], "little")
            return bool(bits >> page & 1)
        lock = self._kind.lock
        if lock is None or page >= 16 + lock.pages_a_bit * lock.bits or page >= lock.page:
            return False
        bits = int.from_bytes(self.page(lock.page)[:2], "little")
        return bool(bits >> (page - 16) // lock.pages_a_bit & 1)

    def _answer(self, command: bytes) -> bytes | None:
        knows_version = self._kind.version is not None and not self._quirks.mute
        match list(command):
            case [code, page] if code == READ:
                return self._read(page, 4)
            case [code] if code == GET_VERSION and knows_version:
                return self._kind.version
            case [code, first, last] if code == FAST_READ and knows_version and not self._quirks.no_fast_read:
                return self._fast_read(first, last)
            case [code, 0] if code == READ_SIG and knows_version:
                return bytes(32)  # verifies as nobody's: a simulated chip is never taken for a real one
            case [code, counter] if code == READ_CNT and knows_version:
                return self._count(counter)
            case [code, page, *data] if code == WRITE and len(data) == _PAGE:
                return self._write(page, bytes(data))
            case [code, *password] if code == PWD_AUTH and self._kind.configured and len(password) == _PAGE:
                return self._authenticate(bytes(password))
        raise RefusedError

    def _readable(self) -> bytes:
        """The memory as READ shows it: passwords as zero, the mirror over it, nothing behind AUTH0 with PROT set."""
        shown = bytearray(self.memory)
        if self._kind.configured:
            shown[(self._kind.config + 2) * _PAGE : (self._kind.config + 4) * _PAGE] = bytes(2 * _PAGE)
        if self._mirror_page:
            text = self.target.uid.hex().upper().encode()
            at = self._mirror_page * _PAGE
            shown[at : at + len(text)] = text
        if self._access & _PROT and not self._authenticated:
            del shown[self._protected_from * _PAGE :]
        return bytes(shown)

    def _read(self, page: int, count: int) -> bytes:
        shown = self._readable()
        if page * _PAGE >= len(shown):
            raise RefusedError
        return (shown * 5)[page * _PAGE : (page + count) * _PAGE]

    def _fast_read(self, first: int, last: int) -> bytes:
        if not first <= last or (last + 1) * _PAGE > len(self._readable()):
            raise RefusedError
        return self._read(first, last - first + 1)

    def _count(self, counter: int) -> bytes:
        counts = counter == 2 and self._access & _CNT_EN if self.family.startswith("NTAG") else counter <= 2
        if not counts:
            raise RefusedError
        return bytes(3)

    def _authenticate(self, password: bytes) -> bytes:
        limit = self.page(self._kind.config + 1)[0] & _AUTHLIM
        if limit and self._wrong_passwords >= limit:
            raise RefusedError
        if password != self.page(self._kind.config + 2):
            self._wrong_passwords = min(self._wrong_passwords + 1, 255)
            raise RefusedError
        self._wrong_passwords = 0
        self._authenticated = True
        return self.page(self._kind.config + 3)[:2]

    def _write(self, page: int, data: bytes) -> bytes:
        self._refuse_write(page)
        old = self.page(page)
        if self._quirks.forgets_writes or page in self._quirks.stuck_pages:
            self.writes += 1
            return b""
        lock_page = self._kind.lock.page if self._kind.lock else None
        tear_proof = page in (_STATIC_LOCK, _CC, lock_page)
        content = self._written(old, self._merged(page, old, data), tear_proof)
        self.memory[page * _PAGE : (page + 1) * _PAGE] = content
        if self._quirks.config_at_once and page >= self._kind.config:
            self._protected_from = self.page(self._kind.config)[3]
        return b""

    def _refuse_write(self, page: int) -> None:
        behind = page >= self._pages or page < _STATIC_LOCK
        guarded = page >= self._protected_from and not self._authenticated
        frozen = self._config_locked and page in (self._kind.config, self._kind.config + 1)
        frozen = frozen and not (self._quirks.locks_do_nothing or page in self._quirks.open_pages)
        if behind or guarded or frozen or self.locked(page):
            raise RefusedError

    def _merged(self, page: int, old: bytes, data: bytes) -> bytes:
        """What writing `data` over `old` makes: OTP and lock bits are only ever set, frozen ones not even that."""
        if page == _CC:
            return bytes(a | b for a, b in zip(old, data, strict=True))
        if page == _STATIC_LOCK:
            return old[:2] + _static_locks(old[2:], data[2:])
        lock = self._kind.lock
        if lock is not None and page == lock.page:
            return _dynamic_locks(lock, old, data)
        if self._kind.configured and page == self._kind.config + 3:
            return data[:2] + bytes(2)
        return data


def _static_locks(old: bytes, new: bytes) -> bytes:
    """Bytes 2 and 3 of page 2: bits 0-2 freeze the lock bits of CC, pages 4-9, pages 10-15."""
    now, told = int.from_bytes(old, "little"), int.from_bytes(new, "little")
    frozen = (0x0008 if now & 1 else 0) | (0x03F0 if now & 2 else 0) | (0xFC00 if now & 4 else 0)
    return (now | told & ~frozen).to_bytes(2, "little")


def _dynamic_locks(lock: DynamicLock, old: bytes, new: bytes) -> bytes:
    now, told = int.from_bytes(old[:2], "little"), int.from_bytes(new[:2], "little")
    frozen = sum(0b11 << 2 * bit for bit in range(8) if old[2] >> bit & 1)
    most = (1 << lock.bits) - 1
    freezing = (1 << (lock.bits + 1) // 2) - 1
    bits = now | told & ~frozen & most
    return bits.to_bytes(2, "little") + bytes((old[2] | new[2] & freezing,)) + old[3:]


def _factory_memory(kind: Type2Memory, uid: bytes) -> bytearray:
    """UID with its check bytes, no locks, factory content."""
    check_0 = _CASCADE_TAG ^ uid[0] ^ uid[1] ^ uid[2]
    check_1 = uid[3] ^ uid[4] ^ uid[5] ^ uid[6]
    header = uid[:3] + bytes((check_0,)) + uid[3:] + bytes((check_1, 0x48, 0x00, 0x00))
    memory = bytearray(header.ljust(kind.pages * _PAGE, b"\x00"))
    for page, content in kind.content.items():
        memory[page * _PAGE : (page + 1) * _PAGE] = content
    return memory
