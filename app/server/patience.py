"""How long the centre waits for a request that comes slowly: who sends a byte now and then holds nothing for long.

The head has `grace_s`. The body has as long, and besides a second for each `least_bytes_s` that came; only the time
counts in which the server waited for it. What is too slow is answered 408 and its connection closed.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.server.refusal import Refusal

_LATE = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Patience:
    """`grace_s`: for the head, and for a body whatever its size; `least_bytes_s`: of a body, beyond that.

    A station that is told to bring footage slowly is twice as fast still (`app/sync/pace.py`).
    """

    grace_s: float = 20.0
    least_bytes_s: float = 1000.0

    def left_s(self, received: int, waited_s: float) -> float:
        """How long the next piece of a body may take."""
        return max(0.0, self.grace_s + received / self.least_bytes_s - waited_s)


class PatientApp:
    """An application whose requests' bodies have to keep coming, else Refusal("slow", 408) is raised where it reads."""

    def __init__(self, app: ASGIApp, patience: Patience) -> None:
        self._app, self._patience = app, patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _Coming(receive, self._patience)
        await self._app(scope, body.next if scope["type"] == "http" else receive, send)


class _Coming:
    """One request's body."""

    def __init__(self, receive: Receive, patience: Patience) -> None:
        self._receive, self._patience = receive, patience
        self._received, self._waited_s, self._whole = 0, 0.0, False

    async def next(self) -> Message:
        if self._whole:  # what is waited for now is that the other side goes away
            return await self._receive()
        begun_s = time.monotonic()
        try:
            async with asyncio.timeout(self._patience.left_s(self._received, self._waited_s)):
                message = await self._receive()
        except TimeoutError as late:
            raise Refusal("slow", 408) from late
        self._waited_s += time.monotonic() - begun_s
        self._received += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        return message


def patient_protocol(patience: Patience) -> type[HttpToolsProtocol]:
    """uvicorn's HTTP protocol, which closes a connection whose request's head, or whose rest of a body that was
    answered already, does not come to its end in `grace_s`.
    """

    class PatientProtocol(HttpToolsProtocol):
        """`_since_s`: since when the other side owes us something that the application does not wait for."""

        _since_s: float | None = None
        _look_task: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._owes()
            self._look()

        def connection_lost(self, exc: Exception | None) -> None:
            if self._look_task is not None:
                self._look_task.cancel()
            super().connection_lost(exc)

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._owes()

        def on_headers_complete(self) -> None:
            self._since_s = None
            super().on_headers_complete()

        def on_message_complete(self) -> None:
            self._since_s = None
            super().on_message_complete()

        def on_response_complete(self) -> None:
            if self.cycle.more_body:
                self._owes()
            super().on_response_complete()

        def _owes(self) -> None:
            if self._since_s is None:
                self._since_s = self.loop.time()

        def _look(self) -> None:
            idle = self.cycle is None or self.cycle.response_complete
            if idle and self._since_s is not None and self.loop.time() - self._since_s > patience.grace_s:
                self._say_late()
                return
            self._look_task = self.loop.call_later(patience.grace_s / 4, self._look)

        def _say_late(self) -> None:
            answered: Any = self.cycle
            if answered is None or not answered.more_body:
                self.transport.write(_LATE)
            self.transport.close()

    return PatientProtocol
