"""`cardintake shots --out DIR`: pictures of every screen in both themes, both languages and both sizes."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ui.shots import render_shots


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("out/shots"))


def run(args: argparse.Namespace) -> int:
    args.out.mkdir(parents=True, exist_ok=True)
    print(json.dumps([str(path) for path in render_shots(args.out)], indent=1))
    return 0
