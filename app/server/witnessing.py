"""What the centre saw of a recording: heads of its chain while it ran, and the hash that closed it.

Stations tell both as events, so they stand in the log like everything else. Here a station gets a signed statement of
when each came in, and the proof that the closing one is in the log under a published checkpoint: with that its footage
proves to a stranger that it has not been signed anew since.

    POST /v1/witness    {recording, closed_seq, head_seqs} → the statement, the checkpoint, the proof
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from sqlalchemy import Connection, Row, and_, select
from starlette.concurrency import run_in_threadpool

from app.core.audit import EventKind
from app.core.merkle import place_proof
from app.server.admit import Caller, identify, spend_nonce
from app.server.answers import Desk
from app.server.checkpoints import IN_PASSING, publish, root_between
from app.server.held import was_taken_up
from app.server.refusal import Refusal
from app.server.setup import OpenCentre
from app.server.tables import checkpoint, event, log_leaf
from app.store.db import reading, transaction
from app.store.notes import is_signed_by
from app.wire import sign_statement
from app.wire_witness import HeadSeen, WitnessAnswer, Witnessed, WitnessWanted

_AT_ONCE = 500


def add_witness_routes(app: FastAPI, desk: Desk) -> None:
    """Add the route of the module's head."""
    centre = desk.centre

    @app.post("/v1/witness")
    async def witness(request: Request) -> Response:
        caller, wanted = await desk.signed_body(request, WitnessWanted)
        return desk.reply(request, await run_in_threadpool(state_seen, centre, wanted, caller, desk.now_ms()))


def state_seen(centre: OpenCentre, wanted: WitnessWanted, caller: Caller, now_ms: int) -> WitnessAnswer:
    """The statement on a closed recording of the caller's. Raises Refusal as `admit`; witness.unknown (an event is not
    here, or does not speak of this recording), witness.later (no checkpoint holds its closing yet).
    """
    identify(centre, caller, now_ms)
    with transaction(centre.engine) as connection:
        spend_nonce(connection, caller, now_ms)
    publish(centre, now_ms, most=IN_PASSING)
    with reading(centre.engine) as connection:
        closing = _closing(connection, wanted, caller.station)
        note, leaf, proof = _place(connection, caller.station, wanted.closed_seq)
        signer = centre.signer
        if not is_signed_by(note, signer.public_key):  # one key for the whole word; the next checkpoint is its
            raise Refusal("witness.later", 409)
        heads = tuple(_heads(connection, wanted, caller.station))
    told = Witnessed(
        tenant=centre.centre.tenant,
        station=caller.station,
        recording=wanted.recording,
        final_hash=json.loads(bytes(closing.data))["body"]["final_hash"],
        closed_seq=wanted.closed_seq,
        closed_ms=closing.received_ms,
        heads=heads,
        server_time_ms=now_ms,
        epoch=centre.epoch,
    )
    shown = tuple(one.hex() for one in proof)
    return WitnessAnswer(witnessed=sign_statement(told, signer.sign), note=note, leaf=leaf, proof=shown)


def _closing(connection: Connection, wanted: WitnessWanted, station: str) -> Row[Any]:
    rows = list(_events(connection, station, [wanted.closed_seq], EventKind.RECORDING_CLOSED, wanted.recording))
    if len(rows) != 1:
        raise Refusal("witness.unknown", 404)
    return rows[0]


def _heads(connection: Connection, wanted: WitnessWanted, station: str) -> Iterator[HeadSeen]:
    seqs = sorted(set(wanted.head_seqs))
    rows = list(_events(connection, station, seqs, EventKind.RECORDING_HEAD, wanted.recording))
    if len(rows) != len(seqs):
        raise Refusal("witness.unknown", 404)
    for row in rows:
        body = json.loads(bytes(row.data))["body"]
        yield HeadSeen(seq=row.seq, n=body["n"], head=body["head"], received_ms=row.received_ms)


def _events(
    connection: Connection, station: str, seqs: Sequence[int], kind: EventKind, recording: str
) -> Iterator[Row[Any]]:
    """Those of a station's events that were taken for good and speak of this recording."""
    for at in range(0, len(seqs), _AT_ONCE):
        some = event.c.seq.in_(seqs[at : at + _AT_ONCE])
        mine = and_(event.c.station == station, some, event.c.kind == kind.value, was_taken_up())
        for row in connection.execute(select(event).where(mine).order_by(event.c.seq)):
            if json.loads(bytes(row.data))["body"].get("recording") == recording:
                yield row


def _place(connection: Connection, station: str, seq: int) -> tuple[str, int, list[bytes]]:
    """The latest checkpoint, and where and by what an event is in it."""
    own = and_(log_leaf.c.station == station, log_leaf.c.seq == seq)
    leaf = connection.execute(select(log_leaf.c.n).where(own)).scalar()
    last = connection.execute(select(checkpoint).order_by(checkpoint.c.size.desc()).limit(1)).first()
    if leaf is None or last is None or last.size <= leaf:
        raise Refusal("witness.later", 409)
    return last.note, leaf, place_proof(leaf, last.size, lambda low, high: root_between(connection, low, high))
