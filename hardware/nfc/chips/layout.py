"""Where things lie in the memory of the Type 2 chips that can be switched off, and which bit locks what.

Source: NXP NTAG213/215/216 rev 3.2 sections 8.5 and 8.9, MF0ULx1 rev 3.3 section 8.5, MF0ICU1 section 7.5.
"""

from __future__ import annotations

from dataclasses import dataclass

from hardware.nfc.chips import Family

PAGE = 4
STATIC_LOCK, CC, FIRST_USER = 2, 3, 4
FIRST_DYNAMIC = 16
STATIC_LOCK_VALUE = bytes.fromhex("FFFF")


@dataclass(frozen=True, slots=True)
class DynamicLocks:
    """The lock page behind the user memory: `value` of its first three bytes when all is locked and frozen."""

    page: int
    value: bytes
    pages_a_bit: int


@dataclass(frozen=True, slots=True)
class Layout:
    """A family's memory. `cc`: the capability container that says "read only"; `config`: page CFG0, None without."""

    pages: int
    last_user: int
    cc: bytes
    locks: DynamicLocks | None = None
    config: int | None = None
    counters: tuple[int, ...] = ()

    @property
    def capacity(self) -> int:
        """Bytes of user memory."""
        return (self.last_user - FIRST_USER + 1) * PAGE

    @property
    def lock_page_of(self) -> dict[int, int]:
        """The dynamic lock bit of each page that has one."""
        if self.locks is None:
            return {}
        pages = range(FIRST_DYNAMIC, self.last_user + 1)
        return {page: (page - FIRST_DYNAMIC) // self.locks.pages_a_bit for page in pages}

    @property
    def granules(self) -> tuple[int, ...]:
        """One page of everything that a lock bit locks, and the last user page."""
        static = range(CC, min(self.last_user, FIRST_DYNAMIC - 1) + 1)
        dynamic = () if self.locks is None else range(FIRST_DYNAMIC, self.last_user + 1, self.locks.pages_a_bit)
        return tuple(sorted({*static, *dynamic, self.last_user}))


def _ntag(pages: int, cc: str, lock_value: str, pages_a_bit: int) -> Layout:
    locks = DynamicLocks(pages - 5, bytes.fromhex(lock_value), pages_a_bit)
    return Layout(pages, pages - 6, bytes.fromhex(cc), locks, pages - 4, (2,))


LAYOUTS = {
    Family.NTAG213: _ntag(45, "E110120F", "FF0F3F", 2),
    Family.NTAG215: _ntag(135, "E1103E0F", "FF000F", 16),
    Family.NTAG216: _ntag(231, "E1106D0F", "FF3F7F", 16),
    Family.ULTRALIGHT: Layout(16, 15, bytes.fromhex("E110060F")),
    Family.ULTRALIGHT_EV1_11: Layout(20, 15, bytes.fromhex("E110060F"), None, 16, (0, 1, 2)),
    Family.ULTRALIGHT_EV1_21: Layout(
        41, 35, bytes.fromhex("E110100F"), DynamicLocks(36, bytes.fromhex("FF031F"), 2), 37, (0, 1, 2)
    ),
}


def locked_pages(layout: Layout, image: bytes) -> frozenset[int]:
    """The pages that lock bits forbid to write, CC included."""
    static = int.from_bytes(image[STATIC_LOCK * PAGE + 2 : STATIC_LOCK * PAGE + 4], "little")
    locked = {page for page in range(CC, FIRST_DYNAMIC) if static >> page & 1}
    if layout.locks is not None:
        dynamic = int.from_bytes(image[layout.locks.page * PAGE :][:2], "little")
        locked |= {page for page, bit in layout.lock_page_of.items() if dynamic >> bit & 1}
    return frozenset(locked)


def frozen_open(layout: Layout, image: bytes) -> bool:
    """Whether a page can never be locked any more, because its lock bit is off and frozen."""
    locks = int.from_bytes(image[STATIC_LOCK * PAGE + 2 : STATIC_LOCK * PAGE + 4], "little")
    groups = ((1, 0x0008), (2, 0x03F0), (4, 0xFC00))
    if any(locks & freeze and locks & group != group for freeze, group in groups):
        return True
    if layout.locks is None:
        return False
    bits, freezing = image[layout.locks.page * PAGE :][:2], image[layout.locks.page * PAGE + 2]
    now, all_bits = int.from_bytes(bits, "little"), int.from_bytes(layout.locks.value[:2], "little")
    groups_2 = (0b11 << 2 * bit & all_bits for bit in range(8) if freezing >> bit & 1)
    return any(now & group != group for group in groups_2)
