"""What the station and the recorder program say to each other: plain frozen data and its JSON form.

Knows nothing of cameras or codecs (the window imports this). Keys travel here only: over the private connection,
never in arguments, files, logs or `repr`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

CameraWord = Literal["off", "starting", "live", "stalled", "lost", "ended"]
RecordingWord = Literal["off", "starting", "on", "cut"]

FILMS = ("sim:", "file:")
"""Addresses of what is no camera: a recording of it never counts as evidence."""


def is_film(camera: str) -> bool:
    return camera.startswith(FILMS)


@dataclass(frozen=True, slots=True)
class Start:
    """Record into `folder`/`recording_id`. Sent again after a restart it goes on with the same recording; sent while
    that runs it does nothing, except with another camera: then the recording goes on with that one; no film in a
    recording that was begun with a camera, for its first record says that it is none. For a recording that is closed
    already the answer is its RecordingClosed.

    `recording_key` (32 bytes) and `signing_key` (Ed25519 seed, 32 bytes; "" records unsigned, with Trouble) in hex.
    `previous_hash`: `RecordingClosed.head` of the recording before, "" for the first. `meta` goes into the genesis.

    `masked`: paint over what Zones say, waiting 1.5 s for them; without it only films are reviewable, as a rehearsal.
    `reserve`, `reserve_bytes`: the file on the footage disk that is given back when the disk is full, made whole again
    at each begin; "" has none.
    `vault_key_id`, `vault_key` (X25519, hex): who may open the originals of masked frames; "" keeps none of them.
    """

    recording_id: str
    folder: str
    camera: str
    recording_key: str = field(repr=False)
    signing_key: str = field(repr=False)
    previous_hash: str
    rehearsal: bool
    meta: dict[str, Any] = field(default_factory=dict)
    masked: bool = False
    vault_key_id: str = ""
    vault_key: str = ""
    reserve: str = ""
    reserve_bytes: int = 0

    @property
    def aside(self) -> bool:
        """Whether nothing of it may be reviewed: a real camera without masks."""
        return not self.masked and not is_film(self.camera)


@dataclass(frozen=True, slots=True)
class Zones:
    """What the eye saw in the frame of `frame_us`. Quads: eight numbers, x and y, clockwise from the printed top left.

    `card`: where it lies, [] when nobody knows; `empty`: certainly no card; `calm`: nothing moved; `hide`: the fields
    that may not be seen, [] when they are not known.
    """

    frame_us: int
    card: list[float]
    empty: bool
    calm: bool
    hide: list[list[float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Stop:
    """Close the recording; answered by RecordingClosed. The camera stays open."""

    reason: str


@dataclass(frozen=True, slots=True)
class NoteEvent:
    """Put an event (a card, a pause) into the recording's chain. `body` is plain JSON without floats or secrets.

    An `id` (a UUID) in it makes it safe to say again: it is written once, and each time answered by Noted.
    """

    event: str
    body: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OpenCamera:
    """Open the camera for the preview without recording; "" closes it. Refused while a recording runs on another."""

    address: str


@dataclass(frozen=True, slots=True)
class CardsOut:
    """To the label camera's recorder: whether cards are being taken in now. Until it is told, they are."""

    out: bool


@dataclass(frozen=True, slots=True)
class Quit:
    """Close the recording, if any, and end."""


@dataclass(frozen=True, slots=True)
class CameraState:
    """`reason` is a DeviceReason value (or "") when stalled, lost or ended. Sizes in pixels, 0 before any frame.

    `controls`: what the live camera is held at, by name {"state", "value"} (`hardware.ports.Control`); empty before
    that, and of cameras without such a thing.
    """

    state: CameraWord
    reason: str
    address: str
    fps: float
    width: int
    height: int
    controls: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordingState:
    """How far the recording is durable; sent after each fragment and at least twice a second.

    Durable means in the write-ahead ring, or encoded. "starting": nothing yet (2 s grace). "cut": nothing became
    durable for 0.7 s, or the camera is stalled, lost or ended. `fragments` and `frames` count what is encoded, which
    comes later; `behind_us`: how much later. `dropped` counts frames that came from the camera, or should have, and
    are not in the recording.

    `first_pts_us`, `last_pts_us`: microseconds since the recording's first frame; `first_mono_us`: that frame's
    monotonic time (mono = first_mono + pts); `last_sync_mono_us`: when the last fdatasync returned. `head`: the
    chain's newest hash. `cause`: "disk.slow" of a cut while frames that the camera did give wait for the disk.
    """

    state: RecordingWord
    recording_id: str = ""
    bytes_on_disk: int = 0
    fragments: int = 0
    frames: int = 0
    dropped: int = 0
    first_pts_us: int = 0
    last_pts_us: int = 0
    first_mono_us: int = 0
    head: str = ""
    last_sync_mono_us: int = 0
    behind_us: int = 0
    cause: str = ""


@dataclass(frozen=True, slots=True)
class RecordingClosed:
    """The recording is sealed. `root` Merkle root, `head` the chain's final hash (the next one's `previous_hash`).

    `root` is "" when the disk had no room even for the close record: then it is not sealed, the ring holds what it
    lacks, and Start goes on with it. `reason`: that of Stop, or disk_full,
    disk_failed, station_gone, quit, the name of a signal.
    """

    recording_id: str
    root: str
    head: str
    frames: int
    dropped: int
    duration_us: int
    reason: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something the operator or the station must know. `code` as in ui.texts, `detail` for the support line."""

    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Noted:
    """The event of this id is durable in the chain (or was refused, with Trouble): it need not be said again."""

    id: str


ToRecorder = Start | Stop | Zones | NoteEvent | OpenCamera | CardsOut | Quit
FromRecorder = CameraState | RecordingState | RecordingClosed | Noted | Trouble

_KINDS: dict[str, type[ToRecorder | FromRecorder]] = {
    kind.__name__: kind
    for kind in (
        Start,
        Stop,
        Zones,
        NoteEvent,
        OpenCamera,
        CardsOut,
        Quit,
        CameraState,
        RecordingState,
        RecordingClosed,
        Noted,
        Trouble,
    )
}


def to_wire(message: ToRecorder | FromRecorder) -> dict[str, Any]:
    """The message as a JSON object: its fields and `kind`, the name of its class."""
    return {"kind": type(message).__name__, **asdict(message)}


def from_wire(wire: dict[str, Any]) -> ToRecorder | FromRecorder:
    """The other way. Raises ValueError for an unknown kind or missing, unknown fields (the two are of one release)."""
    fields = dict(wire)
    kind = _KINDS.get(str(fields.pop("kind", "")))
    if kind is None:
        raise ValueError("unknown kind of message")
    try:
        return kind(**fields)
    except TypeError as wrong:
        raise ValueError(f"not a {kind.__name__}") from wrong
