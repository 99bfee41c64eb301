"""Trouble from outside, as a small tree with codes; expected outcomes are values, everything else is a bug.

Trouble(code, detail, kept)      what happened; `ui.texts` has for each code: what happened, what to do, what was kept
  ├─ BadInput                    a file, option or setting that cannot be used      exit 2
  ├─ Unavailable                 a device, server or port that is away              exit 3
  ├─ StorageTrouble              disk full, database newer or damaged               exit 4
  └─ EvidenceTrouble             a chain, recording or answer that does not verify  exit 5
"""

from __future__ import annotations


class Trouble(Exception):
    """Something outside went wrong. `code` names the text; `detail` goes to the support line and holds no secret."""

    exit_code = 1

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class BadInput(Trouble):
    """A file, option or setting that cannot be used."""

    exit_code = 2


class Unavailable(Trouble):
    """A device, server or port that is away."""

    exit_code = 3


class StorageTrouble(Trouble):
    """The disk or the database cannot take what must be kept."""

    exit_code = 4


class EvidenceTrouble(Trouble):
    """A chain, a recording, or what the centre answered does not verify."""

    exit_code = 5
