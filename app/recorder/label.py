"""The label camera's recorder: the same program once more, in a process of its own, with a guard and fewer frames.

    python -m app label --folder DIR [--orphan-s 60]

Its crash or its camera's never touches the overhead recording, which goes first on the processor.
"""

from __future__ import annotations

import argparse

import cv2

from app.paths import StationFolder
from app.platform import lower_priority
from app.recorder.guard import Guard
from app.recorder.run import Recorder, serve

NICE = 5
"""Between the overhead recorder (0) and the eye (10)."""


def run(args: argparse.Namespace) -> int:
    """Run the program; exit codes as `app.recorder.run.run`."""
    lower_priority(NICE)
    cv2.setNumThreads(1)  # else its own threads wait spinning, on cores that the overhead recorder needs
    return serve(Recorder(StationFolder(args.folder), args.orphan_s, make_guard=Guard))
