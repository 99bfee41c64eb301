"""What goes to the centre of a recording's chain, and the centre's word on it.

The word is kept as a bundle that a stranger can check (`resources/dossier/verify.py`):

    {"centre": {"tenant", "root_key", "server_key", "server": {"text", "sig"} | null},
     "witnessed": {"text", "sig"}, "note", "leaf", "proof": [hex…], "event": the closing event's exact text}
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, func, select
from sqlalchemy.dialects.sqlite import insert

from app.centre_keys import key_that_signed
from app.core.audit import EventKind, Stamp
from app.core.errors import EvidenceTrouble
from app.core.merkle import leaf_hash, root_from_range
from app.keys import verifier
from app.store.exchange import epoch_known, high_received
from app.store.ledger import Ledger
from app.store.notes import origin_of, read_checkpoint
from app.store.tables import outbox, recording, recording_head, witnessed
from app.wire import Signed, open_statement
from app.wire_witness import WitnessAnswer, Witnessed, WitnessWanted


@dataclass(frozen=True, slots=True)
class Unwitnessed:
    """A closed recording that the centre knows of and has given no word on."""

    recording_id: str
    wanted: WitnessWanted


def note_head(ledger: Ledger, recording_id: str, n: int, head: str, stamp: Stamp) -> bool:
    """Tell the centre, by an event, that a running recording's record `n` has this hash; False when it was told."""

    def work(connection: Connection) -> bool:
        last = select(func.max(recording_head.c.n)).where(recording_head.c.recording_id == recording_id)
        if (connection.execute(last).scalar() or -1) >= n:
            return False
        body = {"recording": recording_id, "n": n, "head": head}
        event = ledger.append(connection, EventKind.RECORDING_HEAD, body, stamp, "")
        connection.execute(insert(recording_head), {"recording_id": recording_id, "n": n, "seq": event.seq})
        return True

    return ledger.write(work)


def unwitnessed(ledger: Ledger) -> tuple[Unwitnessed, ...]:
    """Closed recordings whose closing the centre has, without its word in its present epoch; the oldest first."""
    with ledger.reading() as connection:
        done = select(witnessed.c.recording_id).where(witnessed.c.epoch == epoch_known(connection))
        closed = and_(recording.c.state == "recorded", recording.c.closed_seq <= high_received(connection))
        rows = connection.execute(
            select(recording).where(closed, recording.c.id.not_in(done)).order_by(recording.c.closed_seq)
        )
        return tuple(_unwitnessed(connection, row.id, row.closed_seq) for row in rows.all())


def _unwitnessed(connection: Connection, recording_id: str, closed_seq: int) -> Unwitnessed:
    told = select(recording_head.c.seq).where(recording_head.c.recording_id == recording_id)
    seqs = tuple(connection.execute(told.order_by(recording_head.c.seq)).scalars())
    return Unwitnessed(recording_id, WitnessWanted(recording=recording_id, closed_seq=closed_seq, head_seqs=seqs))


def keep_word(ledger: Ledger, wanted: WitnessWanted, answer: WitnessAnswer) -> str:
    """Check the centre's word on a recording and keep it; gives the bundle.

    Raises EvidenceTrouble: sync.untrusted_answer (not by the pinned key, of something else, another history than
    ours), audit.checkpoint.
    """
    identity = ledger.identity
    key, certificate = key_that_signed(answer.witnessed, identity.centre)
    told = open_statement(Witnessed, answer.witnessed, verifier(key))
    if (told.tenant, told.station, told.recording) != (identity.centre.tenant, identity.station, wanted.recording):
        raise EvidenceTrouble("sync.untrusted_answer", "witness: of something else")

    def work(connection: Connection) -> str:
        event = _same_history(connection, wanted, told)
        _is_in_log(ledger, told.epoch, answer, event, key)
        named = {"server_key": key.hex(), "server": _plain(certificate) if certificate else None}
        bundle = json.dumps(_bundle(ledger, answer, event, named), ensure_ascii=False)
        row = {"recording_id": told.recording, "epoch": told.epoch, "bundle": bundle}
        connection.execute(insert(witnessed).on_conflict_do_nothing(), row)
        return bundle

    return ledger.write(work)


def _same_history(connection: Connection, wanted: WitnessWanted, told: Witnessed) -> bytes:
    """The closing event's bytes, when the centre tells of it and of the heads what we told."""
    event = bytes(connection.execute(select(outbox.c.data).where(outbox.c.seq == wanted.closed_seq)).scalar_one())
    ours = [(json.loads(event)["body"]["final_hash"], wanted.closed_seq)]
    for seq in sorted(wanted.head_seqs):
        body = json.loads(connection.execute(select(outbox.c.data).where(outbox.c.seq == seq)).scalar_one())["body"]
        ours.append((body["head"], seq))
    if ours != [(told.final_hash, told.closed_seq), *((one.head, one.seq) for one in told.heads)]:
        raise EvidenceTrouble("sync.untrusted_answer", "witness: another history")
    return event


def _is_in_log(ledger: Ledger, epoch: str, answer: WitnessAnswer, event: bytes, key: bytes) -> None:
    centre = ledger.identity.centre
    shown = read_checkpoint(answer.note, origin_of(centre.tenant, epoch), [key])
    path = [bytes.fromhex(one) for one in answer.proof]
    try:
        root = root_from_range(shown.size, answer.leaf, [leaf_hash(event)], path)
    except ValueError as wrong:
        raise EvidenceTrouble("audit.checkpoint", "proof") from wrong
    if root != shown.root:
        raise EvidenceTrouble("audit.checkpoint", "root")


def _bundle(ledger: Ledger, answer: WitnessAnswer, event: bytes, named: dict[str, Any]) -> dict[str, Any]:
    """`named`: the key that signed the word and the note, with the root's certificate for it."""
    centre = ledger.identity.centre
    return {
        "centre": {"tenant": centre.tenant, "root_key": centre.root_key, **named},
        "witnessed": _plain(answer.witnessed),
        "note": answer.note,
        "leaf": answer.leaf,
        "proof": list(answer.proof),
        "event": event.decode(),
    }


def _plain(signed: Signed) -> dict[str, str]:
    return {"text": signed.text, "sig": base64.b64encode(signed.sig).decode()}
