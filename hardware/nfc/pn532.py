"""Driver of the NXP PN532 on a serial line: woken up, checked to be one, asked what lies in its field.

Source: NXP UM0701-02 (commands), AN10609 (wake-up). It never raises the speed of the line: a board left at a higher one
by another program answers nobody at 115200 until it is replugged, so `open_pn532` looks for such boards and sets them
back. Nothing here writes to a chip.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from hardware.errors import DeviceError, DeviceReason
from hardware.nfc.chips import Family, speaks_get_version
from hardware.nfc.chips.identify import identify
from hardware.nfc.exchange import ACK_TIMEOUT_S, CancelledError, Exchange
from hardware.nfc.link import DEFAULT_BAUD, SerialLink
from hardware.ports import DeviceInfo, Link, NfcSighting, NfcTarget

GET_FIRMWARE_VERSION = 0x02
SET_SERIAL_BAUD_RATE = 0x10
SAM_CONFIGURATION = 0x14
RF_CONFIGURATION = 0x32
IN_LIST_PASSIVE_TARGET = 0x4A

WAKE_UP = b"\x55\x55" + bytes(14)
_WAKE_PAUSE_S = 0.01  # 2 ms are asked for
_WAKE_TRIES = 3
# Normal mode, SAM unused. Some boards ignore the short form and want time-out and IRQ named.
_SAM_FORMS = (b"\x01", b"\x01\x14\x01")
_LONG_SAM = _SAM_FORMS[1:]
_PN532_IC = 0x32
_RF_OFF, _RF_ON = b"\x01\x00", b"\x01\x01"
_RF_PAUSE_S = 0.01  # chips must lose power, and have 5 ms with power before the first command
# ATR and PSL retries as after reset; 2 for finding a chip, where the default is to look for ever.
_FEW_RETRIES = b"\x05\x00\x01\x02"
_TWO_TARGETS_106A = b"\x02\x00"
_CASCADE_TAG = b"\x88"
_BAUD_115200 = b"\x04"
_OTHER_BAUDS = (921600, 460800, 230400)
_QUICK_ACK_S, _OTHER_ACK_S = 0.2, 0.15  # ten times what the manual says

ANSWER_TIMEOUT_S = 1.2  # a busy bus has been seen to take that long, nearly; a hung board is named within 2 s
_MUTE_AGAIN = 2
POLL_TRIES = 3  # many boards miss every second look at a chip with a long UID


class Pn532:
    """One PN532 over a link, as an `NfcReader`. Owned by one thread; `cancel` and `close` may come from another."""

    def __init__(
        self,
        link: Link,
        info: DeviceInfo,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Nothing is sent yet: `start` wakes the board. The link is closed with the reader."""
        self._link = link
        self._info = info
        self._clock = clock
        self._pause = pause
        self._exchange = Exchange(link, clock)
        self._firmware = ""
        self._chips_are_awake = False

    @property
    def info(self) -> DeviceInfo:
        return self._info

    @property
    def firmware(self) -> str:
        """Such as "PN532 1.6", "" before `start`."""
        return self._firmware

    def start(self) -> None:
        """Wake the board and set it up. Raises DeviceError as those two do."""
        self.wake()
        self.set_up()

    def wake(self, tries: int = _WAKE_TRIES, ack_s: float = ACK_TIMEOUT_S, forms: Sequence[bytes] = _SAM_FORMS) -> None:
        """Bring the board to listen; each try asks in each of `forms` and waits `ack_s` for its acknowledgement.

        Raises DeviceError: TIMEOUT (nothing answers), GARBLED (nonsense does), LOST.
        """
        failure = DeviceError(DeviceReason.TIMEOUT, self._link.address)
        for _ in range(tries):
            for form in forms:
                try:
                    self._wake_with(form, ack_s)
                except DeviceError as error:
                    failure = _worth_another_try(error)
                else:
                    return
        raise failure

    def set_up(self) -> None:
        """Make sure that it is a PN532, let it look for chips only briefly, switch the field on.

        Raises DeviceError: GARBLED when it is another device, LOST, TIMEOUT.
        """
        self._firmware = self._read_firmware()
        self.command(RF_CONFIGURATION, _FEW_RETRIES, ANSWER_TIMEOUT_S)
        self.restart_field()

    def poll(self, timeout_s: float) -> list[NfcSighting]:
        """Up to two targets now in the field, [] when none. Raises DeviceError.

        Looks up to three times before it says "none"; no new look begins after `timeout_s`. A look that fails on the
        line is repeated too. The field is switched off and on when the last poll found something, since a chip that
        was spoken to does not answer the next look: a phone shows another random UID then.
        """
        if self._chips_are_awake:
            self.restart_field()
        targets = self._look_for_targets(self._clock() + timeout_s)
        return [self._identify(target, alone=len(targets) == 1) for target in targets]

    def command(self, code: int, data: bytes, timeout_s: float) -> bytes:
        """One command of the chip; the answer's data after its code.

        `timeout_s` runs from the acknowledgement. Lost questions are repeated twice, so the command has to be harmless
        when done again. Raises DeviceError (LOST, TIMEOUT, GARBLED).
        """
        return self._exchange.ask(code, data, timeout_s)

    def select(self, uid: bytes) -> NfcTarget | None:
        """Find exactly the chip with this UID after a restart of the field; None when it does not answer."""
        self.restart_field()
        wanted = (_CASCADE_TAG + uid) if len(uid) == 7 else uid
        found = self._list(b"\x01\x00" + wanted)
        return next((target for target in found if target.uid == uid), None)

    def restart_field(self) -> None:
        """Switch the field off and on: every chip starts anew. Raises DeviceError."""
        for state in (_RF_OFF, _RF_ON):
            self.command(RF_CONFIGURATION, state, ANSWER_TIMEOUT_S)
            self._pause(_RF_PAUSE_S)
        self._chips_are_awake = False

    def return_to_115200(self) -> None:
        """Tell the board to speak at 115200 bit/s from now on; it does so after our ACK. Raises DeviceError."""
        self.command(SET_SERIAL_BAUD_RATE, _BAUD_115200, ANSWER_TIMEOUT_S)
        self._exchange.acknowledge()
        self._pause(_WAKE_PAUSE_S)

    def cancel(self) -> None:
        """End the command now running, or else the next one, with DeviceError(TIMEOUT, "cancelled")."""
        self._exchange.cancel()

    def close(self) -> None:
        """Give the port back; twice is harmless."""
        self._link.close()

    def _wake_with(self, sam_form: bytes, ack_s: float) -> None:
        self._exchange.wake(WAKE_UP)
        self._pause(_WAKE_PAUSE_S)
        self._exchange.ask(SAM_CONFIGURATION, sam_form, ANSWER_TIMEOUT_S, sends=1, ack_s=ack_s)

    def _read_firmware(self) -> str:
        answer = self.command(GET_FIRMWARE_VERSION, b"", ANSWER_TIMEOUT_S)
        if len(answer) != 4 or answer[0] != _PN532_IC:
            raise DeviceError(DeviceReason.GARBLED, self._link.address, "not a PN532")
        return f"PN532 {answer[1]}.{answer[2]}"

    def _look_for_targets(self, until_s: float) -> list[NfcTarget]:
        failure: DeviceError | None = None
        for _ in range(POLL_TRIES):
            try:
                targets = self._list(_TWO_TARGETS_106A)
            except DeviceError as error:
                failure = _worth_another_try(error)
            else:
                failure = None
                if targets:
                    return targets
            if self._clock() >= until_s:
                break
        if failure is not None:
            raise failure
        return []

    def _list(self, request: bytes) -> list[NfcTarget]:
        answer = self.command(IN_LIST_PASSIVE_TARGET, request, ANSWER_TIMEOUT_S)
        targets = parse_targets(answer, self._link.address)
        self._chips_are_awake = bool(targets)
        return targets

    def _identify(self, target: NfcTarget, alone: bool) -> NfcSighting:
        """What `target` is. With two chips in the field, this one is singled out first."""
        sighting = identify(self if alone else self._only(target), target)
        for _ in range(_MUTE_AGAIN):
            if sighting.family != Family.ULTRALIGHT:
                break
            # Mute is also a chip that was just taken away or lies at the edge of the field: only thrice mute is mute.
            sighting = identify(self._only(target), target)
        return sighting

    def _only(self, target: NfcTarget) -> Pn532 | None:
        """This reader with only `target` selected; None when it is not there or must not be spoken to anyway."""
        return self if speaks_get_version(target) and self.select(target.uid) else None


