"""A document scanner through SANE's command `scanimage`: one sheet after another as PNG, at a fixed resolution.

A child process each time, because SANE's back ends crash and hang; the picture comes through a pipe, so no scan of a
PIN is ever left on the disk.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess

from hardware.errors import DeviceError, DeviceReason
from hardware.ports import DeviceInfo, Sheet

_PROGRAM = "scanimage"
_SAID = (
    ("busy", DeviceReason.BUSY),
    ("denied", DeviceReason.DENIED),
    ("out of documents", DeviceReason.ENDED),
    ("feeder", DeviceReason.ENDED),
    ("jammed", DeviceReason.GARBLED),
    ("invalid argument", DeviceReason.MISSING),
    ("no sane devices", DeviceReason.MISSING),
)


class SaneScanner:
    """One SANE device. `options` go to scanimage as --NAME=VALUE (source, mode, test-picture …)."""

    def __init__(self, address: str, device: str, dpi: int, options: dict[str, str]) -> None:
        program = shutil.which(_PROGRAM)
        if program is None:
            raise DeviceError(DeviceReason.MISSING, address, f"{_PROGRAM} is not installed (package sane-utils)")
        self._address, self._device = address, device
        given = [f"--{name}={value}" for name, value in options.items()]
        self._argv = [program, "-d", device, f"--resolution={dpi}", "--format=png", *given]
        self._count = 0

    @property
    def info(self) -> DeviceInfo:
        return DeviceInfo(self._address, f"SANE {self._device}", simulated=self._device.startswith("test"))

    @property
    def idle(self) -> bool:
        """A scanner scans when it is asked: nothing is ever half there."""
        return True

    def read(self, timeout_s: float) -> Sheet:
        """Scan one sheet. Raises DeviceError: ENDED (feeder empty), BUSY, DENIED, MISSING, TIMEOUT, GARBLED."""
        try:
            done = subprocess.run(self._argv, capture_output=True, timeout=timeout_s, check=False)
        except subprocess.TimeoutExpired as late:
            raise DeviceError(DeviceReason.TIMEOUT, self._address) from late
        except OSError as error:
            raise DeviceError(DeviceReason.MISSING, self._address, str(error.strerror)) from error
        if done.returncode != 0 or not done.stdout.startswith(b"\x89PNG") or b"IEND" not in done.stdout[-16:]:
            raise self._trouble(done.stderr.decode("utf-8", "replace").strip(), done.returncode)
        self._count += 1
        return Sheet(f"sheet-{self._count:04d}", done.stdout, hashlib.sha256(done.stdout).hexdigest())

    def close(self) -> None:
        """Nothing is held open between sheets."""

    def _trouble(self, said: str, code: int) -> DeviceError:
        last = said.splitlines()[-1] if said else f"exit {code}"
        reason = next((reason for word, reason in _SAID if word in said.lower()), DeviceReason.GARBLED)
        return DeviceError(reason, self._address, last[:200])
