"""`cardintake replay VIDEO --json`: the camera pipeline on a recording, one JSON object per card, then a summary."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from app.catalog.shelf import shipped
from app.commands.bounds import add_threads, refuse_threads
from app.commands.complaint import complain
from app.eye.replay import run_replay


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("video", type=Path, metavar="VIDEO")
    add_threads(parser)
    parser.add_argument("--json", action="store_true", help="the only form; may be left out")


def run(args: argparse.Namespace) -> int:
    refuse_threads(args.threads)
    catalogue = shipped()
    return run_replay(args.video, sys.stdout, sys.stderr, catalogue, args.threads, complain)
