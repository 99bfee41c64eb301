"""The body of a long request: its pace, and that nothing holds it when it was sent."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import sys

import httpx
import pytest

from app.sync.body import Body
from app.sync.client import CentreClient
from app.wire import ObjectPlace, Transfer


@pytest.mark.parametrize("bytes_s", [100, 40_000, 10_000_000])
def test_footage_goes_no_faster_than_it_may(bytes_s: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]

    async def sleep(wait_s: float) -> None:
        clock[0] += wait_s

    monkeypatch.setattr("app.sync.body.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("app.sync.body.asyncio.sleep", sleep)
    content = os.urandom(bytes_s * 2)
    body = Body(content, bytes_s)
    request = httpx.Request("PUT", "http://centre/x", content=body, headers=body.headers)
    sent = bytearray()

    async def send() -> None:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        async for piece in request.stream:
            sent.extend(piece)
            assert len(sent) <= bytes_s * (clock[0] + 0.26)  # a quarter of a second ahead at most

    asyncio.run(send())
    assert (bytes(sent), request.headers["Content-Length"]) == (content, str(len(content)))
    assert "Transfer-Encoding" not in request.headers
    assert clock[0] == pytest.approx(2.0)


def test_the_bytes_of_a_chunk_are_let_go_when_it_was_sent() -> None:
    """Without the garbage collector's help: it may be dozens of chunks late."""
    content = os.urandom(1 << 20)
    oid = hashlib.sha256(content).hexdigest()
    place = ObjectPlace(oid=oid, size=len(content), actions={"upload": Transfer(href=f"/v1/objects/{oid}")})
    arrived = []

    class Far(httpx.AsyncBaseTransport):
        """Takes the pieces as they come, as a socket does."""

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            assert isinstance(request.stream, httpx.AsyncByteStream)
            whole = b"".join([piece async for piece in request.stream])
            arrived.append((request.headers["Content-Length"], hashlib.sha256(whole).hexdigest()))
            return httpx.Response(200, json={"oid": oid, "size": len(content)})

    async def put() -> None:
        async with CentreClient("http://centre", Far()) as client:
            await client.put_object(place, content)

    gc.collect()
    gc.disable()
    try:
        held = sys.getrefcount(content)
        asyncio.run(put())
        assert sys.getrefcount(content) == held
    finally:
        gc.enable()
    assert arrived == [(str(len(content)), oid)]
