"""A station that the centre revoked: it believes the centre's signature only, keeps evidence, shreds the rest."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DatabaseError

from app.core.audit import EventKind
from app.core.cards import Secret
from app.core.errors import EvidenceTrouble, StorageTrouble
from app.core.parcels import ExpectedParcel, OpenParcel, Operator, Role
from app.core.readiness import REVOKED, SyncState
from app.keys import Signer, new_seed
from app.server import copying as restoring
from app.server.copying import Places
from app.server.enrol import revoke_station
from app.server.folder import CentreFolder
from app.server.reference import Item, hand_out
from app.server.setup import OpenCentre, open_centre
from app.signing import SignedAnswer, sign_answer
from app.store.backup import back_up
from app.store.db import transaction
from app.store.governing import REVOCATION
from app.store.keyfile import key_path
from app.store.results import RetryState
from app.store.revoked import by_answer, by_feed, hear, is_ended, shred
from app.store.rotating import rotate
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.store.tables import meta, operator, rotated_key, sealed
from app.store.verify import verify_audit
from app.store.writer import StoreWriter
from app.sync.halt import Halt
from app.sync.worker import SyncListeners, SyncPlan, SyncReport, SyncWorker
from app.wire import Reference, Revoked, content_digest, sign_statement
from tests.sync.conftest import NOW_US, Line, Party, stamp

CODE = b'{"code": "station.revoked", "detail": ""}'


def ended(party: Party) -> bool:
    return party.writer.call(lambda store: is_ended(store.ledger))


def held(party: Party, table: Any) -> int:
    def count(store: Store) -> int:
        with store.ledger.reading() as connection:
            return int(connection.execute(select(func.count()).select_from(table)).scalar_one())

    return party.writer.call(count)


def keys_of(party: Party) -> tuple[bytes, bytes]:
    """The first seed and the index key, as they lie in the database."""

    def read(store: Store) -> tuple[bytes, bytes]:
        with store.ledger.reading() as connection:
            row = connection.execute(select(meta)).one()
            return bytes(row.signing_seed), bytes(row.index_key)

    return party.writer.call(read)


def last_round(party: Party, backups: Path | None = None) -> bool:
    async def run() -> bool:
        exchange = party.exchange()
        async with exchange.client:
            return bool(await exchange.last_round(backups))

    return asyncio.run(run())


def worked(party: Party, backups: Path | None = None, line: httpx.AsyncBaseTransport | None = None) -> SyncReport:
    """What the worker says when it stops."""
    heard: Queue[SyncReport | Exception] = Queue()
    plan = SyncPlan("http://127.0.0.1", 0.01, backups=backups)
    listeners = SyncListeners(heard.put, lambda _cards: None, heard.put)
    worker = SyncWorker(plan, party.writer, stamp, listeners, chance=lambda: 0.0, transport=line or party.line)
    worker.start()
    try:
        while True:
            report = heard.get(timeout=60)
            assert isinstance(report, SyncReport)
            if report.state is SyncState.STOPPED:
                return report
    finally:
        assert worker.stop()


@pytest.fixture
def revoked(party: Party, centre: OpenCentre) -> Party:
    """Three cards are at the centre, people and a copy are here; then the centre revoked the station."""
    party.writer.call(lambda store: store.add_operator("1001", "林晓", Role.CLERK, "CIB-1", Secret("2468")))
    for _ in range(3):
        party.keep()
    party.round()
    revoke_station(centre, party.store.station, NOW_US // 1000)
    return party


def test_it_stops_says_so_and_shreds_what_the_centre_holds(revoked: Party, tmp_path: Path) -> None:
    database, backups = tmp_path / "station.db", tmp_path / "backups"
    mine = revoked.writer.call(lambda store: back_up(store, database, backups, datetime.now(UTC), 8))
    others = backups / "20200101T000000Z"
    others.mkdir(mode=0o700)
    key_path(others / database.name).write_bytes(b"of another station")
    assert held(revoked, sealed) > 0
    assert worked(revoked, backups).code == REVOKED
    assert (held(revoked, sealed), held(revoked, operator)) == (0, 0)
    assert keys_of(revoked) == (b"", bytes(32))
    assert (mine.folder.exists(), others.exists()) == (False, True)


def test_the_chain_stays_whole_and_is_checked_by_the_public_halves(revoked: Party, tmp_path: Path) -> None:
    first = revoked.store.public_key
    revoked.writer.call(lambda store: rotate(store.ledger, stamp(), "1001"))
    newest = revoked.store.public_key
    worked(revoked)
    assert revoked.writer.call(lambda store: store.export_chain(tmp_path / "chain.jsonl")) > 3
    assert json.loads((tmp_path / "chain.jsonl").read_text().splitlines()[0])["public_key"] == first.hex()
    assert verify_audit(tmp_path / "chain.jsonl")["ok"]
    assert verify_audit(tmp_path, REHEARSAL_PASSPHRASE)["ok"]
    assert revoked.store.public_key == newest
    assert held(revoked, rotated_key) == 1
    with pytest.raises(StorageTrouble, match=REVOKED):
        revoked.writer.call(lambda store: store.record(EventKind.UNEXPECTED, {}, stamp(), ""))


def test_nothing_new_is_taken_in_and_nobody_is_let_in_after_a_restart_either(revoked: Party, tmp_path: Path) -> None:
    worked(revoked)
    revoked.line.requests.clear()
    assert revoked.writer.stop()
    again = new_start(tmp_path, revoked)
    assert worked(again).code == REVOKED
    assert again.line.requests == []  # nothing is left to say
    parcel = OpenParcel("p-2", ExpectedParcel("SF9", "", 1), "r-2", Operator("1001", "林晓", Role.CLERK))
    for work in (
        lambda store: store.open_parcel(parcel, stamp()),
        lambda store: store.add_operator("1002", "x", Role.SUPERVISOR, "", Secret("1")),
        lambda store: store.chip_gate(revoked.kept[0], stamp()),
    ):
        with pytest.raises(StorageTrouble, match=REVOKED):
            again.writer.call(work)
    with pytest.raises(StorageTrouble, match=REVOKED):
        again.keep()
    assert again.writer.call(lambda store: store.sign_in("1001", Secret("2468"), NOW_US)) is None
    assert again.writer.call(lambda store: store.by_badge("CIB-1", NOW_US)) is None
    assert again.writer.stop()


def new_start(folder: Path, party: Party) -> Party:
    """The same station, opened again."""
    store = Store.open(folder / "station.db", REHEARSAL_PASSPHRASE, reserve_bytes=0)
    made = Party(store, StoreWriter(store, party.crashes.append), party.line)
    made.writer.start()
    return made


def test_a_card_that_lies_only_here_keeps_its_secrets_until_the_centre_has_it(revoked: Party, tmp_path: Path) -> None:
    """It was kept while the feed was asked, and the line is cut from then on."""

    def fate(request: httpx.Request) -> str:
        if request.url.path == "/v1/feed" and len(revoked.kept) == 3:
            revoked.keep()
        return "cut" if len(revoked.kept) == 4 and request.url.path == "/v1/events" else ""

    revoked.line.fate = fate
    signing = keys_of(revoked)[0]
    report = worked(revoked)
    assert (report.code, report.queue.unsent) == (REVOKED, 2)  # the card, and that the word was heard
    assert (keys_of(revoked), held(revoked, sealed)) == ((signing, bytes(32)), 8)
    assert revoked.writer.stop()
    again = new_start(tmp_path, revoked)
    again.writer.call(lambda store: store.save_retry(RetryState()))
    again.line.fate = lambda _request: ""
    assert worked(again).queue.unsent == 0
    assert (keys_of(again)[0], held(again, sealed)) == (b"", 0)
    assert again.writer.stop()


def test_what_the_centre_lost_since_is_brought_again_before_it_goes_here(
    party: Party, centre: OpenCentre, tmp_path: Path
) -> None:
    """It was put back to an earlier state: an old receipt is no proof of what it has now."""
    state, _ = restoring.back_up(Places(centre.folder), tmp_path / "copies", datetime.now(UTC))
    party.keep()
    party.round()
    revoke_station(centre, party.store.station, NOW_US // 1000)
    with pytest.raises(Halt, match=REVOKED):
        party.round()
    places = Places(CentreFolder(tmp_path / "again"))
    restoring.restore(state, places)
    again = open_centre(places.folder.root)
    revoke_station(again, party.store.station, NOW_US // 1000)
    party.line.centre = again
    assert last_round(party)
    with again.engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM sealed").scalar_one() == 2
    assert held(party, sealed) == 0
    again.engine.dispose()


def test_the_keys_that_sign_a_film_stay_until_it_is_closed(revoked: Party) -> None:
    revoked.writer.call(lambda store: store.new_recording("r-1", "p-1", stamp(), "1001"))
    with pytest.raises(Halt, match=REVOKED):
        revoked.round()
    assert not last_round(revoked)
    assert (len(keys_of(revoked)[0]), held(revoked, sealed)) == (32, 0)
    revoked.writer.call(lambda store: store.close_recording("r-1", "ab" * 32, "cd" * 32, 9, stamp(), "1001"))
    assert last_round(revoked)
    assert keys_of(revoked)[0] == b""


def test_the_journal_of_chips_is_still_read_by_its_key(revoked: Party) -> None:
    before = revoked.writer.call(lambda store: store.chip_journal_key())
    worked(revoked)
    assert revoked.writer.call(lambda store: store.chip_journal_key()) == before


def test_the_feeds_own_word_does_it_too(party: Party, centre: OpenCentre) -> None:
    party.keep()
    name = party.store.station
    hand_out(centre, [Item(REVOCATION, "station/somebody", Revoked())], name, 1)
    party.round()
    assert not ended(party)
    hand_out(centre, [Item(REVOCATION, f"station/{name}", Revoked())], name, 1)
    with pytest.raises(Halt, match=REVOKED):
        party.round()
    assert ended(party)


class Between(httpx.AsyncBaseTransport):
    """Somebody between station and centre, who answers what is asked of the feed himself."""

    def __init__(self, line: Line, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self.line, self.answer = line, answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/feed":
            return self.answer(request)
        return await self.line.handle_async_request(request)


def told(signer: Signer | None, nonce: str, body: bytes = CODE, status: int = 403) -> httpx.Response:
    digest, kind = content_digest(body), "application/json"
    headers = {"Content-Digest": digest, "Content-Type": kind}
    if signer is not None:
        headers |= sign_answer(signer, status, digest, kind, nonce, NOW_US // 1_000_000)
    return httpx.Response(status, headers=headers, content=body)


def nonce_of(request: httpx.Request) -> str:
    return request.headers["signature-input"].split('nonce="')[1].split('"')[0]


LIES: dict[str, Callable[[OpenCentre, str], httpx.Response]] = {
    "a proxy's": lambda _centre, _nonce: told(None, ""),
    "by a stranger's key": lambda _centre, nonce: told(Signer(new_seed()), nonce),
    "the answer to another request": lambda centre, _nonce: told(centre.signer, "n" * 24),
    "another word": lambda centre, nonce: told(centre.signer, nonce, b'{"code": "station.pending"}'),
    "another body": lambda centre, nonce: httpx.Response(
        403, headers=told(centre.signer, nonce, b'{"code": "auth.replay"}').headers, content=CODE
    ),
}


def test_nobody_but_the_centre_ends_a_station(party: Party, centre: OpenCentre) -> None:
    """A proxy's 403, a man in the middle, what the centre said to another request or of something else."""
    party.writer.call(lambda store: store.add_operator("1001", "林晓", Role.CLERK, "CIB-1", Secret("2468")))
    party.keep()
    keys = keys_of(party)
    for lie in LIES.values():
        party.writer.call(lambda store: store.save_retry(RetryState()))
        heard: Queue[SyncReport | Exception] = Queue()
        listeners = SyncListeners(heard.put, lambda _cards: None, heard.put)
        between = Between(party.line, lambda request, lie=lie: lie(centre, nonce_of(request)))
        plan = SyncPlan("http://127.0.0.1", 0.01)
        worker = SyncWorker(plan, party.writer, stamp, listeners, chance=lambda: 1.0, transport=between)
        worker.start()
        while (report := heard.get(timeout=60)).state is SyncState.SENDING:
            pass
        assert worker.stop()
        assert report.state is SyncState.OFFLINE
        assert not ended(party)
        assert (keys_of(party), held(party, operator)) == (keys, 1)
        party.keep()


