"""`cardintake serve`: the central server; prints one JSON line {"url", "pid"} when it serves."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from app.commands import centre_bucket
from app.core.errors import Trouble
from app.evidence.timestamp import read_roots
from app.server.run import DEFAULT_PORT, serve
from app.server.setup import init
from app.server.stamping import Stamper
from app.sync.authority import Authority


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--init", action="store_true", help="make keys and database of a new centre, then end")
    parser.add_argument("--data", type=Path, default=Path("centre"), help="the centre's folder")
    parser.add_argument("--host", default="127.0.0.1", help="an address of this machine; off loopback TLS only")
    parser.add_argument("--tls", action="store_true", help="TLS on loopback too")
    parser.add_argument("--name", action="append", default=[], metavar="HOST", help="with --init: for the certificate")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0: any free one")
    parser.add_argument("--database", default="", help="postgresql://… instead of a file in the folder")
    parser.add_argument("--objects", default="", help="s3://BUCKET?endpoint=… instead of files in the folder")
    parser.add_argument("--tsa", default="", metavar="URL", help="a time-stamp authority (RFC 3161) for checkpoints")
    parser.add_argument("--tsa-root", type=Path, metavar="FILE", help="the certificates (PEM) its word is checked by")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end with whoever started it")


def run(args: argparse.Namespace) -> int:
    """Serve until stopped. What goes wrong is told on stdout too ({"code", "detail"}), for a starter that reads it."""
    try:
        if args.init:
            folder = init(args.data, args.database, args.name)
            print(json.dumps({"initialised": str(args.data), "vault": str(folder.vault)}))
        else:
            places = {"database": args.database, "objects": args.objects}
            options = {"tls": args.tls, "until_stdin_closes": args.until_stdin_closes}
            serve(args.data, args.port, args.host, **places, **options, stamper=_stamper(args), tell=centre_bucket.tell)
    except Trouble as trouble:
        print(json.dumps({"code": trouble.code, "detail": trouble.detail}), flush=True)
        raise
    return 0


def _stamper(args: argparse.Namespace) -> Stamper | None:
    """Raises BadInput("tsa.no_roots"): an authority without certificates to check its word by."""
    if not args.tsa:
        return None
    return Stamper(Authority(args.tsa).post, read_roots(args.tsa_root))
