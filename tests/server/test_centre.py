"""The centre by its requests: once each, in order, signed answers, clean refusals, nothing lost by kill -9."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.core.audit import CENTRE, GENESIS, EventKind, SignedEvent, Stamp, digest, link
from app.core.cards import CardState
from app.core.errors import BadInput, StorageTrouble, Unavailable
from app.core.merkle import CompactTree, leaf_hash
from app.keys import Signer, new_seed, verifier
from app.server.embedded import start_server_process, stop_server_process
from app.server.enrol import admit_station
from app.server.folder import read_centre
from app.server.routes import make_app
from app.server.run import serve
from app.server.setup import OpenCentre, init, open_centre
from app.server.tables import event as event_table
from app.signing import Message, RequestMarks, sign_request
from app.store.db import reading
from app.store.verify import verify_audit
from app.sync.client import CentreClient, CentreRefused, Speaker
from app.wire import (
    DIGEST_HEADER,
    MOST_EVENTS,
    BatchAnswer,
    Decision,
    EventBatch,
    FeedPage,
    Receipt,
    content_digest,
    open_statement,
)

NOW_MS = 1_790_000_000_000
STAMP = Stamp(1_790_000_000_000_000, 5, "boot")


class Station:
    """A station as the centre sees it: a key and a growing chain."""

    def __init__(self, name: str = "st-1") -> None:
        self.name = name
        self.signer = Signer(new_seed())
        self.chain: list[SignedEvent] = []

    def add(self, kind: EventKind = EventKind.UNEXPECTED, body: dict[str, Any] | None = None) -> SignedEvent:
        prev = self.chain[-1].hash if self.chain else GENESIS
        seq = len(self.chain) + 1
        event = link(
            event_id=f"{self.name}-{seq}",
            station=self.name,
            seq=seq,
            prev=prev,
            kind=kind,
            stamp=STAMP,
            actor="1001",
            body=body or {"n": seq},
            sign=self.signer.sign,
        )
        self.chain.append(event)
        return event

    def add_as(self, changed: dict[str, Any]) -> SignedEvent:
        """An event that no station of this release makes, in its right place and rightly signed."""
        head = {**json.loads(self.add().data), **changed}
        data = json.dumps(head, sort_keys=True, separators=(",", ":")).encode()
        self.chain[-1] = SignedEvent(len(self.chain), data, digest(data), self.signer.sign(data))
        return self.chain[-1]

    def keep_card(self, card: str, blob: bytes = b"sealed", verdict: str = "kept") -> SignedEvent:
        sealed = {"number": {"sha256": hashlib.sha256(blob).hexdigest(), "key": "k"}}
        return self.add(EventKind.CARD_KEPT, {"card": card, "verdict": verdict, "sealed": sealed})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    init(tmp_path / "centre")
    return tmp_path / "centre"


@pytest.fixture
def centre(folder: Path) -> Iterator[OpenCentre]:
    opened = open_centre(folder)
    yield opened
    opened.engine.dispose()


Talk = Callable[[CentreClient], Awaitable[Any]]


def talk(centre: OpenCentre, station: Station, work: Talk) -> Any:
    """Do `work` with the station's client of the centre, in process."""

    async def run() -> Any:
        transport = httpx.ASGITransport(make_app(centre, now_ms=lambda: NOW_MS))
        speaker = Speaker(station.name, station.signer, centre.centre)
        async with CentreClient("http://centre", transport, speaker, lambda: NOW_MS) as client:
            return await work(client)

    return asyncio.run(run())


def join(centre: OpenCentre, station: Station) -> None:
    admit_station(centre, station.name, station.signer.public_key, "rehearsal", 0)


def send(centre: OpenCentre, station: Station, events: list[SignedEvent], blobs: tuple[bytes, ...] = ()) -> BatchAnswer:
    answer: BatchAnswer = talk(centre, station, lambda client: client.send(EventBatch.of(station.name, events, blobs)))
    return answer


