"""The centre over HTTP. Each request stands for itself: nothing is remembered between them but the database.

    POST /v1/stations   a rehearsal station joins (from this machine only)      GET /v1/health
    POST /v1/events     a batch of events with their sealed blobs               GET /v1/centre
    GET  /v1/feed       what is new for a station after a cursor

Errors are {"code", "detail"}. No 4xx means that an event may be forgotten.
"""

from __future__ import annotations

import ipaddress
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, TypeVar

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool

from app import __version__
from app.core.errors import StorageTrouble
from app.server.decide import feed_page
from app.server.intake import register, take
from app.server.refusal import Refusal
from app.server.setup import OpenCentre
from app.store.db import reading
from app.wire import DIGEST_HEADER, MOST_BYTES, MOST_EVENTS, EventBatch, Signed, content_digest

MOST_BODY = 4 << 20
"""Bytes of a request: the events in base64, their signatures and the sealed blobs."""

_log = logging.getLogger(__name__)

M = TypeVar("M", bound=BaseModel)
QueryName = Annotated[str, Query(max_length=128)]


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def make_app(
    centre: OpenCentre, now_ms: Callable[[], int] = _wall_ms, on_ready: Callable[[], None] = lambda: None
) -> FastAPI:
    """The ASGI application over an open centre. `now_ms`: the wall clock; `on_ready` is called when it serves."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        on_ready()
        yield

    app = FastAPI(title="Card Intake centre", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(Refusal, _refuse)
    app.add_exception_handler(StorageTrouble, _storage)

    @app.post("/v1/stations")
    async def stations(request: Request) -> Response:
        _from_loopback(request)
        signed = await _read(request, Signed)
        await run_in_threadpool(register, centre, signed, now_ms())
        return _json(centre.centre)

    @app.post("/v1/events")
    async def events(request: Request) -> Response:
        _from_loopback(request)
        batch = await _read(request, EventBatch)
        _within_limits(batch)
        return _json(await run_in_threadpool(take, centre, batch, now_ms()))

    @app.get("/v1/feed")
    def feed(request: Request, station: QueryName, cursor: QueryName = "") -> Response:
        _from_loopback(request)
        with reading(centre.engine) as connection:
            return _json(feed_page(connection, centre, station, cursor, now_ms()))

    @app.get("/v1/centre")
    def about() -> Response:
        return _json(centre.centre)

    @app.get("/v1/health")
    def health() -> dict[str, str]:
        return {"status": "ok", "version": __version__, "epoch": centre.epoch}

    return app


def _json(model: BaseModel) -> Response:
    return Response(model.model_dump_json(), media_type="application/json")


async def _read(request: Request, kind: type[M]) -> M:
    """The body, its digest checked before a byte of it is parsed. Raises Refusal: too_large, digest, format."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_BODY:
            raise Refusal("too_large", 413)
        parts.append(part)
    body = b"".join(parts)
    if request.headers.get(DIGEST_HEADER) != content_digest(body):
        raise Refusal("digest")
    try:
        return kind.model_validate_json(body)
    except ValidationError as wrong:
        raise Refusal("format", detail=f"{wrong.error_count()} errors") from wrong


def _within_limits(batch: EventBatch) -> None:
    events = batch.events
    if len(events) > MOST_EVENTS or (len(events) > 1 and sum(len(event.data) for event in events) > MOST_BYTES):
        raise Refusal("too_large", 413)


def _from_loopback(request: Request) -> None:
    """Rehearsal stations join from this machine only; others wait for enrolment."""
    host = request.client.host if request.client else ""
    try:
        if ipaddress.ip_address(host).is_loopback:
            return
    except ValueError:
        pass
    raise Refusal("station.loopback_only", 403)


async def _refuse(_request: Request, error: Exception) -> Response:
    if not isinstance(error, Refusal):
        raise error
    return JSONResponse({"code": error.code, "detail": error.detail}, error.status)


async def _storage(_request: Request, error: Exception) -> Response:
    """Disk or database: the station keeps what it has and comes again."""
    if not isinstance(error, StorageTrouble):
        raise error
    _log.error("%s", error.code)
    return JSONResponse({"code": error.code, "detail": ""}, 503, {"Retry-After": "5"})
