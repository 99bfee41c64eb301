"""What a chip is, from what it says of itself; and that those nobody may touch are told apart first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.nfc.chips import Family, classify, historical_bytes, speaks_get_version
from hardware.nfc.chips.identify import identify
from hardware.ports import NfcTarget

NXP_UID = bytes.fromhex("04A1B2C3D4E580")
TYPE_2 = NfcTarget(NXP_UID, bytes.fromhex("0044"), 0x00)

targets = st.builds(
    NfcTarget,
    uid=st.sampled_from([4, 7, 10]).flatmap(lambda size: st.binary(min_size=size, max_size=size)),
    atqa=st.sampled_from([bytes.fromhex(text) for text in ("0044", "0004", "0344", "0002")]),
    sak=st.integers(0, 255),
    ats=st.binary(max_size=20),
)


@pytest.mark.parametrize(
    ("version", "family"),
    [
        ("0004040201000F03", Family.NTAG213),
        ("0004040201001103", Family.NTAG215),
        ("0004040201001303", Family.NTAG216),
        ("0004030101000B03", Family.ULTRALIGHT_EV1_11),
        ("0004030101000E03", Family.ULTRALIGHT_EV1_21),
        ("0004040101000B03", Family.NTAG210),
        ("0004040101000E03", Family.NTAG212),
        ("0004040502011303", Family.UNKNOWN),  # NTAG I2C plus
        ("0004030102000B03", Family.UNKNOWN),  # a later Ultralight
        ("0053040201000F03", Family.UNKNOWN),  # another maker's copy
        ("0004040201000F", Family.UNKNOWN),
        ("", Family.UNKNOWN),
    ],
)
def test_the_version_decides(version: str, family: Family) -> None:
    assert classify(TYPE_2, bytes.fromhex(version)) is family


@pytest.mark.parametrize(
    ("uid", "atqa", "sak", "ats", "family"),
    [
        ("04A1B2C3D4E580", "0044", 0x00, "", Family.ULTRALIGHT),
        ("1DA1B2C3D4E580", "0044", 0x00, "", Family.UNKNOWN),
        ("DEADBEEF", "0004", 0x08, "", Family.CLASSIC_1K),
        ("DEADBEEF", "0002", 0x18, "", Family.CLASSIC_4K),
        ("04A1B2C3D4E580", "0344", 0x20, "067577810280", Family.DESFIRE),
        ("04A1B2C3D4E580", "0344", 0x20, "067777710280", Family.ISO_DEP),
        ("01020304", "0004", 0x20, "0E78807002803180664090840183", Family.BANK_CARD),
        ("01020304", "0004", 0x28, "", Family.ISO_DEP),
        ("08020304", "0004", 0x20, "0578807002", Family.PHONE),
        ("08020304", "0004", 0x08, "", Family.PHONE),
        ("DEADBEEF", "0004", 0x01, "", Family.UNKNOWN),
    ],
)
def test_a_chip_that_gives_no_version(uid: str, atqa: str, sak: int, ats: str, family: Family) -> None:
    assert classify(NfcTarget(bytes.fromhex(uid), bytes.fromhex(atqa), sak, bytes.fromhex(ats))) is family


def test_historical_bytes_stand_behind_the_interface_bytes() -> None:
    assert historical_bytes(bytes.fromhex("067577810280")) == b"\x80"
    assert historical_bytes(bytes.fromhex("0500AABBCC")) == bytes.fromhex("AABBCC")
    assert historical_bytes(b"") == b""


class ListeningReader:
    """Stands where a reader stands and keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[int, bytes]] = []

    def command(self, code: int, data: bytes, timeout_s: float) -> bytes:
        self.told.append((code, data))
        return b"\x00" + bytes.fromhex("0004040201000F03")


@given(targets)
def test_nothing_but_get_version_is_ever_sent_and_never_to_a_processor_card(target: NfcTarget) -> None:
    reader = ListeningReader()
    identify(reader, target)  # type: ignore[arg-type]
    assert reader.told in ([], [(0x42, b"\x60")])
    if target.sak & 0x20 or not speaks_get_version(target):
        assert reader.told == []


def test_a_chip_that_left_is_not_called_anything() -> None:
    assert identify(None, TYPE_2).family == Family.UNKNOWN
