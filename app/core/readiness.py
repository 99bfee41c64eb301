"""What stands around a session: devices, disk, recording, centre; and whether work may go on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.core.cards import CardState

LOW_DISK_BYTES = 600 * 1_000_000
"""Below this no new parcel is begun, however slowly the disk fills."""

LEAST_MINUTES = 10
"""Nor when the present pace leaves less than this; a parcel that was begun is never stopped for it."""


REVOKED = "sync.revoked"
_ENDED = (REVOKED, "sync.fork", "store.restored_behind")
"""By the centre's signed word nothing that this station takes in counts from now on, until somebody has looked."""


class Level(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    DOWN = "down"
    BUSY = "busy"
    NONE = "none"  # not fitted here


class RecMode(StrEnum):
    """What the REC block shows: it follows bytes on disk, not the button."""

    OFF = "off"
    ON = "on"
    CUT = "cut"
    TRAINING = "training"


class SyncState(StrEnum):
    """How the centre is reached."""

    SYNCED = "synced"
    SENDING = "sending"
    OFFLINE = "offline"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class RecFacts:
    """The recording: elapsed time and bytes on disk; `saved_wall_us` when the last bytes reached the disk. `code`: what
    is wrong with a recording that goes on (it is not signed, say); "" for nothing.
    """

    mode: RecMode = RecMode.OFF
    recording_id: str = ""
    elapsed_us: int = 0
    bytes_on_disk: int = 0
    frames: int = 0
    dropped: int = 0
    saved_wall_us: int = 0
    code: str = ""


@dataclass(frozen=True, slots=True)
class CameraFacts:
    """A camera as it is now; `sharpness` and `glare` 0..1 from the eye, None when unknown."""

    level: Level = Level.NONE
    name: str = ""
    width: int = 0
    height: int = 0
    fps: int = 0
    code: str = ""
    simulated: bool = False
    sharpness: float | None = None
    glare: float | None = None


@dataclass(frozen=True, slots=True)
class LabelFacts:
    """The label camera and what is recorded of it; `code`: what is wrong there, "" for nothing."""

    camera: CameraFacts = CameraFacts()
    rec: RecFacts = RecFacts()
    code: str = ""


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """Any other device: a level, its name and where it is plugged."""

    level: Level = Level.NONE
    name: str = ""
    port: str = ""
    code: str = ""
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """The disk that footage goes to. `missing_recordings`: how many that should be there are not, or not whole;
    `keeping_stopped`: they are so many that nothing is removed any more; `unknown_recordings`: how many are there that
    the store does not know; `leaks`: in how many a PIN may be seen that nobody has judged.
    """

    free_bytes: int = 0
    bytes_per_minute: int = 33_000_000
    missing_recordings: int = 0
    keeping_stopped: bool = False
    unknown_recordings: int = 0
    leaks: int = 0

    @property
    def minutes_left(self) -> int:
        return self.free_bytes // max(self.bytes_per_minute, 1)


@dataclass(frozen=True, slots=True)
class SyncFacts:
    """From receipts only: events still here, the oldest's age, when the next try comes, the clock's distance.

    `stuck_footage`: recordings that cannot be brought to the centre while others are, `footage_code` why (the first
    one), or why none gets there;
    `footage_waiting`: closed recordings that the centre does not hold. `cards`: by state their number and the age (s)
    of the oldest. `silent`: other stations of which the centre has shown nothing for long. `held`: events that lie at
    the centre without having been taken up, by its reason, the most frequent first. `misdirected`: what the centre
    signed for somebody else and sent here, since the start.
    """

    state: SyncState = SyncState.SYNCED
    unsent: int = 0
    oldest_age_s: int = 0
    next_try_in_s: int = 0
    clock_offset_ms: int | None = None
    code: str = ""
    stuck_footage: int = 0
    footage_code: str = ""
    footage_waiting: int = 0
    cards: tuple[tuple[CardState, int, int], ...] = ()
    silent: tuple[str, ...] = ()
    held: tuple[tuple[str, int], ...] = ()
    misdirected: int = 0

    def count(self, state: CardState) -> int:
        """How many cards stand so."""
        return sum(number for one, number, _ in self.cards if one is state)

    @property
    def revoked(self) -> bool:
        """Whether the centre said, signed, that this station counts no more."""
        return self.state is SyncState.STOPPED and self.code == REVOKED


@dataclass(frozen=True, slots=True)
class StampFacts:
    """Time-stamp tokens: for how many closed recordings one is still wanted, when the authority is asked again, and
    why it was not got (a trouble code, "" for nothing). `asked`: an authority is named in the settings.
    """

    asked: bool = False
    waiting: int = 0
    next_try_ms: int = 0
    code: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Everything outside the session that the screen shows. `parcels_today` = (announced, not yet arrived)."""

    station_name: str = ""
    centre_name: str = ""
    rehearsal: bool = False
    autoplay: bool = False
    rec: RecFacts = RecFacts()
    camera: CameraFacts = CameraFacts()
    label: LabelFacts = LabelFacts()
    spare: DeviceFacts = DeviceFacts()
    scanner: DeviceFacts = DeviceFacts()
    nfc: DeviceFacts = DeviceFacts()
    disk: DiskFacts = DiskFacts()
    sync: SyncFacts = SyncFacts()
    stamps: StampFacts = StampFacts()
    backup_code: str = ""  # why the last copy of the database could not be made
    parcels_today: tuple[int, int] = (0, 0)
    chips: int = 0  # accepted cards whose chip is still to be dealt with
    cosign: int = 0  # others' requests to see a secret that the supervisor at the desk may sign
    wall_us: int = 0
    mono_us: int = 0

    @property
    def simulated_devices(self) -> tuple[str, ...]:
        """Which devices are simulated, for the strip: "camera", "label", "spare", "scanner", "nfc"."""
        fitted: dict[str, CameraFacts | DeviceFacts] = {
            "camera": self.camera,
            "label": self.label.camera,
            "spare": self.spare,
            "scanner": self.scanner,
            "nfc": self.nfc,
        }
        return tuple(role for role, d in fitted.items() if d.simulated and d.level is not Level.NONE)


def label_trouble(label: LabelFacts) -> bool:
    """Whether the label camera, where there is one, does not film as it should; work goes on without it."""
    return bool(label.code) or label.rec.mode is RecMode.CUT or label.camera.level is Level.DOWN


def may_begin_parcel(around: Surroundings) -> tuple[str, ...]:
    """Codes of what forbids beginning a parcel now; empty when nothing does."""
    codes = []
    if around.camera.level is not Level.OK:
        codes.append("camera.not_ready")
    if around.disk.free_bytes < LOW_DISK_BYTES or around.disk.minutes_left < LEAST_MINUTES:
        codes.append("disk.low")
    if around.sync.state is SyncState.STOPPED and around.sync.code in _ENDED:
        codes.append(around.sync.code)
    return tuple(codes)
