"""What the operator of a centre looks at, from the centre's own machine: a page that changes nothing, and figures for
Prometheus.

    GET /          stations, last receipt, age of the queue, quarantine, who asked to see secrets
    GET /metrics   the same as numbers
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from starlette.concurrency import run_in_threadpool

from app.server.admit import is_loopback
from app.server.answers import Desk
from app.server.refusal import Refusal
from app.server.report import held_newest, log_state, report, reveals_latest

_STYLE = "body{font:15px sans-serif;margin:2em}table{border-collapse:collapse}td,th{padding:.3em 1em;text-align:left}"
_HELD = ("工位 station", "原因 code", "序号 seq", "多久 ago")
_HEADS = (
    "工位 station",
    "状态 state",
    "事件 events",
    "上次回执 last receipt",
    "队列 queue age",
    "隔离 quarantined",
    "警报 alarms",
    "待定 undecided cards",
)
_COUNTS = ("quarantined", "alarms", "undecided")
_GAUGES = (
    ("quarantined_events", "quarantined"),
    ("alarms", "alarms"),
    ("events", "high"),
    ("undecided_cards", "undecided"),
)
_MOST_HELD = 200
_SEEN = ("谁 who", "第二人 second", "在 at", "卡 card", "项 field", "原因 why", "状态 state", "代码 code", "多久 ago")
_ASKED = ("who", "approver", "at", "card", "field", "reason", "state", "code")
_MOST_ASKED = 50


def add_page(app: FastAPI, desk: Desk) -> None:
    """Add the routes of the module's head."""
    engine = desk.centre.engine

    @app.get("/")
    async def page(request: Request) -> Response:
        _own_machine(request)
        rows = await run_in_threadpool(report, engine, "stations")
        held = await run_in_threadpool(held_newest, engine, _MOST_HELD)
        asked = await run_in_threadpool(reveals_latest, engine, _MOST_ASKED)
        return HTMLResponse(page_of(rows, held, desk.now_ms(), asked))

    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        _own_machine(request)
        rows = await run_in_threadpool(report, engine, "stations")
        size = (await run_in_threadpool(log_state, engine))["log_size"]
        return PlainTextResponse(metrics_of(rows, size, desk.now_ms()), media_type="text/plain; version=0.0.4")


def _own_machine(request: Request) -> None:
    """Asked from here, and by this machine's name: a page of somebody else's in a browser here may have a name of its
    own lead to this machine, but the browser says which name that was.
    """
    named = _named(request.headers.get("host", ""))
    here = named == "localhost" or is_loopback(named)
    if not here or not is_loopback(request.client.host if request.client else ""):
        raise Refusal("station.loopback_only", 403)


def _named(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def page_of(
    stations: Sequence[dict[str, Any]],
    held: Sequence[dict[str, Any]],
    now_ms: int,
    asked: Sequence[dict[str, Any]] = (),
) -> str:
    """The page as HTML; every text from outside is escaped. `asked`: to see secrets, the latest last."""
    rows = [
        (*(row[name] for name in ("station", "state", "high")), *_times(row, now_ms), *(row[name] for name in _COUNTS))
        for row in stations
    ]
    found = [
        (row["station"], row.get("alarm") or row.get("code"), row["seq"], _ago(row["at_ms"], now_ms)) for row in held
    ]
    seen = [(*(row[name] for name in _ASKED), _ago(row["asked_ms"], now_ms)) for row in reversed(asked)]
    return (
        f'<!doctype html><html lang="zh"><meta charset="utf-8"><title>验卡中心 Centre</title><style>{_STYLE}</style>'
        f"<h1>验卡中心 · Card Intake centre</h1>{_table(_HEADS, rows)}"
        f"<h2>隔离与警报 · quarantine and alarms</h2>{_table(_HELD, found)}"
        f"<h2>查看卡密 · who asked to see secrets</h2>{_table(_SEEN, seen)}</html>"
    )


def _table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    top = "".join(f"<th>{escape(head)}</th>" for head in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def _times(row: dict[str, Any], now_ms: int) -> tuple[str, str]:
    """When the last receipt was given, and how old its last event was by then."""
    age_ms = row["queue_age_ms"]
    return _ago(row["seen_ms"], now_ms), "—" if age_ms is None else _ago(now_ms - age_ms, now_ms)


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
    for name, field in _GAUGES:
        lines.append(f"# TYPE cardintake_{name} gauge")
        lines += [f"cardintake_{name}{{{_label(row)}}} {row[field]}" for row in stations]
    lines.append("# TYPE cardintake_silence_seconds gauge")
    heard = [row for row in stations if row["seen_ms"] is not None]
    lines += [f"cardintake_silence_seconds{{{_label(row)}}} {max(0, now_ms - row['seen_ms']) // 1000}" for row in heard]
    lines.append("# TYPE cardintake_queue_age_seconds gauge")
    told = [row for row in stations if row["queue_age_ms"] is not None]
    lines += [f"cardintake_queue_age_seconds{{{_label(row)}}} {row['queue_age_ms'] // 1000}" for row in told]
    return "\n".join(lines) + "\n"


def _label(row: dict[str, Any]) -> str:
    name = str(row["station"]).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'station="{name}"'
