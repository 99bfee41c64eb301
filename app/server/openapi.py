"""The protocol as OpenAPI 3.1, from the models that travel (app.wire): `docs/openapi.json`, and /v1/openapi.json.

Routes check signatures over raw bytes before they parse, so the framework cannot see their types; they are listed here,
and a test holds this list against the routes that there are. The path's `v1` is the protocol's major version; within it
fields are only added.

    python -m app.server.openapi > docs/openapi.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app import wire, wire_accept, wire_enrol, wire_vault, wire_witness
from app.wire import DIGEST_HEADER

VERSION = "1.5"
_SCHEMAS = "#/components/schemas/"
_SIGNED = "Signed by the caller with RFC 9421 (docs/protocol.md); the answer is signed by the centre."
_OPEN = "Anybody may ask; not signed."


class Trouble(BaseModel):
    """What was not done, and why. No 4xx means that an event may be forgotten."""

    code: str
    detail: str


class Health(BaseModel):
    """The server runs."""

    status: str
    version: str
    epoch: str


@dataclass(frozen=True, slots=True)
class Query:
    """A parameter of the query and its schema."""

    name: str
    schema: Mapping[str, Any]
    required: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One call: what goes in (a model, "bytes" or nothing) and what comes out (a model or a media type)."""

    method: str
    path: str
    text: str
    answer: type[BaseModel] | str
    body: type[BaseModel] | str = ""
    query: tuple[Query, ...] = ()
    signed: bool = True


_CURSOR = Query("cursor", {"type": "string", "maxLength": 128})
_SINCE = Query("since", {"type": "array", "items": {"type": "integer"}, "maxItems": 32}, required=True)
_ELSEWHERE = Query("elsewhere", {"type": "string", "maxLength": 128})
_WHO = Query("who", {"type": "string", "maxLength": 200})
_AFTER = Query("after", {"type": "string", "maxLength": 300})
_ALL = Query("all", {"type": "string", "maxLength": 2400})
_SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_IN_PATH = {"/v1/videos/{name}": {"type": "string", "maxLength": 128}, "/v1/catalogue/{version}": {"type": "string"}}
"""What stands in a path; elsewhere it is a SHA-256."""

