"""The published description against the server: each answer is one that it tells of, and none is a 500."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.keys import Signer, new_seed
from app.server.embedded import start_server_process, stop_server_process
from app.server.enrol import admit_station
from app.server.openapi import described
from app.server.routes import make_app
from app.server.setup import OpenCentre, init, open_centre
from app.signing import Message, RequestMarks, sign_request
from app.wire import DIGEST_HEADER, content_digest

NOW_S = 1_790_000_000
DOCUMENT = described()
SCHEMAS = DOCUMENT["components"]["schemas"]
CALLS = [(method, path, told) for path, calls in DOCUMENT["paths"].items() for method, told in calls.items()]
_numbers = iter(range(10**9))

edges = st.sampled_from([0, 1, -1, 2**31, 2**53, 2**63, -(2**63), 10**30, -(10**30)])
anything = st.recursive(
    st.none() | st.booleans() | edges | st.integers() | st.text(max_size=20) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def fits(schema: Any) -> st.SearchStrategy[Any]:
    """Values of a schema, here and there one that is none of it."""
    return st.integers(0, 11).flatmap(lambda roll: anything if roll == 0 else _of(schema))


def _of(schema: Any) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return fits(SCHEMAS[schema["$ref"].rsplit("/", 1)[1]])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return st.one_of([fits(one) for one in schema[several]])
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    match schema.get("type"):
        case "object" if "properties" in schema:
            needed = set(schema.get("required", []))
            parts = {name: fits(one) for name, one in schema["properties"].items()}
            must = {name: one for name, one in parts.items() if name in needed}
            return st.fixed_dictionaries(must, optional={n: one for n, one in parts.items() if n not in needed})
        case "object":
            return st.dictionaries(st.text(max_size=8), anything, max_size=3)
        case "array":
            return st.lists(fits(schema.get("items", {})), max_size=3)
        case "integer":
            return edges | st.integers(0, 9)
        case "boolean":
            return st.booleans()
        case "string":
            return _text(schema)
        case _:
            return anything


def _text(schema: Any) -> st.SearchStrategy[str]:
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True)
    if "base64" in str(schema.get("format")):
        return st.sampled_from(["", "AAAA", "CIS1", "e30=", "AA=", "%%%"])
    return st.sampled_from(["", "st-1", "{}", '{"type": "reveal"}', "[" * 3000, "\0", "…"]) | st.text(max_size=30)


class Asker:
    """A station and a vault that sign whatever is asked in their name."""

    def __init__(self, centre: OpenCentre) -> None:
        self.centre = centre
        self.keys = {"st-1": Signer(new_seed()), "vault-1": Signer(new_seed())}
        for name, signer in self.keys.items():
            admit_station(centre, name, signer.public_key, "vault" if name == "vault-1" else "rehearsal", 0)
        app = make_app(centre, now_ms=lambda: NOW_S * 1000)
        self.transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    def ask(self, method: str, path: str, content: bytes, who: str) -> httpx.Response:
        return asyncio.run(self._ask(method, path, content, who))

    async def _ask(self, method: str, path: str, content: bytes, who: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=self.transport, base_url="http://127.0.0.1") as http:
            request = http.build_request(method, path, content=content)
            digest, kind = content_digest(content), "application/json" if content else ""
            request.headers[DIGEST_HEADER] = digest
            if kind:
                request.headers["Content-Type"] = kind
            if who:
                target = self.centre.centre.base_url + request.url.raw_path.decode("ascii")
                marks = RequestMarks(who, f"nonce-{next(_numbers):020d}", NOW_S, NOW_S + 60)
                request.headers.update(
                    sign_request(self.keys[who], Message(request.method, target, digest, kind), marks)
                )
            return await http.send(request)


@pytest.fixture(scope="module")
def asker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    folder = tmp_path_factory.mktemp("described")
    init(folder / "centre")
    opened = open_centre(folder / "centre")
    yield Asker(opened)
    opened.engine.dispose()


def schema_of(told: Any) -> Any:
    content = told.get("requestBody", {}).get("content", {})
    return next(iter(content.values()), {}).get("schema")


def holds(value: Any, schema: Any) -> bool:
    """Whether a JSON value is of a schema, as far as shapes go."""
    if "$ref" in schema:
        return holds(value, SCHEMAS[schema["$ref"].rsplit("/", 1)[1]])
    if "anyOf" in schema:
        return any(holds(value, one) for one in schema["anyOf"])
    match schema.get("type"):
        case "object":
            named = schema.get("properties", {})
            return (
                isinstance(value, dict)
                and set(schema.get("required", [])) <= set(value)
                and all(holds(value[name], one) for name, one in named.items() if name in value)
            )
        case "array":
            return isinstance(value, list) and all(holds(one, schema.get("items", {})) for one in value)
        case "string":
            return isinstance(value, str) and re.search(schema.get("pattern", ""), value) is not None
        case "integer":
            return isinstance(value, int)
        case _:
            return True


def require_told(answer: httpx.Response, told: Any) -> None:
    assert answer.status_code < 500, answer.text
    which = "200" if answer.status_code == 200 else "default"
    content = told["responses"][which]["content"]
    kind = answer.headers["content-type"].partition(";")[0]
    assert kind in content, (answer.status_code, answer.headers["content-type"])
    if "schema" in content[kind]:
        assert holds(answer.json(), content[kind]["schema"]), answer.text


@pytest.mark.parametrize(("method", "path", "told"), CALLS, ids=[f"{method} {path}" for method, path, _ in CALLS])
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_answer_is_one_that_was_told(
    asker: Asker, method: str, path: str, told: Any, data: st.DataObject
) -> None:
    for one in told.get("parameters", []):
        if one["in"] == "path":
            value = str(data.draw(fits(one["schema"]), label=one["name"]))
            path = path.replace(f"{{{one['name']}}}", quote(value, safe=""))
    params: list[tuple[str, str]] = []
    for one in told.get("parameters", []):
        if one["in"] == "query" and (one["required"] or data.draw(st.booleans())):
            value = data.draw(fits(one["schema"]), label=one["name"])
            params += [(one["name"], str(part)) for part in (value if isinstance(value, list) else [value])]
    schema = schema_of(told)
    content = json.dumps(data.draw(fits(schema), label="body")).encode() if schema else b""
    who = data.draw(st.sampled_from(["st-1", "vault-1", ""]), label="who")
    url = httpx.URL("http://127.0.0.1" + path, params=params) if params else path
    try:
        answer = asker.ask(method, str(url), content, who)
    except (httpx.InvalidURL, UnicodeEncodeError):
        return  # what no client can send
    if answer.status_code == 404 and answer.json()["code"] == "not_found":
        return  # a path that is another one by now
    require_told(answer, told)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "not_found"),
        ("DELETE", "/v1/events", 405, "method"),
        ("GET", "/v1/checkpoint", 422, "format"),
        ("GET", "/v1/checkpoint?since=x", 422, "format"),
        ("GET", "/v1/feed?cursor=" + "x" * 200, 422, "format"),
        ("PUT", "/v1/objects/..%2f..%2fetc%2fpasswd", 404, "not_found"),
        ("PUT", "/v1/objects/" + "AB" * 32, 422, "format"),
        ("GET", "/v1/reveals/x", 422, "format"),
    ],
)
def test_what_there_is_not_is_refused_in_the_same_form(
    asker: Asker, method: str, path: str, status: int, code: str
) -> None:
    answer = asker.ask(method, path, b"", "")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert set(answer.json()) == {"code", "detail"}


def test_a_real_server_outlives_what_is_no_http(tmp_path: Path) -> None:
    """Raw bytes, bodies that never come, lengths that lie: each connection for itself."""
    init(tmp_path / "centre")
    child, url = start_server_process(tmp_path / "centre", timeout_s=60)
    port = int(url.rsplit(":", 1)[1])
    post = b"POST /v1/enrol HTTP/1.1\r\nHost: x\r\n"
    garbage = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET " + b"/x" * 40_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000,
        post + b"Content-Length: -5\r\n\r\n",
        post + b"Content-Length: 99999999999999999999\r\n\r\n{}",
        post + b"Content-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        post + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFF\r\n" + bytes(1000),
        post + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00",
        bytes(5000),
    ]
    try:
        open_ones = []
        for one in garbage:
            near = socket.create_connection(("127.0.0.1", port), 60)
            with suppress(ConnectionError):  # it may have been refused before its end
                near.sendall(one)
            open_ones.append(near)
        assert httpx.get(url + "/v1/health", trust_env=False, timeout=60).json()["status"] == "ok"
        for near in open_ones:
            near.close()
        assert httpx.get(url + "/v1/health", trust_env=False, timeout=60).json()["status"] == "ok"
        assert child.poll() is None
    finally:
        stop_server_process(child)
