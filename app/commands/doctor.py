"""`cardintake doctor`: examines this machine; findings on stderr, JSON on stdout; exit 3 if work is stopped."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from app.doctor import run_doctor
from app.paths import StationFolder
from app.settings import Settings, load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=Path("out/demo/station"), help="a station folder")
    parser.add_argument("--json", action="store_true", help="the only form; may be left out")


def run(args: argparse.Namespace) -> int:
    folder = StationFolder(args.data.resolve())
    settings = load_settings(folder.settings) if folder.settings.exists() else Settings()
    return run_doctor(folder, settings, sys.stdout, sys.stderr)
