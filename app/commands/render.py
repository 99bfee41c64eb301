"""`cardintake render`: footage of an unboxing from a deck; prints {"footage", "labels"}; progress on stderr.

With `--label-camera` also {"label_film"}: what a second camera films of it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from app.rehearsal.deck import load_deck
from app.rehearsal.footage import SIZES, cached_label_film, cached_unboxing, labels_path
from app.rehearsal.products import load_studio_products


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--deck", type=Path, required=True, help="TOML")
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps rendered footage")
    parser.add_argument("--size", choices=sorted(SIZES), default="720p")
    parser.add_argument("--label-camera", action="store_true", help="what the label camera films, too")


def run(args: argparse.Namespace) -> int:
    products = load_studio_products()
    deck = load_deck(args.deck, products)
    footage = cached_unboxing(deck, products, args.cache, SIZES[args.size], _progress)
    told = {"footage": str(footage.resolve()), "labels": str(labels_path(footage).resolve())}
    if args.label_camera:
        told["label_film"] = str(cached_label_film(deck, products, args.cache, SIZES[args.size], _progress).resolve())
    print(json.dumps(told))
    return 0


def _progress(done: int, total: int) -> None:
    if done == total or done % 30 == 0:
        filled = 30 * done // total
        print(
            f"\r[{'█' * filled}{'·' * (30 - filled)}] {100 * done // total:3d} %", end="", file=sys.stderr, flush=True
        )
    if done == total:
        print(file=sys.stderr)
