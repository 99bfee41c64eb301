"""A revoked station on every route: refused, and what it says of its chain is kept aside, not acted on."""

from __future__ import annotations

import asyncio
import hashlib
import json

import httpx
import pytest

from app.core.audit import GENESIS, EventKind, Stamp, link
from app.keys import Signer, new_seed
from app.server.enrol import admit_station, revoke_station
from app.server.openapi import CALLS, Call
from app.server.routes import make_app
from app.server.setup import OpenCentre
from app.signing import Message, RequestMarks, sign_request
from app.sync.client import CentreClient, Speaker
from app.wire import DIGEST_HEADER, EventBatch, content_digest

NOW_S = 1_790_000_000
OID = "ab" * 32
SIGNED = [call for call in CALLS if call.signed and call.path != "/v1/events"]
BODIES = {"/v1/objects/batch": '{"objects": []}', "/v1/objects/verify": f'{{"oid": "{OID}", "size": 1}}'}
SIGNED_BODY = '{"text": "{}", "sig": ""}'
"""Well formed where the route parses before it looks who speaks."""


def revoked(centre: OpenCentre, role: str) -> Signer:
    signer = Signer(new_seed())
    admit_station(centre, "st-1", signer.public_key, role, 0)
    revoke_station(centre, "st-1", NOW_S * 1000)
    return signer


def body_of(call: Call) -> bytes:
    """The least that the route's model takes."""
    match call.path:
        case "/v1/checkpoint/cosign":
            return b'{"size": 1, "line": "x"}'
        case "/v1/vault/key":
            return f'{{"change": {SIGNED_BODY}, "proof": ""}}'.encode()
        case "/v1/acceptance/decisions":
            wish = {"station": "s", "card": "c", "event_hash": OID, "verdict": "review", "reason": "x"}
            return json.dumps({"decisions": [wish]}).encode()
        case "/v1/vault/people":
            return b'{"people": []}'
        case "/v1/vault/findings":
            return b'{"findings": []}'
        case "/v1/reveals":
            return f'{{"request": {SIGNED_BODY}, "who": "x"}}'.encode()
        case "/v1/reveals/{name}/approve" | "/v1/reveals/{name}/refuse":
            return b'{"who": "x", "sig": ""}'
        case "/v1/vault/reveals/{name}":
            return b'{"state": "granted"}'
        case "/v1/videos/{name}":
            return SIGNED_BODY.encode()
        case "/v1/decisions/again":
            return b'{"decisions": []}'
        case "/v1/witness":
            return f'{{"recording": "r", "final_hash": "{OID}", "opened_seq": 1, "closed_seq": 1}}'.encode()
        case _:
            return BODIES.get(call.path, "").encode() if call.body else b""


async def speak(centre: OpenCentre, call: Call, signer: Signer) -> httpx.Response:
    path = call.path.replace("{oid}", OID).replace("{name}", OID).replace("{version}", OID)
    query = "?since=0" if call.path == "/v1/checkpoint" else ""
    content = body_of(call) if call.method != "get" else b""
    digest = content_digest(content)
    kind = "application/octet-stream" if "{oid}" in call.path else "application/json"
    if "{oid}" in call.path:  # its name is its digest, and that is looked at first
        content = b"chunk"
        digest = content_digest(content)
        path = "/v1/objects/" + hashlib.sha256(content).hexdigest()
    kind = kind if content else ""
    message = Message(call.method.upper(), centre.centre.base_url + path + query, digest, kind)
    headers = sign_request(signer, message, RequestMarks("st-1", "n" * 20, NOW_S, NOW_S + 60))
    headers |= {DIGEST_HEADER: digest} | ({"Content-Type": kind} if kind else {})
    transport = httpx.ASGITransport(make_app(centre, now_ms=lambda: NOW_S * 1000))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        return await http.request(call.method, path + query, content=content, headers=headers)


@pytest.mark.parametrize("call", SIGNED, ids=lambda call: f"{call.method} {call.path}")
@pytest.mark.parametrize("role", ["rehearsal", "vault"])
def test_every_signed_route_refuses_a_revoked_station(centre: OpenCentre, call: Call, role: str) -> None:
    role = "acceptance" if call.path.startswith("/v1/acceptance") else role
    answer = asyncio.run(speak(centre, call, revoked(centre, role)))
    assert (answer.status_code, answer.json()["code"]) == (403, "station.revoked")


def test_its_events_are_kept_aside(centre: OpenCentre) -> None:
    signer = revoked(centre, "rehearsal")
    facts = {"station": "st-1", "seq": 1, "prev": GENESIS, "kind": EventKind.UNEXPECTED, "stamp": Stamp(1, 1, "b")}
    event = link(event_id="e", **facts, actor="1", body={}, sign=signer.sign)

    async def send() -> list[tuple[str, str]]:
        transport = httpx.ASGITransport(make_app(centre, now_ms=lambda: NOW_S * 1000))
        speaker = Speaker("st-1", signer, centre.centre)
        async with CentreClient("http://127.0.0.1", transport, speaker, lambda: NOW_S * 1000) as client:
            answer = await client.send(EventBatch.of("st-1", [event]))
        return [(one.result, one.code) for one in answer.results]

    assert asyncio.run(send()) == [("quarantined", "revoked")]
