"""NXP's originality signature, against signatures of real chips as they were published."""

from __future__ import annotations

import os

import pytest

from hardware.nfc.chips.originality import GENERATOR, KEYS, Original, judge_signature, multiply, on_curve, verifies

ORDER = 0xFFFFFFFE0000000075A30D1B9038A115

# UIDs and signatures of real chips: Proxmark3 (Iceman fork), tools/recover_pk.py, "samples".
PUBLISHED = [
    ("NTAG213", "04E10CDA993C80", "8B76052EE42F5567BEB53238B3E3F9950707C0DCC956B5C5EFCFDB709B2D82B3"),
    ("NTAG216", "04DB0BDA993C80", "6048EFD9417CD10F6B7F1818D471A7FE5B46868D2EABDC6307A1E0AAE139D8D0"),
    (
        "MIFARE Ultralight EV1 (MF0UL11)",
        "04C1285A373080",
        "CEA2EB0B3C95D0844A95B824A7553703B3702378033BF0987899DB70151A19E7",
    ),
    (
        "MIFARE Ultralight EV1 (MF0UL21)",
        "04C2285A373080",
        "A561506723D422D29ED9F93E60D20B9ED1E05CC1BF81DA19FE500CA0B81CC0ED",
    ),
]


def test_the_curve_is_the_curve() -> None:
    assert on_curve(GENERATOR)
    assert multiply(ORDER, GENERATOR) is None
    assert all(on_curve(key) for key in KEYS.values())


@pytest.mark.parametrize(("family", "uid", "signature"), PUBLISHED)
def test_published_signatures_verify_for_their_uid_and_for_no_other(family: str, uid: str, signature: str) -> None:
    chip, signed = bytes.fromhex(uid), bytes.fromhex(signature)
    assert judge_signature(family, chip, signed) is Original.GENUINE
    assert judge_signature(family, chip[:-1] + b"\x81", signed) is Original.FOREIGN
    other = "NTAG213" if family.startswith("MIFARE") else "MIFARE Ultralight EV1 (MF0UL11)"
    assert judge_signature(other, chip, signed) is Original.FOREIGN
    for bit in range(0, 256, 37):
        flipped = (int.from_bytes(signed) ^ 1 << bit).to_bytes(32)
        assert judge_signature(family, chip, flipped) is Original.FOREIGN


@pytest.mark.parametrize("signature", [bytes(32), b"", b"\xff" * 32, bytes(31) + b"\x01", b"\x01" + bytes(31)])
def test_nonsense_is_no_signature(signature: bytes) -> None:
    assert judge_signature("NTAG213", bytes.fromhex("04E10CDA993C80"), signature) is Original.FOREIGN


def test_our_own_signatures_verify_under_our_own_key() -> None:
    secret = int.from_bytes(os.urandom(16)) % (ORDER - 1) + 1
    public = multiply(secret, GENERATOR)
    for message in (b"\x04" + os.urandom(6), b"\x00" * 6 + b"\x01"):
        nonce = int.from_bytes(os.urandom(16)) % (ORDER - 1) + 1
        point = multiply(nonce, GENERATOR)
        assert point is not None
        r = point[0] % ORDER
        s = pow(nonce, -1, ORDER) * (int.from_bytes(message) + r * secret) % ORDER
        assert verifies(public, message, r.to_bytes(16) + s.to_bytes(16))
        assert not verifies(public, message + b"\x00", r.to_bytes(16) + s.to_bytes(16))
