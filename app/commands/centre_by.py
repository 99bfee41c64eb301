"""Who does something at the centre, as its log will tell: `--by NAME`, else the user of the operating system."""

from __future__ import annotations

import argparse
import getpass


def add_by(parser: argparse.ArgumentParser) -> None:
    """The option that says in whose name something is done."""
    parser.add_argument("--by", default="", metavar="NAME", help="who does it, for the log (default: this OS user)")


def by_of(args: argparse.Namespace) -> str:
    """The name for the log."""
    return str(args.by or f"os:{getpass.getuser()}")
