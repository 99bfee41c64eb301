"""Reading requests and signing answers: the digest before a byte is parsed, the signature over every answer."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from app.core.errors import StorageTrouble
from app.server.admit import Caller
from app.server.refusal import Refusal
from app.server.setup import OpenCentre
from app.signing import BadSignature, Message, read_request, sign_answer
from app.wire import DIGEST_HEADER, content_digest

MOST_BODY = 4 << 20
"""Bytes of a request: the events in base64, their signatures and the sealed blobs."""

_LATE = 408
"""The rest of such a request is not waited for."""

_JSON = "application/json"
_log = logging.getLogger(__name__)

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Desk:
    """Takes requests in and gives answers out, for one centre. `now_ms`: the wall clock."""

    centre: OpenCentre
    now_ms: Callable[[], int]

    async def signed_body(self, request: Request, kind: type[M]) -> tuple[Caller, M]:
        """Caller and body of a signed request; the signature is checked against the station's key later."""
        body = await checked_body(request)
        return self.signed(request, body), parsed(body, kind)

    def signed(self, request: Request, body: bytes | None) -> Caller:
        """The caller; `body` None: its digest was checked elsewhere. Raises Refusal: digest, auth.signature."""
        digest = request.headers.get(DIGEST_HEADER, "")
        if body is not None and digest != content_digest(body):
            raise Refusal("digest")
        path, query = request.scope["raw_path"].decode("latin-1"), request.scope["query_string"].decode("latin-1")
        target = f"{self.centre.centre.base_url}{path}{'?' if query else ''}{query}"
        message = Message(request.method, target, digest, request.headers.get("content-type", ""))
        try:
            found = read_request(request.headers, message)
        except BadSignature as wrong:
            raise Refusal("auth.signature", 401) from wrong
        request.state.nonce = found.marks.nonce
        return Caller(found, request.client.host if request.client else "")

    def reply(self, request: Request, model: BaseModel) -> Response:
        """The model as JSON, signed when the request was."""
        return self._reply(request, 200, model.model_dump_json().encode(), {})

    async def refused(self, request: Request, error: Exception) -> Response:
        """The answer to what is not done."""
        if not isinstance(error, Refusal):
            raise error
        late = {"Connection": "close"} if error.status == _LATE else {}
        return self._reply(request, error.status, _told(error.code, error.detail), late)

    async def no_such_call(self, request: Request, error: Exception) -> Response:
        """The answer to a path, method or query that there is not: it was not read so far that it could be signed."""
        if isinstance(error, RequestValidationError):
            return self._reply(request, 422, _told("format", f"{len(error.errors())} errors"), {})
        if not isinstance(error, HTTPException):
            raise error
        code = {404: "not_found", 405: "method"}.get(error.status_code, "refused")
        return self._reply(request, error.status_code, _told(code, ""), dict(error.headers or {}))

    async def bug(self, request: Request, _error: Exception) -> Response:
        """The answer to what went wrong here; what it was stands in the log."""
        return self._reply(request, 500, _told("bug", ""), {})

    async def storage_failed(self, request: Request, error: Exception) -> Response:
        """Disk or database: the station keeps what it has and comes again."""
        if not isinstance(error, StorageTrouble):
            raise error
        _log.error("%s", error.code)
        return self._reply(request, 503, _told(error.code, ""), {"Retry-After": "5"})

    def _reply(self, request: Request, status: int, body: bytes, headers: Mapping[str, str]) -> Response:
        fields = {DIGEST_HEADER: content_digest(body), **headers}
        nonce = getattr(request.state, "nonce", "")
        if nonce:
            now_s = self.now_ms() // 1000
            fields |= sign_answer(self.centre.signer, status, fields[DIGEST_HEADER], _JSON, nonce, now_s)
        return Response(body, status, fields, media_type=_JSON)


def _told(code: str, detail: str) -> bytes:
    return json.dumps({"code": code, "detail": detail}).encode()


async def read_body(request: Request, kind: type[M]) -> M:
    """The body of an unsigned request. Raises Refusal: too_large, digest, format."""
    return parsed(await checked_body(request), kind)


async def checked_body(request: Request) -> bytes:
    """The body, its digest checked before a byte of it is parsed. Raises Refusal: too_large, digest, encoding."""
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refusal("encoding", 415)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_BODY:
            raise Refusal("too_large", 413)
        parts.append(part)
    body = b"".join(parts)
    if request.headers.get(DIGEST_HEADER) != content_digest(body):
        raise Refusal("digest")
    return body


def parsed(body: bytes, kind: type[M]) -> M:
    """The model in a body. Raises Refusal("format")."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as wrong:
        raise Refusal("format", detail=f"{wrong.error_count()} errors") from wrong
