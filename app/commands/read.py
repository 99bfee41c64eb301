"""`cardintake read FILE… --json`: one JSON object per picture and line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from app.catalog.shelf import shipped
from app.commands.bounds import add_threads, refuse_threads
from app.commands.complaint import complain
from app.core.errors import BadInput
from app.eye.oneshot import run_read, tell_unread


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="pictures, or folders of pictures")
    add_threads(parser)
    parser.add_argument("--json", action="store_true", help="the only form; may be left out")


def run(args: argparse.Namespace) -> int:
    refuse_threads(args.threads)
    files: list[Path] = []
    status = 0
    for given in args.files:
        try:
            files += _files_of(given)
        except BadInput as trouble:
            tell_unread(given, trouble, sys.stdout, sys.stderr, complain)
            status = trouble.exit_code
    if not files:
        return status
    return max(status, run_read(files, shipped(), sys.stdout, sys.stderr, args.threads, complain))


def _files_of(given: Path) -> list[Path]:
    """A file, or all that lie in a folder. Raises BadInput: input.denied, input.nothing (an empty folder)."""
    try:
        if not given.is_dir():
            return [given]
    except OSError:
        return [given]  # hidden from us, or a name that is none: told where it is opened
    try:
        files = sorted(given.iterdir())
    except OSError as error:
        raise BadInput("input.denied", given.name) from error
    if not files:
        raise BadInput("input.nothing", given.name)
    return files
