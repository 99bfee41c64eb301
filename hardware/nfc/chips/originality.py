"""NXP's originality signature: what a genuine NTAG21x or Ultralight EV1 says of its own UID (READ_SIG).

ECDSA over the curve secp128r1 (SEC 2 version 1.0, section 2.2.1), the UID itself as the number that is signed, without
a hash (NXP AN11350). `cryptography` does not know the curve, and verifying needs no secret: plain integers will do.
A signature tells that NXP made a chip with this UID, not that this is that chip: it can be copied. So it is a remark
in the evidence and decides nothing.
"""

from __future__ import annotations

from enum import StrEnum

_P = 0xFFFFFFFDFFFFFFFFFFFFFFFFFFFFFFFF
_A = 0xFFFFFFFDFFFFFFFFFFFFFFFFFFFFFFFC
_B = 0xE87579C11079F43DD824993C2CEE5ED3
_N = 0xFFFFFFFE0000000075A30D1B9038A115
_SIZE = 16

Point = tuple[int, int] | None
"""A point of the curve; None is the one at infinity."""

GENERATOR: Point = (0x161FF7528B899B2D0C28607CA52C5B86, 0xCF5AC8395BAFEB13C02DA292DDED7A83)

KEYS: dict[str, Point] = {
    "NXP NTAG21x": (0x494E1A386D3D3CFE3DC10E5DE68A499B, 0x1C202DB5B132393E89ED19FE5BE8BC61),
    "NXP Ultralight EV1": (0x90933BDCD6E99B4E255E3DA55389A827, 0x564E11718E017292FAF23226A96614B8),
}
"""NXP's published public keys, by the families they sign."""


class Original(StrEnum):
    """What can be said of a signature."""

    GENUINE = "signed by NXP for this UID; a copy can carry it too"
    FOREIGN = "not NXP's signature of this UID"


def judge_signature(family: str, uid: bytes, signature: bytes) -> Original:
    """Whether the 32 bytes of READ_SIG are NXP's for this UID, under the key of the chip's family."""
    key = KEYS["NXP NTAG21x" if family.startswith("NTAG") else "NXP Ultralight EV1"]
    return Original.GENUINE if verifies(key, uid, signature) else Original.FOREIGN


def verifies(key: Point, message: bytes, signature: bytes) -> bool:
    """ECDSA (SEC 1 version 2.0, section 4.1.4) with the message as the number; `signature`: r, s of 16 bytes each."""
    if len(signature) != 2 * _SIZE or not on_curve(key):
        return False
    r, s = (int.from_bytes(signature[at : at + _SIZE]) for at in (0, _SIZE))
    if not (0 < r < _N and 0 < s < _N):
        return False
    inverse, number = pow(s, -1, _N), int.from_bytes(message[:_SIZE])
    found = add(multiply(number * inverse % _N, GENERATOR), multiply(r * inverse % _N, key))
    return found is not None and found[0] % _N == r


def on_curve(point: Point) -> bool:
    """Whether a point lies on secp128r1 (the one at infinity does not count)."""
    if point is None:
        return False
    x, y = point
    return 0 <= x < _P and 0 <= y < _P and (y * y - (x * x * x + _A * x + _B)) % _P == 0


def add(one: Point, other: Point) -> Point:
    """The sum of two points."""
    if one is None or other is None:
        return one if other is None else other
    if one[0] == other[0]:
        if (one[1] + other[1]) % _P == 0:
            return None
        slope = (3 * one[0] * one[0] + _A) * pow(2 * one[1], -1, _P)
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, _P)
    x = (slope * slope - one[0] - other[0]) % _P
    return x, (slope * (one[0] - x) - one[1]) % _P


def multiply(times: int, point: Point) -> Point:
    """`times` times a point. Not for secrets: it takes longer for some numbers than for others."""
    result: Point = None
    while times:
        if times & 1:
            result = add(result, point)
        point, times = add(point, point), times >> 1
    return result
