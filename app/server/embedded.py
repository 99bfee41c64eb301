"""Starts the centre as a child process that ends when its parent does: for the demo, training and tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from app.core.errors import Unavailable


def start_server_process(
    data_dir: Path, port: int = 0, *, timeout_s: float = 60.0, command: Sequence[str] | None = None
) -> tuple[subprocess.Popen[bytes], str]:
    """Start a server over an initialised centre and wait until it can be reached; the child and its URL.

    The child ends when its stdin is closed or the parent dies; `stop_server_process` does it in order. Its log goes
    to `server.log` in the folder. `command` replaces `python -m app serve --data` (folder and options are appended).
    Raises Unavailable with the child's own code (serve.port_in_use, serve.not_initialised, …) or serve.no_answer.
    """
    program = list(command or (sys.executable, "-m", "app", "serve", "--data"))
    argv = [*program, str(data_dir), "--port", str(port), "--until-stdin-closes"]
    with (data_dir / "server.log" if data_dir.is_dir() else Path(os.devnull)).open("ab") as log:
        child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
    told = _first_line(child, timeout_s)
    if "url" in told:
        return child, told["url"]
    stop_server_process(child, timeout_s=1.0)
    raise Unavailable(told.get("code", "serve.no_answer"), told.get("detail", ""))


def stop_server_process(child: subprocess.Popen[bytes], timeout_s: float = 3.0) -> int:
    """End the server: its stdin is closed, and after `timeout_s` it is killed. Gives its exit code."""
    if child.stdin:
        child.stdin.close()
    try:
        child.wait(timeout_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    if child.stdout:
        child.stdout.close()
    return child.returncode


def _first_line(child: subprocess.Popen[bytes], timeout_s: float) -> dict[str, str]:
    lines: SimpleQueue[bytes] = SimpleQueue()
    out = child.stdout
    if out is None:
        return {}
    Thread(target=lambda: lines.put(out.readline()), name="server-ready", daemon=True).start()
    try:
        told = json.loads(lines.get(timeout=timeout_s))
    except (Empty, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
