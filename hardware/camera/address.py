"""Camera addresses: `scheme:path?option=value&…`, for example `file:unboxing.mp4?epoch_us=81234567&loop=1`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from hardware.errors import DeviceError, DeviceReason


@dataclass(frozen=True, slots=True)
class CameraAddress:
    """An address taken apart. The path is taken as it stands; only options are percent-decoded."""

    text: str
    scheme: str
    path: str
    options: Mapping[str, str] = field(default_factory=dict)

    def number(self, name: str) -> float | None:
        """The option as a number, None when it is not given. Raises DeviceError(GARBLED) for anything else."""
        text = self.options.get(name)
        if text is None:
            return None
        try:
            return float(text)
        except ValueError:
            raise DeviceError(DeviceReason.GARBLED, self.text, f"{name} is not a number") from None

    def flag(self, name: str, default: bool) -> bool:
        """The option as yes or no: 1 or 0. Raises DeviceError(GARBLED) for anything else."""
        text = self.options.get(name, "1" if default else "0")
        if text not in ("0", "1"):
            raise DeviceError(DeviceReason.GARBLED, self.text, f"{name} is neither 0 nor 1")
        return text == "1"


def parse_address(text: str, known: frozenset[str]) -> CameraAddress:
    """Take an address apart. Raises DeviceError(GARBLED) for an option that is not in `known`."""
    scheme, _, rest = text.partition(":")
    path, mark, query = rest.rpartition("?")
    if not mark:
        path, query = rest, ""
    options = dict(parse_qsl(query, keep_blank_values=True))
    unknown = sorted(set(options) - known)
    if unknown or not path:
        raise DeviceError(DeviceReason.GARBLED, text, f"unknown option {unknown[0]}" if unknown else "no path")
    return CameraAddress(text, scheme, path, options)


def without_password(address: str) -> str:
    """The address of a network camera as it may be shown and recorded: without name and password."""
    scheme, mark, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}" if mark else address


def make_address(scheme: str, path: str, **options: int | float | str) -> str:
    """The text of an address; options that are given replace nothing, so give each once."""
    return f"{scheme}:{path}" + (f"?{urlencode(options)}" if options else "")
