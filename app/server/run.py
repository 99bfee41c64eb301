"""The centre as a process: one socket, one announcement, a clean end."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from app.core.errors import BadInput, Unavailable
from app.living import when_stdin_closes
from app.server.folder import CentreFolder
from app.server.object_store import Keeping
from app.server.patience import Patience, patient_protocol
from app.server.routes import make_app
from app.server.setup import open_centre, ready_line
from app.server.stamping import Stamper
from app.server.tls import server_context
from app.server.uptake import take_up

DEFAULT_PORT = 8765


def serve(
    data_dir: Path,
    port: int = DEFAULT_PORT,
    host: str = "127.0.0.1",
    *,
    database: str = "",
    objects: str = "",
    tls: bool = False,
    until_stdin_closes: bool = False,
    announce: Callable[[str], None] = lambda line: print(line, flush=True),
    stamper: Stamper | None = None,
    patience: Patience = Patience(),  # noqa: B008  frozen
    tell: Callable[[Keeping | None], None] = lambda _found: None,
) -> None:
    """Serve until SIGINT or SIGTERM (or, if asked, until stdin ends: then it cannot outlive who started it).

    Port 0 takes any free one. When it can be reached, `announce` gets one JSON line {"url", "pid"}.
    `tls`: also on loopback; elsewhere always. `stamper`: who asks a time-stamp authority. `patience`: with requests
    that come slowly. `tell` hears how the bucket is set. Raises BadInput: serve.not_initialised, serve.damaged,
    serve.no_tls (off loopback, and the folder has no certificate), serve.host.
    Unavailable("serve.port_in_use"). StorageTrouble.
    """
    private = tls or not _on_loopback(host)
    context = server_context(CentreFolder(data_dir).tls) if private else None
    centre = open_centre(data_dir, database, objects)
    try:
        take_up(centre, time.time_ns() // 1_000_000)
        tell(centre.objects.keeping())
        with _listen(host, port) as listener:
            shown = f"[{host}]" if ":" in host else host
            line = ready_line(f"{'https' if context else 'http'}://{shown}:{listener.getsockname()[1]}")
            app = make_app(centre, on_ready=lambda: announce(line), stamper=stamper, patience=patience)
            _run(app, listener, context, until_stdin_closes, patience)
    finally:
        centre.engine.dispose()


def _on_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError as wrong:
        raise BadInput("serve.host", host) from wrong


def _listen(host: str, port: int) -> socket.socket:
    # The protocol is named, else asyncio leaves Nagle's algorithm on and each answer waits 40 ms for an ACK.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere it would let a second server take the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OverflowError as wrong:
        listener.close()
        raise BadInput("serve.port", str(port)) from wrong
    except OSError as taken:
        listener.close()
        if taken.errno == errno.EADDRINUSE:
            raise Unavailable("serve.port_in_use", f"{host}:{port}") from taken
        raise Unavailable("serve.port", f"{host}:{port} {taken.strerror}") from taken
    return listener


def _run(
    app: FastAPI, listener: socket.socket, context: ssl.SSLContext | None, until_stdin_closes: bool, patience: Patience
) -> None:
    http = patient_protocol(patience)
    config = uvicorn.Config(
        app, http=http, log_config=None, access_log=False, timeout_graceful_shutdown=2, lifespan="on"
    )
    config.load()
    config.ssl = context
    server = uvicorn.Server(config)

    def end() -> None:
        server.should_exit = True

    if until_stdin_closes:
        when_stdin_closes(end)
    asyncio.run(server.serve(sockets=[listener]))
