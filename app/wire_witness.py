"""What travels of what the centre saw: recordings, and its log's checkpoints. Beside `app.wire`, under its rules."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from app.wire import Hex64, Name, Signed, Statement, Whole, WireEvent, WireModel


class WitnessWanted(WireModel):
    """A station asks what the centre saw of a closed recording: by the numbers of its own events on it."""

    recording: Name
    closed_seq: Whole
    head_seqs: Annotated[tuple[Whole, ...], Field(max_length=10_000)] = ()


class HeadSeen(WireModel):
    """The centre had the hash `head` of the recording's record `n` at `received_ms`, by the station's event `seq`."""

    seq: int
    n: int
    head: Hex64
    received_ms: int


class Witnessed(Statement):
    """What the centre saw of a recording, and when: the chain's heads while it ran, then the hash that closed it."""

    TYPE = "recording-witnessed"
    tenant: Name
    station: Name
    recording: Name
    final_hash: Hex64
    closed_seq: int
    closed_ms: int
    heads: tuple[HeadSeen, ...]
    server_time_ms: int
    epoch: Name


class WitnessAnswer(WireModel):
    """The statement, and that the closing event is entry `leaf` of the log whose checkpoint is `note`."""

    witnessed: Signed
    note: str
    leaf: int
    proof: tuple[Hex64, ...]


class Restored(Statement):
    """The centre was put back to an earlier state: of the log of epoch `before` it has the first `size` entries still.

    `root`: tree hash over those. What came after them in that epoch is lost here; stations send their part again.
    """

    TYPE = "restored"
    tenant: Name
    before: Name
    epoch: Name
    size: Annotated[int, Field(ge=0)]
    root: Hex64
    at_ms: int


class SeenElsewhere(WireModel):
    """The checkpoint `note` that another station countersigned last, and the proof that the log begins with it still.

    `first_key`: the one the station joined with; `rotations`: its events by which others followed, in order.
    """

    station: Name
    first_key: Hex64
    rotations: tuple[WireEvent, ...] = ()
    note: str
    line: str
    proof: tuple[Hex64, ...]


class CheckpointAnswer(WireModel):
    """The log's latest checkpoint (a C2SP signed note) and, for each size asked, the proof that it begins with it.

    `elsewhere`: where it was asked for, what other stations saw; `further`: after whom to ask on, "" for nobody.
    """

    note: str
    epoch: str
    proofs: tuple[tuple[Hex64, ...], ...]
    restored: tuple[Signed, ...] = ()  # Restored, the earliest first
    elsewhere: tuple[SeenElsewhere, ...] = ()
    further: str = ""


class Cosigning(WireModel):
    """A station's line (C2SP tlog-cosignature) under the checkpoint of that size."""

    size: Whole
    line: Annotated[str, StringConstraints(max_length=1000)]


class Cosigned(WireModel):
    """The line is kept."""

    size: int