def told(centre: OpenCentre, answer: BatchAnswer) -> Receipt:
    return open_statement(Receipt, answer.receipt, verifier(centre.signer.public_key))


def results(answer: BatchAnswer) -> list[str]:
    return [one.result for one in answer.results]


def decisions(centre: OpenCentre, station: Station) -> list[Decision]:
    verify = verifier(centre.signer.public_key)
    page = open_statement(FeedPage, talk(centre, station, lambda client: client.feed("")), verify)
    said = [item for item in page.items if json.loads(item.text)["type"] == Decision.TYPE]
    return [open_statement(Decision, item, verify) for item in said]


@pytest.fixture
def station(centre: OpenCentre) -> Station:
    made = Station()
    join(centre, made)
    return made


def test_events_are_applied_once_and_receipted(centre: OpenCentre, station: Station) -> None:
    events = [station.add() for _ in range(3)]
    first, again = send(centre, station, events[:2]), send(centre, station, events)
    assert (results(first), results(again)) == (["applied"] * 2, ["duplicate", "duplicate", "applied"])
    receipt = told(centre, again)
    assert (receipt.high, receipt.head_hash, receipt.log_size) == (3, events[-1].hash, 4)
    with reading(centre.engine) as connection:  # the first entry: that the station was let in
        joined = connection.execute(select(event_table.c.data).where(event_table.c.station == CENTRE)).scalar_one()
    tree = CompactTree().grown(leaf_hash(data) for data in (joined, *(event.data for event in events)))
    assert receipt.root == tree.root().hex()


def test_an_event_twice_in_a_batch_counts_once(centre: OpenCentre, station: Station) -> None:
    event = station.add()
    answer = send(centre, station, [event, event])
    assert results(answer) == ["applied", "duplicate"]
    assert told(centre, answer).high == 1


def test_a_gap_tells_where_to_go_on(centre: OpenCentre, station: Station) -> None:
    events = [station.add() for _ in range(4)]
    answer = send(centre, station, [events[0], events[2], events[3]])
    assert results(answer) == ["applied", "gap"]
    assert answer.results[-1].expect == 2


def test_another_history_under_the_same_key_is_a_fork(centre: OpenCentre, station: Station) -> None:
    twin = Station()
    twin.signer = station.signer
    send(centre, station, [station.add(), station.add()])
    events = [twin.add(body={"twin": n}) for n in range(3)]
    for _ in range(2):
        assert results(send(centre, station, events[:1])) == ["fork"]
    assert results(send(centre, station, events[2:])) == ["fork"]
    with centre.engine.connect() as connection:
        alarms = connection.exec_driver_sql("SELECT seq FROM alarm ORDER BY seq").scalars().all()
    assert alarms == [1, 3]


@pytest.mark.parametrize("wrong", ["hash", "signature", "head"])
def test_what_is_not_by_the_station_is_not_stored(wrong: str, centre: OpenCentre, station: Station) -> None:
    good = station.add()
    bad = {
        "hash": SignedEvent(1, good.data, "00" * 32, good.sig),
        "signature": SignedEvent(1, good.data, good.hash, bytes(64)),
        "head": SignedEvent(2, good.data, good.hash, good.sig),
    }[wrong]
    answer = send(centre, station, [bad])
    assert (results(answer), answer.results[0].code) == (["refused"], wrong)
    assert results(send(centre, station, [good])) == ["applied"]


def test_a_bad_signature_that_no_later_one_vouches_for_is_refused(centre: OpenCentre, station: Station) -> None:
    good = [station.add() for _ in range(4)]
    answer = send(centre, station, [*good[:3], good[3]._replace(sig=good[0].sig)])
    assert results(answer) == ["applied"] * 3 + ["refused"]
    assert (answer.results[3].code, answer.results[3].expect) == ("signature", 4)
    assert results(send(centre, station, good)) == ["duplicate"] * 3 + ["applied"]
    assert verify_audit(centre.folder.root, every=True)["ok"]