def open_pn532(port: str, info: DeviceInfo) -> Pn532:
    """The PN532 on a serial port, awake and at 115200 bit/s, also when another program left it at a higher speed.

    Raises DeviceError: MISSING, BUSY, DENIED for the port; TIMEOUT when nothing answers at any speed; GARBLED when
    something else than a PN532 answers; LOST.
    """
    link = SerialLink(port, info.address)
    reader = Pn532(link, info)
    try:
        _start_at_any_speed(link, reader)
    except BaseException:
        reader.close()
        raise
    return reader


def _start_at_any_speed(link: SerialLink, reader: Pn532) -> None:
    """A board that never answers is given up within 2 s: a quick look at each speed, then a patient one at ours."""
    try:
        reader.wake(tries=1, ack_s=_QUICK_ACK_S)
    except DeviceError as error:
        _worth_another_try(error)
        found = any(_bring_back(link, reader, baud) for baud in _OTHER_BAUDS)
        reader.wake(tries=_WAKE_TRIES if found else 1)
    reader.set_up()


def _bring_back(link: SerialLink, reader: Pn532, baud: int) -> bool:
    """Whether a board answered at `baud`; it is at 115200 then. The line is at 115200 again in any case."""
    link.set_baud(baud)
    try:
        reader.wake(tries=1, ack_s=_OTHER_ACK_S, forms=_LONG_SAM)  # which every board takes
        reader.return_to_115200()
    except DeviceError as error:
        _worth_another_try(error)
        return False
    finally:
        link.set_baud(DEFAULT_BAUD)
    return True


