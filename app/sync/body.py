"""The body of a long request: footage on its way to the centre."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import httpx

_PIECE = 1 << 17


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
