"""The simulated chips there are: from a family and a UID to a chip fresh from the factory."""

from __future__ import annotations

from collections.abc import Callable

from hardware.nfc.chips import Family
from hardware.ports import NfcTarget
from hardware.sim.nfc_chip import SimulatedChip
from hardware.sim.nfc_classic import ClassicChip
from hardware.sim.nfc_type2 import MEMORIES, Type2Chip


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
    **{family: (7, _type_2(family)) for family in MEMORIES},
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