def _worth_another_try(error: DeviceError) -> DeviceError:
    """The error itself when it may pass; raises it when the port is gone or the caller wants no more."""
    if isinstance(error, CancelledError) or error.reason not in (DeviceReason.TIMEOUT, DeviceReason.GARBLED):
        raise error
    return error


def parse_targets(answer: bytes, address: str) -> list[NfcTarget]:
    """The targets in an answer to InListPassiveTarget at 106 kbit/s type A. Raises DeviceError(GARBLED)."""
    targets: list[NfcTarget] = []
    rest = answer[1:]
    try:
        for _ in range(answer[0]):
            target, rest = _parse_target(rest)
            targets.append(target)
    except (IndexError, ValueError) as error:
        raise DeviceError(DeviceReason.GARBLED, address, "list of targets cut short") from error
    return targets


def _parse_target(data: bytes) -> tuple[NfcTarget, bytes]:
    """`Tg SENS_RES(2) SEL_RES NFCIDLen NFCID [ATS]`, the ATS (its own length first) only from ISO 14443-4 chips."""
    sak, uid_end = data[3], 5 + data[4]
    end = uid_end + (data[uid_end] if sak & 0x20 else 0)
    if len(data) < end:
        raise ValueError(f"{end} bytes announced, {len(data)} there")
    return NfcTarget(uid=data[5:uid_end], atqa=data[1:3], sak=sak, ats=data[uid_end:end]), data[end:]
