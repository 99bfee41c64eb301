"""A dossier of a long recording takes as much memory as one of a short: half an hour once took six gigabytes."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from app.evidence.writer import Origin, create_recording
from app.recorder.encoder import Header, PartEncoder

PARTS = 12

MEASURE = """
import sys
from pathlib import Path
from app.evidence.dossier import make_dossier
from app.evidence.stretch import Stretch
from app.evidence.writer import RecordingKeys
from tests.memory import forget_peak_kib, peak_kib
keys = RecordingKeys(bytes(range(32)), bytes(range(50, 82)))
folder, out = Path(sys.argv[1]), Path(sys.argv[2])
make_dossier(folder, keys, out, Stretch(0, 1_000_000))
before = forget_peak_kib()
make_dossier(folder, keys, out)
print(peak_kib() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux")
def test_a_long_recording_needs_no_more_memory_than_a_short_one(tmp_path: Path, keys) -> None:
    folder, noise = tmp_path / "r1", np.random.default_rng(5)
    writer = create_recording(folder, keys, Origin("r1", "file:x", True, True, "0"))
    encoder = PartEncoder(640, 480)
    pieces = []
    for n in range(60):
        pieces += encoder.encode(noise.integers(20, 230, 640 * 480 * 3 // 2, np.uint8), n * 33_333)
    pieces += encoder.finish()
    for part in range(PARTS):
        start = part * 3_000_000
        writer.begin_part(640, 480, writer.pts(1_000_000) + start)
        for piece in pieces:
            if isinstance(piece, Header):
                writer.add_init(piece.data)
            else:
                writer.add_fragment(piece.data, start + piece.first_pts, start + piece.last_pts, piece.frames, 0)
    writer.close("sealed")
    size = sum(path.stat().st_size for path in folder.glob("part-*"))
    assert size > 60_000_000
    argv = [sys.executable, "-c", MEASURE, str(folder), str(tmp_path / "d.zip")]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=os.getcwd())
    assert int(done.stdout) * 1024 < size / 3
    with zipfile.ZipFile(tmp_path / "d.zip") as made:
        assert len([name for name in made.namelist() if name.startswith("fragments/")]) == PARTS * len(pieces)
        assert made.getinfo("viewing.mp4").file_size > 0.9 * size
    assert list(tmp_path.glob("*.part")) == []