def test_who_vouches_lies_in_the_log_too(centre: OpenCentre, station: Station) -> None:
    """The last one is linked to the others, but numbered beyond a gap: it is not stored, and vouches for none."""
    good = [station.add() for _ in range(3)]
    last = station.add_as({"seq": 9})
    far = SignedEvent(9, last.data, last.hash, last.sig)
    answer = send(centre, station, [*good[:2], good[2]._replace(sig=good[0].sig), far])
    assert results(answer) == ["applied", "applied", "refused"]
    assert verify_audit(centre.folder.root, every=True)["ok"]


def test_what_is_not_understood_is_kept_in_quarantine(centre: OpenCentre, station: Station) -> None:
    station.add(EventKind.CARD_KEPT, {"no": "card"})
    station.add(EventKind.CARD_WITHDRAWN, {"card": "never-seen"})
    event = station.add()
    answer = send(centre, station, station.chain)
    assert [(one.result, one.code) for one in answer.results] == [
        ("quarantined", "body"),
        ("quarantined", "card-unknown"),
        ("applied", ""),
    ]
    assert told(centre, answer).high == event.seq


SHA = hashlib.sha256(b"sealed").hexdigest()
CHIP = {"card": "a", "uid": "04", "verdict": "done", "evidence": SHA, "decision": ""}
KEPT = {"card": "a", "verdict": "kept", "sealed": {}}


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        (
            {"v": 99, "kind": "card.kept", "body": {"card": "a", "verdict": "kept", "sealed": {}}},
            "needs-server-upgrade",
        ),
        ({"body": ["a", "list"]}, "body"),
        ({"kind": 7}, "body"),
        ({"kind": "k" * 100_000}, "body"),
        ({"kind": "with\0nul"}, "body"),
        ({"kind": "card.kept", "body": {"card": "\ud800", "verdict": "kept", "sealed": {}}}, "body"),
        ({"kind": "card.kept", "body": {"card": "a\0", "verdict": "kept", "sealed": {}}}, "body"),
        ({"kind": "card.kept", "body": {"card": 5, "verdict": "kept", "sealed": {}}}, "body"),
        ({"kind": "card.kept", "body": {"card": "a", "verdict": "kept", "sealed": {"pin": {"sha256": [SHA]}}}}, "body"),
        ({"kind": "card.withdrawn", "body": {"card": {"id": "a"}}}, "body"),
        ({"kind": "chip.deactivated", "body": {**CHIP, "uid": "04\0"}}, "body"),
        ({"kind": "chip.deactivated", "body": {**CHIP, "decision": "\udfff"}}, "body"),
    ],
)
def test_a_signed_event_nobody_understands_is_kept_and_does_not_block(
    changed: dict[str, Any], code: str, centre: OpenCentre, station: Station
) -> None:
    station.add_as(changed)
    station.keep_card("after")
    answer = send(centre, station, station.chain, (b"sealed",))
    assert [(one.result, one.code) for one in answer.results] == [("quarantined", code), ("applied", "")]
    assert {one.card_id for one in decisions(centre, station)} == {"after"}
    assert results(send(centre, station, station.chain)) == ["duplicate", "duplicate"]


def test_kept_is_accepted_review_stays_review(centre: OpenCentre, station: Station) -> None:
    station.keep_card("a")
    station.keep_card("b", verdict="review")
    station.keep_card("c", verdict="rejected")
    answer = send(centre, station, station.chain, (b"sealed",))
    assert answer.missing_blobs == ()
    assert {d.card_id: d.verdict for d in decisions(centre, station)} == {
        "a": CardState.ACCEPTED,
        "b": CardState.REVIEW,
    }


def test_nothing_is_decided_before_the_secrets_arrived(centre: OpenCentre, station: Station) -> None:
    station.keep_card("a", b"late")
    answer = send(centre, station, station.chain)
    assert answer.missing_blobs == (hashlib.sha256(b"late").hexdigest(),)
    assert decisions(centre, station) == []
    assert send(centre, station, [], (b"late",)).missing_blobs == ()
    assert [d.card_id for d in decisions(centre, station)] == ["a"]


