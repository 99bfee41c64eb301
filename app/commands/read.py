"""`cardintake read FILE… --json`: one JSON object per picture and line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from app.catalog.shelf import shipped
from app.commands.complaint import complain
from app.eye.oneshot import run_read


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="pictures, or folders of pictures")
    parser.add_argument("--threads", type=int, default=2, help="for text recognition")
    parser.add_argument("--json", action="store_true", help="the only form; may be left out")


def run(args: argparse.Namespace) -> int:
    files = [file for given in args.files for file in (sorted(given.iterdir()) if given.is_dir() else [given])]
    return run_read(files, shipped(), sys.stdout, sys.stderr, args.threads, complain)
