"""Bodies that may be long: footage on its way to the centre, and whatever answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import httpx

AS_IT_IS = {"Accept-Encoding": "identity"}
"""What a request says: an answer comes in no code, so nobody in between can make much of little."""

MOST_ANSWER = 64 << 20
"""Bytes of an answer. The longest of ours is a catalogue."""

_PIECE = 1 << 17


async def whole_answer(http: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
    """Send a request; its answer, read to the end. Raises httpx.HTTPError, also for one in a code or without an end:
    it is not believed yet, and who sends it must not be able to fill this machine's memory.
    """
    answer = await http.send(request, stream=True)
    try:
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise httpx.DecodingError("encoded", request=request)
        parts, size = [], 0
        async for part in answer.aiter_bytes():
            parts.append(part)
            if (size := size + len(part)) > MOST_ANSWER:
                raise httpx.DecodingError("too long", request=request)
    finally:
        await answer.aclose()
    return httpx.Response(answer.status_code, headers=answer.headers, content=b"".join(parts), request=request)


class Body(httpx.AsyncByteStream):
    """A long body: it goes out in pieces, for as a whole it would be copied several times on its way; evenly and, where
    a pace is set (bytes a second, else 0), no faster than that.

    Let go of it when it was sent: httpx's answers hold themselves in a ring, their requests with them, until the
    garbage collector comes by.
    """

    def __init__(self, content: bytes, bytes_s: int = 0) -> None:
        self._content, self._bytes_s = content, bytes_s
        self.headers = {"Content-Length": str(len(content))}

    def let_go(self) -> None:
        self._content = b""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        began_s, piece = time.monotonic(), max(1, min(_PIECE, self._bytes_s // 4)) if self._bytes_s else _PIECE
        for at in range(0, len(self._content), piece):
            yield self._content[at : at + piece]
            if not self._bytes_s:
                continue
            ahead_s = min(at + piece, len(self._content)) / self._bytes_s - (time.monotonic() - began_s)
            if ahead_s > 0:
                await asyncio.sleep(ahead_s)
