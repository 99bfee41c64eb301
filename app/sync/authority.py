"""The line to a time-stamp authority (RFC 3161 section 3.4): one question over HTTP, with an end to the waiting."""

from __future__ import annotations

import asyncio
import threading
from contextlib import closing, suppress

import httpx

from app.core.errors import Unavailable

_MOST_BYTES = 256 * 1024
_ASK, _REPLY = "application/timestamp-query", "application/timestamp-reply"


class Authority:
    """Asks the authority at `url`; an answer that is not whole within `limit_s` is none. From one thread at a time."""

    def __init__(self, url: str, limit_s: float = 20.0) -> None:
        self._url, self._limit_s = url, limit_s
        self._door = threading.Lock()
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Task[bytes]] | None = None
        self._stopped = False

    def post(self, query: bytes) -> bytes:
        """The reply to a query. Raises Unavailable: tsa.offline (nobody there, too slow, stopped), tsa.refused."""
        with closing(asyncio.new_event_loop()) as loop:
            task = loop.create_task(self._ask(query))
            with self._door:
                if self._stopped:
                    task.cancel()
                self._running = loop, task
            try:
                return loop.run_until_complete(task)
            except (TimeoutError, asyncio.CancelledError) as late:
                raise Unavailable("tsa.offline", "no answer in time") from late
            except httpx.HTTPError as away:
                raise Unavailable("tsa.offline", type(away).__name__) from away
            finally:
                with self._door:
                    self._running = None

    def stop(self) -> None:
        """Cut a question short; none is asked any more. From any thread."""
        with self._door:
            self._stopped = True
            if self._running:
                loop, task = self._running
                with suppress(RuntimeError):  # the loop is closed already
                    loop.call_soon_threadsafe(task.cancel)

    async def _ask(self, query: bytes) -> bytes:
        async with (
            asyncio.timeout(self._limit_s),
            httpx.AsyncClient(timeout=self._limit_s, trust_env=False) as http,
            http.stream("POST", self._url, content=query, headers={"Content-Type": _ASK}) as answer,
        ):
            kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            if answer.status_code != 200 or kind != _REPLY:
                raise Unavailable("tsa.refused", f"{answer.status_code} {kind[:60]}")
            data = b""
            async for chunk in answer.aiter_bytes():
                data += chunk
                if len(data) > _MOST_BYTES:
                    raise Unavailable("tsa.refused", "too long")
            return data
