"""HTTP with the centre: sends what it is given, tells why it did not work, decides nothing."""

from __future__ import annotations

import ipaddress
from types import TracebackType
from typing import TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from app.core.errors import BadInput, Unavailable
from app.wire import DIGEST_HEADER, BatchAnswer, Centre, EventBatch, Signed, content_digest

M = TypeVar("M", bound=BaseModel)

_TIMEOUT = httpx.Timeout(10.0, connect=5.0)


class CentreRefused(Unavailable):
    """The centre answered, but not as wished: code sync.refused.

    `reason` is the centre's own code, `status` HTTP's, `wait_ms` what Retry-After asked for (0: nothing).
    """

    def __init__(self, reason: str, status: int, wait_ms: int = 0) -> None:
        super().__init__("sync.refused", f"{status} {reason}".strip())
        self.reason = reason
        self.status = status
        self.wait_ms = wait_ms


def require_loopback(url: str) -> None:
    """A rehearsal speaks with this machine only. Raises BadInput("sync.rehearsal_off_loopback")."""
    host = urlsplit(url).hostname or ""
    try:
        if host == "localhost" or ipaddress.ip_address(host).is_loopback:
            return
    except ValueError:
        pass
    raise BadInput("sync.rehearsal_off_loopback", host)


class CentreClient:
    """Speaks with the centre at `url`. An async context manager; `transport` replaces the network in tests.

    Every call raises Unavailable("sync.offline") when there is no answer, CentreRefused when it is not a good one.
    """

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        # trust_env off: a proxy or netrc of the environment has no business between station and centre.
        self._http = httpx.AsyncClient(base_url=url, timeout=_TIMEOUT, transport=transport, trust_env=False)

    async def __aenter__(self) -> CentreClient:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def register(self, introduction: Signed) -> Centre:
        """Join as a rehearsal station; what the centre is."""
        return await self._post("/v1/stations", introduction, Centre)

    async def send(self, batch: EventBatch) -> BatchAnswer:
        """Send a batch of events with their sealed blobs."""
        return await self._post("/v1/events", batch, BatchAnswer)

    async def feed(self, station: str, cursor: str) -> Signed:
        """The next page of the feed, as it was signed."""
        return await self._exchange("GET", "/v1/feed", Signed, params={"station": station, "cursor": cursor})

    async def centre(self) -> Centre:
        """What there is to pin of a centre."""
        return await self._exchange("GET", "/v1/centre", Centre)

    async def _post(self, path: str, body: BaseModel, kind: type[M]) -> M:
        content = body.model_dump_json().encode()
        headers = {"Content-Type": "application/json", DIGEST_HEADER: content_digest(content)}
        return await self._exchange("POST", path, kind, content=content, headers=headers)

    async def _exchange(
        self,
        method: str,
        path: str,
        kind: type[M],
        *,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
    ) -> M:
        try:
            answer = await self._http.request(method, path, content=content, headers=headers, params=params)
        except httpx.HTTPError as away:
            raise Unavailable("sync.offline", type(away).__name__) from away
        if answer.status_code != httpx.codes.OK:
            raise _refusal(answer)
        try:
            return kind.model_validate_json(answer.content)
        except ValidationError as wrong:
            raise CentreRefused("answer not understood", answer.status_code) from wrong


def _refusal(answer: httpx.Response) -> CentreRefused:
    try:
        reason = str(answer.json()["code"])[:80]
    except (ValueError, KeyError, TypeError):
        reason = ""
    return CentreRefused(reason, answer.status_code, _wait_ms(answer))


def _wait_ms(answer: httpx.Response) -> int:
    asked = answer.headers.get("Retry-After", "")
    return min(int(asked), 3600) * 1000 if asked.isdigit() else 0


async def fetch_centre(url: str) -> Centre:
    """Ask a centre on this machine what to pin, for a new rehearsal station. Raises as `CentreClient`, BadInput."""
    require_loopback(url)
    async with CentreClient(url) as client:
        return await client.centre()
