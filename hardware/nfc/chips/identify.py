"""Asks a chip in the field what it is: one GET_VERSION at most, and that only where it can do no harm."""

from __future__ import annotations

from hardware.nfc.chips import Family, classify, speaks_get_version
from hardware.ports import NfcReader, NfcSighting, NfcTarget

IN_COMMUNICATE_THRU = 0x42
GET_VERSION = b"\x60"
_STATUS_BITS = 0x3F
_TIMEOUT_S = 1.2


def identify(reader: NfcReader | None, target: NfcTarget) -> NfcSighting:
    """The target with its family. `reader` has it selected; None when the chip no longer answers (then UNKNOWN).

    GET_VERSION goes through InCommunicateThru: through InDataExchange the PN532 takes the byte 60h for a MIFARE Classic
    authentication. A chip that refuses it has to be selected again. Raises DeviceError.
    """
    if not speaks_get_version(target):
        return NfcSighting(target, classify(target))
    if reader is None:
        return NfcSighting(target, Family.UNKNOWN)
    answer = reader.command(IN_COMMUNICATE_THRU, GET_VERSION, _TIMEOUT_S)
    version = _version_in(answer)
    return NfcSighting(target, classify(target, version), version or b"")


def _version_in(answer: bytes) -> bytes | None:
    """What stands behind a status of zero, or None when the chip refused or stayed mute."""
    return answer[1:] if answer and not answer[0] & _STATUS_BITS else None
