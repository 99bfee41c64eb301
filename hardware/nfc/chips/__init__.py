"""Chip families: what a chip in the field is, told from what it says of itself without being changed.

`classify` is pure. It never guesses: what it does not know for certain is UNKNOWN, and what could be a bank card or a
phone is named so that nobody touches it.
"""

from __future__ import annotations

from enum import StrEnum

from hardware.ports import NfcTarget


class Family(StrEnum):
    """Names as the operator and the evidence see them."""

    NTAG210 = "NTAG210"
    NTAG212 = "NTAG212"
    NTAG213 = "NTAG213"
    NTAG215 = "NTAG215"
    NTAG216 = "NTAG216"
    ULTRALIGHT = "MIFARE Ultralight"  # mute on GET_VERSION; Ultralight C and NTAG203 look the same until read
    ULTRALIGHT_EV1_11 = "MIFARE Ultralight EV1 (MF0UL11)"
    ULTRALIGHT_EV1_21 = "MIFARE Ultralight EV1 (MF0UL21)"
    CLASSIC_MINI = "MIFARE Classic Mini"
    CLASSIC_1K = "MIFARE Classic 1K"
    CLASSIC_4K = "MIFARE Classic 4K"
    DESFIRE = "MIFARE DESFire"
    ISO_DEP = "ISO-DEP"  # a processor card of a kind not told
    BANK_CARD = "bank card"  # by its historical bytes; anything else would mean to speak to it
    PHONE = "phone"
    UNKNOWN = "unknown"


ISO_DEP_BIT = 0x20
_NXP = 0x04
_RANDOM_UID = 0x08
_TYPE_2_ATQA = bytes.fromhex("0044")
_DESFIRE_ATQA = bytes.fromhex("0344")

# GET_VERSION: header, vendor NXP, type, subtype, major, minor, size, protocol. NTAG21x data sheet rev 3.2 and MF0ULx1
# rev 3.3, section "GET_VERSION"; NTAG210/212 rev 3.0.
_FAMILY_BY_VERSION = {
    bytes.fromhex("0004040101000B03"): Family.NTAG210,
    bytes.fromhex("0004040101000E03"): Family.NTAG212,
    bytes.fromhex("0004040201000F03"): Family.NTAG213,
    bytes.fromhex("0004040201001103"): Family.NTAG215,
    bytes.fromhex("0004040201001303"): Family.NTAG216,
    bytes.fromhex("0004030101000B03"): Family.ULTRALIGHT_EV1_11,
    bytes.fromhex("0004030101000E03"): Family.ULTRALIGHT_EV1_21,
}
# NXP AN10833, "MIFARE type identification procedure".
_CLASSIC_BY_SAK = {
    0x08: Family.CLASSIC_1K,
    0x88: Family.CLASSIC_1K,  # Infineon's
    0x09: Family.CLASSIC_MINI,
    0x18: Family.CLASSIC_4K,
}
# EV1 to EV3 as delivered (NXP AN10833). Other NXP chips share ATQA and SAK, so the whole ATS has to agree.
_DESFIRE_ATS = bytes.fromhex("067577810280")
# Compact-TLV status with the card service data first (ISO 7816-4 section 8.1.1.2.3), as payment cards have it.
_PAYMENT_HISTORY = bytes.fromhex("8031")


def speaks_get_version(target: NfcTarget) -> bool:
    """Whether GET_VERSION may be sent at all: Type 2 chips with a fixed UID only.

    To a MIFARE Classic the same byte is an authentication, and a processor card is never spoken to.
    """
    return target.sak == 0x00 and target.atqa == _TYPE_2_ATQA and len(target.uid) == 7


def classify(target: NfcTarget, version: bytes | None = None) -> Family:
    """The family of a chip from ATQA, SAK, ATS, and its 8 bytes answer to GET_VERSION (None: it stayed mute)."""
    if len(target.uid) == 4 and target.uid[0] == _RANDOM_UID:
        return Family.PHONE  # ISO 14443-3: a random UID; phones, watches, some passports
    if target.sak & ISO_DEP_BIT:
        return _classify_processor_card(target)
    if speaks_get_version(target):
        return _classify_type_2(target, version)
    return _CLASSIC_BY_SAK.get(target.sak, Family.UNKNOWN)


def _classify_type_2(target: NfcTarget, version: bytes | None) -> Family:
    if version is not None:
        return _FAMILY_BY_VERSION.get(version, Family.UNKNOWN)
    # Other makers' copies are mute as well, but tell themselves by the first byte of the UID (ISO 7816-6).
    return Family.ULTRALIGHT if target.uid[0] == _NXP else Family.UNKNOWN


def _classify_processor_card(target: NfcTarget) -> Family:
    if target.atqa == _DESFIRE_ATQA and target.ats == _DESFIRE_ATS:
        return Family.DESFIRE
    if historical_bytes(target.ats).startswith(_PAYMENT_HISTORY):
        return Family.BANK_CARD
    return Family.ISO_DEP


def historical_bytes(ats: bytes) -> bytes:
    """The historical bytes of an answer to select `TL [T0 [TA] [TB] [TC]] T1..Tk` (ISO 14443-4 section 5.2)."""
    if len(ats) < 2:
        return b""
    interface_bytes = (ats[1] & 0x70).bit_count()
    return ats[2 + interface_bytes :]