def test_a_change_is_decided_anew_and_a_withdrawal_not_at_all(centre: OpenCentre, station: Station) -> None:
    for name in ("a", "b"):
        station.keep_card(name)
    send(centre, station, station.chain, (b"sealed",))
    changed = station.add(EventKind.CARD_TO_REVIEW, {"card": "a"})
    station.add(EventKind.CARD_WITHDRAWN, {"card": "b"})
    send(centre, station, station.chain[2:])
    found = [(d.card_id, d.verdict, d.revision) for d in decisions(centre, station)]
    assert found[2:] == [("a", CardState.REVIEW, 2)]
    assert decisions(centre, station)[2].event_hash == changed.hash


def test_the_feed_comes_in_pages(centre: OpenCentre, station: Station) -> None:
    for n in range(250):
        station.keep_card(f"c{n}")
    send(centre, station, station.chain, (b"sealed",))
    verify, seen, cursor, more = verifier(centre.signer.public_key), 0, "", True
    while more:
        page = open_statement(FeedPage, talk(centre, station, lambda client, at=cursor: client.feed(at)), verify)
        assert page.after == cursor
        seen, cursor, more = seen + len(page.items), page.cursor, page.more
    assert seen == 250
    with pytest.raises(CentreRefused, match=r"feed.cursor"):
        talk(centre, station, lambda client: client.feed("other-epoch.0.7"))


def test_a_name_belongs_to_its_first_key(centre: OpenCentre, station: Station) -> None:
    join(centre, station)
    with pytest.raises(BadInput, match=r"station.taken"):
        join(centre, Station())
    with pytest.raises(CentreRefused, match=r"station.unknown"):
        send(centre, Station("st-7"), [])


def test_facts_of_the_centre_cannot_be_changed(centre: OpenCentre, station: Station) -> None:
    send(centre, station, [station.add()])
    for statement in ("UPDATE event SET kind = 'x'", "DELETE FROM event", "DELETE FROM log_leaf"):
        with pytest.raises(IntegrityError), centre.engine.begin() as connection:
            connection.exec_driver_sql(statement)