_HEADERS = ("Signature-Input", "Signature")
CALLS = (
    Call(
        "post", "/v1/enrol", "Join by a one-time code", wire_enrol.EnrolmentAnswer, wire_enrol.Enrolment, signed=False
    ),
    Call("post", "/v1/events", "Send a batch of events", wire.BatchAnswer, wire.EventBatch),
    Call("get", "/v1/feed", "What is new (a signed FeedPage)", wire.Signed, query=(_CURSOR,)),
    Call("post", "/v1/decisions/again", "Decisions that ran out", wire.DecisionsGiven, wire.DecisionsExpired),
    Call(
        "get",
        "/v1/checkpoint",
        "The log's checkpoint with proofs",
        wire_witness.CheckpointAnswer,
        query=(_SINCE, _ELSEWHERE),
    ),
    Call("post", "/v1/checkpoint/cosign", "Countersign a checkpoint", wire_witness.Cosigned, wire_witness.Cosigning),
    Call(
        "post",
        "/v1/witness",
        "What the centre saw of a recording",
        wire_witness.WitnessAnswer,
        wire_witness.WitnessWanted,
    ),
    Call(
        "post",
        "/v1/objects/batch",
        "Which chunks are missing, where to put them",
        wire.ObjectsAnswer,
        wire.ObjectsWanted,
    ),
    Call("post", "/v1/objects/verify", "A chunk was put into the bucket", wire.StoredObject, wire.ObjectSize),
    Call("put", "/v1/objects/{oid}", "Put one chunk", wire.StoredObject, "application/octet-stream"),
    Call(
        "put",
        "/v1/videos/{name}",
        "Hand in a recording's manifest (a signed VideoManifest)",
        wire.VideoAnswer,
        wire.Signed,
    ),
    Call(
        "get",
        "/v1/acceptance/cards",
        "For who decides on real cards: those that wait",
        wire_accept.CardsToDecide,
        query=(_AFTER,),
    ),
    Call(
        "post",
        "/v1/acceptance/decisions",
        "For who decides on real cards: what they are to become",
        wire_accept.CardOutcomes,
        wire_accept.CardWishes,
    ),
    Call("get", "/v1/vault/arrivals", "For the vault: cards it has not looked at", wire_vault.Arrivals, query=(_ALL,)),
    Call("post", "/v1/vault/key", "For the vault: another signing key", wire_vault.KeyKept, wire_vault.KeyChanged),
    Call("post", "/v1/vault/people", "For the vault: whom it let in", wire_vault.PeopleKept, wire_vault.VaultPeople),
    Call("post", "/v1/vault/findings", "For the vault: what it found", wire_vault.FindingsKept, wire_vault.Findings),
    Call(
        "post",
        "/v1/reveals",
        "Bring a person's request to see a secret",
        wire_vault.RevealState,
        wire_vault.RevealAsked,
    ),
    Call("get", "/v1/reveals", "Requests that wait for a second person", wire_vault.RevealsOpen),
    Call("get", "/v1/reveals/{name}", "How a request stands; the sealed answer, once", wire_vault.RevealState),
    Call(
        "post", "/v1/reveals/{name}/approve", "A second person signs", wire_vault.RevealState, wire_vault.RevealApproval
    ),
    Call(
        "post",
        "/v1/reveals/{name}/refuse",
        "A second person refuses",
        wire_vault.RevealState,
        wire_vault.RevealApproval,
    ),
    Call("delete", "/v1/reveals/{name}", "Nobody waits for the answer any more", wire_vault.RevealState),
    Call(
        "get",
        "/v1/reveal-log",
        "Who asked to see what and why; what is left today",
        wire_vault.RevealLog,
        query=(_WHO,),
    ),
    Call("get", "/v1/vault/reveals", "For the vault: requests it has not answered", wire_vault.RevealTasks),
    Call(
        "post",
        "/v1/vault/reveals/{name}",
        "For the vault: its next word",
        wire_vault.RevealState,
        wire_vault.RevealVerdict,
    ),
    Call("get", "/v1/catalogue/{version}", "A published catalogue", wire.CatalogueBundle),
    Call("get", "/v1/centre", "What there is to pin of the centre", wire.Centre, signed=False),
    Call("get", "/v1/health", "Whether the server runs", Health, signed=False),
    Call("get", "/v1/openapi.json", "This description", "application/json", signed=False),
    Call("get", "/", "The operator's page, on the centre's own machine", "text/html", signed=False),
    Call("get", "/metrics", "Figures for Prometheus, on the centre's own machine", "text/plain", signed=False),
)
_STATEMENTS = (
    wire.Receipt,
    wire.Decision,
    wire.Held,
    wire.Reference,
    wire.FeedPage,
    wire.VideoManifest,
    wire.Durable,
    wire_witness.Witnessed,
    wire.ServerCertificate,
    wire_witness.Restored,
    wire_enrol.Enrolled,
    wire_vault.RevealRequest,
)
"""What the signed texts hold."""


def described() -> dict[str, Any]:
    """The OpenAPI document."""
    listed: set[type[BaseModel]] = {Trouble, *_STATEMENTS}
    for call in CALLS:
        listed |= {kind for kind in (call.answer, call.body) if not isinstance(kind, str)}
    ordered = sorted(listed, key=lambda kind: kind.__name__)
    _, schemas = models_json_schema([(kind, "serialization") for kind in ordered], ref_template=_SCHEMAS + "{model}")
    paths: dict[str, dict[str, Any]] = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method] = _operation(call)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Card Intake centre", "version": VERSION},
        "paths": paths,
        "components": {"schemas": schemas["$defs"]},
    }


def _operation(call: Call) -> dict[str, Any]:
    found: dict[str, Any] = {"summary": call.text, "description": _SIGNED if call.signed else _OPEN}
    names = [part[1:-1] for part in call.path.split("/") if part.startswith("{")]
    inside = _IN_PATH.get(call.path, _SHA256)
    parameters = [{"name": name, "in": "path", "required": True, "schema": inside} for name in names]
    parameters += [
        {"name": one.name, "in": "query", "required": one.required, "schema": one.schema} for one in call.query
    ]
    headers = [DIGEST_HEADER] if call.signed or call.body else []
    headers += _HEADERS if call.signed else ()
    parameters += [{"name": name, "in": "header", "required": True, "schema": {"type": "string"}} for name in headers]
    if parameters:
        found["parameters"] = parameters
    if call.body:
        found["requestBody"] = {"required": True, "content": _content(call.body)}
    failed = {"description": "Not done", "content": _content(Trouble)}
    found["responses"] = {"200": {"description": "Done", "content": _content(call.answer)}, "default": failed}
    return found


def _content(kind: type[BaseModel] | str) -> dict[str, Any]:
    if isinstance(kind, str):
        return {kind: {}}
    return {"application/json": {"schema": {"$ref": _SCHEMAS + kind.__name__}}}


def as_text() -> str:
    """The document as it is published."""
    return json.dumps(described(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(as_text())
