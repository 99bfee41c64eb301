"""The centre over HTTP. Each request stands for itself: nothing is remembered between them but the database.

    POST /v1/enrol      a station joins by its one-time code          GET /v1/health   GET /metrics
    POST /v1/events     a batch of events with their sealed blobs     GET /v1/centre   GET /
    GET  /v1/feed       what is new for a station after a cursor      GET /v1/openapi.json
    POST /v1/decisions/again  decisions that ran out (app.server.again)
    …    /v1/objects    footage (app.server.object_routes)
    …    /v1/checkpoint  the log's head, proved (app.server.checkpoints)
    POST /v1/witness    what the centre saw of a recording (app.server.witnessing)
    GET  /v1/catalogue  a published catalogue (app.server.reference)
    …    /v1/reveals    showing a secret to a person (app.server.reveals)
    …    /v1/acceptance  decisions on real cards (app.server.deciding)
    …    /v1/vault      sealed numbers and findings (app.server.vault_door)

All but those on the right are signed by the station (app.signing), and their answers by the centre, refusals too.
Errors are {"code", "detail"}. No 4xx means that an event may be forgotten.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from app import __version__
from app.core.errors import StorageTrouble
from app.server.again import add_again_routes
from app.server.answers import Desk, read_body
from app.server.checkpoints import add_checkpoint_routes, publishing
from app.server.decide import read_feed
from app.server.deciding import add_acceptance_routes
from app.server.enrol import enrol
from app.server.gathering import Gathering
from app.server.object_routes import add_object_routes
from app.server.openapi import described
from app.server.page import add_page
from app.server.patience import Patience, PatientApp
from app.server.reference import add_reference_routes
from app.server.refusal import Refusal
from app.server.reveals import add_reveal_routes
from app.server.rotate import add_key_routes
from app.server.setup import OpenCentre
from app.server.stamping import Stamper, stamping
from app.server.vault_door import add_vault_routes
from app.server.witnessing import add_witness_routes
from app.wire import MOST_BYTES, MOST_EVENTS, EventBatch
from app.wire_enrol import Enrolment

QueryName = Annotated[str, Query(max_length=128)]


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def make_app(
    centre: OpenCentre,
    now_ms: Callable[[], int] = _wall_ms,
    on_ready: Callable[[], None] = lambda: None,
    stamper: Stamper | None = None,
    patience: Patience = Patience(),  # noqa: B008  frozen
) -> FastAPI:
    """The ASGI application over an open centre. `now_ms`: the wall clock; `on_ready` is called when it serves;
    `patience`: with bodies that come slowly.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        on_ready()
        async with publishing(desk), stamping(desk, stamper):
            yield

    desk = Desk(centre, now_ms)
    app = FastAPI(title="Card Intake centre", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(PatientApp, patience=patience)
    app.add_exception_handler(Refusal, desk.refused)
    app.add_exception_handler(StorageTrouble, desk.storage_failed)
    for kind in (HTTPException, RequestValidationError):
        app.add_exception_handler(kind, desk.no_such_call)
    app.add_exception_handler(Exception, desk.bug)
    _add_signed(app, desk)
    add_again_routes(app, desk)
    add_object_routes(app, desk)
    add_vault_routes(app, desk)
    add_acceptance_routes(app, desk)
    add_reveal_routes(app, desk)
    add_key_routes(app, desk)
    add_reference_routes(app, desk)
    add_checkpoint_routes(app, desk)
    add_witness_routes(app, desk)
    add_page(app, desk)
    _add_open(app, desk)
    return app


def _add_signed(app: FastAPI, desk: Desk) -> None:
    """What a station has to sign for."""
    centre, gathering = desk.centre, Gathering(desk.centre, desk.now_ms)

    async def events(request: Request) -> Response:
        caller, batch = await desk.signed_body(request, EventBatch)
        _within_limits(batch)
        return desk.reply(request, await gathering.take(batch, caller))

    # It has no parameters that FastAPI would have to look for, which takes half as long as all else that is done here.
    app.add_route("/v1/events", events, methods=["POST"])

    @app.get("/v1/feed")
    async def feed(request: Request, cursor: QueryName = "") -> Response:
        caller = desk.signed(request, b"")
        page = await run_in_threadpool(read_feed, centre, caller, cursor, desk.now_ms())
        return desk.reply(request, page)


def _add_open(app: FastAPI, desk: Desk) -> None:
    """What anybody may ask."""
    centre = desk.centre

    @app.post("/v1/enrol")
    async def join(request: Request) -> Response:
        asked = await read_body(request, Enrolment)
        return desk.reply(request, await run_in_threadpool(enrol, centre, asked, desk.now_ms()))

    @app.get("/v1/openapi.json")
    def description() -> dict[str, Any]:
        return described()

    @app.get("/v1/centre")
    def about(request: Request) -> Response:
        if "signature-input" in request.headers:  # who pinned the centre already gets its word on what it says
            desk.signed(request, b"")
        return desk.reply(request, centre.centre)

    @app.get("/v1/health")
    def health() -> dict[str, str]:
        return {"status": "ok", "version": __version__, "epoch": centre.epoch}


def _within_limits(batch: EventBatch) -> None:
    events = batch.events
    if len(events) > MOST_EVENTS or (len(events) > 1 and sum(len(event.data) for event in events) > MOST_BYTES):
        raise Refusal("too_large", 413)
