"""Footage over HTTP: ask what is missing, put each chunk once, then hand in the manifest.

POST /v1/objects/batch      which of these are missing, and where does each go
PUT  /v1/objects/{oid}      one chunk; its digest is its name (chunks as files of this machine)
POST /v1/objects/verify     a chunk was put into the bucket: read it back
PUT  /v1/videos/{id}        the manifest; `durable` when every chunk is there
"""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from app.server.admit import identify
from app.server.answers import Desk
from app.server.object_store import VERIFY_PATH, LocalObjects
from app.server.objects import places, stored, take_manifest, verify
from app.server.refusal import Refusal
from app.wire import DIGEST_HEADER, ObjectSize, ObjectsWanted, Signed, digest_field

Oid = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
VideoName = Annotated[str, Path(max_length=128)]


def add_object_routes(app: FastAPI, desk: Desk) -> None:
    """Add the routes of the module's head."""
    centre = desk.centre

    @app.post("/v1/objects/batch")
    async def batch(request: Request) -> Response:
        caller, asked = await desk.signed_body(request, ObjectsWanted)
        return desk.reply(request, await run_in_threadpool(places, centre, asked, caller, desk.now_ms()))

    @app.post(VERIFY_PATH)
    async def verify_one(request: Request) -> Response:
        caller, asked = await desk.signed_body(request, ObjectSize)
        return desk.reply(request, await run_in_threadpool(verify, centre, asked, caller, desk.now_ms()))

    @app.put("/v1/objects/{oid}")
    async def put(request: Request, oid: Oid) -> Response:
        # The signature covers the digest and the digest is the name, so who may write is known before the first byte.
        if request.headers.get(DIGEST_HEADER) != digest_field(bytes.fromhex(oid)):
            raise Refusal("digest")
        caller = desk.signed(request, None)
        await run_in_threadpool(identify, centre, caller, desk.now_ms())
        if not isinstance(centre.objects, LocalObjects):
            raise Refusal("object.elsewhere", 409)
        size = await centre.objects.take(oid, request.stream())
        return desk.reply(request, await run_in_threadpool(stored, centre, oid, size, caller, desk.now_ms()))

    @app.put("/v1/videos/{name}")
    async def manifest(request: Request, name: VideoName) -> Response:
        caller, signed = await desk.signed_body(request, Signed)
        return desk.reply(request, await run_in_threadpool(take_manifest, centre, name, signed, caller, desk.now_ms()))
