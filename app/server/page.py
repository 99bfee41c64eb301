"""What the operator of a centre looks at, from the centre's own machine: a page that changes nothing, and figures for
Prometheus.

    GET /          stations, when each was last heard, what is quarantined      GET /metrics     the same as numbers
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from starlette.concurrency import run_in_threadpool

from app.server.admit import is_loopback
from app.server.answers import Desk
from app.server.refusal import Refusal
from app.server.report import log_state, report

_STYLE = "body{font:15px sans-serif;margin:2em}table{border-collapse:collapse}td,th{padding:.3em 1em;text-align:left}"
_HELD = ("工位 station", "原因 code", "序号 seq", "多久 ago")
_HEADS = ("工位 station", "状态 state", "事件 events", "上次 last heard", "隔离 quarantined", "警报 alarms")


def add_page(app: FastAPI, desk: Desk) -> None:
    """Add the routes of the module's head."""
    engine = desk.centre.engine

    @app.get("/")
    async def page(request: Request) -> Response:
        _own_machine(request)
        rows = await run_in_threadpool(report, engine, "stations")
        held = await run_in_threadpool(report, engine, "quarantine")
        return HTMLResponse(page_of(rows, held, desk.now_ms()))

    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        _own_machine(request)
        rows = await run_in_threadpool(report, engine, "stations")
        size = (await run_in_threadpool(log_state, engine))["log_size"]
        return PlainTextResponse(metrics_of(rows, size, desk.now_ms()), media_type="text/plain; version=0.0.4")


def _own_machine(request: Request) -> None:
    if not is_loopback(request.client.host if request.client else ""):
        raise Refusal("station.loopback_only", 403)


def page_of(stations: Sequence[dict[str, Any]], held: Sequence[dict[str, Any]], now_ms: int) -> str:
    """The page as HTML; every text from outside is escaped."""
    rows = [
        (row["station"], row["state"], row["high"], _ago(row["seen_ms"], now_ms), row["quarantined"], row["alarms"])
        for row in stations
    ]
    found = [
        (row["station"], row.get("alarm") or row.get("code"), row["seq"], _ago(row["at_ms"], now_ms)) for row in held
    ]
    return (
        f'<!doctype html><html lang="zh"><meta charset="utf-8"><title>验卡中心 Centre</title><style>{_STYLE}</style>'
        f"<h1>验卡中心 · Card Intake centre</h1>{_table(_HEADS, rows)}"
        f"<h2>隔离与警报 · quarantine and alarms</h2>{_table(_HELD, found)}</html>"
    )


def _table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    top = "".join(f"<th>{escape(head)}</th>" for head in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def _ago(at_ms: int | None, now_ms: int) -> str:
    if at_ms is None:
        return "—"
    minutes = max(0, now_ms - at_ms) // 60_000
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"


def metrics_of(stations: Sequence[dict[str, Any]], log_size: int, now_ms: int) -> str:
    """The figures in Prometheus' text format."""
    lines = ["# TYPE cardintake_log_entries counter", f"cardintake_log_entries {log_size}"]
    lines.append("# TYPE cardintake_stations gauge")
    for state, number in sorted(Counter(row["state"] for row in stations).items()):
        lines.append(f'cardintake_stations{{state="{state}"}} {number}')
    for name, field in (("quarantined_events", "quarantined"), ("alarms", "alarms"), ("events", "high")):
        lines.append(f"# TYPE cardintake_{name} gauge")
        lines += [f"cardintake_{name}{{{_label(row)}}} {row[field]}" for row in stations]
    lines.append("# TYPE cardintake_silence_seconds gauge")
    heard = [row for row in stations if row["seen_ms"] is not None]
    lines += [f"cardintake_silence_seconds{{{_label(row)}}} {max(0, now_ms - row['seen_ms']) // 1000}" for row in heard]
    return "\n".join(lines) + "\n"


def _label(row: dict[str, Any]) -> str:
    name = str(row["station"]).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'station="{name}"'
