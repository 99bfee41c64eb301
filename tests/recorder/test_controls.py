"""What a camera is held at gets into the recording's chain, each time that the camera is live anew."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from app.evidence.journal import Signer
from app.evidence.verify import verify_recording
from app.recorder import protocol as told
from app.recorder.capture import Capture
from app.recorder.line import Line
from hardware.camera import packets
from hardware.camera.address import parse_address
from hardware.camera.locking import NAMES, Wanted
from hardware.errors import DeviceError, DeviceReason
from hardware.ports import CameraFrame, Control, ControlState, DeviceInfo
from tests.recorder.test_ahead import until
from tests.recording import records

KEY, SEED = bytes(range(32)), bytes(range(100, 132))
HELD = (Control("exposure", ControlState.LOCKED, 200), Control("focus", ControlState.REFUSED))


class Held:
    """A camera of noise that is held after its tenth frame and gone after its thirtieth."""

    def __init__(self) -> None:
        self._read = 0
        self.info = DeviceInfo("uvc:by-id/x", "x")

    @property
    def controls(self) -> tuple[Control, ...]:
        return HELD if self._read > 10 else ()

    def read(self, timeout_s: float) -> CameraFrame:
        self._read += 1
        if self._read > 30:
            raise DeviceError(DeviceReason.LOST, "uvc:by-id/x")
        time.sleep(0.01)
        noise = np.random.default_rng(self._read).integers(20, 230, (240, 320), np.uint8)
        grey = np.full((120, 160), 128, np.uint8)
        return CameraFrame(time.monotonic_ns() // 1000, noise, grey, grey)

    def close(self) -> None:
        return


@pytest.mark.warns
def test_it_is_a_record_after_the_cameras_own_each_time_it_opens(tmp_path: Path) -> None:
    heard: list[told.FromRecorder] = []
    line = Line(heard.append, heard.append)
    capture = Capture(tmp_path / "frames", line, lambda _address: Held(), share=False)
    line.start()
    keys = {"recording_key": KEY.hex(), "signing_key": SEED.hex(), "previous_hash": ""}
    line.begin(told.Start("r1", str(tmp_path), "uvc:by-id/x", rehearsal=True, masked=True, **keys))
    capture.start()
    capture.use("uvc:by-id/x")
    until(lambda: sum(isinstance(m, told.CameraState) and bool(m.controls) for m in heard) >= 2)
    capture.stop()
    line.end("done")
    until(lambda: any(isinstance(m, told.RecordingClosed) for m in heard))
    line.stop()
    chain = records(tmp_path / "r1")
    told_of = [one.get("state") or one.get("event") for one in chain if one["kind"] in ("camera", "event")]
    assert told_of[:4] == ["starting", "live", "camera.controls", "lost"]
    assert told_of[4:6] == ["live", "camera.controls"]
    body = next(one["body"] for one in chain if one.get("event") == "camera.controls")
    assert body == {
        "exposure": {"state": "locked", "value": 200},
        "focus": {"state": "refused", "value": None},
    }
    assert verify_recording(tmp_path / "r1", Signer(SEED).public_key, KEY).ok


def test_a_camera_is_asked_by_the_kernel_after_it_has_settled(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file the kernel answers that it has no controls: nothing is held, nothing is refused."""
    monkeypatch.setattr(packets, "_SETTLE_S", 0.0)
    camera = packets.UvcCamera(parse_address("uvc:by-id/x", frozenset()), str(film), "mp4", {}, Wanted())
    assert camera.controls == ()  # not V4L2: nobody asks
    camera._lock(str(film), Wanted())
    assert [(one.name, one.state) for one in camera.controls] == [(name, ControlState.ABSENT) for name in NAMES]
    camera._lock(str(film.parent / "none"), Wanted())
    assert {one.state for one in camera.controls} == {ControlState.REFUSED}
    camera.close()
