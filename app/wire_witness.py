"""What travels of what the centre saw: recordings, and its log's checkpoints. Beside `app.wire`, under its rules."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from app.wire import Hex64, Name, Signed, Statement, WireModel


class WitnessWanted(WireModel):
    """A station asks what the centre saw of a closed recording: by the numbers of its own events on it."""

    recording: Name
    closed_seq: int
    head_seqs: Annotated[tuple[int, ...], Field(max_length=10_000)] = ()


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


class CheckpointAnswer(WireModel):
    """The log's latest checkpoint (a C2SP signed note) and, for each size asked, the proof that it begins with it."""

    note: str
    epoch: str
    proofs: tuple[tuple[Hex64, ...], ...]
    restored: tuple[Signed, ...] = ()  # Restored, the earliest first


class Cosigning(WireModel):
    """A station's line (C2SP tlog-cosignature) under the checkpoint of that size."""

    size: int
    line: Annotated[str, StringConstraints(max_length=1000)]


class Cosigned(WireModel):
    """The line is kept."""

    size: int