def post(centre: OpenCentre, station: Station, content: bytes, digest: str | None = None) -> httpx.Response:
    """A signed request with any content, as the station's own program would never send it."""
    told = content_digest(content) if digest is None else digest
    message = Message("POST", centre.centre.base_url + "/v1/events", told, "application/json")
    marks = RequestMarks(station.name, os.urandom(12).hex(), NOW_MS // 1000, NOW_MS // 1000 + 60)
    headers = {DIGEST_HEADER: told, "Content-Type": "application/json"} | sign_request(station.signer, message, marks)

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(make_app(centre, now_ms=lambda: NOW_MS))
        async with httpx.AsyncClient(transport=transport, base_url="http://centre") as http:
            return await http.post("/v1/events", content=content, headers=headers)

    return asyncio.run(run())


def test_the_digest_is_checked_before_parsing(centre: OpenCentre, station: Station) -> None:
    for content, told_digest in ((b"{}", ""), (b"not json", content_digest(b"other")), (b"{", content_digest(b"{}"))):
        answer = post(centre, station, content, told_digest)
        assert (answer.status_code, answer.json()["code"]) == (400, "digest")


@pytest.mark.parametrize("content", [b"", b"[]", b"not json", b"\xff\xfe", b'{"station":"s","events":[{"seq":1}]}'])
def test_malformed_bodies_are_refused(content: bytes, centre: OpenCentre, station: Station) -> None:
    answer = post(centre, station, content)
    assert (answer.status_code, answer.json()["code"]) == (400, "format")


def test_too_much_is_refused(centre: OpenCentre, station: Station) -> None:
    station.add()
    batch = EventBatch.of("st-1", station.chain * (MOST_EVENTS + 1)).model_dump_json().encode()
    for content in (batch, b"x" * (5 << 20)):
        assert post(centre, station, content).status_code == 413


def test_a_folder_is_made_once(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"serve.already_initialised"):
        init(folder)
    with pytest.raises(BadInput, match=r"serve.not_initialised"):
        serve(tmp_path / "nothing", 0)
    read_centre(folder).vault_certificate()
    secrets = [folder / "server.key", *(folder / "vault").iterdir(), *(folder / "tls").glob("*.key")]
    assert len(secrets) == 5
    assert all(path.stat().st_mode & 0o077 == 0 for path in secrets)
    public = (folder / "centre.json").read_text()
    assert not any(path.read_text() in public for path in secrets)


def test_a_damaged_folder_is_told(folder: Path) -> None:
    key = (folder / "server.key").read_text()
    (folder / "server.key").write_text(key[::-1])
    with pytest.raises(BadInput, match=r"serve.damaged"):
        open_centre(folder)
    (folder / "server.key").write_text(key)
    (folder / "centre.db").unlink()
    with pytest.raises(StorageTrouble, match=r"store.missing_over_enrolled_folder"):
        open_centre(folder)


def test_a_port_in_use_and_an_open_host_are_told(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=r"serve.port_in_use"):
            serve(folder, port)
        with pytest.raises(Unavailable, match=r"serve.port_in_use"):
            start_server_process(folder, port)
    (folder / "tls" / "server.pem").unlink()
    with pytest.raises(BadInput, match=r"serve.no_tls"):
        serve(folder, 0, "0.0.0.0")
    with pytest.raises(BadInput, match=r"serve.host"):
        serve(folder, 0, "not an address")


def test_the_server_killed_in_the_middle_keeps_what_it_receipted(folder: Path) -> None:
    station, verify = Station(), verifier(bytes.fromhex(read_centre(folder).server_key))
    speaker = Speaker(station.name, station.signer, read_centre(folder))
    opened = open_centre(folder)
    join(opened, station)
    opened.engine.dispose()
    events = [station.add() for _ in range(400)]
    high = 0
    for _ in range(3):
        child, url = start_server_process(folder)
        killer = threading.Timer(0.15 + random.Random(high).random() / 5, child.kill)
        high = asyncio.run(_send_until_cut(speaker, url, events, high, verify, killer))
        assert stop_server_process(child) == -signal.SIGKILL
    child, url = start_server_process(folder)
    answer = asyncio.run(_send_all(speaker, url, station, events[max(0, high - 10) :]))
    assert stop_server_process(child, 60) == 0
    assert open_statement(Receipt, answer.receipt, verify).high == 400
    report = verify_audit(folder)
    assert (report["ok"], report["chains"][0]["count"]) == (True, 400)


async def _send_until_cut(
    speaker: Speaker,
    url: str,
    events: list[SignedEvent],
    high: int,
    verify: Any,
    killer: threading.Timer,
) -> int:
    async with CentreClient(url, None, speaker) as client:
        killer.start()
        try:
            while True:
                batch = events[high : high + 3] or events[-3:]
                answer = await client.send(EventBatch.of(speaker.station, batch))
                high = open_statement(Receipt, answer.receipt, verify).high
        except Unavailable:
            return high


async def _send_all(speaker: Speaker, url: str, station: Station, events: list[SignedEvent]) -> BatchAnswer:
    async with CentreClient(url, None, speaker) as client:
        return await client.send(EventBatch.of(station.name, events))


def test_a_server_child_ends_with_its_parent(folder: Path) -> None:
    child, url = start_server_process(folder)
    assert httpx.get(f"{url}/v1/health", trust_env=False).json()["status"] == "ok"
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(60) == 0
    stop_server_process(child)


def test_a_changed_log_does_not_verify(centre: OpenCentre, station: Station, folder: Path) -> None:
    send(centre, station, [station.add() for _ in range(5)])
    assert verify_audit(folder)["ok"]
    with centre.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER event_update_refused")
        text = json.dumps({"n": 0}).encode()
        connection.exec_driver_sql("UPDATE event SET data = ? WHERE seq = 3", (text,))
    report = verify_audit(folder)
    assert (report["ok"], report["chains"][0]["fault"]) == (False, {"seq": 3, "code": "hash"})
