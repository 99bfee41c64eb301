"""The station as a witness: a log that only grows is countersigned, one that was rewritten is found and proved."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import EvidenceTrouble
from app.core.merkle import CompactTree, leaf_hash, merkle_root
from app.keys import Signer, new_seed
from app.server import checkpoints
from app.server.setup import OpenCentre
from app.store.notes import Checkpoint, cosign, cosigned_at, read_checkpoint, sign_checkpoint
from app.sync.halt import Halt
from app.sync.witness import seen
from tests.sync.conftest import NOW_US

GUARDS = ("event_update", "log_leaf_delete", "checkpoint_delete", "checkpoint_update", "log_tile_delete")


def rewrite(centre: OpenCentre, seq: int) -> None:
    """As root at the centre could: change an event and all that follows, so that the centre agrees with itself."""
    with centre.engine.begin() as connection:
        for name in GUARDS:
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}_refused")
        connection.exec_driver_sql("UPDATE event SET data = x'7b7d' WHERE seq = ?", (seq,))
        rows = connection.exec_driver_sql(
            "SELECT e.data FROM log_leaf l JOIN event e ON e.station = l.station AND e.seq = l.seq ORDER BY l.n"
        ).scalars()
        data = [bytes(one) if isinstance(one, bytes) else one.encode() for one in rows]
        tree = CompactTree().grown(leaf_hash(one) for one in data)
        connection.exec_driver_sql("UPDATE meta SET log_peaks = ?", (tree.to_bytes(),))
        connection.exec_driver_sql("DELETE FROM log_tile")
        connection.exec_driver_sql("DELETE FROM checkpoint")


def heads(party: Any) -> list[int]:
    return [head.size for head in party.writer.call(seen) if head.note]


def test_a_checkpoint_is_checked_kept_and_countersigned(party: Any, centre: OpenCentre) -> None:
    for _ in range(3):
        party.keep()
        party.round()
    with centre.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT c.size, c.note, s.line FROM checkpoint c JOIN cosignature s USING (size)"
        )
        [(size, note, line)] = rows.all()
    assert heads(party) == [size]
    shown = read_checkpoint(note, note.split("\n")[0], [centre.signer.public_key])
    assert cosigned_at(line, shown, party.store.station, party.store.public_key) == NOW_US // 1_000_000
    assert cosigned_at(line, replace(shown, size=9), party.store.station, party.store.public_key) is None
    assert cosigned_at(line, shown, "other", party.store.public_key) is None


@pytest.mark.parametrize("width", [2, 4])
def test_a_log_that_only_grows_proves_it_over_tiles(
    party: Any, centre: OpenCentre, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """Small tiles stand for a long log; every step is proved to every head seen before."""
    monkeypatch.setattr(checkpoints, "_WIDTH", width)
    monkeypatch.setattr(checkpoints, "_BITS", width.bit_length() - 1)
    monkeypatch.setattr(checkpoints, "EVERY_ENTRIES", 1)
    for _ in range(14):
        party.keep()
        party.round()
    with centre.engine.connect() as connection:
        sizes = connection.exec_driver_sql("SELECT size FROM cosignature ORDER BY size").scalars().all()
        levels = connection.exec_driver_sql("SELECT max(level) FROM log_tile").scalar_one()
    assert len(sizes) == 14
    assert levels >= 1
    assert heads(party) == [sizes[-1]]


@pytest.mark.parametrize("seq", [1, 4])
def test_a_rewritten_log_stops_the_station_with_proof(party: Any, centre: OpenCentre, seq: int) -> None:
    for _ in range(4):
        party.keep()
        party.round()
    rewrite(centre, seq)
    with pytest.raises(Halt, match=r"sync.log_fork"):
        party.round()
    event = party.writer.call(lambda store: store.outbox_after(0))[-1]
    told = json.loads(event.data)
    assert told["kind"] == "centre.log-forked"
    origin = told["body"]["shown"].split("\n")[0]
    shown = read_checkpoint(told["body"]["shown"], origin, [centre.signer.public_key])
    assert shown.root.hex() != told["body"]["seen"]["root"]


def test_a_log_that_shrank_is_found(party: Any, centre: OpenCentre) -> None:
    for _ in range(3):
        party.keep()
        party.round()
    shorter = Checkpoint(*read_first(centre)[:1], size=1, root=merkle_root([bytes(32)]))
    note = sign_checkpoint(shorter, centre.signer)
    rewrite(centre, 1)
    with centre.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO checkpoint VALUES (1, ?, ?)", (note, NOW_US // 1000))
    with pytest.raises(Halt, match=r"sync.log_fork"):
        party.round()


def read_first(centre: OpenCentre) -> tuple[str, int]:
    with centre.engine.connect() as connection:
        note = connection.exec_driver_sql("SELECT note FROM checkpoint ORDER BY size").scalars().first()
    return str(note).split("\n")[0], int(str(note).split("\n")[1])


def test_notes_hold_their_text_and_nothing_else() -> None:
    signer = Signer(new_seed())
    made = Checkpoint("cardintake/t/e", 7, bytes(32))
    note = sign_checkpoint(made, signer)
    assert read_checkpoint(note, made.origin, [signer.public_key]) == made
    wrong = [
        note.replace("\n7\n", "\n8\n"),
        note.replace("\n7\n", "\n07\n"),
        note.replace("/e\n7", "/f\n7"),
        "",
        "a\n\n",
    ]
    wrong += [note.replace("\n\n", "\nmore\n\n"), note[:-20], sign_checkpoint(made, Signer(new_seed()))]
    for bad in wrong:
        with pytest.raises(EvidenceTrouble, match=r"audit.checkpoint"):
            read_checkpoint(bad, made.origin, [signer.public_key])
    line = cosign(made, "st 1", signer, 5)
    assert line.startswith("\u2014 station/st%201 ")
    assert cosigned_at(line, made, "st 1", Signer(new_seed()).public_key) is None


@pytest.mark.parametrize(("at_s", "is_word"), [((1 << 53) - 1, True), (1 << 53, False), ((1 << 64) - 1, False)])
def test_a_time_that_no_database_takes_is_none(at_s: int, is_word: bool) -> None:
    signer, made = Signer(new_seed()), Checkpoint("cardintake/t/e", 7, bytes(32))
    line = cosign(made, "st", signer, at_s)
    assert (cosigned_at(line, made, "st", signer.public_key) is not None) is is_word


@pytest.mark.parametrize("size", [1 << 63, -1])
def test_a_size_that_no_log_has_is_no_checkpoint(size: int) -> None:
    signer, made = Signer(new_seed()), Checkpoint("cardintake/t/e", size, bytes(32))
    with pytest.raises(EvidenceTrouble, match=r"audit.checkpoint"):
        read_checkpoint(sign_checkpoint(made, signer), made.origin, [signer.public_key])


def test_the_centre_takes_no_line_that_does_not_hold(party: Any, centre: OpenCentre) -> None:
    party.keep()
    party.round()

    async def run(line: str) -> None:
        exchange = party.exchange()
        async with exchange.client:
            await exchange.client.cosign(checkpoints.Cosigning(size=read_first(centre)[1], line=line))

    with centre.engine.connect() as connection:
        note = str(connection.exec_driver_sql("SELECT note FROM checkpoint ORDER BY size").scalars().first())
    true = read_checkpoint(note, note.split("\n")[0], [centre.signer.public_key])
    _, signer, _ = party.store.speaker()
    far = cosign(true, party.store.station, signer, 1 << 63)
    for line in (cosign(Checkpoint("x", 1, bytes(32)), party.store.station, Signer(new_seed()), 5), far):
        with pytest.raises(Exception, match=r"log.cosignature"):
            asyncio.run(run(line))


def test_nothing_of_this_is_asked_of_an_empty_log(party: Any, tmp_path: Path) -> None:
    party.round()
    party.round()
    assert party.crashes == []