def forged(party: Party, centre: OpenCentre) -> Iterator[str]:
    stranger, name = Signer(new_seed()), party.store.station
    for signer, status, body in ((stranger, 403, CODE), (centre.signer, 404, CODE), (centre.signer, 403, b"{}")):
        yield by_answer(SignedAnswer.of(status, told(signer, "n" * 24, body, status).headers, body))
    for signer, key, gone in (
        (stranger, f"station/{name}", False),
        (centre.signer, "station/another", False),
        (centre.signer, f"station/{name}", True),
    ):
        stated = Reference(tenant=centre.centre.tenant, kind=REVOCATION, key=key, revision=1, removed=gone, body={})
        yield by_feed(sign_statement(stated, signer.sign))
    yield from ("{}", "[]", '{"text": 1, "sig": ""}', "null", "x")


def test_the_store_itself_takes_nobody_elses_word(party: Party, centre: OpenCentre) -> None:
    for proof in forged(party, centre):
        with pytest.raises(EvidenceTrouble, match=r"sync\.untrusted_answer"):
            party.writer.call(lambda store, proof=proof: hear(store.ledger, proof, stamp()))
        assert not ended(party)


def test_without_the_word_nothing_can_be_shredded(party: Party) -> None:
    party.keep()
    party.round()
    assert not party.writer.call(lambda store: shred(store.ledger, None))
    assert held(party, sealed) > 0
    for statement in ("UPDATE meta SET signing_seed = x''", "UPDATE meta SET index_key = x''", "DELETE FROM reference"):
        with pytest.raises(DatabaseError, match=r"never"):
            run_sql(party.store, statement)


def run_sql(store: Store, words: str) -> None:
    with transaction(store.ledger.engine) as connection:
        connection.exec_driver_sql("INSERT INTO reference VALUES ('user', 'x', 1, 0, '{}', x'')")
        connection.exec_driver_sql(words)
